"""How a log may be read so that it agrees with an invoice: what is billed, and at which price.

A reading counts only by the days that it makes agree, to the token or within the rounding of the amounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import reduce
from itertools import product
from statistics import median
from typing import NamedTuple

from costctl.audit.ledger import ZERO, InvoiceSums, LogSums, Tokens, Usd
from costctl.money import USD_QUANTUM

RATIO_DIGITS = Decimal("0.0001")
RATIO_DAYS_MIN = 2
RATIO_DAYS_OF_SOME = 3  # where a share of the price does not agree on all days
Pair = tuple[LogSums, InvoiceSums]


class Reading(NamedTuple):
    """How the log is read for one model so that it agrees with the invoice."""

    is_list: bool = False  # the public list instead of own rates
    is_full: bool = False  # cached tokens at the price of input
    is_failed_billed: bool = False  # also those that the log takes as not billed
    is_failed_free: bool = False  # also those that gave tokens, which the log takes as billed
    ratio: Decimal = Decimal(1)  # of the price

    @property
    def size(self) -> int:
        """How much the reading assumes: of equals the least is taken."""
        return self.is_list + self.is_full + self.is_failed_billed + self.is_failed_free + 2 * (self.ratio != 1)


def value_of(log: LogSums, reading: Reading) -> Decimal:
    """What the log comes to, read so, before any share of the price."""
    return usd_of(log, reading).at(is_list=reading.is_list, is_full=reading.is_full)


def usd_of(log: LogSums, reading: Reading) -> Usd:
    """What is billed, at each of the prices."""
    if reading.is_failed_free:
        return log.usd.minus(log.charged_usd)
    return log.usd.plus(log.failed_usd) if reading.is_failed_billed else log.usd


def tokens_of(log: LogSums, reading: Reading) -> Tokens:
    """The tokens that are billed, by class."""
    if reading.is_failed_free:
        return log.tokens.minus(log.charged_tokens)
    return log.tokens.plus(log.failed_tokens) if reading.is_failed_billed else log.tokens


def request_count(log: LogSums, reading: Reading) -> int:
    """How many calls of the log are billed, read so."""
    if reading.is_failed_free:
        return log.requests - log.charged
    return log.requests + (log.failed if reading.is_failed_billed else 0)


def counts_of(log: LogSums, reading: Reading) -> tuple[int, int]:
    """Input and output tokens that are billed."""
    tokens = tokens_of(log, reading)
    return tokens.input, tokens.output


def best_reading(
    pairs: Sequence[Pair], *, has_own_rates: bool
) -> tuple[Reading, list[bool], Decimal]:  # fmt: skip
    """The reading that makes most days agree, which ones, and by how much the others are apart."""
    with_tokens = all(said.tokens is not None for _, said in pairs if said.rows)
    scored = []
    for reading in _readings(pairs, has_own_rates=has_own_rates, with_tokens=with_tokens):
        agree = [
            agrees_by_tokens(*pair, reading) if with_tokens else _agrees_by_money(*pair, reading) for pair in pairs
        ]
        apart = sum((_apart(*pair, reading) for pair in pairs), ZERO)
        scored.append((-_borne_out(reading, sum(agree), _day_count(pairs)), reading.size, apart, reading, agree))
    *_, apart, reading, agree = min(scored)
    return (_priced_reading(reading, pairs, has_own_rates=has_own_rates) if with_tokens else reading), agree, apart


def _readings(
    pairs: Sequence[Pair], *, has_own_rates: bool, with_tokens: bool
) -> Iterator[Reading]:  # fmt: skip
    total = reduce(LogSums.plus, (log for log, _ in pairs), LogSums())
    failed = [Reading()]
    if total.failed:
        failed.append(Reading(is_failed_billed=True))
    if total.charged:
        failed.append(Reading(is_failed_free=True))
    if with_tokens:
        yield from failed
        return
    full = (False, True) if total.tokens.read else (False,)
    for is_list, is_full, read in product((False, True) if has_own_rates else (False,), full, failed):
        reading = read._replace(is_list=is_list, is_full=is_full)
        yield reading
        ratio = _ratio((said.billed_usd, value_of(log, reading)) for log, said in pairs)
        # Calls whose cost the log does not know make the invoice dearer, and no price.
        is_incomplete = total.unpriced or (total.failed and total.failed_usd == Usd())
        if ratio is not None and not (ratio > 1 and is_incomplete):
            yield reading._replace(ratio=ratio)


def _day_count(pairs: Sequence[Pair]) -> int:
    """Days of which both sides know something."""
    return sum(1 for log, said in pairs if said.rows and (log.requests or log.failed))


def _borne_out(reading: Reading, agree: int, days: int) -> int:
    """How many days speak for a reading: a share of the price is chosen so that one of them agrees.

    As it can be any number, some of the others agree by chance: it holds on all days, or on three and most of them.
    """
    if reading.ratio == 1:
        return agree
    return agree - 1 if agree >= days or (agree >= RATIO_DAYS_OF_SOME and 2 * agree > days) else 0


def _ratio(amounts: Iterable[tuple[Decimal | None, Decimal]]) -> Decimal | None:
    """The share of the price that was charged on most days, where it is the same on some and not all of it."""
    ratios = [(billed / usual).quantize(RATIO_DIGITS) for billed, usual in amounts if billed and usual > 0]
    if len(ratios) < RATIO_DAYS_MIN:
        return None
    usual = median(sorted(ratios)).quantize(RATIO_DIGITS)
    return None if usual == 1 else usual


def agrees_by_tokens(log: LogSums, said: InvoiceSums, reading: Reading) -> bool:
    """Whether the invoice counts just the tokens that are billed, read so."""
    counts = (said.tokens.input, said.tokens.output) if said.tokens else (0, 0)
    return bool(said.rows) and counts == counts_of(log, reading)


def _agrees_by_money(log: LogSums, said: InvoiceSums, reading: Reading) -> bool:
    return said.billed_usd is not None and bool(said.rows) and _apart(log, said, reading) <= said.rounding_usd


def _apart(log: LogSums, said: InvoiceSums, reading: Reading) -> Decimal:
    value = said.billed_usd if said.billed_usd is not None else said.usd.own if said.usd else ZERO
    return abs(value - (value_of(log, reading) * reading.ratio).quantize(USD_QUANTUM))


def _priced_reading(
    reading: Reading, pairs: Sequence[Pair], *, has_own_rates: bool
) -> Reading:  # fmt: skip
    """The reading of counts with the price that was charged for the invoice's own tokens."""
    billed = [(said.billed_usd, said.usd, said.rounding_usd) for _, said in pairs if said.usd and said.billed_usd]
    scored = []
    for is_list, is_full in product((False, True) if has_own_rates else (False,), (False, True)):
        usual = [(amount, usd.at(is_list=is_list, is_full=is_full), bound) for amount, usd, bound in billed]
        for ratio in (Decimal(1), _ratio((amount, price) for amount, price, _ in usual)):
            if ratio is not None:
                found = reading._replace(is_list=is_list, is_full=is_full, ratio=ratio)
                agree = sum(
                    abs(amount - (price * ratio).quantize(USD_QUANTUM)) <= bound for amount, price, bound in usual
                )
                scored.append((-_borne_out(found, agree, len(usual)), found.size, found))
    return min(scored)[2] if scored else reading
