"""Rates: one price row each, and how a line of the price files becomes rates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from costctl.money import PRICE_QUANTUM

TOKEN_UNITS = (
    "input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning",
    "input_audio", "cache_read_audio", "output_audio", "input_image", "output_image",
)  # fmt: skip
FEE_UNITS = ("web_search_1k", "request_1k")
# A unit without a price of its own costs what its parent costs.
PARENTS = {
    "cache_read": "input", "cache_write_5m": "input", "cache_write_1h": "cache_write_5m", "reasoning": "output",
    "input_audio": "input", "cache_read_audio": "cache_read", "output_audio": "output",
    "input_image": "input", "output_image": "output",
}  # fmt: skip
SERVICE_TIERS = ("standard", "batch", "flex", "priority", "fast")
MINUTES_OF_A_DAY = 24 * 60


class Rate(NamedTuple):
    """One price row: where and when it holds, and USD per million tokens (fees per 1,000)."""

    model_key: str
    service_tier: str
    from_at: datetime | None
    to_at: datetime | None
    weekdays: tuple[int, ...]  # ISO, 1 = Monday; empty = every day
    minute_from: int
    minute_to: int
    input_over_tokens: int
    input_upto_tokens: int | None
    prices: dict[str, Decimal]  # every token unit is there, from its parent where need be
    source: str

    def holds(self, when: datetime, input_tokens: int) -> bool:
        """Whether this rate prices a request of that moment and size."""
        minute = when.hour * 60 + when.minute
        return (
            (self.from_at is None or when >= self.from_at)
            and (self.to_at is None or when < self.to_at)
            and (not self.weekdays or when.isoweekday() in self.weekdays)
            and self.minute_from <= minute < self.minute_to
            and (input_tokens > self.input_over_tokens or self.input_over_tokens == 0)
            and (self.input_upto_tokens is None or input_tokens <= self.input_upto_tokens)
        )


def is_free_by_name(model_key: str) -> bool:
    """OpenRouter's suffix `:free` states a price of zero; no other silence does."""
    return model_key.endswith(":free")


def expand(key: str, line: Mapping[str, Any], multiplier: Decimal, source: str) -> list[Rate]:
    """The rates of one line of a price file; none where it names no price per token.

    `multiplier` holds what region and discount make of the list price. A window over midnight
    becomes two rates, since a rate knows one stretch of the day.
    """
    prices = {unit: Decimal(str(line[unit])) * multiplier for unit in (*TOKEN_UNITS, *FEE_UNITS) if unit in line}
    if "input" not in prices:
        if not is_free_by_name(key):
            return []
        prices = {"input": Decimal(0), "output": Decimal(0)}
    prices.setdefault("output", Decimal(0))  # embeddings have no output to charge for
    for unit in TOKEN_UNITS:
        if unit not in prices:
            prices[unit] = prices[PARENTS[unit]]
    prices = {unit: price.quantize(PRICE_QUANTUM) for unit, price in prices.items()}
    return [
        Rate(
            key, line.get("tier", "standard"), instant(line.get("from")), instant(line.get("to")),
            tuple(line.get("weekdays", ())), start, end, line.get("over", 0), line.get("upto"), prices, source,
        )
        for start, end in windows(line)
    ]  # fmt: skip


def windows(line: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The stretches of the day of a line, as minutes (from, to).

    >>> windows({"window": [990, 30]}), windows({})
    ([(990, 1440), (0, 30)], [(0, 1440)])
    """
    first, last = line.get("window", (0, MINUTES_OF_A_DAY))
    return [(first, last)] if first < last else [(first, MINUTES_OF_A_DAY), (0, last)]


def instant(text: str | None) -> datetime | None:
    """An instant of a price file: UTC, without zone as everywhere in the store."""
    return None if text is None else datetime.fromisoformat(str(text))
