"""Timeouts, retries, hedging and fallbacks: what a call goes through until it is answered or given up.

A call has a chain of candidate models. At each position it is tried once and, after failures that
the rules name, again; then the next position takes over. Composition of latency: each try counts
for at most its timeout, waits between tries are added, a hedged try lasts min(T1, d + T2). Loops go
over positions and tries, arrays over the calls still open, so the work is that of the attempts made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.replay.draws import Keys, Real, uniform
from costctl.replay.empirical import OK, TIMEOUT, Empirical, Flag, Int, Outcomes

Counts = NDArray[np.int16]
# Of models, start times in microseconds and draws in [0, 1): latency in microseconds and outcome code.
Draw = Callable[[Counts, Int, Real], tuple[Int, Outcomes]]

NO_ATTEMPT = -1  # status, model and position of a call without a candidate
PURPOSE = "attempt"
# A draw is named by position, try and whether it is the hedge, in a numbering that no rule changes, so that
# policies with other numbers of retries share the draws of the tries that they both make.
TRIES_MAX = 1 << 15
CHUNK_CALLS = 65_536  # so that the arrays of a step stay in the processor's cache: half the time of one piece
NEVER_US = 2**62  # an instant that no sum of latencies reaches


@dataclass(frozen=True)
class AttemptRules:
    """What is done about slow and failed attempts. The default is one attempt, however long it takes.

    Tuples go by chain position; positions beyond their end have no timeout and no hedge. Times are
    microseconds, `retry_on` holds outcome codes of `empirical`.
    """

    timeout_us: tuple[int | None, ...] = ()
    retries_max: int = 0  # at each position
    backoff_us: int = 0  # before the first retry at a position; doubles with each further one
    retry_on: frozenset[int] = frozenset()
    hedge_after_us: tuple[int | None, ...] = ()
    timed_out_is_billed: bool = False

    def __post_init__(self) -> None:
        assert OK not in self.retry_on
        assert 0 <= self.retries_max < TRIES_MAX
        assert self.backoff_us << self.retries_max < NEVER_US, "the last wait does not fit in 64 bits"


@dataclass(frozen=True)
class Attempts:
    """What became of each call; arrays as long as the calls, the last two calls x positions."""

    final_position: Counts  # that answered, else the last one tried
    final_model: Counts
    status: Outcomes  # OK, or how the last try failed
    attempt_count: Counts  # tries and hedges
    retry_count: Counts
    hedge_count: Counts
    timeout_count: Counts  # tries that ended in a timeout, ours or one in the log
    is_fallback: Flag  # another position than the call's first candidate was tried last
    latency_us: Int  # tries, each cut at its timeout, and the waits between them
    billed_count: Counts  # attempts to pay in full: answers, also those not waited for, and as the rules say timeouts
    timed_out_count: Counts  # attempts that a timeout ended, billed or not; both of a hedged try may be


class _Try(NamedTuple):
    """How one try of some calls ended; `answered` and `timed_out` count attempts."""

    latency_us: Int
    outcome: Outcomes
    is_hedged: Flag
    answered: Counts
    timed_out: Counts


def run(
    chain: Counts, times_us: Int, draws: Empirical | Draw, rules: AttemptRules, *, seed: int, call_keys: Keys
) -> Attempts:
    """Play all calls through their chains.

    `chain` is calls x positions of models, -1 where there is no candidate, which costs nothing;
    `times_us` is when each call starts (-1: unknown), `call_keys` names it. Every failure that is
    not retried goes on to the next candidate at once. An attempt is drawn from the time at which
    it starts. `draws` must know all models of the chain: wrap an `Empirical` that does not.
    """
    assert chain.shape[0] == len(times_us) == len(call_keys)
    draw = draws.sample if isinstance(draws, Empirical) else draws
    cuts = [slice(start, start + CHUNK_CALLS) for start in range(0, max(len(chain), 1), CHUNK_CALLS)]
    return _joined([_run_chunk(chain[cut], times_us[cut], draw, rules, seed, call_keys[cut]) for cut in cuts])


def _run_chunk(chain: Counts, times_us: Int, draw: Draw, rules: AttemptRules, seed: int, call_keys: Keys) -> Attempts:
    made = _before(chain)
    for position in range(chain.shape[1]):
        rows = np.flatnonzero((chain[:, position] >= 0) & (made.status != OK))
        made.is_fallback[rows] = made.final_position[rows] >= 0
        made.final_position[rows] = position
        made.final_model[rows] = chain[rows, position]
        for number in range(rules.retries_max + 1):
            if not len(rows):
                break
            if number:
                made.retry_count[rows] += 1
                made.latency_us[rows] += rules.backoff_us << (number - 1)
            elapsed = made.latency_us[rows]
            starts = np.where(times_us[rows] >= 0, times_us[rows] + elapsed, -1)
            source = _Source(draw, chain[rows, position], starts, seed, call_keys[rows], position * TRIES_MAX + number)
            tried = _try(source, _of(rules.timeout_us, position), _of(rules.hedge_after_us, position))
            _note(made, rows, position, tried, timed_out_is_billed=rules.timed_out_is_billed)
            rows = rows[np.isin(tried.outcome, list(rules.retry_on))]
    return made


def _before(chain: Counts) -> Attempts:
    """No attempt made yet."""
    count = len(chain)

    def filled(value: int, kind: Any) -> Any:
        return np.full(count, value, dtype=kind)

    return Attempts(
        final_position=filled(NO_ATTEMPT, np.int16),
        final_model=filled(NO_ATTEMPT, np.int16),
        status=filled(NO_ATTEMPT, np.int8),
        attempt_count=filled(0, np.int16),
        retry_count=filled(0, np.int16),
        hedge_count=filled(0, np.int16),
        timeout_count=filled(0, np.int16),
        is_fallback=filled(0, np.bool_),
        latency_us=filled(0, np.int64),
        billed_count=np.zeros(chain.shape, dtype=np.int16),
        timed_out_count=np.zeros(chain.shape, dtype=np.int16),
    )


def _joined(parts: list[Attempts]) -> Attempts:
    """Attempts of consecutive chunks of calls as one."""
    return Attempts(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Attempts)))


def _note(made: Attempts, rows: Int, position: int, tried: _Try, *, timed_out_is_billed: bool) -> None:
    made.status[rows] = tried.outcome
    made.latency_us[rows] += tried.latency_us
    made.attempt_count[rows] += 1 + tried.is_hedged
    made.hedge_count[rows] += tried.is_hedged
    made.timeout_count[rows] += tried.outcome == TIMEOUT
    made.billed_count[rows, position] += tried.answered + timed_out_is_billed * tried.timed_out
    made.timed_out_count[rows, position] += tried.timed_out


class _Source(NamedTuple):
    """Where the attempts of one try are drawn from."""

    draw: Draw
    model: Counts
    starts_us: Int
    seed: int
    call_keys: Keys
    number: int

    def attempts(self, *, is_hedge: bool, rows: Int | slice = slice(None), delay_us: int = 0) -> tuple[Int, Outcomes]:
        """Latency and outcome of the first attempt, or of the hedge that starts `delay_us` later."""
        keys, starts = self.call_keys[rows], self.starts_us[rows]
        u = uniform(self.seed, keys, PURPOSE, self.number * 2 + is_hedge)
        latency, outcome = self.draw(self.model[rows], np.where(starts >= 0, starts + delay_us, -1), u)
        assert (outcome >= 0).all(), "a model without a distribution"
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


def _of(by_position: tuple[int | None, ...], position: int) -> int | None:
    return by_position[position] if position < len(by_position) else None
