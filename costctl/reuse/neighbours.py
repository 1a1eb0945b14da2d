"""All pairs of prompts that are at least so similar, exactly: the graph over which a semantic cache is replayed.

A pair is looked at in few dimensions first. The vectors are turned so that the leading ones carry most
of the length; of the rest only the length of each group is kept. Then the product of the short vectors is never below
the product of the long ones (Cauchy and Schwarz, group by group), so what stays below the lowest
threshold there can be left out, and only the remaining pairs are multiplied in full, in whole numbers.
Turning and threads change which pairs are looked at twice, never what is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from importlib import import_module, util
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.reuse.vectors import ONE, Int, Int32, Real, Vectors, similarity_ppb, squared_norms

Single = NDArray[np.float32]

GROUPS = 8  # of the dimensions that are not kept
KEPT_CHOICES = (48, 64, 96, 128, 192)
# A product of one dimension, and looking at a pair in full, in picoseconds: only their ratio matters.
PER_DIMENSION_PS, PER_PAIR_PS = 15, 120_000
TRIED = 2_048  # vectors whose pairs say how many dimensions are worth keeping
SAMPLE = 20_000  # so many vectors say how to turn them
ROWS, COLUMNS = 512, 2_048  # a block of products stays in the processor's cache
# Far more than single precision can lose in so short a sum.
SLACK = 1e-4
PART_VECTORS = 16_384


class Graph(NamedTuple):
    """For each node its neighbours, most similar first, of equals the one that came first in the log."""

    offsets: Int  # one more than there are nodes
    neighbour: Int32
    similarity_ppb: Int32


class Visits(NamedTuple):
    """The requests in time order: which node each asks for (-1: none), and when."""

    node: Int
    times_us: Int


class Pairs(NamedTuple):
    """Pairs of nodes and their similarity."""

    one: NDArray[np.integer[Any]]
    other: NDArray[np.integer[Any]]
    similarity_ppb: Int32


class _Work(NamedTuple):
    """What every block needs. Places are nodes sorted by scope, and by number within a scope."""

    short: Single  # by place, of unit length in the full space
    scope: Int  # by place
    text: Int  # by place: the row of its vector
    vectors: Vectors
    norms: Int
    lowest_ppb: int


class _Block(NamedTuple):
    """Some places against others: a run of neighbouring places, or chosen ones."""

    rows: slice | Int
    columns: slice | Int


def neighbours(
    vectors: Vectors,
    lowest_ppb: int,
    *,
    text: Int | None = None,
    scope: Int | None = None,
    visits: Visits | None = None,
    ttl_us: int | None = None,
    threads: int = 2,
) -> Graph:
    """Every pair of nodes of one scope whose similarity is `lowest_ppb` (above 0) or more.

    Nodes are numbered in the order in which they first appear. `text` gives the vector of each node,
    `scope` its scope; without them every vector is a node of one scope. With `visits` and `ttl_us`
    pairs that no two visits bring within less than `ttl_us` of each other may be left out.
    """
    assert 0 < lowest_ppb <= ONE, lowest_ppb
    count = len(vectors) if text is None else len(text)
    nodes = np.arange(count, dtype=np.int64)
    text = nodes if text is None else text
    order = nodes if scope is None else np.argsort(scope, kind="stable")
    norms = squared_norms(vectors)
    short = _shortened(vectors, norms, lowest_ppb)
    is_plain = scope is None and text is nodes
    work = _Work(
        short if is_plain else short[text[order]], np.zeros(count, dtype=np.int64) if scope is None else scope[order],
        text[order], vectors, norms, lowest_ppb,
    )  # fmt: skip
    del short
    blocks = _all_blocks(work.scope)
    if visits is not None and ttl_us is not None:
        place = np.empty(count, dtype=np.int64)
        place[order] = nodes
        blocks = min(blocks, _banded_blocks(work.scope, place, visits, ttl_us), key=_size)
    pairs = _searched(work, blocks, threads)
    return graph_of(count, Pairs(order[pairs.one], order[pairs.other], pairs.similarity_ppb))


def _shortened(vectors: Vectors, norms: Int, lowest_ppb: int) -> Single:
    """Unit vectors in few dimensions whose products are never below those of the full ones."""
    count, dimensions = vectors.shape
    turn = _turn(vectors, norms)
    kept = _kept(_units(vectors, norms, slice(0, count, max(1, count // TRIED))) @ turn, lowest_ppb)
    short = np.empty((count, kept + min(GROUPS, dimensions - kept)), dtype=np.float32)
    for start in range(0, count, PART_VECTORS):
        part = slice(start, start + PART_VECTORS)
        short[part] = _short(_units(vectors, norms, part) @ turn, kept)
    return short


def _units(vectors: Vectors, norms: Int, part: slice) -> Real:
    units: Real = vectors[part] / np.sqrt(np.maximum(norms[part], 1))[:, None]
    return units


def _turn(vectors: Vectors, norms: Int) -> Real:
    """The directions in which a sample of the vectors is longest, the longest first."""
    sample = _units(vectors, norms, slice(0, len(vectors), max(1, len(vectors) // SAMPLE)))
    directions: Real = np.linalg.eigh(sample.T @ sample)[1][:, ::-1]
    return directions


def _short(turned: Real, kept: int) -> Single:
    """The kept dimensions, and the length of each group of the others."""
    if kept >= turned.shape[1]:
        return turned.astype(np.float32)
    groups = np.linspace(kept, turned.shape[1], GROUPS + 1).astype(np.int64)[:-1]
    lengths = np.sqrt(np.add.reduceat(np.square(turned), np.unique(groups), axis=1))
    return np.concatenate((turned[:, :kept], lengths), axis=1).astype(np.float32)


def _kept(turned: Real, lowest_ppb: int) -> int:
    """How many dimensions to keep: few make the products cheap, many leave fewer pairs to look at in full."""
    dimensions = turned.shape[1]
    best, least = int(dimensions), int(dimensions) * PER_DIMENSION_PS
    for kept in KEPT_CHOICES:
        if kept + GROUPS < dimensions:
            short = _short(turned, kept)
            share = np.count_nonzero(short @ short.T >= lowest_ppb / ONE) / len(short) ** 2 if len(short) else 0
            cost = (kept + GROUPS) * PER_DIMENSION_PS + share * PER_PAIR_PS
            if cost < least:
                best, least = kept, int(cost)
    return best


def _all_blocks(scope: Int) -> list[_Block]:
    """Every place against all earlier ones of its scope."""
    first = np.searchsorted(scope, scope, side="left")
    return [
        _Block(slice(start, min(start + ROWS, len(scope))), slice(int(first[start]), min(start + ROWS, len(scope))))
        for start in range(0, len(scope), ROWS)
    ]


def _banded_blocks(scope: Int, place: Int, visits: Visits, ttl_us: int) -> list[_Block]:
    """Places that come (again) after at least `ttl_us`, against those seen within less than it.

    A run of a place is a series of visits less than `ttl_us` apart. Where two places meet within less than `ttl_us`,
    the later of the beginnings of their two runs sees the other run within less than `ttl_us`: so it is
    enough to look where runs begin.
    """
    asked = np.flatnonzero(visits.node >= 0)
    places, times = place[visits.node[asked]], visits.times_us[asked]
    order = np.argsort(scope[places], kind="stable")
    places, times = places[order], times[order]
    scopes = scope[places]
    last = _last_of(places)
    begins = np.flatnonzero((last < 0) | (times - times[last] >= ttl_us))
    oldest = _first_within(scopes, times, begins, ttl_us)
    blocks = []
    for start in range(0, len(begins), ROWS):
        rows = begins[start : start + ROWS]
        low, high = int(oldest[start]), int(rows[-1]) + 1
        seen = places[low:high][last[low:high] < low]
        blocks.append(_Block(places[rows], seen))
    return blocks


def _last_of(places: Int) -> Int:
    """For each visit the one before it of the same place; -1 for a first one."""
    order = np.argsort(places, kind="stable")
    is_same = places[order[1:]] == places[order[:-1]]
    last = np.full(len(places), -1, dtype=np.int64)
    last[order[1:][is_same]] = order[:-1][is_same]
    return last


def _first_within(scopes: Int, times: Int, at: Int, ttl_us: int) -> Int:
    """For each of these visits the first one of its scope that is less than `ttl_us` older."""
    first = np.searchsorted(scopes, scopes[at], side="left")
    # Scopes are laid one behind the other on one line of time, further apart than any time to live.
    span = int(times.max(initial=0) - times.min(initial=0)) + 1
    code = np.unique(scopes, return_inverse=True)[1]
    line = (times - times.min(initial=0)) + code * (span + 1)
    within: Int = np.maximum(first, np.searchsorted(line, line[at] - min(ttl_us, span), side="right"))
    return within


def _size(blocks: list[_Block]) -> int:
    """How many products the blocks ask for."""
    return sum(_length(block.rows) * _length(block.columns) for block in blocks)


def _length(places: slice | Int) -> int:
    return places.stop - places.start if isinstance(places, slice) else len(places)


def _searched(work: _Work, blocks: list[_Block], threads: int) -> Pairs:
    """The pairs of all blocks, the later place first, each pair once."""
    none = np.zeros(0, dtype=np.int32)
    parts = [Pairs(none, none, none), *_each(work, blocks, threads)]
    one, other, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
    if all(isinstance(block.rows, slice) for block in blocks):
        return Pairs(one, other, similarity)
    key = one.astype(np.int64) << 32 | other
    _, chosen = np.unique(key, return_index=True)
    return Pairs(one[chosen], other[chosen], similarity[chosen])


def _each(work: _Work, blocks: list[_Block], threads: int) -> Iterator[Pairs]:
    limits = _one_thread_for_blas()
    if limits is None or threads < 2:
        yield from (_block_pairs(work, block) for block in blocks)
        return
    with limits, ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda block: _block_pairs(work, block), blocks)


def _one_thread_for_blas() -> AbstractContextManager[Any] | None:
    """Our threads each use one of BLAS; where that cannot be said to it, BLAS uses its own on one of ours."""
    if not util.find_spec("threadpoolctl"):
        return None
    limits: AbstractContextManager[Any] = import_module("threadpoolctl").threadpool_limits(limits=1, user_api="blas")
    return limits


def _block_pairs(work: _Work, block: _Block) -> Pairs:
    rows = np.ascontiguousarray(work.short[block.rows])
    columns = work.short[block.columns]
    row_places, column_places = _places(block.rows), _places(block.columns)
    bound = np.float32(work.lowest_ppb / ONE - SLACK)
    ones, others = [], []
    product = np.empty((len(rows), COLUMNS), dtype=np.float32)
    for start in range(0, len(columns), COLUMNS):
        part = columns[start : start + COLUMNS]
        out = product[:, : len(part)] if len(part) == COLUMNS else np.empty((len(rows), len(part)), dtype=np.float32)
        np.matmul(rows, part.T, out=out)
        hits = np.flatnonzero(out >= bound)
        row, column = np.divmod(hits, len(part))
        ones.append(row_places[row])
        others.append(column_places[start + column])
    one, other = np.concatenate(ones), np.concatenate(others)
    is_wanted = (work.scope[one] == work.scope[other]) & (
        one > other if isinstance(block.rows, slice) else one != other
    )
    one, other = one[is_wanted], other[is_wanted]
    similarity = similarity_ppb(work.vectors, work.norms, work.text[one], work.text[other])
    is_near = similarity >= work.lowest_ppb
    one, other = one[is_near], other[is_near]
    return Pairs(
        np.maximum(one, other).astype(np.int32), np.minimum(one, other).astype(np.int32), similarity[is_near]
    )  # fmt: skip


def _places(places: slice | Int) -> Int:
    return np.arange(places.start, places.stop) if isinstance(places, slice) else places


def graph_of(count: int, pairs: Pairs) -> Graph:
    """The graph of so many nodes; each pair stands once, and here in both directions, most similar first."""
    row = np.concatenate((pairs.one, pairs.other)).astype(np.int64)
    neighbour = np.concatenate((pairs.other, pairs.one)).astype(np.int32)
    similarity = np.concatenate((pairs.similarity_ppb, pairs.similarity_ppb))
    order = np.lexsort((neighbour, -similarity, row))
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=count), out=offsets[1:])
    return Graph(offsets, neighbour[order], similarity[order])
