"""Taking a task apart: each line or row parsed, unwrapped and gathered, with a reason for each that is refused."""

from __future__ import annotations

import io
import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from costctl.formats.base import UNREADABLE, Ignored, LogFormat, Outcome, Record, Rejected, unreadable
from costctl.formats.cut import cut
from costctl.formats.gather import CHUNK_RECORDS, Gathered
from costctl.formats.sources import LINE_BYTES_MAX, Source
from costctl.formats.strangers import Strangers
from costctl.formats.tasks import Task

DEPTH_MAX = 64
BOM = b"\xef\xbb\xbf"
_CONTAINERS = frozenset({dict, list})


class Reject(NamedTuple):
    """A record that was refused; line and offset count from the start of its task."""

    line: int
    offset: int | None
    reason: str


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


def content_of(task: Task) -> bytes:
    """The bytes of a task, from itself or from its range of the file."""
    if task.data is not None:
        return task.data
    with Path(str(task.path)).open("rb") as file:
        file.seek(task.offset)
        return file.read(task.length)


def line_starts(task: Task, lines: Collection[int]) -> dict[int, int]:
    """Where these lines begin, counted from the start of their task; nothing of rows that another parser has split."""
    if task.rows is not None or not lines:
        return {}
    data, found = content_of(task), {}
    at = len(BOM) if task.offset == 0 and data.startswith(BOM) else 0
    for number in range(1, max(lines) + 1):
        if number in lines:
            found[number] = at
        at = data.find(b"\n", at) + 1
        if not at:
            break
    return found


