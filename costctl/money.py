"""Exact money: Decimal dollars, and the one place where a number becomes text.

Prices are USD per million tokens with six decimals, so one token of any model costs a whole
number of picodollars (1e-12 USD) and no product ever needs rounding.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

USD_QUANTUM = Decimal("0.000000000001")
PRICE_QUANTUM = Decimal("0.000001")


def usd_text(value: Decimal) -> str:
    """Twelve plain decimals, as the machine contract writes dollars.

    >>> usd_text(Decimal("0.000000375")), usd_text(Decimal("3.75E-7"))
    ('0.000000375000', '0.000000375000')
    """
    return f"{value.quantize(USD_QUANTUM):f}"


def usd_display(value: Decimal | None, *, digits: int = 2) -> str:
    """Dollars for people; unknown is a dash and a tiny amount is never shown as zero.

    >>> usd_display(Decimal("1234.565")), usd_display(None), usd_display(Decimal("0.00001"))
    ('$1,234.56', '—', '<$0.01')
    >>> usd_display(Decimal("-0.004")), usd_display(Decimal("0"))
    ('>-$0.01', '$0.00')
    """
    if value is None:
        return "—"
    smallest = Decimal(1).scaleb(-digits)
    if value and abs(value) < smallest:
        return f"<${smallest}" if value > 0 else f">-${smallest}"
    rounded = value.quantize(smallest, ROUND_HALF_EVEN)
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,f}"


def ratio_display(value: float | Decimal | None) -> str:
    """A share as per cent, truncated so that 99.99 % never reads as 100 %.

    >>> ratio_display(0.99999), ratio_display(None), ratio_display(1.0)
    ('99.9 %', '—', '100.0 %')
    """
    if value is None:
        return "—"
    per_mille = (Decimal(str(value)) * 1000).to_integral_value(ROUND_FLOOR)
    return f"{per_mille / 10:.1f} %"


def tokens_display(value: int | None) -> str:
    """Token counts short enough for a column.

    >>> tokens_display(950), tokens_display(189_165_941), tokens_display(None)
    ('950', '189.2 M', '—')
    """
    if value is None:
        return "—"
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**4)):
        if value >= size:
            scale = 1000 if unit == "k" else size
            return f"{Decimal(value) / scale:.1f} {unit}"
    return f"{value:,}"
