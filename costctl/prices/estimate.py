"""What N input and M output tokens cost: exact, with its arithmetic, on any price list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NamedTuple, Protocol

from costctl.errors import CostctlError
from costctl.prices.book import PriceBook, Rate, instant_utc, load_book
from costctl.prices.models import ModelFacts, load_facts, price_status, resolve
from costctl.prices.published import PublishedTable, load_published
from costctl.report import Report, Table, Value, Warning

UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
MILLION = Decimal(1_000_000)
WHOLE = Decimal(1)
MINUTES_OF_A_DAY = 24 * 60
ESTIMATE_COLUMNS = (
    "model", "price_key", "price_status", "input_tokens", "cached_input_tokens", "output_tokens",
    "input_cost_usd", "cache_read_cost_usd", "output_cost_usd", "list_cost_usd", "request_cost_usd", "price_note",
)  # fmt: skip
ARITHMETIC_COLUMNS = (
    "model", "part", "part_tokens", "price_usd_per_million", "part_cost_usd", "arithmetic",
)  # fmt: skip
MIX_COLUMNS = (
    "model", "share_ratio", "request_count", "input_tokens", "output_tokens", "list_cost_usd",
)  # fmt: skip


@dataclass(frozen=True)
class Volume:
    """Tokens to be priced in all; `cached_input_tokens` are a part of `input_tokens`.

    `request_count` is None where the question names totals and no requests.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    request_count: int | None = None

    def __post_init__(self) -> None:
        if self.cached_input_tokens > self.input_tokens:
            raise CostctlError(
                "E214",
                f"{self.cached_input_tokens:,} cached tokens are more than the"
                f" {self.input_tokens:,} input tokens they are a part of",
            )

    @property
    def request_input_tokens(self) -> int:
        """Input of one request, which decides a long-context price; 0 where it is unknown."""
        return self.input_tokens // self.request_count if self.request_count else 0

    def part(self, share: Decimal) -> Volume:
        """A share of this volume: whole requests where they are known, else whole tokens."""
        if self.request_count is None:
            return Volume(
                _rounded(self.input_tokens * share),
                _rounded(self.output_tokens * share),
                _rounded(self.cached_input_tokens * share),
            )
        requests = _rounded(self.request_count * share)
        return Volume(
            self.input_tokens // self.request_count * requests,
            self.output_tokens // self.request_count * requests,
            self.cached_input_tokens // self.request_count * requests,
            requests,
        )

    def minus(self, other: Volume) -> Volume:
        """What is left of this volume without the other."""
        requests = None
        if self.request_count is not None and other.request_count is not None:
            requests = self.request_count - other.request_count
        return Volume(
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
            self.cached_input_tokens - other.cached_input_tokens,
            requests,
        )


class Quote(NamedTuple):
    """USD per million tokens of one model on one list; the prices are None when unpriced."""

    model: str
    price_key: str | None
    status: str
    note: str
    input: Decimal | None = None
    cache_read: Decimal | None = None
    output: Decimal | None = None
    near: tuple[str, ...] = ()
    warnings: tuple[Warning, ...] = ()


class PriceList(Protocol):
    """Something that quotes prices, and the models it quotes when none is named."""

    def quote(self, model: str, request_input_tokens: int) -> Quote:
        """The prices of one model for requests of that size (0 = unknown)."""

    def known_models(self) -> tuple[str, ...]:
        """The models to compare when the question names none."""

    def provenance(self) -> dict[str, object]:
        """Which list, of which day."""


