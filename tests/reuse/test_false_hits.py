"""False hits: by hand, and how often the intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from costctl.reuse.answer_power import apart_pairs
from costctl.reuse.false_hits import (
    AnswerTest,
    answer_test,
    by_answers,
    by_fingerprints,
    by_labels,
    checked_test,
    false_hits,
)
from costctl.reuse.intervals import Share, clopper_pearson, clustered, upper_bound
from costctl.reuse.vectors import rounded


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.308),
        (10, 10, 0.692, 1.0),
        (1, 10, 0.0025, 0.445),
        (50, 100, 0.398, 0.602),
        (7, 2000, 0.0014, 0.0072),
    ],
)
def test_the_exact_interval_is_that_of_the_tables(successes: int, trials: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, trials, 0.95) == pytest.approx((low, high), abs=6e-4)


def test_an_upper_bound_is_where_so_few_successes_become_unlikely() -> None:
    """(1 - p)^n = 0.1 gives p for none of n."""
    for trials in (1, 45, 1000):
        assert (1 - upper_bound(0, trials, 0.9)) ** trials == pytest.approx(0.1)
    assert upper_bound(3, 3, 0.9) == 1.0


def test_trials_of_one_entry_say_less_than_independent_ones() -> None:
    """100 hits on 10 entries, one of which is wrong every time: like 10 trials, not like 100."""
    is_wrong = np.repeat([True] + [False] * 9, 10)
    share = clustered(is_wrong, np.repeat(np.arange(10), 10), 0.95)
    assert share.estimate == 0.1
    assert share.effective_trials == pytest.approx(9, abs=1.1)
    assert share.high > 0.4


def test_the_clustered_interval_holds_the_truth_as_often_as_it_says() -> None:
    """60 entries with 1 to 20 hits each, a fifth of the entries wrong: 95% of the intervals hold 0.2."""
    draws = np.random.default_rng(5)
    held = naive = 0
    for _ in range(400):
        sizes = draws.integers(1, 21, 60)
        wrong = np.repeat(draws.random(60) < 0.2, sizes)
        share = clustered(wrong, np.repeat(np.arange(60), sizes), 0.95)
        held += share.low <= 0.2 <= share.high
        low, high = clopper_pearson(int(wrong.sum()), len(wrong), 0.95)
        naive += low <= 0.2 <= high
    assert held >= 370
    assert naive < 250


def test_rates_per_hit_and_per_request_are_told_together() -> None:
    """40 hits of 1,000 requests, 10 wrong: a quarter of the hits, one request in a hundred."""
    verdicts = np.array([1] * 10 + [0] * 30, dtype=np.int8)
    found = false_hits(verdicts, np.arange(40), 1000)
    assert (found.wrong_per_hit.estimate, found.wrong_per_request.estimate) == (0.25, pytest.approx(0.01))
    assert found.wrong_per_request.high == pytest.approx(found.wrong_per_hit.high * 0.04)
    assert found.basis == "labels"


def test_unknown_labels_are_left_out_and_too_few_give_no_figure() -> None:
    labels = np.array([1, 1, 2, -1])
    assert by_labels(labels, np.array([1, 2, 3]), np.array([0, 0, 0])).tolist() == [0, 1, -1]
    found = false_hits(np.array([0, -1] * 19 + [-1] * 50, dtype=np.int8), np.arange(88), 1000)
    assert found.basis == "nothing"
    assert found.wrong_per_hit.estimate is None
    assert (found.wrong_per_hit.low, found.wrong_per_hit.high) == (0.0, 1.0)


def test_fingerprints_can_say_right_and_never_wrong() -> None:
    assert by_fingerprints(np.array([5, 5, 6, -1]), np.array([1, 2, 3]), np.array([0, 0, 0])).tolist() == [0, -1, -1]


def answers(draws, prompts: int, requests: int, noise: float):
    """Requests for prompts; each prompt has an answer, given in slightly other words each time."""
    true = draws.normal(size=(prompts, 64))
    node = draws.integers(0, prompts, requests)
    return node, rounded(true[node] + noise * draws.normal(size=(requests, 64)))


def test_a_test_by_answers_finds_the_share_of_wrong_hits() -> None:
    """Hits made by hand, 30% of them wrong: the corrected interval holds 0.3, as it should in 95% of the runs."""
    held = 0
    for seed in range(40):
        draws = np.random.default_rng(seed)
        node, vectors = answers(draws, 300, 2_000, 1.0)
        answer = np.arange(2_000)
        test = answer_test(vectors, answer, node)
        assert test is not None
        assert test.alike_of_unlike.estimate == pytest.approx(0.01, abs=0.002)
        at = draws.integers(0, 2_000, 400)
        is_wrong = draws.random(400) < 0.3
        by = np.array(
            [
                draws.choice(np.flatnonzero((node == node[one]) != wrong))
                for one, wrong in zip(at, is_wrong, strict=True)
            ]
        )
        found = false_hits(by_answers(vectors, answer, test, at, by), by, 10_000, test)
        held += found.wrong_per_hit.low <= is_wrong.mean() <= found.wrong_per_hit.high
        assert found.wrong_per_hit.estimate == pytest.approx(is_wrong.mean(), abs=0.12)
    assert held >= 38


def test_repeats_answered_word_for_word_bound_the_wrong_hits_and_estimate_nothing() -> None:
    """A repeat gets its old answer, the same question in other words a new one, which the repeats do not show."""
    vectors = rounded(np.random.default_rng(2).normal(size=(300, 64)))
    twice = np.concatenate((np.arange(300), np.arange(300)))
    test = answer_test(vectors, twice, twice)
    assert test is not None
    assert (test.alike_of_repeats.estimate, test.alike_of_reworded.trials) == (1.0, 0)
    found = false_hits(np.array([0] * 120 + [1] * 80, dtype=np.int8), np.arange(200), 10_000, test)
    # Of 60% alike at most 1% are wrong ones: at least (0.6 - 0.01) / (1 - 0.01) are right, less the intervals.
    assert (found.wrong_per_hit.estimate, found.wrong_per_hit.low, found.basis) == (None, 0.0, "bounds")
    assert 1 - (0.6 - 0.01) / (1 - 0.01) < found.wrong_per_hit.high < 0.52
    assert found.wrong_per_request.high == pytest.approx(found.wrong_per_hit.high * 0.02)


def test_repeats_in_other_words_open_the_lower_end() -> None:
    """Most repeats are word for word, the others alike in a half: all hits may be right where half of them is alike."""
    share = Share(0.01, 0.008, 0.012, 10_000, 10_000.0)
    test = AnswerTest(0, Share(0.95, 0.9, 0.98, 400, 400.0), share, Share(0.5, 0.4, 0.6, 100, 100.0))
    verdicts = np.array([0] * 50 + [1] * 50, dtype=np.int8)
    found = false_hits(verdicts, np.arange(100), 1_000, test).wrong_per_hit
    assert found.low == 0.0
    assert found.estimate == pytest.approx(1 - (0.5 - 0.01) / (0.95 - 0.01))
    assert found.high > found.estimate


def test_answers_that_never_repeat_say_nothing() -> None:
    """Every answer is noise, also to one prompt: the test cannot tell alike from unlike, and says so."""
    draws = np.random.default_rng(1)
    node = draws.integers(0, 50, 1_000)
    vectors = rounded(draws.normal(size=(1_000, 64)))
    test = answer_test(vectors, np.arange(1_000), node)
    at, by = np.arange(500, 600), np.arange(100)
    assert test is not None
    found = false_hits(by_answers(vectors, np.arange(1_000), test, at, by), by, 1_000, test)
    assert found.wrong_per_hit.estimate is None
    assert found.wrong_per_hit.high == 1.0


def test_without_answers_there_is_no_test() -> None:
    assert answer_test(np.zeros((0, 4), dtype=np.int8), np.full(10, -1), np.arange(10)) is None


def test_checked_hits_replace_the_assumed_errors_of_the_test() -> None:
    """Near prompts have like answers more often than unlike prompts: 20 of 50 wrong ones passed for alike."""
    test = answer_test(answers(np.random.default_rng(0), 50, 500, 0.5)[1], np.arange(500), np.arange(500) % 50)
    assert test is not None
    is_right = np.repeat([True, False], 50)
    is_alike = np.concatenate((np.ones(50, dtype=bool), np.arange(50) < 20))
    checked = checked_test(test, is_alike, is_right)
    assert (checked.alike_of_repeats.estimate, checked.alike_of_unlike.estimate) == (1.0, 0.4)
    # Of 100 hits 70 are alike: right = (0.7 - 0.4) / (1 - 0.4) = 0.5.
    verdicts = np.array([0] * 70 + [1] * 30, dtype=np.int8)
    assert false_hits(verdicts, np.arange(100), 1_000, checked).wrong_per_hit.estimate == pytest.approx(0.5)


def test_a_share_without_trials_is_unknown() -> None:
    assert clustered(np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), 0.95) == Share(None, 0.0, 1.0, 0, 0.0)


@pytest.mark.parametrize(("alike_ratio", "is_told"), [(0.05, True), (0.9, False)])
def test_near_prompts_that_ask_for_other_things_show_whether_answers_tell_them_apart(
    alike_ratio: float, is_told: bool
) -> None:
    """Repeats are alike in 95%: where those pairs are in 5% the test has power, where they are in 90% it has none."""
    share = Share(0.01, 0.008, 0.012, 10_000, 10_000.0)
    repeats = Share(0.95, 0.93, 0.97, 400, 400.0)
    test = AnswerTest(0, repeats, share, repeats, Share(alike_ratio, 0.0, 1.0, 200, 200.0))
    found = false_hits(np.array([0] * 100 + [1] * 100, dtype=np.int8), np.arange(200), 1_000, test)
    assert (test.has_power, test.why_no_power == "") == (is_told, is_told)
    if is_told:
        # Half is alike: right = (0.5 - 0.05) / (0.95 - 0.05).
        assert found.wrong_per_hit.estimate == pytest.approx(0.5)
        assert found.wrong_per_hit.low < 0.5 < found.wrong_per_hit.high < 1
    else:
        assert found.wrong_per_hit[:3] == (None, 0.0, 1.0)
        assert "alike in 90% of 200 pairs, those to the same prompt in 95%" in test.why_no_power


def test_pairs_that_the_guard_separates_are_found_within_their_scope() -> None:
    """Equal vectors, guards 1 and 2: one pair in each scope, none across; a request without an answer has no part."""
    vectors = rounded(np.ones((4, 8)))
    node, answer = np.array([0, 1, 2, 3, 0]), np.array([5, 6, 7, 8, -1])
    one, other = apart_pairs(vectors, np.array([1, 2, 1, 2]), answer, node, np.arange(4), np.array([0, 0, 1, 1]))
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 1), (2, 3)]
    answer[1] = -1
    one, other = apart_pairs(vectors, np.array([1, 2, 1, 2]), answer, node, np.arange(4), np.array([0, 0, 1, 1]))
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [(2, 3)]
