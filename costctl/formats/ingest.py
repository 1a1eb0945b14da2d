"""From files to the `attempt` table: each file is read once and then remembered.

The workspace only caches. A file is known again by its fingerprint and by how it was read
(format, mapping, tier rules, version); its rows are then used as they are.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from costctl.errors import InputError, disk_trouble
from costctl.formats import detect
from costctl.formats.base import LeftOutUsage, LogFormat
from costctl.formats.build import build
from costctl.formats.bundling import BundleRead, bundled
from costctl.formats.cut import tasks_of
from costctl.formats.local_dates import with_day_order
from costctl.formats.options import Options
from costctl.formats.parse import Reject, further
from costctl.formats.pool import Workers
from costctl.formats.profile import load_profile, refuse_company, told_in
from costctl.formats.sources import Source, quick_identity
from costctl.formats.tasks import Task
from costctl.formats.told import FileCounts, FileRead, Wanted, known_files, remember_files
from costctl.formats.worker import (
    Plan,
    Result,
    read_task,
    read_task_in_worker,
)
from costctl.formats.workspace import add_attempt_columns, forget_earlier
from costctl.report import counted
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store

# More files at a time leave a longer last load, when no worker reads any more.
LOAD_FILES_MAX = 4
BUNDLES_IN_FLIGHT = 4
DISK_CODES = ("E170", "E171", "E172")  # no fault of the file that was being read
Progress = Callable[[str, int, int], None]


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
) -> tuple[list[FileCounts], dict[str, InputError]]:
    """Read what is not known yet, as `read_all` does, but do not do with nothing.

    Raises:
        InputError: as `read_all`; E121 where no file is left.
    """
    counts, unread = read_all(store, sources, reading, spool, progress, workers)
    if not counts:
        told = "; ".join(str(error) for error in list(unread.values())[:3])
        raise InputError(
            "E121", f"no file holds a request: {told}", "what each one holds: costctl formats check FOLDER"
        )
    return counts, unread


def read_all(
    store: Store,
    sources: Sequence[Source],
    reading: Reading,
    spool: Path,
    progress: Progress,
    workers: Workers,
) -> tuple[list[FileCounts], dict[str, InputError]]:
    """Read what is not known yet.

    Returns the files, and by label why others of a folder are left out: no logs, or damaged.

    Raises:
        InputError: for a file that the user named and that is no log or is damaged.
    """
    wanted = [_wanted(source, reading) for source in sources]
    known = known_files(store, (item.identity for item in wanted))
    skipped: dict[str, InputError] = {}
    hand = _Hand(store, reading, spool, progress, workers, skipped)
    new = {item.identity: item for item in wanted if item.identity not in known}  # a file may be named twice
    for item, told in _profiles(wanted, sources):
        if item.identity in new:
            known.update(hand.read_profile(new.pop(item.identity), told))
    for is_many, runs in groupby(bundled(list(new.values())), lambda bundle: len(bundle) > 1):
        bundles = list(runs)
        read = hand.read_bundles(bundles) if is_many else (hand.read_one(item) for (item,) in bundles)
        known.update(found for some in read for found in some.items())
    counts = [known[item.identity]._replace(label=item.source.label) for item in wanted if item.identity in known]
    unread = {item.source.label: skipped[item.identity] for item in wanted if item.identity in skipped}
    return counts, unread


def _wanted(source: Source, reading: Reading) -> Wanted:
    content = quick_identity(source.path)
    signature = f"{content}:{reading.signature}:{build()}"
    return Wanted(source, content, hashlib.sha256(signature.encode()).hexdigest())


def _profiles(wanted: Sequence[Wanted], sources: Sequence[Source]) -> list[tuple[Wanted, str]]:
    """The profiles among the files, with what they say of themselves."""
    found = [(item, told) for item in wanted if (told := told_in(item.source)) is not None]
    if found:
        refuse_company([item.source.label for item, _ in found], [source.label for source in sources])
    return found


class _Hand:
    """Reads files into a store; what is no log and was not asked for is noted in `skipped`."""

    def __init__(
        self, store: Store, reading: Reading, spool: Path, progress: Progress, workers: Workers,
        skipped: dict[str, InputError],
    ) -> None:  # fmt: skip
        self._store, self._reading, self._spool = store, reading, spool
        self._progress, self._workers, self._skipped = progress, workers, skipped

    def read_one(self, wanted: Wanted) -> dict[str, FileCounts]:
        """One file, cut into tasks that several processes read."""
        try:
            log_format = detect.recognise(wanted.source, self._reading.log_format)
            log_format = with_day_order(log_format, wanted.source, self._reading.options.is_day_first)
        except InputError as error:
            self._skip(wanted, error)
            return {}
        plan = Plan(log_format, self._reading.options)
        job = _Job(wanted, plan, self._workers.start(), self._spool, self._progress, self._reading.mapping)
        try:
            with _transaction(self._store, self._spool):
                forget_earlier(self._store, {wanted.source.label: wanted.content})
                return {wanted.identity: _load(self._store, job)}
        except InputError as error:  # damaged further on; nothing of it was kept
            self._skip(wanted, error)
            return {}

    def read_profile(self, wanted: Wanted, told: str) -> dict[str, FileCounts]:
        """A profile of ours, whose rows are what reading would give."""
        given = self._reading
        with _transaction(self._store, self._spool):
            forget_earlier(self._store, {wanted.source.label: wanted.content})
            file_id = _next_file_id(self._store)
            is_mapped = given.log_format is not None
            read = load_profile(self._store, wanted.source, told, given.options, is_mapped=is_mapped, file_id=file_id)
            return {wanted.identity: remember_files(self._store, file_id, [(wanted, read)], given.mapping)[0]}

    def read_bundles(self, bundles: list[list[Wanted]]) -> Iterator[dict[str, FileCounts]]:
        """Many small files at a time, each bundle of them by one process."""
        size, done = sum(len(bundle) for bundle in bundles), 0
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for bundle, read in self._bundles_read(bundles):
            with _transaction(self._store, self._spool, keep=True):
                found = self._take(bundle, read)
            yield found
            done += len(bundle)
            self._progress(counted(size, "file"), done, size)

    def _bundles_read(self, bundles: list[list[Wanted]]) -> Iterator[tuple[list[Wanted], BundleRead]]:
        from costctl.formats.bundles import read_bundle, read_bundle_in_worker  # noqa: PLC0415  (rarely needed here)

        pool = self._workers.start()
        waiting: deque[tuple[list[Wanted], Future[BundleRead]]] = deque()
        for number, bundle in enumerate(bundles):
            sources = [item.source for item in bundle]
            given = (sources, self._reading.log_format, self._reading.options, str(self._spool / f"rows-{number:06d}"))
            if pool is None:
                yield bundle, read_bundle(*given)
                continue
            waiting.append((bundle, pool.submit(read_bundle_in_worker, *given)))
            if len(waiting) > BUNDLES_IN_FLIGHT:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()

    def _take(self, bundle: list[Wanted], read: BundleRead) -> dict[str, FileCounts]:
        """Load the rows of a bundle and note its files."""
        kept: list[tuple[Wanted, FileRead]] = []
        ids: list[int | None] = []
        first_id = _next_file_id(self._store)
        for wanted, found in zip(bundle, read.files, strict=True):
            if isinstance(found, InputError):
                self._skip(wanted, found)
                ids.append(None)
            else:
                ids.append(first_id + len(kept))
                kept.append((wanted, found))
        forget_earlier(self._store, {wanted.source.label: wanted.content for wanted, _ in kept})
        if read.parquets:
            numbers = ", ".join("NULL" if number is None else str(number) for number in ids)
            _insert(self._store, read.parquets, f"CAST([{numbers}][task + 1] AS INTEGER)", "source_line")
        counts = remember_files(self._store, first_id, kept, self._reading.mapping)
        return {wanted.identity: found for (wanted, _), found in zip(kept, counts, strict=True)}

    def _skip(self, wanted: Wanted, error: InputError) -> None:
        if wanted.source.is_asked_for or error.code in DISK_CODES:
            raise error
        self._skipped[wanted.identity] = error


class _Job(NamedTuple):
    """One file to be read, and with what."""

    wanted: Wanted
    plan: Plan
    pool: ProcessPoolExecutor | None
    spool: Path
    progress: Progress
    mapping: str | None


@contextmanager
def _transaction(store: Store, spool: Path, *, keep: bool = False) -> Iterator[None]:
    """Either all of what is read within is there afterwards or nothing; leftovers go, unless others still write."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    store.execute("BEGIN")
    try:
        yield
    except OSError as error:
        store.execute("ROLLBACK")
        raise disk_trouble(error) from error
    except BaseException:
        store.execute("ROLLBACK")
        raise
    finally:
        for leftover in () if keep else spool.glob("rows-*.parquet"):
            leftover.unlink()
    store.execute("COMMIT")


