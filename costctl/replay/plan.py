"""What is decided for one call while the replay walks through time."""

from __future__ import annotations

from typing import Protocol

# Who answers a call.
PROVIDER, EXACT_CACHE, REFUSED = 0, 1, 2
SERVED_BY = ("provider", "exact_cache", "refused")
# What a budget did to a call, as bits of `Plan.notice`.
DEGRADED, OVER_BUDGET = 1, 2
NO_ENTRY = -1


class Plan:
    """One call on its way through the stages; `row` is its place in the columns of this chunk."""

    __slots__ = ("answered_by", "cap", "lane", "notice", "position", "row", "served_by", "time_us")

    def __init__(self) -> None:
        self.row = 0
        self.position = 0
        self.time_us = 0
        self.lane = 0
        self.served_by = PROVIDER
        self.answered_by = NO_ENTRY
        self.notice = 0
        self.cap = -1


class Stage(Protocol):
    """A stage with state. Stages decide in a fixed order; those of a call that happened settle after all have."""

    name: str

    def load(self, start: int, stop: int) -> None:
        """Make the columns of these calls ready as plain lists."""

    def decide(self, plan: Plan) -> None:
        """May look at state and change the plan; `served_by` other than PROVIDER ends the call."""

    def settle(self, plan: Plan) -> None:
        """May change state: the call has gone to a provider."""
