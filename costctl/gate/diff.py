"""`costctl diff`: two runs of one log beside each other, with an arrow where a change is beyond doubt."""

from __future__ import annotations

from collections.abc import Iterable

from costctl.gate.changes import Change, changes
from costctl.replay.compare import Earlier, change_of, compared
from costctl.report import Report, Table, Value

FIGURES = (
    "baseline_cost_usd", "policy_cost_usd", "saving_usd", "saving_ratio", "net_saving_usd",
    *(f"policy_latency_ms_p{percent}" for percent in (50, 95, 99)),
    "cache_hit_ratio", "exact_hit_ratio", "semantic_hit_ratio", "prompt_cache_read_ratio",
    "wrong_per_hit_ratio", "wrong_per_request_ratio", "policy_quality_mean", "routing_accuracy_ratio",
    "complex_to_premium_ratio", "moved_count", "degraded_count", "refused_count", "fallback_count", "timeout_count",
    "escalated_count", "policy_failed_count",
)  # fmt: skip
COLUMNS = ("metric", "base", "now", "change", "arrow", "change_low", "change_high", "status")
TIERS = ("tier", "base_share_ratio", "now_share_ratio", "change_ratio", "base_cost_usd", "now_cost_usd", "change_usd")
GATES = ("gate", "level", "base_verdict", "now_verdict", "base_value", "now_value")
UP, DOWN, WITHIN, NONE = "↑", "↓", "≈", ""


def diff(base: Earlier, head: Earlier) -> Report:
    """Figures, tiers and gates of both runs; figures that neither has are left out.

    Raises:
        CostctlError: E430 where a run is damaged, E431 where they are of different calls.
    """
    report = head.report()
    warnings = compared(report, base).warnings
    by_name = {one.metric: one for one in changes(report, base)}
    found = [by_name[name] for name in FIGURES if name in by_name]
    tables = (
        Table.of("diff", COLUMNS, map(_row, found)),
        Table.of("tiers", TIERS, _tiers(base, head)),
        Table.of("gates", GATES, _gates(base, head)),
    )
    counts: dict[str, Value] = {
        "figure_count": len(found),
        "changed_count": sum(one.is_beyond_doubt for one in found),
        "uncertain_count": sum(_arrow(one) == WITHIN for one in found),
    }
    made = {
        "costctl": head.made["costctl"], "base": {"file": base.file, "policy": base.made["policy"]},
        "head": {"file": head.file, "policy": head.made["policy"]}, "policy_file": head.made.get("policy_file"),
        "logs": head.made.get("logs", []),
        "status": dict.fromkeys(counts, "exact"),
    }  # fmt: skip
    return Report("diff", counts, {table.name: table for table in tables}, warnings, made)


def _row(one: Change) -> tuple[Value, ...]:
    return one.metric, one.base, one.now, one.change, _arrow(one), one.low, one.high, one.status


def _arrow(one: Change) -> str:
    if not one.change:
        return NONE
    if not one.is_beyond_doubt:
        return WITHIN
    return UP if float(str(one.change)) > 0 else DOWN


def _tiers(base: Earlier, head: Earlier) -> Iterable[tuple[Value, ...]]:
    """Shares of calls and cost by tier, in the order of this run and then of the earlier one."""
    columns = ("tier", "share_ratio", "policy_cost_usd")
    then, now = ({row["tier"]: row for row in run.rows("by_tier", columns)} for run in (base, head))
    for tier in (*now, *(tier for tier in then if tier not in now)):
        share, cost = (
            change_of(then.get(tier, {}).get(column), now.get(tier, {}).get(column))
            for column in ("share_ratio", "policy_cost_usd")
        )
        yield tier, *share, *cost


def _gates(base: Earlier, head: Earlier) -> Iterable[tuple[Value, ...]]:
    """The verdicts on the gates of both policies."""
    columns = ("gate", "level", "verdict", "value")
    then, now = ({(row["gate"], row["level"]): row for row in run.rows("gates", columns)} for run in (base, head))
    for key in (*now, *(key for key in then if key not in now)):
        sides = [(side.get(key, {}).get("verdict"), side.get(key, {}).get("value")) for side in (then, now)]
        yield *key, sides[0][0], sides[1][0], sides[0][1], sides[1][1]
