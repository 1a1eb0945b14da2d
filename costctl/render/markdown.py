"""Every table as Markdown."""

from __future__ import annotations

from costctl.render.cells import cell, safe, unit_name
from costctl.report import Report


def to_markdown(report: Report) -> str:
    """Every table as Markdown, with cells that cannot break out."""
    parts = [f"# costctl {report.command}", "", "| total | value |", "|---|---:|"]
    parts += [f"| {name} | {_md(cell(value, name))} |" for name, value in report.totals.items()]
    for name, table in report.tables.items():
        parts += ["", f"## {name}", "", "| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        parts += [
            "| " + " | ".join(_md(cell(value, unit_name(row, key))) for key, value in row.items()) + " |"
            for row in table.dicts()
        ]
    parts += ["", *(f"- {item.code}: {_md(safe(item.message, 300))}" for item in report.warnings)]
    return "\n".join(parts) + "\n"


def _md(text: str) -> str:
    for mark in "\\`*_[]<>|@":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;", "@": "&#64;"}.get(mark, "\\" + mark))
    return text
