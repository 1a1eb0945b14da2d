"""What a call costs in each lane, as the oracle computes it: in whole tokens and fractions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

from costctl.policy.schema import Policy
from tests.replay.oracle_past import Past
from tests.replay.oracle_terms import Call, unknown_last

LOGGED = "logged"


class Quote(NamedTuple):
    """Picodollars of one token of input and of output."""

    input: int
    output: int


class Prices(Protocol):
    """Where prices come from: key and window of a model, its price at a time and size."""

    def key(self, model: str) -> str: ...
    def window(self, model: str) -> int | None: ...
    def quote(self, model: str, when: datetime | None, input_tokens: int) -> Quote | None: ...


class Offer(NamedTuple):
    """What a call costs with one model in one lane."""

    model: str
    key: str  # the model's price key
    is_own: bool  # the model that answered in the log
    cost: int
    uncapped: int
    input_tokens: int
    output_tokens: int
    fits: bool
    is_cut: bool = False  # by the tier's cap

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def provider(self) -> str:
        """The first part of the price key."""
        return self.key.split("/", 1)[0]


class Lanes:
    """The lanes of one policy over one log."""

    def __init__(self, policy: Policy, prices: Prices, past: Past) -> None:
        self.assume = policy.assume
        self.prices = prices
        self.past = past
        self.lanes = {tier.name: tier for tier in (*policy.tiers, *policy.specialists)}
        self._offers: dict[Any, Offer] = {}

    def offer(self, call: Call, lane: str) -> Offer:
        """The model of a lane for one call."""
        asked = (call.identity, lane)
        if asked not in self._offers:
            self._offers[asked] = self._best(call, lane)
        return self._offers[asked]

    def fits(self, call: Call, lane: str) -> bool:
        """Whether a lane can hold a call."""
        return self.offer(call, lane).fits

    def _best(self, call: Call, lane: str) -> Offer:
        if lane == LOGGED:
            known = (call.input_tokens or 0, call.output_tokens or 0)
            return Offer(LOGGED, call.model, True, call.baseline, call.baseline, *known, True)
        tier = self.lanes[lane]
        offers = [self._with_model(call, model, tier) for model in tier.models]
        if tier.select == "fastest":  # models without a known latency come last
            offers.sort(key=lambda one: unknown_last(self.past.median_us(one.key)))
        able = [one for one in offers if one.fits]
        if tier.select == "cheapest" and able:
            return min(able, key=lambda one: one.cost)
        return (able or offers)[0]

    def _with_model(self, call: Call, model: str, tier: Any) -> Offer:
        is_own = model == LOGGED or self.prices.key(model) == call.price_key
        key = call.model if is_own else self.prices.key(model)
        assert call.input_tokens is not None
        assert call.output_tokens is not None
        if is_own:
            sent, said, cost = call.input_tokens, call.output_tokens, call.baseline
            each = call.output_pusd // said if said else 0
            window = None
        else:
            sent = rounded(call.input_tokens * self._ratio("input", model))
            said = rounded(call.output_tokens * self._ratio("output", model))
            quote = self.prices.quote(model, call.priced_at, sent)
            if quote is None:
                return Offer(model, key, False, 0, 0, sent, said, False)
            cost, each = sent * quote.input + said * quote.output, quote.output
            window = self.prices.window(model)
        kept = said if tier.max_output_tokens is None else min(said, tier.max_output_tokens)
        needed = call.input_tokens + kept
        fits = all(limit is None or needed <= limit for limit in (tier.context_tokens, window))
        return Offer(model, key, is_own, cost - (said - kept) * each, cost, sent, kept, fits, kept < said)

    def _ratio(self, kind: str, model: str) -> Fraction:
        said = getattr(self.assume, f"{kind}_tokens_ratio")
        return Fraction(said[model] if isinstance(said, Mapping) else said)


def rounded(amount: Fraction) -> int:
    """To the nearest whole number, halves up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)
