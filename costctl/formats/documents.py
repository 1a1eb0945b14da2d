"""JSON documents: their records, and of a cut one the whole records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from costctl.errors import InputError
from costctl.formats.sources import Source, content_blocks
from costctl.formats.tasks import ROWS_PER_TASK, Task
from costctl.formats.unpack import Trailing, Truncated
from costctl.report import counted

DOCUMENT_BYTES_MAX = 2**30
RECORD_LISTS = ("data", "requests", "records", "logs", "items", "rows", "results", "result", "entries", "calls")
# Lists inside the elements of others; their own elements are whole even where the outer one is cut.
INNER_LISTS = frozenset(
    {"resourceSpans", "resource_spans", "scopeSpans", "scope_spans", "spans", "resourceLogs", "scopeLogs", "logRecords",
     "resource_logs", "scope_logs", "log_records", "instrumentationLibrarySpans", "observations", "results"}
)  # fmt: skip
# Lists of records that a cut document may break off in; `messages` are records of a session only, else parts of one.
_OUTER_LISTS = frozenset(
    {
        *RECORD_LISTS,
        "runs",
        "post",
        "patch",
        "traces",
        "events",
        "logEvents",
        "hits",
        "tables",
        "batch",
        "batches",
        "value",
    }
)
_OF_A_SESSION = frozenset({"sessionId", "projectHash", "info"})
_ROWS_OF = {"rows": "tables", "values": "result"}  # lists of lists, and the list that holds them: Log Analytics, Loki
_OF_A_RECORD = frozenset({"usage", "model", "request", "response"})
# Possessive, as a giant string is passed in one step then, and one that never ends is given up at once.
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:]', re.DOTALL)


def document_tasks(source: Source) -> Iterator[Task]:
    """The elements of a JSON document, numbered from 1; of a cut one, the whole elements."""
    content, behind = _whole(source)
    try:
        document = orjson.loads(content)
        fault = None
    except orjson.JSONDecodeError as error:
        text = content.decode("utf-8", "replace").lstrip()
        batches = _of_lines(content)
        if batches is not None:
            document, fault = batches, None
        elif first_of_many(text):
            document, is_whole = _whole_elements(text, 0)
            fault = None if is_whole else f"not valid JSON: what follows {counted(len(document), 'whole record')}"
        else:
            document, fault = _whole_part(text), f"not valid JSON: {_reason(error)}"
        if fault and not document:
            yield Task(fault=fault, fault_is_line=False)
            return
    elements = records_of(document)
    for start in range(0, len(elements), ROWS_PER_TASK):
        batch = elements[start : start + ROWS_PER_TASK]
        yield Task(rows=[(start + position, element) for position, element in enumerate(batch, 1)])
    for said in filter(None, (fault, behind)):
        yield Task(fault=said, fault_is_line=False)


def records_of(document: Any) -> list[Any]:
    """The records of a document: its elements, those of its one list, or itself."""
    if isinstance(document, list):
        return document
    # An answer of an embeddings model holds a list as well, and is one record; so is a call with a list beside it.
    if isinstance(document, dict) and _OF_A_RECORD.isdisjoint(document):
        for key in RECORD_LISTS:
            inner = document.get(key)
            if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
                return inner
    return [document]


def _whole(source: Source) -> tuple[bytes, str | None]:
    """The content of a document, and what is to say of bytes behind a packed one."""
    content = b""
    behind = None
    try:
        for block in content_blocks(source):
            content += block
            if len(content) > DOCUMENT_BYTES_MAX:
                raise InputError(
                    "E115",
                    f"{source.label}: a JSON document over 1 GiB",
                    "write it as JSONL, one record a line",
                )
    except Trailing as error:
        behind = str(error)
    except Truncated:
        pass  # the document is then cut as well, which the parser says
    return content.removeprefix(b"\xef\xbb\xbf"), behind


def _of_lines(content: bytes) -> list[Any] | None:
    """The elements of lists, of which each line is one; None where a line is none."""
    found: list[Any] = []
    for line in content.split(b"\n"):
        try:
            value = orjson.loads(line) if line.strip() else []
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, list):
            return None
        found += value
    return found


def _whole_part(text: str) -> Any:
    """What is whole of a damaged document: elements of its list, or itself closed after the last one."""
    return _whole_elements(text, 1)[0] if text.startswith("[") else _closed(text)


def first_of_many(text: str) -> bool:
    """Whether a text begins with a whole object behind which another one begins."""
    import json  # noqa: PLC0415  (only for what is no JSON as a whole)

    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return text[end:].lstrip().startswith("{")


def holds_whole_record(text: str) -> bool:
    """Whether a cut object holds a list of records with a whole one in it."""
    return next(_whole_records(text), None) is not None


def _closed(text: str) -> Any:
    """A cut object, closed after the last whole element of a list of records; None where there is none."""
    whole = None
    for whole in _whole_records(text):  # noqa: B007  (the last one is wanted)
        pass
    if whole is None:
        return None
    end, still_open = whole
    closing = "".join("}" if bracket == "{" else "]" for bracket, _ in reversed(still_open))
    try:
        return orjson.loads(text[:end] + closing)
    except orjson.JSONDecodeError:  # damaged before, not cut
        return None


def _whole_records(text: str) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Where each whole element of a list of records ends, and what is open there: brackets and the keys of each."""
    brackets: list[tuple[str, str]] = []
    key = text_before = ""
    names: set[str] = set()  # of the members of the document
    for found in _TOKENS.finditer(text):
        sign = found[0]
        if sign == ":":
            key = text_before
            if len(brackets) == 1:
                names.add(key)
        elif sign in {"{", "["}:
            brackets.append((sign, key))
            key = ""
        elif sign in {"}", "]"}:
            if not brackets:
                break
            brackets.pop()
            if brackets and _holds_records(brackets, names):
                yield found.end(), list(brackets)
        else:
            text_before = sign[1:-1]


def _holds_records(brackets: list[tuple[str, str]], names: set[str]) -> bool:
    """Whether the innermost open bracket is a list of records."""
    *outer, (bracket, key) = brackets
    if bracket != "[":
        return False
    lists = [name for kind, name in outer if kind == "["]
    if not lists:
        is_known = key in _OUTER_LISTS or key in INNER_LISTS
        is_session = key == "messages" and not _OF_A_SESSION.isdisjoint(names)
        return (is_known or is_session) and _OF_A_RECORD.isdisjoint(names)
    is_known = key in INNER_LISTS or _ROWS_OF.get(key) == lists[-1]
    return is_known and all(name in INNER_LISTS or name in _OUTER_LISTS for name in lists)


def _whole_elements(text: str, position: int) -> tuple[list[Any], bool]:
    """The values that follow one another from a position on, and whether they reach to the end."""
    import json  # noqa: PLC0415  (only for a damaged document)

    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    found: list[Any] = []
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position == len(text):
            return found, True
        try:
            element, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return found, False
        found.append(element)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _reason(error: orjson.JSONDecodeError) -> str:
    return str(error).split(": line")[0].split(" (")[0]
