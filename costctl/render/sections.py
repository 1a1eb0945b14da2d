"""A part of a screen: a table under its heading, with its picture; and the warnings below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from costctl.render.cells import WORDS_MAX, safe
from costctl.render.grid import blocks, fits, grid
from costctl.render.pictures import picture
from costctl.report import Report, Table

ROWS_SHOWN = 8
BLOCKS_MAX = 40
DRAWN_ONLY = frozenset({"curve", "thresholds"})


class Section(NamedTuple):
    """A part of the screen: a table, its heading, and its columns by priority."""

    table: str
    heading: str
    columns: tuple[str, ...]
    rows: int = ROWS_SHOWN
    may_cut: bool = True  # else a table that is too wide becomes one block a row
    wrap_from: int = 0  # texts go on in the next line and are never shortened; the first column is this wide at least
    heads: Mapping[str, str] = {}  # headings in place of those that the columns' names make


def warned(report: Report) -> list[str]:
    """The warnings of a report, each with its remedy."""
    return [
        f"  [{item.code}] {safe(item.message, WORDS_MAX)}" + (f"  ({safe(item.hint, WORDS_MAX)})" if item.hint else "")
        for item in report.warnings
    ]


def with_picture(report: Report, section: Section, width: int) -> list[str]:
    """A table and its picture; of one that is nothing but the points of a curve, the picture alone."""
    drawn = picture(report, section.table, width)
    told = [] if drawn and section.table in DRAWN_ONLY else section_lines(report.tables, section, width)
    return [*told, "", f"  {drawn[0]}", *drawn[1:]] if drawn else told


def section_lines(tables: Mapping[str, Table], section: Section, width: int) -> list[str]:
    """The lines of a section; none where the report lacks the table or has no row of it."""
    table = tables.get(section.table)
    if table is None or not table.rows:
        return []
    columns = [name for name in section.columns if name in table.columns]
    if section.wrap_from:  # room is for what is there
        columns = [name for name in columns if any(row[name] not in {None, ""} for row in table.dicts())]
    section = section._replace(columns=tuple(columns))
    if not section.may_cut and len(table.rows) <= BLOCKS_MAX and not fits(table, section.columns, width):
        return ["", f"  {section.heading}", *blocks(table, section.columns)]
    return [
        "",
        f"  {section.heading}",
        *grid(table, section.columns, width, section.rows, section.heads, wrap_from=section.wrap_from),
    ]
