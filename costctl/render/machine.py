"""JSON and CSV: the machine contract."""

from __future__ import annotations

import csv
import io
import json

from costctl.render.cells import defused, escaped_json, plain, unit_name
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


def to_csv(report: Report) -> str:
    """Long form: one block per table, its name in the first column; formulas are defused."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "name", "value"])
    writer.writerows(["totals", name, defused(plain(value, name))] for name, value in report.totals.items())
    for name, table in report.tables.items():
        writer.writerow([])
        writer.writerow(["table", *table.columns])
        writer.writerows(
            [name, *(defused(plain(value, unit_name(row, key))) for key, value in row.items())] for row in table.dicts()
        )
    return out.getvalue()
