"""calibrate: the lowest threshold of a semantic cache that keeps a bound on wrong answers, from a recent window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from costctl import __version__
from costctl.errors import CostctlError, ExitCode
from costctl.formats.sources import Reader
from costctl.money import ratio_display
from costctl.policy.schema import Policy
from costctl.replay.calls import Int, load_calls
from costctl.replay.compile import semantic_alone
from costctl.replay.near import know_texts, near_calls
from costctl.replay.near_told import MORE_LABELS, Judge, answer_labels, compared_by, unmatched_labels
from costctl.replay.plan import SemanticCache
from costctl.replay.scores import unused_labels
from costctl.replay.scores_file import Scores
from costctl.report import Report, Table, Value, Warning, counted
from costctl.reuse.calibrate import WINDOW_REQUESTS, Calibration, OwnHits, Per, Trial, calibrate, trials, window_size
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
        strange = "".join(f"; {one.message}" for one in unmatched_labels(labels, scores))
        raise CostctlError(
            "E461",
            f"nothing says which hits are wrong: {judge.why_not}{strange}",
            "label some requests: --scores FILE with request_id and answer_label",
            ExitCode.COVERAGE,
        )
    takes_part = np.flatnonzero(node >= 0)
    place = np.full(calls.count, -1, dtype=np.int64)
    place[takes_part] = np.arange(len(takes_part))
    requests = Requests(
        Visits(node[takes_part], calls.time_us[takes_part]), np.asarray(cache.is_kept)[takes_part], cache.guard
    )
    judge, tried, found = _judged(judge, cache, requests, takes_part, bound)
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
        missing["serve_min"] = _why_none(found, tried, bound)
    chosen = found.threshold_ppb or (found.tried[-1].threshold_ppb if found.tried else None)
    growth = next((one.growth.entries for one in tried if one.threshold_ppb == chosen), None)
    if growth is not None:
        totals["entry_growth_ratio"] = growth
        status["entry_growth_ratio"] = "estimated"
    own = next((one.own for one in tried if one.threshold_ppb == chosen), tried[0].own if tried else OwnHits())
    totals |= {"own_prompt_hit_count": own.hits}
    status["own_prompt_hit_count"] = "replayed"
    if judge.has_labels:
        totals |= {"own_prompt_judged_count": own.judged, "own_prompt_wrong_count": own.wrong}
        status |= dict.fromkeys(("own_prompt_judged_count", "own_prompt_wrong_count"), "replayed")
    rows = [
        (f"{one.threshold_ppb / 10**9:.2f}", one.hits, one.judged, one.wrong, one.upper_ratio, one.is_within)
        for one in found.tried
    ]
    columns = ("serve_min", "hit_count", "judged_count", "wrong_count", "wrong_upper_ratio", "is_within")
    provenance: dict[str, object] = {
        "costctl": __version__, "policy": policy.name, "status": status, "not_computed": missing,
        "judged_by": "labels" if judge.has_labels else "answers", "per": bound.per,
    }  # fmt: skip
    if found.threshold_ppb is not None:
        window = takes_part[len(takes_part) - window_size(len(takes_part), bound.window_requests) :]
        times = calls.time_us[window[[0, -1]]].astype("datetime64[us]").astype("datetime64[m]").tolist()
        chosen_trial = next(one for one in tried if one.threshold_ppb == found.threshold_ppb)
        provenance["guarantee"] = _guarantee(chosen_trial, bound, times, is_by_labels=judge.has_labels)
    tables = [Table.of("tried", columns, rows), _thresholds(tried, found)]
    said = [
        *compared_by(near)[1:], *(unmatched_labels(labels, scores) or unused_labels(store, scores)),
        *judge.few_labels(_most_hits(tried), found.needed_hits),
        *_said(judge, missing, tried, bound, len(takes_part)), *_own_wrong(judge, own, policy),
    ]  # fmt: skip
    return Report("calibrate", totals, {table.name: table for table in tables}, tuple(said), provenance)


def _judged(
    judge: Judge, cache: SemanticCache, requests: Requests, takes_part: Int, bound: Bound
) -> tuple[Judge, list[Trial], Calibration]:
    """The search, by labels where they judge enough hits of some threshold, else by answers where those can.

    How many hits are judged is seen before any verdict, so this choice costs the promise nothing.
    """

    def searched(by: Judge) -> tuple[list[Trial], Calibration]:
        tried = trials(
            cache.graph, requests, SemanticPolicy(cache.serve_min_ppb, cache.ttls),
            lambda at, answered_by: by.verdicts(takes_part[at], takes_part[answered_by]),
            window_requests=bound.window_requests,
        )  # fmt: skip
        return tried, calibrate(tried, bound.wrong_max_ratio, per=bound.per, confidence=bound.confidence)

    tried, found = searched(judge)
    other = judge.by_answers(found.most_hits) if judge.has_labels and not found.tried else None
    return (judge, tried, found) if other is None else (other, *searched(other))


def _most_hits(tried: Sequence[Trial]) -> int:
    return max((len(one.verdicts) for one in tried), default=0)


def _guarantee(trial: Trial, bound: Bound, times: Sequence[datetime], *, is_by_labels: bool) -> str:
    """What is promised of the proposed threshold, in words."""
    asked, sure = ratio_display(bound.wrong_max_ratio), ratio_display(bound.confidence)
    of = "hits of the semantic cache on other prompts" if bound.per == "hit" else "requests"
    judged = int(np.count_nonzero(trial.verdicts != UNKNOWN))
    first, last = (one.strftime("%Y-%m-%d %H:%M") for one in times)
    rest = "" if judged == len(trial.verdicts) else (
        f"; {judged:,} of {counted(len(trial.verdicts), 'hit')} could be judged, the others are taken to be like them"
    )  # fmt: skip
    by = "as the labels judge" if is_by_labels else "if alike answers are right ones (W234)"
    return (
        f"with serve_min {trial.threshold_ppb / 10**9:.2f} at most {asked} of the {of} get a wrong answer, "
        f"sure to {sure}, {by}: of the next {counted(trial.requests, 'request')} of traffic like the last "
        f"{trial.requests:,} ({first} to {last} UTC){rest}; hits on an equal prompt are left out; calibrate again when "
        "the traffic changes"
    )


def _own_wrong(judge: Judge, own: OwnHits, policy: Policy) -> list[Warning]:
    """That labels call hits on an equal prompt wrong, of which no threshold and no bound here knows."""
    if not judge.has_labels or not own.wrong:
        return []
    semantic, scope = policy.cache.semantic, policy.cache.exact
    keys = f"cache.semantic.key: [{_with('user_id', () if semantic is None else semantic.key)}]"
    if scope is not None:
        keys = f"cache.exact.scope: [{_with('user', scope.scope)}] and {keys}"
    exact = "" if policy.cache.exact is None else "; those that cache.exact serves it counts as exact wrong"
    return [
        Warning(
            "W273",
            f"the labels call {own.wrong:,} of {counted(own.judged, 'judged hit')} on an equal prompt wrong "
            f"({counted(own.hits, 'such hit')} in the window): no threshold prevents them and the bound here leaves "
            f"them out, while simulate counts them in wrong per hit{exact}",
            f"keep apart whose answers differ: {keys}, or what tells the answers apart",
        )
    ]


def _with(name: str, said: Sequence[str]) -> str:
    """What the policy says already and this."""
    return ", ".join(dict.fromkeys((*said, name)))


def _thresholds(tried: Sequence[Trial], found: Calibration) -> Table:
    """What the window holds at every threshold; the bound, which is what may be relied on, only of those tested."""
    upper = {one.threshold_ppb: one.upper_ratio for one in found.tried}
    rows: list[tuple[Value, ...]] = []
    for one in sorted(tried, key=lambda trial: trial.threshold_ppb):
        judged = int(np.count_nonzero(one.verdicts != UNKNOWN))
        wrong = int(np.count_nonzero(one.verdicts == WRONG))
        share = wrong / judged if judged else None
        of_all = None if share is None or not one.requests else share * len(one.verdicts) / one.requests
        at_ppb = one.threshold_ppb
        rows.append((f"{at_ppb / 10**9:.2f}", len(one.verdicts), judged, wrong, share, of_all, upper.get(at_ppb)))
    columns = ("serve_min", "hit_count", "judged_count", "wrong_count", "wrong_ratio", "wrong_per_request_ratio",
               "wrong_upper_ratio")  # fmt: skip
    return Table.of("thresholds", columns, rows)


def _why_none(found: Calibration, tried: Sequence[Trial], bound: Bound) -> str:
    if not found.tried:
        return (
            f"too few: {counted(found.most_hits, 'hit')} of {_most_hits(tried):,} on other prompts could be judged in "
            f"the window, {found.needed_hits:,} {'requests' if bound.per == 'request' else 'of them'} without a wrong "
            "one would be needed (more where the cache still fills)"
        )
    first = found.tried[0]
    share = first.wrong / first.judged * (first.hits / tried[0].requests if bound.per == "request" else 1.0)
    asked, upper = _apart(bound.wrong_max_ratio, first.upper_ratio)
    cause = "too many of the judged hits are wrong" if share > bound.wrong_max_ratio else "it is not sure enough"
    return (
        f"{cause} at {first.threshold_ppb / 10**9:.2f}, the highest threshold with enough judged hits, where the "
        f"search begins: {first.wrong:,} of {first.judged:,}, so wrong per {bound.per} may be up to {upper} "
        f"(asked {asked}; that the cache still fills is allowed for). There the search ends: thresholds above have "
        "too few judged hits to tell, those below were not tested, since a second try would break the promise"
    )


def _apart(asked: float, upper: float) -> tuple[str, str]:
    """Both shares with as many digits as tell them apart.

    >>> _apart(0.05, 0.05012), _apart(0.05, 0.4)
    (('5.00 %', '5.01 %'), ('5.0 %', '40.0 %'))
    """
    for digits in range(1, 6):
        shown = f"{asked:.{digits}%}", f"{upper:.{digits}%}"
        if shown[0] != shown[1]:
            break
    return shown[0].replace("%", " %"), shown[1].replace("%", " %")


def _remedy(judge: Judge, tried: Sequence[Trial], bound: Bound, requests: int) -> str:
    """What would help where no threshold is proposed, the likeliest first."""
    unjudged = any(int(np.count_nonzero(one.verdicts == UNKNOWN)) for one in tried)
    more = []
    if unjudged and (judge.has_labels or judge.labelled_hits is not None):
        more.append(MORE_LABELS)
    elif unjudged:
        more.append("label some requests: --scores FILE with request_id and answer_label")
    if window_size(requests, bound.window_requests) < window_size(requests, requests):
        more.append("widen the window (--window, at most half of the log)")
    elif not unjudged:
        more.append("audit a longer log")
    return "; ".join([*more, "or allow more (--max-wrong)"])


def _said(judge: Judge, missing: dict[str, str], tried: Sequence[Trial], bound: Bound, requests: int) -> list[Warning]:
    hint = _remedy(judge, tried, bound, requests)
    said = [Warning("W235", f"no threshold is proposed: {why}", hint) for why in missing.values()]
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
