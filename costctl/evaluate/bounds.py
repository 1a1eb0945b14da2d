"""Upper bounds from samples, and the largest cheap share whose loss stays below one of them."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Real: TypeAlias = NDArray[np.float64]
SHARES = 100  # cheap shares that are tried: 1 %, 2 %, ...
STEPS = 60  # halvings of an interval of length 1: beyond the digits of a float


def binomial_cdf(hits: int, count: int, ratio: float) -> float:
    """The chance of at most `hits` of `count` where each has the chance `ratio`."""
    if hits >= count or ratio <= 0:
        return 1.0
    if hits < 0 or ratio >= 1:
        return 0.0
    up, down = log(ratio), log(1 - ratio)
    whole = lgamma(count + 1)
    terms = [whole - lgamma(k + 1) - lgamma(count - k + 1) + k * up + (count - k) * down for k in range(hits + 1)]
    most = max(terms)
    return min(exp(most) * sum(exp(term - most) for term in terms), 1.0) if most > -700 else 0.0


def upper_bound(total: float, count: int, error_ratio: float) -> float:
    """What the mean is at most, but for the chance `error_ratio`, where `count` values from 0 to 1 sum to `total`.

    Clopper and Pearson (1934) for whole hits. For values in between Hoeffding's (1963) inequality in its
    exponential form, which holds for every distribution on [0, 1].

    >>> round(upper_bound(0, 300, 0.05), 4)  # 1 - 0.05 ** (1 / 300)
    0.0099
    """
    if count < 1:
        return 1.0
    mean = total / count
    if total == int(total):
        return _bisect(lambda ratio: binomial_cdf(int(total), count, ratio) <= error_ratio, mean)
    limit = log(1 / error_ratio) / count
    return _bisect(lambda ratio: _divergence(mean, ratio) >= limit, mean)


def lower_bound(total: float, count: int, error_ratio: float) -> float:
    """What the mean is at least, but for the chance `error_ratio`."""
    return 1.0 - upper_bound(count - total, count, error_ratio)


def _divergence(mean: float, ratio: float) -> float:
    """Of a coin with chance `mean` from one with chance `ratio`, in nats."""
    first = mean * log(mean / ratio) if mean > 0 else 0.0
    return first + ((1 - mean) * log((1 - mean) / (1 - ratio)) if mean < 1 else 0.0)


def _bisect(is_beyond: Callable[[float], bool], low: float) -> float:
    """The smallest ratio from `low` to 1 that is beyond."""
    high = 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if middle <= low or middle >= high:
            break
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return high


class Promise(NamedTuple):
    """Requests with a gain below `gain_below` go cheap; `is_kept` where any share could be promised at all."""

    gain_below: float
    is_kept: bool
    loss_ratio: float  # as seen among the labels
    cheap_ratio: float


def promise(predicted: Real, gain: Real, max_loss_ratio: float, error_ratio: float) -> Promise:
    """The largest cheap share whose loss per request is below `max_loss_ratio`, but for the chance `error_ratio`.

    `predicted` must come from models that have not seen the request. Shares are tried from the smallest on until
    one fails: the loss grows with the share, so the chances of the tests do not add up (fixed sequence; Bates and
    others 2021, "risk-controlling prediction sets"). Half of the chance is kept for what the tests do not see:
    the router that is saved has learned from all labels, the ones that are tested from four fifths of them.
    """
    count = len(predicted)
    ordered = np.sort(predicted)
    found = 0.0
    for step in range(1, SHARES + 1):
        place = count * step // SHARES
        if not place:
            continue
        limit = float(ordered[place]) if place < count else float(np.nextafter(ordered[-1], 2.0))
        total = float(gain[predicted < limit].sum())
        if total >= max_loss_ratio * count or not _holds(total, count, max_loss_ratio, error_ratio / 2):
            break
        found = limit
    is_cheap = predicted < found
    cheap = int(np.count_nonzero(is_cheap))
    if not cheap:
        return Promise(0.0, is_kept=False, loss_ratio=0.0, cheap_ratio=0.0)
    return Promise(found, is_kept=True, loss_ratio=float(gain[is_cheap].sum()) / count, cheap_ratio=cheap / count)


def _holds(total: float, count: int, ratio: float, error_ratio: float) -> bool:
    """Whether `upper_bound` of the sum is at most the ratio, without looking for the bound itself."""
    if total == int(total):
        return binomial_cdf(int(total), count, ratio) <= error_ratio
    return _divergence(total / count, ratio) >= log(1 / error_ratio) / count