def estimate(
    models: Sequence[str],
    *,
    volume: Volume,
    mix: Mapping[str, Decimal] | None = None,
    price_list: str = "list",
    at: datetime | None = None,
    service_tier: str = "standard",
    book: PriceBook | None = None,
) -> Report:
    """What a volume costs on each model, or on a mix of models.

    `mix` gives shares (0 to 1) of models; what they leave goes to the first of `models`. With
    neither, every model of the list that we have facts of is compared, cheapest first. `at` is
    an instant in UTC without zone. An unpriced model keeps its row, without dollars.

    Raises:
        CostctlError: E211 for an unknown list, E212 for shares that do not fit, E213 for a
            date or a service tier with a published table.
    """
    prices = _price_list(price_list, at, service_tier, book)
    names = list(dict.fromkeys(models)) or list(prices.known_models() if not mix else ())
    shares = _shares(names, mix) if mix else {}
    compared = list(dict.fromkeys([*names, *shares]))
    quotes = {name: prices.quote(name, volume.request_input_tokens) for name in compared}
    ordered = list(quotes.values())
    if not models and not mix:
        ordered.sort(key=lambda quote: _by_cost(quote, volume))
    tables = {
        "estimate": _estimate_table(ordered, volume),
        "arithmetic": _arithmetic_table(ordered, volume),
    }
    totals = _totals(ordered, volume)
    not_computed: dict[str, str] = {}
    if shares:
        tables["mix"] = _mix_table(shares, quotes, volume)
        totals |= _mix_totals(tables["mix"], quotes[names[0]] if names else None, volume)
        if totals["list_cost_usd"] is None:
            del totals["list_cost_usd"]
            not_computed["list_cost_usd"] = "a model of the mix has no price"
    unpriced = [quote for quote in ordered if quote.status == "unpriced"]
    if unpriced:
        tables["unpriced"] = Table.of(
            "unpriced",
            ("model", "reason", "near"),
            ((quote.model, quote.note, ", ".join(quote.near)) for quote in unpriced),
        )
    return Report(
        command="estimate",
        totals=totals,
        tables=tables,
        warnings=tuple(dict.fromkeys(warning for quote in ordered for warning in quote.warnings)),
        provenance={
            **prices.provenance(),
            "status": dict.fromkeys((name for name in totals if name.endswith("_usd")), "exact"),
            "not_computed": not_computed,
        },
    )


