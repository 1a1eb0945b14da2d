"""Strict conversion of one column of raw values at a time.

Each function takes the values of one column of a batch and returns a Polars series of the
same length plus the rows that cannot be read, with the reason. The common case is decided by
the set of types in the column, so the engine and not Python looks at each value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import orjson
import polars as pl

from costctl.formats.values import COUNT_MAX, NULL_TEXTS, NULLS, OFFSET_MS_MAX, TOKENS_MAX

Bad = dict[int, str]
Converted = tuple[pl.Series, Bad]

# Amounts are DECIMAL(18,12): six digits before the point, twelve after it.
AMOUNT_MAX = 10**6
NONE = type(None)
SECONDS_MEDIAN_MAX = 120
_UNIT_SECONDS = {"ms": 1e-3, "msec": 1e-3, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "us": 1e-6,
                 "µs": 1e-6, "μs": 1e-6, "ns": 1e-9, "m": 60, "min": 60}  # fmt: skip
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:e[+-]?\d{1,3})?)\s*"
    rf"(?P<unit>{'|'.join(sorted(_UNIT_SECONDS, key=len, reverse=True))})?"
)
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d*)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.0+)?")
_ADORNED = re.compile(r"([-−]?)\s*(?:\$|usd)?\s*([-−]?)(.*?)\s*(?:\$|usd)?", re.DOTALL)
_PLAIN_AMOUNT = re.compile(r"-?[0-9]*\.?[0-9]*|-?[0-9](\.[0-9]{0,16})?e[+-]?[0-9]{1,2}")
_DOTTED = re.compile(r"[+-]?[1-9]\d{0,2}\.000")


def tokens(name: str, values: Sequence[Any]) -> Converted:
    """Whole, non-negative token counts; 3.0 and "3" are 3, 3.5 and true are refused."""
    return _integers(name, values, TOKENS_MAX)


def offsets(name: str, values: Sequence[Any]) -> Converted:
    """Whole milliseconds since a trace began, up to a hundred years."""
    return _integers(name, values, OFFSET_MS_MAX)


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
        whole = series.null_count() == count_none(values)
        if whole and (low is None or (int(str(low)) >= 0 and int(str(high)) <= limit)):
            return series, {}
    return each(name, values, pl.Int64, lambda value: _whole(name, value, limit))


def count_none(values: Sequence[Any]) -> int:
    """How many values are missing."""
    return values.count(None)


def _whole(name: str, value: Any, limit: int) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in NULLS:
            return None
        if "," in text and not _GROUPED.fullmatch(text):  # 1,5 is one and a half where commas are decimal
            raise ValueError(f"{name} is not a whole number: commas stand before three digits")
        if _DOTTED.fullmatch(text):
            raise ValueError(f"{name} is ambiguous: a dot before three zeros may stand for thousands")
        text = text.replace(",", "")
        if not re.fullmatch(r"[+-]?\d+(\.0+)?", text):
            raise ValueError(f"{name} is not a whole number")
        value = int(text.split(".")[0])
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"{name} is not a number")
    if isinstance(value, float | Decimal):
        if math.isnan(value):  # what data frames write for a count that is missing
            return None
        if not math.isfinite(value) or value != int(value):
            raise ValueError(f"{name} is not a whole number")
    if value < 0:
        raise ValueError(f"{name} is negative")
    if value > limit:
        raise ValueError(f"{name} is over {limit:,}")
    return int(value)


def numbers(name: str, values: Sequence[Any]) -> Converted:
    """Finite floats for latencies, temperatures and scores (never for money).

    Where the name ends in `_ms` or `_s`, texts with a unit and durations are read in that unit.
    """
    if set(map(type, values)) <= {int, float, NONE}:
        series = pl.Series(name, values, dtype=pl.Float64, strict=False).fill_nan(None)
        if not series.is_infinite().any():
            return series, {}
    return each(name, values, pl.Float64, lambda value: _finite(name, value))


def durations(name: str, values: Sequence[Any]) -> Converted:
    """Seconds from a column that does not name its unit.

    Numbers without a unit whose median is over two minutes are milliseconds: no usual call
    takes that many seconds, and hardly one so few milliseconds.
    """
    if set(map(type, values)) <= {int, float, NONE}:
        series, bad = numbers(name, values)
        return series / _units_in_a_second(series), bad
    said = [value if _has_unit(value) else None for value in values]
    plain, bad = numbers(name, [None if _has_unit(value) else value for value in values])
    with_unit, _ = numbers(f"{name}_s", said)
    return (plain / _units_in_a_second(plain)).fill_null(with_unit), bad


def _units_in_a_second(series: pl.Series) -> int:
    median = series.median()
    return 1000 if isinstance(median, float) and median > SECONDS_MEDIAN_MAX else 1


def _has_unit(value: Any) -> bool:
    return isinstance(value, timedelta) or (isinstance(value, str) and value.strip()[-1:].lower() in {"s", "m", "n"})


def _finite(name: str, value: Any) -> float | None:
    if isinstance(value, timedelta):
        value = value.total_seconds() * (1000 if name.endswith("_ms") else 1)
    if isinstance(value, str):
        text = value.strip().lower()
        if text in NULLS:
            return None
        value = _number_of(name, text)
    if isinstance(value, float | Decimal) and math.isnan(value):  # what data frames write for a number that is missing
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    return float(value)


def _number_of(name: str, text: str) -> float:
    """A number in text, with thousands commas and, for a duration, its unit."""
    found = _NUMBER.fullmatch(text)
    unit = found and found["unit"]
    if found is None or (unit and not name.endswith(("_ms", "_s"))):
        raise ValueError(f"{name} is not a number")
    value = float(found["number"].replace(",", ""))
    seconds = _UNIT_SECONDS[unit] if unit else 1
    return value * seconds * (1000 if unit and name.endswith("_ms") else 1)


def decimals(name: str, values: Sequence[Any]) -> Converted:
    """Amounts as a decimal text that the store casts exactly, the log's own where it can; credits are below 0."""
    if set(map(type, values)) <= {float, int, NONE}:
        sizes = pl.Series(name, values, dtype=pl.Float64, strict=False)
        if sizes.null_count() == count_none(values) and sizes.is_between(0, AMOUNT_MAX, closed="left").all():
            return pl.Series(name, [None if v is None else repr(v) for v in values], dtype=pl.String), {}
    return each(name, values, pl.String, lambda value: _amount(name, value))


