"""The probe plan: numbers of the textbook, exact prices, and intervals that cover."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from costctl.evaluate.probe import HALF_WIDTHS, order_of, plans, probed, probes_needed, template
from costctl.render.machine import csv_text


@pytest.mark.parametrize(("half_width", "count"), [(0.01, 8_262), (0.02, 2_066), (0.03, 918), (0.05, 331)])
def test_paired_counts_of_a_large_log(half_width: float, count: int) -> None:
    """(1.96 / half-width)^2 x 0.2151: the variance of the paired difference on MMLU."""
    assert probes_needed(10**9, 10**9, half_width, 0.21507) == count


def test_a_small_log_needs_fewer_and_never_more_than_it_holds() -> None:
    assert probes_needed(0, 100, 0.01) == 0
    assert probes_needed(100, 100, 0.001) == 100
    assert probes_needed(1000, 1000, 0.05) == 278  # 384.1 / (1 + 384.1 / 1000), the textbook's 278
    assert probes_needed(10, 1000, 0.05) == 10
    assert probes_needed(200, 10_000, 0.05) == 30  # so small a share hardly matters, but a mean needs thirty


def test_every_beginning_holds_each_stratum_in_proportion() -> None:
    stratum = np.repeat([7, 3], [900, 100])
    order = order_of(stratum, np.random.default_rng(1).random(1000))
    assert sorted(order.tolist()) == list(range(1000))
    for count in (10, 50, 200, 500):
        assert abs(np.count_nonzero(stratum[order[:count]] == 3) - count / 10) <= 1
    assert order_of(np.zeros(0, dtype=np.int64), np.zeros(0)).tolist() == []


def plan(cost: int = 123_456_789) -> list:
    draws = np.random.default_rng(2).random(5_000)
    stratum = np.repeat([0, 1, 2], [4_000, 990, 10])
    return plans(np.arange(5_000) * 2, stratum, draws, np.full(5_000, cost), 10_000)


def test_a_plan_prices_each_probe_to_the_last_digit() -> None:
    found = plan()
    assert [one.half_width_ratio for one in found] == list(HALF_WIDTHS)
    for one in found:
        assert one.probe_count == len(one.rows) == len(set(one.rows.tolist()))
        assert one.cost_usd == one.probe_count * Decimal("0.000123456789")
        assert (one.rows % 2 == 0).all()
    assert plan(-1)[0].cost_usd is None


def test_a_wider_interval_tries_the_first_of_a_narrower_one() -> None:
    found = plan()
    for narrow, wide in pairwise(found):
        assert wide.rows.tolist() == narrow.rows[: wide.probe_count].tolist()
    assert [one.rows.tolist() for one in plan()] == [one.rows.tolist() for one in found]


def test_each_stratum_is_tried_twice_at_least() -> None:
    rows = plan()[-1].rows // 2
    assert np.count_nonzero(rows >= 4_990) >= 2


def test_the_template_comes_back_as_scores() -> None:
    text = csv_text(template(["r1", 'a,"b"'], ["openai/gpt-4o", "x"]))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["request_id", "model", "score"],
        ["r1", "openai/gpt-4o", ""],
        ['a,"b"', "x", ""],
    ]


def test_all_tried_is_no_estimate() -> None:
    """20 known at 1 and 20 tried at 0.5: 0.75, with nothing left to guess."""
    found = probed(np.ones(20), np.zeros(20, dtype=np.int64), np.full(20, 0.5))
    assert found is not None
    assert (found.mean, found.low, found.high) == (0.75, 0.75, 0.75)


def test_too_few_tries_say_nothing() -> None:
    score = np.full(100, np.nan)
    score[:29] = 1
    assert probed(np.ones(5), np.zeros(100, dtype=np.int64), score) is None
    score[:40] = 1
    assert probed(np.ones(5), np.r_[np.zeros(99), 1].astype(np.int64), score) is None  # the second stratum untried


def test_intervals_of_probes_cover_the_truth() -> None:
    """1,000 calls, 600 of them unknown in two strata; the truth is the mean over all, tried or not."""
    draws, covered, runs = np.random.default_rng(3), 0, 400
    stratum = np.repeat([0, 1], [400, 200])
    for _ in range(runs):
        known = (draws.random(400) < 0.9).astype(float)
        whole = np.r_[draws.random(400) < 0.8, draws.random(200) < 0.4].astype(float)
        score = np.full(600, np.nan)
        chosen = order_of(stratum, draws.random(600))[:120]
        score[chosen] = whole[chosen]
        found = probed(known, stratum, score)
        assert found is not None
        covered += found.low <= (known.sum() + whole.sum()) / 1000 <= found.high
    assert 0.92 <= covered / runs <= 0.99


def test_the_planned_half_width_is_reached() -> None:
    draws = np.random.default_rng(4)
    whole = (draws.random(3_000) < 0.5).astype(float)
    stratum = np.zeros(3_000, dtype=np.int64)
    one = plans(
        np.arange(3_000), stratum, draws.random(3_000), np.ones(3_000, dtype=np.int64), 6_000, half_widths=(0.02,)
    )[0]
    score = np.full(3_000, np.nan)
    score[one.rows] = whole[one.rows]
    found = probed(np.ones(3_000), stratum, score)
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(0.02, rel=0.05)
