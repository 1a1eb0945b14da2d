"""Which format a file has, from its first bytes and records."""

from __future__ import annotations

import io
import itertools
import re
from difflib import get_close_matches
from shlex import quote
from typing import Any, Literal

import orjson

from costctl.errors import CostctlError, InputError
from costctl.formats import generic, sums
from costctl.formats.base import UNREADABLE, Ignored, LogFormat, Path, Record
from costctl.formats.binary import is_binary, not_text
from costctl.formats.contained import contained, pieces_of
from costctl.formats.databases import database_rows, is_database
from costctl.formats.documents import document_tasks, first_of_many, holds_whole_record, records_of
from costctl.formats.envelopes import carried, enveloped, is_plain, places_of
from costctl.formats.events import event_tasks, is_event_text
from costctl.formats.generic import leaves, written_path
from costctl.formats.registry import FORMATS
from costctl.formats.sources import LINE_BYTES_MAX, Source, behind_long_lines, head_of, plain_name
from costctl.formats.tables import ANSI, delimiter_of, is_utf8, parquet_frame, sampled_rows
from costctl.report import counted

SAMPLE_RECORDS = 200
CARRIERS = 20  # records in which a place is looked for that holds others
_OF_A_CALL = re.compile(rb"oken|usage|model|eyJ", re.IGNORECASE)  # one of these is in all that tells of a call
KEYS_SHOWN = 12
_PLAIN_KEY = re.compile(r"[^\W\d][\w -]{0,39}")
LINES_TRIED, VALUES_MIN = 20, 2
# What is the name of no column: a number, a day, a time.
_VALUE = re.compile(r"[-+]?[\d.,]*\d|\d{4}-\d\d-\d\d([T ].*)?|\d{1,2}/\d{1,2}/\d{4}.*")
NAME_CHARS_MAX = 60  # a longer name is a line of text, which may hold a prompt and is not shown
_NO_NAME = frozenset("{}'\"")
_READS = "costctl reads JSONL, JSON, CSV, Parquet and captured streams"
_OF_VLLM = re.compile(rb"SamplingParams\(|\[(?:async_)?(?:logger|loggers|llm|llm_engine|metrics)\.py:\d+\]")
Shape = Literal["lines", "document", "table", "database", "events"]


def shape_of(source: Source) -> Shape:
    """Lines of JSON, one JSON document, a table, a database, or the text of a stream of events."""
    return _shape(source, head_of(source))


def _shape(source: Source, head: bytes) -> Shape:
    if head.startswith(b"PAR1"):
        return "table"
    if is_database(head):
        return "database"
    text = head.lstrip()
    if is_event_text(text):
        return "events"
    first = text.split(b"\n", 1)[0].strip()
    if text.startswith((b"{", b"[")):
        return "lines" if _is_json_line(first, text) else "document"
    if plain_name(source.path).endswith((".csv", ".tsv")):
        return "table"
    # A prompt in a table may hold a brace, and lines of text may stand before lines of JSON.
    has_json = any(_record(line) is not None for line in text.split(b"\n", SAMPLE_RECORDS)[:SAMPLE_RECORDS])
    return "lines" if has_json or delimiter_of(head) not in first.decode("utf-8", "replace") else "table"


def _is_json_line(first: bytes, text: bytes) -> bool:
    """Whether the first line is a record of its own rather than the start of a document."""
    try:
        value = orjson.loads(first)
    except orjson.JSONDecodeError:
        # A broken first line of a JSONL file: most of the next ones are then objects of their own.
        others = [line for line in text.split(b"\n")[1:20] if line.strip()]
        if not others and _is_cut_document(first.decode("utf-8", "replace")):
            return False
        found = sum(_record(line) is not None for line in others)
        return found * 2 > len(others) if others else first.startswith(b"{")
    if isinstance(value, dict):
        return not _is_only_line(first, text) or records_of(value)[0] is value
    return not (isinstance(value, list) and value and isinstance(value[0], dict))


def _is_cut_document(line: str) -> bool:
    """Whether a line that is no JSON holds whole records: documents without line ends, or a cut list of records."""
    return first_of_many(line) or (line.startswith("{") and holds_whole_record(line))


