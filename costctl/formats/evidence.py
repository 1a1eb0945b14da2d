"""Why a file was taken for a format: the few keys of one of its records that its signature needs.

They are found by trial on a record of the file itself: what can be left out without the signature failing is left out.
A value is shown only where another text in its place would not have been recognised, so it is a word of the format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from costctl.formats import generic
from costctl.formats.base import UNREADABLE, LogFormat, Path, Record
from costctl.formats.columns import raw_columns
from costctl.formats.detect import claims
from costctl.formats.generic import folded, written_path
from costctl.formats.propose import columns_of
from costctl.formats.sums import settled
from costctl.formats.usual import COLUMNS

DEPTH_MAX = 3
_WORD = re.compile(r"[\w.:/-]{1,40}", re.ASCII)
_OTHER_TEXT = "\u241a"  # a text that no format looks for


def evidence(log_format: LogFormat, records: Sequence[Record]) -> tuple[list[str], int]:
    """The keys that the signature rests on, and how many of the records are requests of this format."""
    claimed = [record for record in records if claims(log_format, record)]
    if log_format.columns is COLUMNS:
        return usual_columns(claimed), len(claimed)
    shown = claimed or [record for record in records if _holds(log_format.signature, record)]
    return list(_needed(shown[0], log_format.signature)) if shown else [], len(claimed)


def usual_columns(records: Sequence[Record]) -> list[str]:
    """The fields that are read by the usual names of their columns."""
    if not records:
        return []
    log_format = settled(generic.FORMAT, records)
    return sorted(raw_columns(records, log_format, {}).keys() - log_format.constants.keys())


def unread_columns(log_format: LogFormat, records: Sequence[Record]) -> list[str]:
    """The columns of these records, as a mapping names them, that no field of a generic format is read from."""
    read = {tuple(map(folded, path)) for paths in log_format.columns.values() for path in paths}
    return [
        written_path(path)
        for path, _ in columns_of(records)
        if not any(tuple(map(folded, path[: depth + 1])) in read for depth in range(len(path)))
    ]


def _holds(signature: Callable[[Record], bool], record: Record) -> bool:
    try:
        return bool(signature(record))
    except UNREADABLE:
        return False


def _needed(record: Record, signature: Callable[[Record], bool]) -> Iterator[str]:
    least = _least(record, lambda smaller: _holds(signature, smaller), DEPTH_MAX)
    for path, value in _paths(least, ()):
        name = written_path(path)
        is_word = isinstance(value, str) and _WORD.fullmatch(value) is not None
        if is_word and not _holds(signature, _with(least, path, _OTHER_TEXT)):
            yield f"{name} = {value}"
        else:
            yield name


def _least(value: Any, holds: Callable[[Any], bool], depth: int) -> Any:
    """The object with as few members as will do, from the last to the first, and their own members likewise."""
    if not isinstance(value, dict) or not depth:
        return value
    kept = dict(value)
    for key in reversed(list(value)):
        smaller = {name: inner for name, inner in kept.items() if name != key}
        if holds(smaller):
            kept = smaller
    for key in list(kept):
        kept[key] = _least(kept[key], lambda inner, key=key: holds({**kept, key: inner}), depth - 1)  # type: ignore[misc]
    return kept


def _paths(value: Record, above: Path) -> Iterator[tuple[Path, Any]]:
    for key, inner in value.items():
        path = (*above, str(key))
        if isinstance(inner, dict) and inner and len(path) < DEPTH_MAX:
            yield from _paths(inner, path)
        else:
            yield path, inner


def _with(record: Record, path: Path, value: Any) -> Record:
    key, *inner = path
    return {**record, key: _with(record[key], tuple(inner), value) if inner else value}