def _amount(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        text = _unadorned(value.strip().lower())
        if text in NULLS:
            return None
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"{name} is not an amount")
    else:
        text = repr(value) if isinstance(value, float) else str(value)
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        amount = Decimal(text)
        fits = amount.is_finite() and abs(round(amount, 12)) < AMOUNT_MAX
    except (InvalidOperation, ValueError):  # the second for more digits than Python converts
        fits = False
    if not fits:
        raise ValueError(f"{name} is not an amount")
    if _PLAIN_AMOUNT.fullmatch(text):
        return text
    # Digits of other scripts, and long ones with an exponent, are numbers to us and none to the store.
    return f"{amount.quantize(Decimal('1e-12'), ROUND_HALF_UP):f}"


def _unadorned(text: str) -> str:
    """An amount without its currency, the sign in front.

    >>> _unadorned("$ 1.50"), _unadorned("-$1.50"), _unadorned("$-1.50"), _unadorned("($1.50)"), _unadorned("1.50 usd")
    ('1.50', '-1.50', '-1.50', '-1.50', '1.50')
    """
    if text.startswith("(") and text.endswith(")"):  # as accounts write what is taken off
        text = f"-{text[1:-1]}"
    found = _ADORNED.fullmatch(text)
    if found is None or (found[1] and found[2]):
        return text
    return ("-" if found[1] or found[2] else "") + found[3].strip()


def texts(name: str, values: Sequence[Any]) -> Converted:
    """Names and ids; numbers are written out, lists and objects become JSON text."""
    if not set(map(type, values)) <= {str, NONE}:
        values = [_text(value) for value in values]
    if not NULL_TEXTS.isdisjoint(values):
        values = [None if value in NULL_TEXTS else value for value in values]
    return pl.Series(name, values, dtype=pl.String), {}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(sorted(value)) or None
    if isinstance(value, list | dict):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode() if value else None
    return str(value).lower() if isinstance(value, bool) else str(value)


def booleans(name: str, values: Sequence[Any]) -> Converted:
    """Booleans, also as 0/1 and as text."""
    if set(map(type, values)) <= {bool, NONE}:
        return pl.Series(name, values, dtype=pl.Boolean), {}
    return each(name, values, pl.Boolean, lambda value: _flag(name, value))


def _flag(name: str, value: Any) -> bool | None:
    known = {"true": True, "1": True, "yes": True, "hit": True, "false": False, "0": False,
             "no": False, "miss": False}  # fmt: skip
    text = str(value).strip().lower().removesuffix(".0")
    if text in NULLS:
        return None
    if text not in known:
        raise ValueError(f"{name} is neither true nor false")
    return known[text]


def each(name: str, values: Sequence[Any], dtype: Any, convert: Callable[[Any], Any]) -> Converted:
    """One value at a time, for columns that hold anything unusual; what `convert` refuses is None, with its reason."""
    bad: Bad = {}
    out: list[Any] = []
    for row, value in enumerate(values):
        converted = None
        if value is not None:
            try:
                converted = convert(value)
            except ValueError as error:
                bad[row] = str(error)
            except OverflowError:  # an integer that no float holds
                bad[row] = f"{name} is too large"
        out.append(converted)
    return pl.Series(name, out, dtype=dtype), bad
