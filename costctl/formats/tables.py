"""Rows of CSV and Parquet files, numbered by line or row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, cast

from costctl.errors import InputError
from costctl.formats.base import Record
from costctl.formats.sources import Source, Truncated, content_blocks, head_of
from costctl.formats.tasks import CUT, LINE_BYTES_MAX, ROWS_PER_TASK, Task


def table_tasks(source: Source) -> Iterator[Task]:
    """Rows of a CSV or Parquet file, numbered by line or row."""
    if source.path.suffix == ".parquet" or source.path.open("rb").read(4) == b"PAR1":
        yield from _parquet_tasks(source)
    else:
        yield from _csv_tasks(source)


def _parquet_tasks(source: Source) -> Iterator[Task]:
    import polars as pl  # noqa: PLC0415  (keeps the line path free of it)

    try:
        frame = pl.read_parquet(source.path)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            "E112", f"{source.label} is not a readable Parquet file", str(error).splitlines()[0]
        ) from error
    for number, piece in enumerate(frame.iter_slices(ROWS_PER_TASK)):
        first = number * ROWS_PER_TASK + 1
        yield Task(rows=list(enumerate(piece.to_dicts(), first)))


class _Bytes(io.RawIOBase):
    """A readable stream over blocks of decompressed bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")
        self.is_truncated = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = memoryview(next(self._blocks))
            except StopIteration:
                return 0
            except Truncated:
                self.is_truncated = True
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _csv_tasks(source: Source) -> Iterator[Task]:
    csv.field_size_limit(LINE_BYTES_MAX)
    raw = _Bytes(content_blocks(source))
    text = io.TextIOWrapper(
        io.BufferedReader(cast("io.RawIOBase", raw)),
        encoding="utf-8-sig",
        errors="replace",
        newline="",
    )
    lines = csv.reader(text, delimiter=delimiter_of(head_of(source)))
    header = [name.strip() for name in next(lines, [])]
    rows: list[tuple[int, Record]] = []
    faults: list[Task] = []
    while True:
        number = lines.line_num + 1
        try:
            row = next(lines)
        except StopIteration:
            break
        except csv.Error as error:
            faults.append(Task(fault=f"not a CSV row: {error}"))
            continue
        if not row:
            continue
        if len(row) != len(header):
            rows.append((number, {"__fault__": f"{len(row)} fields under a header of {len(header)}"}))
        elif any("\ufffd" in field for field in row):
            rows.append((number, {"__fault__": "not valid UTF-8"}))
        else:
            rows.append((number, dict(zip(header, row, strict=True))))
        if len(rows) >= ROWS_PER_TASK:
            yield Task(rows=rows)
            rows = []
    if rows:
        yield Task(rows=rows)
    yield from faults
    if raw.is_truncated:
        yield Task(fault=CUT)


def delimiter_of(head: bytes) -> str:
    """The delimiter of a CSV header, by what separates most names."""
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t|", key=first.count)
