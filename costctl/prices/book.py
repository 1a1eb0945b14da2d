"""The price book: rates per model with validity, and from any model name to its rates."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml

from costctl.errors import CostctlError
from costctl.money import PRICE_QUANTUM
from costctl.prices.place import pricing_folder
from costctl.prices.names import Named, matches, parse_name, provider_of

TOKEN_UNITS = (
    "input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning",
    "input_audio", "cache_read_audio", "output_audio", "input_image", "output_image",
)  # fmt: skip
FEE_UNITS = ("web_search_1k", "request_1k")
# A unit without a price of its own costs what its parent costs.
PARENTS = {
    "cache_read": "input", "cache_write_5m": "input", "cache_write_1h": "cache_write_5m", "reasoning": "output",
    "input_audio": "input", "cache_read_audio": "cache_read", "output_audio": "output",
    "input_image": "input", "output_image": "output",
}  # fmt: skip
# Where a bare model name is looked up when no provider is known: makers before resellers.
MAKERS = (
    "openai",
    "anthropic",
    "google",
    "deepseek",
    "mistral",
    "x-ai",
    "cohere",
    "moonshotai",
    "zai",
    "minimax",
    "perplexity",
)
RESELLERS = ("groq", "together", "fireworks", "cerebras", "aws", "azure", "openrouter")
DATED = date(2026, 10, 14)  # the newest check in the pinned base


class Rate(NamedTuple):
    """One price row: where and when it holds, and USD per million tokens (fees per 1,000)."""

    model_key: str
    service_tier: str
    from_at: datetime | None
    to_at: datetime | None
    weekdays: tuple[int, ...]  # ISO, 1 = Monday; empty = every day
    minute_from: int
    minute_to: int
    input_over_tokens: int
    input_upto_tokens: int | None
    prices: dict[str, Decimal]  # every token unit is there, from its parent where need be
    source: str

    def holds(self, when: datetime, input_tokens: int) -> bool:
        """Whether this rate prices a request of that moment and size."""
        minute = when.hour * 60 + when.minute
        return (
            (self.from_at is None or when >= self.from_at)
            and (self.to_at is None or when < self.to_at)
            and (not self.weekdays or when.isoweekday() in self.weekdays)
            and self.minute_from <= minute < self.minute_to
            and (input_tokens > self.input_over_tokens or self.input_over_tokens == 0)
            and (self.input_upto_tokens is None or input_tokens <= self.input_upto_tokens)
        )


class Resolution(NamedTuple):
    """Which price a model name means, how that was found, and why not where it was not."""

    model_key: str | None
    how: str
    reason: str


class ModelInfo(NamedTuple):
    """Facts of a model beside its prices."""

    model_key: str
    name: str | None
    context_window_tokens: int | None
    is_deprecated: bool


class PriceBook:
    """All rates that this run may use; built by `load_book`."""

    def __init__(self, folder: Path, own: dict[str, Any] | None, digest: str) -> None:
        self.digest = digest
        self.dated = DATED
        self._providers: dict[str, dict[str, Any]] = {}
        self._models: dict[str, dict[str, Any]] = {}
        self._read_base(folder / "base")
        self._read_corrections(folder / "overlays" / "corrections.yaml")
        self._regions = _yaml(folder / "overlays" / "regions.yaml")
        self._own = own or {}
        self.failed = str(self._own.get("failed", "unbilled"))
        self._read_own()

    def _read_base(self, folder: Path) -> None:
        for path in sorted(folder.glob("*.jsonl")):
            head, *lines = path.read_bytes().splitlines()
            provider = orjson.loads(head)
            provider["models"] = [orjson.loads(line) for line in lines]
            self._providers[provider["provider"]] = provider
            for model in provider["models"]:
                model["source"] = provider["source"]
                self._models[f"{provider['provider']}/{model['id']}"] = model

    def _read_corrections(self, path: Path) -> None:
        for entry in _yaml(path):
            provider, _, name = entry["model"].partition("/")
            model = self._models.get(entry["model"])
            if model is None:
                model = {
                    "id": name,
                    "name": None,
                    "match": {"equals": name},
                    "rates": [],
                    "source": entry["source"],
                }
                self._models[entry["model"]] = model
                self._providers[provider]["models"].append(model)
            replaced = {rate.get("tier", "standard") for rate in entry["rates"]}
            kept = [rate for rate in model["rates"] if rate.get("tier", "standard") not in replaced]
            model["rates"] = kept + [{**rate, "source": entry["source"]} for rate in entry["rates"]]

    def _read_own(self) -> None:
        rates = {currency: Decimal(str(rate)) for currency, rate in self._own.get("fx", {}).items()}
        for name, entry in self._own.get("models", {}).items():
            currency = entry.get("currency", "USD")
            factor = Decimal(1) if currency == "USD" else rates.get(currency)
            if factor is None:
                raise CostctlError(
                    "E203",
                    f"own price of {name}: no fixed rate for {currency}",
                    f"add fx: {{{currency}: ...}}",
                )
            prices = {
                unit: str((Decimal(str(price)) * factor).quantize(PRICE_QUANTUM))
                for unit, price in entry.items()
                if unit in PARENTS or unit in {"input", "output", *FEE_UNITS}
            }
            self._models[f"own/{name}"] = {
                "id": name,
                "name": None,
                "match": {"equals": name.lower()},
                "rates": [prices],
                "source": "own rates",
            }

    def providers(self) -> tuple[str, ...]:
        """Every provider that sells at a price of its own."""
        return tuple(self._providers)

    def model_keys(self) -> tuple[str, ...]:
        """Every priced model as provider/id."""
        return tuple(self._models)

    def info(self, model_key: str) -> ModelInfo:
        """Facts of one model."""
        model = self._models[model_key]
        return ModelInfo(
            model_key,
            model["name"],
            model.get("context_window_tokens"),
            bool(model.get("deprecated")),
        )

    def near(self, model: str) -> list[str]:
        """Names that look like the given one."""
        names = {entry["id"]: key for key, entry in self._models.items()}
        found = get_close_matches(parse_name(model).model, names, n=3, cutoff=0.6)
        return [names[name] for name in found]

    def rates(self, keys: Iterable[str]) -> list[Rate]:
        """All rates of some model keys; a key may carry `@region`."""
        return [rate for key in keys for rate in self._rates(key)]

    def rate_at(
        self,
        model_key: str,
        when: datetime,
        *,
        input_tokens: int = 0,
        service_tier: str = "standard",
    ) -> Rate | None:
        """The one rate for a moment, an input size and a service tier."""
        found = [
            rate
            for rate in self._rates(model_key)
            if rate.service_tier == service_tier and rate.holds(when, input_tokens)
        ]
        return found[0] if found else None

    def _rates(self, key: str) -> list[Rate]:
        base_key, _, region = key.partition("@")
        multiplier = self._multiplier(base_key, region) if region else Decimal(1)
        model = self._models[base_key]
        return [
            rate
            for line in model["rates"]
            for rate in _rate(key, line, multiplier, line.get("source", model["source"]), self._discount(base_key))
        ]

    def _discount(self, model_key: str) -> Decimal:
        for pattern, share in self._own.get("discounts", {}).items():
            if fnmatch.fnmatch(model_key, pattern):
                return 1 - Decimal(str(share))
        return Decimal(1)

    def _multiplier(self, model_key: str, region: str) -> Decimal:
        provider, _, model = model_key.partition("/")
        for rule in self._regions:
            if (
                rule["provider"] == provider
                and re.fullmatch(rule["models"], model)
                and re.fullmatch(rule["region"], region)
            ):
                return Decimal(rule["multiply"])
        return Decimal(1)

    def resolve(self, model: str | None, provider: str | None = None, region: str | None = None) -> Resolution:
        """From a logged name to the key of its rates; unknown stays unknown, with the reason."""
        if not model:
            return Resolution(None, "unpriced", "the log names no model")
        own = next(
            (
                key
                for key in self._models
                if key.startswith("own/") and matches(self._models[key]["match"], model.lower())
            ),
            None,
        )
        if own:
            return Resolution(own, "own", "own rates")
        named = parse_name(model)
        found = self._resolved(named, provider)
        if found.model_key and region and self._multiplier(found.model_key, region.lower()) != 1:
            return found._replace(
                model_key=f"{found.model_key}@{region.lower()}",
                reason=f"{found.reason}; regional price {region}",
            )
        return found

    def _resolved(self, named: Named, provider: str | None) -> Resolution:
        if named.refusal:
            return Resolution(None, "unpriced", named.refusal)
        known = provider_of(provider, self._providers)
        candidates = [named.provider, known] if named.provider in self._providers else [known]
        for candidate in dict.fromkeys(filter(None, candidates)):
            found = self._in_provider(candidate, named) or self._in_fallback(candidate, named)
            if found:
                return found
        for maker in (*MAKERS, *RESELLERS, *self._providers):
            if maker not in self._providers:
                continue
            found = self._in_provider(maker, named)
            if found:
                where = (
                    f" ({provider} has no price of its own)"
                    if provider and provider_of(provider, self._providers) != maker
                    else ""
                )
                return found._replace(reason=f"{found.reason}; list price of {maker}{where}")
        return self._open_weights(named) or Resolution(None, "unpriced", f"no price for {named.model!r}")

    def _open_weights(self, named: Named) -> Resolution | None:
        """Open models are sold under their maker's name on OpenRouter: maker/model."""
        name = named.model.lower()
        ids = [model["id"] for model in self._providers["openrouter"]["models"] if model["rates"]]
        for how, fits in (
            ("exact", lambda tail: tail == name),
            ("family", lambda tail: len(name) > 6 and tail.startswith(name)),
        ):
            found = next((item for item in ids if fits(item.rsplit("/", 1)[-1]) and ":" not in item), None)
            if found:
                return Resolution(f"openrouter/{found}", how, f"{how} of {found}; list price of openrouter")
        return None

    def _in_provider(self, provider: str, named: Named) -> Resolution | None:
        spellings = [named.full.lower(), named.model.lower()] if provider == "openrouter" else [named.model.lower()]
        models = self._providers[provider]["models"]
        for spelling in spellings:
            for model in models:
                if model["id"].lower() == spelling and model["rates"]:
                    return Resolution(f"{provider}/{model['id']}", "exact", "the model's own id")
        for spelling in spellings:
            for model in models:
                if model["rates"] and matches(model["match"], spelling):
                    how = "alias" if spelling.startswith(model["id"].lower()) else "family"
                    return Resolution(f"{provider}/{model['id']}", how, f"{how} of {model['id']}")
        return None

    def _in_fallback(self, provider: str, named: Named) -> Resolution | None:
        for fallback in self._providers[provider]["fallback"]:
            found = self._in_provider(fallback, named) if fallback in self._providers else None
            if found:
                return found._replace(reason=f"{found.reason}; {provider} sells it at the price of {fallback}")
        return None


