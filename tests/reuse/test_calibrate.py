"""The threshold for a bound on false hits: by hand, and how often its promise is broken."""

from __future__ import annotations

import numpy as np
import pytest

from costctl.reuse.calibrate import Trial, calibrate, needed_trials, trials
from costctl.reuse.embed import embed
from costctl.reuse.false_hits import by_labels
from costctl.reuse.guards import guard_codes
from costctl.reuse.intervals import upper_bound
from costctl.reuse.neighbours import Visits, neighbours
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, replay
from tests.reuse.sets import FOREVER, banking77, clinc150
from tests.support import needs_shared

THRESHOLDS = tuple(range(980_000_000, 799_999_999, -20_000_000))


def trial(threshold: float, hits: int, wrong: int, unknown: int = 0, requests: int = 1_000) -> Trial:
    verdicts = np.array([1] * wrong + [0] * (hits - wrong - unknown) + [-1] * unknown, dtype=np.int8)
    return Trial(round(threshold * 1e9), requests, verdicts, np.arange(hits))


def test_the_lowest_threshold_within_the_bound_is_proposed() -> None:
    """5% per hit at 90%: 1 of 120 is at most 3.2%, 4 of 200 at most 4.0%, 20 of 300 at most 9%."""
    found = calibrate([trial(0.95, 120, 1), trial(0.85, 300, 20), trial(0.9, 200, 4)], 0.05)
    assert found.threshold_ppb == 900_000_000
    assert found.upper_ratio == pytest.approx(0.0396, abs=1e-4)
    assert [one.is_within for one in found.tried] == [True, True, False]


def test_the_search_ends_at_the_first_failure() -> None:
    """What lies behind it may look good by luck; nobody promised anything for it."""
    found = calibrate([trial(0.95, 120, 1), trial(0.9, 200, 20), trial(0.85, 300, 0)], 0.05)
    assert found.threshold_ppb == 950_000_000


def test_too_few_hits_are_said_with_how_many_it_takes() -> None:
    found = calibrate([trial(0.95, 20, 0), trial(0.9, 44, 0)], 0.05)
    assert (found.threshold_ppb, found.needed_hits, found.most_hits, found.tried) == (None, 45, 44, ())


def test_a_threshold_with_few_hits_is_passed_over_and_not_failed() -> None:
    found = calibrate([trial(0.99, 10, 1), trial(0.9, 150, 1)], 0.05)
    assert found.threshold_ppb == 900_000_000


def test_unjudged_hits_do_not_count_for_the_bound() -> None:
    assert calibrate([trial(0.9, 300, 0, unknown=260)], 0.05).threshold_ppb is None
    assert calibrate([trial(0.9, 300, 0, unknown=180)], 0.05).threshold_ppb == 900_000_000


def test_hits_on_one_entry_count_as_one_where_they_are_wrong_together() -> None:
    """Eight wrong ones of 400, but all on one entry: that is one accident, and could have been many."""
    apart = trial(0.9, 400, 8)
    together = apart._replace(answered_by=np.concatenate((np.zeros(8, dtype=np.int64), np.arange(392) // 8 + 1)))
    assert calibrate([apart], 0.05).threshold_ppb is not None
    assert calibrate([together], 0.05).threshold_ppb is None


def test_a_bound_per_request_may_hide_wrong_hits() -> None:
    """Three wrong of four hits are below 1% of 1,000 requests; per hit nothing is within any bound."""
    found = calibrate([trial(0.95, 4, 3)], 0.01, per="request")
    assert found.threshold_ppb == 950_000_000
    assert found.upper_ratio == pytest.approx(upper_bound(3, 1000, 0.95))
    assert calibrate([trial(0.95, 4, 3)], 0.5).threshold_ppb is None


def test_a_bound_of_nothing_or_all_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed_trials(0, 0.9)


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("load", [clinc150, banking77])
@pytest.mark.parametrize(("per", "bound"), [("hit", 0.05), ("request", 0.01)])
def test_the_promise_is_broken_in_at_most_28_of_200_resamples(load, per, bound) -> None:
    """4,000 requests in random order, the last 1,000 to calibrate; the next 1,000 tell. 90% would allow 20."""
    pytest.importorskip("tokenizers")
    pytest.importorskip("numba")
    rows = load()
    numbers: dict[str, int] = {}
    text = np.array([numbers.setdefault(one, len(numbers)) for one in rows.texts])
    codes: dict[object, int] = {}
    labels = np.array([codes.setdefault(one, len(codes)) for one in rows.strict])
    graph = neighbours(embed(list(numbers)).vectors, min(THRESHOLDS))
    guard = guard_codes(list(numbers))
    broken = used = 0
    for resample in range(200):
        order = np.random.default_rng(resample).permutation(len(text))[:5_000]
        node, label = text[order], labels[order]

        def asked(count: int, node=node) -> Requests:
            times = np.arange(count, dtype=np.int64) * 1_000_000
            return Requests(Visits(node[:count], times), np.ones(count, dtype=np.bool_), guard)

        def judge(at, by, label=label):
            return by_labels(label, at, by)

        tried = trials(graph, asked(4_000), SemanticPolicy(900_000_000, FOREVER), judge, thresholds_ppb=THRESHOLDS)
        found = calibrate(tried, bound, per=per)
        if found.threshold_ppb is None:
            continue
        at, by = replay(graph, asked(5_000), SemanticPolicy(found.threshold_ppb, FOREVER), is_compiled=True).pairs(
            is_own_prompt=False
        )
        at, by = at[at >= 4_000], by[at >= 4_000]
        wrong = int((judge(at, by) == 1).sum())
        used += len(at) > 0
        broken += wrong > bound * (len(at) if per == "hit" else 1_000)
    assert broken <= 28
    assert used >= 100
