"""How often what `calibrate` promises is broken: `python -m tests.benchmarks.semantic_promises`.

Each resample is a random log of at most 5,000 requests of a labelled set. `calibrate` sees the first four fifths, and
the next fifth (at most 1,000) tells: broken is a promise of which more answers than the bound are wrong there. The
cache keeps everything for ever, so it still fills. A promise at 90% may be broken in 20 of 200.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from costctl.reuse.calibrate import Per, calibrate, trials
from costctl.reuse.embed import WORDLLAMA
from costctl.reuse.false_hits import WRONG, by_labels
from costctl.reuse.neighbours import Visits
from costctl.reuse.semantic_cache import Requests, sweep
from tests.benchmarks.semantic_truth import origins_and_similars, support_stream
from tests.reuse.sets import SETS, Labelled, Stream, near_hits, policy, stream

RESAMPLES = 200
REQUESTS_MAX = 5_000
NEXT_MAX = 1_000
BROKEN_MAX = 28  # of 200: with one in ten broken, more would come once in fifty times
Asked = tuple[float, Per]
BOUNDS: tuple[Asked, ...] = (
    (0.05, "hit"), (0.1, "hit"), (0.2, "hit"), (0.01, "request"), (0.02, "request"), (0.05, "request"),
)  # fmt: skip


class Kept(NamedTuple):
    """What became of one promise over all resamples; the hits are those of the next requests, where it was given."""

    asked: Asked
    proposed: int
    with_hits: int
    broken: int
    hit_ratio: float | None


def whole(rows: Labelled) -> Stream:
    """All of a set."""
    return stream(rows, WORDLLAMA, len(rows.texts))


def _of(load: Callable[[], Labelled]) -> Callable[[], Stream]:
    return lambda: whole(load())


STREAMS: dict[str, Callable[[], Stream]] = {
    **{name: _of(load) for name, load in SETS.items()},
    "gptcache_pairs": _of(origins_and_similars),
    "support_bot": support_stream,
}
IN_TIME_ORDER = frozenset({"support_bot"})  # a week as it was: each resample leaves some requests out


def promises(
    made: Stream, bounds: Sequence[Asked] = BOUNDS, *, resamples: int = RESAMPLES, is_in_time_order: bool = False
) -> list[Kept]:
    """Each bound asked for in each resample."""
    count = len(made.strict)
    size = min(count, REQUESTS_MAX)
    seen = size * 4 // 5
    until = min(size, seen + NEXT_MAX)
    found: dict[Asked, list[tuple[int, int]]] = {asked: [] for asked in bounds}
    for resample in range(resamples):
        order = np.random.default_rng(resample).permutation(count)[:size]
        if is_in_time_order:
            order.sort()
        node, label = made.requests.visits.node[order], made.strict[order]

        def judge(at: np.ndarray, by: np.ndarray, label: np.ndarray = label) -> np.ndarray:
            return by_labels(label, at, by)

        def asked_until(end: int, node: np.ndarray = node) -> Requests:
            times = np.arange(end, dtype=np.int64) * 1_000_000
            return Requests(Visits(node[:end], times), np.ones(end, dtype=np.bool_), made.requests.guard)

        tried = trials(made.graph, asked_until(seen), policy(900_000_000, is_guarded=True), judge)
        proposed = {one: calibrate(tried, one[0], per=one[1]).threshold_ppb for one in bounds}
        used = {one: at_ppb for one, at_ppb in proposed.items() if at_ppb is not None}
        policies = [policy(at_ppb, is_guarded=True) for at_ppb in used.values()]
        for asked, served in zip(used, sweep(made.graph, asked_until(until), policies, is_compiled=True), strict=True):
            at, by = near_hits(served)
            is_next = at >= seen
            found[asked].append((int(is_next.sum()), int((judge(at[is_next], by[is_next]) == WRONG).sum())))
    return [_kept(asked, told, until - seen) for asked, told in found.items()]


def _kept(asked: Asked, told: Sequence[tuple[int, int]], requests: int) -> Kept:
    bound, per = asked
    broken = sum(wrong > bound * (hits if per == "hit" else requests) for hits, wrong in told)
    hit_ratio = sum(hits for hits, _ in told) / (requests * len(told)) if told else None
    return Kept(asked, len(told), sum(hits > 0 for hits, _ in told), broken, hit_ratio)


def table(resamples: int = RESAMPLES) -> Iterator[str]:
    """All sets and bounds."""
    yield "| set | bound | proposed in | with hits | broken in | hits, of the next requests |"
    yield "|---|---|---:|---:|---:|---:|"
    for name, load in STREAMS.items():
        for one in promises(load(), resamples=resamples, is_in_time_order=name in IN_TIME_ORDER):
            bound, per = one.asked
            hits = "-" if one.hit_ratio is None else f"{one.hit_ratio:.1%}"
            yield f"| {name} | {bound:.0%} per {per} | {one.proposed} | {one.with_hits} | {one.broken} | {hits} |"


if __name__ == "__main__":
    for row in table():
        print(row, flush=True)