def _rate(key: str, line: dict[str, Any], multiplier: Decimal, source: str, discount: Decimal) -> list[Rate]:
    prices = {unit: Decimal(line[unit]) * multiplier * discount for unit in (*TOKEN_UNITS, *FEE_UNITS) if unit in line}
    if not prices and not key.endswith(":free"):
        return []  # priced by a unit that no token log carries, such as hours of audio
    prices.setdefault("input", Decimal(0))
    prices.setdefault("output", Decimal(0))
    for unit in TOKEN_UNITS:
        if unit not in prices:
            prices[unit] = prices[PARENTS[unit]]
    prices = {unit: price.quantize(PRICE_QUANTUM) for unit, price in prices.items()}
    first, last = line.get("window", (0, 24 * 60))
    windows = [(first, last)] if first < last else [(first, 24 * 60), (0, last)]
    return [
        Rate(
            key, line.get("tier", "standard"), _instant(line.get("from")), _instant(line.get("to")), tuple(line.get("weekdays", ())),
            start, end, line.get("over", 0), line.get("upto"), prices, source,
        )
        for start, end in windows
    ]  # fmt: skip


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or []  # noqa: S506


OWN_KEYS = ("fx", "models", "discounts", "failed")


def load_book(own: Path | None = None, folder: Path | None = None) -> PriceBook:
    """The price book, with the user's own rates on top.

    Raises:
        CostctlError: E201 when the file of own rates cannot be read, E202 for an unknown key.
    """
    folder = folder or pricing_folder()
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        if path.suffix in {".jsonl", ".yaml"}:
            digest.update(path.name.encode() + path.read_bytes())
    rates = None
    if own is not None:
        rates = _own_rates(own)
        digest.update(own.read_bytes())
    return PriceBook(folder, rates, digest.hexdigest())


