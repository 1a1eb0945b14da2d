"""The replay a second time, slowly: one call after the other, from the definition in ARCHITECTURE.md.

Next to nothing here keeps state. What a cache holds, what a budget has spent and how high a session
has gone is asked anew for each call of the list of all verdicts so far; only providers keep lists
of what they let through and saw fail. Tokens and money are integers and fractions. Of
`costctl/replay` it shares the draws, and how unknown latencies are filled in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from costctl.policy.behaviour import RequestCache, SpendFilter
from costctl.policy.schema import Policy
from tests.replay.oracle_attempts import Attempts, Chance, Story
from tests.replay.oracle_budgets import Broken, Budget, Ruling, SpentOut
from tests.replay.oracle_lanes import LOGGED, Lanes, Prices
from tests.replay.oracle_near import Near, Prompt
from tests.replay.oracle_past import Past
from tests.replay.oracle_router import Choice, Chooser
from tests.replay.oracle_terms import Call, cacheable, holds, reads

Row = dict[str, Any]
UNMET = "meets no stage"
SCOPE_COLUMNS = {"user": "user_id", "session": "session_id"}
PARAMETERS = ("temperature", "max_output_tokens", "response_format", "tool_count", "stream")


class Verdict(NamedTuple):
    """What happened to one call, and why."""

    call: Call
    lane: str  # of the answer; where nobody answers, the first
    entry: str  # the first lane that was asked, or would have been
    routed: str
    served_by: str
    answered_by: tuple[int, int] | None
    degraded: bool
    over_budget: bool
    cap: Broken | None
    cost: int
    uncapped: int
    routed_uncapped: int
    output_tokens: int
    input_tokens: int
    reason: str
    floor: str | None
    charged_tokens: int  # by the caps on tokens: of all attempts that are billed
    latency_us: int | None
    story: Story | None = None
    is_refreshed: bool = False
    similarity_ppb: int = -1
    is_overspent: bool = False  # over a budget only by what its attempts came to
    gain_ppb: int = -1  # of the calls that the learned router decided


class Log(NamedTuple):
    """One log: its attempts with their prices (table `request`), which share a call (table `call`), and more."""

    rows: Sequence[Row]
    members: Sequence[Row]
    past: Past
    prices: Prices
    chance: Chance
    prompts: dict[int, Prompt]


def judge(log: Log, policy: Policy) -> list[Verdict]:
    """The verdict on each call, in the order of the replay."""
    court = _Court(log, policy)
    told: list[Verdict] = []
    for call in ordered(log.rows, log.members):
        told.append(court.with_gain(court.verdict(call, told)))
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

    def __init__(self, log: Log, policy: Policy) -> None:
        self.policy = policy
        self.past = log.past
        self.chance = log.chance
        self.tiers = {tier.name: tier for tier in policy.tiers}
        self.height = {name: number for number, name in enumerate(self.tiers)}
        self.lanes = Lanes(policy, log.prices, log.past)
        self.fits = self.lanes.fits
        self.budget = Budget(policy)
        self.spent_out = SpentOut(policy, self.lanes.offer)
        self.attempts = Attempts(policy, log.past, log.chance)
        self.opened: dict[Any, Call] = {}
        self._keys: dict[Any, tuple[Any, ...] | None] = {}
        self.near = Near(policy, log.prompts)
        self.router = Chooser(policy, log.prices)

    def verdict(self, call: Call, told: Sequence[Verdict]) -> Verdict:
        if call.row["session_id"] is not None:
            self.opened.setdefault(call.row["session_id"], call)
        if call.is_unpriced or not call.is_dated:
            return self._as_logged(call, UNMET, "provider")
        self.near.node(call, is_opening=self.opened.get(call.row["session_id"], call) is call)
        hit = self._hit(call, told)
        if hit is not None:
            return self._as_logged(call, "cached", "exact_cache")._replace(answered_by=hit, cost=0, latency_us=0)
        found = self.near.find(call, told)
        if found is not None and found.is_served:
            cached = self._as_logged(call, "cached", "semantic_cache")
            return cached._replace(
                answered_by=found.identity, cost=0, latency_us=0, similarity_ppb=found.similarity_ppb
            )
        if not call.is_movable:
            routed, reason, floor = LOGGED, "stays", None
        else:
            routed, reason, floor = self._route(call)
            refresher = self.policy.cache.semantic.refresh_tier if self.policy.cache.semantic else None
            if found is not None and refresher is not None and self.fits(call, refresher):
                made = self._spend(call, refresher, "refreshed", floor, told)
                by, like = found.identity, found.similarity_ppb
                is_asked = made.served_by != "refused"
                return made._replace(answered_by=by, is_refreshed=True, similarity_ppb=like) if is_asked else made
            routed = self._sticky(call, routed, told)
        return self._spend(call, routed, reason, floor, told)

    def with_gain(self, verdict: Verdict) -> Verdict:
        """The verdict with what the router said of the call, wherever it went in the end."""
        choice = self._choice(verdict.call)
        return verdict if choice is None else verdict._replace(gain_ppb=choice.gain_ppb)

    def _as_logged(self, call: Call, reason: str, by: str) -> Verdict:
        base, tokens = call.baseline, (call.input_tokens or 0, call.output_tokens or 0)
        return Verdict(
            call, LOGGED, LOGGED, LOGGED, by, None, False, False, None, base, base, base,
            tokens[1], tokens[0], reason, None, sum(tokens), call.latency_us if call.is_ok else None,
        )  # fmt: skip

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
        choice = self.router.choose(call)
        if choice is not None:
            return choice.lane, choice.reason
        intent = call.row["intent"]
        if intent is not None and intent in routing.matrix:
            return routing.matrix[intent], f"intent {intent}"
        return (routing.default, "default") if routing.default else (LOGGED, "none")

    def _choice(self, call: Call) -> Choice | None:
        """What the router says of a call that reaches it."""
        is_ruled = any(holds(rule.when, call) for rule in self.policy.routing.rules)
        return None if is_ruled else self.router.choose(call)

    def _sticky(self, call: Call, lane: str, told: Sequence[Verdict]) -> str:
        column = {"session": "session_id", "user": "user_id", None: None}[self.policy.routing.sticky]
        who = call.row[column] if column else None
        if who is None or lane not in self.height:
            return lane
        served = [
            self.height[one.lane]
            for one in told
            if one.served_by == "provider"
            and one.lane in self.height
            and one.call.row[column] == who
            and not one.is_refreshed
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
            is_kept = one.served_by == "provider" and one.call.is_ok and one.reason != UNMET and not one.is_refreshed
            if not is_hit and not is_kept:
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
            keeps_all = isinstance(cache.exact, RequestCache)
            may = cache.exact is not None and cacheable(call, cache, is_opening=is_opening, keeps_personal=keeps_all)
            may = may and self._is_cool(call)
            scope = PARAMETERS if keeps_all else cache.exact.scope if cache.exact else ()
            of_scope = (reads(call, SCOPE_COLUMNS.get(name, name)) for name in scope)
            self._keys[call.identity] = (call.row["prompt_key"], *of_scope) if may else None
        return self._keys[call.identity]

    def _is_cool(self, call: Call) -> bool:
        """Whether the temperature lets a cache serve: that of the tier that the rules give, else as logged, else 1."""
        assert self.policy.cache.exact is not None
        most = self.policy.cache.exact.max_temperature
        if most is None:
            return True
        lane = self._route(call)[0] if call.is_movable else LOGGED
        said = None if lane == LOGGED else self.lanes.lanes[lane].temperature
        if said is None and call.row["temperature"] is not None:
            said = Decimal(repr(call.row["temperature"]))
        return (Decimal(1) if said is None else said) <= most

    # Budgets

    def _spend(self, call: Call, routed: str, reason: str, floor: str | None, told: Sequence[Verdict]) -> Verdict:
        def lower(lane: str) -> str | None:
            at = self.height.get(lane, 0)
            if at == 0:
                return None
            below = list(self.tiers)[at - 1]
            is_floor = floor is not None and not self.policy.budgets.over_floor and at - 1 < self.height[floor]
            return None if is_floor or not self.fits(call, below) else below

        if isinstance(self.policy.budgets, SpendFilter):
            ruling = Ruling(routed)
        else:
            ruling = self.budget.rule(call, routed, lower, lambda lane: self.lanes.offer(call, lane), told)
        offer, before = self.lanes.offer(call, ruling.lane), self.lanes.offer(call, routed)
        is_refused = ruling.is_refused
        verdict = Verdict(
            call, ruling.lane, ruling.lane, routed, "refused" if is_refused else "provider", None, ruling.degraded,
            ruling.over_budget, ruling.cap, 0 if is_refused else offer.cost, 0 if is_refused else offer.uncapped,
            before.uncapped, offer.output_tokens, offer.input_tokens, reason, floor, offer.tokens, None,
        )  # fmt: skip
        return verdict if is_refused else self._settled(self._attempt(verdict, told), told)

    def _settled(self, verdict: Verdict, told: Sequence[Verdict]) -> Verdict:
        """Whether what an answered call came to, with all its attempts, takes a cap above its limit."""
        if verdict.served_by != "provider":
            return verdict
        call, tokens = verdict.call, verdict.charged_tokens
        over = self.budget.settle(call, verdict.lane, verdict.cost, tokens, told)
        if over is None or verdict.over_budget:
            return verdict
        return verdict._replace(over_budget=True, is_overspent=True, cap=verdict.cap or over)

    # Attempts

    def _attempt(self, verdict: Verdict, told: Sequence[Verdict]) -> Verdict:
        """How the providers serve a call that budgets let through."""
        call, entry = verdict.call, verdict.entry
        its = self.lanes.offer(call, entry)
        logged_us = call.latency_us if call.is_ok else None
        if entry == LOGGED or not self.attempts.is_played:
            cap = self.spent_out.cap(call, entry, told)
            if cap is not None:
                return self._refused(verdict, cap)
        if entry == LOGGED:
            self.attempts.stay(call, its)
            return verdict._replace(latency_us=logged_us)
        if not self.attempts.is_played:
            return verdict._replace(latency_us=logged_us if its.is_own else self._drawn_latency(call, its.key))
        story = self.attempts.play(
            call, entry, lambda lane: self.lanes.offer(call, lane), lambda lane: self.spent_out.cap(call, lane, told)
        )
        verdict = verdict._replace(entry=story.entered or entry)
        if story.cap is not None and story.lane is None and not story.counts["attempts"]:
            return self._refused(verdict._replace(story=story), story.cap)
        if story.cap is not None:
            verdict = verdict._replace(cap=story.cap)
        last = self.lanes.offer(call, story.lane or entry)
        is_answered = story.lane is not None
        return verdict._replace(
            lane=story.lane or entry, served_by="provider" if is_answered else "failed", cost=story.cost,
            uncapped=last.uncapped if is_answered else 0, input_tokens=last.input_tokens,
            output_tokens=last.output_tokens, charged_tokens=story.tokens, story=story,
            latency_us=story.elapsed_us if is_answered and story.is_timed else None,
        )  # fmt: skip

    def _refused(self, verdict: Verdict, cap: Broken) -> Verdict:
        return verdict._replace(served_by="refused", cap=cap, cost=0, uncapped=0)

    def _drawn_latency(self, call: Call, model: str) -> int | None:
        """That of one logged answer of the model."""
        answers = self.past.answers
        if not answers.knows(model):
            return None
        return answers.pick(model, call.time_us, self.chance.draw(call, "latency", 0)).latency_us
