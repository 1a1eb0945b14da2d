"""What the sent input costs on each model: the same price join again, for the calls that a step changes.

A step is priced with its own token counts and service tier, so that a context cliff counts; what it does
not change keeps the price that it had. On the logged model only the answering attempt changes: its cost
as it is sent takes the place of its cost in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from costctl.prices.book import PriceBook
from costctl.replay.calls import Calls, Flag, Int, fetch
from costctl.replay.candidates import (
    Candidate,
    Hypothetical,
    Priced,
    PriceDays,
    as_logged,
    priced_as_logged,
    priced_calls,
)
from costctl.replay.ratios import Assumed, input_ratio
from costctl.replay.sent import Buckets, Sent
from costctl.store import Store


def sent_candidate(
    store: Store, book: PriceBook, calls: Calls, plain: Candidate, own: Candidate, assumed: Assumed, sent: Sent,
    days: PriceDays,
) -> Candidate:  # fmt: skip
    """The candidate with its cost after each step; calls of its own model take theirs from `own`."""
    of_input = input_ratio(plain.price_key, plain.price_key, assumed)
    asked = Hypothetical(plain.model, of_input=of_input, of_output=plain.output_ratios)
    price = _Price(plain)
    batched = batched_on(sent, calls, plain.price_key)
    for number, (tokens, changed) in enumerate(_changes(sent)):
        rows = (batched if changed is None else changed) & ~plain.is_logged & price.is_known
        if rows.any():
            name_sent(store, rows, tokens, batched if changed is None else None)
            (found,) = priced_calls(store, book, calls, days, [asked], source="sent_call")
            price.take(rows, found)
        price.steps.append(np.where(plain.is_logged, own.steps_pusd[number], price.cost_pusd))
    assert own.is_batched is not None
    assert own.is_assumed is not None
    batched_in_all = np.where(plain.is_logged, own.is_batched, batched)
    return replace(
        plain, steps_pusd=np.stack(price.steps), is_known=np.where(plain.is_logged, own.is_known, price.is_known),
        input_tokens=np.where(plain.is_logged, own.input_tokens, price.input_tokens),
        output_price_pusd=np.where(plain.is_logged, own.output_price_pusd, price.output_price_pusd),
        is_batched=batched_in_all, is_assumed=np.where(plain.is_logged, own.is_assumed, price.is_assumed & batched),
    )  # fmt: skip


def sent_as_logged(store: Store, book: PriceBook, calls: Calls, sent: Sent, days: PriceDays) -> Candidate:
    """Every call on its own model, with its cost after each step."""
    plain = as_logged(calls)
    listed: Int = fetch(store, "coalesce(pusd_of(list_cost_usd), 0) AS pusd")["pusd"]
    price, batched = _Price(plain), np.zeros(calls.count, dtype=np.bool_)
    for code, key in enumerate(calls.models):
        batched |= batched_on(sent, calls, key) & (calls.model == code)
    for tokens, changed in _changes(sent):
        rows = batched if changed is None else changed
        if rows.any():
            name_sent(store, rows, tokens, batched if changed is None else None)
            found = priced_as_logged(store, book, calls, days, "sent_row")
            # Earlier attempts of the call cost what they did.
            price.take(rows, found._replace(cost_pusd=calls.baseline_pusd - listed + found.cost_pusd))
        price.steps.append(price.cost_pusd.copy())
    return replace(
        plain, steps_pusd=np.stack(price.steps), is_known=price.is_known, is_batched=batched,
        is_assumed=price.is_assumed & batched,
        input_tokens=np.where(calls.is_movable, sent.after.total, plain.input_tokens),
        output_price_pusd=price.output_price_pusd,
    )  # fmt: skip


def batched_on(sent: Sent, calls: Calls, price_key: str) -> Flag:
    """The calls that wait for a batch of this model."""
    if sent.waiting is None or not sent.waiting.is_batched(price_key):
        return np.zeros(calls.count, dtype=np.bool_)
    return sent.waiting.may_wait


def name_sent(store: Store, rows: Flag, tokens: Buckets, batched: Flag | None) -> None:
    """Make `sent_row` of what these calls send, and `sent_call`: the calls with that in place of what they sent."""
    columns: dict[str, Any] = {name: column[rows] for name, column in tokens._asdict().items()}
    columns["position"] = np.flatnonzero(rows)
    columns["is_batched"] = np.zeros(len(columns["position"]), dtype=np.bool_) if batched is None else batched[rows]
    store.append("sent_column", columns, new="TEMP TABLE")
    store.execute(
        "CREATE OR REPLACE TEMP VIEW sent_row AS SELECT *, CASE WHEN is_batched THEN 'batch' END AS service_tier, "
        "fresh + read + written_5m + written_1h + written_other AS tokens FROM sent_column"
    )
    store.execute(
        "CREATE OR REPLACE TEMP VIEW sent_call AS SELECT c.* REPLACE (s.tokens AS input_tokens, "
        "coalesce(s.service_tier, c.service_tier) AS service_tier) FROM replay_call c JOIN sent_row s USING (position)"
    )


class _Price:
    """The price of a candidate while steps change it."""

    def __init__(self, plain: Candidate) -> None:
        self.cost_pusd = plain.cost_pusd.copy()
        self.output_price_pusd = plain.output_price_pusd.copy()
        self.input_tokens = plain.input_tokens.copy()
        self.is_known = plain.is_known.copy()
        self.is_assumed = np.zeros(len(plain.is_known), dtype=np.bool_)
        self.steps: list[Int] = []

    def take(self, rows: Flag, found: Priced) -> None:
        """Prices of these calls as they are sent now; a call whose input has no rate is known no longer."""
        self.cost_pusd[rows] = found.cost_pusd[rows]
        self.output_price_pusd[rows] = (found.output_pusd // np.maximum(found.output_tokens, 1))[rows]
        self.input_tokens[rows] = found.input_tokens[rows]
        self.is_known[rows] = found.is_priced[rows]
        self.is_assumed[rows] = found.is_assumed[rows]


def _changes(sent: Sent) -> Iterator[tuple[Buckets, Flag | None]]:
    """The input after each step with the calls that it changes; at last, with None, the calls that wait."""
    for step in sent.steps:
        yield step.tokens, step.is_changed
    if sent.waiting is not None:
        yield sent.after, None
