"""The attempts of one call as the oracle plays them, event by event, from "Attempts" in ARCHITECTURE.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, Protocol

from costctl.policy.behaviour import CountedFailures, SpendFilter, SteppedRetries
from costctl.policy.schema import Policy
from tests.replay.oracle_budgets import Broken
from tests.replay.oracle_lanes import Offer
from tests.replay.oracle_past import OUTCOMES, Past, ending, outcome_of
from tests.replay.oracle_providers import Providers
from tests.replay.oracle_terms import Call, unknown_last

ESCALATION = 31  # the place of the escalation's turn in the names of its draws
TRIES = 32_768
SHOWN = ("truncated", "refusal")  # reasons that a log shows


class Chance(Protocol):
    """Where draws come from."""

    def draw(self, call: Call, purpose: str, number: int) -> float: ...


class Run(NamedTuple):
    """One attempt: its class, and when it ends after its try began (None: nobody knows)."""

    outcome: str
    end_us: int | None


@dataclass
class Story:
    """What happened to one call."""

    entry: str
    entered: str | None = None  # the first that no budget kept it from
    lane: str | None = None  # the one that answered
    cap: Broken | None = None  # the first budget that kept it from a lane
    failures: list[str] = field(default_factory=list)  # of this turn
    cost: int = 0
    tokens: int = 0
    elapsed_us: int = 0
    is_timed: bool = True
    wait_us: int = 0
    before_turn_us: int = 0  # what the turns before this one took
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("attempts", "retries", "hedges", "timeouts"), 0)
    )
    notices: set[str] = field(default_factory=set)
    paid: Counter[str] = field(default_factory=Counter)  # by model

    def passes(self, took_us: int | None) -> None:
        """Time goes by."""
        self.is_timed = self.is_timed and took_us is not None
        self.elapsed_us += took_us or 0

    def bills(self, offer: Offer) -> None:
        """One attempt is paid."""
        self.cost += offer.cost
        self.paid[offer.key] += offer.cost
        self.tokens += offer.tokens


class Attempts:
    """Chains, turns, tries, limits, kill switch and escalation of one policy."""

    def __init__(self, policy: Policy, past: Past, chance: Chance) -> None:
        self.policy = policy
        self.past = past
        self.chance = chance
        self.lanes = {tier.name: tier for tier in (*policy.tiers, *policy.specialists)}
        self.providers = Providers(policy)
        self.is_filtered = isinstance(policy.budgets, SpendFilter)
        self.is_played = bool(
            policy.retries or policy.fallbacks or policy.hedge or policy.escalate or policy.limits or policy.kill_switch
            or any(lane.timeout_us is not None for lane in self.lanes.values())
        )  # fmt: skip

    def stay(self, call: Call, offer: Offer) -> None:
        """A call on the logged lane: providers see it, nothing holds it."""
        self.providers.passes(offer.provider, call.time_us, offer.tokens)
        if isinstance(self.policy.kill_switch, CountedFailures):
            return
        self.providers.saw(offer.provider, call.time_us, 1, 0 if call.is_ok else 1)

    def play(
        self, call: Call, entry: str, offer: Callable[[str], Offer], spent_out: Callable[[str], Broken | None]
    ) -> Story:
        """Turn after turn until a lane answers; then, it may be, the escalation."""
        story = Story(entry)
        for place, lane in enumerate(self.chain(entry)):
            its = offer(lane)
            if place > 0 and not its.fits:
                continue
            cap = spent_out(lane)
            if cap is not None:
                story.cap = story.cap or cap
                continue
            story.entered = story.entered or lane
            admitted = self._admit(call, lane, its, story)
            if admitted == "error":
                break
            if admitted == "go" and self._turn(call, place, lane, its, story):
                story.lane = lane
                if place > 0:
                    story.notices.add("fallback")
                break
        self._escalate(call, offer, story)
        return story

    def chain(self, entry: str) -> Iterator[str]:
        """The lanes that are tried, in order."""
        yield entry
        yield from self.policy.fallbacks.get(entry, ())
        escalate = self.policy.escalate
        if escalate is not None and escalate.from_tier == entry and "error" in escalate.when:
            if escalate.to not in self.policy.fallbacks.get(entry, ()):
                yield escalate.to

    def _admit(self, call: Call, lane: str, its: Offer, story: Story) -> str:
        """Whether a turn may begin: go, fallback (passed over) or error."""
        is_counted = isinstance(self.policy.kill_switch, CountedFailures)
        if self.providers.is_out(f"{lane} {its.key}" if is_counted else its.provider, call.time_us):
            story.notices.add("passed over")
            return "fallback"
        wait = self.providers.ask(its.provider, call.time_us, its.tokens, story.elapsed_us)
        if wait is None:
            story.notices.add("limited")
            return self.providers.over(its.provider)
        if wait:
            story.notices |= {"limited", "queued"}
            story.wait_us += wait
            story.passes(wait)
        return "go"

    # One turn

    def _turn(self, call: Call, place: int, lane: str, its: Offer, story: Story) -> bool:
        """Whether one of the tries at a place of the chain answers."""
        story.before_turn_us = story.elapsed_us - story.wait_us
        story.failures.clear()
        if its.is_own and not self._touches(lane):
            story.passes(call.latency_us)
            story.bills(its)
            story.counts["attempts"] += 1
            if not isinstance(self.policy.kill_switch, CountedFailures):
                self.providers.saw(its.provider, call.time_us, 1, 0)
            return True
        retries = self.policy.retries
        before = story.counts["attempts"]
        failures, is_answered = 0, False
        for number in range(1 + (retries.max_count if retries else 0)):
            if number:
                story.counts["retries"] += 1
                story.passes(self._wait_us(lane, number))
            ended = self._try(
                call, place, lane, number, its, story, is_logged=place == 0 and its.is_own and number == 0
            )
            is_answered = ended == "ok"
            failures += not is_answered
            story.failures += [] if is_answered else [ended]
            goes_on = isinstance(retries, SteppedRetries) and number > 0
            if is_answered or retries is None or (ended not in retries.on and not goes_on):
                break
        else:
            if isinstance(retries, SteppedRetries) and retries.max_count:
                story.passes(self._wait_us(lane, retries.max_count + 1))
        if isinstance(self.policy.kill_switch, CountedFailures):
            self.providers.failed(f"{lane} {its.key}", call.time_us, story.failures)
        else:
            self.providers.saw(its.provider, call.time_us, story.counts["attempts"] - before, failures)
        return is_answered

    def _wait_us(self, lane: str, number: int) -> int:
        """The wait before a retry."""
        retries = self.policy.retries
        assert retries is not None
        if not isinstance(retries, SteppedRetries):
            return int(retries.backoff_us * 2 ** (number - 1))
        if len(self.lanes[lane].models) > 1:
            return 0
        return min(8 * 10**6, max(10**6 * 2 ** (number - 1) // 2, retries.backoff_us))

    def _touches(self, lane: str) -> bool:
        """Whether the policy says anything of attempts in this lane."""
        policy = self.policy
        return bool(
            self.lanes[lane].timeout_us is not None
            or (policy.retries is not None and policy.retries.max_count > 0)
            or lane in policy.fallbacks
            or (policy.hedge is not None and policy.hedge.tier == lane)
            or (policy.escalate is not None and policy.escalate.from_tier == lane)
        )

    def _try(self, call: Call, place: int, lane: str, number: int, its: Offer, story: Story, *, is_logged: bool) -> str:
        """How one try ends, with its hedge."""
        limit = self.lanes[lane].timeout_us
        if not self.past.attempts.knows(its.key):  # nothing to draw from: it answers, as logged or in unknown time
            runs = [Run("ok", call.latency_us if its.is_own else None)]
            limit = None
        else:
            first = self._logged(call, its) if is_logged else self._drawn(call, place, number, its, story)
            runs = [first, *self._hedge(call, place, lane, number, its, story, first)]
        story.counts["attempts"] += len(runs)
        answers = [run for run in runs if run.outcome == "ok" and not is_late(run, limit)]
        if answers:
            won = min(answers, key=lambda run: unknown_last(run.end_us))
            story.passes(won.end_us)
            for run in runs:
                still_runs = (run.end_us or 0) > (won.end_us or 0)
                if run.outcome == "ok" or still_runs or self._pays_for(run):
                    story.bills(its)
            return "ok"
        for run in runs:
            if self._pays_for(cut(run, limit)):
                story.bills(its)
        # The later one as it would have run; of two that end at once the first.
        last = cut(max(runs, key=lambda run: run.end_us or 0), limit)
        story.passes(last.end_us)
        story.counts["timeouts"] += last.outcome == "timeout"
        return last.outcome

    def _pays_for(self, run: Run) -> bool:
        """Whether work that a timeout ended is billed."""
        return run.outcome == "timeout" and self.policy.assume.timed_out_is_billed

    def _hedge(
        self, call: Call, place: int, lane: str, number: int, its: Offer, story: Story, first: Run
    ) -> Iterator[Run]:
        """The second attempt of a try on the hedged tier, where the first still runs."""
        hedge, limit = self.policy.hedge, self.lanes[lane].timeout_us
        if hedge is None or hedge.tier != lane or (limit is not None and limit <= hedge.after_us):
            return
        if first.end_us is not None and first.end_us > hedge.after_us:
            story.counts["hedges"] += 1
            yield self._drawn(call, place, number, its, story, after_us=hedge.after_us)

    def _logged(self, call: Call, its: Offer) -> Run:
        """The first attempt of the call in the log that was made on the lane's model."""
        row = next(one for one in call.attempts if one["price_key"] == its.key)
        outcome = outcome_of(row) if row["status"] in {"ok", "error"} else "error"  # cancelled: of no class
        return Run(outcome, None if row["latency_ms"] is None else round(row["latency_ms"] * 1000))

    def _drawn(
        self, call: Call, place: int, number: int, its: Offer, story: Story, *, after_us: int | None = None
    ) -> Run:
        """An attempt, or a hedge that begins so long after its try."""
        draw = self.chance.draw(call, "attempt", (place * TRIES + number) * 2 + (after_us is not None))
        begin_us = after_us or 0
        start_us = call.time_us + story.elapsed_us - story.wait_us + begin_us  # waits do not count for the hour
        if place == ESCALATION or self.policy.limits or self.policy.kill_switch or self.is_filtered:
            start_us -= story.before_turn_us
        found = self.past.attempts.pick(its.key, start_us, draw)
        return Run(OUTCOMES[found.outcome], begin_us + found.latency_us)

    # Escalation

    def _escalate(self, call: Call, offer: Callable[[str], Offer], story: Story) -> None:
        escalate = self.policy.escalate
        if escalate is None or story.lane != escalate.from_tier or not self._is_poor(call, offer(story.lane)):
            return
        its = offer(escalate.to)
        if its.fits and self._admit(call, escalate.to, its, story) == "go":
            story.notices.add("escalated")
            if self._turn(call, ESCALATION, escalate.to, its, story):
                story.lane = escalate.to

    def _is_poor(self, call: Call, its: Offer) -> bool:
        """Whether an answer is not good enough."""
        escalate = self.policy.escalate
        assert escalate is not None
        ratio = Fraction(escalate.ratio or 0)
        draw = Fraction(self.chance.draw(call, "escalate", 0))
        shown = [one for one in escalate.when if one in SHOWN]
        if any(one not in {*SHOWN, "error"} for one in escalate.when) and draw < ratio:
            return True
        if "truncated" in shown and its.is_cut:
            return True
        if not shown:
            return False
        told = ending(call.row) if its.is_own else None
        if told is not None:
            return told in shown
        share = self.past.ratio_of(its.key, shown)
        return draw < (ratio if share is None else share)


def is_late(run: Run, limit_us: int | None) -> bool:
    """Whether the timeout of the lane ends an attempt."""
    return limit_us is not None and run.end_us is not None and run.end_us > limit_us


def cut(run: Run, limit_us: int | None) -> Run:
    """An attempt as the timeout leaves it."""
    return Run("timeout", limit_us) if is_late(run, limit_us) else run
