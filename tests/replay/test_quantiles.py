"""Quantiles are numpy's to the digit, their intervals cover, and small logs get no upper bound."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.replay.quantiles import count_min, interval_ranks, latency_quantiles


def at_most(count: int, share: Fraction, successes: int) -> Fraction:
    """The chance of at most so many successes, exactly."""
    return sum((comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(successes + 1)), Fraction(0))


@pytest.mark.parametrize("percent", [1, 50, 90, 95, 99])
def test_intervals_cover_and_no_narrower_one_would(percent: int) -> None:
    """Brute force in fractions for small counts: 95 % in all, and one rank less on a side would err by too much."""
    share, half = Fraction(percent, 100), Fraction(5, 200)
    for count in [*range(1, 90), 150, 299, 300]:
        lower, upper = interval_ranks(count, percent)
        below = at_most(count, share, lower - 1) if lower else Fraction(0)
        above = 1 - at_most(count, share, upper - 1) if upper else Fraction(0)
        assert below + above <= 2 * half
        largest_errs = share**count
        if upper is None:
            assert largest_errs > 2 * half
        elif upper < count or largest_errs <= half:
            assert upper == 1 or 1 - at_most(count, share, upper - 2) > half
        lower_error = 2 * half - largest_errs if half < largest_errs <= 2 * half else half
        assert at_most(count, share, lower or 0) > lower_error


@pytest.mark.parametrize(
    ("count", "percent", "ranks"),
    [
        (5, 50, (None, 5)),
        (6, 50, (1, 6)),
        (10, 50, (2, 9)),
        (20, 50, (6, 15)),
        (100, 50, (40, 61)),
        (58, 95, (51, None)),
        (59, 95, (50, 59)),
        (298, 99, (291, None)),
        (299, 99, (289, 299)),
    ],
)
def test_known_ranks(count: int, percent: int, ranks: tuple[int | None, int | None]) -> None:
    """The medians are those of the tables of the sign test."""
    assert interval_ranks(count, percent) == ranks


def test_the_fewest_values_with_an_upper_bound() -> None:
    assert [count_min(percent) for percent in (50, 90, 95, 99)] == [5, 29, 59, 299]
    for percent in (50, 90, 95, 99):
        assert interval_ranks(count_min(percent) - 1, percent)[1] is None
        assert interval_ranks(count_min(percent), percent)[1] == count_min(percent)


def test_ranks_of_a_large_log_are_those_of_the_normal_distribution() -> None:
    """For 50 million values within a few ranks of n p -+ 1.959964 sd."""
    count = 50_000_000
    for percent in (50, 95, 99):
        mean = count * percent / 100
        reach = 1.959964 * (mean * (1 - percent / 100)) ** 0.5
        lower, upper = interval_ranks(count, percent)
        assert lower == pytest.approx(mean - reach, abs=5)
        assert upper == pytest.approx(mean + reach, abs=5)


def test_intervals_cover_a_known_quantile() -> None:
    """2,000 samples of 400 exponential latencies: the p95 lies inside in at least 95 % of them, less sampling error."""
    rng = np.random.default_rng(7)
    truth = Decimal(-1000 * np.log(0.05))
    hits = 0
    for _ in range(2_000):
        found = latency_quantiles(rng.exponential(1_000_000, 400).astype(np.int64), [95])[0]
        hits += found.lower_ms <= truth <= found.upper_ms
    assert 0.94 < hits / 2_000 < 0.985


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=400))
def test_values_are_those_of_numpy(latencies: list[int]) -> None:
    latency_us = np.array(latencies, dtype=np.int64)
    for found in latency_quantiles(latency_us):
        assert float(found.value_ms) == pytest.approx(np.quantile(latency_us, found.percent / 100) / 1000, abs=0.0501)
        assert found.value_ms.as_tuple().exponent == -1
        lower, upper = interval_ranks(len(latencies), found.percent)
        ordered = sorted(latencies)
        for bound, rank in ((found.lower_ms, lower), (found.upper_ms, upper)):
            assert (bound is None) == (rank is None)
            assert bound is None or abs(bound * 1000 - ordered[rank - 1]) <= 50
        assert found.is_bounded == (len(latencies) >= count_min(found.percent))


def test_a_quantile_is_exact_and_halves_round_up() -> None:
    """Of 0 and 0.1 ms the median is 0.05 ms; of 2^53 + 1 us no digit is lost."""
    assert latency_quantiles(np.array([0, 100]), [50])[0].value_ms == Decimal("0.1")
    assert latency_quantiles(np.array([0, 99]), [50])[0].value_ms == Decimal("0.0")
    assert latency_quantiles(np.array([2**53 + 59]), [99])[0].value_ms == Decimal("9007199254741.1")
    assert latency_quantiles(np.array([], dtype=np.int64), [95])[0].value_ms is None
