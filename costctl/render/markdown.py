"""Every table as Markdown."""

from __future__ import annotations

from costctl.render.cells import cell, safe, unit_name
from costctl.render.pictures import WIDTH_MAX, picture
from costctl.report import Report, Table


def to_markdown(report: Report) -> str:
    """Every table as Markdown, with cells that cannot break out."""
    parts = [f"# costctl {report.command}", "", "| total | value |", "|---|---:|"]
    parts += [f"| {name} | {markdown_text(cell(value, name))} |" for name, value in report.totals.items()]
    for name, table in report.tables.items():
        parts += ["", f"## {name}", "", *table_lines(table), *_picture(report, name)]
    parts += ["", *(f"- {item.code}: {markdown_text(safe(item.message, 300))}" for item in report.warnings)]
    return "\n".join(parts) + "\n"


def _picture(report: Report, table: str) -> list[str]:
    """The picture of a table as a block of code, which nothing in it can end."""
    drawn = [line.replace("`", "'") for line in picture(report, table, WIDTH_MAX)]
    return ["", drawn[0] + ":", "", "```text", *drawn[1:], "```"] if drawn else []


def table_lines(table: Table) -> list[str]:
    """The lines of one table: its heads, and each row."""
    rows = [
        "| " + " | ".join(markdown_text(cell(value, unit_name(row, key))) for key, value in row.items()) + " |"
        for row in table.dicts()
    ]
    return ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns), *rows]


def markdown_text(text: str) -> str:
    """The text with each mark of Markdown and HTML written out; no name in it is told of anybody."""
    for mark in "\\`*_[]<>|@":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;", "@": "&#64;"}.get(mark, "\\" + mark))
    return text
