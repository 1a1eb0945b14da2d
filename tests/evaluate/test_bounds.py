"""Upper bounds against closed forms, and how often a promise is broken."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from costctl.evaluate.bounds import binomial_cdf, lower_bound, promise, upper_bound


def test_the_binomial_is_exact() -> None:
    for hits, count, ratio in ((0, 10, 0.1), (3, 17, 0.4), (16, 17, 0.9), (40, 300, 0.12)):
        whole = sum(comb(count, k) * ratio**k * (1 - ratio) ** (count - k) for k in range(hits + 1))
        assert binomial_cdf(hits, count, ratio) == pytest.approx(whole, rel=1e-9)
    assert binomial_cdf(5, 5, 0.3) == 1
    assert binomial_cdf(0, 5, 0.0) == 1
    assert binomial_cdf(3, 100_000, 0.5) == 0


def test_no_error_among_299_labels_certifies_one_percent() -> None:
    assert upper_bound(0, 299, 0.05) == pytest.approx(1 - 0.05 ** (1 / 299))
    assert upper_bound(0, 299, 0.05) < 0.01 < upper_bound(0, 298, 0.05)
    assert lower_bound(299, 299, 0.05) == pytest.approx(0.05 ** (1 / 299))


def test_known_clopper_pearson_ends() -> None:
    """2 of 10: the two-sided 95 % interval is 0.0252 to 0.5561."""
    assert upper_bound(2, 10, 0.025) == pytest.approx(0.5561, abs=1e-4)
    assert lower_bound(2, 10, 0.025) == pytest.approx(0.0252, abs=1e-4)


def test_graded_losses_have_a_wider_bound() -> None:
    assert upper_bound(2.5, 100, 0.1) > upper_bound(3, 100, 0.1)
    assert upper_bound(0, 0, 0.1) == 1


def test_a_promise_is_the_largest_share_in_a_row_that_holds() -> None:
    """No gain among the 500 lowest, only gains above: the cheap share ends just after half."""
    predicted = np.arange(1000) / 1000
    gain = (predicted >= 0.5).astype(float)
    found = promise(predicted, gain, 0.02, 0.1)
    assert found.is_kept
    assert 0.50 <= found.cheap_ratio <= 0.52
    assert found.loss_ratio <= 0.02


def test_nothing_is_promised_where_labels_are_too_few() -> None:
    found = promise(np.arange(50) / 50, np.zeros(50), 0.02, 0.1)
    assert (found.is_kept, found.gain_below, found.cheap_ratio) == (False, 0.0, 0.0)


def test_equal_predictions_go_the_same_way() -> None:
    predicted, gain = np.full(1000, 0.1), np.zeros(1000)
    gain[:10] = 1
    found = promise(predicted, gain, 0.05, 0.1)
    assert found.cheap_ratio == 1.0
    assert found.gain_below > 0.1


@pytest.mark.parametrize("bound", [0.02, 0.05])
def test_a_promise_is_broken_in_at_most_a_tenth_of_the_draws(bound: float) -> None:
    """The chance of a gain is the square of the prediction: the loss of a threshold t is t^3 / 3."""
    draws, broken, kept = np.random.default_rng(1), 0, 0
    for _ in range(300):
        predicted = draws.random(600)
        gain = (draws.random(600) < predicted**2).astype(float)
        found = promise(predicted, gain, bound, 0.1)
        kept += found.is_kept
        broken += found.gain_below**3 / 3 > bound
    assert kept > 290
    assert broken <= 30
