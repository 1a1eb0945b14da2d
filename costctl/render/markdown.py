"""Every table as Markdown."""

from __future__ import annotations

import re

from costctl.render.cells import WORDS_MAX, cell, of_one_request, safe, unit_name
from costctl.render.machine import standing
from costctl.render.pictures import WIDTH_MAX, picture
from costctl.render.simulated import HEADINGS
from costctl.report import Report, Table


def to_markdown(report: Report) -> str:
    """Every table as Markdown, with cells that cannot break out."""
    status, missing = standing(report)
    heads = ("total", "value", "status") if status else ("total", "value")
    parts = [f"# costctl {report.command}", "", f"| {' | '.join(heads)} |", "|---|---:|" + ("---|" if status else "")]
    for name, value in report.totals.items():
        standing_of = f" {markdown_text(status.get(name, ''))} |" if status else ""
        parts.append(f"| {name} | {markdown_text(cell(value, of_one_request(report.command, name)))} |{standing_of}")
    promise = report.provenance.get("guarantee")
    parts += ["", f"Promise: {markdown_text(safe(str(promise), WORDS_MAX))}."] if promise else []
    headings = HEADINGS if report.command == "simulate" else {}
    for name, table in report.tables.items():
        told = [f"{headings[name]}", ""] if name in headings and table.rows else []
        parts += ["", f"## {name}", "", *told, *table_lines(table), *_picture(report, name)]
    if missing:
        parts += ["", "## not computed", ""]
        parts += [f"- {markdown_text(name)}: {markdown_text(safe(why, WORDS_MAX))}" for name, why in missing.items()]
    return "\n".join([*parts, "", *warning_lines(report)]) + "\n"


def warning_lines(report: Report) -> list[str]:
    """A point of a list for each warning, with what can be done about it."""
    return [
        f"- {item.code}: {markdown_text(safe(item.message, WORDS_MAX))}"
        + (f" ({markdown_text(safe(item.hint, WORDS_MAX))})" if item.hint else "")
        for item in report.warnings
    ]


def _picture(report: Report, table: str) -> list[str]:
    """The picture of a table as a block of code, which nothing in it can end."""
    drawn = [line.replace("`", "'") for line in picture(report, table, WIDTH_MAX)]
    return ["", drawn[0] + ":", "", "```text", *drawn[1:], "```"] if drawn else []


def table_lines(table: Table) -> list[str]:
    """The lines of one table: its heads, and each row."""
    rows = [
        "| "
        + " | ".join(
            markdown_text(cell(value, of_one_request(table.name, unit_name(row, key)), WORDS_MAX))
            for key, value in row.items()
        )
        + " |"
        for row in table.dicts()
    ]
    return ["| " + " | ".join(map(_head, table.columns)) + " |", "|" + "---|" * len(table.columns), *rows]


def _head(name: str) -> str:
    """The name of a column; one that a SELECT of the user's gives may hold anything."""
    return name if re.fullmatch(r"\w+", name) else markdown_text(safe(name))


def markdown_text(text: str) -> str:
    """The text with each mark of Markdown and HTML written out; no name in it is told of anybody."""
    for mark in "\\`*_[]<>|@":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;", "@": "&#64;"}.get(mark, "\\" + mark))
    return text
