"""Timeouts, retries, hedging and fallbacks: what a call goes through until it is answered or given up.

A call has a chain of candidate models. At each place it is tried once and, after failures that the
rules name, again: that is its turn there; then the next place takes over (`kernel`). Each try counts
for at most its timeout, waits between tries are added, a hedged try lasts min(T1, d + T2). The loop
goes over tries, arrays over the calls still open, so the work is that of the attempts made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.replay.draws import Keys, Real, uniform
from costctl.replay.empirical import OK, RATE_LIMIT, SERVER_ERROR, TIMEOUT, Code, Flag, Int, Outcomes

Counts = NDArray[np.int16]
# Of models, start times in microseconds and draws in [0, 1): latency in microseconds and outcome code.
Draw = Callable[[Code, Int, Real], tuple[Int, Outcomes]]

NO_ATTEMPT = -1  # outcome of a call that has not tried yet
PURPOSE = "attempt"
# The kinds of failure that are counted apart, ten bits each.
FAILURE_KINDS = (TIMEOUT, RATE_LIMIT, SERVER_ERROR)
KIND_BITS = 10
# A draw is named by place, try and whether it is the hedge, in a numbering that no rule changes, so that
# policies with other numbers of retries share the draws of the tries that they both make.
TRIES_MAX = 1 << 15
NEVER_US = 2**62  # an instant that no sum of latencies reaches


@dataclass(frozen=True)
class TurnRules:
    """What is done about slow and failed attempts at one place of a chain. The default is one attempt, however long.

    Times are microseconds, `retry_on` holds outcome codes of `empirical`.
    """

    timeout_us: int | None = None
    retries_max: int = 0
    backoff_us: int = 0  # before the first retry; doubles with each further one
    retry_on: frozenset[int] = frozenset()
    hedge_after_us: int | None = None
    timed_out_is_billed: bool = False
    waits_us: tuple[int, ...] | None = None  # in place of the backoff: before each retry, and after the last try
    goes_on: bool = False  # once it tries again, whatever fails

    def wait_us(self, number: int) -> int:
        """The wait before the `number`-th retry."""
        return self.backoff_us << (number - 1) if self.waits_us is None else self.waits_us[number - 1]

    @property
    def says_something(self) -> bool:
        """Whether a turn may be more than one attempt, or be cut."""
        return self.timeout_us is not None or self.hedge_after_us is not None or self.retries_max > 0

    def __post_init__(self) -> None:
        assert OK not in self.retry_on
        assert 0 <= self.retries_max < TRIES_MAX
        assert self.backoff_us << self.retries_max < NEVER_US, "the last wait does not fit in 64 bits"


class Turn(NamedTuple):
    """What became of calls at one place of their chain; arrays as long as the calls."""

    outcome: Outcomes  # OK, or how the last try failed
    latency_us: Int  # tries, each cut at its timeout, and the waits between them
    attempt_count: Counts  # tries and hedges
    retry_count: Counts
    hedge_count: Counts
    timeout_count: Counts  # tries that ended in a timeout, ours or one in the log
    failure_count: Counts  # tries that failed
    failures: Int  # the same by kind, packed in the order of `FAILURE_KINDS`
    billed_count: Counts  # attempts to pay in full: answers, also those not waited for, and as the rules say timeouts
    timed_out_count: Counts  # attempts that a timeout ended, billed or not; both of a hedged try may be


class First(NamedTuple):
    """Calls whose first attempt is in the log, and how it went: it is replayed, not drawn."""

    is_logged: Flag
    latency_us: Int
    outcome: Outcomes


class _Try(NamedTuple):
    """How one try of some calls ended; `answered` and `timed_out` count attempts."""

    latency_us: Int
    outcome: Outcomes
    is_hedged: Flag
    answered: Counts
    timed_out: Counts


def turn(
    model: Code, starts_us: Int, draw: Draw, rules: TurnRules, place: int, *, seed: int, call_keys: Keys,
    first: First | None = None,
) -> Turn:  # fmt: skip
    """Let calls try one model, and try again as the rules say.

    `starts_us` is when each turn starts (-1: unknown), `call_keys` names the calls, `place` is that in
    their chains. An attempt is drawn from the time at which it starts. `draw` must know all models.
    """
    assert len(model) == len(starts_us) == len(call_keys)
    made = _no_turn(len(model))
    rows = np.arange(len(model))
    for number in range(rules.retries_max + 1):
        if number:
            made.retry_count[rows] += 1
            made.latency_us[rows] += rules.wait_us(number)
        elapsed = made.latency_us[rows]
        starts = np.where(starts_us[rows] >= 0, starts_us[rows] + elapsed, -1)
        source = _Source(draw, model[rows], starts, seed, call_keys[rows], place * TRIES_MAX + number,
                         first if number == 0 else None)  # fmt: skip
        tried = _try(source, rules.timeout_us, rules.hedge_after_us)
        _note(made, rows, tried, timed_out_is_billed=rules.timed_out_is_billed)
        is_left = tried.outcome != OK if rules.goes_on and number else np.isin(tried.outcome, list(rules.retry_on))
        rows = rows[is_left]
        if not len(rows):
            break
    if rules.waits_us is not None and rules.retries_max:
        made.latency_us[rows] += rules.waits_us[rules.retries_max]
    return made


def _no_turn(count: int) -> Turn:
    """No attempt made yet."""

    def none() -> Counts:
        return np.zeros(count, dtype=np.int16)

    return Turn(
        np.full(count, NO_ATTEMPT, dtype=np.int8), np.zeros(count, dtype=np.int64), none(), none(), none(), none(),
        none(), np.zeros(count, dtype=np.int64), none(), none(),
    )  # fmt: skip


def _note(made: Turn, rows: Int, tried: _Try, *, timed_out_is_billed: bool) -> None:
    made.outcome[rows] = tried.outcome
    made.latency_us[rows] += tried.latency_us
    made.attempt_count[rows] += 1 + tried.is_hedged
    made.hedge_count[rows] += tried.is_hedged
    made.timeout_count[rows] += tried.outcome == TIMEOUT
    is_failed = tried.outcome != OK
    made.failure_count[rows] += is_failed
    for place, kind in enumerate(FAILURE_KINDS if is_failed.any() else ()):
        made.failures[rows] += (tried.outcome == kind).astype(np.int64) << (KIND_BITS * place)
    made.billed_count[rows] += tried.answered + timed_out_is_billed * tried.timed_out
    made.timed_out_count[rows] += tried.timed_out


class _Source(NamedTuple):
    """Where the attempts of one try are drawn from."""

    draw: Draw
    model: Code
    starts_us: Int
    seed: int
    call_keys: Keys
    number: int
    first: First | None

    def attempts(self, *, is_hedge: bool, rows: Int | slice = slice(None), delay_us: int = 0) -> tuple[Int, Outcomes]:
        """Latency and outcome of the first attempt, or of the hedge that starts `delay_us` later."""
        keys, starts = self.call_keys[rows], self.starts_us[rows]
        u = uniform(self.seed, keys, PURPOSE, self.number * 2 + is_hedge)
        latency, outcome = self.draw(self.model[rows], np.where(starts >= 0, starts + delay_us, -1), u)
        assert (outcome >= 0).all(), "a model without a distribution"
        if self.first is not None and not is_hedge:
            latency = np.where(self.first.is_logged, self.first.latency_us, latency)
            outcome = np.where(self.first.is_logged, self.first.outcome, outcome)
        return latency, outcome


def _try(source: _Source, timeout_us: int | None, hedge_after_us: int | None) -> _Try:
    """One try: one attempt, or two where the first has not ended `hedge_after_us` later, under one timeout.

    The first answer wins; if both attempts fail, the try lasts until the later one has, and fails as
    that one did (as the first, if at the same instant). A timeout cuts what is not answered by then.
    Of two attempts the one still running when the other answers is billed in full: its provider has
    begun (the cost of hedging is 1 + P(T > d)).
    """
    limit = NEVER_US if timeout_us is None else timeout_us
    first_us, first = source.attempts(is_hedge=False)
    end, outcome = first_us.copy(), first.copy()
    is_hedged = np.zeros(len(first), dtype=np.bool_)
    if hedge_after_us is not None and hedge_after_us < limit:
        is_hedged = first_us > hedge_after_us
    rows = np.flatnonzero(is_hedged)
    if len(rows):
        second_us, second = source.attempts(is_hedge=True, rows=rows, delay_us=hedge_after_us or 0)
        second_us = second_us + (hedge_after_us or 0)
        end[rows], outcome[rows] = _earlier_answer(first_us[rows], first[rows], second_us, second)
    is_cut = end > limit
    end[is_cut], outcome[is_cut] = limit, TIMEOUT
    answered, timed_out = _ended(first_us, first, end, is_cut)
    if len(rows):
        also_answered, also_timed_out = _ended(second_us, second, end[rows], is_cut[rows])
        answered[rows] += also_answered
        timed_out[rows] += also_timed_out
    return _Try(end, outcome, is_hedged, answered, timed_out)


def _earlier_answer(first_us: Int, first: Outcomes, second_us: Int, second: Outcomes) -> tuple[Int, Outcomes]:
    """When the first of two attempts answers, else when the later one has failed, and how."""
    answers_us = np.minimum(np.where(first == OK, first_us, NEVER_US), np.where(second == OK, second_us, NEVER_US))
    is_answered = answers_us < NEVER_US
    failure = np.where(second_us > first_us, second, first)
    end = np.where(is_answered, answers_us, np.maximum(first_us, second_us))
    return end, np.where(is_answered, np.int8(OK), failure)


def _ended(attempt_us: Int, outcome: Outcomes, end: Int, is_cut: Flag) -> tuple[Counts, Counts]:
    """Of an attempt in a try that ended at `end`: whether it is billed as an answer, whether it timed out."""
    is_running = attempt_us > end
    answered = np.where(is_running, ~is_cut, outcome == OK)
    timed_out = np.where(is_running, is_cut, outcome == TIMEOUT)
    return answered.astype(np.int16), timed_out.astype(np.int16)
