"""Quotes: what one model costs per million tokens, on the list or on a published table."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from costctl.errors import CostctlError
from costctl.prices.book import OWN_RATES, PriceBook, instant_utc, load_book
from costctl.prices.models import load_facts, price_status
from costctl.prices.names import as_sold
from costctl.prices.published import PublishedTable, load_published
from costctl.prices.rates import MINUTES_OF_A_DAY, Rate
from costctl.report import Warning


class Quote(NamedTuple):
    """USD per million tokens of one model on one list; the prices are None when unpriced."""

    model: str
    price_key: str | None
    status: str
    note: str
    input: Decimal | None = None
    cache_read: Decimal | None = None
    output: Decimal | None = None
    near: tuple[str, ...] = ()
    warnings: tuple[Warning, ...] = ()
    is_begin_unknown: bool = False  # a past day was asked for, and the book does not say since when the price holds


class PriceList(Protocol):
    """Something that quotes prices, and the models it quotes when none is named."""

    def quote(self, model: str, request_input_tokens: int) -> Quote:
        """The prices of one model for requests of that size (0 = unknown)."""

    def known_models(self) -> tuple[str, ...]:
        """The models to compare when the question names none."""

    def provenance(self) -> dict[str, object]:
        """Which list, of which day."""


def price_list(name: str, at: datetime | None, service_tier: str, book: PriceBook | None) -> PriceList:
    """The list of that name: `list` for the price book, else a published table.

    Raises:
        CostctlError: E211 for an unknown name, E213 for a date or a service tier with a
            published table.
    """
    if name == "list":
        return _BookPrices(book or load_book(), at, service_tier)
    table = load_published(name)
    if at is not None or service_tier != "standard":
        raise CostctlError(
            "E213",
            f"the published table {name} knows neither other dates nor service tiers",
            "leave out --price-list, or --at and --service-tier",
        )
    return _PublishedPrices(table)


class _BookPrices:
    """List prices of the book at one instant and service tier."""

    def __init__(self, book: PriceBook, at: datetime | None, service_tier: str) -> None:
        self._book = book
        self._today = instant_utc(book.dated)
        self._at = at or self._today
        self._tier = service_tier

    def known_models(self) -> tuple[str, ...]:
        return tuple(as_sold(entry.model, entry.provider) for entry in load_facts())

    def provenance(self) -> dict[str, object]:
        return {
            "price_list": "list",
            "price_digest": self._book.digest,
            "prices_at": self._at.isoformat(),
            "service_tier": self._tier,
        }

    def quote(self, model: str, request_input_tokens: int) -> Quote:
        found = self._book.resolve(model)
        if found.model_key is None:
            near = tuple(self._book.near(model))
            return Quote(model, None, "unpriced", found.reason, near=near)
        key = found.model_key
        rate = self._book.rate_at(key, self._at, input_tokens=request_input_tokens, service_tier=self._tier)
        if rate is None:
            note = f"no {self._tier} price of {key} on {self._at:%Y-%m-%d}"
            return Quote(model, key, "unpriced", note)
        return Quote(
            model,
            key,
            price_status(rate),
            f"{found.how}: {found.reason}; {rate.source}",
            rate.prices["input"],
            rate.prices["cache_read"],
            rate.prices["output"],
            warnings=tuple(self._warnings(rate, request_input_tokens)),
            is_begin_unknown=rate.from_at is None and rate.source != OWN_RATES and self._at < self._today,
        )

    def _warnings(self, rate: Rate, request_input_tokens: int) -> list[Warning]:
        warnings = []
        if rate.input_upto_tokens is not None and not request_input_tokens:
            warnings.append(
                Warning(
                    "W211",
                    f"{rate.model_key} has another price for requests above {rate.input_upto_tokens:,} input tokens",
                    "say how many requests there are: --requests 1000 --input 300k",
                )
            )
        if rate.weekdays or (rate.minute_from, rate.minute_to) != (0, MINUTES_OF_A_DAY):
            warnings.append(
                Warning(
                    "W212",
                    f"{rate.model_key} has prices by the hour; this one holds on"
                    f" {self._at:%Y-%m-%d} at {self._at:%H:%M} UTC",
                    "choose the hour: --at 2026-01-31T14:00",
                )
            )
        return warnings


class _PublishedPrices:
    """Prices of a published table; it knows no cache, no tiers and no dates."""

    def __init__(self, table: PublishedTable) -> None:
        self._table = table

    def known_models(self) -> tuple[str, ...]:
        return tuple(row.id for row in self._table.rows)

    def provenance(self) -> dict[str, object]:
        return {"price_list": self._table.name, "source": self._table.source}

    def quote(self, model: str, request_input_tokens: int) -> Quote:
        row = self._table.find(model)
        if row is None:
            near = tuple(self._table.near(model))
            return Quote(model, None, "unpriced", f"not in {self._table.source}", near=near)
        standing = row.standing.replace("_", " ")
        warning = Warning(
            "W213",
            f"{row.name} in {self._table.name} is marked {standing}: {row.note}",
            "the list price: --price-list list",
        )
        return Quote(
            model,
            f"{self._table.name}/{row.id}",
            "priced",
            f"{self._table.source}; {standing}",
            row.input_usd_per_million,
            row.input_usd_per_million,
            row.output_usd_per_million,
            warnings=() if row.standing == "list" else (warning,),
        )
