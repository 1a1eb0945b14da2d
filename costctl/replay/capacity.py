"""The arithmetic of an engine of one's own: full load, hours, shares, and its queue.

The queue has `count` x `max_num_seqs` places. A place writes `tokens_per_s` / `max_num_seqs` tokens a
second, whether the others are busy or not, and the first in line takes the first place that is free.
So an engine with all places busy writes `count` x `tokens_per_s`, which is what a benchmark states; one
with few of them busy would write faster than this says. Reading a prompt takes no time of its own: it
is in the throughput as it was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from heapq import heapreplace
from typing import NamedTuple

import numpy as np

from costctl.policy.stages import SelfHosted
from costctl.replay.calls import Int

PUSD_PER_USD = 10**12
HOUR_US = 3_600 * 10**6
NS_PER_S = 10**9
LARGEST = np.iinfo(np.int64).max


class Bill(NamedTuple):
    """What an engine costs for a log: how long it is paid for, and how much that is."""

    billed_us: int
    pusd: int


def full_load_pusd(spec: SelfHosted) -> Fraction:
    """What one output token costs with every place busy, in picodollars."""
    return Fraction(spec.usd_per_hour) * PUSD_PER_USD / (Fraction(spec.tokens_per_s) * 3_600)


def token_pusd(spec: SelfHosted) -> int:
    """The price of one output token before the load is known: that at full load, rounded up to a picodollar."""
    return _ceiling(full_load_pusd(spec))


def service_us(spec: SelfHosted, tokens: Int) -> Int:
    """How long one place writes these tokens: whole nanoseconds a token, whole microseconds in all, halves up."""
    each = Fraction(spec.max_num_seqs * NS_PER_S) / Fraction(spec.tokens_per_s)
    token_ns = _halves_up(each)
    assert int(tokens.max(initial=0)) * token_ns < LARGEST, f"{spec.name} would be busy for centuries"
    return (tokens * token_ns + 500) // 1000


def bill(spec: SelfHosted, span_us: int, tokens: int) -> Bill:
    """All accelerators for the span of a log, or for as long as the work takes at full load, if that is longer."""
    work_us = _ceiling(Fraction(tokens) * 10**6 / (Fraction(spec.tokens_per_s) * spec.count))
    billed_us = max(span_us, work_us)
    exact = Fraction(spec.usd_per_hour) * PUSD_PER_USD * spec.count * billed_us / HOUR_US
    return Bill(billed_us, _halves_up(exact))


def shared_out(total: int, weights: Int) -> Int:
    """Whole parts of the total in proportion to the weights, which sum to it exactly.

    What rounding down leaves over goes, one each, to the largest remainders, the first of equals. Weights
    that are all 0 count as equal.

    >>> shared_out(10, np.array([1, 1, 1])).tolist(), shared_out(7, np.array([0, 3, 1])).tolist()
    ([4, 3, 3], [0, 5, 2])
    """
    if not len(weights):
        return weights.copy()
    if not weights.any():
        weights = np.ones_like(weights)
    whole = int(weights.sum())
    each, rest = divmod(total, whole)
    most = int(weights.max())
    assert each * most + most <= LARGEST, "a share does not fit in 64 bits"
    if rest * most <= LARGEST:
        parts, left = np.divmod(weights * rest, whole)
    else:  # more than 64 bits
        divided = [divmod(one * rest, whole) for one in weights.tolist()]
        parts, left = (np.array(column, dtype=np.int64) for column in zip(*divided, strict=True))
    shares: Int = weights * each + parts
    over = total - each * whole - int(parts.sum())
    shares[np.argsort(-left, kind="stable")[:over]] += 1
    return shares


def waits(arrival_us: Int, service_us: Int, places: int) -> Int:
    """How long each of a queue's calls waits for one of the places; arrivals are in order."""
    assert (np.diff(arrival_us) >= 0).all(), "first come, first served needs them in order"
    if _is_never_full(arrival_us, service_us, places):
        return np.zeros(len(arrival_us), dtype=np.int64)
    return np.array(list(_waits(arrival_us.tolist(), service_us.tolist(), places)), dtype=np.int64)


def _is_never_full(arrival_us: Int, service_us: Int, places: int) -> bool:
    """Whether every call would find a free place if none had waited; then indeed none has."""
    holds = service_us > 0  # what takes no time holds no place
    ends = np.sort((arrival_us + service_us)[holds])
    begun: Int = np.cumsum(holds) - holds
    return bool((begun - np.searchsorted(ends, arrival_us, side="right") < places).all())


def _waits(arrival_us: list[int], service_us: list[int], places: int) -> Iterator[int]:
    free_at_us = arrival_us[:1] * places
    for arrival, service in zip(arrival_us, service_us, strict=True):
        start = max(free_at_us[0], arrival)
        heapreplace(free_at_us, start + service)
        yield start - arrival


def _ceiling(exact: Fraction) -> int:
    return -(-exact.numerator // exact.denominator)


def _halves_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
