"""The list prices that the samples are made with: USD per million tokens, as published.

They stand here a second time on purpose. The truth of a sample log must not come from the price
data that it is going to test. Sources: the price pages of OpenAI, Anthropic and Mistral;
`mistral-medium-latest` moved from Medium 3 to Medium 3.5 on 2026-06-16.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
START_ON = "2026-06-11"  # a Thursday; the story lasts seven days, all times are UTC
PRICE_CHANGE_MS = 5 * DAY_MS  # 2026-06-16T00:00:00Z

MINI, GPT_4O, GPT_41 = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gpt-4.1-2025-04-14"
SONNET, MISTRAL, UNKNOWN = "claude-sonnet-4-5-20250929", "mistral-medium-latest", "acme-llm-v2"
PROVIDER_OF = {
    MINI: "openai", GPT_4O: "openai", GPT_41: "openai", SONNET: "anthropic", MISTRAL: "mistral", UNKNOWN: "acme",
}  # fmt: skip


class Price(NamedTuple):
    """USD per million tokens."""

    uncached: Decimal
    cached: Decimal
    output: Decimal


PRICES = {
    MINI: Price(Decimal("0.15"), Decimal("0.075"), Decimal("0.6")),
    GPT_4O: Price(Decimal("2.5"), Decimal("1.25"), Decimal(10)),
    GPT_41: Price(Decimal(2), Decimal("0.5"), Decimal(8)),
    SONNET: Price(Decimal(3), Decimal("0.3"), Decimal(15)),
    MISTRAL: Price(Decimal("0.4"), Decimal("0.04"), Decimal(2)),
}
MISTRAL_AFTER = Price(Decimal("1.5"), Decimal("0.15"), Decimal("7.5"))
# Three parts input to one part output cost 3 USD per million tokens or more.
PREMIUM = frozenset({GPT_4O, GPT_41, SONNET, MISTRAL})
_MILLION = Decimal(1_000_000)


def price_at(model: str, at_ms: int) -> Price | None:
    """The list price in force, or None for a model without one."""
    if model == MISTRAL and at_ms >= PRICE_CHANGE_MS:
        return MISTRAL_AFTER
    return PRICES.get(model)


def list_cost_usd(model: str, at_ms: int, uncached: int, cached: int, output: int) -> Decimal | None:
    """Exact cost of one request, or None when the model has no price."""
    price = price_at(model, at_ms)
    if price is None:
        return None
    return (uncached * price.uncached + cached * price.cached + output * price.output) / _MILLION
