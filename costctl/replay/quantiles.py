"""Exact quantiles of latency, with intervals that assume no distribution.

The interval of a quantile is a pair of order statistics: how many of n independent values lie below
the true quantile is binomial, whatever the values are (David and Nagaraja, Order Statistics, 2003,
7.1). For small n no observed value is surely above the quantile, and then there is no upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import ceil, floor, log, sqrt

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
PERCENTS = (50, 95, 99)
ERROR = 0.05  # both sides together
# Beyond so many standard deviations and so many steps from its mean a binomial holds less than 1e-20.
WINDOW_DEVIATIONS = 10
WINDOW_STEPS = 60


@dataclass(frozen=True)
class Quantile:
    """A quantile of `count` latencies in milliseconds, to a tenth; None where `count` is too small to say."""

    percent: int
    count: int
    value_ms: Decimal | None  # None only without any latency
    lower_ms: Decimal | None
    upper_ms: Decimal | None

    @property
    def is_bounded(self) -> bool:
        """Whether `count` allows an upper bound: from 59 latencies for p95, from 299 for p99."""
        return self.upper_ms is not None

    @property
    def told_ms(self) -> Decimal | None:
        """The value where it may be told: of fewer latencies than an upper bound needs it says too little."""
        return self.value_ms if self.is_bounded else None

    @property
    def too_few(self) -> str:
        """Why there is nothing to tell.

        >>> latency_quantiles(np.array([1_000]), [95])[0].too_few
        'not identifiable: p95 needs 59 latencies, there is 1'
        """
        are = "is" if self.count == 1 else "are"
        return f"not identifiable: p{self.percent} needs {count_min(self.percent)} latencies, there {are} {self.count}"


def latency_quantiles(latency_us: Int, percents: Sequence[int] = PERCENTS) -> tuple[Quantile, ...]:
    """Quantiles of whole microseconds, in any order and all known, each with its 95 % interval.

    Between two order statistics the quantile is interpolated (Hyndman and Fan's type 7, numpy's
    default), here in integers, so that it is exact; halves of a tenth of a millisecond round up.

    >>> latency_quantiles(np.array([1_000, 2_000, 4_000]), [50])[0].value_ms
    Decimal('2.0')
    """
    count = len(latency_us)
    if not count:
        return tuple(Quantile(percent, 0, None, None, None) for percent in percents)
    ranks = [interval_ranks(count, percent) for percent in percents]
    below = [(count - 1) * percent // 100 for percent in percents]
    wanted = {place for at in below for place in (at, min(at + 1, count - 1))}
    wanted |= {rank - 1 for pair in ranks for rank in pair if rank is not None}
    values = np.partition(latency_us, sorted(wanted))
    assert values.min() >= 0, "unknown latencies are not latencies"
    known = {place: int(values[place]) for place in wanted}
    found = []
    for percent, at, (lower, upper) in zip(percents, below, ranks, strict=True):
        step = known[min(at + 1, count - 1)] - known[at]
        hundredths_us = known[at] * 100 + step * ((count - 1) * percent % 100)
        bounds = [None if rank is None else _ms(known[rank - 1] * 100) for rank in (lower, upper)]
        found.append(Quantile(percent, count, _ms(hundredths_us), *bounds))
    return tuple(found)


@lru_cache(maxsize=1024)
def interval_ranks(count: int, percent: int, error: float = ERROR) -> tuple[int | None, int | None]:
    """Ranks (from 1) of the values between which the quantile lies with probability 1 - `error` or more.

    Each side errs by at most half. Where even the largest value errs by more, it is still the upper
    bound as long as it errs by no more than the whole, and the lower side gets what is left; so an
    interval exists from the counts on from which a one-sided bound does. None: no bound on that side.

    >>> interval_ranks(58, 95), interval_ranks(59, 95), interval_ranks(1_000, 50)
    ((51, None), (50, 59), (469, 532))
    """
    assert 0 < percent < 100
    first, chances = _binomial(count, percent)
    # below[i] is the chance that at most first + i values lie below the quantile, above[i] that at least that many do.
    below, above = np.cumsum(chances), np.cumsum(chances[::-1])[::-1]
    largest_errs = (percent / 100) ** count
    only_largest = error / 2 < largest_errs <= error
    lower_error = error - largest_errs if only_largest else error / 2
    lower = int(np.searchsorted(below, lower_error, side="right")) + first
    is_above = np.flatnonzero(above <= error / 2)
    upper = first + int(is_above[0]) if len(is_above) else None
    if only_largest:
        upper = count
    return lower if lower >= 1 else None, upper if upper is not None and upper <= count else None


def count_min(percent: int, error: float = ERROR) -> int:
    """The fewest values with an upper bound: the largest is below the quantile with probability p ** n.

    >>> count_min(95), count_min(99)
    (59, 299)
    """
    return ceil(log(error) / log(percent / 100))


def _binomial(count: int, percent: int) -> tuple[int, NDArray[np.float64]]:
    """Chances of `first`, `first` + 1, ... successes of `count`; what lies outside is below 1e-20.

    The ratio of neighbours is simple, so their logarithms add up from the first on; the sum of all
    being 1 gives the scale without a factorial.
    """
    share = percent / 100
    reach = WINDOW_DEVIATIONS * sqrt(count * share * (1 - share)) + WINDOW_STEPS
    first, last = max(0, floor(count * share - reach)), min(count, ceil(count * share + reach))
    successes = np.arange(first, last, dtype=np.float64)
    ratios = np.log((count - successes) / (successes + 1)) + log(share) - log(1 - share)
    logs = np.concatenate(([0.0], np.cumsum(ratios)))
    chances = np.exp(logs - logs.max())
    return first, chances / chances.sum()


def _ms(hundredths_us: int) -> Decimal:
    """Hundredths of a microsecond as milliseconds with one digit, halves up."""
    return Decimal((hundredths_us + 5_000) // 10_000).scaleb(-1)
