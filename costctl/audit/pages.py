"""The pages of SQL beside this file: one page makes one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from costctl.report import Table
from costctl.store import Store

FOLDER = Path(__file__).parent


def page(file: str, **names: str) -> str:
    """The text of a page; `names` are put in from our own constants, never from data."""
    sql = (FOLDER / file).read_text("utf-8")
    for key, value in names.items():
        sql = sql.replace("{" + key + "}", value)
    return sql


def run(store: Store, file: str, params: dict[str, Any] | None = None) -> None:
    """Run a page that makes a table in the store."""
    store.execute(page(file), params)


def table(store: Store, name: str, file: str | None = None, **names: str) -> Table:
    """Run a page that answers with rows."""
    columns, rows = store.table(page(file or f"{name}.sql", **names))
    return Table.of(name, columns, rows)