def parse_count(text: str) -> int:
    """A whole number with an optional unit k, M, B or T (thousands to 10^12).

    >>> parse_count("10M"), parse_count("500k"), parse_count("1.5B"), parse_count("1_000")
    (10000000, 500000, 1500000000, 1000)

    Raises:
        CostctlError: E210 where the text is not a whole number of at least 0.
    """
    found = re.fullmatch(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([kmbt]?)", text.strip().lower())
    value = Decimal(re.sub("[_,]", "", found[1])) * UNITS[found[2]] if found else Decimal("NaN")
    if value.is_nan() or value != value.to_integral_value():
        raise CostctlError("E210", f"not a whole number: {text!r}", "write 10M, 500k, 1.5B or 1000")
    return int(value)


def parse_mix(texts: Sequence[str]) -> dict[str, Decimal]:
    """Shares (0 to 1) from texts such as model=70%.

    >>> parse_mix(["claude-haiku=70%", "o1=2.5%"])
    {'claude-haiku': Decimal('0.7'), 'o1': Decimal('0.025')}

    Raises:
        CostctlError: E212 where a text is no share above 0 and up to 100 %, or a model comes twice.
    """
    shares: dict[str, Decimal] = {}
    for text in texts:
        model, _, share = text.rpartition("=")
        model = model.strip()
        try:
            value = Decimal(share.strip().removesuffix("%")) / 100
        except InvalidOperation:
            value = Decimal(0)
        if not model or not share.strip().endswith("%") or not 0 < value <= 1 or model in shares:
            raise CostctlError(
                "E212", f"not a share of a model: {text!r}", "write model=70%, each model once"
            )
        shares[model] = value
    return shares


def parse_at(text: str | None) -> datetime | None:
    """A day or an instant in ISO form as UTC without zone; a text without zone means UTC.

    Raises:
        CostctlError: E213 where the text is neither.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise CostctlError(
            "E213", f"not a date: {text!r}", "write 2026-01-31 or 2026-01-31T14:00"
        ) from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def plain_usd(value: Decimal) -> str:
    """All digits of a dollar amount, and at least two decimals.

    >>> plain_usd(Decimal("12500.000000")), plain_usd(Decimal("0.075000"))
    ('$12,500.00', '$0.075')
    """
    whole, _, decimals = f"{value:,f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"


class _BookPrices:
    """List prices of the book at one instant and service tier."""

    def __init__(self, book: PriceBook, at: datetime | None, service_tier: str) -> None:
        self._book = book
        self._at = at or instant_utc(book.dated)
        self._tier = service_tier
        self._facts: tuple[ModelFacts, ...] = load_facts()

    def known_models(self) -> tuple[str, ...]:
        return tuple(
            f"openrouter/{entry.model}" if entry.provider == "openrouter" else entry.model
            for entry in self._facts
        )

    def provenance(self) -> dict[str, object]:
        return {
            "price_list": "list",
            "price_digest": self._book.digest,
            "prices_at": self._at.isoformat(),
            "service_tier": self._tier,
        }

    def quote(self, model: str, request_input_tokens: int) -> Quote:
        found = resolve(model, self._book, self._facts)
        if found.model_key is None:
            near = tuple(self._book.near(model))
            return Quote(model, None, "unpriced", found.reason, near=near)
        key = found.model_key
        rate = self._book.rate_at(
            key, self._at, input_tokens=request_input_tokens, service_tier=self._tier
        )
        if rate is None:
            note = f"no {self._tier} price of {key} on {self._at:%Y-%m-%d}"
            return Quote(model, key, "unpriced", note)
        return Quote(
            model,
            key,
            price_status(rate),
            f"{found.how}: {found.reason}; {rate.source}",
            rate.prices["input"],
            rate.prices["cache_read"],
            rate.prices["output"],
            warnings=tuple(self._warnings(rate, request_input_tokens)),
        )

    def _warnings(self, rate: Rate, request_input_tokens: int) -> list[Warning]:
        warnings = []
        if rate.input_upto_tokens is not None and not request_input_tokens:
            warnings.append(
                Warning(
                    "W211",
                    f"{rate.model_key} has another price for requests above"
                    f" {rate.input_upto_tokens:,} input tokens",
                    "say how many requests there are: --requests 1000 --input 300k",
                )
            )
        if rate.weekdays or (rate.minute_from, rate.minute_to) != (0, MINUTES_OF_A_DAY):
            warnings.append(
                Warning(
                    "W212",
                    f"{rate.model_key} has prices by the hour; this one holds on"
                    f" {self._at:%Y-%m-%d} at {self._at:%H:%M} UTC",
                    "choose the hour: --at 2026-01-31T14:00",
                )
            )
        return warnings


class _PublishedPrices:
    """Prices of a published table; it knows no cache, no tiers and no dates."""

    def __init__(self, table: PublishedTable) -> None:
        self._table = table

    def known_models(self) -> tuple[str, ...]:
        return tuple(row.id for row in self._table.rows)

    def provenance(self) -> dict[str, object]:
        return {"price_list": self._table.name, "source": self._table.source}

    def quote(self, model: str, request_input_tokens: int) -> Quote:  # noqa: ARG002
        row = self._table.find(model)
        if row is None:
            near = tuple(self._table.near(model))
            return Quote(model, None, "unpriced", f"not in {self._table.source}", near=near)
        warnings = [
            Warning(
                "W213",
                f"{self._table.name} has {row.name} as {row.standing.replace('_', ' ')}: {row.note}",
                "the list price: --price-list list",
            )
        ]
        return Quote(
            model,
            f"{self._table.name}/{row.id}",
            "priced",
            f"{self._table.source}; {row.standing.replace('_', ' ')}",
            row.input_usd_per_million,
            row.input_usd_per_million,
            row.output_usd_per_million,
            warnings=tuple(warnings if row.standing != "list" else ()),
        )


def _price_list(
    name: str, at: datetime | None, service_tier: str, book: PriceBook | None
) -> PriceList:
    if name == "list":
        return _BookPrices(book or load_book(), at, service_tier)
    table = load_published(name)
    if at is not None or service_tier != "standard":
        raise CostctlError(
            "E213",
            f"the published table {name} knows neither other dates nor service tiers",
            "leave out --price-list, or --at and --service-tier",
        )
    return _PublishedPrices(table)


def _shares(names: Sequence[str], mix: Mapping[str, Decimal]) -> dict[str, Decimal]:
    rest = 1 - sum(mix.values(), Decimal(0))
    first = names[0] if names else None
    if rest < 0 or (rest > 0 and (first is None or first in mix)):
        raise CostctlError(
            "E212",
            f"the shares of the mix sum to {(1 - rest) * 100:f} %, not to 100 %",
            "name the model that takes the rest first: costctl estimate gpt-4o --mix o1=10%",
        )
    shares = {first: rest} if first is not None and rest > 0 else {}
    return shares | dict(mix)


def _parts(quote: Quote, volume: Volume) -> list[tuple[str, int, Decimal]]:
    """The priced parts of a volume: name, tokens, USD per million."""
    if quote.input is None or quote.cache_read is None or quote.output is None:
        return []
    parts = [("input", volume.input_tokens - volume.cached_input_tokens, quote.input)]
    if volume.cached_input_tokens:
        parts.append(("cached input", volume.cached_input_tokens, quote.cache_read))
    parts.append(("output", volume.output_tokens, quote.output))
    return parts


def _cost(quote: Quote, volume: Volume) -> Decimal | None:
    parts = _parts(quote, volume)
    if not parts:
        return None
    return sum((tokens * price / MILLION for _, tokens, price in parts), Decimal(0))


def _by_cost(quote: Quote, volume: Volume) -> tuple[bool, Decimal, str]:
    cost = _cost(quote, volume)
    return (cost is None, cost or Decimal(0), quote.model)


def _estimate_table(quotes: Sequence[Quote], volume: Volume) -> Table:
    rows: list[tuple[Value, ...]] = []
    for quote in quotes:
        costs = {name: tokens * price / MILLION for name, tokens, price in _parts(quote, volume)}
        one = volume.request_count and volume.part(WHOLE / volume.request_count)
        rows.append(
            (
                quote.model, quote.price_key, quote.status, volume.input_tokens,
                volume.cached_input_tokens, volume.output_tokens, costs.get("input"),
                costs.get("cached input"), costs.get("output"), _cost(quote, volume),
                _cost(quote, one) if one else None, quote.note,
            )
        )  # fmt: skip
    return Table.of("estimate", ESTIMATE_COLUMNS, rows)


def _arithmetic_table(quotes: Sequence[Quote], volume: Volume) -> Table:
    rows: list[tuple[Value, ...]] = []
    for quote in quotes:
        parts = _parts(quote, volume)
        costs = [tokens * price / MILLION for _, tokens, price in parts]
        for (name, tokens, price), cost in zip(parts, costs, strict=True):
            text = f"{tokens:,} x {plain_usd(price)} / 1M = {plain_usd(cost)}"
            rows.append((quote.model, name, tokens, price, cost, text))
        if parts:
            total = sum(costs, Decimal(0))
            text = f"{' + '.join(map(plain_usd, costs))} = {plain_usd(total)}"
            rows.append((quote.model, "total", None, None, total, text))
    return Table.of("arithmetic", ARITHMETIC_COLUMNS, rows)


def _mix_table(shares: Mapping[str, Decimal], quotes: Mapping[str, Quote], volume: Volume) -> Table:
    """Shares in whole requests or tokens; the first model takes what rounding leaves."""
    first, *others = shares
    parts = {name: volume.part(shares[name]) for name in others}
    rest = volume
    for part in parts.values():
        rest = rest.minus(part)
    volumes = {first: rest, **parts}
    return Table.of(
        "mix",
        MIX_COLUMNS,
        (
            (
                name, shares[name], part.request_count, part.input_tokens, part.output_tokens,
                _cost(quotes[name], part),
            )
            for name, part in volumes.items()
        ),
    )  # fmt: skip


def _mix_totals(table: Table, first: Quote | None, volume: Volume) -> dict[str, Value]:
    costs = [row["list_cost_usd"] for row in table.dicts()]
    known = [cost for cost in costs if isinstance(cost, Decimal)]
    total = sum(known, Decimal(0)) if len(known) == len(costs) else None
    alone = _cost(first, volume) if first else None
    if total is None or alone is None:
        return {"list_cost_usd": total}
    saving = alone - total
    return {
        "list_cost_usd": total,
        "first_model_cost_usd": alone,
        "saving_usd": saving,
        **({"saving_ratio": saving / alone} if alone else {}),
    }


def _totals(quotes: Sequence[Quote], volume: Volume) -> dict[str, Value]:
    costs = [cost for quote in quotes if (cost := _cost(quote, volume)) is not None]
    totals: dict[str, Value] = {
        "input_tokens": volume.input_tokens,
        "cached_input_tokens": volume.cached_input_tokens,
        "output_tokens": volume.output_tokens,
        "model_count": len(quotes),
        "priced_count": len(costs),
        "unpriced_count": len(quotes) - len(costs),
    }
    if volume.request_count is not None:
        totals["request_count"] = volume.request_count
    if len(quotes) == 1 and costs:
        totals["list_cost_usd"] = costs[0]
    elif costs:
        totals["cheapest_cost_usd"] = min(costs)
        totals["dearest_cost_usd"] = max(costs)
    return totals


def _rounded(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))
