"""The screen of `costctl simulate`: the answer first, then where it comes from and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costctl.money import ratio_display, usd_display
from costctl.render.cells import cell, safe
from costctl.report import Report

# A table, its heading, its columns by priority, and how many of its rows are shown.
SECTIONS = (
    ("gates", "GATES", ("verdict", "gate", "value", "level", "reason"), 50),
    ("waterfall", "WHERE THE CHANGE COMES FROM: in the order of the stages, sums exactly",
     ("title", "call_count", "change_usd"), 20),
    ("by_tier", "BY TIER",
     ("tier", "call_count", "share_ratio", "baseline_cost_usd", "policy_cost_usd", "moved_count"), 12),
    ("by_model", "BY MODEL",
     ("model", "policy_cost_usd", "baseline_cost_usd", "policy_call_count", "baseline_call_count"), 8),
    ("routing", "WHY: what decided the tier", ("reason", "kind", "call_count"), 16),
    ("quality", "LOGGED SCORES: by the policy's tier and the model that was scored",
     ("tier", "scored_model", "scored_count", "mean_score", "moved_count"), 12),
    ("references", "THE SAME CALLS ALL ON ONE MODEL: moved ones uncached",
     ("reference", "cost_usd", "left_as_logged_count"), 6),
)  # fmt: skip
Row = Mapping[str, Any]


def simulation(report: Report, width: int, section: Callable[[str, str, tuple[str, ...], int], list[str]]) -> list[str]:
    """The lines of the screen; `section` lays out one table."""
    lines = _head(report, width)
    for name, heading, columns, rows in SECTIONS:
        if report.tables[name].rows:
            lines += section(name, heading, columns, rows)
    return [*lines, *_rests(report)]


def _head(report: Report, width: int) -> list[str]:
    total: Mapping[str, Any] = report.totals
    made: Mapping[str, Any] = report.provenance
    logs = ", ".join(map(str, made["logs"]))
    cost = (
        f"  COST          {usd_display(total['baseline_cost_usd']):>14} {usd_display(total['policy_cost_usd']):>14}"
        f" {_signed(-total['saving_usd']):>14}   {_saved(total['saving_ratio'])}"
    )
    lines = [
        f"costctl simulate   {safe(str(made['policy']), 60)}   seed {made['seed']}   {safe(logs, max(width - 60, 20))}",
        f"{total['call_count']:,} calls in time order; baseline: the logged models at list {made['price_set']}",
        "",
        f"                {'baseline':>14} {'policy':>14} {'change':>14}",
        cost,
    ]
    if "saving_ratio_low" in total:
        lines.append(
            f"  range         {'':>14} {usd_display(total['policy_cost_usd_low'])} .. "
            f"{usd_display(total['policy_cost_usd_high'])}   "
            f"{_saved_range(total['saving_ratio_low'], total['saving_ratio_high'])}"
        )
    for name in ("p50", "p95", "p99"):
        before, after = total.get(f"baseline_latency_ms_{name}"), total.get(f"policy_latency_ms_{name}")
        if before is not None:
            told = cell(after, "latency_ms") if after is not None else "—"
            low, high = (total.get(f"policy_latency_ms_{name}_{end}") for end in ("low", "high"))
            span = f"{'':>18}{cell(low, 'latency_ms')} .. {cell(high, 'latency_ms')}" if low and high else ""
            lines.append(f"  latency {name}   {cell(before, 'latency_ms'):>14} {told:>14}{span}".rstrip())
    lines.append(f"  cache hits    {'—':>14} {ratio_display(total['cache_hit_ratio']):>14}")
    counts = (
        ("moved", "moved to another model or shortened"), ("degraded", "taken down by a budget"),
        ("over_budget", "over a budget, served all the same"), ("refused", "refused"),
    )  # fmt: skip
    lines += ["", *(f"  {total[f'{key}_count']:>9,} {text}" for key, text in counts if total[f"{key}_count"])]
    return lines


def _signed(change: Any) -> str:
    return usd_display(change) if change < 0 else f"+{usd_display(change)}"


def _saved(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"saves {ratio_display(ratio)}" if ratio >= 0 else f"costs {ratio_display(-ratio)} more"


def _saved_range(low: float, high: float) -> str:
    """Both ends of the saving; where both are below 0, of what it costs more."""
    if high < 0:
        return f"costs {ratio_display(-high)} .. {ratio_display(-low)} more"
    return f"saves {ratio_display(low)} .. {ratio_display(high)}"


def _rests(report: Report) -> list[str]:
    """What the figures rest on: statuses, token ratios, what is not computed."""
    rows = list(report.tables["assumptions"].dicts())
    lines = [""]
    if rows:
        lines.append("  RESTS ON  tokens of a model that did not answer, per logged token")
    shown = [row for row in rows if row["what"] == "output tokens" or row["factor_low"] != row["factor_high"]]
    shown.sort(key=lambda row: (-int(str(row["call_count"])), str(row["logged_model"]), str(row["what"])))
    for row in shown[:6]:
        span = f" ({row['factor_low']} .. {row['factor_high']})" if row["factor_low"] != row["factor_high"] else ""
        pair = safe(f"{row['logged_model']} -> {row['model']}", 60)
        lines.append(f"    {pair}: {row['what']} x {row['factor']}{span}, {row['how']}, {row['call_count']:,} calls")
    if len(shown) > 6:
        lines.append(f"    and {len(shown) - 6} more: --output json")
    missing: Any = report.provenance["not_computed"]
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason, []).append(str(name).removesuffix("_ratio").removesuffix("_count").replace("_", " "))
    lines.append("  NOT COMPUTED")
    lines += [f"    {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return [*lines, ""]
