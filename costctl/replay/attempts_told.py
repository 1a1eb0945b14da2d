"""What the attempts of a replay came to: counts, a table by tier, and what they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np

from costctl.money import usd_display
from costctl.policy.schema import Policy
from costctl.replay import kernel
from costctl.replay.calls import Flag, exact_sum
from costctl.replay.engine import Decisions, Played
from costctl.replay.notes import Replay
from costctl.replay.plan import (
    ESCALATED,
    FAILED,
    FELL_BACK,
    KILLED,
    LIMITED,
    PROVIDER,
    QUEUED,
    REFUSED,
)
from costctl.replay.project import Outcome, usd
from costctl.report import Table, Value, Warning, counted
from costctl.store import Store

COUNTED = (("retry_count", kernel.RETRIES), ("hedge_count", kernel.HEDGES), ("timeout_count", kernel.TIMEOUTS))
NOTICED = (
    ("fallback_count", FELL_BACK), ("escalated_count", ESCALATED), ("queued_count", QUEUED), ("limited_count", LIMITED),
    ("passed_over_count", KILLED),
)  # fmt: skip
NOT_ASKED = "the policy has no timeouts, retries, fallbacks, limits or kill switch"


def attempt_totals(done: Replay) -> dict[str, int]:
    """Calls without an answer in log and policy; with rules about attempts, what those did."""
    made, calls = done.decisions, done.calls
    answered = made.is_cached | ((made.served_by == PROVIDER) & calls.is_ok)
    totals = {
        "baseline_failed_count": int(np.count_nonzero(~calls.is_ok)),
        "policy_failed_count": int(np.count_nonzero(~answered & (made.served_by != REFUSED))),
    }
    if made.played is not None:
        every = np.ones(calls.count, dtype=np.bool_)
        totals |= _counts(done, made.played, every)
    return totals


def _counts(done: Replay, played: Played, here: Flag) -> dict[str, int]:
    return {
        **{name: int(played.count(field)[here].sum()) for name, field in COUNTED},
        **{name: int(np.count_nonzero(here & ((done.decisions.notice & bit) > 0))) for name, bit in NOTICED},
    }


def attempts_table(done: Replay) -> Table:
    """By the tier that each call went to first: what its attempts were; empty without rules about attempts."""
    names = [name for name, _ in (*COUNTED, *NOTICED)]
    columns = ("tier", "call_count", "answered_count", *names, "wait_ms")
    made, played = done.decisions, done.decisions.played
    rows: list[tuple[Value, ...]] = []
    for number, tier in enumerate(done.lanes.names[: done.lanes.logged] if played else ()):
        assert played is not None
        here = (made.entry_lane == number) & ((made.served_by == PROVIDER) | (made.served_by == FAILED))
        count = int(np.count_nonzero(here))
        if count:
            told = _counts(done, played, here)
            answered = int(np.count_nonzero(here & (made.served_by == PROVIDER)))
            wait_ms = float(played.wait_us[here].sum()) / 1000
            rows.append((tier, count, answered, *(told[name] for name in names), wait_ms))
    return Table.of("attempts", columns, rows)


def attempt_warnings(store: Store, policy: Policy, done: Replay, outcome: Outcome) -> list[Warning]:
    """What the drawn attempts rest on."""
    made, said = done.decisions, []
    if made.played is None:
        return []
    is_lost = made.served_by == FAILED
    failed = int(np.count_nonzero(is_lost))
    if failed:
        new = is_lost & done.calls.is_ok
        kept = exact_sum(done.calls.baseline_pusd, new) - exact_sum(outcome.used_pusd, new)
        said.append(
            Warning(
                "W271",
                f"{counted(failed, 'call gets', 'calls get')} no answer: {_why_lost(made, made.played, is_lost)}; "
                f"{int(np.count_nonzero(new)):,} of them had one in the log, and what is not paid for those, "
                f"{usd_display(usd(kept))}, counts as saved",
                "gate it: policy_failed_count <= N",
            )
        )
    said += _cut(policy, made.played)
    said += _retried(store, policy)
    return [*said, *_escalated_by_ratio(policy, done)]


def _escalated_by_ratio(policy: Policy, done: Replay) -> list[Warning]:
    """Answers that the log does not judge: the ratio that the policy states decides which of them escalate."""
    plan, made = done.plan.attempts, done.decisions
    if policy.escalate is None or plan is None or plan.escalating is None or plan.escalation is None:
        return []
    is_up = (made.notice & ESCALATED) > 0
    asked = plan.escalating.is_by_ratio & (made.served_by == PROVIDER) & (is_up | (made.lane == plan.escalation[0]))
    count, up = int(np.count_nonzero(asked)), int(np.count_nonzero(asked & is_up))
    if not count:
        return []
    ratio = f"{policy.escalate.ratio:.1%}"
    what = f"assumed: {counted(up, 'call escalates', 'calls escalate')} by the policy's ratio of {ratio}"
    return [Warning("W272", f"{what}, of {counted(count, 'answer')} that the log does not judge")]


def _why_lost(made: Decisions, played: Played, is_lost: Flag) -> str:
    """How many calls without an answer were never sent, and what kept them out."""
    is_unsent = is_lost & (played.count(kernel.ATTEMPTS) == 0)
    is_limited = is_unsent & ((made.notice & LIMITED) > 0)
    is_out = is_unsent & ~is_limited & ((made.notice & KILLED) > 0)
    parts = (
        ("after every try that was drawn failed", is_lost & ~is_unsent),
        ("never sent as a provider's limit let them through nowhere", is_limited),
        ("never sent as the kill switch had the provider out", is_out),
        ("never sent as nobody could be asked", is_unsent & ~is_limited & ~is_out),
    )
    return ", ".join(f"{count:,} {what}" for what, flags in parts if (count := int(np.count_nonzero(flags))))


def attempt_status(done: Replay) -> dict[str, Any]:
    """The status of each of the totals."""
    is_drawn = done.decisions.played is not None
    return {
        name: "exact" if name.startswith("baseline") else "replayed under assumption" if is_drawn else "replayed"
        for name in attempt_totals(done)
    }


def _cut(policy: Policy, played: Played) -> list[Warning]:
    """Work that a timeout ended was done all the same; providers differ in whether they bill it."""
    cut = int(played.count(kernel.TIMEOUTS).sum())
    if not cut or policy.assume.timed_out_is_billed:
        return []
    return [
        Warning(
            "W277",
            f"{counted(cut, 'try is', 'tries are')} ended by a timeout; what was computed until then counts as $0, "
            "and a provider may bill it",
            "see what it can come to: assume: {timed_out_is_billed: true}",
        )
    ]


def _retried(store: Store, policy: Policy) -> list[Warning]:
    """The log's own second attempts, which a policy without `retries` does not make."""
    retried = store.scalar("SELECT count(*) FROM replay_place WHERE attempt_count > 1")
    if policy.retries is not None or not retried:
        return []
    return [
        Warning(
            "W275",
            f"{counted(retried, 'call of the log was', 'calls of the log were')} tried more than once; "
            "this policy plays attempts and says nothing of retries, so where it plays them none is made",
            "keep them: retries: {max: 1, on: [timeout, rate_limit, server_error]}",
        )
    ]
