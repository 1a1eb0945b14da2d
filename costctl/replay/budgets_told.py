"""Which caps of the budgets stopped calls, each with its limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costctl.replay.calls import DAY_US
from costctl.replay.engine import Decisions
from costctl.replay.kernel import SHARES_FROM_CALLS
from costctl.replay.lanes import Lanes
from costctl.replay.notes import Replay
from costctl.replay.plan import DEGRADED, OVER_BUDGET, OVERSPENT, PROVIDER, REFUSED, Plan
from costctl.replay.route import Route
from costctl.report import Table, Value, Warning, counted

ABSENT = ("none", "")  # the limits of kinds of caps that the policy lacks
COLUMNS = ("cap", "limit", "call_count", "degraded_count", "over_budget_count", "refused_count", "passed_over_count")


def limits_of(done: Replay) -> list[tuple[str, str, str]]:
    """The caps by their titles, each with its limit as people read it and the unit of what is used of it."""
    budgets = done.plan.budgets
    return [] if budgets is None else list(zip(done.caps, budgets.limits(done.lanes.names), budgets.units, strict=True))


def held_by_floor(decisions: Decisions, routed: Route, plan: Plan, lanes: Lanes) -> NDArray[np.int16]:
    """By call: the floor that kept a budget from taking it down, code into `Route.floors`; -1 where none did."""
    lane, budgets = decisions.entry_lane, plan.budgets
    if budgets is None or budgets.goes_below_floor or budgets.is_filtering or not lanes.tier_count:
        return np.full(len(lane), -1, dtype=np.int16)
    is_over = (decisions.notice & (OVER_BUDGET | OVERSPENT)) == OVER_BUDGET
    is_tokens = np.array([*(unit == "tokens" for unit in budgets.units), False])[decisions.cap]
    is_over &= ~(is_tokens & ((decisions.notice & DEGRADED) > 0))  # one tier down is all that a cap on tokens does
    is_held = is_over & (lane > 0) & (lane < lanes.tier_count) & (routed.floor >= lane)
    is_held &= np.asarray(lanes.take("can_hold", (lane - 1).clip(min=0)))
    return np.where(is_held, routed.held_by, -1).astype(np.int16)


def budgets_table(done: Replay) -> Table:
    """Calls by the first cap that each was over; a cap of the policy that nobody is over has 0.

    Only budgets that filter pass tiers over; then nothing is degraded or served over a cap.
    """
    made, budgets = done.decisions, done.plan.budgets
    rows: list[tuple[Value, ...]] = []
    for number, (title, limit, _) in enumerate(limits_of(done)):
        here = made.cap == number
        kinds = (here, (made.notice & DEGRADED) > 0, (made.notice & OVER_BUDGET) > 0, made.served_by == REFUSED)
        if limit not in ABSENT:
            counts = [int(np.count_nonzero(here & kind)) for kind in kinds]
            passed_over = counts[0] - sum(counts[1:]) if budgets is not None and budgets.is_filtering else None
            rows.append((title, limit, *counts, passed_over))
    return Table.of("budgets", COLUMNS, rows)


def share_warnings(done: Replay) -> list[Warning]:
    """Tiers that have more than their share of days, by calls that came before shares count."""
    budgets, calls, made = done.plan.budgets, done.calls, done.decisions
    if budgets is None or not budgets.share_of_lane:
        return []
    counting = np.flatnonzero((made.served_by == PROVIDER) & calls.is_dated & ~calls.is_unpriced)
    day, lane = calls.time_us[counting] // DAY_US, made.lane[counting]
    _, first, of_day, size = np.unique(day, return_index=True, return_inverse=True, return_counts=True)
    is_early = np.arange(len(day)) - first[of_day] < SHARES_FROM_CALLS  # calls stand in order of time
    said = []
    for number, over, under in budgets.share_of_lane:
        here = lane == number
        served, early = (
            np.bincount(of_day, weights=one, minlength=len(size)).astype(int) for one in (here, here & is_early)
        )
        above = (served * under > over * size) & (early * under > over * size)
        if above.any():
            name, share = done.lanes.names[number], f"{100 * over / under:g}%"
            days = f"{int(np.count_nonzero(above))} of {counted(len(size), 'day')}"
            many = f"{int(early[above].sum()):,} of its {counted(int(served[above].sum()), 'call')} there came before"
            said.append(Warning(
                "W227",
                f"max_share_per_day counts from the {SHARES_FROM_CALLS + 1}st call of a UTC day on: on {days} {name} "
                f"serves more than {share}; {many}",
                "a cap that holds from the first call: budgets.usd_per_day of the tier",
            ))  # fmt: skip
    return said
