"""The replay a second time, slowly: one call after the other, from the definition in ARCHITECTURE.md.

Nothing here keeps state. What a cache holds, what a budget has spent and how high a session has
gone is asked anew for each call of the list of all verdicts so far; tokens and money are integers
and fractions. Shares no code with `costctl/replay`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

from costctl.policy.schema import Policy
from tests.replay.oracle_budgets import Budget
from tests.replay.oracle_terms import Call, cacheable, holds, reads

Row = dict[str, Any]
LOGGED = "logged"
UNMET = "meets no stage"
SCOPE_COLUMNS = {"user": "user_id", "session": "session_id"}


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
    cost: int
    uncapped: int
    input_tokens: int
    output_tokens: int
    fits: bool


class Verdict(NamedTuple):
    """What happened to one call, and why."""

    call: Call
    lane: str
    routed: str
    served_by: str
    answered_by: tuple[int, int] | None
    degraded: bool
    over_budget: bool
    cap: str | None
    cost: int
    uncapped: int
    routed_uncapped: int
    output_tokens: int
    input_tokens: int
    reason: str
    floor: str | None


def judge(rows: Sequence[Row], calls: Sequence[Row], policy: Policy, price_of: Prices) -> list[Verdict]:
    """The verdict on each call, in the order of the replay.

    `rows` are the attempts with their prices (table `request`), `calls` says which of them share a
    call (table `call`).
    """
    court = _Court(policy, price_of)
    told: list[Verdict] = []
    for call in ordered(rows, calls):
        told.append(court.verdict(call, told))
    return told


def ordered(rows: Sequence[Row], calls: Sequence[Row]) -> list[Call]:
    """The calls in the order of the replay."""
    place = {(one["file_id"], one["source_line"]): one for one in calls}
    chains: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        at = (row["file_id"], row["source_line"])
        one = place.get(at)
        chains[at if one is None else (one["trace_id"], one["prompt"], one["call_number"])].append(
            {**row, "attempt_number": 1 if one is None else one["attempt_number"]}
        )
    return sorted(map(Call, chains.values()), key=lambda call: call.order)


class _Court:
    """One policy over one log."""

    def __init__(self, policy: Policy, prices: Prices) -> None:
        self.policy = policy
        self.prices = prices
        self.tiers = {tier.name: tier for tier in policy.tiers}
        self.lanes = {tier.name: tier for tier in (*policy.tiers, *policy.specialists)}
        self.height = {name: number for number, name in enumerate(self.tiers)}
        self.budget = Budget(policy)
        self.opened: dict[Any, Call] = {}
        self._offers: dict[Any, Offer] = {}
        self._keys: dict[Any, tuple[Any, ...] | None] = {}

    def verdict(self, call: Call, told: Sequence[Verdict]) -> Verdict:
        if call.row["session_id"] is not None:
            self.opened.setdefault(call.row["session_id"], call)
        if call.is_unpriced or not call.is_dated:
            return self._as_logged(call, UNMET, "provider")
        hit = self._hit(call, told)
        if hit is not None:
            return self._as_logged(call, "cached", "exact_cache")._replace(answered_by=hit, cost=0)
        if not call.is_movable:
            routed, reason, floor = LOGGED, "stays", None
        else:
            routed, reason, floor = self._route(call)
            routed = self._sticky(call, routed, told)
        return self._spend(call, routed, reason, floor, told)

    def _as_logged(self, call: Call, reason: str, by: str) -> Verdict:
        base = call.baseline
        return Verdict(
            call, LOGGED, LOGGED, by, None, False, False, None, base, base, base,
            call.output_tokens or 0, call.input_tokens or 0, reason, None,
        )  # fmt: skip

    # What a lane costs

    def offer(self, call: Call, lane: str) -> Offer:
        """The model of a lane for one call."""
        asked = (call.identity, lane)
        if asked not in self._offers:
            self._offers[asked] = self._best(call, lane)
        return self._offers[asked]

    def _best(self, call: Call, lane: str) -> Offer:
        if lane == LOGGED:
            known = (call.input_tokens or 0, call.output_tokens or 0)
            return Offer(LOGGED, call.baseline, call.baseline, *known, True)
        tier = self.lanes[lane]
        offers = [self._with_model(call, model, tier) for model in tier.models]
        able = [one for one in offers if one.fits]
        if tier.select == "cheapest" and able:
            return min(able, key=lambda one: one.cost)
        return (able or offers)[0]

    def _with_model(self, call: Call, model: str, tier: Any) -> Offer:
        is_own = model == LOGGED or self.prices.key(model) == call.price_key
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
                return Offer(model, 0, 0, sent, said, False)
            cost, each = sent * quote.input + said * quote.output, quote.output
            window = self.prices.window(model)
        kept = said if tier.max_output_tokens is None else min(said, tier.max_output_tokens)
        needed = call.input_tokens + kept
        fits = all(limit is None or needed <= limit for limit in (tier.context_tokens, window))
        return Offer(model, cost - (said - kept) * each, cost, sent, kept, fits)

    def _ratio(self, kind: str, model: str) -> Fraction:
        said = getattr(self.policy.assume, f"{kind}_tokens_ratio")
        return Fraction(said[model] if isinstance(said, Mapping) else said)

    def fits(self, call: Call, lane: str) -> bool:
        return self.offer(call, lane).fits

    # Route

    def _route(self, call: Call) -> tuple[str, str, str | None]:
        """Lane, reason, and the highest floor that speaks."""
        routing = self.policy.routing
        lane, reason = self._first_lane(call)
        floors = []
        for kind, entries in (("raise", routing.raises), ("floor", routing.floors)):
            for one in entries:
                if not holds(one.when, call):
                    continue
                to = one.to if kind == "raise" else one.at_least
                if kind == "floor":
                    floors.append(to)
                if lane in self.height and self.height[to] > self.height[lane]:
                    lane, reason = to, one.name
        floor = max(floors, key=self.height.__getitem__, default=None)
        if not self.fits(call, lane):
            higher = [one for one in self.tiers if lane in self.height and self.height[one] > self.height[lane]]
            lane = next((one for one in higher if self.fits(call, one)), LOGGED)
        return lane, reason, floor

    def _first_lane(self, call: Call) -> tuple[str, str]:
        routing = self.policy.routing
        for rule in routing.rules:
            if holds(rule.when, call):
                return rule.to, rule.name
        intent = call.row["intent"]
        if intent is not None and intent in routing.matrix:
            return routing.matrix[intent], f"intent {intent}"
        return (routing.default, "default") if routing.default else (LOGGED, "none")

    def _sticky(self, call: Call, lane: str, told: Sequence[Verdict]) -> str:
        column = {"session": "session_id", "user": "user_id", None: None}[self.policy.routing.sticky]
        who = call.row[column] if column else None
        if who is None or lane not in self.height:
            return lane
        served = [
            self.height[one.lane]
            for one in told
            if one.served_by == "provider" and one.lane in self.height and one.call.row[column] == who
        ]
        highest = list(self.tiers)[max(served, default=0)]
        return highest if served and max(served) > self.height[lane] and self.fits(call, highest) else lane

    # Cache

    def _hit(self, call: Call, told: Sequence[Verdict]) -> tuple[int, int] | None:
        """The call whose kept answer serves this one."""
        settings, key = self.policy.cache.exact, self._key(call)
        if settings is None or key is None:
            return None
        others: set[Any] = set()  # keys used since this one was
        uses: list[Verdict] = []  # of this key, back to the answer that was kept
        for one in reversed(told):
            is_hit = one.served_by == "exact_cache"
            if not is_hit and not (one.served_by == "provider" and one.call.is_ok and one.reason != UNMET):
                continue
            its = self._key(one.call)
            if its == key:
                uses.append(one)
                if not is_hit:
                    break
            elif its is not None and not uses:
                others.add(its)
        if not uses or (settings.capacity is not None and len(others) >= settings.capacity):
            return None
        since = uses[0] if settings.ttl_from == "last_hit" else uses[-1]
        return uses[-1].call.identity if call.time_us - since.call.time_us < settings.ttl_us else None

    def _key(self, call: Call) -> tuple[Any, ...] | None:
        """What must be equal for an answer to serve another call; None where no cache may."""
        cache = self.policy.cache
        if call.identity not in self._keys:
            is_opening = self.opened.get(call.row["session_id"], call) is call
            may = cache.exact is not None and cacheable(call, cache, is_opening=is_opening)
            scope = cache.exact.scope if cache.exact else ()
            of_scope = (reads(call, SCOPE_COLUMNS.get(name, name)) for name in scope)
            self._keys[call.identity] = (call.row["prompt_key"], *of_scope) if may else None
        return self._keys[call.identity]

    # Budgets

    def _spend(self, call: Call, routed: str, reason: str, floor: str | None, told: Sequence[Verdict]) -> Verdict:
        def lower(lane: str) -> str | None:
            at = self.height.get(lane, 0)
            if at == 0:
                return None
            below = list(self.tiers)[at - 1]
            is_floor = floor is not None and not self.policy.budgets.over_floor and at - 1 < self.height[floor]
            return None if is_floor or not self.fits(call, below) else below

        ruling = self.budget.rule(call, routed, lower, lambda lane: self.offer(call, lane), told)
        offer, before = self.offer(call, ruling.lane), self.offer(call, routed)
        is_refused = ruling.is_refused
        return Verdict(
            call, ruling.lane, routed, "refused" if is_refused else "provider", None, ruling.degraded,
            ruling.over_budget, ruling.cap, 0 if is_refused else offer.cost, 0 if is_refused else offer.uncapped,
            before.uncapped, offer.output_tokens, offer.input_tokens, reason, floor,
        )  # fmt: skip


def rounded(amount: Fraction) -> int:
    """To the nearest whole number, halves up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)