def _is_only_line(first: bytes, text: bytes) -> bool:
    return not text[text.index(first) + len(first) :].strip()


def recognise(source: Source, forced: LogFormat | None = None) -> LogFormat:
    """The format of a file.

    Raises:
        InputError: E121 when no sampled record is a request.
    """
    head = head_of(source)
    records = _sample(source, head)
    if forced is not None:
        return sums.settled(_fitting(forced, records), records)
    found = _claimant(records)
    strange = [record for record in records if found is None or not claims(found, record)]
    inside = _claimant(pieces_of(strange))
    if inside is not None and inside.resolve is None:
        held = sum(any(claims(inside, piece) for piece in pieces_of([record])) for record in strange)
        if found is None or held > sum(claims(found, record) for record in records):
            return contained(inside)
    if found is not None:
        return found
    # What a format knows and counts for no request is none of another kind either, whatever its names are.
    idle = next((item for item in FORMATS if item is not generic.FORMAT and _is_idle(item, records)), None)
    if idle is not None:
        return idle
    # Usual names are looked for last: that takes longer than all signatures.
    has_usual_names = any(claims(generic.FORMAT, record) for record in records)
    if not has_usual_names or not any(generic.is_counted(record) for record in records):
        carrying = carried_format(records)
        if carrying is not None:
            return enveloped(*carrying)
    if has_usual_names:
        return sums.settled(generic.FORMAT, records)
    # A transcript in which nobody has answered yet holds rows of its format and no request.
    for item in FORMATS:
        if item.unwrap is not None and any(map(item.signature, records)):
            return item
    raise _unrecognised(source, records, head)


def _claimant(records: list[Record]) -> LogFormat | None:
    """The first format that takes at least half as many of the records for its own as the one that takes most."""
    scores = [(sum(claims(item, record) for record in records), item) for item in FORMATS if item is not generic.FORMAT]
    best = max(score for score, _ in scores)
    return next((item for score, item in scores if score and score >= best / 2), None)


def carried_format(records: list[Record]) -> tuple[LogFormat, Path] | None:
    """The format of records that others carry, and where these lie: the nearest place that has most of them."""
    best: tuple[int, LogFormat, Path] | None = None
    looked_at = _telling(records)
    for place in places_of(looked_at):
        held = (piece for record in looked_at for piece, _ in carried(record, place) if isinstance(piece, dict))
        pieces = list(itertools.islice(held, CARRIERS))
        found = _claimant(pieces) if pieces else None
        if found is None and not is_plain(looked_at, place) and any(map(generic.is_whole, pieces)):
            found = generic.FORMAT
        if found is not None and found.resolve is None:
            score = sum(claims(found, piece) for piece in pieces)
            if best is None or score > 2 * best[0]:
                best = score, found, place
    return None if best is None else best[1:]


def _telling(records: list[Record]) -> list[Record]:
    """The first records that may tell of a call, whatever holds it."""
    texts = ((record, orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS)) for record in records)
    return list(itertools.islice((record for record, text in texts if _OF_A_CALL.search(text)), CARRIERS))


def carried_records(records: list[Record]) -> list[Record]:
    """The records that others carry, where they do."""
    held = carried_format(records)
    pieces = [piece for record in records for piece, _ in carried(record, held[1])] if held else []
    return [piece for piece in pieces if isinstance(piece, dict)]


def _fitting(log_format: LogFormat, records: list[Record]) -> LogFormat:
    """The format, for lists of its records where the file holds these."""
    if log_format.resolve is not None or any(claims(log_format, record) for record in records):
        return log_format
    if any(claims(log_format, piece) for piece in pieces_of(records)):
        return contained(log_format)
    for place in places_of(_telling(records)):
        pieces = (piece for record in records for piece, _ in carried(record, place))
        if any(isinstance(piece, dict) and claims(log_format, piece) for piece in pieces):
            return enveloped(log_format, place)
    return log_format


