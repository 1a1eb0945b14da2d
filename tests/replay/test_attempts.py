"""Timeouts, retries, hedges and fallbacks against closed forms, within sampling error of 200,000 calls."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest

from costctl.replay.attempts import Draw
from costctl.replay.draws import uniform
from costctl.replay.empirical import ERROR, OK, RATE_LIMIT, TIMEOUT, Empirical
from tests.replay.chains import AttemptRules, Attempts, run

COUNT = 200_000
KEYS = np.random.default_rng(11).integers(0, 2**64, COUNT, dtype=np.uint64)
TIMES = np.arange(COUNT, dtype=np.int64) * 1_000
MEAN = 2_000_000  # microseconds


def exponential(*means: float) -> Draw:
    """Service times of exponential distribution, one mean for each model; nothing fails."""

    def draw(model, times_us, u):
        latency = -np.array(means)[model] * np.log1p(-u)
        return np.rint(latency).astype(np.int64), np.zeros(len(u), dtype=np.int8)

    return draw


def failing(*ratios: float, latency_us: tuple[int, ...], outcome: int = ERROR) -> Draw:
    """Each model fails at its ratio and takes its time, either way."""

    def draw(model, times_us, u):
        return np.array(latency_us)[model], np.where(u < np.array(ratios)[model], outcome, OK).astype(np.int8)

    return draw


def play(draw: Draw | Empirical, rules: AttemptRules, *models: int, rows: slice = slice(None)) -> Attempts:
    keys = KEYS[rows]
    chain = np.tile(np.array(models, dtype=np.int16), (len(keys), 1))
    return run(chain, TIMES[rows], draw, rules, seed=5, call_keys=keys)


def agrees(values: np.ndarray, expected: float, name: str) -> None:
    """The mean is the expected one within 4 standard errors."""
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - expected) <= 4 * error, name


def test_without_rules_a_call_is_one_attempt_with_its_latency() -> None:
    """Also an attempt that failed: nothing is cut, added or made again."""
    rows = 500
    rng = np.random.default_rng(2)
    log = Empirical.fit(
        np.zeros(rows, dtype=int), np.sort(rng.integers(0, 10**12, rows)), rng.integers(1, 10**7, rows),
        np.where(rng.random(rows) < 0.2, RATE_LIMIT, OK), model_count=1,
    )  # fmt: skip
    made = play(log, AttemptRules(), 0)
    latency, outcome = log.sample(np.zeros(COUNT, dtype=int), TIMES, uniform(5, KEYS, "attempt"))
    assert (made.latency_us == latency).all()
    assert (made.status == outcome).all()
    assert (made.attempt_count == 1).all()
    assert (made.billed_count[:, 0] == (outcome == OK)).all()
    for nothing in (made.retry_count, made.hedge_count, made.timeout_count, made.is_fallback, made.timed_out_count):
        assert not nothing.any()
    assert not made.final_position.any()


def test_timeout_and_retry_of_exponential_service() -> None:
    """p = P(T > t): tries are geometric, each lasts m (1 - p) on average, waits double."""
    timeout, backoff, retries = 1_500_000, 500_000, 3
    p = math.exp(-timeout / MEAN)
    rules = AttemptRules((timeout,), retries, backoff, frozenset({TIMEOUT}))
    made = play(exponential(MEAN), rules, 0)
    tries = sum(p**k for k in range(retries + 1))
    waits = sum(backoff * 2 ** (k - 1) * p**k for k in range(1, retries + 1))
    agrees(made.attempt_count, tries, "tries")
    agrees(made.latency_us, MEAN * (1 - p) * tries + waits, "latency_us")
    agrees(made.timeout_count, p * tries, "timeouts")
    agrees(made.status == TIMEOUT, p ** (retries + 1), "given up")
    agrees(made.billed_count[:, 0], 1 - p ** (retries + 1), "billed")
    assert (made.retry_count == made.attempt_count - 1).all()
    for k in range(2, retries + 2):
        agrees(made.attempt_count >= k, p ** (k - 1), f"at least {k} tries")
    paid = play(exponential(MEAN), AttemptRules((timeout,), retries, backoff, frozenset({TIMEOUT}), (), True), 0)
    assert (paid.billed_count == made.billed_count + made.timed_out_count).all()
    agrees(paid.billed_count[:, 0], tries, "billed with timeouts")


def test_hedge_of_exponential_service() -> None:
    """min(T1, d + T2): mean m (1 - q) + q m / 2 with q = P(T > d), which is also the share of second calls."""
    delay = 1_000_000
    q = math.exp(-delay / MEAN)
    made = play(exponential(MEAN), AttemptRules(hedge_after_us=(delay,)), 0)
    agrees(made.latency_us, MEAN * (1 - q) + q * MEAN / 2, "latency_us")
    agrees(made.hedge_count, q, "hedges")
    agrees(made.billed_count[:, 0], 1 + q, "billed")
    assert (made.attempt_count == 1 + made.hedge_count).all()
    assert (made.status == OK).all()
    # Beyond d the rest is the smaller of two exponentials: P(min > d + x) = q exp(-2 x / m).
    for x in (100_000, 1_000_000, 3_000_000):
        agrees(made.latency_us > delay + x, q * math.exp(-2 * x / MEAN), f"tail {x}")


def test_hedge_under_a_timeout() -> None:
    """The timeout t counts from the start of the try: P(timeout) = P(T > t) P(T > t - d)."""
    delay, timeout = 1_000_000, 2_500_000
    made = play(exponential(MEAN), AttemptRules((timeout,), hedge_after_us=(delay,)), 0)
    p = math.exp(-timeout / MEAN) * math.exp(-(timeout - delay) / MEAN)
    agrees(made.status == TIMEOUT, p, "timeouts")
    assert (made.latency_us[made.status == TIMEOUT] == timeout).all()
    assert (made.timed_out_count[:, 0] == 2 * (made.status == TIMEOUT)).all()
    assert (made.billed_count[:, 0] == made.attempt_count * (made.status == OK)).all()


def test_fallback_after_timeouts() -> None:
    """A fallback waits for the timeout t, not for the failed call: m1 (1 - p1) + p1 (m2 (1 - p2) + p2 m3)."""
    means, timeouts = (2e6, 1e6, 0.5e6), (1_500_000, 800_000)
    p1, p2 = (math.exp(-timeout / mean) for timeout, mean in zip(timeouts, means, strict=False))
    made = play(exponential(*means), AttemptRules(timeouts), 0, 1, 2)
    expected = means[0] * (1 - p1) + p1 * (means[1] * (1 - p2) + p2 * means[2])
    agrees(made.latency_us, expected, "latency_us")
    for position, share in enumerate((1 - p1, p1 * (1 - p2), p1 * p2)):
        agrees(made.final_position == position, share, f"position {position}")
    agrees(made.is_fallback, p1, "fallbacks")
    assert (made.final_model == made.final_position).all()
    assert (made.timed_out_count == (np.arange(3) < made.final_position[:, None])).all()
    assert (made.billed_count == (np.arange(3) == made.final_position[:, None])).all()
    late = made.final_position == 2
    assert made.latency_us[late].min() >= sum(timeouts)


def test_fallback_after_failures() -> None:
    """Failure ratios multiply along the chain; each failure costs its own time and no money."""
    ratios, latency = (0.3, 0.2, 0.1), (1_000, 20_000, 300_000)
    made = play(failing(*ratios, latency_us=latency), AttemptRules(), 0, 1, 2)
    agrees(made.status != OK, 0.3 * 0.2 * 0.1, "given up")
    agrees(made.final_position == 1, 0.3 * 0.8, "answered by the second")
    assert (made.latency_us == np.cumsum(latency)[made.final_position]).all()
    assert (made.billed_count.sum(axis=1) == (made.status == OK)).all()


def test_retries_of_a_failure_ratio() -> None:
    """Failures e: (1 - e^(r + 1)) / (1 - e) tries, e^(r + 1) given up, and only failures that are named."""
    e, retries = 0.35, 4
    draw = failing(e, latency_us=(7,), outcome=RATE_LIMIT)
    made = play(draw, AttemptRules(retries_max=retries, backoff_us=10, retry_on=frozenset({RATE_LIMIT})), 0)
    agrees(made.attempt_count, (1 - e ** (retries + 1)) / (1 - e), "tries")
    agrees(made.status == RATE_LIMIT, e ** (retries + 1), "given up")
    assert (made.latency_us == 7 * made.attempt_count + 10 * (2 ** made.retry_count.astype(int) - 1)).all()
    other = play(draw, AttemptRules(retries_max=retries, retry_on=frozenset({TIMEOUT, ERROR})), 0)
    assert (other.attempt_count == 1).all()


def test_policies_share_the_draws_of_the_tries_they_both_make() -> None:
    """More retries, or a further fallback, change nothing for a call that did not need them."""
    draw = failing(0.5, 0.5, latency_us=(7, 9), outcome=RATE_LIMIT)
    few = play(draw, AttemptRules(retries_max=1, retry_on=frozenset({RATE_LIMIT})), 0, 1)
    many = play(draw, AttemptRules(retries_max=6, retry_on=frozenset({RATE_LIMIT})), 0, 1)
    same = (few.final_position == 0) & (few.status == OK)
    assert 0.7 < same.mean() < 0.8
    assert (few.latency_us[same] == many.latency_us[same]).all()
    short = play(draw, AttemptRules(retries_max=1, retry_on=frozenset({RATE_LIMIT})), 0)
    assert (short.latency_us[same] == few.latency_us[same]).all()


def test_an_attempt_is_drawn_from_the_time_at_which_it_starts() -> None:
    """First at 100; its retry after 5 and a wait of 40; the hedge of the retry 2 later."""
    asked = []

    def draw(model, times_us, u):
        asked.append(times_us.tolist())
        return np.full(len(u), 5), np.full(len(u), RATE_LIMIT, dtype=np.int8)

    rules = AttemptRules((), 1, 40, frozenset({RATE_LIMIT}), hedge_after_us=(2,))
    made = run(
        np.zeros((2, 1), dtype=np.int16), np.array([100, -1]), draw, rules, seed=0,
        call_keys=np.array([1, 2], dtype=np.uint64),
    )  # fmt: skip
    assert asked == [[100, -1], [102, -1], [147, -1], [149, -1]]
    assert made.latency_us.tolist() == [54, 54]
    assert made.attempt_count.tolist() == [4, 4]


@pytest.mark.parametrize(
    ("first", "second", "status", "latency_us", "billed", "timed_out"),
    [
        ((9, OK), (3, OK), OK, 5, 2, 0),  # the hedge wins; what still runs is paid
        ((9, ERROR), (3, OK), OK, 5, 2, 0),  # also if it would have failed later
        ((4, ERROR), (3, OK), OK, 5, 1, 0),  # but not if it had failed by then
        ((5, OK), (3, OK), OK, 5, 2, 0),
        ((4, ERROR), (3, RATE_LIMIT), RATE_LIMIT, 5, 0, 0),  # the later failure has the last word,
        ((5, ERROR), (3, TIMEOUT), ERROR, 5, 0, 1),  # and at the same instant the first attempt
        ((4, ERROR), (99, OK), TIMEOUT, 10, 0, 1),  # only the hedge is still running at the timeout
        ((99, OK), (99, OK), TIMEOUT, 10, 0, 2),
    ],
)
def test_a_hedged_try_by_hand(first, second, status, latency_us, billed, timed_out) -> None:
    """The hedge starts 2 after the first attempt, the timeout is 10."""

    def draw(model, times_us, u):
        latency, outcome = second if times_us[0] == 2 else first
        return np.array([latency]), np.array([outcome], dtype=np.int8)

    one = np.zeros((1, 1), dtype=np.int16)
    keys = np.array([1], dtype=np.uint64)
    made = run(one, np.array([0]), draw, AttemptRules((10,), hedge_after_us=(2,)), seed=0, call_keys=keys)
    assert (made.status[0], made.latency_us[0], made.attempt_count[0]) == (status, latency_us, 2)
    assert (made.billed_count[0, 0], made.timed_out_count[0, 0]) == (billed, timed_out)


def test_chunks_do_not_matter() -> None:
    rules = AttemptRules((900_000, None), 2, 1_000, frozenset({TIMEOUT}), (300_000,), True)
    whole = play(exponential(MEAN, 1e6), rules, 0, 1)
    parts = [play(exponential(MEAN, 1e6), rules, 0, 1, rows=slice(at, at + 70_001)) for at in range(0, COUNT, 70_001)]
    for field in fields(Attempts):
        one = getattr(whole, field.name)
        other = np.concatenate([getattr(part, field.name) for part in parts])
        assert one.dtype == other.dtype
        assert (one == other).all(), field.name


def test_a_model_without_a_distribution_is_refused() -> None:
    log = Empirical.fit(*np.array([[0], [0], [5], [0]]), model_count=2)
    with pytest.raises(AssertionError, match="without a distribution"):
        play(log, AttemptRules(), 1)
