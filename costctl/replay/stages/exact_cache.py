"""Stage 2: an exact cache. The same question, in the same scope, within the time to live, is not asked again."""

from __future__ import annotations

from collections import OrderedDict

from costctl.replay.calls import Flag, Int
from costctl.replay.plan import EXACT_CACHE, Plan


class ExactCache:
    """Entries by key; least recently used ones leave first. A key below 0 is never looked up nor kept.

    An entry lives while `time - inserted < ttl_us`, with `from_last_hit` while `time - last use`
    is. One that has expired is a miss and is replaced.
    """

    name = "exact_cache"

    def __init__(
        self, keys: Int, is_kept: Flag, *, ttl_us: int, from_last_hit: bool = False, capacity: int | None = None
    ) -> None:
        self._all_keys, self._all_kept = keys, is_kept
        self._ttl_us, self._from_last_hit, self._capacity = ttl_us, from_last_hit, capacity
        self._entries: OrderedDict[int, tuple[int, int]] = OrderedDict()  # key -> (lives from, position)
        self._keys: list[int] = []
        self._is_kept: list[bool] = []

    def load(self, start: int, stop: int) -> None:
        """Columns of the next calls."""
        self._keys, self._is_kept = self._all_keys[start:stop].tolist(), self._all_kept[start:stop].tolist()

    def decide(self, plan: Plan) -> None:
        """Serve the call from a live entry, which thereby becomes the most recently used one."""
        key = self._keys[plan.row]
        entry = self._entries.get(key) if key >= 0 else None
        if entry is None or plan.time_us - entry[0] >= self._ttl_us:
            return
        plan.served_by, plan.answered_by = EXACT_CACHE, entry[1]
        self._entries.move_to_end(key)
        if self._from_last_hit:
            self._entries[key] = (plan.time_us, entry[1])

    def settle(self, plan: Plan) -> None:
        """Keep a good answer that came from a provider."""
        key = self._keys[plan.row]
        if key < 0 or not self._is_kept[plan.row] or self._ttl_us <= 0:
            return
        self._entries[key] = (plan.time_us, plan.position)
        self._entries.move_to_end(key)
        if self._capacity is not None and len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
