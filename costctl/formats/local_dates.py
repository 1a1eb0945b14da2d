"""Dates by day and month, 3/13/2026 or 13/3/2026: the whole file tells which, or the user does, or nothing does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from costctl.errors import InputError
from costctl.formats import generic
from costctl.formats.base import LogFormat, Record
from costctl.formats.columns import raw_columns
from costctl.formats.detect import sample_of, shape_of
from costctl.formats.gather import Gathered
from costctl.formats.parse import parse_file
from costctl.formats.sources import Source, content_blocks, head_of
from costctl.formats.unpack import Trailing, Truncated

MONTHS = 12
LOOKED_AT_BYTES = 2**16
# A field that begins with such a date, which a time may follow.
_DATE = re.compile(rb'(?:(?<=[,;\t|"\n])|^)(\d{1,2})/(\d{1,2})/(\d{4})(?=[,;\t|"\r\n T]|$)')
_ANY_DATE = re.compile(rb"\d\\?/\d{1,2}\\?/\d{4}")
_VALUE = re.compile(r"\s*((\d{1,2})/(\d{1,2})/\d{4})(?!\d)")
_TIMES = ("started_at", "ended_at", "first_token_at")


class _Date(NamedTuple):
    """The two numbers before the year, and the date with its place, as a refusal names them."""

    first: int
    second: int
    told: Callable[[], str]


def with_iso_dates(source: Source, spool: Path) -> Source:
    """The file itself, or a copy whose dates by day and month are written by year, month and day.

    Raises:
        InputError: E194 where nothing in the table tells the month from the day, or two dates contradict each other.
    """
    head = head_of(source)
    if head.startswith(b"PAR1") or not _DATE.search(head) or shape_of(source) != "table":
        return source
    content = _content(source)
    dates = (
        _Date(int(one[1]), int(one[2]), lambda one=one: _told(one, content))  # type: ignore[misc]
        for one in _DATE.finditer(content)
    )
    is_day_first = _decided(source.label, dates, ("write all dates as 2026-03-13",
                                                  "write the dates as 2026-03-13, or export more days"))  # fmt: skip
    month, day = (2, 1) if is_day_first else (1, 2)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = spool / f"dates-{len(list(spool.glob('dates-*')))}.csv"
    target.write_bytes(_DATE.sub(lambda one: b"%b-%b-%b" % (one[3], one[month].zfill(2), one[day].zfill(2)), content))
    return source._replace(path=target)


def with_day_order(log_format: LogFormat, source: Source, is_day_first: bool | None) -> LogFormat:
    """The format of a log, with the order of its dates: as the user says, else as all times of the file tell.

    A log without such dates is looked at by its first bytes only.

    Raises:
        InputError: E194 where its dates can be read in two ways, or contradict each other, and the user says nothing.
    """
    if is_day_first is not None:
        return replace(log_format, is_day_first=is_day_first)
    if log_format.name != generic.FORMAT.name:
        return log_format
    head = head_of(source, LOOKED_AT_BYTES)
    if not head.startswith(b"PAR1") and not _ANY_DATE.search(head):
        return log_format
    if not any(_dates_of(raw_columns(sample_of(source), log_format, {}))):
        return log_format
    times = _Times(log_format)
    lines = parse_file(source, log_format, times).lines
    dates = (
        _Date(first, second, lambda text=text, row=row: f"{text} on line {lines[row]}")  # type: ignore[misc]
        for row, values in enumerate(times.values)
        for text, first, second in values
    )
    said = "--day-first yes reads 3/6/2026 as 3 June, --day-first no as March 6"
    return replace(log_format, is_day_first=_decided(source.label, dates, (f"write all dates as 2026-03-13; {said}",
                                                                           f"say which: {said}")))  # fmt: skip


class _Times(Gathered):
    """Keeps of each record only its dates by day and month."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__(log_format, b"")
        self.values: list[list[tuple[str, int, int]]] = []
        self._of = log_format

    def add(self, records: Sequence[Record]) -> None:
        found = _dates_of(raw_columns(records, self._of, self._ways))
        self.values += found or [[] for _ in records]
        self.height = len(self.values)


def _dates_of(raw: dict[str, list[Any]]) -> list[list[tuple[str, int, int]]]:
    """Of each record the dates by day and month, with their two numbers; nothing where no column has times."""
    columns = [raw[name] for name in _TIMES if name in raw]
    return [
        [(found[1], int(found[2]), int(found[3])) for value in row
         if isinstance(value, str) and (found := _VALUE.match(value))]
        for row in zip(*columns, strict=True)
    ]  # fmt: skip


def _decided(label: str, dates: Iterable[_Date], hints: tuple[str, str]) -> bool:
    """Whether the day stands first in these dates; one number above 12 anywhere decides for all.

    Raises:
        InputError: E194 with the first hint where two contradict each other, with the second where nothing tells.
    """
    first_of: dict[str, _Date] = {}
    for one in dates:
        for kind in _kinds(one):
            first_of.setdefault(kind, one)
    day_first, month_first, doubtful = (first_of.get(kind) for kind in ("day", "month", "doubt"))
    if day_first and month_first:
        said = f"{month_first.told()} has the month first and {day_first.told()} the day"
        raise InputError("E194", f"{label}: {said}", hints[0])
    if doubtful and not day_first and not month_first:
        said = f"{doubtful.told()} and all others may be month/day or day/month: no number tells"
        raise InputError("E194", f"{label}: {said}", hints[1])
    return day_first is not None


def _kinds(one: _Date) -> Iterator[str]:
    if one.first > MONTHS:
        yield "day"
    if one.second > MONTHS:
        yield "month"
    if one.first != one.second:
        yield "doubt"


def _content(source: Source) -> bytes:
    content = bytearray()
    try:
        for block in content_blocks(source):
            content += block
    except Trailing:
        pass
    except Truncated:
        return bytes(content[: content.rfind(b"\n") + 1])
    return bytes(content)


def _told(one: re.Match[bytes], content: bytes) -> str:
    line = content.count(b"\n", 0, one.start()) + 1
    return f"{one[0].decode()} on line {line}"
