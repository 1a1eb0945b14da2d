"""How good another policy would have been: bounds always, estimates only where the log's own choices were drawn.

A log whose policy was fixed (this endpoint, that model) says nothing of the other model on the same calls. Then
only bounds are true. Where each choice was drawn with a known chance (its propensity), the calls that happen to
agree with the new policy stand for the others, weighted by one over that chance.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from costctl.report import counted

Real: TypeAlias = NDArray[np.float64]
Flag: TypeAlias = NDArray[np.bool_]

Z95 = 1.959963984540054
ESS_MIN = 100.0
"""Fewer calls than this, counted by their weights, carry no estimate (science: rmse above 6 points at 60)."""
PROPENSITY_MIN = 0.01


class Bounds(NamedTuple):
    """The mean score lies between `low` and `high`, whatever the unknown scores are."""

    low: float
    high: float
    known_count: int
    unknown_count: int


class Estimate(NamedTuple):
    """A mean score with its 95 % interval; `ess` is the number of equally weighted calls that say as much."""

    method: str  # ips | snips
    mean: float
    low: float
    high: float
    ess: float


class Refused(NamedTuple):
    """Why there is no estimate; the bounds stand all the same."""

    reason: str
    ess: float


def bounds(score: Real, ceiling: Real | None = None) -> Bounds:
    """The mean of the policy's scores where some are unknown (NaN): each of those is from 0 to 1.

    `ceiling` is the most that an unknown score can be, NaN where nothing is known: the logged answer's score
    where the policy moves a call to a weaker model, if one is willing to assume that quality does not rise then.
    Partial identification after Manski (1990).
    """
    count = len(score)
    if not count:
        return Bounds(0.0, 1.0, 0, 0)
    is_unknown = np.isnan(score)
    known = float(score[~is_unknown].sum())
    most = np.ones(count) if ceiling is None else np.where(np.isnan(ceiling), 1.0, ceiling)
    unknown = int(np.count_nonzero(is_unknown))
    return Bounds(known / count, (known + float(most[is_unknown].sum())) / count, count - unknown, unknown)


def weights_of(agrees: Real, propensity: Real) -> Real:
    """For each call the chance of the logged choice under the new policy over that under the log's."""
    return np.divide(agrees, propensity, out=np.zeros(len(agrees)), where=agrees > 0)


def effective_count(weights: Real) -> float:
    """Kish's effective sample size: as many calls of equal weight say as much."""
    squares = float((weights * weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def estimate(score: Real, agrees: Real, propensity: Real, least_propensity: Real | None = None) -> Estimate | Refused:
    """The mean score of a policy, from calls whose logged choice had a known chance.

    `score` of the logged answer; `agrees` the chance that the new policy chooses the same (0 or 1 where it is
    fixed); `propensity` the chance of the logged choice; `least_propensity` the least chance, per call, that the
    log gave to anything the new policy would choose. The weights are self-normalised.
    """
    if np.isnan(propensity).any() or (propensity <= 0).any() or (propensity > 1).any():
        return Refused("the chance of each logged choice must be known, above 0 and at most 1", 0.0)
    if np.isnan(score).any():
        return Refused("the score of each logged answer must be known", 0.0)
    weights = weights_of(agrees, propensity)
    ess = effective_count(weights)
    least = propensity if least_propensity is None else least_propensity
    rare = int(np.count_nonzero(least < PROPENSITY_MIN))
    if least_propensity is None and (propensity == 1).all() and (agrees == 0).any():
        return Refused("the logging policy was fixed: it never tried what the new policy would do", ess)
    if rare:
        return Refused(f"in {counted(rare, 'call')} the log would hardly ever have done what the new policy does", ess)
    if ess < ESS_MIN:
        return Refused(f"only {ess:.0f} calls' worth of evidence, {ESS_MIN:.0f} are needed", ess)
    mean = float((weights * score).sum() / weights.sum())
    residual = weights * (score - mean) / weights.mean()  # the delta method
    return _normal("snips", residual + mean, ess)


def inverse_propensity(score: Real, agrees: Real, propensity: Real) -> Estimate:
    """Plain inverse propensity weights: unbiased, and wide; shown beside the others only."""
    weights = weights_of(agrees, propensity)
    return _normal("ips", weights * score, effective_count(weights))


def _normal(method: str, values: Real, ess: float) -> Estimate:
    mean = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / sqrt(len(values))
    return Estimate(method, mean, max(mean - half, 0.0), min(mean + half, 1.0), ess)
