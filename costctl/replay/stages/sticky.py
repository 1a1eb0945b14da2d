"""Stage 4, its part with state: within a session the tier never falls."""

from __future__ import annotations

from costctl.replay.calls import Int
from costctl.replay.lanes import Lanes
from costctl.replay.plan import Chunk, Decide, Settle


class Sticky:
    """The highest tier that each session (or user) has been served by so far."""

    name = "sticky"

    def __init__(self, sessions: Int, lanes: Lanes) -> None:
        self._sessions, self._lanes = sessions, lanes
        self._highest: dict[int, int] = {}

    def open(self, chunk: Chunk) -> tuple[Decide, Settle]:
        """Raise a call to its session's tier, if that one can hold it; a degraded call does not lower it."""
        highest, tier_count = self._highest, self._lanes.tier_count
        sessions = self._sessions[chunk.start : chunk.stop].tolist()
        holds = self._lanes.holds(chunk.start, chunk.stop)

        def decide(row: int, lane: int) -> int:
            held = highest.get(sessions[row], -1)
            return held if lane < held and lane < tier_count and holds[held][row] else lane

        def settle(row: int, lane: int) -> None:
            session = sessions[row]
            if session >= 0 and lane < tier_count and lane > highest.get(session, -1):
                highest[session] = lane

        return decide, settle
