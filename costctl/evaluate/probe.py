"""The probe plan: which requests to try on which model, how many for which precision, and at what price.

Where nothing is known of a model's answers to some calls, a random sample of them is tried on it and scored. The
sample is drawn per stratum (a pair of workload and model), in proportion to its size, so that half as wide an
interval is a larger piece of the same order: what was tried first stays of use. Results come back as a file of
scores: `request_id,model,score`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import ceil, sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from costctl.replay.scores import wilson

Real: TypeAlias = NDArray[np.float64]
Int: TypeAlias = NDArray[np.int64]

Z95 = 1.959963984540054
HALF_WIDTHS = (0.01, 0.02, 0.03, 0.05)
WORST_VARIANCE = 0.25
"""Of a score from 0 to 1, where nothing is known of it."""
PUSD = Decimal(10) ** 12
PROBES_MIN = 30
"""The mean of fewer scores is no normal variable."""
STRATUM_MIN = 2


class Plan(NamedTuple):
    """A sample that gives the policy's mean score to within `half_width_ratio`, with 95 % confidence.

    That is of all answers, where those that are not drawn from have scores. By itself the sample gives the mean of the
    calls that it is drawn from to within `drawn_half_width_ratio`.
    """

    half_width_ratio: float
    drawn_half_width_ratio: float
    probe_count: int  # still to try
    cost_usd: Decimal | None  # exact; None where the price of a probe is unknown
    rows: Int  # the calls to try, in the order in which to try them


class Probed(NamedTuple):
    """The policy's mean score from probes, with its 95 % interval."""

    mean: float
    low: float
    high: float
    probe_count: int


def probes_needed(
    unknown_count: int, call_count: int, half_width_ratio: float, variance: float = WORST_VARIANCE
) -> int:
    """How many of the unknown calls to try, so that the mean over all calls is known to within the half-width.

    n0 = (z x share x sd / half-width)^2, drawn without replacement from `unknown_count` calls:
    n = n0 / (1 + n0 / unknown_count), at most all of them (Cochran 1977, 4.2).

    >>> probes_needed(10**9, 10**9, 0.02, 0.2151), probes_needed(340, 1000, 0.02)
    (2066, 153)
    """
    if not unknown_count:
        return 0
    share = unknown_count / call_count
    wanted = (Z95 * share / half_width_ratio) ** 2 * variance
    drawn = wanted / (1 + wanted / unknown_count)
    return min(max(ceil(drawn - 1e-9), min(PROBES_MIN, unknown_count)), unknown_count)


def order_of(stratum: Int, draws: Real) -> Int:
    """All rows in the order in which to try them: every beginning holds each stratum in proportion to its size.

    The k-th of a stratum of N rows, in the order of its draws, comes at (k - 1/2) / N.
    """
    by_draw = np.lexsort((draws, stratum))
    ordered = stratum[by_draw]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, dtype=np.int64)
    sizes = np.diff(np.r_[begins, len(ordered)])
    place = np.arange(len(ordered)) - np.repeat(begins, sizes)
    when = (place + 0.5) / np.repeat(sizes, sizes)
    return by_draw[np.lexsort((draws[by_draw], when))].astype(np.int64)


def trial_order(stratum: Int, draws: Real) -> Int:
    """The order of a plan: `order_of`, but two of each stratum first, else its spread could not be known."""
    order = order_of(stratum, draws)
    first = _first_of_each(stratum[order])
    return np.concatenate([order[first], order[~first]])


def plans(
    unknown: Int, stratum: Int, draws: Real, cost_pusd: Int, call_count: int, variance: float = WORST_VARIANCE,
    half_widths: Sequence[float] = HALF_WIDTHS, is_tried: NDArray[np.bool_] | None = None,
) -> list[Plan]:  # fmt: skip
    """One plan per half-width over the calls `unknown` (positions), whose stratum, draw and cost stand beside them.

    `cost_pusd` is what one probe costs, picodollars at list on the model that would answer, -1 where unknown.
    Each stratum gets at least two probes. Calls that `is_tried` keep their place in the order, and need no other try.
    """
    order = trial_order(stratum, draws)
    least = int(np.count_nonzero(_first_of_each(stratum)))
    found = []
    for half_width in half_widths:
        count = probes_needed(len(unknown), call_count, half_width, variance)
        count = min(max(count, least), len(unknown))
        half = Z95 * sqrt(variance / count * (1 - count / len(unknown))) if count else 0.0
        chosen = order[:count]
        if is_tried is not None:
            chosen = chosen[~is_tried[chosen]]
        costs = [int(one) for one in cost_pusd[chosen]]
        price = None if any(one < 0 for one in costs) else sum(costs) / PUSD
        found.append(Plan(half_width, half, len(chosen), price, unknown[chosen]))
    return found


def _first_of_each(stratum: Int) -> NDArray[np.bool_]:
    """The first two rows of each stratum."""
    by_stratum = np.argsort(stratum, kind="stable")
    ordered = stratum[by_stratum]
    first = np.zeros(len(stratum), dtype=np.bool_)
    first[by_stratum] = np.arange(len(ordered)) - np.searchsorted(ordered, ordered) < STRATUM_MIN
    return first


def template(request_ids: Sequence[str], models: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Rows of a CSV file to fill in and hand back with `--scores`: heads, then one probe each."""
    yield "request_id", "model", "score"
    for request_id, model in zip(request_ids, models, strict=True):
        yield request_id, model, ""


def probed(known: Real, stratum: Int, score: Real) -> Probed | None:
    """The mean over all calls: `known` scores, and calls of strata of which some were tried (else NaN).

    Stratified sampling without replacement (Cochran 1977, 5.3). Each stratum's variance is taken with one more
    score of 0 and one of 1: among few tries all may be alike by chance. Where all tries are alike they say nothing of
    the spread, and the interval is Wilson's, as of so many of an endless number as would say as much. None with fewer
    than 30 tries, or where a stratum was tried less than twice.
    """
    tried = ~np.isnan(score)
    count = len(known) + len(score)
    probe_count = int(np.count_nonzero(tried))
    if not len(score):
        return Probed(*(float(known.mean()),) * 3, 0) if count else None
    is_all = probe_count == len(score)
    if probe_count < PROBES_MIN and not is_all:
        return None
    total, variance = float(known.sum()), 0.0
    for one in np.unique(stratum).tolist():
        here = score[(stratum == one) & tried]
        size = int(np.count_nonzero(stratum == one))
        if len(here) < min(STRATUM_MIN, size):
            return None
        total += size * float(here.mean())
        spread = float(np.r_[here, 0.0, 1.0].var(ddof=1))
        variance += size * size * spread / len(here) * (1 - len(here) / size)
    mean, half = total / count, Z95 * sqrt(variance) / count
    alike = score[tried]
    if not is_all and alike.min() == alike.max():
        effective = probe_count / (1 - probe_count / len(score))
        ends = wilson(float(alike[0]) * effective, effective)
        low, high = ((float(known.sum()) + len(score) * end) / count for end in ends)
        return Probed(mean, min(low, mean), max(high, mean), probe_count)
    return Probed(mean, max(mean - half, 0.0), min(mean + half, 1.0), probe_count)
