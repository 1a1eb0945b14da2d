"""The one object that every output is made from.

Column names carry their unit as the last unit word (`list_cost_usd`, `latency_ms_p95`), and
renderers read it from there; no second declaration of a unit exists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias, cast

Value: TypeAlias = str | int | bool | float | Decimal | datetime | None

SCHEMA_VERSION = 1
UNITS = frozenset({"usd", "tokens", "ms", "ratio", "count", "at", "on", "chars"})


def unit_of(column: str) -> str:
    """The unit a column name carries; the last unit word wins, none means text.

    >>> unit_of("list_cost_usd"), unit_of("latency_ms_p95"), unit_of("request_model")
    ('usd', 'ms', 'text')
    """
    return next((word for word in reversed(column.split("_")) if word in UNITS), "text")


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its words; without the words of many, those of one and an s.

    >>> counted(1, "request has", "requests have"), counted(2000, "request has", "requests have")
    ('1 request has', '2,000 requests have')
    >>> counted(1, "call"), counted(0, "call")
    ('1 call', '0 calls')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@dataclass(frozen=True)
class Table:
    """Rows under named columns, in the order in which they are to be read."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...] = ()

    def dicts(self) -> Iterable[dict[str, Value]]:
        """Each row as a mapping from column to value."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    @classmethod
    def of(cls, name: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> Table:
        """A table from any rows of values."""
        return cls(name, tuple(columns), tuple(tuple(row) for row in rows))


@dataclass(frozen=True)
class Warning:  # noqa: A001  (the word of the machine contract)
    """Something that changes how a number is to be read; codes are stable."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Report:
    """What a command found: totals, tables, warnings, and where they come from.

    `provenance["status"]` gives each total its standing (exact, replayed, estimated, ...);
    `provenance["not_computed"]` lists what is absent, with the reason.
    """

    command: str
    totals: Mapping[str, Value]
    tables: Mapping[str, Table]
    warnings: tuple[Warning, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)


def freeze(report: Report) -> str:
    """The report as JSON text that `thaw` reads back without loss (decimals and times stay exact)."""
    body = {
        "command": report.command,
        "totals": {name: _tagged(value) for name, value in report.totals.items()},
        "tables": [
            [t.name, t.columns, [[_tagged(value) for value in row] for row in t.rows]] for t in report.tables.values()
        ],
        "warnings": [[item.code, item.message, item.hint] for item in report.warnings],
        "provenance": report.provenance,
    }
    return json.dumps(body)


def thaw(text: str) -> Report:
    """The report that `freeze` wrote."""
    body = json.loads(text)
    tables = [
        Table.of(name, columns, ([_untagged(v) for v in row] for row in rows)) for name, columns, rows in body["tables"]
    ]
    return Report(
        body["command"],
        {name: _untagged(value) for name, value in body["totals"].items()},
        {table.name: table for table in tables},
        tuple(Warning(*item) for item in body["warnings"]),
        body["provenance"],
    )


def _tagged(value: Value) -> object:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _untagged(value: Any) -> Value:
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        return Decimal(text) if kind == "decimal" else datetime.fromisoformat(text)
    return cast("Value", value)
