"""Which answers of a cheap lane would not have been good enough, by what the log shows or the policy says."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from costctl.errors import CostctlError
from costctl.policy.stages import Escalate
from costctl.replay.calls import Calls, Flag, Small, fetch
from costctl.replay.draws import Real, uniform
from costctl.replay.lanes import Lanes
from costctl.report import counted
from costctl.store import Store

EVIDENCE_MIN = 30  # answers of a model that must say how they ended
SEEN = ("error", "truncated", "refusal")  # reasons to escalate that a log can show
WHY = (
    "the tier's cap cuts its answer", "the log shows its answer truncated", "the log shows its answer refused",
    "drawn as often as the log shows of its model", "drawn as often as the policy says: assumed",
)  # fmt: skip
CUT, TRUNCATED, REFUSED, AS_SHOWN, AS_STATED = range(len(WHY))


class Escalating(NamedTuple):
    """Which calls' answers would not be good enough; columns as long as the calls."""

    is_escalated: Flag
    why: Small  # code into `WHY`; says something of calls that escalate
    is_by_ratio: Flag  # the ratio that the policy states decides, as the log does not judge the answer


def escalated_calls(store: Store, spec: Escalate, calls: Calls, lanes: Lanes, source: int, seed: int) -> Escalating:
    """Which calls' answers on the lane `source` would not have been good enough, and why.

    An answer that the lane's cap cuts; one of the call's own model that the log shows truncated or
    refused; where the log does not say, or on another model, as often as the log shows of that model,
    else as often as the policy says. Reasons that no log shows: as often as the policy says.
    """
    lane = lanes.lanes[source]
    cut = lane.is_capped if "truncated" in spec.when else np.zeros(calls.count, dtype=np.bool_)
    why = np.full(calls.count, AS_STATED, dtype=np.int16)
    why[cut] = CUT
    if set(spec.when) == {"error"}:
        return Escalating(cut, why, np.zeros(calls.count, dtype=np.bool_))  # what fails goes down the chain
    drawn: Real = uniform(seed, calls.draw_key, "escalate")
    unseen = sorted(set(spec.when) - set(SEEN))
    stated = _stated(spec, f"no log shows {', '.join(unseen)}") if unseen else 0.0
    if not set(spec.when) & {"truncated", "refusal"}:
        return Escalating(drawn < stated, why, np.ones(calls.count, dtype=np.bool_))
    found = fetch(
        store,
        "finish_reason IS NOT NULL AS is_told, "
        "coalesce(lower(finish_reason) IN ('length', 'max_tokens', 'max_output_tokens', 'model_length'), false) "
        "AS is_truncated, coalesce(lower(finish_reason) IN ('content_filter', 'refusal', 'safety', 'recitation', "
        "'prohibited_content', 'blocklist', 'spii'), false) AS is_refusal",
    )
    told = found["is_told"] & calls.is_ok
    is_own_told = told & ~lane.is_other_model
    is_bad = np.zeros(calls.count, dtype=np.bool_)
    for reason, code in (("truncated", TRUNCATED), ("refusal", REFUSED)):
        if reason in spec.when:
            is_bad |= found[f"is_{reason}"]
            why[is_own_told & ~cut & found[f"is_{reason}"]] = code
    shown, ratio = np.full(len(lanes.models) + 1, -1.0), np.full(len(lanes.models) + 1, stated)
    for model in np.unique(lane.model[calls.is_movable & ~is_own_told]).tolist():
        here = told & (calls.model == model)
        count = int(np.count_nonzero(here))
        if count >= EVIDENCE_MIN:
            shown[model] = np.count_nonzero(is_bad & here) / count
            ratio[model] = max(stated, shown[model])
        else:
            ratio[model] = _stated(
                spec, f"the log says of {counted(count, 'answer')} of {lanes.models[model]} how they ended"
            )
    is_shown = np.where(is_own_told, is_bad, drawn < shown[lane.model])
    why[~cut & ~is_own_told & is_shown] = AS_SHOWN
    rests_on_ratio = ~cut & ~is_shown & np.where(is_own_told, bool(unseen), ratio[lane.model] > shown[lane.model])
    return Escalating(cut | is_shown | (drawn < np.where(is_own_told, stated, ratio[lane.model])), why, rests_on_ratio)


def _stated(spec: Escalate, why: str) -> float:
    if spec.ratio is None:
        raise CostctlError(
            "E416",
            f"how often answers of tier {spec.from_tier} would escalate is not identifiable: {why}",
            "say it in the policy: escalate: {ratio: 8%}",
        )
    return float(spec.ratio)
