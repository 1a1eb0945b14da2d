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
_BEHIND_ONE = re.compile(r"[,\n]\s*(?=\{)")  # where another object may begin
CANDIDATES_MAX = 100_000
FAULTS_MAX = 100  # damaged elements of a list within an object, each of which takes another look at all of it
DAMAGED = "not valid JSON: a damaged element of a list; those around it are read"
NOT_READ = "what follows it was not read"
_FAULT = {"__fault__": DAMAGED}
_DIGITS_OF_64_BITS = 20
_SURROGATE = "\\ud"  # as JSON escapes one
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:]', re.DOTALL)


def document_tasks(source: Source) -> Iterator[Task]:
    """The elements of a JSON document, numbered from 1; of a damaged one the whole ones, and a fault for others."""
    content, behind = _whole(source)
    faults: list[str] = []
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        document, faults = _parts_of(content, _reason(error))
        if faults and not document:
            yield Task(fault=faults[0], fault_is_line=False)
            return
    elements = records_of(document)
    for start in range(0, len(elements), ROWS_PER_TASK):
        batch = elements[start : start + ROWS_PER_TASK]
        yield Task(rows=[(start + position, element) for position, element in enumerate(batch, 1)])
    for fault in (*faults, *filter(None, (behind,))):
        yield Task(fault=fault, fault_is_line=False)


def _parts_of(content: bytes, reason: str) -> tuple[Any, list[str]]:
    """What is whole of a text that is no document, and a fault for each other part that no element stands for."""
    text = content.decode("utf-8", "replace").lstrip()
    batches = _of_lines(content)
    if batches is not None:
        return batches, []
    if first_of_many(text):
        found, is_whole = _whole_elements(text, 0)
        return found, [] if is_whole else [f"not valid JSON: what follows {counted(len(found), 'whole record')}"]
    if not text.startswith("["):
        return _closed(text, f"not valid JSON: {reason}")
    found, is_whole = _whole_elements(text, 1)
    if is_whole and _FAULT in found:
        return found, []
    return found, [
        f"not valid JSON: {reason}" if is_whole or _FAULT not in found else "not valid JSON: the rest of the list"
    ]


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


def _closed(text: str, fault: str) -> tuple[Any, list[str]]:
    """A cut object, closed after the last whole element of a list of records; None where there is none.

    One that is damaged within is read without the element in which the damage lies, where what follows is sound then;
    else it is closed before the damage. With a fault for each part that is left out.
    """
    faults: list[str] = []
    while True:
        damage = _place_of_damage(text)
        before: tuple[int, list[tuple[str, str]]] | None = None
        behind: int | None = None
        for end, still_open in _whole_records(text):
            if damage is None or end <= damage:
                before = end, still_open
            elif before is not None and still_open == before[1]:
                behind = end
                break
        if before is None:
            return None, [fault]
        end, still_open = before
        if behind is not None and len(faults) < FAULTS_MAX:
            rest = text[:end] + text[behind:]
            further = _place_of_damage(rest)
            if further is None or further > end:  # what follows the damaged element is sound
                faults.append(DAMAGED)
                text = rest
                try:
                    return orjson.loads(text), faults
                except orjson.JSONDecodeError:
                    continue
        closing = "".join("}" if bracket == "{" else "]" for bracket, _ in reversed(still_open))
        try:
            return orjson.loads(text[:end] + closing), [*faults, fault if behind is None else f"{fault}; {NOT_READ}"]
        except orjson.JSONDecodeError:
            return None, [fault]


def _place_of_damage(text: str) -> int | None:
    """Where a text stops being JSON; None where it does not."""
    import json  # noqa: PLC0415  (only for a damaged document)

    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return error.pos
    except (ValueError, RecursionError):
        return None
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
    """The values that follow one another from a position on, and whether they reach to the end of their list or text.

    A damaged one is a fault in its place, where one like those before it follows.
    """
    import json  # noqa: PLC0415  (only for a damaged document)

    decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer)
    found: list[Any] = []
    names: set[str] = set()  # of the first element
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position == len(text) or (text[position] == "]" and not text[position + 1 :].strip()):
            return found, True
        start = position
        try:
            element, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            next_one = _next_alike(text, position, names, decoder)
            if next_one is None:
                return found, False
            element, position = _FAULT, next_one
        if _SURROGATE in text[start:position].lower() and not _is_text(element):
            element = _FAULT
        found.append(element)
        if not names and isinstance(element, dict) and element is not _FAULT:
            names = set(element)


def _integer(text: str) -> int | float:
    """A whole number as the parser of whole documents has it: beyond 64 bits it is a float.

    >>> _integer("-3"), _integer("100000000000000000000")
    (-3, 1e+20)
    """
    if len(text) > _DIGITS_OF_64_BITS or not -(2**63) <= int(text) < 2**64:
        return float(text)
    return int(text)


def _is_text(element: Any) -> bool:
    """Whether all of its text is text: half of a pair of surrogates stands for no character."""
    import json  # noqa: PLC0415  (only for a damaged document)

    try:
        json.dumps(element, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _next_alike(text: str, position: int, names: set[str], decoder: Any) -> int | None:
    """Where the next whole object with about the same members begins, between two commas or before the end of the list.

    Objects within the damaged one have other members, so they are not taken for its neighbours.
    """
    for _, found in zip(range(CANDIDATES_MAX), _BEHIND_ONE.finditer(text, position), strict=False):
        try:
            element, end = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            continue
        shared = names & set(element)
        if 2 * len(shared) > len(names | set(element)) and text[end:].lstrip()[:1] in {",", "]", "{", ""}:
            return found.end()
    return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _reason(error: orjson.JSONDecodeError) -> str:
    return str(error).split(": line")[0].split(" (")[0]
