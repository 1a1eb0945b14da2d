"""What is known of models beside their prices, and the table that shows both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from costctl.prices.book import PriceBook, instant_utc, load_book
from costctl.prices.names import as_sold, provider_alias
from costctl.prices.published import exact, read_data
from costctl.prices.rates import Rate
from costctl.prices.resolve import Resolution
from costctl.report import Report, Table, Value, Warning, counted

NAMED_MAX = 5
ROUTER_LABELS = ("background", "default", "think", "longContext")
STATUSES = ("measured", "vendor", "claim")
COLUMNS = (
    "model", "provider", "tier", "router_label", "input_usd_per_million",
    "cache_read_usd_per_million", "output_usd_per_million", "context_tokens",
    "output_limit_tokens", "speed_tokens_per_s", "first_token_ms", "quality_ratio", "best_use", "licence", "facts",
    "price_key", "price_status", "price_source",
)  # fmt: skip


class Fact(NamedTuple):
    """A value with its source and the source's standing (see STATUSES)."""

    value: Any
    status: str
    source: str


@dataclass(frozen=True)
class ModelFacts:
    """Facts of one model; None where no source says anything. Quality is MMLU accuracy, 0 to 1."""

    model: str
    name: str
    provider: str
    aliases: tuple[str, ...]
    router_label: str
    tier: str
    best_use: str
    context_tokens: Fact | None
    output_limit_tokens: Fact | None
    quality: Fact | None
    speed_tokens_per_s: Fact | None
    first_token_ms: Fact | None
    licence: Fact | None

    @property
    def facts(self) -> dict[str, Fact]:
        """The sourced facts that exist, by the name a reader would use."""
        named = {
            "context": self.context_tokens,
            "output limit": self.output_limit_tokens,
            "quality": self.quality,
            "speed": self.speed_tokens_per_s,
            "first token": self.first_token_ms,
            "licence": self.licence,
        }
        return {name: fact for name, fact in named.items() if fact}


@lru_cache(maxsize=1)
def load_facts() -> tuple[ModelFacts, ...]:
    """All models of `pricing/models.yaml`, in their order."""
    content = read_data("models.yaml")
    return tuple(_facts(entry, content["sources"]) for entry in content["models"])


def resolve_facts(entry: ModelFacts, book: PriceBook) -> Resolution:
    """The price key of a model that we have facts of, at the provider the facts name."""
    return book.resolve(as_sold(entry.model, entry.provider), entry.provider)


def models(
    *,
    search: str = "",
    provider: str = "",
    min_context_tokens: int | None = None,
    max_input_usd_per_million: Decimal | None = None,
    at: datetime | None = None,
    every: bool = False,
    book: PriceBook | None = None,
) -> Report:
    """The table of models, cheapest input first and unpriced last.

    `at` is an instant in UTC without zone (default: the day of the price set), `search` any
    part of id, name or best use. `every` adds the models of the book that we have no facts of.
    A filter drops the models whose value is unknown, and a warning counts them.
    """
    book = book or load_book()
    when = at or instant_utc(book.dated)
    rows = [_known_row(entry, book, when) for entry in load_facts()]
    if every:
        seen = {row["price_key"] for row in rows}
        rows += [_bare_row(key, book, when) for key in book.model_keys() if key not in seen]
    words = search.lower().split()
    rows = [row for row in rows if all(word in _haystack(row) for word in words)]
    if provider:
        rows = [row for row in rows if row["provider"] == provider_alias(provider)]
    warnings: list[Warning] = []
    if min_context_tokens is not None:
        rows = _known(rows, "context_tokens", "a context window", warnings)
        rows = [row for row in rows if row["context_tokens"] >= min_context_tokens]
    if max_input_usd_per_million is not None:
        rows = _known(rows, "input_usd_per_million", "a price", warnings)
        rows = [row for row in rows if row["input_usd_per_million"] <= max_input_usd_per_million]
    rows.sort(key=_cheapest_first)
    if not rows:
        hint = "all of them: costctl models --all"
        warnings.append(Warning("W216", "no model that we have facts of is like that", hint))
    warnings += begins_unknown([str(row["price_key"]) for row in rows if _is_begin_unknown(row, book, at)], at)
    priced_count = sum(row["price_status"] != "unpriced" for row in rows)
    return Report(
        command="models",
        totals={
            "model_count": len(rows),
            "priced_count": priced_count,
            "unpriced_count": len(rows) - priced_count,
        },
        tables={"models": Table.of("models", COLUMNS, (tuple(row.values()) for row in rows))},
        warnings=tuple(warnings),
        provenance={
            "price_digest": book.digest,
            "prices_at": when.isoformat(),
            "quality": "MMLU accuracy; the column facts says who states it",
        },
    )


