"""The semantic cache beside what one would take otherwise: blocked BLAS, usearch, hnswlib, faiss, plain Python.

Texts are those of the shared sets, and forms of them, so that the vectors are like real ones. usearch,
hnswlib and faiss are only needed here; a baseline that is not installed is left out.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import util
from typing import Any

import numpy as np

from costctl.reuse.embed import embed
from costctl.reuse.neighbours import Graph, Visits, neighbours
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, replay, sweep
from costctl.reuse.vectors import squared_norms
from tests.reuse.sets import SETS

LOWEST_PPB = 800_000_000
DAY_US = 86_400_000_000
FORMS = (
    "{} please",
    "hi, {}",
    "can you tell me: {}",
    "por favor, {}",
    "{} thanks",
    "hello! {}",
    "{} (ref {})",
    "{} {}",
)


@cache
def texts(count: int) -> list[str]:
    """So many distinct texts: real ones, then forms of them and pairs of two."""
    draws = np.random.default_rng(0)
    pool = list(dict.fromkeys(text for rows in SETS.values() for text in rows().texts))
    pool = [pool[place] for place in draws.permutation(len(pool))]
    made = dict.fromkeys(pool[:count])
    while len(made) < count:
        form = FORMS[draws.integers(len(FORMS))]
        second = int(draws.integers(100_000)) if "ref" in form else pool[draws.integers(len(pool))]
        made[form.format(pool[draws.integers(len(pool))], second)] = None
    return list(made)


def log(count: int, distinct: int, days: int = 90) -> Visits:
    """Requests at random times; popular texts come back (rank law, exponent 0.75)."""
    draws = np.random.default_rng(1)
    weights = np.arange(1, distinct + 1) ** -0.75
    asked = draws.choice(distinct, count, p=weights / weights.sum())
    # The popular ones are spread over the numbers, and numbers go by first appearance.
    _, first, code = np.unique(asked, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return Visits(rank[code], np.sort(draws.integers(0, days * DAY_US, count)))


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time of one run, and what it gave; the processor's time is printed beside it."""
    started, spent = time.perf_counter(), time.process_time()
    found = work()
    taken = time.perf_counter() - started
    print(f"  {taken:.2f} s, processor {time.process_time() - spent:.2f} s, load {os.getloadavg()[0]:.1f}")
    return taken, found


def blocked_blas(vectors: Any) -> int:
    """Plain products of every pair in blocks: how many reach the threshold."""
    units = (vectors / np.sqrt(np.maximum(squared_norms(vectors), 1))[:, None]).astype(np.float32)
    found = 0
    for start in range(0, len(units), 512):
        stop = min(start + 512, len(units))
        for column in range(0, stop, 2048):
            end = min(column + 2048, stop)
            row, place = np.nonzero(units[start:stop] @ units[column:end].T >= LOWEST_PPB / 1e9)
            found += int(np.count_nonzero(place + column < row + start))
    return found


def usearch_pairs(vectors: Any) -> int:
    """The 32 nearest of each by HNSW over int8, and their exact similarity."""
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="cos", dtype="i8")
    table = vectors.astype(np.float32)
    units = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1)
    index.add(np.arange(len(units)), units, threads=2)
    keys = np.asarray(index.search(units, 33, threads=2).keys, dtype=np.int64)
    found = 0
    for start in range(0, len(units), 4096):
        part = keys[start : start + 4096]
        near = np.einsum("id,ikd->ik", units[start : start + 4096], units[part]) >= LOWEST_PPB / 1e9
        found += int(np.count_nonzero(near & (part < np.arange(start, start + len(part))[:, None])))
    return found


def neighbours_beside(count: int = 100_000) -> dict[str, float]:
    """Seconds and pairs of ours, of blocked BLAS and of usearch, on the same vectors."""
    vectors = embed(texts(count)).vectors
    told: dict[str, float] = {}
    told["ours_s"], graph = seconds(lambda: neighbours(vectors, LOWEST_PPB))
    told["ours_pairs"] = len(graph.neighbour) // 2
    told["blas_s"], told["blas_pairs"] = seconds(lambda: blocked_blas(vectors))
    if util.find_spec("usearch"):
        told["usearch_s"], told["usearch_pairs"] = seconds(lambda: usearch_pairs(vectors))
    return told


