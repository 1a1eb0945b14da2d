"""The policy as a router would carry it out, beside the policy as it is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costctl.policy.schema import Policy
from costctl.policy.targets import Change
from costctl.replay.again import Found, Main, knows_hits, outcome_of, ratio_of, spent_pusd
from costctl.replay.attempts_told import attempt_totals
from costctl.replay.calls import exact_sum
from costctl.replay.compare import change_of
from costctl.replay.latency_told import policy_p95_ms
from costctl.replay.notes import Replay
from costctl.replay.plan import REFUSED
from costctl.replay.project import usd
from costctl.report import Table, Value

COLUMNS = (
    "as", "policy_cost_usd", "saving_usd", "saving_ratio", "latency_ms_p95", "cache_hit_ratio", "refused_count",
    "fallback_count", "failed_count",
)  # fmt: skip


@dataclass(frozen=True)
class AsTarget:
    """A router by its name and title, the policy as it is written, and what the router does of it in another way."""

    name: str
    title: str
    written: Policy
    changes: tuple[Change, ...]


def tell_as_target(main: Main, target: AsTarget) -> Found:
    """What the router does instead, and the figures of both; the last row is the router's less those as written."""
    written = main.replayed(main.done.calls, target.written, main.book, main.known)
    here, there = _figures(main.policy, main.done), _figures(target.written, written)
    change = tuple(change_of(base, now)[2] for base, now in zip(there, here, strict=True))
    rows = [(f"as {target.title}", *here), ("as written", *there), ("difference", *change)]
    return Found(
        tables=[
            Table.of("as_target", Change._fields, target.changes),
            Table.of("as_written", COLUMNS, rows),
        ]
    )  # fmt: skip


def _figures(policy: Policy, done: Replay) -> tuple[Value, ...]:
    made = done.decisions
    baseline, spent = exact_sum(done.calls.baseline_pusd), spent_pusd(outcome_of(done))
    hits = int(np.count_nonzero(made.is_cached))
    attempts = attempt_totals(done)
    return (
        usd(spent), usd(baseline - spent), ratio_of(baseline - spent, baseline), policy_p95_ms(done),
        hits / max(done.calls.count, 1) if knows_hits(policy, done) else None,
        int(np.count_nonzero(made.served_by == REFUSED)),
        attempts.get("fallback_count", 0), attempts["policy_failed_count"],
    )  # fmt: skip
