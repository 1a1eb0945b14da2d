"""The text of server-sent events as records: one for each event, numbered by its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from costctl.formats.base import Record
from costctl.formats.sources import Source, content_blocks
from costctl.formats.sse import EVENT, is_sse
from costctl.formats.tasks import ROWS_PER_TASK, Task
from costctl.formats.unpack import Trailing, Truncated

BOM = b"\xef\xbb\xbf"
# A table or a text may begin as a stream does; its data do not.
_DATA = re.compile(rb"^data: ?(\{|\[DONE\])", re.MULTILINE)


def is_event_text(head: bytes) -> bool:
    """Whether a file is the text of a stream, by its first bytes."""
    return is_sse(head[:64].decode("utf-8", "replace")) and _DATA.search(head) is not None


def event_tasks(source: Source) -> Iterator[Task]:
    """The events of a file, a batch at a time; one that is no JSON is a fault of its own."""
    rows: list[tuple[int, Record]] = []
    number = 0
    pending = b""
    fault: str | None = None
    blocks = content_blocks(source)
    while True:
        try:
            block = next(blocks, None)
        except Truncated as error:
            fault = str(error)
            if not isinstance(error, Trailing):  # the last line is none then
                break
            block = None
        *lines, pending = (pending + block).split(b"\n") if block is not None else [pending, b""]
        for line in lines:
            number += 1
            event = _event(line)
            if event is not None:
                rows.append((number, event))
            if len(rows) >= ROWS_PER_TASK:
                yield Task(rows=rows)
                rows = []
        if block is None:
            break
    if fault:
        rows.append((number + 1, {"__fault__": fault}))
    if rows:
        yield Task(rows=rows)


def _event(line: bytes) -> Record | None:
    """The event of a line; None for a line that holds none."""
    line = line.removeprefix(BOM)
    data = line.removeprefix(b"data:").strip()
    if len(data) == len(line.strip()) or data in {b"", b"[DONE]"}:
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {"__fault__": "not valid JSON behind data:"}
    return {EVENT: value}
