"""Raw columns as columns of their types, a chunk at a time, while a core's cache still holds the values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from costctl.formats import convert
from costctl.formats.blocks import block_lists
from costctl.formats.instants import instants, times
from costctl.request import COLUMNS

POLARS: Mapping[str, Any] = {
    "VARCHAR": pl.String, "BIGINT": pl.Int64, "INTEGER": pl.Int64, "DOUBLE": pl.Float64,
    "DURATION": pl.Float64, "OFFSET": pl.Int64, "UBIGINT": pl.UInt64,
    "BOOLEAN": pl.Boolean, "TIMESTAMP": pl.Datetime("us"), "DECIMAL(18,12)": pl.String,
    "BIGINT[]": pl.List(pl.Int64),
}  # fmt: skip
CONVERT: Mapping[str, Callable[[str, Sequence[Any]], convert.Converted]] = {
    "VARCHAR": convert.texts, "BIGINT": convert.tokens, "INTEGER": convert.counts, "DOUBLE": convert.numbers,
    "BOOLEAN": convert.booleans, "TIMESTAMP": instants, "DECIMAL(18,12)": convert.decimals,
    "DURATION": convert.durations, "OFFSET": convert.offsets, "BIGINT[]": block_lists,
}  # fmt: skip
_EXTRA: Mapping[str, str] = {
    "ended_at": "TIMESTAMP", "first_token_at": "TIMESTAMP", "latency_s": "DOUBLE",
    "time_to_first_token_s": "DOUBLE", "latency": "DURATION",
    "reasoning_outside_tokens": "BIGINT", "input_tokens": "BIGINT", "cache_write_tokens": "BIGINT",
    "cache_read_outside_tokens": "BIGINT", "cache_write_outside_tokens": "BIGINT",
    "total_tokens": "BIGINT", "usage_source": "VARCHAR", "status": "VARCHAR", "prompt_sha256": "VARCHAR",
    "speed": "VARCHAR",
    "dedupe_key": "VARCHAR", "replay_key": "VARCHAR", "is_sidechain": "BOOLEAN",
    "span_id": "VARCHAR", "parent_id": "VARCHAR", "producer": "VARCHAR", "is_part": "BOOLEAN", "forked_from": "VARCHAR",
    "asked_key": "VARCHAR",
    "replay_offset_ms": "OFFSET",  # a BIGINT that is no count of tokens
}  # fmt: skip
TYPES: Mapping[str, str] = {column.name: column.type for column in COLUMNS} | dict(_EXTRA)
# Types that are told by all values of a batch; the values of the others say for themselves what they are.
_WHOLE = ("DURATION", "BIGINT[]")


def is_whole(name: str) -> bool:
    """Whether the column of that name can be read only when all of a batch is there."""
    return TYPES.get(name) in _WHOLE


class TypedColumns:
    """Columns that grow a chunk at a time; one that begins late or ends early is filled with null."""

    def __init__(self, *, is_day_first: bool | None = None) -> None:
        self.zoneless_count = 0  # of the times of requests, how many name no zone
        self._is_day_first = is_day_first
        self._pieces: dict[str, list[pl.Series]] = {}
        self._bad: dict[str, convert.Bad] = {}
        self._heights: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._pieces

    def add(self, raw: Mapping[str, Sequence[Any]], before: int) -> None:
        """The next values of each column, after `before` rows; what cannot be read is null, with its reason."""
        for name, values in raw.items():
            column, bad = self._converted(name, values)
            self._take(name, column, before)
            if bad:
                self._bad.setdefault(name, {}).update((before + row, reason) for row, reason in bad.items())

    def _converted(self, name: str, values: Sequence[Any]) -> convert.Converted:
        if TYPES[name] != "TIMESTAMP":
            return CONVERT[TYPES[name]](name, values)
        column, bad, zoneless = times(name, values, is_day_first=self._is_day_first)
        self.zoneless_count += zoneless if name == "started_at" else 0
        return column, bad

    def add_known(self, values: Mapping[str, Sequence[Any]], before: int) -> None:
        """The same of values of ours, which have their types."""
        for name, known in values.items():
            self._take(name, pl.Series(name, known, dtype=POLARS[TYPES[name]]), before)

    def _take(self, name: str, column: pl.Series, before: int) -> None:
        self._fill(name, before)
        self._pieces[name].append(column.rename(name))
        self._heights[name] = before + len(column)

    def _fill(self, name: str, height: int) -> None:
        missing = height - self._heights.setdefault(name, 0)
        pieces = self._pieces.setdefault(name, [])
        if missing:
            pieces.append(pl.Series(name, [None], dtype=POLARS[TYPES[name]]).new_from_index(0, missing))
            self._heights[name] = height

    def all(self, whole: Mapping[str, Sequence[Any]], height: int) -> Iterator[tuple[str, pl.Series, convert.Bad]]:
        """Each column with as many rows, and those of its rows that cannot be read; `whole` are more raw columns."""
        for name, pieces in self._pieces.items():
            self._fill(name, height)
            yield name, pl.concat(pieces, rechunk=True), self._bad.get(name, {})
        for name, values in whole.items():
            column, bad = CONVERT[TYPES[name]](name, values)
            yield name, column.rename(name), bad
