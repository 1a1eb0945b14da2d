"""Whatever both sides hold, the parts are the difference, and a side that agrees is left alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.audit.explain import explain
from costctl.audit.ledger import Invoice, InvoiceSums, LogSlice, LogSums, Tokens, Usd
from costctl.audit.readings import Reading

FIRST = date(2026, 6, 8)
amounts = st.integers(0, 10**13).map(lambda n: Decimal(n).scaleb(-12))
counts = st.integers(0, 10**6)
models = st.sampled_from(["a", "b", None])
usd = st.builds(Usd, amounts, amounts, amounts, amounts, amounts, amounts)
tokens = st.builds(Tokens, counts, counts, counts)
log_sums = st.builds(
    LogSums, st.integers(1, 9), st.integers(0, 1), tokens, usd, st.integers(0, 2), tokens, usd,
    st.just(0), st.just(Tokens(0, 0, 0)), st.just(Usd()),
)  # fmt: skip
slices = st.builds(
    LogSlice,
    st.none() | st.integers(-60, 300).map(lambda n: datetime(2026, 6, 8) + timedelta(minutes=30 * n)),
    models, st.sampled_from(["openai", "azure", None]), log_sums,
)  # fmt: skip
invoiced = st.builds(
    InvoiceSums, st.integers(1, 5), st.none() | st.integers(0, 20), st.none() | tokens, st.none() | amounts,
    st.none() | usd, st.sampled_from([Decimal(0), Decimal("0.005")]), st.integers(0, 2),
).map(lambda one: one if one.tokens else one._replace(usd=None))  # fmt: skip
days = st.integers(0, 5).map(lambda n: FIRST + timedelta(days=n))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(slices, max_size=25),
    st.dictionaries(st.tuples(days, models), invoiced, max_size=12),
    st.booleans(), st.booleans(), st.sampled_from([frozenset(), frozenset({"openai"})]),
)  # fmt: skip
def test_the_parts_are_the_difference(
    log: list[LogSlice], cells: dict[Any, InvoiceSums], is_whole: bool, has_own: bool, providers: frozenset[str]
) -> None:
    if is_whole:
        cells = {(None, model): one for (_, model), one in cells.items()}
    last = max((day for day, _ in cells if day), default=FIRST)
    found = explain(log, Invoice(cells, FIRST, last, providers), has_own_rates=has_own)
    whole = sum((sum(cell.parts.values(), Decimal(0)) for cell in found.cells), Decimal(0))
    whole -= found.undated_usd + found.others_usd
    invoice_usd = sum((cell.invoice_usd for cell in found.cells), Decimal(0))
    assert whole == invoice_usd - sum((piece.sums.usd.own for piece in log), Decimal(0))
    assert sum(cell.invoice.rows for cell in found.cells) == sum(one.rows for one in cells.values())


@settings(max_examples=50, deadline=None)
@given(st.lists(slices.filter(lambda piece: piece.begin is not None), min_size=1, max_size=25))
def test_an_invoice_that_is_the_log_needs_no_reading(log: list[LogSlice]) -> None:
    cells: dict[Any, InvoiceSums] = {}
    for piece in log:
        assert piece.begin is not None
        key = (piece.begin.date(), piece.model)
        before = cells.get(key, InvoiceSums(billed_usd=Decimal(0)))
        cells[key] = before._replace(rows=1, billed_usd=(before.billed_usd or Decimal(0)) + piece.sums.usd.own)
    span = [day for day, _ in cells]
    found = explain(log, Invoice(cells, min(span), max(span), frozenset()), has_own_rates=False)
    assert (found.offset_minutes, set(found.readings.values())) == (0, {Reading()})
    assert not any(value for cell in found.cells for value in cell.parts.values())


def test_counts_without_an_amount_are_read_at_our_own_price() -> None:
    """The next day was charged without the discount of cached tokens; a day of which no amount is told was not."""
    nothing = Tokens(0, 0, 0)
    price = Usd(Decimal(0), Decimal("0.000000000001"), Decimal(0), Decimal(0))
    counted = InvoiceSums(1, None, nothing, None, price, Decimal(0), 0)
    charged = counted._replace(billed_usd=price.own_full)
    cells: dict[Any, InvoiceSums] = {(FIRST, "b"): counted, (FIRST + timedelta(days=1), "b"): charged}
    found = explain([], Invoice(cells, FIRST, FIRST + timedelta(days=1), frozenset()), has_own_rates=False)
    assert [sum(cell.parts.values(), Decimal(0)) for cell in found.cells] == [0, price.own_full]


def priced(own: str, *, calls: int = 10, unpriced: int = 0) -> LogSums:
    """A day's calls at this cost, whatever its tier or cached tokens."""
    cost = Decimal(own)
    return LogSums(calls, unpriced, Tokens(calls, 0, calls), Usd(cost, cost, cost, cost, cost, cost))


def charged_days(log: list[LogSums], billed: list[str]) -> Reading:
    """The reading of one model over days that are billed so, to the cent."""
    days = [FIRST + timedelta(days=n) for n in range(len(log))]
    slices = [
        LogSlice(datetime(day.year, day.month, day.day, 12), "m", "openai", sums)
        for day, sums in zip(days, log, strict=True)
    ]
    cells: dict[Any, InvoiceSums] = {
        (day, "m"): InvoiceSums(1, None, None, Decimal(amount), None, Decimal("0.005"), 0)
        for day, amount in zip(days, billed, strict=True)
    }
    found = explain(slices, Invoice(cells, days[0], days[-1], frozenset({"openai"})), has_own_rates=False)
    return found.readings["m"]


def test_a_share_of_the_price_needs_more_days_than_the_one_that_it_is_taken_from() -> None:
    """One call of seven lost here and there: some day always agrees with its own ratio. A discount agrees on all."""
    lost = [priced("5.00"), priced("6.00"), priced("4.00")]
    assert charged_days(lost, ["6.00", "6.60", "4.20"]).ratio == 1
    assert charged_days(lost, ["4.00", "4.80", "3.20"]).ratio == Decimal("0.8")


def test_a_share_of_the_price_holds_on_most_days() -> None:
    """Two of three days with one call in six lost have the same share, which proves nothing; all or most days do."""
    days = [priced("5.00"), priced("5.00"), priced("5.00")]
    assert charged_days(days, ["6.00", "6.00", "5.80"]).ratio == 1
    assert charged_days(days[:2], ["6.00", "6.00"]).ratio == Decimal("1.2")
    four = [*days, priced("5.00")]
    assert charged_days(four, ["6.00", "6.00", "6.00", "5.80"]).ratio == Decimal("1.2")
    assert charged_days([*four, *days[:2]], ["6.00", "6.00", "6.00", "5.80", "5.70", "5.60"]).ratio == 1


def test_calls_of_unknown_cost_make_no_dearer_price() -> None:
    """Two of twelve calls a day have no counts: what they cost is unknown, and no price rose by a fifth."""
    days = [priced("5.00", unpriced=2), priced("6.00", unpriced=2), priced("4.00", unpriced=2)]
    assert charged_days(days, ["6.00", "7.20", "4.80"]).ratio == 1
    assert charged_days(days, ["4.00", "4.80", "3.20"]).ratio == Decimal("0.8")
