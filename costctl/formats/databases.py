"""Rows of an SQLite database that a tool on the user's disk keeps its history in.

The file is only read. Which tables hold records is known by their columns; each row is one record
with its JSON opened, so that a format sees the same as in the tool's own files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from costctl.errors import InputError
from costctl.formats.base import Record
from costctl.formats.sources import SQLITE_MAGIC, Source
from costctl.formats.tasks import ROWS_PER_TASK, Task

if TYPE_CHECKING:
    from sqlite3 import Connection

# opencode keeps an id and its session beside the JSON of a message, and in another table whose child a session is.
_MESSAGES = "SELECT m.id, m.session_id, s.parent_id, m.data FROM message m LEFT JOIN session s ON s.id = m.session_id"
_NEEDED = {"message": {"id", "session_id", "data"}, "session": {"id", "parent_id"}}


def is_database(head: bytes) -> bool:
    """Whether a file that begins so is an SQLite database."""
    return head.startswith(SQLITE_MAGIC)


def database_tasks(source: Source) -> Iterator[Task]:
    """The messages of a database in the order of their ids, numbered from 1."""
    rows: list[tuple[int, Record]] = []
    for number, record in enumerate(database_rows(source), 1):
        rows.append((number, record))
        if len(rows) >= ROWS_PER_TASK:
            yield Task(rows=rows)
            rows = []
    if rows:
        yield Task(rows=rows)


def database_rows(source: Source, count: int = -1) -> Iterator[Record]:
    """The first messages of a database, all where `count` is negative.

    Raises:
        InputError: E113 for a database of another kind, E112 for a damaged one.
    """
    import sqlite3  # noqa: PLC0415  (hardly any log is a database)

    try:
        with closing(sqlite3.connect(_address(source.path), uri=True)) as connection:
            _check(connection, source)
            for row in connection.execute(f"{_MESSAGES} ORDER BY m.id LIMIT ?", (count,)):
                yield _record(*row)
    except sqlite3.Error as error:
        said = f"{source.label} is damaged or in use: {error}"
        raise InputError("E112", said, "close the tool that writes it") from error


def _address(path: Path) -> str:
    """Read-only; where the tool still has changes beside the file, these are read with it."""
    log = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    return f"file:{quote(str(path.resolve()))}?{mode}"


def _check(connection: Connection, source: Source) -> None:
    for table, needed in _NEEDED.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not needed <= present:
            raise InputError(
                "E113", f"{source.label} is an SQLite database that no format knows", "export its table as CSV"
            )


def _record(message_id: Any, session_id: Any, parent_id: Any, data: Any) -> Record:
    beside = {"id": message_id, "sessionID": session_id, "parentSessionID": parent_id}
    try:
        found = orjson.loads(data)
    except (orjson.JSONDecodeError, TypeError):
        return {"__fault__": "a row whose data is not valid JSON"}
    return {**found, **beside} if isinstance(found, dict) else {"__fault__": "a row whose data is no object"}
