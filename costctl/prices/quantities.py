"""Quantities as people write them on a command line, and dollars written with all their digits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from costctl.errors import CostctlError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
# Above this, tokens times a price no longer fit the 28 digits of exact decimals for certain.
LARGEST = 10**15


def parse_count(text: str) -> int:
    """A whole number with an optional unit k, M, B or T (thousands to 10^12).

    >>> parse_count("10M"), parse_count("500k"), parse_count("1.5B"), parse_count("1_000")
    (10000000, 500000, 1500000000, 1000)

    Raises:
        CostctlError: E210 where the text is not a whole number from 0 to LARGEST.
    """
    found = re.fullmatch(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([kmbt]?)", text.strip().lower())
    value = Decimal(re.sub("[_,]", "", found[1])) * UNITS[found[2]] if found else Decimal("NaN")
    if value.is_nan() or value != value.to_integral_value() or value > LARGEST:
        raise CostctlError(
            "E210",
            f"not a whole number up to 1,000T: {text!r}",
            "write 10M, 500k, 1.5B or 1000",
        )
    return int(value)


def parse_price(text: str) -> Decimal:
    """Dollars per million tokens, such as 2.50 or $0.15.

    Raises:
        CostctlError: E215 where the text is no price.
    """
    try:
        value = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise CostctlError("E215", f"not a price: {text!r}", "write 2.50, in USD per million tokens")
    return value


def parse_mix(texts: Sequence[str]) -> dict[str, Decimal]:
    """Shares (0 to 1) from texts such as model=70%.

    >>> parse_mix(["claude-haiku=70%", "o1=2.5%"])
    {'claude-haiku': Decimal('0.7'), 'o1': Decimal('0.025')}

    Raises:
        CostctlError: E212 where a text is no share above 0 and up to 100 %, or a model comes twice.
    """
    shares: dict[str, Decimal] = {}
    for text in texts:
        model, _, share = text.rpartition("=")
        model = model.strip()
        try:
            value = Decimal(share.strip().removesuffix("%")) / 100
        except InvalidOperation:
            value = Decimal(0)
        if not model or not share.strip().endswith("%") or not 0 < value <= 1 or model in shares:
            raise CostctlError("E212", f"not a share of a model: {text!r}", "write model=70%, each model once")
        shares[model] = value
    return shares


def parse_at(text: str | None) -> datetime | None:
    """A day or an instant in ISO form as UTC without zone; a text without zone means UTC.

    Raises:
        CostctlError: E213 where the text is neither.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise CostctlError("E213", f"not a date: {text!r}", "write 2026-01-31 or 2026-01-31T14:00") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def plain_usd(value: Decimal) -> str:
    """All digits of a dollar amount, and at least two decimals.

    >>> plain_usd(Decimal("12500.000000")), plain_usd(Decimal("0.075000"))
    ('$12,500.00', '$0.075')
    """
    whole, _, decimals = f"{value:,f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"
