"""Rows of CSV and Parquet files, numbered by line or row."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from costctl.errors import InputError
from costctl.formats.base import Record
from costctl.formats.sources import LINE_BYTES_MAX, Source, content_blocks, head_of
from costctl.formats.tasks import ROWS_PER_TASK, Task
from costctl.formats.unpack import Truncated

if TYPE_CHECKING:
    import polars as pl

RECORD_LINES_MAX = 10_000  # a record with more has a quote that was never meant to be closed
ANSI = "cp1252"  # in which Excel saves a CSV in the west; Latin-1 but for quotes and the euro
UNCLOSED = "not a CSV row: a quote is never closed"
_SEPARATOR = re.compile('"?sep=([,;\t|])"?', re.IGNORECASE)  # a line that Excel writes and reads before the header
_BROKEN = re.compile("[\udc80-\udcff]")  # what stands for a byte that is not UTF-8


def table_tasks(source: Source) -> Iterator[Task]:
    """Rows of a CSV or Parquet file, numbered by line or row."""
    if source.path.suffix == ".parquet" or source.path.open("rb").read(4) == b"PAR1":
        yield from _parquet_tasks(source)
    else:
        yield from _csv_tasks(source)


def _parquet_tasks(source: Source) -> Iterator[Task]:
    frame = parquet_frame(source)
    for number, piece in enumerate(frame.iter_slices(ROWS_PER_TASK)):
        first = number * ROWS_PER_TASK + 1
        yield Task(rows=list(enumerate(piece.to_dicts(), first)))


def parquet_frame(source: Source, rows: int | None = None) -> pl.DataFrame:
    """A Parquet file, or its first rows.

    Raises:
        InputError: E112 where it is cut or damaged.
    """
    import polars as pl  # noqa: PLC0415  (keeps the line path free of it)

    try:
        return pl.read_parquet(source.path, n_rows=rows)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise InputError(
            "E112", f"{source.label} is not a readable Parquet file", str(error).splitlines()[0]
        ) from error


class _Bytes(io.RawIOBase):
    """A readable stream over blocks of decompressed bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")
        self.fault: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = memoryview(next(self._blocks))
            except StopIteration:
                return 0
            except Truncated as error:
                self.fault = str(error)
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


class _Row(NamedTuple):
    """One record of a CSV file: the line on which it begins, its fields, and its fault if it has one."""

    line: int
    fields: list[str]
    fault: str | None


class _TooMany(Exception):  # noqa: N818  (a state of the record, handled where it is read)
    """A record has more lines than any text in a table."""


class _Lines:
    """Physical lines for the CSV parser, kept until the record that they make is finished."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.done = 0  # lines before the present record
        self.has_ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= RECORD_LINES_MAX:
            raise _TooMany
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            self.has_ended = True
            raise StopIteration
        self.taken.append(line)
        return line

    def finish(self) -> None:
        """The lines taken were the present record."""
        self.done += len(self.taken)
        self.taken = []

    def give_back(self) -> None:
        """Only the first of the lines taken is of the present record; the others are read once more."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
        self.has_ended = False


def _csv_rows(source: Iterator[str], delimiter: str) -> tuple[list[str], Iterator[_Row]]:
    """The names of the header, and the records after it."""
    csv.field_size_limit(LINE_BYTES_MAX)
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=delimiter)
    names = next(reader, [])
    if lines.taken and _SEPARATOR.fullmatch(lines.taken[0].rstrip("\r\n")):
        names = next(reader, [])
    header = [name.strip() for name in names]
    return header, _records(lines, delimiter, len(header))


def _records(lines: _Lines, delimiter: str, width: int) -> Iterator[_Row]:
    """Records with their faults.

    A quote that is never closed would swallow all that follows: its line is refused alone, and
    reading goes on with the next line.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.finish()
        fields: list[str] = []
        fault = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = f"not a CSV row: {error}"
        except _TooMany:
            fault = UNCLOSED
        if not fields and not fault:
            continue
        if not fault and len(fields) != width:
            fault = f"{len(fields)} fields under a header of {width}"
        if lines.has_ended or len(lines.taken) > 1:
            if _swallows(lines.taken, delimiter, width, is_sound=not fault and not lines.has_ended):
                lines.give_back()
                reader, fault = csv.reader(lines, delimiter=delimiter), UNCLOSED
            elif lines.has_ended:
                fault = UNCLOSED
        if not fault and any(not line.isascii() and _BROKEN.search(line) for line in lines.taken):
            fault = "not valid UTF-8"
        yield _Row(lines.done + 1, fields, fault)


def _swallows(lines: list[str], delimiter: str, width: int, *, is_sound: bool) -> bool:
    """Whether a record of several lines is really a line with a lone quote and other records."""
    if is_sound:
        try:
            next(csv.reader(lines, delimiter=delimiter, strict=True))
        except csv.Error:
            pass
        else:
            return False
    if len(lines) >= RECORD_LINES_MAX:
        return True
    return any(len(next(csv.reader([line], delimiter=delimiter), [])) == width for line in lines[1:])


def sampled_rows(text: Iterator[str], delimiter: str, count: int) -> list[Record]:
    """The first records of a CSV text, however cut its last one is."""
    header, records = _csv_rows(text, delimiter)
    return [dict(zip(header, row.fields, strict=False)) for row in islice(records, count) if row.fields]


def _csv_tasks(source: Source) -> Iterator[Task]:
    raw = _Bytes(content_blocks(source))
    text = io.TextIOWrapper(
        io.BufferedReader(cast("io.RawIOBase", raw)),
        encoding="utf-8-sig",
        errors="surrogateescape",
        newline="",
    )
    header, records = _csv_rows(text, delimiter_of(head_of(source)))
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        said = f"{source.label} has more than one column named {', '.join(twice)}"
        raise InputError("E116", said, "rename one of them: nobody could say which was meant")
    rows: list[tuple[int, Record]] = []
    for number, fields, fault in records:
        rows.append((number, {"__fault__": fault} if fault else dict(zip(header, fields, strict=True))))
        if len(rows) >= ROWS_PER_TASK:
            yield Task(rows=rows)
            rows = []
    if rows:
        yield Task(rows=rows)
    if raw.fault:
        yield Task(fault=raw.fault)


def header_of(text: str) -> tuple[str, int]:
    """The delimiter of a CSV text, and how many lines stand before its header: one, where it names the delimiter."""
    first = text.split("\n", 1)[0].rstrip("\r")
    return delimiter_of(first.encode()), int(_SEPARATOR.fullmatch(first) is not None)


def is_utf8(head: bytes) -> bool:
    """Whether the first bytes of a file are UTF-8, wherever they are cut.

    >>> is_utf8("caché".encode()), is_utf8("caché".encode()[:-1]), is_utf8("caché ".encode("cp1252"))
    (True, True, False)
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def delimiter_of(head: bytes) -> str:
    """The delimiter of a CSV header: what a line before it names, else what separates most names."""
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    named = _SEPARATOR.fullmatch(first.rstrip("\r"))
    if named is not None:
        return named[1]
    return max(",;\t|", key=first.count)
