"""What each call would have cost on each model that the policy names.

Each model goes through the same price join as the log itself, with its token counts scaled; so a
price window, a context cliff or a service tier counts for a projection as for a bill.
The price is that of the input as logged; where a policy changes what is sent, `sent_prices` goes on
from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from costctl.prices.cost import RowNames, priced_query
from costctl.replay.calls import Calls, Flag, Int, lean_calls, plain
from costctl.replay.ratios import Assumed, Ratio, input_ratio, is_reasoning, output_ratio
from costctl.store import Store

ROWS_AT_ONCE = 500_000  # of calls times answers in one statement, which bounds its memory
_SQL = Path(__file__).with_name("hypothetical.sql")
_AS_LOGGED = Path(__file__).with_name("sent_as_logged.sql")
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


class Hypothetical(NamedTuple):
    """An answer to price for every call: the model, how its input is split, its tokens per logged token."""

    model: str
    layout: str = "fresh"
    of_input: Ratio = SAME
    of_output: Mapping[str, Ratio | None] = {}  # by logged model


def price_models(
    store: Store, book: PriceBook, calls: Calls, models: Sequence[str], assumed: Assumed, days: PriceDays
) -> list[Candidate]:
    """Each model's cost of every call, which the logged tokens and the assumptions give.

    Raises:
        CostctlError: E411 where a model has no price, E412 where no token ratio can be stated for any call.
    """
    if not models:
        return []
    keys = [_key(book, model) for model in models]
    asked = [_asked(calls, model, key, assumed) for model, key in zip(models, keys, strict=True)]
    found = priced_calls(store, book, calls, days, asked)
    return [_candidate(calls, one, key, assumed, priced) for one, key, priced in zip(asked, keys, found, strict=True)]


def _key(book: PriceBook, model: str) -> str:
    resolution = book.resolve(model)
    if resolution.model_key is None:
        near = ", ".join(book.near(model)[:3])
        hint = f"did you mean {near}?" if near else "give it a price: costctl simulate --prices own.yaml"
        raise CostctlError("E411", f"no price for {model}, which the policy names: {resolution.reason}", hint)
    return resolution.model_key


def _asked(calls: Calls, model: str, key: str, assumed: Assumed) -> Hypothetical:
    ratios = {other: output_ratio(other, key, assumed) for other in calls.models if other != key}
    refuse_unknown(calls, model, key, ratios)
    return Hypothetical(model, "fresh", input_ratio(key, key, assumed), ratios)


def _candidate(calls: Calls, asked: Hypothetical, key: str, assumed: Assumed, found: Priced) -> Candidate:
    """What was priced, with the calls that this very model answered as the log has them."""
    is_logged = np.array([other == key for other in (*calls.models, None)])[calls.model]
    each = found.output_pusd // np.maximum(found.output_tokens, 1)
    logged_each = calls.output_pusd // np.maximum(calls.output_tokens, 1)
    for column, as_logged_column in (
        (found.cost_pusd, calls.baseline_pusd), (found.input_tokens, calls.input_tokens),
        (found.output_tokens, calls.output_tokens), (each, logged_each),
    ):  # fmt: skip
        np.copyto(column, as_logged_column, where=is_logged)
    return Candidate(
        model=asked.model,
        price_key=key,
        cost_pusd=found.cost_pusd,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        output_price_pusd=each,
        is_logged=is_logged,
        is_known=is_logged | found.is_priced,
        output_ratios=dict(asked.of_output),
        input_ratios={other: input_ratio(other, key, assumed) for other in asked.of_output},
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
    ratios = dict.fromkeys(calls.models, SAME)
    asked = [Hypothetical(model, layout, SAME, ratios) for layout in ("fresh", "read", "written")]
    cost = "input_cost_usd + cache_read_cost_usd + cache_write_cost_usd"
    found = priced_calls(store, book, calls, days, asked, cost=cost, source=source)
    return InputPrices(*(one.cost_pusd // np.maximum(one.given_tokens, 1) for one in found))


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
    store: Store, book: PriceBook, calls: Calls, days: PriceDays, asked: Sequence[Hypothetical], *,
    cost: str = "list_cost_usd", source: str | None = None,
) -> list[Priced]:  # fmt: skip
    """The calls, or those of a source, through the price join: once for each answer that is asked for.

    Few calls meet all answers in one statement, as planning it takes longer than running it.
    """
    view = _SQL.read_text("utf-8").replace("{source}", source or lean_calls(store))
    at_once = max(1, ROWS_AT_ONCE // max(calls.count, 1))
    found: list[Priced] = []
    for start in range(0, len(asked), at_once):
        group = asked[start : start + at_once]
        _name(store, group)
        store.execute(view)
        named = [RowNames(request_model=model) for model in dict.fromkeys(one.model for one in group)]
        found += _priced(store, book, calls, days, cost, len(group), named)
    return found


def priced_as_logged(store: Store, book: PriceBook, calls: Calls, days: PriceDays, source: str) -> Priced:
    """The calls of a source, each on its own model, through the price join."""
    store.execute(_AS_LOGGED.read_text("utf-8").replace("{source}", source))
    (found,) = _priced(store, book, calls, days, "list_cost_usd", 1, None)
    return found


def _priced(
    store: Store, book: PriceBook, calls: Calls, days: PriceDays, cost: str, answers: int,
    named: Sequence[RowNames] | None,
) -> list[Priced]:  # fmt: skip
    sql, params = priced_query(
        store, source="hypothetical", book=book, priced_at=days.priced_at, as_of=days.as_of, named=named
    )
    found = store.numpy(
        f"SELECT answer, position, coalesce(pusd_of({cost}), 0) AS cost_pusd, "
        "coalesce(output_tokens, 0) AS output_tokens, coalesce(pusd_of(output_cost_usd), 0) AS output_pusd, "
        "coalesce(input_uncached_tokens, 0) AS input_tokens, coalesce(input_tokens, 0) AS given_tokens, "
        f"list_cost_usd IS NOT NULL AS is_priced, is_price_assumed AS is_assumed FROM ({sql})",
        params,
    )
    # One row for each answer, so that a position in the whole is one in the row of its answer.
    place = plain(found.pop("answer")).astype(np.int64) * calls.count + plain(found.pop("position"))
    columns: dict[str, Any] = {}
    for name in list(found):  # one at a time, so that no column stands twice in memory for long
        values = plain(found.pop(name))
        columns[name] = np.zeros(answers * calls.count, dtype=values.dtype)
        columns[name][place] = values
    rows = {name: values.reshape(answers, calls.count) for name, values in columns.items()}
    return [Priced(**{name: values[number] for name, values in rows.items()}) for number in range(answers)]


def _name(store: Store, asked: Sequence[Hypothetical]) -> None:
    """Say what the next prices are of, and how many tokens they take per output token of each logged model."""
    of_input = [_fraction(one.of_input) for one in asked]
    of_output = [
        (number, logged, *_fraction(ratio))
        for number, one in enumerate(asked)
        for logged, ratio in one.of_output.items()
        if ratio
    ]
    store.make_table("candidate", {
        "answer": ("INTEGER", range(len(asked))), "model": ("VARCHAR", (one.model for one in asked)),
        "layout": ("VARCHAR", (one.layout for one in asked)),
        "input_over": ("BIGINT", (over for over, _ in of_input)),
        "input_under": ("BIGINT", (under for _, under in of_input)),
    })  # fmt: skip
    store.make_table("candidate_ratio", {
        "answer": ("INTEGER", (number for number, *_ in of_output)),
        "logged": ("VARCHAR", (logged for _, logged, *_ in of_output)),
        "over": ("BIGINT", (over for *_, over, _ in of_output)),
        "under": ("BIGINT", (under for *_, under in of_output)),
    })  # fmt: skip


def priced_rows(
    store: Store, book: PriceBook, calls: Calls, days: PriceDays, model: str, tokens: Mapping[str, Int]
) -> Priced:
    """What one more call of a model costs beside each of these calls, at its time and the standard price.

    `tokens` has the columns position, input_tokens and output_tokens, in the model's own tokens.
    """
    store.append("extra_row", tokens, new="TEMP TABLE")
    store.execute(
        "CREATE OR REPLACE TEMP VIEW extra_call AS SELECT c.* REPLACE (x.input_tokens AS input_tokens, "
        "x.output_tokens AS output_tokens, CAST(NULL AS VARCHAR) AS service_tier, "
        "CAST(NULL AS INTEGER) AS web_searches, CAST(NULL AS BIGINT) AS input_image_tokens, "
        "'provider' AS usage_source) FROM replay_call c JOIN extra_row x USING (position)"
    )
    asked = Hypothetical(model, of_output=dict.fromkeys(calls.models, SAME))
    (found,) = priced_calls(store, book, calls, days, [asked], source="extra_call")
    return found


def _fraction(ratio: Ratio) -> tuple[int, int]:
    """Six decimals of the ratio as a fraction, small enough for 64-bit products of token counts."""
    over, under = round(ratio.value, 6).as_integer_ratio()
    return over, under
