"""Times in all spellings as UTC instants, one column at a time: see `convert`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import polars as pl

from costctl.formats.convert import NONE, Bad, Converted, count_none, each
from costctl.formats.values import NULLS

# No clock that tells of a request stands before 1970 or after 2199; year 1 is how some languages write "no time".
_INSTANT_END = 7_258_118_400_000_000  # microseconds from 1970 to 2200
_NO_INSTANT, _EPOCH = datetime(1, 1, 1), datetime(1970, 1, 1)  # noqa: DTZ001  (instants carry no zone here)
_YEAR_1 = (_NO_INSTANT - _EPOCH) // timedelta(microseconds=1)
_OUTSIDE = "is not a time between 1970 and 2200"
_EPOCH_UNITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1))  # s, ms, µs; above: ns
READ_FORMS = " (read are 2026-03-13T10:00:00Z, with an offset or without, seconds since 1970, 3/13/2026 10:00)"
_ISO = "%Y-%m-%dT%H:%M:%S%.f%:z"
_SLASHED = (
    r"^\s*(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<year>\d{4})"
    r"(?:(?:,? +|[Tt])(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<part>[.,]\d+)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?\s*$"
)
_DATE_CHARS = 10  # of a day alone, 2026-03-13
# By the length of the text: a fraction of a known size is read four times as fast, and as a part of the same.
_ZONED = {20: "%Y-%m-%dT%H:%M:%SZ", 24: "%Y-%m-%dT%H:%M:%S.%3fZ", 27: "%Y-%m-%dT%H:%M:%S.%6fZ"}


class Times(NamedTuple):
    """A column of instants, the rows that cannot be read, and how many times of a day name no zone."""

    series: pl.Series
    bad: Bad
    zoneless_count: int


def instants(name: str, values: Sequence[Any]) -> Converted:
    """UTC instants with microseconds from ISO text, epoch numbers (s, ms, µs, ns) or HTTP dates.

    Text without a zone is UTC. Fractions beyond a microsecond are cut. An instant lies in 1970 to 2199; the zero of
    Go and .NET, 0001-01-01 00:00, is none.
    """
    series, bad, _ = times(name, values)
    return series, bad


def times(name: str, values: Sequence[Any], *, is_day_first: bool | None = None) -> Times:
    """The same, and how many of them name no zone; with `is_day_first`, 3/6/2026 is read too, else it is refused."""
    kinds = set(map(type, values))
    if is_day_first is not None and str in kinds:
        values = _unslashed(values, is_day_first=is_day_first)
    if kinds <= {str, NONE}:
        series, zoneless = _iso(pl.Series(name, values, dtype=pl.String))
        missing = series.null_count() - count_none(values)
        if not missing and series.cast(pl.Int64).is_between(0, _INSTANT_END, closed="left").all():
            return Times(series, {}, zoneless)
    naive: list[Any] = []
    series, bad = each(name, values, pl.Datetime("us"), lambda value: _instant(name, value, naive))
    return Times(series, bad, len(naive))


def any_day(value: Any) -> Any:
    """The value, with a day of its year in place of a date by day and month: for what asks only whether it is a time.

    >>> any_day("6/13/2026 10:00:00"), any_day("soon")
    ('2026-01-01 10:00:00', 'soon')
    """
    if not isinstance(value, str) or "/" not in value:
        return value
    return _unslashed([re.sub(r"^\s*\d{1,2}/\d{1,2}/", "1/1/", value)], is_day_first=True)[0]


def _unslashed(values: Sequence[Any], *, is_day_first: bool) -> list[Any]:
    """Texts such as 3/13/2026 1:05 PM as ISO writes them, 2026-03-13 13:05:00; all else as it is."""
    texts = pl.Series("said", [value if isinstance(value, str) else None for value in values], dtype=pl.String)
    parts = texts.str.extract_groups(_SLASHED).struct.unnest()
    month, day = ("two", "one") if is_day_first else ("one", "two")
    hour, half = pl.col("hour").cast(pl.Int64), pl.col("half").str.to_lowercase()
    # 12 AM is midnight and 12 PM is noon; 13 PM is nothing.
    of_half = pl.when(hour.is_between(1, 12)).then(hour % 12 + pl.when(half == "p").then(12).otherwise(0))
    hours = pl.when(half.is_null()).then(hour).otherwise(of_half).cast(pl.String).str.zfill(2)
    clock = pl.concat_str(
        pl.lit(" "), hours, pl.lit(":"), "minute", pl.lit(":"), pl.col("second").fill_null("00"),
        pl.col("part").fill_null(""), pl.col("zone").fill_null(""),
    )  # fmt: skip
    date_only = pl.col("hour").is_null() & pl.col("zone").is_null()
    written = parts.select(
        pl.concat_str(
            "year", pl.lit("-"), pl.col(month).str.zfill(2), pl.lit("-"), pl.col(day).str.zfill(2),
            pl.when(date_only).then(pl.lit("")).otherwise(clock),
        )
    ).to_series()  # fmt: skip
    return [value if new is None else new for value, new in zip(values, written, strict=True)]


def _iso(series: pl.Series) -> tuple[pl.Series, int]:
    """Instants of ISO texts, null where one is none, and how many name no zone."""
    quick = _ZONED.get(len(str(series.first(ignore_nulls=True))))
    if quick:
        read = series.str.to_datetime(quick, time_unit="us", strict=False)
        if read.null_count() == series.null_count():
            return read, 0
    zoned = series.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    if zoned.null_count() == series.null_count():
        return zoned, 0
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
    found = frame.to_series().rename(series.name)
    zoneless = int((found.is_not_null() & parts["4"].is_null()).sum())
    return found, zoneless


def _instant(name: str, value: Any, naive: list[Any]) -> datetime | None:
    found = _read_instant(name, value, naive)
    if found is None or found == _NO_INSTANT:
        return None
    if not 1970 <= found.year < 2200:
        raise ValueError(f"{name} {_OUTSIDE}")
    return found


def _read_instant(name: str, value: Any, naive: list[Any]) -> datetime | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in NULLS:
            return None
        if re.fullmatch(r"\d{9,19}(\.\d+)?|\d\.\d+[eE]\+?\d{1,2}", text):
            value = int(text) if text.isdecimal() else float(text)
        else:
            return _text_instant(name, text, naive)
    if isinstance(value, datetime):
        return _in_utc(name, value, naive)
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


def _text_instant(name: str, text: str, naive: list[Any]) -> datetime:
    read, zoneless = _iso(pl.Series([text]))
    found = read.cast(pl.Int64)[0]
    if found is not None:
        naive += [text] * zoneless
        if not _YEAR_1 <= found < _INSTANT_END:
            raise ValueError(f"{name} {_OUTSIDE}")
        return _EPOCH + timedelta(microseconds=found)
    try:
        parsed = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is not a time we can read{READ_FORMS}") from None
    return _in_utc(name, parsed, [] if len(text) <= _DATE_CHARS else naive)


def _in_utc(name: str, value: datetime, naive: list[Any]) -> datetime:
    if value.tzinfo is None:
        naive.append(value)
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:  # at either end of the calendar
        raise ValueError(f"{name} {_OUTSIDE}") from None
