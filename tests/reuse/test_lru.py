"""LRU against a list that is reordered at each reference, a tree of counts, and counts written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.reuse.exact import exact_hits
from costctl.reuse.lru import hit_counts, lru_ttl_hits, stack_distances

# Misses of the trace below, from a simulation with another structure: LRU of 1, 10, 50, 100, 500,
# 1,000 and 2,000 entries; then (capacity, TTL in s, from the last hit, misses).
GOLDEN_LRU = [19_829, 18_749, 16_769, 15_492, 9_951, 5_981, 1_980]
GOLDEN_TTL = [
    (50, 60, False, 18_008), (50, 60, True, 17_595), (50, 600, False, 16_823), (50, 600, True, 16_769),
    (500, 60, False, 18_008), (500, 600, False, 14_027), (500, 600, True, 13_127), (500, 6_000, False, 10_100),
    (500, 6_000, True, 9_951), (None, 600, False, 14_027), (None, 6_000, False, 6_773), (None, 6_000, True, 4_808),
]  # fmt: skip
KEYS = st.lists(st.integers(0, 7), max_size=60)
STEPS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40)


def by_stack(keys: list[int]) -> list[int]:
    stack: list[int] = []
    found = []
    for key in keys:
        found.append(stack.index(key) if key in stack else -1)
        stack = [key, *(other for other in stack if other != key)]
    return found


def by_tree(keys: list[int]) -> list[int]:
    """A Fenwick tree that holds a one at the last reference of every key."""
    tree = [0] * (len(keys) + 1)
    last: dict[int, int] = {}

    def add(place: int, value: int) -> None:
        while place < len(tree):
            tree[place] += value
            place += place & -place

    def total(place: int) -> int:
        value = 0
        while place:
            value += tree[place]
            place -= place & -place
        return value

    found = []
    for place, key in enumerate(keys, 1):
        found.append(total(place - 1) - total(last[key]) if key in last else -1)
        if key in last:
            add(last[key], -1)
        add(place, 1)
        last[key] = place
    return found


def by_list(entries: list[tuple[int, int]], capacity: int, ttl: int, *, from_last_hit: bool) -> list[int]:
    """A cache as a list of [key, position, born], the most recent last."""
    cache: list[list[int]] = []
    found = []
    for position, (key, time) in enumerate(entries):
        entry = next((entry for entry in cache if entry[0] == key), [key, position, time])
        is_held, is_fresh = entry in cache, time - entry[2] < ttl
        cache = [other for other in cache if other[0] != key]
        found.append(entry[1] if is_held and is_fresh else -1)
        if found[-1] == -1:
            entry = [key, position, time]
        elif from_last_hit:
            entry = [key, entry[1], time]
        cache = [*cache, entry][-capacity:] if capacity else []
    return found if ttl else [-1] * len(entries)


def table(steps: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.array([key for key, _ in steps], dtype=np.int64)
    return keys, np.cumsum(np.array([step for _, step in steps], dtype=np.int64))


@given(KEYS)
def test_distances_agree_with_both_oracles(keys: list[int]) -> None:
    found = stack_distances(np.array(keys, dtype=np.int64)).tolist()
    assert found == by_stack(keys) == by_tree(keys)


@pytest.mark.parametrize("count", [1, 2, 3, 127, 128, 129, 5_000])
@pytest.mark.parametrize("distinct", [1, 50, 3_000])
def test_distances_of_longer_logs(count: int, distinct: int) -> None:
    keys = np.random.default_rng(count).integers(0, distinct, count) - 7
    assert stack_distances(keys).tolist() == by_tree(keys.tolist())


@given(STEPS, st.integers(0, 6))
def test_one_pass_for_all_capacities_is_the_loop_at_each(steps: list[tuple[int, int]], capacity: int) -> None:
    keys, times = table(steps)
    distances = stack_distances(keys)
    answers = lru_ttl_hits(keys, times, capacity, ttl_us=10**9)
    assert ((distances >= 0) & (distances < capacity)).tolist() == (answers >= 0).tolist()
    assert hit_counts(distances, np.array([capacity])).tolist() == [(answers >= 0).sum()]


@pytest.mark.parametrize("from_last_hit", [False, True])
@given(STEPS, st.integers(0, 5), st.integers(0, 20))
def test_the_loop_agrees_with_the_oracle(
    from_last_hit: bool, steps: list[tuple[int, int]], capacity: int, ttl: int
) -> None:
    keys, times = table(steps)
    entries = list(zip(keys.tolist(), times.tolist(), strict=True))
    found = lru_ttl_hits(keys, times, capacity, ttl, from_last_hit=from_last_hit)
    assert found.tolist() == by_list(entries, capacity, ttl, from_last_hit=from_last_hit)


@pytest.mark.parametrize("from_last_hit", [False, True])
@given(STEPS, st.integers(0, 20))
def test_a_cache_that_holds_every_key_is_the_exact_cache(
    from_last_hit: bool, steps: list[tuple[int, int]], ttl: int
) -> None:
    keys, times = table(steps)
    found = exact_hits(keys, times, ttl, from_last_hit=from_last_hit).tolist()
    for capacity in (5, None):
        assert lru_ttl_hits(keys, times, capacity, ttl, from_last_hit=from_last_hit).tolist() == found


@given(STEPS, st.integers(1, 5), st.integers(1, 20), st.integers(0, 40))
def test_a_prefix_of_the_log_has_the_prefix_of_the_result(
    steps: list[tuple[int, int]], capacity: int, ttl: int, cut: int
) -> None:
    keys, times = table(steps)
    assert stack_distances(keys[:cut]).tolist() == stack_distances(keys)[:cut].tolist()
    found = lru_ttl_hits(keys, times, capacity, ttl)
    assert lru_ttl_hits(keys[:cut], times[:cut], capacity, ttl).tolist() == found[:cut].tolist()


def test_an_expired_entry_keeps_its_place() -> None:
    """7 is dead when 9 comes, and still it is 8, used before it, that must go."""
    keys, times = np.array([8, 7, 8, 7, 9, 8]), np.array([0, 0, 1, 2, 20, 21])
    assert lru_ttl_hits(keys, times, 2, 10).tolist() == [-1, -1, 0, 1, -1, -1]
    # Asked for after its death it is replaced where it lies, and is then the most recent.
    keys, times = np.array([8, 7, 8, 9, 8]), np.array([0, 5, 10, 11, 12])
    assert lru_ttl_hits(keys, times, 2, 10).tolist() == [-1, -1, -1, -1, 2]


def test_golden_misses() -> None:
    """Exact counts on a fixed trace: 20,000 references to 2,000 keys by a power law, 1 to 3 s apart."""
    keys, times = trace()
    capacities = np.array([1, 10, 50, 100, 500, 1_000, 2_000])
    misses = len(keys) - hit_counts(stack_distances(keys), capacities)
    assert misses.tolist() == GOLDEN_LRU
    for capacity, ttl_s, from_last_hit, count in GOLDEN_TTL:
        found = lru_ttl_hits(keys, times, capacity, ttl_s * 10**6, from_last_hit=from_last_hit)
        assert ((found < 0).sum(), capacity, ttl_s) == (count, capacity, ttl_s)


def trace() -> tuple[np.ndarray, np.ndarray]:
    """From a plain congruential generator, so that no release of numpy can change it."""
    state, draws = 12345, []
    for _ in range(40_000):
        state = (1_103_515_245 * state + 12_345) % 2**31
        draws.append(state >> 11)
    top = 2**20
    keys = [2_000 * draw**3 // top**3 for draw in draws[::2]]
    steps = [10**6 * (1 + draw % 3) for draw in draws[1::2]]
    return np.array(keys), np.cumsum(steps)


def test_more_room_and_more_time_never_answer_less() -> None:
    keys, times = trace()
    ttls_us = (60 * 10**6, 600 * 10**6)
    less, more = (lru_ttl_hits(keys, times, 2_000, ttl_us, from_last_hit=True) >= 0 for ttl_us in ttls_us)
    assert (less <= more).all()
    assert less.sum() < more.sum()
    counts = hit_counts(stack_distances(keys), np.arange(-1, 2_100))
    assert counts[0] == counts[1] == 0
    assert (np.diff(counts) >= 0).all()
