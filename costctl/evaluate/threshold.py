"""calibrate: the lowest threshold of a semantic cache that keeps a bound on wrong answers, from a recent window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from costctl import __version__
from costctl.errors import CostctlError, ExitCode
from costctl.formats.sources import Reader
from costctl.policy.schema import Policy
from costctl.replay.calls import load_calls
from costctl.replay.compile import semantic_alone
from costctl.replay.near import know_texts, near_calls
from costctl.replay.near_told import Judge, answer_labels, compared_by
from costctl.replay.scores_file import Scores
from costctl.report import Report, Table, Value, Warning, counted
from costctl.reuse.calibrate import WINDOW_REQUESTS, Calibration, Per, Trial, calibrate, trials, window_size
from costctl.reuse.false_hits import UNKNOWN, WRONG
from costctl.reuse.neighbours import Visits
from costctl.reuse.semantic_cache import Requests, SemanticPolicy
from costctl.store import Store


class Bound(NamedTuple):
    """What is promised: so many wrong per hit or per request, so surely, on traffic like the last requests."""

    wrong_max_ratio: float
    per: Per = "hit"
    confidence: float = 0.9
    window_requests: int = WINDOW_REQUESTS


def propose(store: Store, policy: Policy, bound: Bound, reader: Reader | None, scores: Scores | None = None) -> Report:
    """The proposal for `cache.semantic.serve_min`, or why there is none.

    Raises:
        CostctlError: E124, E419 as the replay; E460 where the policy has no semantic cache, E461 where nothing says
            which answers are wrong.
    """
    if policy.cache.semantic is None:
        raise CostctlError(
            "E460", "the policy has no semantic cache to calibrate", "cache: {semantic: {serve_min: 0.9, ttl: 24h}}"
        )
    know_texts(store, reader)
    calls = load_calls(store)
    cache = semantic_alone(store, policy, calls)
    labels = answer_labels(store, scores, calls.count)
    near, node = near_calls(store, calls.count), np.asarray(cache.node, dtype=np.int64)
    judge = Judge(near, labels)
    if not judge.has_labels and judge.why_not:
        raise CostctlError(
            "E461",
            f"nothing says which hits are wrong: {judge.why_not}",
            "label some requests: --scores FILE with request_id and answer_label",
            ExitCode.COVERAGE,
        )
    takes_part = np.flatnonzero(node >= 0)
    place = np.full(calls.count, -1, dtype=np.int64)
    place[takes_part] = np.arange(len(takes_part))
    requests = Requests(
        Visits(node[takes_part], calls.time_us[takes_part]), np.asarray(cache.is_kept)[takes_part], cache.guard
    )
    tried = trials(
        cache.graph, requests, SemanticPolicy(cache.serve_min_ppb, cache.ttls),
        lambda at, by: judge.verdicts(takes_part[at], takes_part[by]), window_requests=bound.window_requests,
    )  # fmt: skip
    found = calibrate(tried, bound.wrong_max_ratio, per=bound.per, confidence=bound.confidence)
    totals: dict[str, Value] = {
        "call_count": calls.count, "compared_count": len(takes_part),
        "window_count": window_size(len(takes_part), bound.window_requests), "wrong_max_ratio": bound.wrong_max_ratio,
        "confidence_ratio": bound.confidence, "needed_hit_count": found.needed_hits, "most_hit_count": found.most_hits,
    }  # fmt: skip
    status = dict.fromkeys(totals, "exact")
    missing = {}
    if found.threshold_ppb is not None and found.upper_ratio is not None:
        totals |= {"serve_min": found.threshold_ppb / 10**9, "wrong_upper_ratio": found.upper_ratio}
        status |= {"serve_min": "estimated", "wrong_upper_ratio": "bounded"}
    else:
        missing["serve_min"] = _why_none(found, bound)
    chosen = found.threshold_ppb or (found.tried[-1].threshold_ppb if found.tried else None)
    growth = next((one.growth.entries for one in tried if one.threshold_ppb == chosen), None)
    if growth is not None:
        totals["entry_growth_ratio"] = growth
        status["entry_growth_ratio"] = "estimated"
    rows = [
        (f"{one.threshold_ppb / 10**9:.2f}", one.hits, one.judged, one.wrong, one.upper_ratio, one.is_within)
        for one in found.tried
    ]
    columns = ("serve_min", "hit_count", "judged_count", "wrong_count", "wrong_upper_ratio", "is_within")
    provenance = {
        "costctl": __version__, "policy": policy.name, "status": status, "not_computed": missing,
        "judged_by": "labels" if judge.has_labels else "answers", "per": bound.per,
    }  # fmt: skip
    tables = [Table.of("tried", columns, rows), _thresholds(tried, found)]
    said = (*compared_by(near)[1:], *_said(judge, missing))
    return Report("calibrate", totals, {table.name: table for table in tables}, said, provenance)


def _thresholds(tried: Sequence[Trial], found: Calibration) -> Table:
    """What the window holds at every threshold; the bound, which is what may be relied on, only of those tested."""
    upper = {one.threshold_ppb: one.upper_ratio for one in found.tried}
    rows: list[tuple[Value, ...]] = []
    for one in sorted(tried, key=lambda trial: trial.threshold_ppb):
        judged = int(np.count_nonzero(one.verdicts != UNKNOWN))
        wrong = int(np.count_nonzero(one.verdicts == WRONG))
        share = wrong / judged if judged else None
        at_ppb = one.threshold_ppb
        rows.append((f"{at_ppb / 10**9:.2f}", len(one.verdicts), judged, wrong, share, upper.get(at_ppb)))
    columns = ("serve_min", "hit_count", "judged_count", "wrong_count", "wrong_ratio", "wrong_upper_ratio")
    return Table.of("thresholds", columns, rows)


def _why_none(found: Calibration, bound: Bound) -> str:
    if found.tried:
        return "no threshold keeps the bound: too many of the judged hits are wrong, or could be as the cache fills"
    return (
        f"too few: {counted(found.most_hits, 'hit')} on other prompts could be judged in the window, "
        f"{found.needed_hits:,} {'requests' if bound.per == 'request' else 'of them'} without a wrong one would be "
        "needed (more where the cache still fills); widen it (--window, at most half of the log) "
        "or allow more (--max-wrong)"
    )


def _said(judge: Judge, missing: dict[str, str]) -> list[Warning]:
    said = [Warning("W235", f"no threshold is proposed: {why}") for why in missing.values()]
    if judge.has_labels:
        return said
    return [
        *said,
        Warning(
            "W234",
            "judged by answers: a hit counts as wrong where its answer is less like the log's than 99 % of those "
            "to unlike prompts; two answers that only sound alike pass",
            "labels make a promise of it: --scores FILE with request_id and answer_label",
        ),
    ]
