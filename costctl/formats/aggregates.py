"""What all exports of sums share: rows that each stand for the requests of one bucket of time.

They are read for `audit` and for comparison with a log; they hold no single request. The same bucket may be exported
again when more of it is known: what names the bucket is its key, and the fuller row wins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from costctl.formats.base import Outcome, Record
from costctl.formats.placed import whole
from costctl.formats.values import NULLS, TOKENS_MAX

# What may be added up over requests; a bucket above the limit of one row is told in several.
_SUMMED = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "cache_read_outside_tokens", "cache_write_outside_tokens", "reasoning_tokens",
    "input_audio_tokens", "cache_read_audio_tokens", "output_audio_tokens", "input_image_tokens",
    "output_image_tokens", "web_searches", "aggregate_request_count",
)  # fmt: skip


def bucket(found: Record, row: Mapping[str, Any], measures: Collection[str]) -> list[Outcome]:
    """The row of a bucket, in as many pieces as its counts need.

    `row` as the export has it: all of it but `measures` names the bucket.
    """
    named = {name: value for name, value in row.items() if name not in measures}
    digest = hashlib.sha256(orjson.dumps(named, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()[:32]
    found = {name: value for name, value in found.items() if not _is_nothing(value)}
    found.update(is_aggregate=True, dedupe_key=digest, usage_source="provider")
    counts = {name: count(found[name]) for name in _SUMMED if name in found}
    found.update(counts)
    largest = max((value for value in counts.values() if isinstance(value, int)), default=0)
    pieces = -(-largest // TOKENS_MAX) or 1
    if pieces == 1:
        return [found]
    return [_piece(found, counts, number, pieces) for number in range(pieces)]


def _piece(found: Record, counts: Record, number: int, pieces: int) -> Outcome:
    """One of equal pieces, of which the first ones have what does not divide; the cost stands with the first."""
    shares = {
        name: value // pieces + (number < value % pieces) for name, value in counts.items() if isinstance(value, int)
    }
    piece = found | shares | {"dedupe_key": f"{found['dedupe_key']}#{number}"}
    if number:
        piece.pop("logged_cost", None)
    return piece


def count(value: Any) -> Any:
    """A count that may be text with commas or decimals, as consoles write it.

    >>> count("1,234,567"), count("3.0"), count("n/a")
    (1234567, 3, None)
    """
    if isinstance(value, str):
        text = value.strip().replace(",", "")
        head, _, tail = text.partition(".")
        if text.lower() in NULLS:
            return None
        if head.isdecimal() and not tail.strip("0"):
            return int(head)
    return whole(value)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in NULLS)


def flag(value: Any) -> bool | None:
    """A boolean as APIs and consoles write it.

    >>> flag("True"), flag(False), flag("")
    (True, False, None)
    """
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).strip().lower())