def _next_file_id(store: Store) -> int:
    return int(store.scalar("SELECT coalesce(max(file_id), 0) + 1 FROM source_file"))


def _load(store: Store, job: _Job) -> FileCounts:
    source, plan = job.wanted.source, job.plan
    file_id = _next_file_id(store)
    base_line = base_number = records = accepted = totalled = bytes_done = 0
    ignored: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    rejected: list[Reject] = []
    left_out: list[LeftOutUsage] = []
    loads: list[tuple[int, str, int]] = []
    digest = hashlib.sha256()
    size = source.path.stat().st_size
    for number, (task, result) in enumerate(_results(tasks_of(source, plan.log_format), plan, job.pool, job.spool)):
        # Rows of documents and tables carry their own numbers; lines count on from task to task.
        base = 0 if task.rows is not None else base_line
        records += result.records_read
        accepted += result.accepted
        totalled += result.totalled
        ignored.update(result.ignored)
        unread.update(result.unread)
        left_out.extend(result.left_out)
        rejected.extend(_placed(item, base, task) for item in result.rejected)
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
    read = FileRead(
        plan.log_format.name, records, base_line, accepted, ignored, rejected, unread, digest.hexdigest(), totalled,
        left_out,
    )  # fmt: skip
    return remember_files(store, file_id, [(job.wanted, read)], job.mapping)[0]