def parse_task(task: Task, log_format: LogFormat, gathered: Gathered) -> Parsed:
    """The records of a task as `gathered` takes them, in order, and what is refused or ignored."""
    if task.is_whole:
        return parse_file(Source(Path(str(task.path)), str(task.path), True), log_format, gathered)
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
    strangers = Strangers(log_format)
    number = offset = records_read = 0
    # It only tells runs over the same content; a cryptographic hash of all bytes took 2 % of an audit.
    digest = zlib.crc32(data).to_bytes(4, "big")
    if task.offset == 0 and data.startswith(BOM):
        data, offset = data[3:], 3
    # One line after the other, with the byte that ends it: all at once they would leave the core's cache.
    for line in io.BytesIO(data):
        number += 1
        start, offset = offset, offset + len(line)
        if line.isspace():
            continue
        records_read += 1
        try:
            record = loads(line)
        except orjson.JSONDecodeError as error:
            rejected.append(Reject(number, start, _json_reason(error, line)))
            continue
        # Counting looks at each byte, so it begins at the first bracket and ends at the last: there are few.
        if (
            type(record) is not dict
            or line.count(b"{") + line.count(b"[", line.find(b"["), line.rfind(b"[") + 1) > DEPTH_MAX
            or len(line) > LINE_BYTES_MAX
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
            if type(unwrapped) is not dict or unwrapped.get("input_tokens") is None or strangers.is_resolved:
                unwrapped = strangers.judged(record, unwrapped)
            if unfolded is not None:
                unfolded.add(unwrapped, number, start)
                continue
            if isinstance(unwrapped, Ignored):
                ignored[unwrapped.kind] += 1
                gathered.left_out += [unwrapped.usage] if unwrapped.usage else []
                continue
            if isinstance(unwrapped, Rejected):
                rejected.append(Reject(number, start, unwrapped.reason))
                continue
            assert type(unwrapped) is dict, "only a format that unfolds answers with a list"
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


def parse_file(source: Source, log_format: LogFormat, gathered: Gathered) -> Parsed:
    """All tasks of a file as one; records that tell of one another are resolved."""
    kept = _Kept(log_format) if log_format.resolve else None
    lines: list[int] = []
    numbers: list[int] = []
    rejected: list[Reject] = []
    ignored: Counter[str] = Counter()
    read = base_line = base_number = 0
    digest = b""
    for task in cut(source):
        if task.fault is not None:
            read += 1
            base_line += task.fault_is_line
            rejected.append(Reject(base_line, None, task.fault))
            continue
        found = parse_task(task, log_format, kept or gathered)
        base = 0 if task.rows is not None else base_line
        first = base_number if log_format.unfolds else base
        lines += [base + line for line in found.lines]
        numbers += [first + number for number in found.numbers]
        rejected += [item._replace(line=base + item.line, offset=further(item.offset, task)) for item in found.rejected]
        ignored.update(found.ignored)
        read += found.records_read
        base_line = max(base_line, base + found.lines_read)
        base_number += found.numbers_read
        digest += found.digest
    if kept is not None:
        lines, numbers = _resolved(kept.records, lines, numbers, (log_format, gathered, rejected, ignored))
    last = base_number if log_format.unfolds else base_line
    return Parsed(gathered, lines, numbers, rejected, ignored, read, base_line, digest, last)


def further(offset: int | None, task: Task) -> int | None:
    """An offset within a task as one within its file; unknown where the file is packed."""
    return None if offset is None or task.path is None else task.offset + offset


class _Kept(Gathered):
    """Keeps the records themselves, until all of a file are there."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__(log_format, b"")
        self.records: list[Record] = []

    def add(self, records: Sequence[Record]) -> None:
        self.records += records
        self.height = len(self.records)


def _resolved(
    records: list[Record],
    lines: list[int],
    numbers: list[int],
    into: tuple[LogFormat, Gathered, list[Reject], Counter[str]],
) -> tuple[list[int], list[int]]:
    """Lines and numbers of the records that are requests once all of the file are known."""
    log_format, gathered, rejected, ignored = into
    assert log_format.resolve is not None, "only such formats are kept"
    taken: list[Record] = []
    places: list[int] = []
    outcomes = log_format.resolve(records)
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, Ignored):
            ignored[outcome.kind] += 1
        elif isinstance(outcome, Rejected):
            rejected.append(Reject(lines[place], None, outcome.reason))
        else:
            taken.append(outcome)
            places.append(place)
    assert len(outcomes) == len(records), "one outcome for each record"
    for start in range(0, len(taken), CHUNK_RECORDS):
        gathered.add(taken[start : start + CHUNK_RECORDS])
    return [lines[place] for place in places], [numbers[place] for place in places]


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
                self._gathered.left_out += [piece.usage] if piece.usage else []
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


def _fault(record: Any, line: bytes) -> str | None:
    if type(record) is not dict:
        return f"a JSON {_kind(record)}, not an object"
    if len(line.strip()) > LINE_BYTES_MAX:
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
    if "recursion" in error.msg.lower() or "depth" in error.msg.lower():
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
    strangers = Strangers(log_format)
    for number, row in rows:
        fault = _row_fault(row)
        try:
            outcome = Rejected(fault) if fault else (unwrap(row) if unwrap else row)
        except UNREADABLE:
            outcome = unreadable(log_format)
        if (
            unwrap is not None
            and not fault
            and (type(outcome) is not dict or outcome.get("input_tokens") is None or strangers.is_resolved)
        ):
            outcome = strangers.judged(row, outcome)
        if unfolded is not None or isinstance(outcome, list):
            assert unfolded is not None, "only a format that unfolds answers with a list"
            unfolded.add(outcome, number, None)
        elif isinstance(outcome, Ignored):
            ignored[outcome.kind] += 1
            gathered.left_out += [outcome.usage] if outcome.usage else []
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
    digest = _digest_of(rows)
    if unfolded is not None:
        return unfolded.parsed(len(rows), last, digest)
    return Parsed(gathered, lines, lines, rejected, ignored, len(rows), last, digest, last)


def _digest_of(rows: list[tuple[int, Any]]) -> bytes:
    try:
        text = orjson.dumps(rows, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (
        TypeError
    ):  # deeper than it writes, or an integer or text that JSON cannot hold: `repr` is shallow enough then
        text = repr([(number, _row_fault(row) or row) for number, row in rows]).encode("utf-8", "backslashreplace")
    return zlib.crc32(text).to_bytes(4, "big")


def _row_fault(row: Any) -> str | None:
    if not isinstance(row, dict):
        return f"a JSON {_kind(row)}, not an object"
    if "__fault__" in row:
        return str(row["__fault__"])
    return f"nested deeper than {DEPTH_MAX} levels" if _depth(row) > DEPTH_MAX else None
