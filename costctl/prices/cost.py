"""Pricing a table in one join: resolve each distinct model once, let the engine do the rest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from costctl.prices.book import FEE_UNITS, TOKEN_UNITS, PriceBook, Rate, instant_utc
from costctl.store import Store

UNITS = (*TOKEN_UNITS, *FEE_UNITS)
EVER = (datetime(1900, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001  (store times carry no zone)
TOKENS_UNLIMITED = 10**12
_SQL = Path(__file__).with_name("cost.sql")


def apply_prices(
    store: Store,
    *,
    source: str,
    target: str,
    book: PriceBook,
    priced_at: datetime | None = None,
    as_of: datetime | None = None,
) -> None:
    """Make `target` from `source`: the same rows with price columns and exact costs in USD.

    Each row meets at most one rate, by model and validity. Undated rows are priced at
    `priced_at` (default: the date of the price set); `as_of` prices every row at that day.
    """
    _resolve(store, source, book)
    _load_rates(store, book)
    half = "CASE WHEN t.model_key IS NULL AND h.model_key IS NOT NULL THEN CAST(h.{0} * CAST(0.5 AS DECIMAL(2,1)) AS DECIMAL(18,6)) ELSE t.{0} END"
    assumed = (
        "CASE WHEN t.model_key IS NULL AND a.wanted_tier NOT IN ('batch', 'flex') THEN h.{0} ELSE " + half + " END"
    )
    columns = ", ".join(f"{assumed.format(f'price_{unit}')} AS price_{unit}" for unit in UNITS)
    sql = (
        _SQL.read_text("utf-8")
        .replace("{source}", source).replace("{target}", target).replace("{rate_columns}", columns)
        .replace("{price_names}", ", ".join(f"price_{unit}" for unit in UNITS)).replace("{micro}", "micro_usd")
    )  # fmt: skip
    store.execute(
        "CREATE OR REPLACE TEMP MACRO micro_usd(tokens, price) AS CAST(CAST(tokens AS DECIMAL(12,0)) "
        "* coalesce(price, CAST(0 AS DECIMAL(18,6))) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(18,12))"
    )
    store.execute(
        sql,
        {"priced_at": priced_at or instant_utc(book.dated), "as_of": as_of, "failed": book.failed},
    )
    before, after = store.query(f"SELECT (SELECT count(*) FROM {source}), (SELECT count(*) FROM {target})")[0]
    assert before == after, "a request met two rates or none of its rows survived pricing"


def _resolve(store: Store, source: str, book: PriceBook) -> None:
    store.execute(
        "CREATE OR REPLACE TABLE price_resolution (provider VARCHAR, request_model VARCHAR, response_model VARCHAR, "
        "region VARCHAR, price_key VARCHAR, price_how VARCHAR, price_reason VARCHAR)"
    )
    rows = []
    for provider, requested, served, region in store.query(
        f"SELECT DISTINCT provider, request_model, response_model, region FROM {source} ORDER BY ALL"
    ):
        found = book.resolve(served, provider, region) if served else book.resolve(requested, provider, region)
        if found.model_key is None and served and requested:
            other = book.resolve(requested, provider, region)
            found = other._replace(reason=f"{other.reason}; by the model asked for") if other.model_key else found
        rows.append((provider, requested, served, region, *found))
    store.insert(
        "price_resolution",
        [
            "provider",
            "request_model",
            "response_model",
            "region",
            "price_key",
            "price_how",
            "price_reason",
        ],
        rows,
    )


def _load_rates(store: Store, book: PriceBook) -> None:
    prices = ", ".join(f"price_{unit} DECIMAL(18,6)" for unit in UNITS)
    store.execute(
        "CREATE OR REPLACE TABLE rate (model_key VARCHAR, service_tier VARCHAR, from_at TIMESTAMP, to_at TIMESTAMP, weekday_mask INTEGER, "
        f"minute_from INTEGER, minute_to INTEGER, input_from_tokens BIGINT, input_upto_tokens BIGINT, source VARCHAR, {prices})"
    )
    keys = [
        key
        for (key,) in store.query(
            "SELECT DISTINCT price_key FROM price_resolution WHERE price_key IS NOT NULL ORDER BY 1"
        )
    ]
    columns = ["model_key", "service_tier", "from_at", "to_at", "weekday_mask", "minute_from", "minute_to",
               "input_from_tokens", "input_upto_tokens", "source", *(f"price_{unit}" for unit in UNITS)]  # fmt: skip
    store.insert("rate", columns, [_row(rate) for rate in book.rates(keys)])


def _row(rate: Rate) -> tuple[object, ...]:
    mask = sum(1 << (day - 1) for day in rate.weekdays) or 127
    return (
        rate.model_key, rate.service_tier, rate.from_at or EVER[0], rate.to_at or EVER[1], mask, rate.minute_from, rate.minute_to,
        rate.input_over_tokens + 1 if rate.input_over_tokens else 0, rate.input_upto_tokens or TOKENS_UNLIMITED, rate.source,
        *(rate.prices.get(unit) for unit in UNITS),
    )  # fmt: skip
