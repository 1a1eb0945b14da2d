"""How good a router is, whatever its threshold: APGR, CPT50 and CPT80 as RouteLLM defines them.

Read in the `evaluate.py` and `benchmarks.py` of RouteLLM (arXiv 2406.18665): eleven thresholds at the deciles
of the scores, a request goes to the strong model at or above one (above the last); area by trapezoids between
the weak and the strong model alone; calls for half and four fifths of the gap by linear interpolation.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Real: TypeAlias = NDArray[np.float64]
BIN_COUNT = 10


class Quality(NamedTuple):
    """Average performance gap recovered (random: 0.5), and shares of strong calls for 50 and 80 % of the gap."""

    apgr: float
    cpt50_ratio: float
    cpt80_ratio: float


def quality(score: Real, cheap: Real, dear: Real) -> Quality | None:
    """The three figures of a score where `cheap` and `dear` are how good each model's answer was.

    None where the dearer model is on the whole no better: there is no gap to recover.
    """
    low, high = float(cheap.mean()), float(dear.mean())
    if high <= low:
        return None
    share, reached = curve(score, cheap, dear)
    apgr = float(np.trapezoid(reached - low, share)) / ((high - low) * float(share[-1] - share[0]))
    half, most = (float(np.interp(low + part * (high - low), reached, share)) for part in (0.5, 0.8))
    return Quality(apgr, half, most)


def curve(score: Real, cheap: Real, dear: Real) -> tuple[Real, Real]:
    """Shares of strong calls from 0 to 1, and how good the answers then are."""
    thresholds = np.quantile(score, np.linspace(0, 1, BIN_COUNT + 1))
    strong = [score >= one for one in thresholds[:-1]] + [score > thresholds[-1]]
    share = np.array([float(one.mean()) for one in strong])
    reached = np.array([float(np.where(one, dear, cheap).mean()) for one in strong])
    return share[::-1], reached[::-1]


def gain_of(cheap: Real, dear: Real) -> Real:
    """What is lost where the cheaper model answers: 1 where it is wrong and the dearer one right."""
    return np.clip(dear - cheap, 0.0, 1.0)
