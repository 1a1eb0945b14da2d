"""The walk of a semantic cache through time, request by request.

One source for two engines, as `replay/kernel`: plain Python over lists, or machine code over arrays
where numba is installed. So the language here is small: whole numbers, indexing, loops.
`semantic_cache` fills the tuples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# What becomes of a request.
MISSED, SERVED, REFRESHED = 0, 1, 2
NONE = -1  # no node, entry, neighbour or bound
ITSELF = -2  # the entry of the node itself, instead of a place in the list of neighbours
ONE = 1_000_000_000  # similarity 1
DEAD = -(2**62)  # the end of life of what is not there: before any time
# Places in `NearState.numbers`.
HEAD, TAIL, SIZE = 0, 1, 2
NUMBERS = 3


class NearRules(NamedTuple):
    """What the policy says, and the graph: neighbours lie by node, the most similar first."""

    serve_min_ppb: int
    lowest_ppb: int
    capacity: int  # NONE: without end
    is_guarded: bool
    is_refresh_kept: bool
    offsets: Any
    neighbour: Any
    similarity_ppb: Any
    guard: Any  # by node


class NearRows(NamedTuple):
    """Columns over the requests of one chunk."""

    start: int  # position of the first request
    node: Any
    times_us: Any
    ttl_us: Any  # of what is kept at this time
    is_kept: Any


class NearState(NamedTuple):
    """The cache, by node."""

    numbers: Any
    entry: Any  # position of the request whose answer is kept
    until_us: Any  # its end of life, DEAD where there is none
    before: Any  # the nodes in order of use, for a cache of limited capacity
    after: Any


class NearTold(NamedTuple):
    """What became of each request of the chunk."""

    outcome: Any
    answered_by: Any
    similarity_ppb: Any


def walk_rows(rules: NearRules, rows: NearRows, state: NearState, told: NearTold) -> None:
    """Walk the requests of one chunk through the cache."""
    # Out of the tuples once: machine code counts the references to an array each time it is taken out.
    serve_min_ppb, lowest_ppb, capacity = rules.serve_min_ppb, rules.lowest_ppb, rules.capacity
    is_guarded, is_refresh_kept = rules.is_guarded, rules.is_refresh_kept
    offsets, neighbour, near_ppb, guard = rules.offsets, rules.neighbour, rules.similarity_ppb, rules.guard
    nodes, times_us, ttl_us, is_kept, start = rows.node, rows.times_us, rows.ttl_us, rows.is_kept, rows.start
    numbers, entry, until_us, before, after = state.numbers, state.entry, state.until_us, state.before, state.after
    outcome, answered_by, similarity_ppb = told.outcome, told.answered_by, told.similarity_ppb
    for row in range(len(nodes)):
        node = nodes[row]
        if node < 0:
            continue
        time_us = times_us[row]
        place = nearest(offsets, neighbour, near_ppb, guard, until_us, lowest_ppb, is_guarded, node, time_us)
        if place != NONE:
            used = node if place == ITSELF else neighbour[place]
            similarity = ONE if place == ITSELF else near_ppb[place]
            answered_by[row] = entry[used]
            similarity_ppb[row] = similarity
            if capacity != NONE:
                touch(numbers, before, after, used)
            if similarity >= serve_min_ppb:
                outcome[row] = SERVED
                continue
            outcome[row] = REFRESHED
            if not is_refresh_kept:
                continue
        if is_kept[row]:
            if capacity != NONE:
                make_room(numbers, entry, until_us, before, after, node, capacity)
            entry[node] = start + row
            until_us[node] = time_us + ttl_us[row]


def nearest(
    offsets: Any, neighbour: Any, near_ppb: Any, guard: Any, until_us: Any,
    lowest_ppb: int, is_guarded: bool, node: int, time_us: int,
) -> int:  # fmt: skip
    """The place of the most similar live neighbour of equal guard, ITSELF or NONE."""
    if time_us < until_us[node]:
        return ITSELF if lowest_ppb <= ONE else NONE  # above 1 not even the same prompt is near enough
    for place in range(offsets[node], offsets[node + 1]):
        if near_ppb[place] < lowest_ppb:
            return NONE
        other = neighbour[place]
        if time_us < until_us[other] and (not is_guarded or guard[other] == guard[node]):
            return place
    return NONE


def make_room(numbers: Any, entry: Any, until_us: Any, before: Any, after: Any, node: int, capacity: int) -> None:
    """Make the node the most recently used one; where it is new, the least recent one may have to leave."""
    if entry[node] >= 0:
        touch(numbers, before, after, node)
    else:
        oldest = add(numbers, before, after, node, capacity)
        if oldest >= 0:
            entry[oldest] = NONE
            until_us[oldest] = DEAD


def touch(numbers: Any, before: Any, after: Any, key: int) -> None:
    """Make the key the most recently used one."""
    if numbers[TAIL] == key:
        return
    if numbers[HEAD] == key:
        numbers[HEAD] = after[key]
    else:
        after[before[key]] = after[key]
    before[after[key]] = before[key]
    after[numbers[TAIL]] = key
    before[key] = numbers[TAIL]
    numbers[TAIL] = key


def add(numbers: Any, before: Any, after: Any, key: int, capacity: int) -> int:
    """Make a new key the most recently used one; gives back the one that had to leave, or NONE."""
    if numbers[SIZE] == 0:
        numbers[HEAD] = key
    else:
        after[numbers[TAIL]] = key
        before[key] = numbers[TAIL]
    numbers[TAIL] = key
    numbers[SIZE] += 1
    if numbers[SIZE] <= capacity:
        return NONE
    oldest: int = numbers[HEAD]
    numbers[HEAD] = after[oldest]
    numbers[SIZE] -= 1
    return oldest
