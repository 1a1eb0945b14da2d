"""Caches of bounded size that drop the least recently used entry.

Without a time to live one pass answers for every capacity: a reference hits in a cache of c entries
where fewer than c other keys came since its key was last seen (Mattson and others, 1970). With a
time to live the order matters and one loop walks through the log.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.reuse.exact import exact_hits

Int = NDArray[np.int64]
NODE_BITS = 5


def stack_distances(keys: Int) -> Int:
    """For each reference, the number of distinct other keys since the last one of its key; -1 for a first one.

    It hits in an LRU cache of more entries than that, and in no smaller one. A hit refreshes.

    >>> stack_distances(np.array([7, 7, 8, 9, 7, 8])).tolist()
    [-1, 0, -1, -1, 2, 2]
    """
    count = len(keys)
    last = last_seen(keys)
    repeats = np.flatnonzero(last >= 0)
    distances = np.full(count, -1, dtype=np.int64)
    if not len(repeats):
        return distances
    # A key counts once: by its first reference in the gap, whose own last one lies before the gap.
    # Every reference up to the gap has such a last one too, so these are counted and taken off again.
    sources = last[repeats]
    is_source = np.zeros(count, dtype=np.bool_)
    is_source[sources] = True
    ranks = (np.cumsum(is_source) - 1)[sources]
    first_count = repeats - np.arange(len(repeats))
    distances[repeats] = first_count + _smaller_before(ranks) - sources - 1
    return distances


def last_seen(keys: Int) -> Int:
    """For each position, the one before it that holds the same key; -1 for a first one."""
    order, is_same = _in_order(keys)
    last = np.full(len(keys), -1, dtype=np.int64)
    last[order[1:][is_same]] = order[:-1][is_same]
    return last


def _in_order(keys: Int) -> tuple[Int, NDArray[np.bool_]]:
    """Positions by key, then place; and for each but the first whether its key is that of the one before it."""
    count = len(keys)
    low, high = (int(keys.min()), int(keys.max())) if count else (0, 0)
    bits = max(count - 1, 1).bit_length()
    if high - low < 1 << (62 - bits):  # key and place fit into one number, and numbers sort five times as fast
        packed = np.sort(((keys - low) << bits) | np.arange(count))
        own = packed >> bits
        return packed & ((1 << bits) - 1), own[1:] == own[:-1]
    order = np.argsort(keys, kind="stable")
    own = keys[order]
    return order, own[1:] == own[:-1]


def _smaller_before(ranks: Int) -> Int:
    """For each entry of a permutation of 0..n-1, how many before it are smaller.

    The values are sorted bit by bit from the top, each step a stable split of every node of equal
    upper bits; an entry that goes to the upper half counts what went to the lower half before it.
    Nodes are full but the last, so where they begin and are split follows from the bit alone. In the
    small nodes at the end every entry is compared with every one before it.
    """
    count = len(ranks)
    # 32 bits hold any place in a log that fits in memory here, at half the traffic.
    small: Any = np.int32 if count < 2**31 else np.int64
    values: NDArray[Any] = ranks.astype(small)
    counts: NDArray[Any] = np.zeros(count, dtype=small)
    steps: NDArray[Any] = np.arange(count, dtype=small)
    for bit in reversed(range(NODE_BITS, (count - 1).bit_length())):
        half = 1 << bit
        is_upper = (values & half).astype(np.bool_)
        upper, lower = np.flatnonzero(is_upper), np.flatnonzero(~is_upper)
        passed = (upper & (2 * half - 1)).astype(small) - (steps[: len(upper)] & (half - 1))
        values = _split(values[lower], values[upper], half)
        counts = _split(counts[lower], counts[upper] + passed, half)
    by_value = np.empty(count, dtype=np.int64)
    by_value[values] = counts + _smaller_in_node(values)
    return by_value[ranks]


def _smaller_in_node(values: NDArray[Any]) -> NDArray[Any]:
    """For each entry, how many before it in its node of 2 ** NODE_BITS are smaller."""
    size = 1 << NODE_BITS
    whole = np.full(-(-len(values) // size) * size, np.iinfo(values.dtype).max, dtype=values.dtype)
    whole[: len(values)] = values
    columns = np.ascontiguousarray(whole.reshape(-1, size).T)
    found = np.zeros(columns.shape, dtype=np.int8)
    for later in range(1, size):
        for earlier in range(later):
            found[later] += columns[earlier] < columns[later]
    return found.T.reshape(-1)[: len(values)]


def _split(lower: NDArray[Any], upper: NDArray[Any], half: int) -> NDArray[Any]:
    """Nodes whose lower halves come before their upper ones; only the last node may be short."""
    full = len(upper) // half
    split = np.empty(len(lower) + len(upper), dtype=lower.dtype)
    nodes = split[: full * 2 * half].reshape(full, 2, half)
    nodes[:, 0] = lower[: full * half].reshape(full, half)
    nodes[:, 1] = upper[: full * half].reshape(full, half)
    rest = split[full * 2 * half :]
    rest[: len(lower) - full * half] = lower[full * half :]
    rest[len(lower) - full * half :] = upper[full * half :]
    return split


def hit_counts(distances: Int, capacities: Int) -> Int:
    """How many references hit in an LRU cache of each capacity (in entries); of 0 or less, none.

    >>> hit_counts(np.array([-1, 0, -1, -1, 2, 2]), np.array([0, 1, 2, 3])).tolist()
    [0, 1, 1, 3]
    """
    known = np.sort(distances[distances >= 0])
    return np.searchsorted(known, capacities, side="left").astype(np.int64)


def lru_ttl_hits(keys: Int, times_us: Int, capacity: int | None, ttl_us: int, *, from_last_hit: bool = False) -> Int:
    """For each request, in time order, the position of the entry that answers it; -1 is a miss.

    A miss inserts, and drops the least recently used entry where more than `capacity` would be
    held (None: never). A hit makes an entry the most recent. It lives while
    `time - inserted < ttl_us`, counted from its last hit where `from_last_hit`. Nothing is removed
    for its age alone: an expired entry keeps its place until it is dropped or asked for, which is
    then a miss that replaces it, as the most recent.

    >>> lru_ttl_hits(np.array([7, 8, 7, 9, 8]), np.arange(5), capacity=2, ttl_us=100).tolist()
    [-1, -1, 0, -1, -1]
    """
    if capacity is None:
        return exact_hits(keys, times_us, ttl_us, from_last_hit=from_last_hit)
    answers = np.full(len(keys), -1, dtype=np.int64)
    if capacity <= 0 or ttl_us <= 0:
        return answers
    held: OrderedDict[int, tuple[int, int]] = OrderedDict()  # key -> (position, end of life)
    for position, (key, time) in enumerate(zip(keys.tolist(), times_us.tolist(), strict=True)):
        entry = held.get(key)
        if entry is not None and time < entry[1]:
            answers[position] = entry[0]
            if from_last_hit:
                held[key] = (entry[0], time + ttl_us)
        else:
            held[key] = (position, time + ttl_us)
            if len(held) > capacity:
                held.popitem(last=False)
        if entry is not None:
            held.move_to_end(key)
    return answers
