"""Chains of turns composed column by column: what the walk does call by call, for tests of the turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costctl.replay.attempts import NO_ATTEMPT, Draw, TurnRules, turn
from costctl.replay.empirical import OK, Empirical


@dataclass(frozen=True)
class AttemptRules:
    """Rules of a whole chain; tuples go by place, beyond their end there is no timeout and no hedge."""

    timeout_us: tuple[int | None, ...] = ()
    retries_max: int = 0
    backoff_us: int = 0
    retry_on: frozenset[int] = frozenset()
    hedge_after_us: tuple[int | None, ...] = ()
    timed_out_is_billed: bool = False

    def at(self, place: int) -> TurnRules:
        return TurnRules(
            dict(enumerate(self.timeout_us)).get(place), self.retries_max, self.backoff_us, self.retry_on,
            dict(enumerate(self.hedge_after_us)).get(place), self.timed_out_is_billed,
        )  # fmt: skip


@dataclass(frozen=True)
class Attempts:
    """What became of each call; the last two are calls x places."""

    final_position: np.ndarray
    final_model: np.ndarray
    status: np.ndarray
    attempt_count: np.ndarray
    retry_count: np.ndarray
    hedge_count: np.ndarray
    timeout_count: np.ndarray
    is_fallback: np.ndarray
    latency_us: np.ndarray
    billed_count: np.ndarray
    timed_out_count: np.ndarray


def run(chain, times_us, draws, rules: AttemptRules, *, seed: int, call_keys) -> Attempts:
    """Play all calls through their chains; -1 is no candidate."""
    draw: Draw = draws.sample if isinstance(draws, Empirical) else draws
    count = len(chain)
    made = Attempts(
        *(np.full(count, NO_ATTEMPT, dtype=kind) for kind in (np.int16, np.int16, np.int8)),
        *(np.zeros(count, dtype=np.int16) for _ in range(4)), np.zeros(count, dtype=np.bool_),
        np.zeros(count, dtype=np.int64), *(np.zeros(chain.shape, dtype=np.int16) for _ in range(2)),
    )  # fmt: skip
    for place in range(chain.shape[1]):
        rows = np.flatnonzero((chain[:, place] >= 0) & (made.status != OK))
        if not len(rows):
            continue
        starts = np.where(times_us[rows] >= 0, times_us[rows] + made.latency_us[rows], -1)
        took = turn(chain[rows, place], starts, draw, rules.at(place), place, seed=seed, call_keys=call_keys[rows])
        made.is_fallback[rows] = made.final_position[rows] >= 0
        made.final_position[rows], made.final_model[rows] = place, chain[rows, place]
        made.status[rows] = took.outcome
        for name in ("attempt_count", "retry_count", "hedge_count", "timeout_count", "latency_us"):
            getattr(made, name)[rows] += getattr(took, name)
        made.billed_count[rows, place], made.timed_out_count[rows, place] = took.billed_count, took.timed_out_count
        assert ((took.outcome == OK) | (took.failure_count == took.retry_count + 1)).all()
    return made
