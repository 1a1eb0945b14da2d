"""Why an invoice and a log differ: causes that the figures themselves bear out, and the rest that none explains.

For each model the readings of the log are tried in turn (failed calls billed or not, those with an answer too, cached
tokens at their own price or at that of input, own rates or list, a share of the price), for each shift of the day. A
reading counts only by the days that it makes agree, to the token or within the rounding of the amounts; it is claimed
where it makes more days agree than the log as it is. Amounts of causes are differences of sums, so they add up exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate

from costctl.audit.ledger import ZERO, Invoice, InvoiceSums, LogSlice, LogSums
from costctl.audit.readings import Reading, agrees_by_tokens, best_reading, counts_of, tokens_of, usd_of, value_of
from costctl.money import USD_QUANTUM

# Minutes by which the days of an invoice begin before those of UTC: whole hours, and the zones between them.
WHOLE_OFFSETS = tuple(range(-12 * 60, 15 * 60, 60))
OFFSETS = (*WHOLE_OFFSETS, -570, -210, 210, 270, 330, 390, 570, 630)
SHIFTED_MIN = 2  # days and models that a shift makes agree
_BOUNDS = sorted({-offset % 1440 for offset in OFFSETS} | {1440})  # minutes of a UTC day at which another one may begin
# In the order in which the log's sum becomes the invoice's.
CAUSES = (
    "undated", "other_providers", "time_zone", "outside_period", "own_rates", "failed_calls", "failed_unbilled",
    "service_tier", "cached_tokens", "prices", "unpriced", "log_lacks_calls", "invoice_lacks_calls", "other_items",
    "credits", "rounding", "unexplained",
)  # fmt: skip
Model = str | None
Day = date | None


@dataclass
class Cell:
    """One day and model on both sides, and what explains the difference between them."""

    day: Day
    model: Model
    log: LogSums  # by UTC days
    shifted: LogSums  # by the days of the invoice
    invoice: InvoiceSums
    invoice_usd: Decimal
    parts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    beside_rows: int = 0  # of the invoice, which are no call's

    @property
    def difference_usd(self) -> Decimal:
        """The invoice less the log."""
        return self.invoice_usd - self.log.usd.own


@dataclass(frozen=True)
class Explained:
    """The cells with their parts, the readings by model, and the shifts of the day's boundary that fit equally well."""

    cells: Sequence[Cell]
    readings: Mapping[Model, Reading]
    offset_minutes: int
    equal_offsets: Sequence[int]
    undated_usd: Decimal
    others_usd: Decimal
    matched_count: int  # agree, and nothing of their difference is unexplained
    compared_count: int
    alike_count: int  # agree as read, whatever their price


def explain(slices: Sequence[LogSlice], invoice: Invoice, *, has_own_rates: bool) -> Explained:
    """Explain the difference between the log and an invoice, by day and model."""
    undated = sum((piece.sums.usd.own for piece in slices if piece.begin is None), ZERO)
    dated = [piece for piece in slices if piece.begin is not None]
    # A call whose provider is unknown may well be one of the invoice's.
    billers = {*invoice.providers, None} if invoice.providers else {piece.provider for piece in dated}
    others = [piece for piece in dated if piece.provider not in billers]
    ours = [piece for piece in dated if piece.provider in billers]
    if all(model is None for _, model in invoice.cells):
        ours = [piece._replace(model=None) for piece in ours]
    by_day = _by_day(ours)
    tried = {offset: _Shifted(by_day, invoice, offset, has_own_rates=has_own_rates) for offset in OFFSETS}
    offset, equal = _best_offset(tried)
    plain, best = tried[0], tried[offset]
    cells = [_cell(key, plain, best, invoice) for key in _keys(plain.log, best.log, invoice.cells)]
    for cell in cells:
        _take_apart(cell, best.readings.get(cell.model, Reading()), best.is_inside(cell.day))
        assert sum(cell.parts.values(), ZERO) == cell.difference_usd, "the parts are not the difference"
    cells = _with_beside(cells, invoice)
    left = {(cell.day, cell.model) for cell in cells if cell.parts["unexplained"]}
    return Explained(
        cells, best.readings, offset, equal, undated, sum((piece.sums.usd.own for piece in others), ZERO),
        len(best.matched - left), best.compared_count, len(best.matched),
    )  # fmt: skip


def _with_beside(cells: Sequence[Cell], invoice: Invoice) -> list[Cell]:
    """The cells with what is no call's: credits of a model stand with its calls, items have cells of their own."""
    found = {(cell.day, cell.model): cell for cell in cells}
    for key, sums in invoice.beside.items():
        cell = found.setdefault(key, Cell(*key, LogSums(), LogSums(), InvoiceSums(), ZERO))
        for one in sums:
            cell.parts["credits" if one.is_credit else "other_items"] += one.usd
            cell.invoice_usd += one.usd
            cell.beside_rows += one.rows
    return [found[key] for key in _keys(found)]


