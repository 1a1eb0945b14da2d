"""What tried calls say of the others: the estimate that a probe plan was made for, where the scores are its beginning.

A sample that was drawn stands for the calls that it was drawn from. Scores that came about in another way (the calls
that somebody looked at, the ones that were complained about) may not, so no estimate is made from them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from costctl.evaluate.probe import PROBES_MIN, Int, Probed, Real, probed, trial_order
from costctl.replay.again import Found
from costctl.replay.project import Outcome
from costctl.report import counted

DIGITS = 4
MOVED, WHOLE = "moved_quality_mean", "probed_quality_mean"


class Planned(NamedTuple):
    """The calls that a plan draws from if no score is known: positions, with stratum and draw beside them."""

    calls: Int
    stratum: Int
    draws: Real


def tell_probed(outcome: Outcome, scores: Real, planned: Planned, seed: int, found: Found) -> None:
    """Add the mean score of the planned calls' answers, and of all answers where the others have scores.

    `scores` are those of each answer under the policy, NaN where unknown. Nothing is said where no call was tried.
    """
    mine = scores[planned.calls]
    is_tried = ~np.isnan(mine[trial_order(planned.stratum, planned.draws)])
    count, of = int(np.count_nonzero(is_tried)), len(mine)
    if not count:
        return
    made = probed(np.zeros(0), planned.stratum, mine) if is_tried[:count].all() else None
    if made is None:
        why = (
            f"{count:,} tries are too few: {PROBES_MIN} and two of each endpoint and model"
            if is_tried[:count].all()
            else f"not identifiable: the scores are not the beginning of the plan's order (--probes, seed {seed}), "
            "so they need not stand for the rest"
        )
        found.missing |= {MOVED: why, WHOLE: why}
        return
    status = "estimated" if count < of else "replayed"
    _tell(MOVED, made, status, found)
    found.tell("probed_call_count", count, "exact")
    found.tell("probed_of_count", of, "exact")
    is_other = outcome.is_served | outcome.decisions.is_cached
    is_other[planned.calls] = False
    unknown = int(np.count_nonzero(np.isnan(scores[is_other])))
    repeats = np.flatnonzero(outcome.decisions.is_cached & is_other)
    if unknown:
        lack = counted(unknown, "answer that is not of the plan has", "answers that are not of the plan have")
        found.missing[WHOLE] = f"not identifiable: {lack} no score; with them the tries tell of all answers"
    elif count < of and np.isin(outcome.decisions.answered_by[repeats], planned.calls).any():
        found.missing[WHOLE] = (
            "not identifiable: a cache gives answers of the plan again, which is then no plain sample"
        )
    else:
        whole = probed(scores[is_other], planned.stratum, mine)
        assert whole is not None, "the same tries say something of the planned calls"
        _tell(WHOLE, whole, status, found)


def _tell(name: str, made: Probed, status: str, found: Found) -> None:
    for end, value in (("", made.mean), ("_low", made.low), ("_high", made.high)):
        found.tell(f"{name}{end}", round(value, DIGITS), status)
