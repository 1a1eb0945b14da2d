"""Reading one task: parse each line, apply the format, write canonical rows as Parquet.

Runs in this process or in a worker process, with the same result.
"""

from __future__ import annotations

import gc
import io
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from costctl.formats import normalise
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected
from costctl.formats.gather import CHUNK_RECORDS, Gathered
from costctl.formats.sources import LINE_BYTES_MAX
from costctl.formats.tasks import Task

DEPTH_MAX = 64
BOM = b"\xef\xbb\xbf"
_CONTAINERS = frozenset({dict, list})
# What reading a record raises whose values are of other kinds than its format has.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Reject(NamedTuple):
    """A record that was refused; line and offset count from the start of its task."""

    line: int
    offset: int | None
    reason: str


class Result(NamedTuple):
    """What one task held. `parquet` is None where no record was accepted.

    `numbers_read` is how far the numbers of its records went: lines, or pieces of formats that unfold.
    """

    records_read: int
    lines_read: int
    accepted: int
    ignored: dict[str, int]
    rejected: list[Reject]
    parquet: str | None
    digest: bytes
    unread: dict[str, int]
    numbers_read: int = 0


class Plan(NamedTuple):
    """Everything that reading a task needs besides the task."""

    log_format: LogFormat
    options: normalise.Options


class Parsed(NamedTuple):
    """What the lines or rows of one task held, before types and rules are looked at.

    `numbers` tell the accepted records apart; they are their lines, unless one line unfolds into many.
    """

    gathered: Gathered
    lines: list[int]
    numbers: list[int]
    rejected: list[Reject]
    ignored: Counter[str]
    records_read: int
    lines_read: int
    digest: bytes
    numbers_read: int


_plans: dict[str, Plan] = {}  # of this worker process, so that equal rules are prepared once


def read_task_in_worker(task: Task, plan: Plan, number: int, target: str) -> Result:
    """`read_task` with the plan as this worker process first saw it."""
    plan = plan._replace(options=_plans.setdefault(plan.options.rules.digest, plan).options)
    return read_task(task, plan, number, target)


def read_task(task: Task, plan: Plan, number: int, target: str) -> Result:
    """Read the task with that number; its rows go to the Parquet file `target`."""
    was_enabled = gc.isenabled()
    gc.disable()  # a batch of parsed records is millions of objects, none of them a cycle
    try:
        if task.fault is not None:
            line = int(task.fault_is_line)
            return Result(1, line, 0, {}, [Reject(1, None, task.fault)], None, b"", {})
        parsed = parse_task(task, plan.log_format, Gathered(plan.log_format, plan.options.hash_key))
        return _written(parsed, plan, number, target)
    finally:
        if was_enabled:
            gc.enable()


def content_of(task: Task) -> bytes:
    """The bytes of a task, from itself or from its range of the file."""
    if task.data is not None:
        return task.data
    with Path(str(task.path)).open("rb") as file:
        file.seek(task.offset)
        return file.read(task.length)


def parse_task(task: Task, log_format: LogFormat, gathered: Gathered) -> Parsed:
    """The records of a task as `gathered` takes them, in order, and what is refused or ignored."""
    if task.rows is not None:
        return _parse_rows(task.rows, log_format, gathered)
    return parse_lines(content_of(task), task, log_format, gathered)


def parse_lines(data: bytes, task: Task, log_format: LogFormat, gathered: Gathered) -> Parsed:
    """The same of the lines of a task."""
    unwrap = log_format.unwrap
    loads = orjson.loads
    records: list[Record] = []
    lines: list[int] = []
    rejected: list[Reject] = []
    ignored: Counter[str] = Counter()
    unfolded = _Unfolded(gathered, lines, rejected, ignored) if log_format.unfolds else None
    number = offset = records_read = 0
    # It only tells runs over the same content; a cryptographic hash of all bytes took 2 % of an audit.
    digest = zlib.crc32(data).to_bytes(4, "big")
    if task.offset == 0 and data.startswith(BOM):
        data, offset = data[3:], 3
    pieces = data.split(b"\n")
    if not pieces[-1]:
        pieces.pop()
    for line in pieces:
        number += 1
        start, offset = offset, offset + len(line) + 1
        if not line or line.isspace():
            continue
        records_read += 1
        try:
            record = loads(line)
        except orjson.JSONDecodeError as error:
            rejected.append(Reject(number, start, _json_reason(error, line)))
            continue
        if (
            type(record) is not dict or line.count(b"{") + line.count(b"[") > DEPTH_MAX or len(line) > LINE_BYTES_MAX
        ):  # fmt: skip
            fault = _fault(record, line)
            if fault:
                rejected.append(Reject(number, start, fault))
                continue
        if unwrap is not None:
            try:
                unwrapped = unwrap(record)
            except UNREADABLE:
                unwrapped = unreadable(log_format)
            if unfolded is not None:
                unfolded.add(unwrapped, number, start)
                continue
            if isinstance(unwrapped, Ignored):
                ignored[unwrapped.kind] += 1
                continue
            if isinstance(unwrapped, Rejected):
                rejected.append(Reject(number, start, unwrapped.reason))
                continue
            record = unwrapped
        records.append(record)
        lines.append(number)
        if len(records) >= CHUNK_RECORDS:
            gathered.add(records)
            records = []
    gathered.add(records)
    if unfolded is not None:
        return unfolded.parsed(records_read, number, digest)
    return Parsed(gathered, lines, lines, rejected, ignored, records_read, number, digest, number)


