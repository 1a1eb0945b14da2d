"""Gates: bounds that the figures of a simulation must keep, each with its verdict.

A gate passes only on a figure that is exact or replayed, or on the worse end of an interval. A
figure that was not computed or that rests on the policy's own assumptions gives no verdict.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from costctl.errors import CostctlError, Problem
from costctl.policy.results import Gate
from costctl.report import Report, Table, Value

PASS, FAIL, NOT_RUN = "PASS", "FAIL", "NOT RUN"
COLUMNS = ("verdict", "gate", "value", "level", "reason")
SURE = ("exact", "replayed")
METRICS = (
    "call_count", "baseline_cost_usd", "policy_cost_usd", "saving_usd", "saving_ratio", "exact_hit_ratio",
    "semantic_hit_ratio", "semantic_refresh_ratio", "cache_hit_ratio", "prompt_cache_read_ratio",
    "wrong_per_hit_ratio", "wrong_per_request_ratio", "routing_accuracy_ratio", "complex_to_premium_ratio",
    "moved_count", "degraded_count", "over_budget_count", "refused_count", "left_as_logged_count", "fallback_count",
    "timeout_count", "escalated_count", "retry_count", "hedge_count", "queued_count", "limited_count",
    "passed_over_count", "baseline_failed_count", "policy_failed_count", "saving_without_routing_usd", "fixed_cost_usd",
    "net_saving_usd", "payback_days", "policy_quality_mean", "quality_coverage_ratio", "quality_evidence_count",
    "routing_accuracy_count", "complex_to_premium_count", "shortened_count", "compressed_count", "instructed_count",
    "batched_count", "data_source_call_count", "data_source_miss_count", "post_process_call_count",
    "self_hosted_cost_usd", "self_hosted_call_count", "one_off_cost_usd", "classifier_count", "classifier_cheap_ratio",
    "classifier_loss_bound_ratio",
    *(f"{whose}_latency_ms_p{percent}" for whose in ("baseline", "policy") for percent in (50, 95, 99)),
)  # fmt: skip
_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip


def check_gates(gates: Iterable[Gate], path: str) -> None:
    """Refuse gates on figures that no simulation has, before anything is read.

    Raises:
        CostctlError: E402 with every one of them.
    """
    problems = []
    for number, gate in enumerate(gates):
        if gate.metric not in METRICS:
            near = get_close_matches(gate.metric, METRICS, n=1)
            hint = f", did you mean {near[0]}?" if near else f"; known: {', '.join(METRICS)}"
            problems.append(Problem(path, None, None, f"gates[{number}]", f"unknown figure {gate.metric}{hint}"))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CostctlError("E402", f"{problems[0]}{more}", problems=tuple(problems))


def judge(report: Report, gates: Sequence[Gate]) -> Report:
    """The report with its table `gates`: one verdict for each gate, in the order of the policy."""
    return replace(report, tables={**report.tables, "gates": Table.of("gates", COLUMNS, map(_of(report), gates))})


def is_broken(report: Report) -> bool:
    """Whether a gate of level error did not pass."""
    return any(row["level"] == "error" and row["verdict"] != PASS for row in report.tables["gates"].dicts())


def _of(report: Report) -> Callable[[Gate], tuple[Value, ...]]:
    status: Any = report.provenance["status"]
    missing: Any = report.provenance["not_computed"]

    def verdict(gate: Gate) -> tuple[Value, ...]:
        value = report.totals.get(gate.metric)
        if value is None:
            known = [why for name, why in missing.items() if gate.metric.startswith(name)]
            return NOT_RUN, gate.gate, None, gate.level, known[0] if known else "not computed for this log"
        worse, reason = value, status[gate.metric]
        if f"{gate.metric}_low" in report.totals:
            end = "low" if gate.operator in (">=", ">") else "high"
            found = report.totals.get(f"{gate.metric}_{end}")
            if found is None or gate.operator == "=":
                return NOT_RUN, gate.gate, _text(value), gate.level, "an estimate that has no bound on this side"
            worse, reason = found, f"the {end} end of an estimate"
        holds = _HOLDS[gate.operator](Decimal(str(worse)), gate.bound)
        if holds and reason not in SURE and worse is value:
            return NOT_RUN, gate.gate, _text(value), gate.level, f"holds, but is only {reason}"
        return PASS if holds else FAIL, gate.gate, _text(worse), gate.level, reason

    return verdict


def _text(value: Value) -> str:
    """The figure as it was compared, with at most six decimals."""
    number = Decimal(str(value))
    return f"{number.quantize(Decimal('0.000001')).normalize():f}"
