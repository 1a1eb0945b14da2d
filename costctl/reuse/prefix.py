"""The prefix cache over a log that names the blocks of its prompts, as inference servers keep it.

All blocks of all requests lie in one array, `offsets` (requests + 1 of them) says where each
request begins. A block's id names the whole prefix that ends with it, so it occurs once in a
request. A block is served where every block before it in its request is served too. Served or
not, all blocks of a request are held afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costctl.reuse.lru import last_seen, stack_distances

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
NEVER = np.iinfo(np.int64).max


def block_tokens(input_tokens: Int, offsets: Int, block_size: int) -> Int:
    """The tokens of each block: the block size, and for a request's last block what is left.

    >>> block_tokens(np.array([1200, 512]), np.array([0, 3, 4]), 512).tolist()
    [512, 512, 176, 512]
    """
    counts = np.diff(offsets)
    assert (counts == -(-input_tokens // block_size)).all(), "the blocks of a request do not add up to its input"
    tokens = np.full(int(offsets[-1]), block_size, dtype=np.int64)
    is_filled = counts > 0
    tokens[offsets[1:][is_filled] - 1] -= (counts * block_size - input_tokens)[is_filled]
    return tokens


def prefix_hits(blocks: Int, offsets: Int, times_us: Int, ttl_us: int | Int | None = None) -> Bool:
    """For each block whether a cache of any size serves it; requests in time order.

    A block lives while `time - last used < ttl_us` (None: for ever; one for all or one for each
    request). A use is any request that holds the block; a second time in one request serves nobody.

    >>> prefix_hits(np.array([1, 2, 1, 2, 1, 3, 2]), np.array([0, 2, 4, 7]), np.array([0, 5, 9])).tolist()
    [False, False, True, True, True, False, False]
    """
    last = last_seen(blocks)
    counts = np.diff(offsets)
    starts = _starts(offsets)
    is_missing = (last < 0) | (last >= starts)
    if ttl_us is not None:
        times = np.repeat(times_us, counts)
        is_missing |= times - times[last] >= (np.repeat(ttl_us, counts) if isinstance(ttl_us, np.ndarray) else ttl_us)
    places = np.arange(len(blocks))
    latest_gap = np.maximum.accumulate(np.where(is_missing, places, -1))
    return latest_gap < starts


def capacities_needed(blocks: Int, offsets: Int) -> Int:
    """For each block the smallest LRU cache, in blocks, that serves it; NEVER where none does.

    The cache is touched block by block from the front of a request to its end, so the end of a
    prefix is dropped last. One pass for all capacities: see `served_counts`.

    >>> capacities_needed(np.array([1, 2, 1, 2]), np.array([0, 2, 4])).tolist()
    [9223372036854775807, 9223372036854775807, 2, 2]
    """
    count = len(blocks)
    distances = stack_distances(blocks)
    needs = np.where(distances < 0, count + 1, distances + 1)
    # The greatest so far within each request: requests are kept apart by adding more than any need.
    lift = np.repeat(np.arange(len(offsets) - 1) * (count + 2), np.diff(offsets))
    needs = np.maximum.accumulate(needs + lift) - lift
    return np.where(needs > count, NEVER, needs)


def served_counts(needs: Int, capacities: Int, tokens: Int | None = None) -> Int:
    """How many blocks, or how many of their `tokens`, are served at each capacity."""
    order = np.argsort(needs, kind="stable")
    weights = np.ones(len(needs), dtype=np.int64) if tokens is None else tokens[order]
    sums = np.concatenate(([0], np.cumsum(weights)))
    counts: Int = sums[np.searchsorted(needs[order], capacities, side="right")]
    return counts


def served_per_request(is_served: Bool, offsets: Int, tokens: Int) -> tuple[Int, Int]:
    """For each request the served blocks and the served tokens."""
    blocks = np.concatenate(([0], np.cumsum(is_served, dtype=np.int64)))
    sums = np.concatenate(([0], np.cumsum(np.where(is_served, tokens, 0), dtype=np.int64)))
    return np.diff(blocks[offsets]), np.diff(sums[offsets])


def _starts(offsets: Int) -> Int:
    """For each block the place where its request begins."""
    return np.repeat(offsets[:-1], np.diff(offsets))