def _own_rates(path: Path) -> dict[str, Any]:
    try:
        content = _yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise CostctlError("E201", f"cannot read own rates: {path}", str(error).splitlines()[0]) from error
    if not isinstance(content, dict):
        raise CostctlError("E201", f"own rates in {path} are not a mapping", f"keys: {', '.join(OWN_KEYS)}")
    unknown = [str(key) for key in content if key not in OWN_KEYS]
    units = {*TOKEN_UNITS, *FEE_UNITS, "currency"}
    unknown += [
        f"models.{name}.{key}" for name, entry in content.get("models", {}).items() for key in entry if key not in units
    ]
    if unknown:
        near = get_close_matches(unknown[0].rsplit(".", 1)[-1], [*OWN_KEYS, *units], n=1)
        raise CostctlError(
            "E202",
            f"{path}: unknown key {', '.join(unknown)}",
            f"did you mean {near[0]}?" if near else f"keys: {', '.join(OWN_KEYS)}",
        )
    if content.get("failed", "unbilled") not in {"unbilled", "input_only", "as_logged"}:
        raise CostctlError("E202", f"{path}: failed must be unbilled, input_only or as_logged")
    try:
        for entry in content.get("models", {}).values():
            [Decimal(str(value)) for key, value in entry.items() if key != "currency"]
    except InvalidOperation as error:
        raise CostctlError("E202", f"{path}: a price is not a number") from error
    return content


def instant_utc(day: date) -> datetime:
    """Midnight UTC of a day, without zone as everywhere in the store."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=None)
