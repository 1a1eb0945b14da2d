"""Stage 4, its part with state: within a session the tier never falls."""

from __future__ import annotations

from costctl.replay.calls import Int
from costctl.replay.lanes import Lanes
from costctl.replay.plan import Plan


class Sticky:
    """The highest tier that each session (or user) has been served by so far."""

    name = "sticky"

    def __init__(self, sessions: Int, lanes: Lanes) -> None:
        self._all_sessions, self._lanes = sessions, lanes
        self._is_tier = lanes.is_tier
        self._sessions: list[int] = []
        self._held: list[list[bool]] = []
        self._highest: dict[int, int] = {}

    def load(self, start: int, stop: int) -> None:
        """Columns of the next calls."""
        self._sessions = self._all_sessions[start:stop].tolist()
        self._held = self._lanes.holds(start, stop)

    def decide(self, plan: Plan) -> None:
        """Raise the call to its session's tier, if that one can hold it."""
        if not self._is_tier[plan.lane]:
            return
        highest = self._highest.get(self._sessions[plan.row], -1)
        if highest > plan.lane and self._held[highest][plan.row]:
            plan.lane = highest

    def settle(self, plan: Plan) -> None:
        """Remember the tier that served; a degraded call does not lower it."""
        session = self._sessions[plan.row]
        if session >= 0 and self._is_tier[plan.lane] and plan.lane > self._highest.get(session, -1):
            self._highest[session] = plan.lane
