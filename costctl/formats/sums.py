"""Rows of a log of usual names that are sums over requests: a column of them counts the requests of each row.

Read as one request each, the sums of a day would be priced as one prompt of that size. Where the values leave no doubt
the rows are taken as sums; else the column is named, with what to put behind --map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from costctl.formats.base import LogFormat, Path, Record
from costctl.formats.generic import FORMAT, is_counted, leaves, take

FIELD = "aggregate_request_count"
LOOKED_AT = 20  # records whose names are looked at first
BUCKET_MINUTES = 15  # sums begin at these minutes of the hour
_NAMED = re.compile(r"request|call|llamada|peticion|solicitud|anfrage|requete|petici.n|requ.te", re.IGNORECASE)
# What is known of one request only; a sum has none of it.
_OF_ONE = frozenset({
    "request_id", "trace_id", "session_id", "attempt", "latency_ms", "latency_s", "latency", "time_to_first_token_ms",
    "time_to_first_token_s", "stream", "temperature", "max_output_tokens", "response_format", "finish_reason",
    "http_status", "messages", "system", "response_text", "embedding", "prompt_sha256", "prefix_blocks",
    "replay_offset_ms", "is_fallback", "propensity",
})  # fmt: skip


def settled(log_format: LogFormat, records: Sequence[Record]) -> LogFormat:
    """The format, for sums where a column of these records counts requests beyond doubt."""
    found = counting_columns(log_format, records)
    if len(found) != 1 or not _are_surely_sums(log_format, records, found[0]):
        return log_format
    columns = {**log_format.columns, FIELD: (found[0],)}
    return replace(log_format, columns=columns, constants={**log_format.constants, "is_aggregate": True})


def doubtful(log_format: LogFormat, records: Sequence[Record]) -> Path | None:
    """The column that seems to count requests, where the rows are read as one request each nevertheless."""
    found = counting_columns(log_format, records)
    return found[0] if found and settled(log_format, records) is log_format else None


def counting_columns(log_format: LogFormat, records: Sequence[Record]) -> list[Path]:
    """Columns that by name and values count the requests of a row, of several in some; the likeliest first.

    None where the user has named one, or said that there is none.
    """
    if log_format.name != FORMAT.name or log_format.columns[FIELD]:
        return []
    if not any(_NAMED.search(path[-1]) for record in islice(records, LOOKED_AT) for path, _ in leaves(record)):
        return []
    from costctl.formats.looks import LOOKS, score_of  # noqa: PLC0415  (heavy, and few files need it)
    from costctl.formats.propose import columns_of  # noqa: PLC0415

    named = {path for name, paths in log_format.columns.items() if name != "tool_calls" for path in paths}
    rows = [record for record in records if _is_row(log_format, record)]
    columns = [(path, values) for path, values in columns_of(rows) if path not in named and _NAMED.search(path[-1])]
    scores: dict[Path, int] = {}
    for path, values in columns:
        read = _whole(values)
        if any(count is not None and count > 1 for count in read):
            shown = [value if count is None else count for value, count in zip(values, read, strict=True)]
            scores[path] = max(score_of(look, path, shown) for look in LOOKS if look.field == FIELD)
    return sorted((path for path, score in scores.items() if score > 1), key=lambda path: -scores[path])


def _is_row(log_format: LogFormat, record: Record) -> bool:
    """Whether it is read as a request: with a mapping, anything is."""
    return log_format.signature is not FORMAT.signature or is_counted(record)


def _are_surely_sums(log_format: LogFormat, records: Sequence[Record], path: Path) -> bool:
    """Whether each row counts its requests, has as many tokens at least, begins a bucket, and says nothing of one."""
    from costctl.formats.columns import raw_columns  # noqa: PLC0415

    rows = [record for record in records if _is_row(log_format, record)]
    found = raw_columns(rows, log_format, {})
    requests = _whole([take(row, path) for row in rows])
    return (
        _OF_ONE.isdisjoint(found)
        and all(count is not None for count in requests)
        and all(
            count <= max(tokens, default=0)
            for count, tokens in zip(requests, _tokens(found, len(rows)), strict=True)
            if count is not None
        )
        and _are_buckets(found.get("started_at", []))
    )


def _tokens(found: Mapping[str, list[Any]], size: int) -> list[list[int]]:
    columns = [_whole(found[name]) for name in ("input_tokens", "output_tokens") if name in found]
    return [[column[row] or 0 for column in columns] for row in range(size)]


def _whole(values: Sequence[Any]) -> list[int | None]:
    from costctl.formats.convert import counts  # noqa: PLC0415  (brings in Polars)

    read, _ = counts("requests", [None if isinstance(value, list | dict | bool) else value for value in values])
    return read.to_list()


def _are_buckets(values: Sequence[Any]) -> bool:
    """Whether all times that there are begin a day, an hour or a quarter of one."""
    from costctl.formats.instants import any_day, instants  # noqa: PLC0415

    read, bad = instants("started_at", list(map(any_day, values)))
    return not bad and all(
        one.minute % BUCKET_MINUTES == 0 and not one.second and not one.microsecond for one in read if one is not None
    )
