"""Lines that hold a list of records each, as an API's pages or a queue's messages do: `{"records": [...]}`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from costctl.formats.base import UNREADABLE, LogFormat, Outcome, Record, unreadable
from costctl.formats.documents import records_of


def pieces_of(records: Sequence[Record]) -> list[Record]:
    """The records inside those that hold a list of them; a record that holds none is left out."""
    return [piece for record in records for piece in records_of(record) if piece is not record]


def contained(log_format: LogFormat) -> LogFormat:
    """The same format for lines that hold its records in lists; a record that stands by itself is read as well."""
    return replace(
        log_format,
        signature=partial(_holds_some, log_format.signature),
        unwrap=partial(_unwrapped, log_format),
        unfolds=True,
    )


def _holds_some(signature: Any, record: Record) -> bool:
    return any(signature(piece) for piece in records_of(record))


def _unwrapped(log_format: LogFormat, record: Record) -> list[Outcome]:
    found: list[Outcome] = []
    for piece in records_of(record):
        outcome = _one(log_format, piece)
        found += outcome if isinstance(outcome, list) else [outcome]
    return found


def _one(log_format: LogFormat, piece: Any) -> Outcome | list[Outcome]:
    if log_format.unwrap is None:
        return piece  # type: ignore[no-any-return]
    try:
        return log_format.unwrap(piece)
    except UNREADABLE:
        return unreadable(log_format)
