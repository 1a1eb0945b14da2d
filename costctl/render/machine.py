"""JSON and CSV: the machine contract."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from costctl.render.cells import WORDS_MAX, defused, escaped_json, plain, safe, unit_name
from costctl.report import SCHEMA_VERSION, Report


def to_json(report: Report) -> str:
    """The envelope; additive changes only."""
    body = {
        "schema_version": SCHEMA_VERSION,
        "command": report.command,
        "totals": {name: plain(value, name) for name, value in report.totals.items()},
        "tables": {
            name: [{key: plain(value, unit_name(row, key)) for key, value in row.items()} for row in table.dicts()]
            for name, table in report.tables.items()
        },
        "warnings": [{"code": item.code, "message": item.message, "hint": item.hint} for item in report.warnings],
        "provenance": report.provenance,
    }
    return escaped_json(json.dumps(body, indent=2, ensure_ascii=False)) + "\n"


def standing(report: Report) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The standing of each total, and why others are absent; a command that tells neither has none."""
    told = [report.provenance.get(name) for name in ("status", "not_computed")]
    status, missing = (
        {str(key): str(text) for key, text in one.items()} if isinstance(one, dict) else {} for one in told
    )
    return status, missing


def words_of(report: Report) -> str:
    """The warnings as lines for standard error, beside a form that holds figures alone."""
    told = ((item.code, safe(item.message, WORDS_MAX), safe(item.hint, WORDS_MAX)) for item in report.warnings)
    return "".join(f"warning[{code}] {text}{f'  ({hint})' if hint else ''}\n" for code, text, hint in told)


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV; a cell that a spreadsheet would take as a formula is quoted by an apostrophe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([defused(cell) for cell in row] for row in rows)
    return out.getvalue()


def to_csv(report: Report) -> str:
    """Long form: one block per table, its name in the first column; formulas are defused.

    The standing of each total is its last column, and what is not computed has a block; `words_of` has the warnings.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    status, missing = standing(report)
    writer.writerow(["table", "name", "value", *(["status"] if status else [])])
    writer.writerows(
        ["totals", name, defused(plain(value, name)), *([defused(status.get(name, ""))] if status else [])]
        for name, value in report.totals.items()
    )
    if missing:
        writer.writerow([])
        writer.writerow(["table", "name", "reason"])
        writer.writerows(["not_computed", name, defused(why)] for name, why in missing.items())
    for name, table in report.tables.items():
        writer.writerow([])
        writer.writerow(["table", *map(defused, table.columns)])
        writer.writerows(
            [name, *(defused(plain(value, unit_name(row, key))) for key, value in row.items())] for row in table.dicts()
        )
    return out.getvalue()
