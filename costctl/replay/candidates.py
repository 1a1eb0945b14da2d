"""What each call would have cost on each model that the policy names.

One model at a time goes through the same price join as the log itself, with its token counts
scaled; so a price window, a context cliff or a service tier counts for a projection as for a bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from costctl.errors import CostctlError, ExitCode
from costctl.prices.book import PriceBook
from costctl.prices.cost import priced_query
from costctl.replay.calls import Calls, Flag, Int, plain
from costctl.replay.ratios import Assumed, Ratio, input_ratio, is_reasoning, output_ratio
from costctl.store import Store

_SQL = Path(__file__).with_name("hypothetical.sql")


@dataclass(frozen=True)
class Candidate:
    """One model on all calls; money in picodollars.

    Where `is_logged`, the call was answered by this very model and keeps what the log says.
    Elsewhere `is_known` tells whether it has a price and a token ratio for this call.
    """

    model: str
    price_key: str
    cost_pusd: Int
    input_tokens: Int
    output_tokens: Int
    output_price_pusd: Int  # of one output token
    is_logged: Flag
    is_known: Flag
    output_ratios: dict[str, Ratio | None]  # by logged model
    input_ratios: dict[str, Ratio]


class PriceDays(NamedTuple):
    """The days at which the audit took its prices, where the user named them."""

    priced_at: datetime | None = None
    as_of: datetime | None = None


def price_candidate(
    store: Store, book: PriceBook, calls: Calls, model: str, assumed: Assumed, days: PriceDays
) -> Candidate:
    """The model's cost of every call, which the logged tokens and the assumptions give.

    Raises:
        CostctlError: E411 where the model has no price, E412 where no token ratio can be stated for any call.
    """
    resolution = book.resolve(model)
    if resolution.model_key is None:
        near = ", ".join(book.near(model)[:3])
        hint = f"did you mean {near}?" if near else "give it a price: costctl simulate --prices own.yaml"
        raise CostctlError("E411", f"no price for {model}, which the policy names: {resolution.reason}", hint)
    key = resolution.model_key
    is_logged = np.array([other == key for other in (*calls.models, None)])[calls.model]
    ratios = {other: output_ratio(other, key, assumed) for other in calls.models if other != key}
    _refuse_unknown(calls, model, key, ratios)
    of_input = input_ratio(key, key, assumed)
    _name_candidate(store, model, "fresh", of_input)
    _name_ratios(store, ratios)
    cost, output_tokens, output_cost, input_tokens, is_priced = _priced(store, book, calls, days)
    each = output_cost // np.maximum(output_tokens, 1)
    logged_each = calls.output_pusd // np.maximum(calls.output_tokens, 1)
    return Candidate(
        model=model,
        price_key=key,
        cost_pusd=np.where(is_logged, calls.baseline_pusd, cost),
        input_tokens=np.where(is_logged, calls.input_tokens, input_tokens),
        output_tokens=np.where(is_logged, calls.output_tokens, output_tokens),
        output_price_pusd=np.where(is_logged, logged_each, each),
        is_logged=is_logged,
        is_known=is_logged | is_priced,
        output_ratios=ratios,
        input_ratios={other: input_ratio(other, key, assumed) for other in ratios},
    )


def _refuse_unknown(calls: Calls, model: str, key: str, ratios: dict[str, Ratio | None]) -> None:
    unknown = sorted(other for other, ratio in ratios.items() if ratio is None)
    if unknown and not any(ratios.values()) and key not in calls.models:
        thinks = "thinks before it answers" if is_reasoning(key) else "does not think before it answers"
        raise CostctlError(
            "E412",
            f"{model} {thinks}, unlike {', '.join(unknown[:3])}: how many tokens it would use is not identifiable",
            f"measure it on some requests, then say so in the policy: assume: {{output_tokens_ratio: {{{key}: 2.5}}}}",
            ExitCode.COVERAGE,
        )


class InputPrices(NamedTuple):
    """What one input token costs on each call, in picodollars: fresh, read from a cache, written to one."""

    fresh: Int
    read: Int
    written: Int


def input_prices(store: Store, book: PriceBook, calls: Calls, model: str, days: PriceDays) -> InputPrices:
    """The model's prices of input at each call's time and size; 0 where it has none."""
    same = Ratio(Decimal(1), Decimal(1), Decimal(1), "as logged")
    _name_ratios(store, dict.fromkeys(calls.models, same))
    found = []
    for layout in ("fresh", "read", "written"):
        _name_candidate(store, model, layout, same)
        cost = _priced(store, book, calls, days, "input_cost_usd + cache_read_cost_usd + cache_write_cost_usd")[0]
        found.append(cost // np.maximum(calls.input_tokens, 1))
    return InputPrices(*found)


def _name_candidate(store: Store, model: str, layout: str, of_input: Ratio) -> None:
    store.execute(
        "CREATE OR REPLACE TEMP TABLE candidate (model VARCHAR, layout VARCHAR, input_over BIGINT, input_under BIGINT)"
    )
    row = (model, layout, *map(str, _fraction(of_input)))
    store.insert("candidate", ["model", "layout", "input_over", "input_under"], [row])


def _name_ratios(store: Store, ratios: dict[str, Ratio | None]) -> None:
    store.execute("CREATE OR REPLACE TEMP TABLE candidate_ratio (logged VARCHAR, over BIGINT, under BIGINT)")
    rows = [(other, *map(str, _fraction(ratio))) for other, ratio in ratios.items() if ratio]
    store.insert("candidate_ratio", ["logged", "over", "under"], rows)


def _priced(
    store: Store, book: PriceBook, calls: Calls, days: PriceDays, cost: str = "list_cost_usd"
) -> tuple[Int, Int, Int, Int, Flag]:
    """Cost, output tokens, cost of output, input tokens of every call on the candidate, and whether it has a price."""
    store.execute(_SQL.read_text("utf-8"))
    sql, params = priced_query(store, source="hypothetical", book=book, priced_at=days.priced_at, as_of=days.as_of)
    found = store.numpy(
        f"SELECT position, coalesce(CAST(({cost}) * 1000000000000 AS BIGINT), 0) AS cost_pusd, "
        "coalesce(output_tokens, 0) AS output_tokens, "
        "coalesce(CAST(output_cost_usd * 1000000000000 AS BIGINT), 0) AS output_pusd, "
        "coalesce(input_uncached_tokens, 0) AS input_tokens, list_cost_usd IS NOT NULL AS is_priced FROM "
        f"({sql})",
        params,
    )
    place = plain(found.pop("position"))
    columns: list[Any] = []
    for values in found.values():
        column = np.zeros(calls.count, dtype=values.dtype)
        column[place] = plain(values)
        columns.append(column)
    return columns[0], columns[1], columns[2], columns[3], columns[4]


def _fraction(ratio: Ratio) -> tuple[int, int]:
    """Six decimals of the ratio as a fraction, small enough for 64-bit products of token counts."""
    over, under = round(ratio.value, 6).as_integer_ratio()
    return over, under
