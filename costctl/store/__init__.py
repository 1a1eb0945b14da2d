"""The one door to DuckDB: opened hardened, queried with parameters, interruptible.

Nothing else in the house imports duckdb. Values reach SQL as parameters only; the few names
that are formatted into statements come from our own constants.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from costctl.errors import CostctlError, ExitCode, disk_trouble
from costctl.store.engine import DEFAULT_MEMORY_MB, LEAST_MEMORY_MB, PUSD_OF, connect, memory_mb
from costctl.store.side_thread import SideThread

T = TypeVar("T")
Row = tuple[Any, ...]

BYTES_PER_ROW = 200
# A file from which on it pays to let go in mid-command what the engine holds of it.
MUCH_BYTES = 32 * 2**20
LOCK_POLL_S = 0.2
# A file that another process is just making is none yet: shorter than the engine's three headers.
HEADERS_BYTES, MAKING_S = 3 * 4096, 2.0


class Store:
    """A DuckDB database of ours; use `open_store` or `Store.in_memory`."""

    def __init__(self, database: duckdb.DuckDBPyConnection, catalog: str, path: Path | None = None) -> None:
        self._database, self._catalog, self._path = database, catalog, path
        self._connection = self._session()
        self._side = SideThread()

    @classmethod
    def in_memory(cls, *, threads: int | None = None) -> Store:
        """A store that leaves nothing behind, for tests and small questions."""
        return cls(connect(None, threads=threads, temp=None, read_only=False), "memory")

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Run one statement and drain it."""
        self._run(lambda: self._connection.execute(sql, params or {}).fetchall())

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of one query."""
        return self._run(lambda: self._connection.execute(sql, params or {}).fetchall())

    def table(self, sql: str, params: Mapping[str, Any] | None = None) -> tuple[tuple[str, ...], list[Row]]:
        """Column names and all rows of one query."""

        def fetch() -> tuple[tuple[str, ...], list[Row]]:
            cursor = self._connection.execute(sql, params or {})
            return tuple(item[0] for item in cursor.description or ()), cursor.fetchall()

        return self._run(fetch)

    def scalar(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """The single value of a query with one row and one column."""
        return self.query(sql, params)[0][0]

    def holds(self, *names: str) -> bool:
        """Whether there is a table or a view of each of these names."""
        return {name for name, _ in self._kinds(*names)} == set(names)

    def drop(self, *names: str) -> None:
        """Remove the tables and views of these names, if there are any."""
        for name, kind in self._kinds(*names):
            self.execute(f"DROP {kind} {name}")

    def _kinds(self, *names: str) -> list[Row]:
        listed = ", ".join(f"'{name}'" for name in names)
        ours = "database_name IN (current_database(), 'temp')"
        return self.query(
            f"SELECT view_name, 'VIEW' FROM duckdb_views() WHERE {ours} AND view_name IN ({listed}) "
            f"UNION ALL SELECT table_name, 'TABLE' FROM duckdb_tables() WHERE {ours} AND table_name IN ({listed})"
        )

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Append a small number of rows to an existing table.

        Each column travels as one list of texts and is cast to the table's own type, which is exact for decimals and
        far quicker than a prepared statement per row.
        """
        lists = {
            f"c{position}": [None if value is None else _plain(value) for value in values]
            for position, values in enumerate(zip(*rows, strict=True))
        }
        if not lists:
            return
        cells = ", ".join(f"unnest(CAST(${name} AS VARCHAR[]))" for name in lists)
        self.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {cells}", lists)

    def make_table(self, table: str, columns: Mapping[str, tuple[str, Iterable[Any]]]) -> None:
        """Make a temporary table of a few rows from the type and the values of each column."""
        cells = ", ".join(f"unnest(CAST(${name} AS {kind}[])) AS {name}" for name, (kind, _) in columns.items())
        self.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {cells}",
            {name: list(values) for name, (_, values) in columns.items()},
        )

    def append(self, table: str, columns: Mapping[str, Any], *, new: str = "", is_ordered: bool = True) -> None:
        """Append numpy arrays of one length to the columns of those names; a masked value or None is NULL.

        `new` ("TABLE" or "TEMP TABLE") makes the table of them. Rows that need not stay in order (`is_ordered`)
        are written by all threads, in half the time.
        """
        names = ", ".join(columns)
        target = f"CREATE OR REPLACE {new} {table} AS" if new else f"INSERT INTO {table} ({names})"

        def load() -> None:
            self._connection.register("appended", dict(columns))
            try:
                if not is_ordered:
                    self._connection.execute("SET preserve_insertion_order = false")
                self._connection.execute(f"{target} SELECT {names} FROM appended").fetchall()
            finally:
                self._connection.unregister("appended")
                if not is_ordered:
                    self._connection.execute("SET preserve_insertion_order = true")

        self._run(load)

    def load_parquet(self, sql: str, files: Sequence[Path]) -> None:
        """Run an INSERT that reads our own Parquet files as `read_parquet($files, ...)`."""
        self.execute(sql, {"files": [str(file) for file in files]})

    def export_query(self, sql: str, target: Path, form: str) -> None:
        """Write the rows of a query of ours to a file, in a form of the engine's COPY."""
        path = str(target).replace("'", "''")
        self.execute(f"COPY ({sql}) TO '{path}' ({form})")

    def numpy(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Columns as numpy arrays; never for decimals, which would turn to float."""
        return self._run(lambda: self._connection.execute(sql, params or {}).fetchnumpy())

    def is_single_select(self, sql: str) -> bool:
        """Whether the text holds exactly one statement, and that one only reads."""
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise CostctlError("E180", f"not valid SQL: {_first_line(error)}") from error
        return len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT

    def answer(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        """A user's own SELECT; what is wrong with it is the user's to mend.

        Raises:
            CostctlError: E180 with the engine's words.
        """
        try:
            return self.table(sql)
        except duckdb.Error as error:
            raise CostctlError("E180", _first_line(error), "tables: costctl sql 'SHOW TABLES'") from error

    def make_room(self, row_count: int) -> None:
        """Let the engine use memory in proportion to the rows; beyond that it spills to disk.

        Exact quantiles hold every value, which cannot be spilled.
        """
        wanted_mb = row_count * BYTES_PER_ROW // 2**20
        if "COSTCTL_MEMORY_MB" not in os.environ and wanted_mb > DEFAULT_MEMORY_MB:
            available_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 6 // 10 // 2**20
            self.execute(f"SET memory_limit = '{min(wanted_mb, available_mb)}MB'")

    def begin_anew(self) -> None:
        """Go on in a session of its own on the same database: nothing temporary of the work before is left in it.

        Closing and opening would do the same at ten times the price, and let another process come between.
        """
        self._connection.close()
        self._connection = self._session()
        if self._path is None or self._path.stat().st_size < MUCH_BYTES:
            return  # nothing that matters is held
        self.execute("CHECKPOINT")
        # The engine keeps what it has read until the limit is met: a low one for a moment makes it let go.
        with suppress(duckdb.OutOfMemoryException):  # some of it is in use
            self._connection.execute(f"SET memory_limit = '{LEAST_MEMORY_MB}MB'")
        self.execute(f"SET memory_limit = '{memory_mb()}MB'")

    def lock(self) -> None:
        """From here on no file, no extension and no setting can be reached from SQL."""
        self.execute("SET enable_external_access = false")
        self.execute("SET lock_configuration = true")

    def close(self) -> None:
        """Write everything and let the file go."""
        self._side.end()
        self._connection.close()
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _session(self) -> duckdb.DuckDBPyConnection:
        session = self._database.cursor()
        session.execute(f"USE {self._catalog}")
        session.execute("SET TimeZone = 'UTC'")
        session.execute(PUSD_OF)
        return session

    def _run(self, work: Callable[[], T]) -> T:
        """Run in another thread, so that Ctrl-C reaches a running query at once."""
        try:
            return self._side.run(work, self._connection.interrupt)
        except duckdb.Error as error:
            raise _explained(error) from None


def open_store(path: Path, *, threads: int | None = None, read_only: bool = False, wait_s: float = 30.0) -> Store:
    """Open or create a database file with mode 0600, waiting while another process holds it.

    Raises:
        CostctlError: E160 when another process still holds the file after `wait_s`, E161 when
            the file is not a database of ours, E170 when the disk is full.
    """
    if not path.exists() and not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not _may_be_ours(path):
        raise _not_ours(path)
    started = time.monotonic()
    deadline = started + wait_s
    while True:
        was_short = _is_short(path)  # asked before: it may be whole by the time that the engine has refused it
        try:
            store = Store(
                connect(path, threads=threads, temp=path.parent / "tmp", read_only=read_only), "workspace", path
            )
        except duckdb.Error as error:
            explained = _explained(error)
            if isinstance(error, duckdb.IOException) and not isinstance(explained, CostctlError):
                explained = _not_ours(path)  # cut in the middle
            if not isinstance(explained, CostctlError):
                raise
            if explained.code == "E161":
                explained = _not_ours(path)
            is_in_making = explained.code == "E161" and time.monotonic() < started + MAKING_S and was_short
            if (explained.code != "E160" and not is_in_making) or time.monotonic() >= deadline:
                raise explained from error
            time.sleep(LOCK_POLL_S)
        else:
            if not read_only:
                path.chmod(0o600)
            return store


def _is_short(path: Path) -> bool:
    try:
        return path.stat().st_size < HEADERS_BYTES
    except OSError:
        return True


def _may_be_ours(path: Path) -> bool:
    """Whether the file is new, empty, or begins as a database of the engine does; any other is not to be touched."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return True  # the engine says what is wrong
    return not head or head[8:] == b"DUCK"


def _not_ours(path: Path) -> CostctlError:
    return CostctlError(
        "E161",
        f"{path} is damaged or no workspace of ours",
        "name another workspace with --db; a damaged one only caches and may be removed",
        ExitCode.INPUT,
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]


def _explained(error: BaseException) -> BaseException:
    """The user's words for the failures of a database file that a user can cause."""
    text = str(error)
    if "Could not set lock" in text or "Conflicting lock" in text:
        holder = re.search(r"PID (\d+)", text)
        who = f" (process {holder[1]})" if holder else ""
        return CostctlError(
            "E160",
            f"the workspace is in use by another costctl{who}",
            "wait for it to finish, or use another workspace: --db other.duckdb",
            ExitCode.INPUT,
        )
    if "not a valid DuckDB database" in text or "Corrupt" in text or "Serialization" in text:
        return CostctlError(
            "E161",
            "the workspace file is damaged or not ours",
            "it only caches: remove the .costctl folder and run the audit again",
            ExitCode.INPUT,
        )
    full = ("No space left", "File too large", "failed to offload", "max_temp_directory_size")
    if any(words in text for words in full):
        return disk_trouble(OSError(errno.ENOSPC, text))
    if "Permission denied" in text or "Read-only file system" in text:
        return disk_trouble(OSError(errno.EACCES, text, "the workspace"))
    return error
