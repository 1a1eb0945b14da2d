"""Dates of a table written by day and month, 3/13/2026 or 13/3/2026: the whole table tells which, or nothing does."""

from __future__ import annotations

import re
from pathlib import Path

from costctl.errors import InputError
from costctl.formats.detect import shape_of
from costctl.formats.sources import Source, content_blocks, head_of
from costctl.formats.unpack import Trailing, Truncated

MONTHS = 12
# A field that begins with such a date, which a time may follow.
_DATE = re.compile(rb'(?:(?<=[,;\t|"\n])|^)(\d{1,2})/(\d{1,2})/(\d{4})(?=[,;\t|"\r\n T]|$)')


def with_iso_dates(source: Source, spool: Path) -> Source:
    """The file itself, or a copy whose dates by day and month are written by year, month and day.

    Raises:
        InputError: E194 where nothing in the table tells the month from the day, or two dates contradict each other.
    """
    head = head_of(source)
    if head.startswith(b"PAR1") or not _DATE.search(head) or shape_of(source) != "table":
        return source
    content = _content(source)
    found = list(_DATE.finditer(content))
    # One number above 12 anywhere decides for all.
    day_first = next((one for one in found if int(one[1]) > MONTHS), None)
    month_first = next((one for one in found if int(one[2]) > MONTHS), None)
    if day_first and month_first:
        said = f"{_told(month_first, content)} has the month first and {_told(day_first, content)} the day"
        raise InputError("E194", f"{source.label}: {said}", "write all dates as 2026-03-13")
    doubtful = next((one for one in found if int(one[1]) != int(one[2])), None)
    if doubtful and not day_first and not month_first:
        said = f"{_told(doubtful, content)} and all others may be month/day or day/month: no number tells"
        raise InputError("E194", f"{source.label}: {said}", "write the dates as 2026-03-13, or export more days")
    month, day = (2, 1) if day_first else (1, 2)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = spool / f"dates-{len(list(spool.glob('dates-*')))}.csv"
    target.write_bytes(_DATE.sub(lambda one: b"%b-%b-%b" % (one[3], one[month].zfill(2), one[day].zfill(2)), content))
    return source._replace(path=target)


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
