"""Values with a unit: durations in microseconds, counts, shares from 0 to 1, comparisons.

Each has bounds and decimals so that the replay's 64-bit products, and the numbers of the routers, hold it exactly.
What a division left, such as 33.333333333333336, is rounded; prices have six decimals, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from costctl.money import PRICE_QUANTUM, USD_QUANTUM

US_OF: Mapping[str, int] = {
    "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000,
}  # fmt: skip
TIMES: Mapping[str, int] = {"": 1, "k": 1_000, "M": 1_000_000}
OPERATORS = (">=", "<=", ">", "<", "=")

AMOUNT = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
DURATION = re.compile("".join(rf"(?:(?P<{unit}>{AMOUNT}){unit}(?![a-z]))?" for unit in US_OF))
COUNT = re.compile(rf"({AMOUNT})([kM]?)")
SHARE = re.compile(rf"({AMOUNT})%")
COMPARISON = re.compile(rf"(>=|<=|>|<|=)\s*({AMOUNT})([kM]?)")

LONGEST_US = 36_525 * US_OF["d"]
"""A hundred years."""
LARGEST = 10**15
DECIMALS = 9  # of shares, ratios and other plain numbers
NUMBER_MAX = 10**6
FACTOR_MAX = 1_000
SPEED_MIN, SPEED_DECIMALS = Decimal("0.001"), 3
TEMPERATURE_MAX = 2
USD_MAX = 10**9
PRICE_MAX = 1_000
RETRIES_MAX = 100
TIMEOUT_MIN_S, TIMEOUT_MAX_S = Decimal("0.001"), 86_400
MS_PER_1K_MAX = 10**6


def shown(value: Any) -> str:
    """A value as a message quotes it, never long.

    >>> shown("24 hours"), shown(True), shown(7)
    ("'24 hours'", 'true', '7')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def plain(text: str) -> str:
    r"""A text as a line of a message may hold it: with nothing that moves the cursor.

    >>> plain("a\nb"), plain("año")
    ('a\\nb', 'año')
    """
    return text if text.isprintable() else repr(text)[1:-1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _rounded(value: Any, decimals: int) -> Decimal:
    """The number with at most so many decimals; what would become 0 is refused."""
    exact = Decimal(value)
    if exact == 0 or exact == (near := round(exact, decimals)):
        return exact
    if not near:
        raise ValueError(f"must be 0 or at least {Decimal(1).scaleb(-decimals):f}, not {shown(value)}")
    return near


def _at_most(value: Any, most: int) -> None:
    if value > most:
        raise ValueError(f"must be at most {most:,}, not {shown(value)}")


def number(value: Any, most: int = NUMBER_MAX) -> Decimal:
    """A number of zero or more."""
    if not _is_number(value) or not 0 <= value <= LARGEST:
        raise ValueError(f"must be a number of zero or more, not {shown(value)}")
    _at_most(value, most)
    return _rounded(value, DECIMALS)


def temperature(value: Any) -> Decimal:
    """A temperature, as far as any provider takes it."""
    return number(value, TEMPERATURE_MAX)


def ratio(value: Any, most: int = NUMBER_MAX) -> Decimal:
    """A number above zero.

    >>> ratio(Decimal("0.3333333333333333"))
    Decimal('0.333333333')
    """
    if not _is_number(value) or not 0 < value <= LARGEST:
        raise ValueError(f"must be a number above zero, not {shown(value)}")
    _at_most(value, most)
    return _rounded(value, DECIMALS)


def factor(value: Any) -> Decimal:
    """What tokens or prices are multiplied by."""
    return ratio(value, FACTOR_MAX)


def speed(value: Any) -> Decimal:
    """Tokens a second.

    >>> speed(Decimal("33.333333333333336"))
    Decimal('33.333')
    """
    found = ratio(value)
    if found < SPEED_MIN:
        raise ValueError(f"must be at least {SPEED_MIN} tokens a second, not {shown(value)}")
    return _rounded(found, SPEED_DECIMALS)


def usd(value: Any) -> Decimal:
    """Dollars, to the picodollar and to fifteen digits.

    >>> usd(Decimal("3.3333333333333335"))
    Decimal('3.333333333333')
    """
    if not _is_number(value) or not 0 <= value <= LARGEST:
        raise ValueError(f"must be a number of US dollars such as 0.05, not {shown(value)}")
    _at_most(value, USD_MAX)
    return _rounded(value, min(-USD_QUANTUM.adjusted(), 14 - Decimal(value).adjusted()) if value else 0)


def price(value: Any) -> Decimal:
    """Dollars per million tokens, with the six decimals that all prices have."""
    found = usd(value)
    _at_most(value, PRICE_MAX)
    if Decimal(value) != (near := round(found, -PRICE_QUANTUM.adjusted())):
        raise ValueError(f"must have at most six decimals such as {near:f}, not {shown(value)}")
    return found


def usd_of_call(value: Any) -> Decimal:
    """Dollars for one call."""
    found = usd(value)
    _at_most(value, PRICE_MAX)
    return found


def duration_us(value: Any) -> int:
    """A duration such as `24h`, `500ms` or `1h30m`, in microseconds.

    >>> duration_us("1h30m")
    5400000000
    """
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if not value or found is None:
        raise ValueError(f"must be a duration such as 24h, 15m, 90s, 500ms, 7d or 1h30m, not {shown(value)}")
    total = sum(Decimal(amount) * US_OF[unit] for unit, amount in found.groupdict().items() if amount)
    if total > LONGEST_US:
        raise ValueError(f"must be at most a hundred years, not {shown(value)}")
    return _whole(Decimal(total), value, "microseconds")


def seconds_us(value: Any) -> int:
    """A number of seconds, in microseconds."""
    if not _is_number(value) or not 0 <= value * US_OF["s"] <= LONGEST_US:
        raise ValueError(f"must be a number of seconds such as 0.5, not {shown(value)}")
    return _whole(Decimal(value) * US_OF["s"], value, "microseconds")


def timeout_us(value: Any) -> int:
    """A number of seconds after which an answer is not waited for, in microseconds."""
    found = seconds_us(value)
    if value < TIMEOUT_MIN_S:
        raise ValueError(f"must be at least {TIMEOUT_MIN_S} seconds, not {shown(value)}")
    _at_most(value, TIMEOUT_MAX_S)
    return found


def milliseconds_us(value: Any) -> int:
    """A number of milliseconds, in microseconds."""
    if not _is_number(value) or not 0 <= value * US_OF["ms"] <= LONGEST_US:
        raise ValueError(f"must be a number of milliseconds such as 30, not {shown(value)}")
    return _whole(Decimal(value) * US_OF["ms"], value, "microseconds")


def milliseconds_per_1k_us(value: Any) -> int:
    """Milliseconds for a thousand tokens, in microseconds."""
    found = milliseconds_us(value)
    _at_most(value, MS_PER_1K_MAX)
    return found


def count(value: Any) -> int:
    """A whole number, also with k for thousands and M for millions.

    >>> count("1.5k"), count(20)
    (1500, 20)
    """
    if isinstance(value, str) and (found := COUNT.fullmatch(value)) and found[2]:
        amount = Decimal(found[1]) * TIMES[found[2]]
        if amount <= LARGEST:
            return _whole(amount, value, "")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise ValueError(f"must be a whole number such as 400, 8k or 5M, not {shown(value)}")
    return value


def retries(value: Any) -> int:
    """How often something is done again."""
    found = count(value)
    _at_most(found, RETRIES_MAX)
    return found


def count_of_one(value: Any) -> int:
    """A count of one or more."""
    found = count(value)
    if found == 0:
        raise ValueError("must be one or more, not 0")
    return found


def share(value: Any) -> Decimal:
    """A share of the whole, 0 to 1; `45%` and 0.45 are the same.

    >>> share("45%")
    Decimal('0.45')
    """
    found = SHARE.fullmatch(value) if isinstance(value, str) else None
    part = Decimal(found[1]).scaleb(-2) if found else value
    if not _is_number(part) or not 0 <= part <= 1:
        raise ValueError(f"must be a share from 0 to 1 such as 45% or 0.45, not {shown(value)}")
    return _rounded(part, DECIMALS)


def threshold(value: Any) -> Decimal:
    """A similarity from 0 to 1 that is asked for; above 1, up to 2, nothing is ever similar enough.

    >>> threshold("95%"), threshold(1.01)
    (Decimal('0.95'), Decimal('1.01'))
    """
    if _is_number(value) and 1 < value <= 2:
        return _rounded(value, DECIMALS)
    return share(value)


def comparison(value: Any) -> tuple[str, Decimal]:
    """An operator and a number: `'>=3'`, `'>8k'`, or 3 for equality.

    >>> comparison(">=3")
    ('>=', Decimal('3'))
    """
    if _is_number(value) and 0 <= value <= LARGEST:
        return "=", Decimal(value)
    found = COMPARISON.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be a number or a comparison such as '>=3', not {shown(value)}")
    return found[1], Decimal(found[2]) * TIMES[found[3]]


def _whole(amount: Decimal, value: Any, unit: str) -> int:
    if amount != int(amount):
        raise ValueError(f"must be a whole number{' of ' if unit else ''}{unit}, not {shown(value)}")
    return int(amount)
