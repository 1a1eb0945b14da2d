"""The nearest of many items in time that nobody has taken yet, without looking at the taken ones again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

_NEVER = float("inf")


class Nearest:
    """Items at their times; what was taken is passed over in constant time on average.

    `items` are pairs of seconds and a number that names the item. Several of these may share one set of what is free.

    >>> free = {7, 8}
    >>> one = Nearest([(1.0, 7), (4.0, 8)], free)
    >>> one.to(3.0), free.discard(8), one.to(3.0)
    ((1.0, 8), None, (2.0, 7))
    """

    def __init__(self, items: Sequence[tuple[float, int]], free: set[int]) -> None:
        self._items = sorted(items)
        self._free = free
        self._after = list(range(len(items) + 1))  # where the next free one may be, at the place itself or later
        self._before = list(range(len(items) + 1))  # the same to the left; shifted by one, 0 is none

    def to(self, second: float) -> tuple[float, int] | None:
        """Distance and number of the nearest free item; of two at one distance the earlier."""
        place = bisect_left(self._items, (second, -1))
        later, earlier = self._next(place), self._last(place)
        right = self._items[later][0] - second if later < len(self._items) else _NEVER
        if earlier and (later == len(self._items) or second - self._items[earlier - 1][0] <= right):
            at = self._items[earlier - 1][0]
            first = self._next(bisect_left(self._items, (at, -1)))  # of several at one moment the first
            return second - at, self._items[first][1]
        return (right, self._items[later][1]) if later < len(self._items) else None

    def first(self) -> int | None:
        """The earliest free item."""
        place = self._next(0)
        return self._items[place][1] if place < len(self._items) else None

    def _next(self, place: int) -> int:
        links, path = self._after, []
        while place < len(self._items) and self._items[place][1] not in self._free:
            path.append(place)
            place = max(links[place], place + 1)
        for passed in path:
            links[passed] = place
        return place

    def _last(self, place: int) -> int:
        links, path = self._before, []
        while place and self._items[place - 1][1] not in self._free:
            path.append(place)
            place = min(links[place], place - 1)
        for passed in path:
            links[passed] = place
        return place
