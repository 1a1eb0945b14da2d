"""The prefix cache against sets and dictionaries, and on Mooncake's own trace."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.reuse.prefix import (
    NEVER,
    block_tokens,
    capacities_needed,
    prefix_hits,
    served_counts,
    served_per_request,
)
from tests.support import SHARED

TRACE = SHARED / "data" / "mooncake_conversation" / "conversation_trace.jsonl.gz"
# A request is a path down a tree of two branches: its blocks are the names of the path's beginnings.
PATHS = st.lists(st.tuples(st.text("ab", max_size=5), st.integers(0, 6)), max_size=25)
SIZE = 16


class Log(NamedTuple):
    blocks: np.ndarray
    offsets: np.ndarray
    times_us: np.ndarray
    tokens: np.ndarray


def flat(requests: list[list[int]], times: list[int], inputs: list[int], size: int) -> Log:
    offsets = np.cumsum([0, *map(len, requests)])
    blocks = np.array([block for blocks in requests for block in blocks], dtype=np.int64)
    tokens = block_tokens(np.array(inputs, dtype=np.int64), offsets, size)
    return Log(blocks, offsets, np.array(times, dtype=np.int64), tokens)


def drawn(paths: list[tuple[str, int]]) -> tuple[Log, list[list[int]]]:
    requests = [[int.from_bytes(path[:end].encode()) for end in range(1, len(path) + 1)] for path, _ in paths]
    times = np.cumsum([step for _, step in paths]).tolist()
    inputs = [max(len(path) * SIZE - step, 0) for path, step in paths]
    return flat(requests, times, inputs, SIZE), requests


def with_ttl(requests: list[list[int]], times: list[int], ttl: int | None) -> list[int]:
    """The served blocks of each request, from a dictionary of when each block was last used."""
    used: dict[int, int] = {}
    counts = []
    for blocks, time in zip(requests, times, strict=True):
        count = 0
        while count < len(blocks) and blocks[count] in used and (ttl is None or time - used[blocks[count]] < ttl):
            count += 1
        counts.append(count)
        used.update(dict.fromkeys(blocks, time))
    return counts


def with_lru(requests: list[list[int]], capacity: int) -> list[int]:
    held: OrderedDict[int, None] = OrderedDict()
    counts = []
    for blocks in requests:
        found = []
        for block in blocks:
            found.append(block in held)
            held[block] = None
            held.move_to_end(block)
            while len(held) > capacity:
                held.popitem(last=False)
        counts.append([*found, False].index(False))
    return counts


@given(PATHS, st.none() | st.integers(0, 20))
def test_a_time_to_live_agrees_with_the_oracle(paths: list[tuple[str, int]], ttl: int | None) -> None:
    log, requests = drawn(paths)
    is_served = prefix_hits(log.blocks, log.offsets, log.times_us, ttl)
    blocks, tokens = served_per_request(is_served, log.offsets, log.tokens)
    assert blocks.tolist() == with_ttl(requests, log.times_us.tolist(), ttl)
    inputs = np.add.reduceat(np.append(log.tokens, 0), log.offsets[:-1]) if paths else log.tokens
    full = [len(blocks) for blocks in requests]
    expected = [
        total if count == most and most else count * SIZE
        for count, most, total in zip(blocks.tolist(), full, inputs.tolist(), strict=True)
    ]
    assert tokens.tolist() == expected


@given(PATHS, st.integers(0, 14))
def test_every_capacity_agrees_with_the_oracle(paths: list[tuple[str, int]], capacity: int) -> None:
    log, requests = drawn(paths)
    needs = capacities_needed(log.blocks, log.offsets)
    blocks, tokens = served_per_request(needs <= capacity, log.offsets, log.tokens)
    assert blocks.tolist() == with_lru(requests, capacity)
    assert served_counts(needs, np.array([capacity])).tolist() == [blocks.sum()]
    assert served_counts(needs, np.array([capacity]), log.tokens).tolist() == [tokens.sum()]


@given(PATHS, st.integers(0, 25), st.integers(1, 9))
def test_what_comes_later_changes_nothing(paths: list[tuple[str, int]], cut: int, ttl: int) -> None:
    whole, first = drawn(paths)[0], drawn(paths[:cut])[0]
    end = len(first.blocks)
    assert (capacities_needed(*whole[:2])[:end] == capacities_needed(*first[:2])).all()
    assert (prefix_hits(*whole[:3], ttl)[:end] == prefix_hits(*first[:3], ttl)).all()


@given(PATHS)
def test_more_time_and_more_room_never_serve_less(paths: list[tuple[str, int]]) -> None:
    log, _ = drawn(paths)
    ever = prefix_hits(*log[:3])
    assert not prefix_hits(*log[:3], 0).any()
    assert not (prefix_hits(*log[:3], 3) & ~prefix_hits(*log[:3], 7)).any()
    assert not (prefix_hits(*log[:3], 7) & ~ever).any()
    needs = capacities_needed(*log[:2])
    assert ((needs < NEVER) == ever).all()


def test_each_request_may_have_its_own_time_to_live_and_a_block_serves_itself_never() -> None:
    blocks, offsets = np.array([1, 2, 1, 2, 7, 7, 7, 7]), np.array([0, 2, 4, 6, 8])
    times = np.array([0, 5, 5, 5])
    assert prefix_hits(blocks, offsets, times, np.array([9, 5, 9, 9])).tolist()[:4] == [False] * 4
    assert prefix_hits(blocks, offsets, times, np.array([0, 6, 0, 9])).tolist()[:4] == [False, False, True, True]
    # The second 7 of a request is no evidence of an earlier request.
    assert prefix_hits(blocks, offsets, times).tolist()[4:] == [False, False, True, False]


def test_blocks_must_add_up() -> None:
    with pytest.raises(AssertionError, match="do not add up"):
        block_tokens(np.array([1_025]), np.array([0, 2]), 512)


@pytest.mark.shared
@pytest.mark.skipif(not TRACE.is_file(), reason="the trace is not beside this checkout")
def test_mooncake_conversation() -> None:
    """Blocks over all blocks, partial last ones as one each; tokens over all input, the last with what it holds."""
    rows = [orjson.loads(line) for line in gzip.decompress(TRACE.read_bytes()).splitlines()]
    log = flat(
        [row["hash_ids"] for row in rows],
        [row["timestamp"] * 1_000 for row in rows],
        [row["input_length"] for row in rows],
        512,
    )
    assert (len(rows), len(log.blocks), log.tokens.sum()) == (12_031, 288_500, 144_793_823)
    is_served = prefix_hits(*log[:3])
    blocks, tokens = served_per_request(is_served, log.offsets, log.tokens)
    assert (blocks.sum(), tokens.sum()) == (105_710, 54_098_411)
    assert percent(blocks.sum(), 288_500) == 36.64
    assert percent(tokens.sum(), 144_793_823) == 37.36
    minutes = log.tokens[prefix_hits(*log[:3], 300_000_000)].sum()
    assert percent(minutes, 144_793_823) == 29.31
    counts = served_counts(capacities_needed(*log[:2]), np.array([1_000, 10_000, 30_000, 50_000, 100_000, 288_500]))
    assert counts.tolist() == [12_831, 60_921, 93_967, 102_290, 104_924, 105_710]
    assert [percent(count, 288_500) for count in counts] == [4.45, 21.12, 32.57, 35.46, 36.37, 36.64]


def percent(part: int, whole: int) -> float:
    return round(100 * int(part) / whole, 2)
