"""What N input and M output tokens cost: exact, with its arithmetic, on any price list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from costctl.errors import CostctlError
from costctl.prices.book import PriceBook
from costctl.prices.lint import own_doubts
from costctl.prices.models import begins_unknown
from costctl.prices.quantities import plain_usd
from costctl.prices.quote import Quote, price_list
from costctl.report import Report, Table, Value, Warning, counted

MILLION = Decimal(1_000_000)
ARITHMETIC_MAX = 3
ESTIMATE_COLUMNS = (
    "model", "price_key", "price_status", "input_tokens", "cached_input_tokens", "output_tokens",
    "input_cost_usd", "cache_read_cost_usd", "output_cost_usd", "list_cost_usd",
    "request_cost_usd", "price_note",
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

    `request_count` is None where the question names totals and no requests; else all requests
    are alike, see `of_requests`.

    Raises:
        CostctlError: E214 where more input is cached than there is.
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

    @classmethod
    def of_requests(cls, count: int, *, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> Volume:
        """So many requests of the same size each.

        Raises:
            CostctlError: E210 where there is no request.
        """
        if count < 1:
            raise CostctlError("E210", "an estimate by requests needs at least one request")
        return cls(count * input_tokens, count * output_tokens, count * cached_input_tokens, count)

    @property
    def request_input_tokens(self) -> int:
        """Input of one request, which decides a long-context price; 0 where it is unknown."""
        return self.input_tokens // self.request_count if self.request_count else 0

    @property
    def one_request(self) -> Volume | None:
        """One of the requests, where they are known."""
        return self._requests(1) if self.request_count else None

    def part(self, share: Decimal) -> Volume:
        """A share of this volume: whole requests where they are known, else whole tokens."""
        if self.request_count:
            return self._requests(_rounded(self.request_count * share))
        return Volume(
            _rounded(self.input_tokens * share),
            _rounded(self.output_tokens * share),
            _rounded(self.cached_input_tokens * share),
        )

    def minus(self, other: Volume) -> Volume:
        """What is left of this volume without the other, which is a part of it."""
        known = self.request_count is not None and other.request_count is not None
        return Volume(
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
            self.cached_input_tokens - other.cached_input_tokens,
            (self.request_count or 0) - (other.request_count or 0) if known else None,
        )

    def _requests(self, count: int) -> Volume:
        every = self.request_count or 1
        return Volume(
            self.input_tokens // every * count,
            self.output_tokens // every * count,
            self.cached_input_tokens // every * count,
            count,
        )


def estimate(
    models: Sequence[str],
    *,
    volume: Volume,
    mix: Mapping[str, Decimal] | None = None,
    list_name: str = "list",
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
    prices = price_list(list_name, at, service_tier, book)
    names = list(dict.fromkeys(models)) or list(prices.known_models() if not mix else ())
    shares = _shares(names, mix) if mix else {}
    compared = list(dict.fromkeys([*names, *shares]))
    quotes = {name: prices.quote(name, volume.request_input_tokens) for name in compared}
    ordered = list(quotes.values())
    if not models and not mix:
        ordered.sort(key=lambda quote: _by_cost(quote, volume))
    tables = {
        "estimate": _estimate_table(ordered, volume),
        # Of every model of a long list nobody wants to read the sums.
        "arithmetic": _arithmetic_table(ordered[:ARITHMETIC_MAX] if not models else ordered, volume),
    }
    totals = _totals(ordered, volume)
    not_computed: dict[str, str] = {}
    if shares:
        tables["mix"] = _mix_table(shares, quotes, volume)
        totals |= _mix_totals(tables["mix"], quotes[names[0]] if names else None, volume)
        if totals["list_cost_usd"] is None:
            del totals["list_cost_usd"]
            not_computed["list_cost_usd"] = "a model of the mix has no price"
    warnings = [warning for quote in ordered for warning in quote.warnings]
    if not models and len(ordered) > ARITHMETIC_MAX:
        text = f"the arithmetic of the {ARITHMETIC_MAX} cheapest of {counted(len(ordered), 'model')} is shown"
        warnings.append(Warning("W305", text, "that of any model: name it, costctl estimate MODEL..."))
    if volume.cached_input_tokens and list_name != "list":
        warnings.append(Warning("W214", f"{list_name} has no prices for cached input: charged as other input"))
    warnings += begins_unknown([str(quote.price_key) for quote in ordered if quote.is_begin_unknown], at)
    warnings += own_doubts(book) if book else []
    if unpriced := [quote for quote in ordered if quote.status == "unpriced"]:
        tables["unpriced"] = Table.of(
            "unpriced",
            ("model", "reason", "near"),
            ((quote.model, quote.note, ", ".join(quote.near)) for quote in unpriced),
        )
        warnings += [_no_price(quote) for quote in unpriced]
    if len(unpriced) == len(ordered):
        not_computed["list_cost_usd"] = "no model of the question has a price"
    return Report(
        command="estimate",
        totals=totals,
        tables=tables,
        warnings=tuple(dict.fromkeys(warnings)),
        provenance={
            **prices.provenance(),
            "status": dict.fromkeys((name for name in totals if name.endswith("_usd")), "exact"),
            "not_computed": not_computed,
        },
    )


def _no_price(quote: Quote) -> Warning:
    near = f"near: {', '.join(quote.near)}; " if quote.near else ""
    return Warning(
        "W201",
        f"{quote.model}: {quote.note}",
        f"{near}look with: costctl prices show {quote.model}",
    )


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
        one = volume.one_request
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
            counted_tokens = counted(tokens, f"{name} token")
            text = f"{counted_tokens} x {plain_usd(price)} per million = {plain_usd(cost)}"
            rows.append((quote.model, name, tokens, price, cost, text))
        if parts:
            total = sum(costs, Decimal(0))
            sums = " + ".join(f"{name} {plain_usd(cost)}" for (name, _, _), cost in zip(parts, costs, strict=True))
            text = f"{sums} = {plain_usd(total)}"
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
