"""What each call would have cost on each model that the policy names.

One model at a time goes through the same price join as the log itself, with its token counts
scaled; so a price window, a context cliff or a service tier counts for a projection as for a bill.
The price is that of the input as logged; where a policy changes what is sent, `sent_prices` goes on
from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from costctl.errors import CostctlError, ExitCode
from costctl.policy.schema import LOGGED
from costctl.policy.stages import SelfHosted
from costctl.prices.book import PriceBook
from costctl.prices.cost import priced_query
from costctl.replay.calls import Calls, Flag, Int, lean_calls, plain
from costctl.replay.ratios import Assumed, Ratio, input_ratio, is_reasoning, output_ratio
from costctl.store import Store

_SQL = Path(__file__).with_name("hypothetical.sql")
SAME = Ratio(Decimal(1), Decimal(1), Decimal(1), "as logged")


@dataclass(frozen=True)
class Candidate:
    """One model on all calls; money in picodollars.

    Where `is_logged`, the call was answered by this very model and keeps what the log says.
    Elsewhere `is_known` tells whether it has a price and a token ratio for this call.
    Tokens and the price of output are those of what is sent, the cost that of the input as logged;
    `steps_pusd` has the cost after each change of it, one row each.
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
    steps_pusd: Int = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    is_batched: Flag | None = None
    is_assumed: Flag | None = None  # the price of its batch is half of list, for want of a published one
    engine: SelfHosted | None = None  # of one's own: the cost is that of full load

    @property
    def sent_pusd(self) -> Int:
        """The cost of what is sent."""
        last: Int = self.steps_pusd[-1] if len(self.steps_pusd) else self.cost_pusd
        return last


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
    refuse_unknown(calls, model, key, ratios)
    of_input = input_ratio(key, key, assumed)
    name_candidate(store, model, "fresh", of_input)
    name_ratios(store, ratios)
    found = priced_calls(store, book, calls, days)
    each = found.output_pusd // np.maximum(found.output_tokens, 1)
    logged_each = calls.output_pusd // np.maximum(calls.output_tokens, 1)
    for column, as_logged_column in (
        (found.cost_pusd, calls.baseline_pusd), (found.input_tokens, calls.input_tokens),
        (found.output_tokens, calls.output_tokens), (each, logged_each),
    ):  # fmt: skip
        np.copyto(column, as_logged_column, where=is_logged)
    return Candidate(
        model=model,
        price_key=key,
        cost_pusd=found.cost_pusd,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        output_price_pusd=each,
        is_logged=is_logged,
        is_known=is_logged | found.is_priced,
        output_ratios=ratios,
        input_ratios={other: input_ratio(other, key, assumed) for other in ratios},
    )


def as_logged(calls: Calls) -> Candidate:
    """Every call on its own model."""
    every = np.ones(calls.count, dtype=np.bool_)
    each = calls.output_pusd // np.maximum(calls.output_tokens, 1)
    return Candidate(
        LOGGED, LOGGED, calls.baseline_pusd, calls.input_tokens, calls.output_tokens, each, every, every, {}, {}
    )


def refuse_unknown(calls: Calls, model: str, key: str, ratios: dict[str, Ratio | None]) -> None:
    """Refuse a model of which no call's tokens can be stated.

    Raises:
        CostctlError: E412.
    """
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


