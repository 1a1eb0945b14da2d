"""The exact cache over a log: who is answered by whom, for a time to live without a bound on size.

All keys walk at once: one step of the loop takes every key from an insertion to the next one.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
# With fewer keys than this left, walking each by itself is quicker than another step for all.
LANES_MIN = 64


def exact_hits(keys: Int, times_us: Int, ttl_us: int, *, from_last_hit: bool = False) -> Int:
    """For each request, in time order, the position of the entry that answers it; -1 is a miss.

    A miss inserts. An entry lives while `time - inserted < ttl_us`; a hit does not renew it,
    because whether the old answer is still right is not known, unless `from_last_hit`.

    >>> exact_hits(np.array([7, 7, 8, 7, 7]), np.array([0, 5, 6, 10, 12]), ttl_us=10).tolist()
    [-1, 0, -1, -1, 3]
    """
    count = len(keys)
    if not count or ttl_us <= 0:
        return np.full(count, -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    sorted_keys, times = keys[order], times_us[order]
    is_miss = np.empty(count, dtype=np.bool_)
    is_miss[0] = True
    np.not_equal(sorted_keys[1:], sorted_keys[:-1], out=is_miss[1:])
    if from_last_hit:
        is_miss[1:] |= times[1:] - times[:-1] >= ttl_us
    else:
        starts = np.flatnonzero(is_miss)
        _mark_insertions(is_miss, times, starts, np.append(starts[1:], count), ttl_us)
    entry = np.maximum.accumulate(np.where(is_miss, np.arange(count), 0))
    answers = np.empty(count, dtype=np.int64)
    answers[order] = np.where(is_miss, -1, order[entry])
    return answers


def _mark_insertions(is_miss: NDArray[np.bool_], times: Int, starts: Int, ends: Int, ttl_us: int) -> None:
    """Mark in `is_miss` every insertion of the groups that begin at `starts` and end before `ends`."""
    at = starts
    while len(at) > LANES_MIN:
        following = _first_expired(times, at + 1, ends, times[at] + ttl_us)
        goes_on = following < ends
        at, ends = following[goes_on], ends[goes_on]
        is_miss[at] = True
    for start, end in zip(at.tolist(), ends.tolist(), strict=True):
        group = times[start:end].tolist()
        place = bisect_left(group, group[0] + ttl_us)
        while place < len(group):
            is_miss[start + place] = True
            place = bisect_left(group, group[place] + ttl_us, place)


def _first_expired(times: Int, low: Int, high: Int, expiry: Int) -> Int:
    """The first place of each range [low, high) whose time has reached `expiry`, else its end."""
    last = len(times) - 1
    while (is_open := low < high).any():
        middle = (low + high) >> 1
        is_alive = is_open & (times[np.minimum(middle, last)] < expiry)
        low = np.where(is_alive, middle + 1, low)
        high = np.where(is_open & ~is_alive, middle, high)
    return low
