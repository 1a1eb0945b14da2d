"""Pricing a table in one join: resolve each distinct model once, let the engine do the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from costctl.prices.book import PriceBook, instant_utc
from costctl.prices.rates import FEE_UNITS, TOKEN_UNITS, Rate
from costctl.store import Store


class RowNames(NamedTuple):
    """What a row names, by which its price is found."""

    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    region: str | None = None


UNITS = (*TOKEN_UNITS, *FEE_UNITS)
EVER = (datetime(1900, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001  (store times carry no zone)
TOKENS_UNLIMITED = 10**12
RESOLUTION_COLUMNS = (*RowNames._fields, "price_key", "price_how", "price_reason")
RATE_COLUMNS = (
    "model_key", "service_tier", "from_at", "to_at", "weekday_mask", "minute_from", "minute_to",
    "input_from_tokens", "input_upto_tokens", "source", *(f"price_{unit}" for unit in UNITS),
)  # fmt: skip
# What the statement computes on its way and does not hand on.
WORKING_COLUMNS = (
    "wanted_tier", "priced_on", "all_input_tokens", "is_failed", "rate_key", "is_assumed", "read_audio", "said_audio",
    "in_audio", "out_audio", "in_image", "out_image", "out_reasoning", "input_usd", "read_usd", "write_usd",
    "reasoning_usd", "answer_usd", "call_usd", "is_input_only", "output_usd", "fee_usd", "all_usd", "lacks_input",
    "lacks_output", "standing",
)  # fmt: skip
# A batch or flex tier without a price of its own is taken at half of standard, any other at standard.
ASSUMED = """CASE WHEN t.model_key IS NOT NULL THEN t.{0} WHEN a.wanted_tier IN ('batch', 'flex')
    THEN CAST(h.{0} * CAST(0.5 AS DECIMAL(2,1)) AS DECIMAL(18,12)) ELSE h.{0} END AS {0}"""
OTHER_TIERS = "'batch', 'flex', 'priority', 'fast'"
# 19 digits, so that the engine multiplies in 128 bits: in 64 a count of a billion overflows.
PRODUCT = "CAST(tokens AS DECIMAL(19,0)) * price"
NOTHING = "CAST(0 AS DECIMAL(37,12))"
# An empty column takes as long to write as a full one; in a view it takes 2 ms of each statement that meets it.
ROWS_OF_FEW_COLUMNS = 20_000
# Macros for what most logs have nothing of, with the columns that make it needed.
MACRO_COLUMNS = {
    "part_usd": (
        "input_audio_tokens", "cache_read_audio_tokens", "output_audio_tokens", "input_image_tokens",
        "output_image_tokens",
    ),
    "write_usd": ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens"),
    "reasoning_usd": ("reasoning_tokens",),
    "fee_usd": ("web_searches",),
}  # fmt: skip
_SQL = Path(__file__).with_name("cost.sql")


def apply_prices(
    store: Store,
    *,
    source: str,
    target: str,
    book: PriceBook,
    priced_at: datetime | None = None,
    as_of: datetime | None = None,
    are_sums: bool = False,
) -> None:
    """Make `target` from `source`: the same rows with price columns and exact costs in USD.

    Each row meets at most one rate, by model and validity. Undated rows are priced at
    `priced_at` (default: the date of the price set); `as_of` prices every row at that day.
    The parts (input, cache reads and writes, output, fees) sum to `list_cost_usd`; reasoning is
    a part of output. What cannot be priced has NULL, never 0, and `price_reason` says why.
    `are_sums`: a row stands for many requests, none of which is as large as the row.

    Of many rows `target` is a view over the table `target_row`, which holds the columns that hold something.
    """
    sql, params = priced_query(store, source=source, book=book, priced_at=priced_at, as_of=as_of, are_sums=are_sums)
    row_count = store.scalar(f"SELECT count(*) FROM {source}")
    empty = _empty_columns(store, source) if row_count >= ROWS_OF_FEW_COLUMNS else {}
    left_out = f"EXCLUDE ({', '.join(map(_quoted, empty))})" if empty else ""
    store.drop(target, f"{target}_row")
    store.execute(f"CREATE TABLE {target}{'_row' if empty else ''} AS SELECT * {left_out} FROM ({sql})", params)
    if empty:
        nulls = "".join(f", CAST(NULL AS {kind}) AS {_quoted(name)}" for name, kind in empty.items())
        store.execute(f"CREATE VIEW {target} AS SELECT *{nulls} FROM {target}_row")
    assert row_count == store.scalar(f"SELECT count(*) FROM {target}"), "a request met two rates or was lost in pricing"


def _empty_columns(store: Store, source: str) -> dict[str, str]:
    """The columns that no row fills, with their types."""
    types: dict[str, str] = {name: kind for name, kind, *_ in store.query(f"DESCRIBE {source}")}
    counts = store.query(f"SELECT {', '.join(f'count({_quoted(name)})' for name in types)} FROM {source}")[0]
    return {name: kind for (name, kind), count in zip(types.items(), counts, strict=True) if not count}


def priced_query(
    store: Store, *, source: str, book: PriceBook, priced_at: datetime | None = None, as_of: datetime | None = None,
    is_loaded: bool = False, are_sums: bool = False, named: Sequence[RowNames] | None = None,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """The SELECT that prices `source`, and its parameters; leaves out what no row or rate needs.

    `is_loaded`: the store holds the prices of all its models already, from pricing a log that has them.
    `named`: all that the source names, where that is known without looking.
    """
    if not is_loaded:
        _resolve(store, source, book, named)
        _load_rates(store, book)
    holds = _occurring(store, source) | {"sums": are_sums}
    for name, is_needed in (("usd_of", True), *((name, holds[name]) for name in MACRO_COLUMNS)):
        store.execute(f"CREATE OR REPLACE TEMP MACRO {name}(tokens, price) AS {PRODUCT if is_needed else NOTHING}")
    store.execute(
        "CREATE OR REPLACE TEMP MACRO cost_of(usd, standing, whole) AS "
        "CASE WHEN whole IS NULL THEN NULL WHEN standing = 0 THEN CAST(usd AS DECIMAL(18,12)) "
        "ELSE CAST(0 AS DECIMAL(18,12)) END"
    )
    rate_column = ASSUMED if holds["tiers"] else "t.{0} AS {0}"
    sql = (
        _SQL.read_text("utf-8")
        .replace("{source}", source)
        .replace(
            "{other_tiers}", f"(SELECT * FROM rate WHERE {'service_tier' if holds['tiers'] else 'NULL'} = 'standard')"
        )
        .replace("{rate_columns}", ", ".join(rate_column.format(f"price_{unit}") for unit in UNITS))
        .replace("{price_names}", ", ".join(f"price_{unit}" for unit in UNITS))
        .replace("{working_columns}", ", ".join(WORKING_COLUMNS))
    )
    lines = [line for line in sql.splitlines() if _is_needed(line, holds)]
    params = {"priced_at": priced_at or instant_utc(book.dated), "as_of": as_of, "failed": book.failed}
    return "\n".join(lines), params


def _occurring(store: Store, source: str) -> dict[str, bool]:
    """Which of the rarer columns any row has, and which of the rarer conditions any rate."""
    sums = ", ".join(
        f"coalesce(max(greatest({', '.join(f'coalesce({name}, 0)' for name in columns)})), 0) > 0"
        for columns in MACRO_COLUMNS.values()
    )
    row = store.query(f"SELECT {sums}, bool_or(lower(service_tier) IN ({OTHER_TIERS})) FROM {source}")[0]
    fee, hours, weekdays = store.query(
        "SELECT bool_or(price_request_1k > 0), bool_or(minute_from > 0 OR minute_to < 1440), "
        "bool_or(weekday_mask <> 127) FROM rate"
    )[0]
    found = dict(zip((*MACRO_COLUMNS, "tiers"), map(bool, row), strict=True))
    return {**found, "fee_usd": found["fee_usd"] or bool(fee), "hours": bool(hours), "weekdays": bool(weekdays)}


def _is_needed(line: str, holds: dict[str, bool]) -> bool:
    fact = line.partition("-- only: ")[2]
    return not holds[fact.removeprefix("no ")] if fact.startswith("no ") else holds.get(fact, True)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _resolve(store: Store, source: str, book: PriceBook, named: Sequence[RowNames] | None) -> None:
    columns = ", ".join(f"{name} VARCHAR" for name in RESOLUTION_COLUMNS)
    store.execute(f"CREATE OR REPLACE TABLE price_resolution ({columns})")
    rows = []
    if named is None:
        distinct = f"SELECT DISTINCT provider, request_model, response_model, region FROM {source} ORDER BY ALL"
        named = [RowNames(*row) for row in store.query(distinct)]
    for provider, requested, served, region in named:
        found = book.resolve(served or requested, provider, region)
        if found.model_key is None and served and requested:
            other = book.resolve(requested, provider, region)
            found = other._replace(reason=f"{other.reason}; by the model asked for") if other.model_key else found
        rows.append((provider, requested, served, region, *found))
    store.insert("price_resolution", RESOLUTION_COLUMNS, rows)


def _load_rates(store: Store, book: PriceBook) -> None:
    prices = ", ".join(f"price_{unit} DECIMAL(18,12)" for unit in UNITS)
    store.execute(
        "CREATE OR REPLACE TABLE rate (model_key VARCHAR, service_tier VARCHAR, from_at TIMESTAMP, to_at TIMESTAMP, "
        "weekday_mask INTEGER, minute_from INTEGER, minute_to INTEGER, input_from_tokens BIGINT, "
        f"input_upto_tokens BIGINT, source VARCHAR, {prices})"
    )
    keys = store.query("SELECT DISTINCT price_key FROM price_resolution WHERE price_key IS NOT NULL ORDER BY 1")
    store.insert("rate", RATE_COLUMNS, [_row(rate) for rate in book.rates(key for (key,) in keys)])


def _row(rate: Rate) -> tuple[object, ...]:
    mask = sum(1 << (day - 1) for day in rate.weekdays) or 127
    return (
        rate.model_key, rate.service_tier, rate.from_at or EVER[0], rate.to_at or EVER[1], mask, rate.minute_from,
        rate.minute_to, rate.input_over_tokens + 1 if rate.input_over_tokens else 0,
        rate.input_upto_tokens or TOKENS_UNLIMITED, rate.source, *(_each(rate, unit) for unit in UNITS),
    )  # fmt: skip


def _each(rate: Rate, unit: str) -> str:
    """The price of one token or of one call, with all twelve decimals."""
    price = rate.prices.get(unit, Decimal(0))
    return f"{price.scaleb(-3 if unit in FEE_UNITS else -6):f}"
