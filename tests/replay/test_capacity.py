"""The queue and the shares of an engine, beside closed forms and a slow simulation that shares no code with them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.policy.stages import SelfHosted
from costctl.replay.capacity import bill, full_load_pusd, service_us, shared_out, token_pusd, waits

CALLS = 200_000
ENGINE = {"name": "self/x", "usd_per_hour": 1, "tokens_per_s": 7, "max_num_seqs": 2}


def slow_waits(arrivals: list[int], services: list[int], places: int) -> list[int]:
    """One event after the other on a line of time: places become free, then calls join the line, then some begin."""
    waiting: list[int] = []
    busy: list[int] = []
    waited = [0] * len(arrivals)
    moments = set(arrivals)
    while moments:
        now = min(moments)
        moments.remove(now)
        waiting += [number for number, arrival in enumerate(arrivals) if arrival == now]
        while True:  # what takes no time is gone at once, and the next may begin
            busy = [end for end in busy if end > now]
            if not waiting or len(busy) == places:
                break
            number = waiting.pop(0)
            waited[number] = now - arrivals[number]
            busy.append(now + services[number])
            moments.add(now + services[number])
        moments = {moment for moment in moments if moment > now}
    return waited


jobs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=30).map(sorted)


@given(jobs, st.integers(1, 4))
@settings(max_examples=400, deadline=None)
def test_the_queue_is_that_of_a_slow_simulation(drawn: list[tuple[int, int]], places: int) -> None:
    arrivals, services = ([pair[column] for pair in drawn] for column in range(2))
    found = waits(np.array(arrivals), np.array(services), places)
    assert found.tolist() == slow_waits(arrivals, services, places)


def erlang_c(places: int, load: float) -> float:
    """The probability to wait in M/M/c (Erlang, 1917), by the recursion of Erlang B."""
    blocked = 1.0
    for number in range(1, places + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / places * (1 - blocked))


@pytest.mark.parametrize(("places", "busy"), [(1, 0.7), (2, 0.8), (8, 0.85), (64, 0.95)])
def test_waits_are_those_of_erlang_c(places: int, busy: float) -> None:
    """Mean wait and share of calls that wait, within four standard errors of 40 batches."""
    rng = np.random.default_rng(places)
    mean_us = 1e6
    arrivals = np.cumsum(rng.exponential(mean_us / (places * busy), CALLS)).astype(np.int64)
    services = rng.exponential(mean_us, CALLS).astype(np.int64)
    found = waits(arrivals, services, places)
    chance = erlang_c(places, places * busy)
    for values, expected in (
        (found > 0, chance),
        (found / mean_us, chance / (places * (1 - busy))),
    ):
        batches = values.reshape(40, -1).mean(axis=1)
        error = batches.std(ddof=1) / math.sqrt(len(batches))
        assert abs(batches.mean() - expected) < 4 * error, (batches.mean(), expected, error)
        assert error < 0.15 * expected  # sharp enough to tell one model from another


def test_equal_answers_wait_half_as_long() -> None:
    """M/D/1 waits half as long as M/M/1 (Pollaczek and Khinchine)."""
    rng = np.random.default_rng(5)
    arrivals = np.cumsum(rng.exponential(1e6 / 0.7, CALLS)).astype(np.int64)
    found = waits(arrivals, np.full(CALLS, 1_000_000), 1)
    assert found.mean() / 1e6 == pytest.approx(0.7 / (2 * 0.3), rel=0.05)


def test_nobody_waits_where_a_place_is_always_free() -> None:
    arrivals = np.arange(1000) * 10
    assert not waits(arrivals, np.full(1000, 40), 4).any()
    assert waits(arrivals, np.full(1000, 41), 4).any()


@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
@settings(deadline=None)
def test_shares_sum_exactly_and_follow_the_weights(total: int, weights: list[int]) -> None:
    found = shared_out(total, np.array(weights)).tolist()
    assert sum(found) == total
    whole = sum(weights)
    exact = [Fraction(total * one, whole) if whole else Fraction(total, len(weights)) for one in weights]
    assert all(abs(share - one) < 1 for share, one in zip(found, exact, strict=True))
    # Largest remainder: who was rounded up had no smaller remainder than who was not, and the first of equals.
    up = [(one % 1, -at) for at, (share, one) in enumerate(zip(found, exact, strict=True)) if share > one]
    down = [(one % 1, -at) for at, (share, one) in enumerate(zip(found, exact, strict=True)) if share < one]
    assert not up or not down or min(up) > max(down)


def test_shares_beyond_64_bits_are_exact_too() -> None:
    weights = np.array([3 * 10**9, 10**9 + 1, 7 * 10**9])
    assert shared_out(10**18 + 7, weights).tolist() == [
        272727272702479341, 90909090991735538, 636363636305785128,
    ]  # fmt: skip


def test_times_and_prices_are_whole_numbers() -> None:
    """2 of 7 tokens/s: 285,714,286 ns a token; $1 / 25,200 is 39,682,539.68 picodollars."""
    spec = SelfHosted.model_validate(ENGINE)
    assert service_us(spec, np.array([0, 1, 7])).tolist() == [0, 285_714, 2_000_000]
    assert token_pusd(spec) == 39_682_540
    assert full_load_pusd(spec) == Fraction(10**12, 25_200)
    assert bill(spec, 3_600 * 10**6, 25_200) == (3_600 * 10**6, 10**12)
    assert bill(spec, 3_600 * 10**6, 25_201) == (3_600_142_858, 1_000_039_682_778)


@given(st.integers(1, 10**6), st.integers(1, 10), st.integers(0, 10**7), st.integers(0, 10**10))
def test_a_token_is_never_cheaper_than_at_full_load(rate: int, count: int, tokens: int, span_us: int) -> None:
    spec = SelfHosted.model_validate({**ENGINE, "tokens_per_s": rate, "count": count})
    assert bill(spec, span_us, tokens).pusd >= math.floor(full_load_pusd(spec) * tokens)