def _by_day(slices: Iterable[LogSlice]) -> dict[tuple[date, Model], list[LogSums]]:
    """By UTC day and model, the sums before each bound of the day."""
    found: dict[tuple[date, Model], list[LogSums]] = {}
    for piece in slices:
        assert piece.begin is not None, "only dated calls have a day"
        own = found.setdefault((piece.begin.date(), piece.model), [LogSums()] * len(_BOUNDS))
        place = bisect_right(_BOUNDS, piece.begin.hour * 60 + piece.begin.minute)
        own[place] = own[place].plus(piece.sums)
    return {key: list(accumulate(own, LogSums.plus)) for key, own in found.items()}


class _Shifted:
    """The log by the invoice's days, which begin `offset` minutes before those of UTC, and how well both agree."""

    def __init__(
        self, by_day: Mapping[tuple[date, Model], Sequence[LogSums]], invoice: Invoice, offset: int, *,
        has_own_rates: bool,
    ) -> None:  # fmt: skip
        self._first, self._last = invoice.first_on, invoice.last_on
        self._is_daily = any(day is not None for day, _ in invoice.cells)
        self.log: dict[tuple[Day, Model], LogSums] = {}
        split = _BOUNDS.index(-offset % 1440)
        for (day, model), before in by_day.items():
            # What a UTC day has from the bound on belongs to another day of the invoice than what is before it.
            early, late = before[split], before[-1].minus(before[split])
            first = day + timedelta(days=-1 if offset < 0 else 0)
            for on_day, sums in ((first, early), (first + timedelta(days=1), late)) if offset else ((day, before[-1]),):
                key = (None if not self._is_daily and self.is_inside(on_day) else on_day, model)
                if sums.requests or sums.failed:
                    self.log[key] = self.log.get(key, LogSums()).plus(sums)
        self.readings: dict[Model, Reading] = {}
        self.matched: set[tuple[Day, Model]] = set()
        self.compared_count = 0
        self.apart_usd = ZERO
        for model in dict.fromkeys(model for _, model in invoice.cells):
            days = self._days(model, invoice)
            pairs = [(self.log.get(key, LogSums()), invoice.cells.get(key, InvoiceSums())) for key in days]
            reading, agree, apart = best_reading(pairs, has_own_rates=has_own_rates)
            self.readings[model] = reading
            self.matched.update(key for key, is_same in zip(days, agree, strict=True) if is_same)
            self.compared_count += len(pairs)
            self.apart_usd += apart

    def is_inside(self, day: Day) -> bool:
        """Whether the invoice is about this day."""
        return day is None or self._first <= day <= self._last

    def _days(self, model: Model, invoice: Invoice) -> list[tuple[Day, Model]]:
        both = dict.fromkeys((*invoice.cells, *self.log))
        return [(day, name) for day, name in both if name == model and self.is_inside(day)]


def _best_offset(tried: Mapping[int, _Shifted]) -> tuple[int, list[int]]:
    """The shift with which most days agree; none where it makes no difference, or at best a small one.

    Of so many shifts one makes a day agree by chance. A call that belongs to another day changes two: the day that
    loses it and the one that gains it, so a shift that is real makes two more agree, where both are in the period.
    """
    most = max(len(one.matched) for one in tried.values())
    if len(tried[0].matched) == most and (most or not _halves(tried)):
        return 0, []
    if tried[0].compared_count < SHIFTED_MIN or 0 < most < len(tried[0].matched) + SHIFTED_MIN:
        return 0, []
    best = [offset for offset, one in tried.items() if len(one.matched) == most]
    least = min(tried[offset].apart_usd for offset in best)
    equal = [offset for offset in best if tried[offset].apart_usd == least]
    # A zone between whole hours is claimed only where none of whole hours does as well.
    equal = [offset for offset in equal if offset in WHOLE_OFFSETS] or equal
    equal.sort(key=lambda one: (abs(one), one))
    return equal[0], sorted(equal)


def _halves(tried: Mapping[int, _Shifted]) -> bool:
    return min(one.apart_usd for one in tried.values()) * 2 < tried[0].apart_usd


def _keys(*sides: Collection[tuple[Day, Model]]) -> list[tuple[Day, Model]]:
    found = {key for side in sides for key in side}
    return sorted(found, key=lambda key: (key[0] or date.min, key[1] or ""))


def _cell(key: tuple[Day, Model], plain: _Shifted, best: _Shifted, invoice: Invoice) -> Cell:
    said = invoice.cells.get(key, InvoiceSums())
    value = said.billed_usd if said.billed_usd is not None else said.usd.own if said.usd else ZERO
    return Cell(*key, plain.log.get(key, LogSums()), best.log.get(key, LogSums()), said, value)


