"""Drawn attempts are logged ones, of the same model and the narrowest window that has enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.replay.empirical import ERROR, OK, RATE_LIMIT, SERVER_ERROR, TIMEOUT, Empirical

HOUR = 3_600 * 10**6
DAY = 24 * HOUR
T0 = 20_000 * DAY


def fit(rows: list[tuple[int, int, int, int]], model_count: int = 3, attempts_min: int = 30) -> Empirical:
    """From rows of model, time, latency and outcome."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Empirical.fit(*columns, model_count=model_count, attempts_min=attempts_min)


def drawn(found: Empirical, model: int, time_us: int, us: list[float]) -> list[tuple[int, int]]:
    count = len(us)
    latency, outcome = found.sample(np.full(count, model), np.full(count, time_us), np.array(us))
    assert latency.dtype == np.int64
    assert outcome.dtype == np.int8
    return list(zip(latency.tolist(), outcome.tolist(), strict=True))


# Model 0: 30 attempts in hour 0 of the first day, 29 in hour 1, one on the next day. Model 1: 2 in all.
ROWS = [
    *((0, T0 + k, 100 + k, OK) for k in range(30)),
    *((0, T0 + HOUR + k, 200 + k, SERVER_ERROR) for k in range(29)),
    (0, T0 + DAY, 999, OK),
    (1, T0, 10, OK),
    (1, T0, 20, TIMEOUT),
]


def test_the_narrowest_window_with_enough_attempts_is_drawn_from() -> None:
    """30 in the hour are enough; with 29 it is the day, with one on the day the whole log."""
    found = fit(ROWS)
    model, times = np.array([0, 0, 0, 0, 1, 2]), np.array([T0, T0 + HOUR, T0 + 5 * HOUR, T0 + DAY, T0, T0])
    support = found.support(model, times)
    assert support.level.tolist() == [0, 1, 1, 2, 2, -1]
    assert support.size.tolist() == [30, 59, 59, 60, 2, 0]
    assert drawn(found, 0, T0, [0.0, 0.5, 1 - 2**-53]) == [(100, OK), (115, OK), (129, OK)]
    assert drawn(found, 0, T0 + HOUR, [0.0, 0.55]) == [(100, OK), (202, SERVER_ERROR)]
    assert drawn(found, 0, T0 + DAY, [0.99]) == [(999, OK)]


def test_a_time_outside_of_the_log_and_an_unknown_one_draw_from_the_whole_log() -> None:
    found = fit(ROWS)
    assert found.support(np.array([0, 0, 0]), np.array([0, T0 + 900 * DAY, -1])).size.tolist() == [60, 60, 60]
    undated = fit([(0, -1, k, OK) for k in range(40)])
    assert undated.support(np.array([0, 0]), np.array([-1, 0])).level.tolist() == [2, 2]


def test_an_incident_keeps_its_joint_behaviour() -> None:
    """Failures of the bad hour are slow, answers of the good hour quick; nothing is mixed."""
    rows = [(0, T0, 50, OK)] * 40 + [(0, T0 + HOUR, 9_000, SERVER_ERROR)] * 30 + [(0, T0 + HOUR, 4_000, OK)] * 10
    u = np.random.default_rng(3).random(20_000)
    model = np.zeros(20_000, dtype=np.int16)
    latency, outcome = fit(rows).sample(model, np.full(20_000, T0 + HOUR + 1), u)
    assert set(zip(latency.tolist(), outcome.tolist(), strict=True)) == {(9_000, SERVER_ERROR), (4_000, OK)}
    assert (outcome == SERVER_ERROR).mean() == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 20_000) ** 0.5)


def test_every_row_of_a_window_is_drawn_equally_often() -> None:
    """Chi-square over 97 rows: mean 96, standard deviation 13.9."""
    found = fit([(0, T0, k, OK) for k in range(97)])
    latency, _ = found.sample(np.zeros(97_000, dtype=int), np.full(97_000, T0), np.random.default_rng(1).random(97_000))
    observed = np.bincount(latency, minlength=97)
    assert 45 < ((observed - 1_000) ** 2 / 1_000).sum() < 155


