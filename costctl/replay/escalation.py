"""Which answers of a cheap lane would not have been good enough, by what the log shows or the policy says."""

from __future__ import annotations

import numpy as np

from costctl.errors import CostctlError
from costctl.policy.stages import Escalate
from costctl.replay.calls import Calls, Flag, fetch
from costctl.replay.draws import Real, uniform
from costctl.replay.lanes import Lanes
from costctl.report import counted
from costctl.store import Store

EVIDENCE_MIN = 30  # answers of a model that must say how they ended
SEEN = ("error", "truncated", "refusal")  # reasons to escalate that a log can show


def escalated_calls(store: Store, spec: Escalate, calls: Calls, lanes: Lanes, source: int, seed: int) -> Flag:
    """Which calls' answers on the lane `source` would not have been good enough.

    An answer that the lane's cap cuts; one of the call's own model that the log shows truncated or
    refused; where the log does not say, or on another model, as often as the log shows of that model,
    else as often as the policy says. Reasons that no log shows: as often as the policy says.
    """
    lane = lanes.lanes[source]
    cut = lane.is_capped if "truncated" in spec.when else np.zeros(calls.count, dtype=np.bool_)
    if set(spec.when) == {"error"}:
        return cut  # what fails goes down the chain
    drawn: Real = uniform(seed, calls.draw_key, "escalate")
    unseen = sorted(set(spec.when) - set(SEEN))
    stated = _stated(spec, f"no log shows {', '.join(unseen)}") if unseen else 0.0
    if not set(spec.when) & {"truncated", "refusal"}:
        return drawn < stated
    found = fetch(
        store,
        "finish_reason IS NOT NULL AS is_told, "
        "coalesce(lower(finish_reason) IN ('length', 'max_tokens', 'max_output_tokens', 'model_length'), false) "
        "AS is_truncated, coalesce(lower(finish_reason) IN ('content_filter', 'refusal', 'safety', 'recitation', "
        "'prohibited_content', 'blocklist', 'spii'), false) AS is_refusal",
    )
    is_bad = np.zeros(calls.count, dtype=np.bool_)
    for reason in ("truncated", "refusal"):
        if reason in spec.when:
            is_bad |= found[f"is_{reason}"]
    told = found["is_told"] & calls.is_ok
    is_own_told = told & ~lane.is_other_model
    ratio = np.full(len(lanes.models) + 1, stated)
    for code in np.unique(lane.model[calls.is_movable & ~is_own_told]).tolist():
        here = told & (calls.model == code)
        count = int(np.count_nonzero(here))
        if count >= EVIDENCE_MIN:
            ratio[code] = max(stated, np.count_nonzero(is_bad & here) / count)
        else:
            ratio[code] = _stated(
                spec, f"the log says of {counted(count, 'answer')} of {lanes.models[code]} how they ended"
            )
    return cut | np.where(is_own_told, is_bad | (drawn < stated), drawn < ratio[lane.model])


def _stated(spec: Escalate, why: str) -> float:
    if spec.ratio is None:
        raise CostctlError(
            "E416",
            f"how often answers of tier {spec.from_tier} would escalate is not identifiable: {why}",
            "say it in the policy: escalate: {ratio: 8%}",
        )
    return float(spec.ratio)
