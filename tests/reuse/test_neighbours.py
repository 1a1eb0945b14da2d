"""The graph of near prompts: every pair, the same on any number of threads, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.reuse import neighbours as module
from costctl.reuse.neighbours import Visits, neighbours
from costctl.reuse.vectors import rounded, similarity_ppb, squared_norms


def heaps(count: int, dimensions: int, seed: int = 0, spread: float = 0.5):
    """Vectors in heaps, so that some are near; a few directions carry most, as in real ones."""
    draws = np.random.default_rng(seed)
    shape = 1 / np.sqrt(1 + np.arange(dimensions))
    middles = draws.normal(size=(max(1, count // 8), dimensions))
    return rounded(
        (middles[draws.integers(0, len(middles), count)] + spread * draws.normal(size=(count, dimensions))) * shape
    )


def every_pair(vectors, lowest, text=None, scope=None):
    """(node, neighbour, similarity) by looking at every pair in whole numbers."""
    text = np.arange(len(vectors)) if text is None else text
    scope = np.zeros(len(text), dtype=np.int64) if scope is None else scope
    table = vectors[text].astype(np.int64)
    dots = table @ table.T
    lengths = np.sqrt(np.maximum(np.outer(np.diag(dots), np.diag(dots)), 1).astype(np.float64))
    ppb = np.rint(dots / lengths * 1e9).astype(np.int64)
    wanted = (ppb >= lowest) & (scope[:, None] == scope[None, :])
    np.fill_diagonal(wanted, val=False)
    return {(one, other, int(ppb[one, other])) for one, other in np.argwhere(wanted).tolist()}


def as_set(graph):
    rows = np.repeat(np.arange(len(graph.offsets) - 1), np.diff(graph.offsets))
    return set(zip(rows.tolist(), graph.neighbour.tolist(), graph.similarity_ppb.tolist(), strict=True))


@pytest.mark.parametrize(("count", "dimensions"), [(0, 8), (1, 8), (700, 3), (1500, 64), (1500, 256)])
@pytest.mark.parametrize("lowest", [500_000_000, 800_000_000, 1_000_000_000])
def test_every_pair_is_found(count: int, dimensions: int, lowest: int) -> None:
    vectors = heaps(count, dimensions)
    assert as_set(neighbours(vectors, lowest)) == every_pair(vectors, lowest)


def test_texts_and_scopes_keep_nodes_apart() -> None:
    draws = np.random.default_rng(1)
    vectors = heaps(300, 100)
    text, scope = draws.integers(0, 300, 1700), draws.integers(0, 40, 1700)
    graph = neighbours(vectors, 700_000_000, text=text, scope=scope)
    assert as_set(graph) == every_pair(vectors, 700_000_000, text, scope)
    assert len(graph.neighbour) > 100


def test_neighbours_come_most_similar_first_and_of_equals_the_earliest() -> None:
    graph = neighbours(heaps(900, 4), 600_000_000)
    for start, stop in zip(graph.offsets[:-1].tolist(), graph.offsets[1:].tolist(), strict=True):
        order = list(
            zip((-graph.similarity_ppb[start:stop]).tolist(), graph.neighbour[start:stop].tolist(), strict=True)
        )
        assert order == sorted(order)


def test_threads_and_the_turn_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = heaps(2500, 256)
    one, two = neighbours(vectors, 800_000_000, threads=1), neighbours(vectors, 800_000_000, threads=2)
    monkeypatch.setattr(module, "KEPT_CHOICES", (16,))
    monkeypatch.setattr(module, "PER_PAIR_PS", 0)
    other = neighbours(vectors, 800_000_000, threads=2)
    monkeypatch.setattr(module, "_one_thread_for_blas", lambda: None)
    last = neighbours(vectors, 800_000_000)
    assert len(one.neighbour) > 1000
    for graph in (two, other, last):
        assert all((mine == yours).all() for mine, yours in zip(one, graph, strict=True))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_band_of_time_keeps_every_pair_that_meets_in_it(data) -> None:
    nodes = data.draw(st.integers(1, 12))
    order = data.draw(st.lists(st.integers(-1, nodes - 1), min_size=1, max_size=40))
    gaps = data.draw(st.lists(st.integers(0, 9), min_size=len(order), max_size=len(order)))
    ttl = data.draw(st.integers(1, 25))
    scope = np.array(data.draw(st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes)))
    vectors = np.full((nodes, 2), 5, dtype=np.int8)  # all alike: only time and scope decide
    node, times = np.array(order), np.cumsum(gaps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", data.draw(st.integers(1, 4)))
        patch.setattr(
            module, "_size", lambda blocks: 0 if any(not isinstance(block.rows, slice) for block in blocks) else 1
        )
        graph = neighbours(vectors, 900_000_000, scope=scope, visits=Visits(node, times), ttl_us=ttl)
    found = {(one, other) for one, other, _ in as_set(graph)}
    needed = {
        (int(node[one]), int(node[other]))
        for one in range(len(node)) for other in range(one)
        if node[one] >= 0 and node[other] >= 0 and node[one] != node[other]
        and scope[node[one]] == scope[node[other]] and times[one] - times[other] < ttl
    }  # fmt: skip
    assert needed <= found
    assert found <= {(one, other) for one in range(nodes) for other in range(nodes) if scope[one] == scope[other]}


def test_a_short_band_looks_at_few_pairs() -> None:
    """A prompt an hour for 4,000 hours, and a life of ten: blocks see what is near in time, not all before."""
    count = 4_000
    nodes = np.arange(count)
    visits = Visits(nodes, nodes * 3600)
    blocks = module._banded_blocks(np.zeros(count, dtype=np.int64), nodes, visits, 36_000)
    assert module._size(blocks) < count * (module.ROWS + 20)
    assert module._size(module._all_blocks(np.zeros(count, dtype=np.int64))) > count * count // 2


def test_memory_grows_with_the_prompts_and_not_with_their_pairs() -> None:
    vectors = heaps(30_000, 256, spread=2.0)
    neighbours(vectors[:100], 800_000_000)
    tracemalloc.start()
    neighbours(vectors, 800_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All products of so many would be 1.7 GiB in half of a square. Per prompt: 72 to 200 numbers of four bytes.
    assert peak < 180 * 2**20


def test_dot_products_are_exact_where_the_vectors_are_long() -> None:
    """3,072 dimensions: entries are made smaller, so that single precision still counts exactly."""
    vectors = rounded(np.random.default_rng(2).normal(size=(40, 3072)) + 2)
    norms = squared_norms(vectors)
    one, other = np.triu_indices(40)
    exact = (vectors.astype(np.int64) @ vectors.astype(np.int64).T)[one, other]
    assert norms.max() < 2**24
    expected = np.rint(exact / np.sqrt((norms[one] * norms[other]).astype(np.float64)) * 1e9)
    assert similarity_ppb(vectors, norms, one, other).tolist() == expected.tolist()
