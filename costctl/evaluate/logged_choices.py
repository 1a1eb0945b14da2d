"""The quality of a policy from a log whose own choices of a model were drawn with known chances (propensities).

The chance stands in the log (column `propensity`) or in the file of scores, which may also say it of models that
were not chosen. It is of the calls that the policy asks a model for; what a cache answers has no choice in it.
Calls without a chance may be unlike the others, so a figure of those others would be none of the policy.
"""

from __future__ import annotations

from math import floor, sqrt

import numpy as np

from costctl.evaluate.off_policy import Estimate, Refused, bounds, estimate, weights_of
from costctl.replay.again import Found, Main
from costctl.replay.calls import Flag, fetch
from costctl.replay.project import Outcome
from costctl.replay.scores import Evidence, Real
from costctl.report import counted

DIGITS = 4
MEAN = "off_policy_quality_mean"
NO_PROPENSITY = (
    "not identifiable: the log does not say with which chance each model was chosen; "
    "a column `propensity` of the log or of --scores does"
)
UNTRIED_RATIO_MAX = 0.01
"""More of the calls than this on models that the log never tried, and the estimate is not of the policy."""
ERRORS = 3.0  # standard errors by which weights that sum to the calls stay near 1, but for 3 in 1,000 logs


def tell_off_policy(main: Main, known: Evidence, found: Found) -> None:
    """Add the estimate with its interval and effective count, or why there is none."""
    outcome, calls = main.outcome, main.outcome.calls
    chance = _chances(main, known)
    asked = outcome.is_served & calls.is_movable
    known_count, asked_count = int(np.count_nonzero(asked & ~np.isnan(chance))), int(np.count_nonzero(asked))
    if known_count < asked_count or not asked_count:
        found.missing[MEAN] = _of_part(known_count, asked_count) if known_count else NO_PROPENSITY
        return
    is_cut = outcome.lanes.take("is_capped", outcome.decisions.lane) | known.is_altered
    agrees = outcome.serving_model == calls.model
    told = _refusal(asked & is_cut, asked & agrees, known.logged(calls)) or estimate_of(
        known.logged(calls)[asked], agrees[asked], chance[asked], _target_chances(outcome, known)[asked]
    )
    if isinstance(told, Refused):
        found.missing[MEAN] = f"not identifiable: {told.reason}"
        return
    ends = bounds(known.policy_scores(outcome)[asked])  # the scores that are known may leave less room than the draws
    for name, value in ((MEAN, told.mean), (f"{MEAN}_low", told.low), (f"{MEAN}_high", told.high)):
        found.tell(name, round(min(max(value, ends.low), ends.high), DIGITS), "estimated")
    found.tell("off_policy_call_count", asked_count, "exact")
    found.tell("off_policy_effective_count", floor(told.ess), "replayed")


def _of_part(known_count: int, asked_count: int) -> str:
    return (
        f"not identifiable: only of {known_count:,} of {counted(asked_count, 'call')} to models is it known with which "
        f"chance the log chose the model, and the other {asked_count - known_count:,} may be unlike them; "
        "`propensity` of the log or of --scores says it (1 where the log had no other choice)"
    )


def estimate_of(score: Real, agrees: Flag, chance: Real, target: Real) -> Estimate | Refused:
    """The mean score of a policy that fixes each call's model, by self-normalised weights.

    `score` of the logged answers (needed where it `agrees`: the policy chooses the logged model), `chance` of the
    logged choice, `target` that of the policy's own choice, NaN where only the logged one's is known: what the
    log left over for all other models is then the most that it can have been.
    """
    most = np.where(agrees, chance, 1 - chance)
    least = np.where(np.isnan(target), most, np.minimum(target, most))
    made = estimate(np.where(agrees, score, 0.0), agrees.astype(np.float64), chance, least)
    return made if isinstance(made, Refused) else _unbalanced(agrees, chance) or made


def _unbalanced(agrees: Flag, chance: Real) -> Refused | None:
    """The weights sum to the number of calls, but for chance: if the log could do all that the policy does."""
    weights = weights_of(agrees.astype(np.float64), chance)
    mean, error = float(weights.mean()), float(weights.std(ddof=1)) / sqrt(len(weights))
    if 1 - mean > ERRORS * error + UNTRIED_RATIO_MAX:
        reason = f"about {1 - mean:.0%} of the calls go where the log never sent calls like them"
    elif mean - 1 > ERRORS * error + UNTRIED_RATIO_MAX:
        reason = f"the propensities are too small: their weights sum to {mean:.2f} times the calls"
    else:
        return None
    return Refused(reason, 0.0)


def _refusal(is_cut: Flag, agrees: Flag, score: Real) -> Refused | None:
    cut = int(np.count_nonzero(is_cut))
    if cut:
        return Refused(f"in {counted(cut, 'call')} the policy changes prompt or answer, and no score is of that", 0.0)
    unscored = int(np.count_nonzero(agrees & np.isnan(score)))
    if unscored:
        kept = counted(int(np.count_nonzero(agrees)), "answer")
        have = "has" if unscored == 1 else "have"
        return Refused(f"{unscored:,} of {kept} that the policy keeps {have} no score", 0.0)
    return None


def _chances(main: Main, known: Evidence) -> Real:
    """The chance of each logged choice: the file's, else the log's."""
    calls = main.outcome.calls
    found: Real = fetch(main.store, "coalesce(propensity, 'nan'::DOUBLE) AS propensity")["propensity"]
    for code, model in enumerate(calls.models):
        if model in known.chance:
            said = known.chance[model]
            here = (calls.model == code) & ~np.isnan(said)
            found[here] = said[here]
    return found


def _target_chances(outcome: Outcome, known: Evidence) -> Real:
    """The chance that the file gives to the model that the policy chooses."""
    found = np.full(outcome.calls.count, np.nan)
    for code, model in enumerate(outcome.lanes.models):
        if model in known.chance:
            here = outcome.serving_model == code
            found[here] = known.chance[model][here]
    return found