def peak_mib_of_neighbours(count: int = 434_000) -> float:
    """Peak memory of a process that searches so many vectors, made in it; embedding is not part of it."""
    code = f"""
import numpy as np, resource
from costctl.reuse.neighbours import neighbours
draws = np.random.default_rng(0)
vectors = np.empty(({count}, 256), dtype=np.int8)
shape = 40 / np.sqrt(1 + np.arange(256) / 8)
middles = draws.normal(size=({count} // 4, 256))
for start in range(0, {count}, 8192):
    part = vectors[start : start + 8192]
    rows = middles[draws.integers(0, len(middles), len(part))] + 0.7 * draws.normal(size=part.shape)
    part[:] = np.rint(rows * shape / 2).clip(-127, 127)
del middles
neighbours(vectors, {LOWEST_PPB})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def hundred_policies() -> list[SemanticPolicy]:
    """Ten thresholds, five times to live, two capacities, all with refreshing."""
    return [
        SemanticPolicy(800_000_000 + step * 19_000_000, ((None, days * DAY_US),), LOWEST_PPB, capacity)
        for step in range(1, 11) for days in (1, 3, 7, 30, 90) for capacity in (None, 10_000)
    ]  # fmt: skip


def hnswlib_loop(vectors: Any, visits: Visits, serve_min: float) -> int:
    """What one writes first: an index, asked and filled request by request; how many were served."""
    import hnswlib

    index = hnswlib.Index(space="cosine", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=100)
    index.set_ef(64)
    index.set_num_threads(1)
    table, held, served = vectors.astype(np.float32), set(), 0
    for node in visits.node.tolist():
        if node in held:
            served += 1
            continue
        if held:
            _, distance = index.knn_query(table[node : node + 1], 1)
            if 1 - distance[0, 0] >= serve_min:
                served += 1
                continue
        index.add_items(table[node : node + 1], [node])
        held.add(node)
    return served


def faiss_loop(vectors: Any, visits: Visits, serve_min: float) -> int:
    """The same over a flat faiss index: exact, and linear in what it holds."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    table = vectors.astype(np.float32)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1)
    held: set[int] = set()
    served = 0
    for node in visits.node.tolist():
        if node in held:
            served += 1
            continue
        if held:
            similarity, _ = index.search(table[node : node + 1], 1)
            if similarity[0, 0] >= serve_min:
                served += 1
                continue
        index.add(table[node : node + 1])
        held.add(node)
    return served


def sweep_beside(count: int = 80_000, distinct: int = 60_000) -> dict[str, float]:
    """100 policies over one graph, one policy in plain Python, and one policy of the loops over an index.

    The join is part of the first two; embedding is part of none.
    """
    visits = log(count, distinct)
    vectors = embed(texts(int(visits.node.max()) + 1)).vectors
    asked = Requests(visits, np.ones(count, dtype=np.bool_), np.zeros(len(vectors), dtype=np.int64))
    policies = hundred_policies()
    told: dict[str, float] = {}
    told["join_s"], graph = seconds(lambda: neighbours(vectors, LOWEST_PPB))
    told["hundred_s"], _ = seconds(lambda: [served.served_count for served in sweep(graph, asked, policies)])
    told["hundred_again_s"], _ = seconds(lambda: [served.served_count for served in sweep(graph, asked, policies)])
    told["one_plain_s"], _ = seconds(lambda: replay(graph, asked, policies[20], is_compiled=False).served_count)
    forever = SemanticPolicy(900_000_000, ((None, 1000 * DAY_US),), is_guarded=False)
    told["ours_served"] = replay(graph, asked, forever).served_count
    for name, loop in (("hnswlib", hnswlib_loop), ("faiss", faiss_loop)):
        if util.find_spec(name):
            told[f"{name}_one_s"], told[f"{name}_served"] = seconds(lambda loop=loop: loop(vectors, visits, 0.9))
    told["sweep_over_one_plain"] = (told["join_s"] + told["hundred_s"]) / (told["join_s"] + told["one_plain_s"])
    return told


def band_beside(count: int = 1_000_000, distinct: int = 700_000, hours: int = 24) -> dict[str, float]:
    """A time to live of a day over 90 days: the band against all pairs, and whether anything is decided otherwise."""
    visits = log(count, distinct)
    vectors = embed(texts(int(visits.node.max()) + 1)).vectors
    asked = Requests(visits, np.ones(count, dtype=np.bool_), np.zeros(len(vectors), dtype=np.int64))
    ttl_us = hours * 3_600_000_000
    told: dict[str, float] = {"distinct": len(vectors)}
    told["band_s"], band = seconds(lambda: neighbours(vectors, LOWEST_PPB, visits=visits, ttl_us=ttl_us))
    told["all_s"], whole = seconds(lambda: neighbours(vectors, LOWEST_PPB))
    told["band_pairs"], told["all_pairs"] = len(band.neighbour) // 2, len(whole.neighbour) // 2
    told["differences"] = differences(band, whole, asked, SemanticPolicy(900_000_000, ((None, ttl_us),), LOWEST_PPB))
    return told


def differences(one: Graph, other: Graph, asked: Requests, policy: SemanticPolicy) -> int:
    """How many requests the two graphs decide otherwise."""
    first, second = replay(one, asked, policy), replay(other, asked, policy)
    return int(np.count_nonzero((first.outcome != second.outcome) | (first.answered_by != second.answered_by)))


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else "neighbours"
    size = [int(one) for one in sys.argv[2:]]
    work = {
        "neighbours": neighbours_beside,
        "sweep": sweep_beside,
        "band": band_beside,
        "memory": peak_mib_of_neighbours,
    }
    print(wanted, *size, work[wanted](*size), f"load {os.getloadavg()[0]:.1f}")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
