"""Which caps of the budgets stopped calls, each with its limit."""

from __future__ import annotations

import numpy as np

from costctl.replay.notes import Replay
from costctl.replay.plan import DEGRADED, OVER_BUDGET, REFUSED
from costctl.report import Table, Value

ABSENT = ("none", "")  # the limits of kinds of caps that the policy lacks
COLUMNS = ("cap", "limit", "call_count", "degraded_count", "over_budget_count", "refused_count", "passed_over_count")


def limits_of(done: Replay) -> list[tuple[str, str, str]]:
    """The caps by their titles, each with its limit as people read it and the unit of what is used of it."""
    budgets = done.plan.budgets
    return [] if budgets is None else list(zip(done.caps, budgets.limits(done.lanes.names), budgets.units, strict=True))


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