def _is_begin_unknown(row: Mapping[str, Any], book: PriceBook, at: datetime | None) -> bool:
    """Whether a past day was asked for, and the book does not say since when its price holds."""
    if at is None or at >= instant_utc(book.dated) or not row["price_key"]:
        return False
    rate = book.rate_at(str(row["price_key"]), at)
    return rate is not None and rate.from_at is None


def begins_unknown(keys: Sequence[str], at: datetime | None) -> list[Warning]:
    """Prices whose first day nobody knows, where an earlier day than that of the price set was asked for."""
    keys = list(dict.fromkeys(keys))
    if not keys or at is None:
        return []
    more = f" and {len(keys) - NAMED_MAX:,} more" if len(keys) > NAMED_MAX else ""
    text = (
        f"{', '.join(keys[:NAMED_MAX])}{more}: the first price that the price set knows is used; it does not say since"
        f" when that holds, and on {at:%Y-%m-%d} the model may have had another price or none"
    )
    return [undated(text)]


def undated(text: str) -> Warning:
    """The warning of prices that may be later than the day at which they are taken."""
    return Warning("W224", text, "see the dates: costctl prices show MODEL; a price of your own: --prices FILE")


def _facts(entry: dict[str, Any], sources: dict[str, dict[str, str]]) -> ModelFacts:
    def fact(name: str) -> Fact | None:
        if name not in entry:
            return None
        value, key = entry[name]
        assert sources[key]["status"] in STATUSES, key
        return Fact(value, sources[key]["status"], sources[key]["title"])

    quality = fact("quality")
    assert entry["router_label"] in ROUTER_LABELS, entry["model"]
    return ModelFacts(
        model=entry["model"],
        name=entry["name"],
        provider=entry["provider"],
        aliases=tuple(entry.get("aliases", ())),
        router_label=entry["router_label"],
        tier=entry["tier"],
        best_use=entry["best_use"],
        context_tokens=fact("context_tokens"),
        output_limit_tokens=fact("output_limit_tokens"),
        quality=quality and quality._replace(value=exact(quality.value)),
        speed_tokens_per_s=fact("speed_tokens_per_s"),
        first_token_ms=fact("first_token_ms"),
        licence=fact("licence"),
    )


def _known_row(entry: ModelFacts, book: PriceBook, when: datetime) -> dict[str, Any]:
    key = resolve_facts(entry, book).model_key
    row = _priced_row(entry.model, entry.provider, key, book, when)
    return {
        **row,
        "tier": entry.tier,
        "router_label": entry.router_label,
        "context_tokens": _value(entry.context_tokens) or row["context_tokens"],
        "output_limit_tokens": _value(entry.output_limit_tokens),
        "speed_tokens_per_s": _value(entry.speed_tokens_per_s),
        "first_token_ms": _value(entry.first_token_ms),
        "quality_ratio": _value(entry.quality),
        "best_use": entry.best_use,
        "licence": _value(entry.licence),
        "facts": "; ".join(f"{name}: {fact.status}" for name, fact in entry.facts.items()),
    }


def _bare_row(key: str, book: PriceBook, when: datetime) -> dict[str, Any]:
    provider, _, model = key.partition("/")
    return _priced_row(model, provider, key, book, when)


def _priced_row(model: str, provider: str, key: str | None, book: PriceBook, when: datetime) -> dict[str, Any]:
    rate = book.rate_at(key, when) if key else None
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(model=model, provider=provider, price_key=key, price_status=price_status(rate))
    if key:
        row["context_tokens"] = book.info(key).context_window_tokens
    if rate:
        row["input_usd_per_million"] = rate.prices["input"]
        row["cache_read_usd_per_million"] = rate.prices["cache_read"]
        row["output_usd_per_million"] = rate.prices["output"]
        row["price_source"] = rate.source
    return row


def price_status(rate: Rate | None) -> str:
    """Whether a rate prices at all: priced, free (an explicit zero) or unpriced."""
    if rate is None:
        return "unpriced"
    return "priced" if any(rate.prices.values()) else "free"


def _value(fact: Fact | None) -> Value:
    return fact.value if fact else None


def _known(rows: list[dict[str, Any]], column: str, what: str, warnings: list[Warning]) -> list[dict[str, Any]]:
    known = [row for row in rows if row[column] is not None]
    if dropped := len(rows) - len(known):
        warnings.append(
            Warning(
                "W215",
                f"{counted(dropped, 'model')} without {what} {'is' if dropped == 1 else 'are'} left out by the filter",
            )
        )
    return known


def _haystack(row: dict[str, Any]) -> str:
    return f"{row['model']} {row['provider']} {row['best_use']} {row['router_label']}".lower()


def _cheapest_first(row: dict[str, Any]) -> tuple[bool, Decimal, str]:
    price = row["input_usd_per_million"]
    return (price is None, price or Decimal(0), row["model"])
