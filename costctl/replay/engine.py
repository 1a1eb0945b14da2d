"""The replay: one walk through time over the calls that have state to meet.

Everything stateless stands in columns before the walk; stages with state decide in a fixed order,
and those of a call that happened settle after all have decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costctl.replay.calls import Calls, Code, Flag, Int
from costctl.replay.lanes import Lanes
from costctl.replay.plan import PROVIDER, Plan, Stage

CHUNK_CALLS = 20_000  # plain lists of so many calls at a time: memory stays small


@dataclass(frozen=True)
class Decisions:
    """What the policy did with each call; arrays as long as the calls."""

    lane: NDArray[np.int16]  # the one that served, or would have
    routed_lane: NDArray[np.int16]  # before budgets
    served_by: NDArray[np.int8]
    answered_by: Int  # position of the call whose answer was served from a cache
    notice: NDArray[np.int8]
    cap: NDArray[np.int16]  # the first cap that was broken


def walk(calls: Calls, lanes: Lanes, base: Int, is_walked: Flag, stages: Sequence[Stage]) -> Decisions:
    """Walk all calls through the stages; `base` is the lane of each by the rules alone.

    Calls that are not `is_walked` (no time, no price, no answer to compare) stay as logged and meet no stage.
    """
    count = calls.count
    served_by = np.zeros(count, dtype=np.int8)
    answered_by = np.full(count, -1, dtype=np.int64)
    lane = np.where(is_walked, base, lanes.logged).astype(np.int16)
    routed = lane.copy()
    notice, cap = np.zeros(count, dtype=np.int8), np.full(count, -1, dtype=np.int16)
    if stages:
        for start in range(0, count, CHUNK_CALLS):
            stop = min(start + CHUNK_CALLS, count)
            rows = _walk_chunk(calls, lane, is_walked, stages, start, stop)
            columns = np.array(rows, dtype=np.int64).reshape(stop - start, 6)
            made: tuple[Code, ...] = (lane, routed, served_by, answered_by, notice, cap)
            for place, column in enumerate(made):
                column[start:stop] = columns[:, place]
    return Decisions(lane, routed, served_by, answered_by, notice, cap)


def _walk_chunk(
    calls: Calls, lane: Code, is_walked: Flag, stages: Sequence[Stage], start: int, stop: int
) -> list[tuple[int, int, int, int, int, int]]:
    for stage in stages:
        stage.load(start, stop)
    budgets = next((stage for stage in stages if stage.name == "budgets"), None)
    deciders = [stage.decide for stage in stages if stage is not budgets]
    settlers = [stage.settle for stage in stages]
    plan = Plan()
    rows = []
    for row, (time_us, base, walked) in enumerate(
        zip(calls.time_us[start:stop].tolist(), lane[start:stop].tolist(), is_walked[start:stop].tolist(), strict=True)
    ):
        plan.row, plan.position, plan.time_us, plan.lane = row, start + row, time_us, base
        plan.served_by, plan.answered_by, plan.notice, plan.cap = PROVIDER, -1, 0, -1
        if not walked:
            rows.append((base, base, PROVIDER, -1, 0, -1))
            continue
        for decide in deciders:
            decide(plan)
            if plan.served_by:
                break
        routed = plan.lane
        if budgets is not None and not plan.served_by:
            budgets.decide(plan)
        if not plan.served_by:
            for settle in settlers:
                settle(plan)
        rows.append((plan.lane, routed, plan.served_by, plan.answered_by, plan.notice, plan.cap))
    return rows
