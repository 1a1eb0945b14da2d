"""APGR, CPT50 and CPT80 are RouteLLM's: a second computation from its definition, and cases by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from costctl.evaluate.curve import gain_of, quality


def by_definition(score: list[float], cheap: list[float], dear: list[float]) -> tuple[float, float, float]:
    """The same in plain Python, point by point."""
    count, ordered = len(score), sorted(score)
    points = []
    for step in range(11):
        place = step / 10 * (count - 1)
        below = int(place)
        threshold = ordered[below] + (place - below) * (ordered[min(below + 1, count - 1)] - ordered[below])
        strong = [one > threshold if step == 10 else one >= threshold for one in score]
        reached = sum(d if is_strong else c for is_strong, c, d in zip(strong, cheap, dear)) / count
        points.append((sum(strong) / count, reached))
    points.sort()
    low, high = sum(cheap) / count, sum(dear) / count
    area = sum((x2 - x1) * ((y1 + y2) / 2 - low) for (x1, y1), (x2, y2) in pairwise(points))
    calls = []
    for part in (0.5, 0.8):
        wanted = low + part * (high - low)
        at = next(n for n, (_, y) in enumerate(points) if y >= wanted)
        (x1, y1), (x2, y2) = points[at - 1], points[at]
        calls.append(x1 + (wanted - y1) / (y2 - y1) * (x2 - x1))
    return area / (high - low), calls[0], calls[1]


def test_figures_equal_a_second_computation() -> None:
    draws = np.random.default_rng(3)
    for _ in range(20):
        # The strong model gains where the score is high, so that the curve rises throughout.
        score = draws.random(200)
        cheap = np.zeros(200)
        dear = np.ones(200)
        cheap[score < 0.3] = 1.0
        found = quality(score, cheap, dear)
        assert found is not None
        assert tuple(found) == pytest.approx(by_definition(score.tolist(), cheap.tolist(), dear.tolist()))


def test_ten_requests_by_hand() -> None:
    """The strong model gains on the two best-scored of ten: half of the gap after one call, all after two.

    Area: 0 to 0.1 rises to 0.5 (0.025), 0.1 to 0.2 to 1 (0.075), then 1 (0.8): 0.9.
    """
    score = np.arange(10.0)
    cheap, dear = np.array([1.0] * 8 + [0.0] * 2), np.ones(10)
    found = quality(score, cheap, dear)
    assert found is not None
    assert found.cpt50_ratio == pytest.approx(0.1)
    assert found.cpt80_ratio == pytest.approx(0.16)
    assert found.apgr == pytest.approx(0.9)


def test_chance_is_a_half_and_upside_down_is_below() -> None:
    draws = np.random.default_rng(5)
    cheap = (draws.random(40_000) < 0.6).astype(float)
    dear = np.maximum(cheap, draws.random(40_000) < 0.5)
    chance = quality(draws.random(40_000), cheap, dear)
    upside_down = quality(cheap - dear, cheap, dear)
    assert chance is not None
    assert upside_down is not None
    assert chance.apgr == pytest.approx(0.5, abs=0.02)
    assert upside_down.apgr < 0.2


def test_no_gap_has_no_figures() -> None:
    assert quality(np.arange(4.0), np.ones(4), np.zeros(4)) is None
    assert quality(np.arange(4.0), np.ones(4), np.ones(4)) is None


def test_gain_is_the_dearer_right_and_the_cheaper_wrong() -> None:
    cheap, dear = np.array([0.0, 1, 0, 1, 0.5]), np.array([1.0, 1, 0, 0, 0.75])
    assert gain_of(cheap, dear).tolist() == [1, 0, 0, 0, 0.25]
