"""Exact money: Decimal dollars, and the one place where a number becomes text.

Prices are USD per million tokens with six decimals, so one token of any model costs a whole
number of picodollars (1e-12 USD) and no product ever needs rounding.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

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


def price_display(value: Decimal) -> str:
    """A price with all its digits, at least two: a tenth of a cent is no rounding error here.

    >>> price_display(Decimal("0.035000")), price_display(Decimal("15.000000"))
    ('$0.035', '$15.00')
    """
    whole, _, digits = f"{value:,f}".partition(".")
    return f"${whole}.{digits.rstrip('0'):0<2}"


def ratio_display(value: float | Decimal | None) -> str:
    """A share as per cent; only all of it reads as 100 % and only nothing as 0 %.

    >>> ratio_display(0.54858), ratio_display(0.99999), ratio_display(None), ratio_display(1.0)
    ('54.9 %', '99.9 %', '—', '100.0 %')
    >>> ratio_display(0.0001), ratio_display(0)
    ('<0.1 %', '0.0 %')
    """
    if value is None:
        return "—"
    share = Decimal(str(value)) * 100
    shown = share.quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    if not shown and share:
        return "<0.1 %" if share > 0 else ">-0.1 %"
    if shown == 100 and share < 100:
        shown = Decimal("99.9")
    return f"{shown} %"


def points_display(value: float | Decimal) -> str:
    """The difference of two shares in points: 10 % to 15 % are 5 points, and half as much again.

    >>> points_display(-0.435), points_display(0.00001), points_display(0)
    ('-43.5 points', '<0.1 points', '0.0 points')
    """
    return ratio_display(value).removesuffix(" %") + " points"


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