def input_prices(
    store: Store, book: PriceBook, calls: Calls, model: str, days: PriceDays, source: str | None = None
) -> InputPrices:
    """The model's prices of input at each call's time and size; 0 where it has none."""
    name_candidate(store, model, "fresh", SAME)
    name_ratios(store, dict.fromkeys(calls.models, SAME))
    found = []
    for layout in ("fresh", "read", "written"):
        name_candidate(store, model, layout, SAME)
        cost = "input_cost_usd + cache_read_cost_usd + cache_write_cost_usd"
        priced = priced_calls(store, book, calls, days, cost=cost, source=source)
        found.append(priced.cost_pusd // np.maximum(priced.given_tokens, 1))
    return InputPrices(*found)


def name_candidate(store: Store, model: str, layout: str, of_input: Ratio) -> None:
    """Say which model the next prices are of, how its input is split, and its tokens per logged token."""
    store.execute(
        "CREATE OR REPLACE TEMP TABLE candidate (model VARCHAR, layout VARCHAR, input_over BIGINT, input_under BIGINT)"
    )
    row = (model, layout, *map(str, _fraction(of_input)))
    store.insert("candidate", ["model", "layout", "input_over", "input_under"], [row])


def name_ratios(store: Store, ratios: Mapping[str, Ratio | None]) -> None:
    """Say how many tokens the next prices take per output token of each logged model."""
    store.execute("CREATE OR REPLACE TEMP TABLE candidate_ratio (logged VARCHAR, over BIGINT, under BIGINT)")
    rows = [(other, *map(str, _fraction(ratio))) for other, ratio in ratios.items() if ratio]
    store.insert("candidate_ratio", ["logged", "over", "under"], rows)


class Priced(NamedTuple):
    """What the price join says of every call; 0 where a call was not asked for or has no price."""

    cost_pusd: Int
    output_tokens: Int
    output_pusd: Int
    input_tokens: Int  # fresh ones, as the model counts them
    given_tokens: Int  # as the source counts them
    is_priced: Flag
    is_assumed: Flag  # by half of list, for want of a published price


def priced_calls(
    store: Store, book: PriceBook, calls: Calls, days: PriceDays, *, cost: str = "list_cost_usd",
    source: str | None = None, view: Path = _SQL,
) -> Priced:  # fmt: skip
    """The calls, or those of a source, through the price join: as the candidate would answer, or by another view."""
    store.execute(view.read_text("utf-8").replace("{source}", source or lean_calls(store)))
    sql, params = priced_query(store, source="hypothetical", book=book, priced_at=days.priced_at, as_of=days.as_of)
    found = store.numpy(
        f"SELECT position, coalesce(pusd_of({cost}), 0) AS cost_pusd, "
        "coalesce(output_tokens, 0) AS output_tokens, coalesce(pusd_of(output_cost_usd), 0) AS output_pusd, "
        "coalesce(input_uncached_tokens, 0) AS input_tokens, coalesce(input_tokens, 0) AS given_tokens, "
        f"list_cost_usd IS NOT NULL AS is_priced, is_price_assumed AS is_assumed FROM ({sql})",
        params,
    )
    place = plain(found.pop("position"))
    columns: dict[str, Any] = {}
    for name in list(found):  # one at a time, so that no column stands twice in memory for long
        values = plain(found.pop(name))
        columns[name] = np.zeros(calls.count, dtype=values.dtype)
        columns[name][place] = values
    return Priced(**columns)


def priced_rows(
    store: Store, book: PriceBook, calls: Calls, days: PriceDays, model: str, tokens: Mapping[str, Int]
) -> Priced:
    """What one more call of a model costs beside each of these calls, at its time and the standard price.

    `tokens` has the columns position, input_tokens and output_tokens, in the model's own tokens.
    """
    name_candidate(store, model, "fresh", SAME)
    name_ratios(store, dict.fromkeys(calls.models, SAME))
    store.append("extra_row", tokens, new="TEMP TABLE")
    store.execute(
        "CREATE OR REPLACE TEMP VIEW extra_call AS SELECT c.* REPLACE (x.input_tokens AS input_tokens, "
        "x.output_tokens AS output_tokens, CAST(NULL AS VARCHAR) AS service_tier, "
        "CAST(NULL AS INTEGER) AS web_searches, CAST(NULL AS BIGINT) AS input_image_tokens, "
        "'provider' AS usage_source) FROM replay_call c JOIN extra_row x USING (position)"
    )
    return priced_calls(store, book, calls, days, source="extra_call")


def _fraction(ratio: Ratio) -> tuple[int, int]:
    """Six decimals of the ratio as a fraction, small enough for 64-bit products of token counts."""
    over, under = round(ratio.value, 6).as_integer_ratio()
    return over, under