def _placed(item: Reject, base: int, task: Task) -> Reject:
    return item._replace(line=base + item.line, offset=further(item.offset, task))


def _results(
    tasks: Iterator[Task], plan: Plan, pool: ProcessPoolExecutor | None, spool: Path
) -> Iterator[tuple[Task, Result]]:
    """Results in the order of the tasks, with few tasks in flight so that memory stays small."""
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    try:
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
    finally:  # after a fault nothing of this file may still be written while the next one is read
        wait([future for _, future in waiting if not future.cancel()])


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
    base = "CASE task " + " ".join(f"WHEN {number} THEN {line}" for number, _, line in loads) + " END"
    _insert(store, [path for _, path, _ in loads], str(file_id), f"source_line + {base}")


def _insert(store: Store, parquets: list[str], file_id: str, source_line: str) -> None:
    """Load Parquet files of ours into `attempt`, with these expressions for two columns; the files then go."""
    schemas = store.query("SELECT DISTINCT name FROM parquet_schema($files)", {"files": parquets})
    names = {name for (name,) in schemas}
    types: dict[str, str] = {column.name: column.type for column in (*SOURCE_COLUMNS, *COLUMNS)}
    kept = [name for name in types if name in names]
    values = ", ".join(source_line if name == "source_line" else f'CAST("{name}" AS {types[name]})' for name in kept)
    quoted = ", ".join(f'"{name}"' for name in kept)
    add_attempt_columns(store, {name: types[name] for name in kept})
    store.load_parquet(
        f"INSERT INTO attempt (file_id, {quoted}) SELECT {file_id}, {values} "
        "FROM read_parquet($files, union_by_name = true)",
        [Path(path) for path in parquets],
    )
    for path in parquets:
        Path(path).unlink()
