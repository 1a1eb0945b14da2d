"""Gates: bounds that the figures of a simulation must keep, each with its verdict.

A gate passes only on a figure that is exact or replayed, or on the worse end of an interval. A
figure that was not computed or that rests on the policy's own assumptions gives no verdict.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from costctl.policy.results import Gate
from costctl.report import Report, Table, Value

PASS, FAIL, NOT_RUN = "PASS", "FAIL", "NOT RUN"
COLUMNS = ("verdict", "gate", "value", "level", "reason")
SURE = ("exact", "replayed")
_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


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
        has_ends = f"{gate.metric}_low" in report.totals
        if has_ends:
            end = "low" if gate.operator in (">=", ">") else "high"
            found = report.totals.get(f"{gate.metric}_{end}")
            if found is None or gate.operator in ("=", "!="):
                return NOT_RUN, gate.gate, _text(value), gate.level, "an estimate that has no bound on this side"
            is_bound = status.get(f"{gate.metric}_{end}") == "bounded"
            worse, reason = found, f"the {end} end of {'a bound' if is_bound else 'an estimate'}"
        holds = _HOLDS[gate.operator](Decimal(str(worse)), gate.bound)
        if holds and reason not in SURE and not has_ends:
            return NOT_RUN, gate.gate, _text(value), gate.level, f"holds, but is only {reason}"
        return PASS if holds else FAIL, gate.gate, _text(worse), gate.level, reason

    return verdict


def _text(value: Value) -> str:
    """The figure as it was compared, with at most six decimals."""
    number = Decimal(str(value))
    return f"{number.quantize(Decimal('0.000001')).normalize():f}"
