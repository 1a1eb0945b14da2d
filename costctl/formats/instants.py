"""Times in all spellings as UTC instants, one column at a time: see `convert`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import polars as pl

from costctl.formats.convert import NONE, Converted, count_none, each
from costctl.formats.values import NULLS

# No clock that tells of a request stands before 1970 or after 2199; year 1 is how some languages write "no time".
_INSTANT_END = 7_258_118_400_000_000  # microseconds from 1970 to 2200
_NO_INSTANT, _EPOCH = datetime(1, 1, 1), datetime(1970, 1, 1)  # noqa: DTZ001  (instants carry no zone here)
_YEAR_1 = (_NO_INSTANT - _EPOCH) // timedelta(microseconds=1)
_OUTSIDE = "is not a time between 1970 and 2200"
_EPOCH_UNITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1))  # s, ms, µs; above: ns
_ISO = "%Y-%m-%dT%H:%M:%S%.f%:z"
# By the length of the text: a fraction of a known size is read four times as fast, and as a part of the same.
_ZONED = {20: "%Y-%m-%dT%H:%M:%SZ", 24: "%Y-%m-%dT%H:%M:%S.%3fZ", 27: "%Y-%m-%dT%H:%M:%S.%6fZ"}


def instants(name: str, values: Sequence[Any]) -> Converted:
    """UTC instants with microseconds from ISO text, epoch numbers (s, ms, µs, ns) or HTTP dates.

    Text without a zone is UTC. Fractions beyond a microsecond are cut. An instant lies in 1970 to 2199; the zero of
    Go and .NET, 0001-01-01 00:00, is none.
    """
    kinds = set(map(type, values))
    if kinds <= {str, NONE}:
        series = _iso(pl.Series(name, values, dtype=pl.String))
        missing = series.null_count() - count_none(values)
        if not missing and series.cast(pl.Int64).is_between(0, _INSTANT_END, closed="left").all():
            return series, {}
    return each(name, values, pl.Datetime("us"), lambda value: _instant(name, value))


def _iso(series: pl.Series) -> pl.Series:
    quick = _ZONED.get(len(str(series.first(ignore_nulls=True))))
    if quick:
        read = series.str.to_datetime(quick, time_unit="us", strict=False)
        if read.null_count() == series.null_count():
            return read
    zoned = series.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    if zoned.null_count() == series.null_count():
        return zoned
    parts = series.str.extract_groups(
        r"^\s*(\d{4}[-/]\d\d[-/]\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)?"
        r"\s*([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: UTC)?\s*$"
    ).struct.unnest()
    offset = pl.col("4").fill_null("Z")
    frame = parts.select(
        pl.concat_str(
            pl.col("1").str.replace_all("/", "-", literal=True), pl.lit("T"),
            pl.col("2"), pl.lit("."), pl.col("3").fill_null("0"),
            pl.when(offset.is_in(["Z", "z", "UTC", "GMT"])).then(pl.lit("+00:00"))
            .when(offset.str.len_chars() == 3).then(offset + ":00")
            .when(offset.str.len_chars() == 5)
            .then(offset.str.slice(0, 3) + ":" + offset.str.slice(3)).otherwise(offset),
        ).str.to_datetime(_ISO, time_unit="us", strict=False).dt.replace_time_zone(None)
    )  # fmt: skip
    return frame.to_series().rename(series.name)


def _instant(name: str, value: Any) -> datetime | None:
    found = _read_instant(name, value)
    if found is None or found == _NO_INSTANT:
        return None
    if not 1970 <= found.year < 2200:
        raise ValueError(f"{name} {_OUTSIDE}")
    return found


def _read_instant(name: str, value: Any) -> datetime | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in NULLS:
            return None
        if re.fullmatch(r"\d{9,19}(\.\d+)?|\d\.\d+[eE]\+?\d{1,2}", text):
            value = int(text) if text.isdecimal() else float(text)
        else:
            return _text_instant(name, text)
    if isinstance(value, datetime):
        return _in_utc(name, value)
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, float | Decimal) and math.isnan(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise ValueError(f"{name} is not a time")
    value = int(value * 10**9) / 10**9 if isinstance(value, Decimal) else value
    micros = next((value * unit for limit, unit in _EPOCH_UNITS if abs(value) < limit), value / 1000)
    if not 0 <= micros < _INSTANT_END:
        raise ValueError(f"{name} {_OUTSIDE}")
    whole = round(micros)
    return datetime.fromtimestamp(whole // 1_000_000, UTC).replace(microsecond=whole % 1_000_000, tzinfo=None)


def _text_instant(name: str, text: str) -> datetime:
    found = _iso(pl.Series([text])).cast(pl.Int64)[0]
    if found is not None:
        if not _YEAR_1 <= found < _INSTANT_END:
            raise ValueError(f"{name} {_OUTSIDE}")
        return _EPOCH + timedelta(microseconds=found)
    try:
        parsed = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is not a time we can read") from None
    return _in_utc(name, parsed)


def _in_utc(name: str, value: datetime) -> datetime:
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:  # at either end of the calendar
        raise ValueError(f"{name} {_OUTSIDE}") from None
