"""Prompts as lists of hashed blocks: ids as numbers, and only lists that fit the input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import orjson
import polars as pl

from costctl.formats.columns import RawColumns
from costctl.formats.content import ContentReader
from costctl.formats.convert import Converted, each


def with_block_ids(raw: RawColumns, hash_key: bytes) -> RawColumns:
    """Block ids as numbers: a table holds the list as JSON text, and an id that is a text is hashed as text is."""
    if "prefix_blocks" not in raw:
        return raw
    key_of = cache(ContentReader(hash_key).hash)
    lists = [_listed(value) if type(value) is str else value for value in raw["prefix_blocks"]]
    return raw | {
        "prefix_blocks": [
            [key_of(one) if type(one) is str else one for one in value] if type(value) is list else value
            for value in lists
        ]
    }


def _listed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def block_lists(name: str, values: Sequence[Any]) -> Converted:
    """Lists of whole numbers of 64 bits; those without a sign keep their bits."""
    lists = [value for value in values if value is not None]
    if set(map(type, lists)) <= {list} and set(map(type, chain.from_iterable(lists))) <= {int}:
        try:
            return pl.Series(name, values, dtype=pl.List(pl.Int64)), {}
        except (OverflowError, TypeError, pl.exceptions.PolarsError):  # beyond 63 bits: look at each value
            pass
    return each(name, values, pl.List(pl.Int64), lambda value: _block_list(name, value))


def _block_list(name: str, value: Any) -> list[int]:
    if not isinstance(value, list) or not set(map(type, value)) <= {int}:
        raise ValueError(f"{name} is not a list of ids")
    if any(not -(2**63) <= one < 2**64 for one in value):
        raise ValueError(f"{name} has ids of more than 64 bits")
    return [one - 2**64 if one >= 2**63 else one for one in value]


def fitting_blocks(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Only blocks that fit: of a stated size, and no more of them than the input fills. Also how many do not."""
    size, count = pl.col("block_tokens"), pl.col("prefix_blocks").list.len()
    is_fit = (size > 0) & ((count * size < pl.col("input_tokens") + size) | pl.col("input_tokens").is_null())
    kept = frame.with_columns(
        pl.when(is_fit).then(pl.col(name)).alias(name) for name in ("prefix_blocks", "block_tokens")
    )
    return kept, kept["prefix_blocks"].null_count() - frame["prefix_blocks"].null_count()