def _take_apart(cell: Cell, reading: Reading, is_inside: bool) -> None:
    """Write the parts of the cell, each the difference between two sums, the last one what is left."""
    parts, log, said = cell.parts, cell.shifted, cell.invoice
    parts["time_zone"] = log.usd.own - cell.log.usd.own
    if not is_inside:
        parts["outside_period"] = -log.usd.own
        return
    if said.billed_usd is None and said.usd is not None:  # its counts at our own prices: no price was read off it
        reading = reading._replace(is_list=False, is_full=False, ratio=Decimal(1))
    steps = (
        ("own_rates", Reading(reading.is_list)),
        ("failed_calls", Reading(reading.is_list, False, reading.is_failed_billed)),
        ("failed_unbilled", reading._replace(is_full=False, ratio=Decimal(1))),
    )
    value = log.usd.own
    for name, step in steps:
        parts[name], value = value_of(log, step) - value, value_of(log, step)
    if said.tokens is not None:
        _by_tokens(cell, reading, value)
    else:
        _by_money(cell, reading, value)


def _by_money(cell: Cell, reading: Reading, value: Decimal) -> None:
    parts, log, said = cell.parts, cell.shifted, cell.invoice
    if reading.is_full:
        parts["cached_tokens"] = value_of(log, reading) - value
        value += parts["cached_tokens"]
    parts["prices"] = (value * (reading.ratio - 1)).quantize(USD_QUANTUM)
    rest = cell.invoice_usd - value - parts["prices"]
    parts[_rest_cause(log, said, rest)] += rest


def _by_tokens(cell: Cell, reading: Reading, value: Decimal) -> None:
    parts, log, said = cell.parts, cell.shifted, cell.invoice
    if said.usd is None:
        parts[_rest_cause(log, said, cell.invoice_usd - value)] += cell.invoice_usd - value
        return
    billed = said.usd.at(is_list=reading.is_list, is_full=reading.is_full)
    if said.billed_usd is not None:
        charged = (billed * reading.ratio).quantize(USD_QUANTUM)
        rest = said.billed_usd - charged
        is_rounding = abs(rest) <= said.rounding_usd
        parts["rounding" if is_rounding else "prices"] += rest
        parts["prices"] += charged - billed
    tokens, usual = said.tokens, said.usd.at(is_list=reading.is_list, is_full=False)
    assert tokens is not None, "the caller looked"
    given, output = counts_of(log, reading)
    all_tokens = tokens_of(log, reading)
    full = value_of(log, reading._replace(is_full=True))
    parts["service_tier"] = tier = _tier(log, said, reading)
    if (tokens.input, tokens.output) == (given, output):
        # The same tokens: what caching saved on each side, as each side tells it.
        saved, invoice_saved = full - value, said.usd.at(is_list=reading.is_list, is_full=True) - usual
        cached = saved - invoice_saved if tokens.read != all_tokens.read else ZERO
        parts["cached_tokens"] += cached + (billed - usual)
        parts["unexplained"] += usual - value - cached - tier
        return
    if not tokens.read and all_tokens.read:
        parts["cached_tokens"] += full - value
        value = full
    parts["cached_tokens"] += billed - usual
    more = tokens.input >= given and tokens.output >= output
    less = tokens.input <= given and tokens.output <= output
    cause = (
        "unpriced" if log.unpriced else "log_lacks_calls" if more else "invoice_lacks_calls" if less else "unexplained"
    )
    parts[cause] += usual - value - tier


def _tier(log: LogSums, said: InvoiceSums, reading: Reading) -> Decimal:
    """What the log's calls cost more or less at the service tiers of the invoice."""
    assert said.usd is not None, "the caller looked"
    own, usd = usd_of(log, reading), said.usd
    value, usual = own.at(is_list=reading.is_list, is_full=False), usd.at(is_list=reading.is_list, is_full=False)
    standard, billed = own.at_standard(is_list=reading.is_list), usd.at_standard(is_list=reading.is_list)
    if agrees_by_tokens(log, said, reading):
        return (usual - billed) - (value - standard)
    # Calls that one side lacks may be those of another tier: only one that all rows have is known of the log's calls.
    if len(said.tiers) != 1 or not billed:
        return ZERO
    return (standard * usual / billed).quantize(USD_QUANTUM) - value


def _rest_cause(log: LogSums, said: InvoiceSums, rest: Decimal) -> str:
    """What the rest of a sum of money is, where no counts say it."""
    if abs(rest) <= said.rounding_usd:
        return "rounding"
    if log.unpriced and rest > 0:
        return "unpriced"
    if not said.rows:
        return "invoice_lacks_calls"
    if not log.requests and not log.failed:
        return "log_lacks_calls"
    if said.requests is not None and said.requests > log.requests + log.failed and rest > 0:
        return "log_lacks_calls"
    if said.requests is not None and said.requests < log.requests and rest < 0:
        return "invoice_lacks_calls"
    return "unexplained"