def claims(log_format: LogFormat, record: Record) -> bool:
    """Whether a format takes the record for a request of its own (or for several)."""
    if not log_format.signature(record):
        return False
    pieces = _pieces(log_format, record)
    return pieces != [None] and not all(isinstance(piece, Ignored) for piece in pieces)


def _is_idle(log_format: LogFormat, records: list[Record]) -> bool:
    """Whether all records are understood by a format and no requests by it."""
    return bool(records) and all(
        log_format.signature(record) and all(isinstance(piece, Ignored) for piece in _pieces(log_format, record))
        for record in records
    )


def _pieces(log_format: LogFormat, record: Record) -> list[Any]:
    """What a format makes of a record; a refusal where it cannot read it."""
    try:
        outcome = record if log_format.unwrap is None else log_format.unwrap(record)
    except UNREADABLE:
        return [None]
    return outcome if isinstance(outcome, list) else [outcome]


def _unrecognised(source: Source, records: list[Record], head: bytes) -> InputError:
    if is_binary(head):
        return not_text(source.label, head)
    lines = head.count(b"\n") + (not head.endswith(b"\n"))
    if _OF_VLLM.search(head):
        return InputError(
            "E121",
            f"{source.label} is vLLM's own log, which counts no tokens of a request",
            "log the bodies of its answers, put a gateway in front, or start it with --otlp-traces-endpoint",
        )
    remedy = _nearly_lines(source, head) or (
        _without_header(source, records) if _shape(source, head) == "table" else None
    )
    if remedy is not None:
        return InputError("E121", f"{source.label}: {remedy[0]}", remedy[1])
    if not records:
        return InputError(
            "E121",
            f"{source.label}: no line is a record we can read{_why_not(head)}",
            f"{counted(lines, 'line', 'lines')} looked at; {_READS}",
        )
    names = sorted(map(str, records[0]))
    if any(len(name) > NAME_CHARS_MAX or not _NO_NAME.isdisjoint(name) for name in names):
        return InputError("E121", f"{source.label}: its first line is no header, and no line is JSON", _READS)
    keys = f"{source.label} has records but none is a request; the first one's keys: {_keys_of(records[0])}"
    command = not_utf8(source)
    if command is not None:
        return InputError("E121", f"{keys}; it is not UTF-8", f"convert it: {command}, then costctl formats check")
    return InputError(
        "E121", keys,
        _mapping_hint(source, records),
    )  # fmt: skip


def _nearly_lines(source: Source, head: bytes) -> tuple[str, str] | None:
    """What stands before or behind the JSON of the first lines, and the command that takes it away."""
    lines = [line.strip() for line in head.split(b"\n")[:LINES_TRIED] if line.strip()]
    if head.endswith(b"\n") is False and len(lines) > 1:
        lines.pop()  # it may be cut
    file, written = quote(source.label), quote(f"lines-{source.path.name}")
    for said, found, expression in (
        ("a comma stands behind the JSON of its lines", _without_comma, r"s/,[[:space:]]*$//"),
        ("a text stands before the JSON of its lines", _without_prefix, r"s/^[^{]*//"),
    ):
        if lines and sum(_record(found(line)) is not None for line in lines) * 2 > len(lines):
            return said, f"take it away: sed '{expression}' {file} > {written}"
    return None


def _without_comma(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b",") else b""


def _without_prefix(line: bytes) -> bytes:
    start = line.find(b"{")
    return line[start:] if start > 0 else b""


def _without_header(source: Source, records: list[Record]) -> tuple[str, str] | None:
    """That the first line of a table is data; its values, which may be texts, are not shown."""
    if sum(_VALUE.fullmatch(str(name)) is not None for record in records[:1] for name in record) < VALUES_MIN:
        return None
    command = f"(echo time,model,input_tokens,output_tokens; cat {quote(source.label)})"
    said = "its first line is data, not the names of the columns"
    return said, f"write the names above it, such as: {command} > {quote(f'named-{source.path.name}')}"


