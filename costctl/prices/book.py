"""The price book: rates per model with validity, from the base, the overlays and the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml

from costctl.prices.discounts import discount_of
from costctl.prices.names import plain_name
from costctl.prices.own import OwnRates, read_own
from costctl.prices.place import pricing_folder
from costctl.prices.rates import FEE_UNITS, PARENTS, TOKEN_UNITS, Rate, expand
from costctl.prices.resolve import Resolution, Resolver, ShortName

__all__ = [
    "DATED", "FEE_UNITS", "OWN_RATES", "PARENTS", "TOKEN_UNITS", "ModelInfo", "PriceBook", "Rate", "Resolution",
    "instant_utc", "load_book", "pricing_folder", "read_yaml",
]  # fmt: skip

# The newest change of price in the pinned base that was not announced ahead of its day.
DATED = date(2026, 11, 9)
OWN_RATES = "own rates"  # the source of what the user names


class ModelInfo(NamedTuple):
    """Facts of a model beside its prices."""

    model_key: str
    name: str | None
    context_window_tokens: int | None
    is_deprecated: bool


class PriceBook:
    """All rates that this run may use; built by `load_book`."""

    def __init__(self, folder: Path, own: OwnRates, digest: str) -> None:
        self.digest = digest
        self.dated = DATED
        self.failed = own.failed
        self.called = "your rates" if own.models or own.discounts else "list"
        self.own = own
        self._scales: dict[str, Decimal] = {}
        self._providers: dict[str, dict[str, Any]] = {}
        self._models: dict[str, dict[str, Any]] = {}
        self._read_base(folder / "base")
        for path in sorted((folder / "overlays").glob("*.yaml")):
            if path.stem != "regions":
                self._read_corrections(path)
        for name, prices in own.models.items():
            self._models[f"own/{name}"] = {
                "id": name,
                "name": None,
                "match": None,
                "rates": [prices],
                "source": OWN_RATES,
            }
        regions = folder / "overlays" / "regions.yaml"
        rules = read_yaml(regions) if regions.is_file() else []
        self._resolver = Resolver(
            self._providers, self._models, own.models, rules, partial(_short_names, folder / "models.yaml")
        )

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
        """Entries replace the base's rates of the service tiers they list, and may add aliases."""
        for entry in read_yaml(path):
            provider, _, name = entry["model"].partition("/")
            model = self._models.get(entry["model"])
            if model is None:
                model = {"id": name, "name": None, "match": {"equals": name}, "rates": [], "source": entry["source"]}
                self._models[entry["model"]] = model
                self._providers[provider]["models"].append(model)
            if aliases := entry.get("aliases"):
                model["match"] = {"or": [model["match"], *({"equals": alias} for alias in aliases)]}
            lines = entry.get("rates", [])
            replaced = {line.get("tier", "standard") for line in lines}
            kept = [line for line in model["rates"] if line.get("tier", "standard") not in replaced]
            model["rates"] = kept + [{**line, "source": entry["source"]} for line in lines]

    def providers(self) -> tuple[str, ...]:
        """Every provider that sells at a price of its own."""
        return tuple(self._providers)

    def model_keys(self) -> tuple[str, ...]:
        """Every model of the files as provider/id."""
        return tuple(self._models)

    def info(self, model_key: str) -> ModelInfo:
        """Facts of one model."""
        model = self._models[self._split(model_key)[0]]
        return ModelInfo(
            model_key,
            model["name"],
            model.get("context_window_tokens"),
            bool(model.get("deprecated")),
        )

    def sellers(self, model: str) -> list[str]:
        """The providers that sell a model at a price, resellers of another's list included."""
        return self._resolver.sellers(model)

    def near(self, model: str) -> list[str]:
        """Keys whose names look like the given one, at most three."""
        return self._resolver.near(model)

    def resolve(self, model: str | None, provider: str | None = None, region: str | None = None) -> Resolution:
        """From a logged name to the key of its rates; unknown stays unknown, with the reason."""
        return self._resolver.resolve(model, provider, region)

    def rates(self, keys: Iterable[str]) -> list[Rate]:
        """All rates of some model keys; a key may carry `@seller:region`."""
        return [rate for key in keys for rate in self._rates(key)]

    def scaled(self, ratios: Mapping[str, Decimal]) -> PriceBook:
        """The same book with every price of these model keys times a ratio, to the six decimals of a price."""
        other = copy(self)
        other._scales = dict(ratios)
        return other

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
        base_key, place = self._split(key)
        factor = self._discount(base_key) * self._scales.get(base_key, 1)
        if place:
            seller, _, region = place.partition(":")
            factor *= Decimal(self._resolver.multiplier(seller, base_key.partition("/")[2], region) or 1)
        model = self._models[base_key]
        return [
            rate for line in model["rates"] for rate in expand(key, line, factor, line.get("source", model["source"]))
        ]

    def _split(self, key: str) -> tuple[str, str]:
        """The key of the files and `seller:region`; some ids have an @ of their own."""
        if key in self._models:
            return key, ""
        base_key, _, place = key.rpartition("@")
        return base_key, place

    def _discount(self, model_key: str) -> Decimal:
        """What a discount leaves of the list price; one's own rate is no list price."""
        is_own = self._models[model_key]["source"] == OWN_RATES
        return Decimal(1) if is_own else 1 - discount_of(model_key, self.own.discounts)


def read_yaml(path: Path) -> Any:
    """One of our own YAML files, parsed; an empty one is an empty list."""
    return yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or []  # noqa: S506


def _short_names(path: Path) -> dict[str, ShortName]:
    """The ids, names and aliases of the models that we have facts of; of equal ones the first."""
    found: dict[str, ShortName] = {}
    for entry in read_yaml(path)["models"] if path.is_file() else ():
        for name in (entry["model"], entry["name"], *entry.get("aliases", ())):
            found.setdefault(plain_name(name), ShortName(entry["model"], entry["provider"]))
    return found


def load_book(own: Path | None = None, folder: Path | None = None) -> PriceBook:
    """The price book, with the user's own rates on top.

    Raises:
        CostctlError: E201 when the file of own rates cannot be read, E202 for what it says wrongly.
    """
    folder = folder or pricing_folder()
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        if path.suffix in {".jsonl", ".yaml"}:
            digest.update(path.name.encode() + path.read_bytes())
    if own is not None and own.is_file():
        digest.update(own.read_bytes())
    return _book_of(folder, own, digest.hexdigest())


@lru_cache(maxsize=4)
def _book_of(folder: Path, own: Path | None, digest: str) -> PriceBook:
    """One book for all parts of a command that ask for it; the digest is that of the files."""
    return PriceBook(folder, OwnRates() if own is None else read_own(own), digest)


def instant_utc(day: date) -> datetime:
    """Midnight UTC of a day, without zone as everywhere in the store."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=None)
