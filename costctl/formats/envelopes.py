"""Records that others carry: the lines of a log shipper, recorded requests, answers of a search or of a query.

Nothing is known of what carries them but that it holds them at one place, under whatever names: as objects, in lists,
as JSON text (in base64 too), or as rows beside the names of their columns. A line with nothing of that kind at the
place is another record of the same log. The time of the line is that of a record which has none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from costctl.formats.base import UNREADABLE, Ignored, LogFormat, Outcome, Path, Record, Rejected, unreadable
from costctl.formats.conversation import opened
from costctl.formats.generic import take

EACH = "*"  # as a key of a place: every element of a list
STEPS_MAX, PLACES_MAX, LOOKED_AT = 6, 150, 3
_KEYS_MAX = 80  # an object with more is data, not the head of a message
_BASE64 = re.compile(r"eyJ[A-Za-z0-9+/]{20,}={0,2}$")  # what an object begins with
_TIMES = (
    "timestamp",
    "@timestamp",
    "time",
    "_time",
    "ts",
    "datetime",
    "date",
    "created_at",
    "eventTime",
    "TimeGenerated",
)
_OTHER = Ignored("another record of the log")


def opened_value(value: Any) -> Any:
    """What a value holds: the JSON of a text, the rows of a table, a pair of time and text; anything else as it is."""
    if isinstance(value, str):
        if _BASE64.match(value):
            try:
                value = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return value
        return opened(value)
    if isinstance(value, dict):
        return _rows_of(value)
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        return [_row(item) for item in value]
    return value


def _rows_of(table: Record) -> Any:
    """The rows of a query's answer, each under the names of its columns."""
    columns, rows = table.get("columns"), table.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return table
    names = [column.get("name") if isinstance(column, dict) else column for column in columns]
    return [dict(zip(names, row, strict=False)) for row in rows if isinstance(row, list)]


def _row(items: list[Any]) -> Any:
    """A row that is a list: fields with their values, or a time and a text."""
    if all(isinstance(item, dict) and {"field", "value"} <= item.keys() for item in items):
        return {item["field"]: item["value"] for item in items}
    if len(items) == 2 and all(isinstance(item, str) for item in items):
        return {"timestamp": items[0], "message": items[1]}
    return items


def carried(value: Any, place: Path, time: Any = None) -> Iterator[tuple[Any, Any]]:
    """What lies at a place of a record, each with the time of what carries it."""
    if not place:
        yield opened_value(value), time
        return
    value, (key, *rest) = opened_value(value), place
    if key == EACH:
        for item in value if isinstance(value, list) else ():
            yield from carried(item, tuple(rest), time)
    elif isinstance(value, dict) and key in value:
        own = next((value[name] for name in _TIMES if type(value.get(name)) in {str, int, float}), time)
        yield from carried(value[key], tuple(rest), own)


def places_of(records: Sequence[Record]) -> list[Path]:
    """Where records hold objects, the nearest places first."""
    found: dict[Path, None] = {}
    for record in records:
        level: list[tuple[Path, Any]] = [((), record)]
        for _ in range(STEPS_MAX):
            level = [inner for place, value in level for inner in _steps(place, opened_value(value))]
            found.update((place, None) for place, value in level if isinstance(opened_value(value), dict))
            if len(found) > PLACES_MAX:
                break
    return sorted(found, key=len)[:PLACES_MAX]


def _steps(place: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, list):
        for item in value[:LOOKED_AT]:
            yield (*place, EACH), item
    elif isinstance(value, dict) and len(value) <= _KEYS_MAX:
        for key, inner in value.items():
            if type(inner) in {dict, list, str}:
                yield (*place, key), inner


def is_plain(records: Sequence[Record], place: Path) -> bool:
    """Whether what lies at the place is an object of the record as it stands, without a text or a table to open.

    There names prove nothing: a mapping could name the place, and the elements of a list are often sums.
    """
    return any(_is_plain(record, place) for record in records)


def _is_plain(value: Any, place: Path) -> bool:
    if not place:
        return isinstance(value, dict)
    key, *rest = place
    if key == EACH:
        return isinstance(value, list) and any(_is_plain(item, tuple(rest)) for item in value)
    return isinstance(value, dict) and _is_plain(value.get(key), tuple(rest))


def enveloped(log_format: LogFormat, place: Path) -> LogFormat:
    """The same format for records that carry its own at a place."""
    return replace(
        log_format,
        signature=partial(_carries_one, log_format.signature, place),
        unwrap=partial(_unwrapped, log_format, place),
        unfolds=True,
    )


def _carries_one(signature: Callable[[Record], bool], place: Path, record: Record) -> bool:
    return any(isinstance(piece, dict) and signature(piece) for piece, _ in carried(record, place))


def _unwrapped(log_format: LogFormat, place: Path, record: Record) -> list[Outcome]:
    found: list[Outcome] = []
    for piece, time in carried(record, place):
        if isinstance(piece, dict) and log_format.signature(piece):
            found += (_timed(log_format, outcome, time) for outcome in _outcomes(log_format, piece))
        elif isinstance(piece, str) and piece.lstrip()[:1] == "{":
            found.append(Rejected("the JSON in it is cut or damaged"))
        else:
            found.append(_OTHER)
    return found or [_OTHER]


def _outcomes(log_format: LogFormat, piece: Record) -> list[Outcome]:
    try:
        outcome = piece if log_format.unwrap is None else log_format.unwrap(piece)
    except UNREADABLE:
        outcome = unreadable(log_format)
    return outcome if isinstance(outcome, list) else [outcome]


def _timed(log_format: LogFormat, outcome: Outcome, time: Any) -> Outcome:
    """A request with the time at which it was logged, where it has none."""
    if time is None or not isinstance(outcome, dict):
        return outcome
    if any(take(outcome, path) is not None for path in log_format.columns.get("started_at", ())):
        return outcome
    return outcome | {"started_at": time, "ts_basis": "logged"}
