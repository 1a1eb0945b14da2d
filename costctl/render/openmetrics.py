"""Totals, gates and compared figures as OpenMetrics gauges; labels name the policy and its gates, never a user."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from costctl.render.cells import escaped, plain
from costctl.report import Report, Value


def to_openmetrics(report: Report) -> str:
    """One gauge for each total that is a number or an instant (seconds since 1970); its help tells its standing.

    Each gate has its value (none where there is none) and its verdict, a diff its figures of both runs.
    """
    status: Any = report.provenance.get("status", {})
    prefix = f"costctl_{report.command.replace(' ', '_').replace('-', '_')}"
    lines: list[str] = []
    for name, value in report.totals.items():
        number = _number(value, name)
        if number is None:
            continue
        metric = f"{prefix}_{name}" + ("_seconds" if isinstance(value, datetime) else "")
        lines.append(f"# TYPE {metric} gauge")
        if name in status:
            lines.append(f"# HELP {metric} {_help(str(status[name]))}")
        lines.append(f"{metric} {number}")
    families: dict[str, list[str]] = {}
    for name, labels, number in (*_gates(report), *_compared(report)):
        said = ",".join(f'{key}="{_help(text)}"' for key, text in (*labels, ("policy", _policy(report))) if text)
        families.setdefault(f"{prefix}_{name}", []).append(f"{prefix}_{name}{{{said}}} {number}")
    for metric, samples in families.items():
        lines += [f"# TYPE {metric} gauge", *dict.fromkeys(samples)]
    return "\n".join([*lines, "# EOF"]) + "\n"


Sample = tuple[str, tuple[tuple[str, str], ...], str]
"""End of the gauge's name, labels, number."""


def _gates(report: Report) -> Iterator[Sample]:
    """Value and verdict (1, with the verdict as a label) of each gate; of a diff those of the run of now."""
    rows = list(report.tables["gates"].dicts()) if "gates" in report.tables else []
    for name in ("gate_value", "gate_verdict"):
        for row in rows:
            labels = (("gate", str(row["gate"])), ("level", str(row["level"])))
            verdict, value = (row.get(key, row.get(f"now_{key}")) for key in ("verdict", "value"))
            if name == "gate_verdict" and verdict is not None:
                yield name, (*labels, ("verdict", str(verdict))), "1"
            elif name == "gate_value" and (number := _told(value)) is not None:
                yield name, labels, number


def _compared(report: Report) -> Iterator[Sample]:
    """The figures of a diff: of the base, of now, and their change."""
    rows = list(report.tables["diff"].dicts()) if report.command == "diff" else []
    for column in ("base", "now", "change"):
        for row in rows:
            metric = str(row["metric"])
            value = plain(row[column], metric)
            if (number := _told(value)) is not None:
                yield column, (("metric", metric),), number


def _told(value: object) -> str | None:
    """A number that may stand as text; None of anything else."""
    try:
        number = None if value is None or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None
    return f"{number:f}" if number is not None and number.is_finite() else None


def _policy(report: Report) -> str:
    """The name of the policy, of a diff that of the run of now; without its digest, which changes with each edit."""
    head = report.provenance.get("head")
    named = head["policy"] if isinstance(head, dict) else report.provenance.get("policy")
    return str(named or "").rpartition(" #")[0]


def _number(value: Value, name: str) -> str | None:
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=UTC).timestamp():.3f}"
    if value is None or isinstance(value, str):
        return None
    return str(int(value)) if isinstance(value, bool) else str(plain(value, name))


def _help(text: str) -> str:
    return escaped(text).replace("\\", "\\\\").replace('"', '\\"')
