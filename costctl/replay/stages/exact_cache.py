"""Stage 2: an exact cache. The same question, in the same scope, within the time to live, is not asked again."""

from __future__ import annotations

from collections import OrderedDict

from costctl.replay.calls import Flag, Int
from costctl.replay.plan import EXACT_CACHE, STOP, Chunk, Decide, Settle


class ExactCache:
    """Entries by key; least recently used ones leave first. A key below 0 is never looked up nor kept.

    An entry lives while `time - inserted < ttl_us`, with `from_last_hit` while `time - last use`
    is. One that has expired is a miss and is replaced.
    """

    name = "exact_cache"

    def __init__(
        self, keys: Int, is_kept: Flag, *, ttl_us: int, from_last_hit: bool = False, capacity: int | None = None
    ) -> None:
        self._keys, self._is_kept = keys, is_kept & (keys >= 0) & (ttl_us > 0)
        self._ttl_us, self._from_last_hit, self._capacity = ttl_us, from_last_hit, capacity
        self._entries: OrderedDict[int, tuple[int, int]] = OrderedDict()  # key -> (lives from, position)

    def open(self, chunk: Chunk) -> tuple[Decide, Settle]:
        """Serve from a live entry; keep a good answer that came from a provider."""
        entries, times, start = self._entries, chunk.times_us, chunk.start
        ttl_us, from_last_hit, capacity = self._ttl_us, self._from_last_hit, self._capacity
        keys, is_kept = (column[start : chunk.stop].tolist() for column in (self._keys, self._is_kept))

        def decide(row: int, lane: int) -> int:
            key = keys[row]
            entry = entries.get(key)
            if entry is None or times[row] - entry[0] >= ttl_us:
                return lane
            chunk.served_by[row], chunk.answered_by[row] = EXACT_CACHE, entry[1]
            entries.move_to_end(key)
            if from_last_hit:
                entries[key] = (times[row], entry[1])
            return STOP

        def settle(row: int, _: int) -> None:
            if is_kept[row]:
                key = keys[row]
                entries[key] = (times[row], start + row)
                entries.move_to_end(key)
                if capacity is not None and len(entries) > capacity:
                    entries.popitem(last=False)

        return decide, settle
