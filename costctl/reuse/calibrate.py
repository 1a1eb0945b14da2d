"""The lowest similarity at which a semantic cache may serve, for a bound on its false hits.

The thresholds are tried from the highest down on a recent window of the log, each by a replay of the whole log
before it, so that the cache is as full as it will be. A threshold passes while the upper bound of its rate
of wrong answers (Clopper and Pearson, one-sided) is within the bound; at the first that does
not, the search ends (fixed-sequence testing: the promise then holds for all that passed together). It
begins at the first threshold with so many judged hits that a few wrong ones would not end it; how many
hits there are is seen before any of them is judged, so this choice costs nothing.

The promise is for as many requests as the window has, of traffic like it, that come next. Until then the cache
fills further: each bound is raised by as much as that can add (`filling`). The window is at most the later half of
the log, because the earlier a request comes, the less the cache of later days is like the one that it met. Calibrate
again when the traffic changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace as with_fields
from math import ceil, log
from typing import Literal, NamedTuple

import numpy as np

from costctl.reuse.false_hits import UNKNOWN, WRONG, Verdicts
from costctl.reuse.filling import Growth, growth, odds_times
from costctl.reuse.intervals import clustered, upper_bound
from costctl.reuse.neighbours import Graph
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, sweep
from costctl.reuse.vectors import Int

Per = Literal["hit", "request"]
WINDOW_REQUESTS = 2_000
WRONG_ALLOWED = 2  # of the hits at the first threshold, so that bad luck with one does not end the search
CONFIDENCE = 0.9
# From 0.99 down to 0.80: each step is a test, and a finer one only repeats the last.
THRESHOLDS_PPB = tuple(range(990_000_000, 799_999_999, -10_000_000))


class OwnHits(NamedTuple):
    """Hits on an equal prompt in the window, which no threshold prevents: all, those judged, and the wrong ones."""

    hits: int = 0
    judged: int = 0
    wrong: int = 0


class Trial(NamedTuple):
    """One threshold on the window."""

    threshold_ppb: int
    requests: int
    verdicts: Verdicts  # of each hit on another prompt
    answered_by: Int
    growth: Growth = Growth()  # until the requests of which it is promised
    own: OwnHits = OwnHits()


class Tried(NamedTuple):
    """What a threshold came to."""

    threshold_ppb: int
    hits: int
    judged: int
    wrong: int
    upper_ratio: float
    is_within: bool


class Calibration(NamedTuple):
    """The threshold, or None and how many judged hits at one threshold would have been enough with none wrong."""

    threshold_ppb: int | None
    upper_ratio: float | None
    needed_hits: int
    most_hits: int
    tried: tuple[Tried, ...]


def trials(
    graph: Graph,
    requests: Requests,
    policy: SemanticPolicy,
    judge: Callable[[Int, Int], Verdicts],
    *,
    window_requests: int = WINDOW_REQUESTS,
    thresholds_ppb: Sequence[int] = THRESHOLDS_PPB,
) -> list[Trial]:
    """Each threshold on the last requests of the log; `judge` gives the verdict on pairs of positions."""
    start = requests.count - window_size(requests.count, window_requests)
    policies = [with_fields(policy, serve_min_ppb=at, refresh_min_ppb=None) for at in thresholds_ppb]
    made = []
    for tried, served in zip(policies, sweep(graph, requests, policies), strict=True):
        positions, answered_by = served.pairs()
        recent = positions >= start
        positions, answered_by = positions[recent], answered_by[recent]
        is_own = served.is_own_prompt[positions]
        own = judge(positions[is_own], answered_by[is_own])
        told = OwnHits(len(own), int(np.count_nonzero(own != UNKNOWN)), int(np.count_nonzero(own == WRONG)))
        positions, answered_by = positions[~is_own], answered_by[~is_own]
        made.append(
            Trial(tried.serve_min_ppb, requests.count - start, judge(positions, answered_by), answered_by,
                  growth(requests, tried, served, start), told)
        )  # fmt: skip
    return made


def window_size(requests: int, wanted: int = WINDOW_REQUESTS) -> int:
    """How many of so many requests are judged: at most the later half.

    >>> window_size(10_000), window_size(1_001), window_size(10_000, 300)
    (2000, 501, 300)
    """
    return min(wanted, requests - requests // 2)


def calibrate(
    tried: Iterable[Trial], bound_ratio: float, *, per: Per = "hit", confidence: float = CONFIDENCE
) -> Calibration:
    """The lowest threshold whose wrong answers, per hit or per request, are within the bound."""
    ordered = sorted(tried, key=lambda trial: -trial.threshold_ppb)
    seen = [int(np.count_nonzero(trial.verdicts != UNKNOWN)) for trial in ordered]
    most = max(seen, default=0)
    allowed = [_allowed(trial, bound_ratio, per) for trial in ordered]
    counts = seen if per == "hit" else [one.requests if count else 0 for one, count in zip(ordered, seen, strict=True)]
    start = _start(counts, allowed, confidence)
    told: list[Tried] = []
    found: Tried | None = None
    for trial in ordered[start:]:
        result = _tried(trial, bound_ratio, per, confidence)
        told.append(result)
        if not result.is_within:
            break
        found = result
    # Of the threshold that had the most: that one lacks least.
    needed = needed_trials(allowed[seen.index(most)] if allowed else bound_ratio, confidence)
    if found is None:
        return Calibration(None, None, needed, most, tuple(told))
    return Calibration(found.threshold_ppb, found.upper_ratio, needed, most, tuple(told))


def _allowed(trial: Trial, bound_ratio: float, per: Per) -> float:
    """What the window itself may show at most, so that the bound holds of what comes next."""
    if per == "request":
        return bound_ratio / trial.growth.entries
    return odds_times(bound_ratio, 1 / trial.growth.wrong_odds)


def _start(counts: Sequence[int], allowed: Sequence[float], confidence: float) -> int:
    """The first place with enough trials for a few wrong ones, or else for as many as any place allows."""
    for wrong in range(WRONG_ALLOWED, -1, -1):
        for place, (count, bound_ratio) in enumerate(zip(counts, allowed, strict=True)):
            if upper_bound(wrong, count, confidence) <= bound_ratio:
                return place
    return len(counts)


def needed_trials(bound_ratio: float, confidence: float, wrong: int = 0) -> int:
    """So many judged ones, so many of them wrong, are just within the bound.

    >>> needed_trials(0.01, 0.95), needed_trials(0.05, 0.95), needed_trials(0.05, 0.9), needed_trials(0.05, 0.9, 2)
    (299, 59, 45, 105)
    """
    if not 0 < bound_ratio < 1:
        raise ValueError(f"a bound lies between 0 and 1, not at {bound_ratio}")
    low = ceil(log(1 - confidence) / log(1 - bound_ratio))
    if not wrong:
        return low
    high = low
    while upper_bound(wrong, high, confidence) > bound_ratio:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(wrong, middle, confidence) <= bound_ratio else (middle, high)
    return high


def _tried(trial: Trial, bound_ratio: float, per: Per, confidence: float) -> Tried:
    judged = trial.verdicts != UNKNOWN
    is_wrong = trial.verdicts[judged] == WRONG
    wrong, hits, count = int(np.count_nonzero(is_wrong)), len(trial.verdicts), len(is_wrong)
    upper = 1.0
    if per == "request" and count == hits:
        upper = upper_bound(wrong, trial.requests, confidence)
    elif per == "request" and count:
        # Both the share of hits and that of wrong ones among them are uncertain: each may miss half as often.
        half = 1 - (1 - confidence) / 2
        upper = upper_bound(hits, trial.requests, half) * _upper(is_wrong, trial.answered_by[judged], half)
    elif count:
        upper = _upper(is_wrong, trial.answered_by[judged], confidence)
    grown = min(1.0, upper * trial.growth.entries) if per == "request" else odds_times(upper, trial.growth.wrong_odds)
    return Tried(trial.threshold_ppb, hits, count, wrong, grown, grown <= bound_ratio)


def _upper(is_wrong: np.ndarray, cluster: Int, confidence: float) -> float:
    """The one-sided bound on judged hits, of which those on one entry belong together."""
    share = clustered(is_wrong, cluster, confidence)
    effective = share.effective_trials if share.estimate else float(share.trials)
    return upper_bound((share.estimate or 0.0) * effective, effective, confidence)
