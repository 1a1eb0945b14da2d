"""What is decided for the calls of one chunk while the replay walks through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

# Who answers a call.
PROVIDER, EXACT_CACHE, REFUSED = 0, 1, 2
SERVED_BY = ("provider", "exact_cache", "refused")
# What a budget did to a call, as bits of `Chunk.notice`.
DEGRADED, OVER_BUDGET = 1, 2
NO_ENTRY = NO_CAP = -1
# In place of a lane: no provider answers this call; who does stands in `Chunk.served_by`.
STOP = -1

Decide: TypeAlias = Callable[[int, int], int]
Settle: TypeAlias = Callable[[int, int], None]


class Chunk:
    """Calls `start` to `stop`, as plain lists; a row is a place in them. Stages write what they decide."""

    __slots__ = ("answered_by", "cap", "notice", "served_by", "start", "stop", "times_us")

    def __init__(self, start: int, stop: int, times_us: list[int]) -> None:
        self.start, self.stop, self.times_us = start, stop, times_us
        count = stop - start
        self.served_by = [PROVIDER] * count
        self.answered_by = [NO_ENTRY] * count
        self.notice = [0] * count
        self.cap = [NO_CAP] * count


class Stage(Protocol):
    """A stage with state. Stages decide in a fixed order; those of a call that happened settle after all have.

    `open` hands out both as functions over one chunk: their columns are local names, because a million
    calls walk through here one by one. `decide(row, lane)` may look at state and returns the lane, or
    STOP after it has written who answers. `settle(row, lane)` may change state: the call has gone to a provider.
    """

    name: str

    def open(self, chunk: Chunk) -> tuple[Decide, Settle]:
        """Decide and settle for the rows of the chunk."""