def _keys_of(record: Record) -> str:
    """The columns of a record as --map names them, a few of them; within objects no key that may be a value."""
    paths = [path for path, _ in leaves(dict(sorted(record.items())))
             if all(_PLAIN_KEY.fullmatch(key) for key in path[1:])]  # fmt: skip
    more = f" and {len(paths) - KEYS_SHOWN:,} more" if len(paths) > KEYS_SHOWN else ""
    return ", ".join(map(written_path, paths[:KEYS_SHOWN])) + more


def _why_not(head: bytes) -> str:
    """What is wrong with the first line where it begins as JSON does; nothing of its text."""
    first = head.lstrip().partition(b"\n")[0]
    if not first.startswith((b"{", b"[")):
        return ""
    if len(first) >= LINE_BYTES_MAX:
        return f"; the first one is longer than {LINE_BYTES_MAX:,} bytes"
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError as error:
        said = error.msg.lower()
        if "utf-8" in said:
            return "; the first one is not valid UTF-8"
        if "depth" in said or "recursion" in said:
            return "; the first one is nested too deeply"
        if said.startswith("unexpected end"):
            return "; the first one ends before its record does: the file may have been cut"
        return f"; the first one is not valid JSON at column {error.colno}"
    return ""


def _mapping_hint(source: Source, records: list[Record]) -> str:
    """What to put behind --map, where the columns let it be guessed."""
    from costctl.formats.propose import CORE, is_enough, propose  # noqa: PLC0415  (heavy, and few files need it)

    guesses = propose(records)
    if not is_enough(guesses):
        return "map the columns: --map request_model=... --map input_tokens=... --map output_tokens=..."
    said = [f"--map {quote(f'{guess.field}={written_path(guess.path)}')}" for guess in guesses if guess.field in CORE]
    check = f"costctl formats check {quote(source.label)}"
    return f"perhaps {' '.join(said)}; the whole proposal, and what of it is unsure: {check}"


def sample_of(source: Source) -> list[Record]:
    """The first records of a file, of which its format is told.

    Raises:
        InputError: for a file that is empty, packed in another way, or damaged at its begin.
    """
    return _sample(source, head_of(source))


def _sample(source: Source, head: bytes) -> list[Record]:
    shape = _shape(source, head)
    if shape == "lines":
        return _records(head) if b"\n" in head else _records(head) or _records(behind_long_lines(source))
    if shape == "document":
        task = next(document_tasks(source), None)
        rows = [row for _, row in (task.rows or [])] if task else []
        return [row for row in rows[:SAMPLE_RECORDS] if isinstance(row, dict) and "__fault__" not in row]
    if shape == "events":
        events = (row for task in event_tasks(source) for _, row in task.rows or ())
        return [row for row in itertools.islice(events, SAMPLE_RECORDS) if "__fault__" not in row]
    if shape == "database":
        return list(database_rows(source, SAMPLE_RECORDS))
    if head.startswith(b"PAR1"):
        return parquet_frame(source, SAMPLE_RECORDS).to_dicts()
    text = head.decode("utf-8" if is_utf8(head) else ANSI, "replace")
    return sampled_rows(io.StringIO(text, newline=""), delimiter_of(head), SAMPLE_RECORDS)


def not_utf8(source: Source) -> str | None:
    """The command that writes a table in UTF-8; None where it is in UTF-8, or no table that can be looked at."""
    try:
        head = head_of(source)
        if _shape(source, head) != "table" or is_binary(head) or head.startswith(b"PAR1") or is_utf8(head):
            return None
    except InputError:
        return None
    name = source.path.name
    return f"iconv -f {ANSI} -t utf-8 {quote(source.label)} > {quote(f'utf8-{name}')}"


def _records(head: bytes) -> list[Record]:
    return [record for record in map(_record, head.split(b"\n")[:SAMPLE_RECORDS]) if record is not None]


def _record(line: bytes) -> Record | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def format_named(name: str) -> LogFormat:
    """The format of that name, for --log-format.

    Raises:
        CostctlError: E122 with the nearest name.
    """
    for item in FORMATS:
        if item.name == name:
            return item
    names = [item.name for item in FORMATS]
    near = get_close_matches(name, names, n=1, cutoff=0.7)
    raise CostctlError(
        "E122",
        f"unknown log format: {name}",
        f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}",
    )
