"""The prompts of the log that was audited last, read from its files again.

The workspace keeps no text. What a stage needs of it is taken here, record by record, while the
text passes by; a file that has changed since is refused, for its lines would be other requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson
import polars as pl

from costctl.errors import CostctlError, ExitCode
from costctl.formats import detect, generic
from costctl.formats.base import LogFormat, Record
from costctl.formats.columns import raw_columns
from costctl.formats.cut import tasks_of
from costctl.formats.gather import Gathered
from costctl.formats.ingest import light
from costctl.formats.parse import parse_task
from costctl.formats.pool import Workers
from costctl.formats.profile import NAME, no_text
from costctl.formats.sources import Reader, Source, quick_identity
from costctl.formats.tasks import Task
from costctl.store import Store

IN_FLIGHT = 4
CONTENT = ("messages", "system", "response_text")


class Take(Protocol):
    """What is kept of one record: a class at the top of a module, as it travels to other processes.

    Where it has a field `reads`, these columns of the format follow the three of `CONTENT`.
    """

    def __call__(self, messages: Any, system: Any, answer: Any) -> Any:
        """Of the prompt, its system text where it stands apart, and the answer; each None where the log has none."""


class Contents(NamedTuple):
    """What was taken of some records of a file, by their numbers in it."""

    file_id: int
    numbers: list[int]
    values: list[Any]


class _Taking(Gathered):
    """Takes of the same records only what is asked of their content."""

    def __init__(self, log_format: LogFormat, take: Take) -> None:
        super().__init__(log_format, b"")
        self.values: list[Any] = []
        self._asked, self._of = take, log_format

    def add(self, records: Sequence[Record]) -> None:
        raw = raw_columns(records, self._of, self._ways)
        blank: list[Any] = [None] * len(records)
        columns = (raw.get(name, blank) for name in (*CONTENT, *getattr(self._asked, "reads", ())))
        self.values += map(self._asked, *columns)
        self.height = len(self.values)


class _Taken(NamedTuple):
    """One task: the numbers of its records, what was taken of each, and how far lines and numbers went."""

    numbers: list[int]
    values: list[Any]
    lines_read: int
    numbers_read: int


def read_contents(store: Store, reader: Reader, take: Take, file_ids: list[int]) -> Iterator[Contents]:
    """What `take` gives of every record of these files.

    Raises:
        CostctlError: E124 for a file that is gone or has changed.
    """
    files = [_file(store, file_id) for file_id in file_ids]
    workers = Workers([source for _, source, _ in files], reader.processes)
    try:
        for file_id, source, log_format in files:
            yield from _contents(file_id, source, log_format, take, workers.start())
    finally:
        workers.stop()


def remember(
    store: Store, reader: Reader, take: Take, table: str, schema: Mapping[str, Any], file_ids: list[int]
) -> None:
    """Put what `take` gives of every record (a tuple of the columns of `schema`, or None) into a table of ours.

    The table has file_id and source_line before these columns; `table`_file then names the files.

    Raises:
        CostctlError: E124 for a file that is gone or has changed.
    """
    if not file_ids:
        return
    reader.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = reader.spool / f"{table}.parquet"
    store.execute("BEGIN")
    try:
        for found in read_contents(store, reader, take, file_ids):
            rows = zip(found.numbers, found.values, strict=True)
            told = [(number, *one) for number, one in rows if one is not None]
            frame = pl.DataFrame(told, schema={"source_line": pl.Int64, **schema}, orient="row")
            frame.write_parquet(target, compression="uncompressed", statistics=False)
            store.load_parquet(
                f"INSERT INTO {table} SELECT {found.file_id}, source_line, {', '.join(schema)} "
                "FROM read_parquet($files)",
                [target],
            )
        store.insert(f"{table}_file", ["file_id"], [(file_id,) for file_id in file_ids])
    except BaseException:
        store.execute("ROLLBACK")
        raise
    finally:
        target.unlink(missing_ok=True)
        with suppress(OSError):
            reader.spool.rmdir()
    store.execute("COMMIT")


def _file(store: Store, file_id: int) -> tuple[int, Source, LogFormat]:
    found = store.query(
        "SELECT content, label, path, format_name, mapping FROM source_file WHERE file_id = $file_id",
        {"file_id": file_id},
    )
    content, label, path, name, mapping = found[0]
    try:
        is_same = quick_identity(Path(path)) == content
    except OSError:
        is_same = False
    if not is_same:
        hint = "write it to a file first" if label == "stdin" else f"name it, so that it is read anew: {label}"
        raise CostctlError(
            "E124", f"{label} has changed or is gone since it was audited; its prompts cannot be read again", hint,
            ExitCode.INPUT,
        )  # fmt: skip
    if name == NAME:
        raise no_text(label)
    source = Source(Path(path), label, True)
    if mapping:
        places = {field: tuple(map(tuple, paths)) for field, paths in orjson.loads(mapping).items()}
        return file_id, source, generic.mapped(places)
    return file_id, source, detect.recognise(source, detect.format_named(name))


def _contents(
    file_id: int, source: Source, log_format: LogFormat, take: Take, pool: ProcessPoolExecutor | None
) -> Iterator[Contents]:
    base_line = base_number = 0
    for task, found in _in_order(source, log_format, take, pool):
        base = 0 if task.rows is not None else base_line
        base_line = max(base_line, base + found.lines_read)
        first = base_number if log_format.unfolds else base
        base_number += found.numbers_read
        yield Contents(file_id, [first + number for number in found.numbers], found.values)


def _in_order(
    source: Source, log_format: LogFormat, take: Take, pool: ProcessPoolExecutor | None
) -> Iterator[tuple[Task, _Taken]]:
    if pool is None:
        for task in tasks_of(source, log_format):
            yield task, taken(task, log_format, take)
        return
    waiting: deque[tuple[Task, Future[_Taken]]] = deque()
    for task in tasks_of(source, log_format):
        waiting.append((light(task), pool.submit(taken, task, log_format, take)))
        if len(waiting) > IN_FLIGHT:
            done, future = waiting.popleft()
            yield done, future.result()
    for done, future in waiting:
        yield done, future.result()


def taken(task: Task, log_format: LogFormat, take: Take) -> _Taken:
    """One task, in this process or another."""
    if task.fault is not None:  # it was rejected, and only moves the lines behind it
        return _Taken([], [], int(task.fault_is_line), 0)
    gathered = _Taking(log_format, take)
    parsed = parse_task(task, log_format, gathered)
    return _Taken(parsed.numbers, gathered.values, parsed.lines_read, parsed.numbers_read)
