"""Strict conversion of one column of raw values at a time.

Each function takes the values of one column of a batch and returns a Polars series of the
same length plus the rows that cannot be read, with the reason. The common case is decided by
the set of types in the column, so the engine and not Python looks at each value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import polars as pl

Bad = dict[int, str]
Converted = tuple[pl.Series, Bad]

# DECIMAL(9,0) x DECIMAL(18,6) stays exact in 64 bits; no request has a billion tokens.
TOKENS_MAX = 999_999_999
COUNT_MAX = 2**31 - 1
NONE = type(None)
_EPOCH_UNITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1))  # s, ms, µs; above: ns
_ISO = "%Y-%m-%dT%H:%M:%S%.f%:z"


def tokens(name: str, values: Sequence[Any]) -> Converted:
    """Whole, non-negative token counts; 3.0 and "3" are 3, 3.5 and true are refused."""
    return _integers(name, values, TOKENS_MAX)


def counts(name: str, values: Sequence[Any]) -> Converted:
    """Whole, non-negative counts of anything else; a list counts by its length."""
    if list in set(map(type, values)):
        values = [len(value) if isinstance(value, list) else value for value in values]
    return _integers(name, values, COUNT_MAX)


def _integers(name: str, values: Sequence[Any], limit: int) -> Converted:
    if set(map(type, values)) <= {int, NONE}:
        series = pl.Series(name, values, dtype=pl.Int64, strict=False)
        low, high = series.min(), series.max()
        # A number beyond 64 bits becomes null with strict=False; then look at each value.
        whole = series.null_count() == _count_none(values)
        if whole and (low is None or (int(str(low)) >= 0 and int(str(high)) <= limit)):
            return series, {}
    return _each(name, values, pl.Int64, lambda value: _whole(name, value, limit))


def _count_none(values: Sequence[Any]) -> int:
    return values.count(None)


def _whole(name: str, value: Any, limit: int) -> int | None:
    if isinstance(value, str):
        text = value.strip().replace(",", "")
        if text.lower() in {"", "none", "null", "nan"}:
            return None
        if not re.fullmatch(r"[+-]?\d+(\.0+)?", text):
            raise ValueError(f"{name} is not a whole number")
        value = int(text.split(".")[0])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a number")
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        raise ValueError(f"{name} is not a whole number")
    if value < 0:
        raise ValueError(f"{name} is negative")
    if value > limit:
        raise ValueError(f"{name} is over {limit:,}")
    return int(value)


def numbers(name: str, values: Sequence[Any]) -> Converted:
    """Finite floats for latencies, temperatures and scores (never for money)."""
    if set(map(type, values)) <= {int, float, NONE}:
        return pl.Series(name, values, dtype=pl.Float64, strict=False), {}
    return _each(name, values, pl.Float64, lambda value: _finite(name, value))


def _finite(name: str, value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in {"", "none", "null"}:
            return None
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{name} is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    return float(value)


def decimals(name: str, values: Sequence[Any]) -> Converted:
    """Amounts as the shortest decimal text of what the log holds; the store casts it exactly."""
    kinds = set(map(type, values))
    if kinds <= {float, int, NONE}:
        return pl.Series(name, [None if v is None else repr(v) for v in values], dtype=pl.String), {}
    return _each(name, values, pl.String, lambda value: _amount(name, value))


def _amount(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        text = value.strip().lstrip("$")
        if text.lower() in {"", "none", "null"}:
            return None
        if not re.fullmatch(r"[+-]?\d{1,6}(\.\d*)?([eE][+-]?\d{1,3})?", text):
            raise ValueError(f"{name} is not an amount")
        return text
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not an amount")
    return repr(value)


def texts(name: str, values: Sequence[Any]) -> Converted:
    """Names and ids; numbers are written out, lists and objects become JSON text."""
    if set(map(type, values)) <= {str, NONE}:
        series = pl.Series(name, values, dtype=pl.String)
        return (series.replace({"": None}) if "" in values else series), {}
    return pl.Series(name, [_text(value) or None for value in values], dtype=pl.String), {}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(sorted(value)) or None
    if isinstance(value, list | dict):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else None
    return str(value).lower() if isinstance(value, bool) else str(value)


def booleans(name: str, values: Sequence[Any]) -> Converted:
    """Booleans, also as 0/1 and as text."""
    if set(map(type, values)) <= {bool, NONE}:
        return pl.Series(name, values, dtype=pl.Boolean), {}
    return _each(name, values, pl.Boolean, lambda value: _flag(name, value))


def _flag(name: str, value: Any) -> bool | None:
    known = {"true": True, "1": True, "yes": True, "hit": True, "false": False, "0": False,
             "no": False, "miss": False, "none": None, "null": None, "": None}  # fmt: skip
    text = str(value).strip().lower().removesuffix(".0")
    if text not in known:
        raise ValueError(f"{name} is neither true nor false")
    return known[text]


def instants(name: str, values: Sequence[Any]) -> Converted:
    """UTC instants with microseconds from ISO text, epoch numbers (s, ms, µs, ns) or HTTP dates.

    Text without a zone is UTC. Fractions beyond a microsecond are cut.
    """
    kinds = set(map(type, values))
    if kinds <= {str, NONE}:
        series = _iso(pl.Series(name, values, dtype=pl.String))
        missing = series.null_count() - _count_none(values)
        if not missing:
            return series, {}
    return _each(name, values, pl.Datetime("us"), lambda value: _instant(name, value))


def _iso(series: pl.Series) -> pl.Series:
    zoned = series.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    if zoned.null_count() == series.null_count():
        return zoned
    parts = series.str.extract_groups(
        r"^\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)?\s*(Z|UTC|[+-]\d\d:?\d\d)?\s*$"
    ).struct.unnest()
    offset = pl.col("4").fill_null("Z")
    frame = parts.select(
        pl.concat_str(
            pl.col("1"), pl.lit("T"), pl.col("2"), pl.lit("."), pl.col("3").fill_null("0"),
            pl.when(offset.is_in(["Z", "UTC"])).then(pl.lit("+00:00"))
            .when(offset.str.len_chars() == 5)
            .then(offset.str.slice(0, 3) + ":" + offset.str.slice(3)).otherwise(offset),
        ).str.to_datetime(_ISO, time_unit="us", strict=False).dt.replace_time_zone(None)
    )  # fmt: skip
    return frame.to_series().rename(series.name)


def _instant(name: str, value: Any) -> datetime | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in {"", "none", "null"}:
            return None
        if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
            value = float(text) if "." in text else int(text)
        else:
            return _text_instant(name, text)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not a time")
    micros = next((value * unit for limit, unit in _EPOCH_UNITS if abs(value) < limit), value / 1000)
    if not 0 <= micros < 7_258_118_400_000_000:  # year 2200
        raise ValueError(f"{name} is not a time between 1970 and 2200")
    whole = round(micros)
    return datetime.fromtimestamp(whole // 1_000_000, UTC).replace(microsecond=whole % 1_000_000, tzinfo=None)


def _text_instant(name: str, text: str) -> datetime:
    found = _iso(pl.Series([text]))[0]
    if isinstance(found, datetime):
        return found
    try:
        parsed = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is not a time we can read") from None
    return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed


def _each(name: str, values: Sequence[Any], dtype: Any, convert: Callable[[Any], Any]) -> Converted:
    bad: Bad = {}
    out: list[Any] = []
    for row, value in enumerate(values):
        converted = None
        if value is not None:
            try:
                converted = convert(value)
            except ValueError as error:
                bad[row] = str(error)
        out.append(converted)
    return pl.Series(name, out, dtype=dtype), bad
