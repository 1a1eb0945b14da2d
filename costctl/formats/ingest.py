"""From files to the `attempt` table: each file is read once and then remembered.

The workspace only caches. A file is known again by its fingerprint and by how it was read
(format, mapping, tier rules, version); its rows are then used as they are.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from costctl.errors import InputError, disk_trouble
from costctl.formats import detect
from costctl.formats.base import LogFormat
from costctl.formats.build import build
from costctl.formats.documents import document_tasks
from costctl.formats.normalise import Options
from costctl.formats.pool import Workers
from costctl.formats.sources import Source, quick_identity
from costctl.formats.tables import table_tasks
from costctl.formats.tasks import Task, line_tasks
from costctl.formats.worker import (
    Plan,
    Reject,
    Result,
    read_task,
    read_task_in_worker,
)
from costctl.formats.workspace import add_attempt_columns, forget_earlier
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store

# More files at a time leave a longer last load, when no worker reads any more.
LOAD_FILES_MAX = 4
Progress = Callable[[str, int, int], None]


class FileCounts(NamedTuple):
    """One file's share of the conservation line."""

    file_id: int
    label: str
    format_name: str
    records_read: int
    lines_read: int
    accepted: int
    ignored: int
    rejected: int
    digest: str


class Reading(NamedTuple):
    """How the user wants logs to be read."""

    log_format: LogFormat | None
    options: Options
    signature: str  # of everything above, so that a change reads the file anew
    mapping: str | None = None  # of --map, as JSON, so that the file can be read again


def ingest(
    store: Store,
    sources: Sequence[Source],
    reading: Reading,
    spool: Path,
    progress: Progress,
    workers: Workers,
) -> tuple[list[FileCounts], list[str]]:
    """Read what is not known yet.

    Returns the files, and the labels of the files that are no logs.

    Raises:
        InputError: E121 when a file that the user named holds no request, E120 when empty.
    """
    counts: list[FileCounts] = []
    skipped: list[str] = []
    for source in sources:
        content = quick_identity(source.path)
        signature = f"{content}:{reading.signature}:{build()}"
        identity = hashlib.sha256(signature.encode()).hexdigest()
        known = _known(store, identity)
        if known is None:
            log_format = _recognised(source, reading, skipped)
            if log_format is None:
                continue
            plan = Plan(log_format, reading.options)
            job = _Job(source, content, identity, plan, workers.start(), spool, progress, reading.mapping)
            known = _read_file(store, job)
        counts.append(known._replace(label=source.label))
    if not counts:
        raise InputError(
            "E121", "no file holds a request", f"looked at: {', '.join(skipped[:5])}; try: costctl formats"
        )
    return counts, skipped


def _known(store: Store, identity: str) -> FileCounts | None:
    found = store.query(
        "SELECT s.file_id, s.label, s.format_name, s.records_read, s.lines_read, s.accepted, "
        "(SELECT coalesce(sum(record_count), 0)::BIGINT FROM ignored_record i WHERE i.file_id = s.file_id), "
        "(SELECT count(*) FROM rejected_record r WHERE r.file_id = s.file_id), s.digest "
        "FROM source_file s WHERE identity = $identity",
        {"identity": identity},
    )
    return FileCounts(*found[0]) if found else None


def _recognised(source: Source, reading: Reading, skipped: list[str]) -> LogFormat | None:
    try:
        return detect.recognise(source, reading.log_format)
    except InputError:
        if source.is_asked_for:
            raise
        skipped.append(source.label)
        return None


def tasks_of(source: Source) -> Iterator[Task]:
    """The content of a file, cut into tasks."""
    shape = detect.shape_of(source)
    return {"lines": line_tasks, "document": document_tasks, "table": table_tasks}[shape](source)


class _Job(NamedTuple):
    """One file to be read, and with what."""

    source: Source
    content: str
    identity: str
    plan: Plan
    pool: ProcessPoolExecutor | None
    spool: Path
    progress: Progress
    mapping: str | None


def _read_file(store: Store, job: _Job) -> FileCounts:
    """Read one file in one transaction: either all of it is there afterwards or nothing."""
    forget_earlier(store, job.source.label, job.content)
    job.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    store.execute("BEGIN")
    try:
        counts = _load(store, job)
    except OSError as error:
        store.execute("ROLLBACK")
        raise disk_trouble(error) from error
    except BaseException:
        store.execute("ROLLBACK")
        raise
    finally:
        for leftover in job.spool.glob("rows-*.parquet"):
            leftover.unlink()
    store.execute("COMMIT")
    return counts


