"""Intervals of a share: exact for independent trials, wider where the trials come in clusters."""

from __future__ import annotations

from math import exp, lgamma, log, log1p
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
STEPS = 200  # of a continued fraction; it settles far earlier
HALVINGS = 60


class Share(NamedTuple):
    """A share of trials with its interval; the estimate is None where nothing was tried."""

    estimate: float | None
    low: float
    high: float
    trials: int
    effective_trials: float  # as many independent ones would say as much


def clopper_pearson(successes: float, trials: float, confidence: float) -> tuple[float, float]:
    """The two-sided interval of Clopper and Pearson (1934); counts need not be whole.

    >>> [round(end, 4) for end in clopper_pearson(0, 59, 0.90)]
    [0.0, 0.0495]
    >>> [round(end, 4) for end in clopper_pearson(5, 100, 0.95)]
    [0.0164, 0.1128]
    """
    tail = (1 - confidence) / 2
    return _lower(successes, trials, tail), upper_bound(successes, trials, 1 - tail)


def upper_bound(successes: float, trials: float, confidence: float) -> float:
    """The one-sided upper bound: a share above it would give so few successes with less than 1 - `confidence`.

    >>> round(upper_bound(0, 299, 0.95), 4)
    0.01
    """
    if successes >= trials:
        return 1.0
    return _solve(successes + 1, trials - successes, confidence)


def _lower(successes: float, trials: float, tail: float) -> float:
    return 0.0 if successes <= 0 else _solve(successes, trials - successes + 1, tail)


def _solve(a: float, b: float, level: float) -> float:
    """The quantile of the beta distribution, by halving."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _beta(middle, a, b) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by the continued fraction of Lentz (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    total = d
    for m in range(1, STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d, tiny)
            c = _away(1 + term / c, tiny)
            total *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * total


def _away(value: float, tiny: float) -> float:
    return tiny if abs(value) < tiny else value


def clustered(is_success: NDArray[np.bool_], cluster: Int, confidence: float) -> Share:
    """The share of successes with an interval that knows which trials belong together.

    The trials count as so many independent ones as would give the variance between clusters (Korn and
    Graubard 1998). Where all trials end alike that variance says nothing, and each cluster counts once.

    >>> whole = clustered(np.array([True, False] * 50), np.arange(100), 0.95)
    >>> halves = clustered(np.array([True, False] * 50), np.arange(100) % 2, 0.95)
    >>> whole.effective_trials > 90, halves.effective_trials < 5
    (True, True)
    """
    trials = len(is_success)
    if not trials:
        return Share(None, 0.0, 1.0, 0, 0.0)
    successes = int(np.count_nonzero(is_success))
    share = successes / trials
    _, code = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(code)
    effective = float(len(sizes))
    if 0 < successes < trials and len(sizes) > 1:
        excess = np.bincount(code, weights=is_success) - share * sizes
        variance = float(excess @ excess) / trials**2 * len(sizes) / (len(sizes) - 1)
        effective = min(float(trials), share * (1 - share) / variance) if variance > 0 else float(trials)
    elif len(sizes) == 1:
        effective = 1.0
    low, high = clopper_pearson(share * effective, effective, confidence)
    return Share(share, low, high, trials, effective)
