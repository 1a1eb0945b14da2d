"""How long the calls would have taken: as logged, drawn from the log's own attempts, or not at all from a cache.

A call that another model answers takes as long as a logged success of that model in the same hour
(else day, else the whole log); where the log has none, as its prior says (`priors`). A call on its
logged model keeps its latency, also where its answer is shortened. A cache hit counts as 0: what a
look-up takes is not in the log. Refused calls have none. An engine of one's own takes the time that
its tokens take; its queue is added later (`self_hosted`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from costctl.replay.calls import UNKNOWN, Calls, Flag, Int
from costctl.replay.chains import logged_attempts
from costctl.replay.draws import uniform
from costctl.replay.engine import Decisions
from costctl.replay.kernel import AS_LOGGED, ATTEMPTS
from costctl.replay.lanes import Lanes
from costctl.replay.plan import PROVIDER, Plan
from costctl.store import Store

PURPOSE = "latency"


class Latency(NamedTuple):
    """Latency of every call under the policy in microseconds, -1 where it has none or none is known."""

    policy_us: Int
    is_drawn: Flag
    uncovered: tuple[str, ...]  # models that answer moved calls and whose latency neither log nor prior says
    assumed: tuple[str, ...] = ()  # those that only a prior says


def replay_latency(store: Store, calls: Calls, lanes: Lanes, decisions: Decisions, seed: int, plan: Plan) -> Latency:
    """Latencies that follow from the decisions; the draws of a call are the same for every policy."""
    is_served = decisions.served_by == PROVIDER
    # What waits for a batch is timed by nobody: its model need not be known.
    is_moved = is_served & lanes.take("is_other_model", decisions.lane) & ~lanes.is_batched(decisions.lane)
    latency = np.where(is_served & calls.is_ok, calls.latency_us, UNKNOWN)
    latency[decisions.is_cached] = 0
    uncovered: tuple[str, ...] = ()
    service = lanes.take("service_us", decisions.lane)
    if plan.attempts is not None and plan.attempts.draws:
        assert decisions.played is not None
        took = decisions.played.latency_us
        is_played = is_served & (took != AS_LOGGED)
        latency[is_played] = took[is_played]
        by_engine = (service >= 0) & (decisions.played.count(ATTEMPTS) == 1)  # and by nothing that is drawn
        is_drawn = is_played & (took != calls.latency_us) & ~by_engine
        came_by = _asked(plan, lanes, decisions, is_moved)
        uncovered = _asked(plan, lanes, decisions, is_played & (took == UNKNOWN) & is_moved)
        return Latency(latency, is_drawn, _without(plan, lanes, uncovered), _assumed(lanes, came_by))
    # Without rules for attempts an outage alone may have met calls: those have no answer, so no latency either.
    on_engine = is_moved & (service >= 0)
    latency[on_engine] = service[on_engine]
    is_moved &= ~on_engine
    asked: tuple[str, ...] = ()
    if is_moved.any():
        logged = logged_attempts(store, lanes, are_answers=True)
        model = lanes.take("model", decisions.lane)[is_moved]
        drawn, _ = logged.sample(model, calls.time_us[is_moved], uniform(seed, calls.draw_key[is_moved], PURPOSE))
        latency[is_moved] = drawn
        asked = tuple(lanes.models[code] for code in np.unique(model).tolist())
        uncovered = tuple(lanes.models[code] for code in np.unique(model[~logged.is_covered(model)]).tolist())
    return Latency(latency, is_moved, uncovered, _assumed(lanes, asked))


def _asked(plan: Plan, lanes: Lanes, decisions: Decisions, here: Flag) -> tuple[str, ...]:
    """The models that these calls came by in their chains, from where they entered to where they ended."""
    assert plan.attempts is not None
    found: set[int] = set()
    # Budgets that filter let a call enter within the chain of its first lane.
    is_filtering = plan.budgets is not None and plan.budgets.is_filtering
    begun = decisions.routed_lane if is_filtering else decisions.entry_lane
    ways = np.unique(np.stack([begun[here], decisions.entry_lane[here], decisions.lane[here]]), axis=1)
    for first, entry, last in ways.T.tolist():
        rows = here & (begun == first) & (decisions.entry_lane == entry) & (decisions.lane == last)
        chain = plan.attempts.chains[first] if first < len(plan.attempts.chains) else (first,)
        chain = chain[chain.index(entry) :] if entry in chain else (entry,)
        passed = chain[: chain.index(last) + 1] if last in chain else (*chain, last)
        for lane in passed:
            found |= set(np.unique(lanes.lanes[lane].model[rows]).tolist())
    return tuple(lanes.models[code] for code in sorted(found))


def _without(plan: Plan, lanes: Lanes, models: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the models that neither log nor prior says anything of, nor an engine of one's own."""
    assert plan.attempts is not None
    engines = {
        lanes.models[code] for lane in lanes.lanes for code in np.unique(lane.model[lane.service_us >= 0]).tolist()
    }
    codes = np.array([lanes.models.index(name) for name in models], dtype=np.int64)
    is_covered = plan.attempts.log.is_covered(codes)
    return tuple(name for name, known in zip(models, is_covered, strict=True) if not known and name not in engines)


def _assumed(lanes: Lanes, models: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in models if name in lanes.priors)