def _load(store: Store, job: _Job) -> FileCounts:
    source, plan = job.source, job.plan
    file_id = int(store.scalar("SELECT coalesce(max(file_id), 0) + 1 FROM source_file"))
    base_line = base_number = records = accepted = bytes_done = 0
    ignored: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    rejected: list[tuple[int, int, int | None, str]] = []
    loads: list[tuple[int, str, int]] = []
    digest = hashlib.sha256()
    size = source.path.stat().st_size
    for number, (task, result) in enumerate(_results(tasks_of(source), plan, job.pool, job.spool)):
        # Rows of documents and tables carry their own numbers; lines count on from task to task.
        base = 0 if task.rows is not None else base_line
        records += result.records_read
        accepted += result.accepted
        ignored.update(result.ignored)
        unread.update(result.unread)
        rejected.extend(_placed(file_id, item, base, task) for item in result.rejected)
        base_line = max(base_line, base + result.lines_read)
        digest.update(result.digest)
        if result.parquet:
            loads.append((number, result.parquet, base_number if plan.log_format.unfolds else base))
        base_number += result.numbers_read
        if len(loads) >= LOAD_FILES_MAX:
            _flush(store, file_id, loads)
            loads = []
        bytes_done += task.length or len(task.data or b"")
        job.progress(source.label, bytes_done, size)
    _flush(store, file_id, loads)
    counts = FileCounts(file_id, source.label, plan.log_format.name, records, base_line, accepted,
                        sum(ignored.values()), len(rejected), digest.hexdigest())  # fmt: skip
    store.insert(
        "source_file",
        [
            "file_id",
            "content",
            "identity",
            "label",
            "format_name",
            "records_read",
            "lines_read",
            "accepted",
            "digest",
            "path",
            "mapping",
        ],
        [
            (
                file_id,
                job.content,
                job.identity,
                source.label,
                plan.log_format.name,
                records,
                base_line,
                accepted,
                counts.digest,
                str(source.path.resolve()),
                job.mapping,
            )
        ],
    )
    store.insert(
        "ignored_record",
        ["file_id", "kind", "record_count"],
        [(file_id, kind, n) for kind, n in sorted(ignored.items())],
    )
    store.insert("rejected_record", ["file_id", "source_line", "byte_offset", "reason"], rejected)
    store.insert(
        "unread_value",
        ["file_id", "column_name", "value_count"],
        [(file_id, name, n) for name, n in sorted(unread.items())],
    )
    assert records == accepted + sum(ignored.values()) + len(rejected), "a record was lost while reading"
    return counts


def _placed(file_id: int, item: Reject, base: int, task: Task) -> tuple[int, int, int | None, str]:
    offset = None if item.offset is None or task.path is None else task.offset + item.offset
    return file_id, base + item.line, offset, item.reason


def _results(
    tasks: Iterator[Task], plan: Plan, pool: ProcessPoolExecutor | None, spool: Path
) -> Iterator[tuple[Task, Result]]:
    """Results in the order of the tasks, with few tasks in flight so that memory stays small."""
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    for number, task in enumerate(tasks):
        target = str(spool / f"rows-{number:06d}.parquet")
        if pool is None:
            yield task, read_task(task, plan, number, target)
            continue
        waiting.append((light(task), pool.submit(read_task_in_worker, task, plan, number, target)))
        if len(waiting) > 4:
            done, future = waiting.popleft()
            yield done, future.result()
    while waiting:
        done, future = waiting.popleft()
        yield done, future.result()


def light(task: Task) -> Task:
    """The task without its content, which the worker has; only its kind matters afterwards."""
    return task._replace(
        data=None,
        length=task.length or len(task.data or b""),
        rows=None if task.rows is None else [],
    )


def _flush(store: Store, file_id: int, loads: list[tuple[int, str, int]]) -> None:
    """Load the Parquet files of some tasks (number, path, first line before them)."""
    if not loads:
        return
    names = {name for _, path, _ in loads for name in detect.parquet_columns(path)}
    base = "CASE task " + " ".join(f"WHEN {number} THEN {line}" for number, _, line in loads) + " END"
    types: dict[str, str] = {column.name: column.type for column in (*SOURCE_COLUMNS, *COLUMNS)}
    kept = [name for name in types if name in names]
    values = ", ".join(
        f"source_line + {base}" if name == "source_line" else f'CAST("{name}" AS {types[name]})' for name in kept
    )
    quoted = ", ".join(f'"{name}"' for name in kept)
    add_attempt_columns(store, {name: types[name] for name in kept})
    store.load_parquet(
        f"INSERT INTO attempt (file_id, {quoted}) SELECT {file_id}, {values} "
        "FROM read_parquet($files, union_by_name = true)",
        [Path(path) for _, path, _ in loads],
    )
    for _, path, _ in loads:
        Path(path).unlink()