class _Unfolded:
    """Takes the outcomes of records that may hold many requests, and numbers the pieces of a task."""

    def __init__(
        self, gathered: Gathered, lines: list[int], rejected: list[Reject], ignored: Counter[str]
    ) -> None:  # fmt: skip
        self._gathered, self._lines, self._rejected, self._ignored = gathered, lines, rejected, ignored
        self._records: list[Record] = []
        self._numbers: list[int] = []
        self._piece_count = 0
        self._more = 0  # pieces beyond one per record

    def add(self, outcome: Outcome | list[Outcome], line: int, offset: int | None) -> None:
        """The outcome of the record on that line."""
        pieces = outcome if isinstance(outcome, list) else [outcome]
        self._more += len(pieces) - 1
        for piece in pieces:
            self._piece_count += 1
            if isinstance(piece, Ignored):
                self._ignored[piece.kind] += 1
            elif isinstance(piece, Rejected):
                self._rejected.append(Reject(line, offset, piece.reason))
            else:
                self._records.append(piece)
                self._lines.append(line)
                self._numbers.append(self._piece_count)
        if len(self._records) >= CHUNK_RECORDS:
            self._flush()

    def _flush(self) -> None:
        self._gathered.add(self._records)
        self._records = []

    def parsed(self, records_read: int, lines_read: int, digest: bytes) -> Parsed:
        """All of the task; `records_read` counts each record once."""
        self._flush()
        return Parsed(self._gathered, self._lines, self._numbers, self._rejected, self._ignored,
                      records_read + self._more, lines_read, digest, self._piece_count)  # fmt: skip


def unreadable(log_format: LogFormat) -> Rejected:
    """What becomes of a record that its format cannot take apart."""
    return Rejected(f"this {log_format.name} record cannot be read")


def _fault(record: Any, line: bytes) -> str | None:
    if type(record) is not dict:
        return f"a JSON {_kind(record)}, not an object"
    if len(line) > LINE_BYTES_MAX:
        return f"line longer than {LINE_BYTES_MAX:,} bytes"
    if _depth(record) > DEPTH_MAX:
        return f"nested deeper than {DEPTH_MAX} levels"
    return None


def _kind(value: Any) -> str:
    return {list: "list", str: "text", bool: "boolean"}.get(type(value), "null" if value is None else "number")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
    return depth


def _json_reason(error: orjson.JSONDecodeError, line: bytes) -> str:
    if "utf-8" in error.msg.lower() or "surrogate" in error.msg.lower():
        return "not valid UTF-8"
    if "recursion" in error.msg.lower():
        return f"nested deeper than {DEPTH_MAX} levels"
    if error.msg.startswith("unexpected end") or error.pos >= len(line.rstrip()):
        return "not valid JSON: the line ends before the record does"
    return f"not valid JSON at column {error.colno}"


def _parse_rows(rows: list[tuple[int, Any]], log_format: LogFormat, gathered: Gathered) -> Parsed:
    unwrap = log_format.unwrap
    records: list[Record] = []
    lines: list[int] = []
    rejected: list[Reject] = []
    ignored: Counter[str] = Counter()
    unfolded = _Unfolded(gathered, lines, rejected, ignored) if log_format.unfolds else None
    for number, row in rows:
        fault = _row_fault(row)
        try:
            outcome = Rejected(fault) if fault else (unwrap(row) if unwrap else row)
        except UNREADABLE:
            outcome = unreadable(log_format)
        if unfolded is not None or isinstance(outcome, list):
            assert unfolded is not None, "only a format that unfolds answers with a list"
            unfolded.add(outcome, number, None)
        elif isinstance(outcome, Ignored):
            ignored[outcome.kind] += 1
        elif isinstance(outcome, Rejected):
            rejected.append(Reject(number, None, outcome.reason))
        else:
            records.append(outcome)
            lines.append(number)
        if len(records) >= CHUNK_RECORDS:
            gathered.add(records)
            records = []
    gathered.add(records)
    last = rows[-1][0] if rows else 0
    digest = zlib.crc32(orjson.dumps(rows, default=str, option=orjson.OPT_NON_STR_KEYS)).to_bytes(4, "big")
    if unfolded is not None:
        return unfolded.parsed(len(rows), last, digest)
    return Parsed(gathered, lines, lines, rejected, ignored, len(rows), last, digest, last)


def _row_fault(row: Any) -> str | None:
    if not isinstance(row, dict):
        return f"a JSON {_kind(row)}, not an object"
    if "__fault__" in row:
        return str(row["__fault__"])
    return f"nested deeper than {DEPTH_MAX} levels" if _depth(row) > DEPTH_MAX else None


def _written(parsed: Parsed, plan: Plan, number: int, target: str) -> Result:
    rejected = parsed.rejected
    accepted, parquet = 0, None
    unread: dict[str, int] = {}
    if parsed.gathered.height:
        batch = normalise.normalise(parsed.gathered, parsed.numbers, plan.log_format, plan.options)
        rejected = rejected + [
            Reject(parsed.lines[row], None, reason) for row, reason in sorted(batch.rejected.items())
        ]
        accepted, unread = batch.rows.height, batch.unread
        if accepted:
            write_rows(batch.rows, number, Path(target))
            parquet = target
    return Result(
        parsed.records_read, parsed.lines_read, accepted, dict(parsed.ignored),
        sorted(rejected), parquet, parsed.digest, unread, parsed.numbers_read,
    )  # fmt: skip


def write_rows(rows: pl.DataFrame, number: int, target: Path) -> None:
    """Write canonical rows as Parquet, with the number of their task.

    Through memory, so that a full disk is an OSError and not an error of the engine.
    """
    buffer = io.BytesIO()
    rows.with_columns(pl.lit(number).alias("task")).write_parquet(buffer, compression="uncompressed", statistics=False)
    target.write_bytes(buffer.getbuffer())