def test_a_higher_draw_is_never_luckier() -> None:
    """Within an hour first the answers, quick ones first: equal draws are equally lucky under every model."""
    rows = [(0, T0, 7, OK), (0, T0, 3, OK), (0, T0, 1, ERROR), (0, T0, 5, OK)]
    found = drawn(fit(rows, attempts_min=1), 0, T0, [0.1, 0.3, 0.6, 0.9])
    assert found == [(3, OK), (5, OK), (7, OK), (1, ERROR)]


def test_a_model_without_an_answer_of_known_duration_is_not_covered() -> None:
    """Model 0 never answered, 1 answered without a latency, 2 is covered; 3 and -1 do not exist."""
    found = fit([(0, T0, 5, ERROR), (1, T0, -1, OK), (1, T0, 4, ERROR), (2, T0, 8, OK), (-1, T0, 8, OK)])
    model = np.array([0, 1, 2, 3, -1])
    assert found.is_covered(model).tolist() == [False, False, True, False, False]
    latency, outcome = found.sample(model, np.full(5, T0), np.zeros(5))
    assert latency.tolist() == [-1, -1, 8, -1, -1]
    assert outcome.tolist() == [-1, -1, OK, -1, -1]


def test_an_empty_log_covers_nothing() -> None:
    for count in (0, 2):
        found = fit([], model_count=count)
        assert drawn(found, 0, T0, [0.5]) == [(-1, -1)]
    assert drawn(fit(ROWS), 0, T0, []) == []


def test_unknown_latencies_do_not_change_how_often_attempts_fail() -> None:
    """Answers get latencies of other answers, failures those of their class, and 0 where that is never timed."""
    rows = [(0, T0, latency, OK) for latency in range(100, 200)]
    rows += [(0, T0, -1, OK)] * 100 + [(0, T0, -1, RATE_LIMIT)] * 40 + [(0, T0, -1, TIMEOUT)] * 9
    found = fit([*rows, (0, T0, 6_000, TIMEOUT)])
    assert found.filled_count == 149
    assert np.bincount(found.outcome).tolist() == [200, 0, 40, 0, 10]
    assert (found.latency_us[found.outcome == RATE_LIMIT] == 0).all()
    assert (found.latency_us[found.outcome == TIMEOUT] == 6_000).all()
    answers = found.latency_us[found.outcome == OK]
    assert answers.min() == 100
    assert answers.max() == 199
    assert answers.mean() == pytest.approx(149.5, abs=0.5)


row = st.tuples(
    st.integers(-1, 2),
    st.sampled_from([-1, T0, T0 + 1, T0 + HOUR, T0 + 2 * HOUR, T0 + DAY, T0 + DAY + HOUR]),
    st.integers(0, 9),
    st.integers(0, 4),
)


@settings(max_examples=200)
@given(st.lists(row, max_size=40), st.lists(st.tuples(row, st.floats(0, 1, exclude_max=True)), max_size=20), st.data())
def test_it_agrees_with_a_slow_search(rows: list[Any], asked: list[Any], data: st.DataObject) -> None:
    """All logged rows in the window, sorted, and the one at floor(u n); and the order of the log is of no matter."""
    found = fit(rows, attempts_min=4)
    again = fit(data.draw(st.permutations(rows)), attempts_min=4)
    for (model, time, _, _), u in asked:
        expected = slow_draw(rows, model, time, u)
        assert drawn(found, model, time, [u]) == [expected]
        assert drawn(again, model, time, [u]) == [expected]


def slow_draw(rows: list[Any], model: int, time: int, u: float) -> tuple[int, int]:
    same = [item for item in rows if item[0] == model >= 0]
    if not any(outcome == OK for _, _, _, outcome in same):
        return -1, -1
    window = same
    for size in (DAY, HOUR):
        narrower = [item for item in same if time >= 0 <= item[1] and item[1] // size == time // size]
        window = narrower if len(narrower) >= 4 else window
    chosen = sorted(window, key=lambda item: (item[1] // HOUR, item[3], item[2]))[int(u * len(window))]
    return chosen[2], chosen[3]
