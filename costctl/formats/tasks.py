"""How the content of a log becomes tasks: what one worker reads at once.

A task is a range of a plain file, a block of unpacked bytes, or rows that a document or table
parser has already split. Ranges end at line ends, so the cut into tasks depends on the file
alone and never on the number of workers.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

from costctl.formats.base import Record
from costctl.formats.sources import BLOCK_BYTES, LINE_BYTES_MAX, Source, content_blocks
from costctl.formats.unpack import MAGIC_BYTES, Trailing, Truncated, is_packed

TOO_LONG = f"line longer than {LINE_BYTES_MAX:,} bytes"
_NOT_BLANK = re.compile(rb"[^\s]")
ROWS_PER_TASK = 5000
# The last tasks of a file grow smaller, down to such a part of a block, so that no worker waits long for the other.
TAPER = 4


class Task(NamedTuple):
    """One piece of a file: a byte range, bytes, parsed rows, all of it, or a fault at one record."""

    path: str | None = None
    offset: int = 0
    length: int = 0
    data: bytes | None = None
    rows: list[tuple[int, Record]] | None = None
    is_whole: bool = False  # all of `path`, cut by the one who reads it
    fault: str | None = None  # one rejected record in place of content
    fault_is_line: bool = True


def line_tasks(source: Source) -> Iterator[Task]:
    """A file of lines as tasks, each ending at a line end."""
    with source.path.open("rb") as file:
        packed = is_packed(file.read(MAGIC_BYTES))
    yield from _streamed_tasks(source) if packed else _range_tasks(source)


def _range_tasks(source: Source) -> Iterator[Task]:
    size = source.path.stat().st_size
    name = str(source.path)
    with (
        source.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view,
    ):
        start = 0
        while start < size:
            end = start + _task_bytes(size - start)
            if end < size:
                newline = view.find(b"\n", end, min(end + LINE_BYTES_MAX, size))
                if newline < 0 and size - end > LINE_BYTES_MAX:
                    last = view.rfind(b"\n", start, end) + 1 or start
                    if last > start:
                        yield Task(name, start, last - start)
                    start = view.find(b"\n", end) + 1 or size
                    yield _long_line(view, name, last, start)
                    continue
                end = size if newline < 0 else newline + 1
            yield Task(name, start, end - start)
            start = end


def _task_bytes(remaining: int) -> int:
    """How much of the rest of a file the next task takes, before it goes on to the end of a line."""
    return min(BLOCK_BYTES, max(remaining // TAPER, BLOCK_BYTES // TAPER), remaining)


def _long_line(view: mmap.mmap, name: str, start: int, stop: int) -> Task:
    """A line beyond the limit; blanks before a record, or in place of one, do not count."""
    said = _NOT_BLANK.search(view, start, stop)
    first = said.start() if said else stop - 1  # a blank line still counts as a line
    is_too_long = stop - first > LINE_BYTES_MAX
    return Task(name, start, fault=TOO_LONG) if is_too_long else Task(name, first, stop - first)


def _streamed_tasks(source: Source) -> Iterator[Task]:
    """Decompressed bytes in blocks that end at line ends."""
    fault: str | None = None
    is_cut = False
    pending = bytearray()
    is_skipping = False  # inside a line that is too long to be kept
    blocks = content_blocks(source)
    while True:
        try:
            block = next(blocks, None)
        except Truncated as error:
            block, fault, is_cut = None, str(error), not isinstance(error, Trailing)
        if block is None:
            break
        if is_skipping:
            end = block.find(b"\n") + 1
            if not end:
                continue
            block, is_skipping = block[end:], False
        pending += block
        if len(pending) < BLOCK_BYTES:
            continue
        cut = pending.rfind(b"\n") + 1
        if cut:
            yield Task(data=bytes(pending[:cut]))
            del pending[:cut]
        if len(pending) > LINE_BYTES_MAX:
            pending = pending.lstrip()
        if len(pending) > LINE_BYTES_MAX:
            yield Task(fault=TOO_LONG)
            pending, is_skipping = bytearray(), True
    if is_cut:
        del pending[pending.rfind(b"\n") + 1 :]
    if pending:
        yield Task(data=bytes(pending))
    if fault:
        yield Task(fault=fault)
