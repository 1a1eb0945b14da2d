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
from costctl.replay.plan import NO_CAP, NO_ENTRY, STOP, Chunk, Stage

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

    Calls that are not `is_walked` (no time or no price) stay as logged and meet no stage.
    """
    count = calls.count
    lane = np.where(is_walked, base, lanes.logged).astype(np.int16)
    made = Decisions(
        lane, lane.copy(), np.zeros(count, dtype=np.int8), np.full(count, NO_ENTRY, dtype=np.int64),
        np.zeros(count, dtype=np.int8), np.full(count, NO_CAP, dtype=np.int16),
    )  # fmt: skip
    if stages:
        for start in range(0, count, CHUNK_CALLS):
            stop = min(start + CHUNK_CALLS, count)
            chunk = Chunk(start, stop, calls.time_us[start:stop].tolist())
            final, routed = _walk_chunk(chunk, lane[start:stop], is_walked[start:stop], stages)
            made.lane[start:stop], made.routed_lane[start:stop] = final, routed
            made.served_by[start:stop], made.answered_by[start:stop] = chunk.served_by, chunk.answered_by
            made.notice[start:stop], made.cap[start:stop] = chunk.notice, chunk.cap
    return made


def _walk_chunk(chunk: Chunk, base: Code, is_walked: Flag, stages: Sequence[Stage]) -> tuple[list[int], list[int]]:
    """The lanes of the rows in the end and before budgets; the rest stands in the chunk."""
    opened = {stage.name: stage.open(chunk) for stage in stages}
    budget = opened["budgets"][0] if "budgets" in opened else None
    deciders = [decide for name, (decide, _) in opened.items() if name != "budgets"]
    settlers = [settle for _, settle in opened.values()]
    final = base.tolist()
    routed = list(final)
    for row in np.flatnonzero(is_walked).tolist():
        lane = final[row]
        for decide in deciders:
            lane = decide(row, lane)
            if lane == STOP:
                break
        else:
            routed[row] = lane
            if budget is not None:
                lane = budget(row, lane)
                if lane == STOP:
                    final[row] = routed[row]
                    continue
            final[row] = lane
            for settle in settlers:
                settle(row, lane)
    return final, routed
