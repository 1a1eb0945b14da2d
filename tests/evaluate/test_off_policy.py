"""Off-policy estimates: closed forms, coverage on logs whose truth is known, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from costctl.evaluate.off_policy import (
    Estimate,
    Refused,
    bounds,
    effective_count,
    estimate,
    inverse_propensity,
)


def test_bounds_fill_the_unknown_with_all_and_nothing() -> None:
    """Half of the six calls known at 1, 1, 0: from 2/6 to 5/6; with a ceiling of 0.5 on one unknown 4.5/6."""
    score = np.array([1.0, 1.0, 0.0, np.nan, np.nan, np.nan])
    assert bounds(score) == (2 / 6, 5 / 6, 3, 3)
    ceiling = np.array([np.nan, np.nan, np.nan, 0.5, np.nan, np.nan])
    assert bounds(score, ceiling).high == 4.5 / 6
    assert bounds(np.zeros(0)) == (0.0, 1.0, 0, 0)


def test_equal_weights_are_worth_their_number() -> None:
    assert effective_count(np.array([2.0, 2, 2, 2])) == pytest.approx(4)
    assert effective_count(np.array([1.0, 0, 0, 0])) == pytest.approx(1)
    assert effective_count(np.zeros(3)) == 0


def test_a_uniform_log_gives_back_the_plain_mean_of_what_agrees() -> None:
    """Half agree, each with weight 2: SNIPS is their mean, IPS their sum over all times 2."""
    score = np.tile([1.0, 0.0, 1.0, 1.0], 100)
    agrees = np.tile([1.0, 1.0, 0.0, 0.0], 100)
    found = estimate(score, agrees, np.full(400, 0.5))
    assert isinstance(found, Estimate)
    assert found.method == "snips"
    assert found.mean == pytest.approx(0.5)
    assert found.ess == pytest.approx(200)
    # deviation of 2 x (score - 1/2) where it agrees, else 0: sqrt(1/2); over sqrt(400): 0.0354
    assert found.high - found.mean == pytest.approx(1.96 * np.sqrt(0.5 * 400 / 399) / 20, rel=1e-3)
    assert inverse_propensity(score, agrees, np.full(400, 0.5)).mean == pytest.approx(0.5)


def test_a_fixed_log_is_refused() -> None:
    found = estimate(np.ones(1000), np.tile([1.0, 0.0], 500), np.ones(1000))
    assert isinstance(found, Refused)
    assert "never tried" in found.reason


def test_little_evidence_unknown_chances_and_rare_choices_are_refused() -> None:
    ones = np.ones(1000)
    few = np.zeros(1000)
    few[:50] = 1
    assert "50 calls" in str(estimate(ones, few, ones * 0.5))
    assert isinstance(estimate(ones, ones, np.where(few == 1, np.nan, 0.5)), Refused)
    assert isinstance(estimate(np.where(few == 1, np.nan, 1), ones, ones * 0.5), Refused)
    rare = estimate(ones, ones, ones * 0.5, np.where(few == 1, 0.001, 0.5))
    assert isinstance(rare, Refused)
    assert "50 calls" in rare.reason


def test_intervals_cover_the_truth() -> None:
    """Known truth: the cheaper model is right with chance 1 - x / 2, and the log tries it more often where x is low."""
    draws, covered, runs = np.random.default_rng(11), 0, 300
    for _ in range(runs):
        x = draws.random(2000)
        chance_cheap = 0.8 - 0.6 * x
        is_cheap = draws.random(2000) < chance_cheap
        right = np.where(is_cheap, 1 - x / 2, 0.95)
        score = (draws.random(2000) < right).astype(float)
        # The new policy sends everything to the cheaper model: truth 1 - E(x) / 2.
        propensity = np.where(is_cheap, chance_cheap, 1 - chance_cheap)
        found = estimate(score, is_cheap.astype(float), propensity, chance_cheap)
        assert isinstance(found, Estimate)
        assert found.method == "snips"
        covered += found.low <= 0.75 <= found.high
    assert 0.92 <= covered / runs <= 0.985
