"""The totals as OpenMetrics gauges, for a text file collector: no labels, so no user ids either."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from costctl.render.cells import escaped, plain
from costctl.report import Report, Value


def to_openmetrics(report: Report) -> str:
    """One gauge for each total that is a number or an instant (seconds since 1970); its help tells its standing."""
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
    return "\n".join([*lines, "# EOF"]) + "\n"


def _number(value: Value, name: str) -> str | None:
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=UTC).timestamp():.3f}"
    if value is None or isinstance(value, str):
        return None
    return str(int(value)) if isinstance(value, bool) else str(plain(value, name))


def _help(text: str) -> str:
    return escaped(text).replace("\\", "\\\\").replace('"', '\\"')
