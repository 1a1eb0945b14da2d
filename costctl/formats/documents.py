"""JSON documents: their records, and of a cut one the whole records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from costctl.errors import InputError
from costctl.formats.sources import Source, Truncated, content_blocks
from costctl.formats.tasks import ROWS_PER_TASK, Task

DOCUMENT_BYTES_MAX = 2**30


def document_tasks(source: Source) -> Iterator[Task]:
    """The elements of a JSON document, numbered from 1; of a cut one, the whole elements."""
    content = _whole(source)
    try:
        document = orjson.loads(content)
        fault = None
    except orjson.JSONDecodeError as error:
        document, fault = _whole_elements(content), f"not valid JSON: {_reason(error)}"
        if fault and not document:
            yield Task(fault=fault, fault_is_line=False)
            return
    elements = records_of(document)
    for start in range(0, len(elements), ROWS_PER_TASK):
        batch = elements[start : start + ROWS_PER_TASK]
        yield Task(rows=[(start + position, element) for position, element in enumerate(batch, 1)])
    if fault:
        yield Task(fault=fault, fault_is_line=False)


def records_of(document: Any) -> list[Any]:
    """The records of a document: its elements, those of its one list, or itself."""
    if isinstance(document, list):
        return document
    # An answer of an embeddings model holds a list as well, and is one record.
    if isinstance(document, dict) and not {"usage", "model"} & document.keys():
        for key in ("data", "requests", "records", "logs", "items", "rows", "results", "entries", "calls"):
            inner = document.get(key)
            if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
                return inner
    return [document]


def _whole(source: Source) -> bytes:
    content = b""
    try:
        for block in content_blocks(source):
            content += block
            if len(content) > DOCUMENT_BYTES_MAX:
                raise InputError(
                    "E115",
                    f"{source.label}: a JSON document over 1 GiB",
                    "write it as JSONL, one record a line",
                )
    except Truncated:
        pass  # the document is then cut as well, which the parser says
    return content.removeprefix(b"\xef\xbb\xbf")


def _whole_elements(content: bytes) -> list[Any]:
    import json  # noqa: PLC0415  (only for a damaged document)

    text = content.decode("utf-8", "replace").lstrip()
    if not text.startswith("["):
        return []
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position = 1
    found: list[Any] = []
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            element, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return found
        found.append(element)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _reason(error: orjson.JSONDecodeError) -> str:
    return str(error).split(": line")[0].split(" (")[0]
