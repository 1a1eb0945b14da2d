"""What each call would have cost on each model that the policy names.

One model at a time goes through the same price join as the log itself, with its token counts
scaled; so a price window, a context cliff or a service tier counts for a projection as for a bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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
    cost, output_tokens, output_cost, is_priced = _priced(store, book, calls, model, key, ratios, assumed, days)
    each = output_cost // np.maximum(output_tokens, 1)
    logged_each = calls.output_pusd // np.maximum(calls.output_tokens, 1)
    return Candidate(
        model=model,
        price_key=key,
        cost_pusd=np.where(is_logged, calls.baseline_pusd, cost),
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


def _priced(
    store: Store,
    book: PriceBook,
    calls: Calls,
    model: str,
    key: str,
    ratios: dict[str, Ratio | None],
    assumed: Assumed,
    days: PriceDays,
) -> tuple[Int, Int, Int, Flag]:
    of_input = _fraction(input_ratio(key, key, assumed))
    store.execute("CREATE OR REPLACE TEMP TABLE candidate (model VARCHAR, input_over BIGINT, input_under BIGINT)")
    store.insert("candidate", ["model", "input_over", "input_under"], [(model, *map(str, of_input))])
    store.execute("CREATE OR REPLACE TEMP TABLE candidate_ratio (logged VARCHAR, over BIGINT, under BIGINT)")
    rows = [(other, *map(str, _fraction(ratio))) for other, ratio in ratios.items() if ratio]
    store.insert("candidate_ratio", ["logged", "over", "under"], rows)
    store.execute(_SQL.read_text("utf-8"))
    sql, params = priced_query(store, source="hypothetical", book=book, priced_at=days.priced_at, as_of=days.as_of)
    found = store.numpy(
        "SELECT position, coalesce(CAST(list_cost_usd * 1000000000000 AS BIGINT), 0) AS cost_pusd, "
        "coalesce(CAST(output_cost_usd * 1000000000000 AS BIGINT), 0) AS output_pusd, "
        "coalesce(output_tokens, 0) AS output_tokens, list_cost_usd IS NOT NULL AS is_priced FROM "
        f"({sql})",
        params,
    )
    place = plain(found["position"])
    columns: list[Any] = []
    for name, kind in (("cost_pusd", np.int64), ("output_tokens", np.int64), ("output_pusd", np.int64),
                       ("is_priced", np.bool_)):  # fmt: skip
        column = np.zeros(calls.count, dtype=kind)
        column[place] = plain(found[name])
        columns.append(column)
    return columns[0], columns[1], columns[2], columns[3]


def _fraction(ratio: Ratio) -> tuple[int, int]:
    """Six decimals of the ratio as a fraction, small enough for 64-bit products of token counts."""
    over, under = round(ratio.value, 6).as_integer_ratio()
    return over, under
