"""What stands beside the main replay: more replays of the same log, and what they add to the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np

from costctl.policy.results import Outage
from costctl.policy.schema import Policy
from costctl.prices.book import PriceBook
from costctl.replay import project
from costctl.replay.calls import Calls, exact_sum
from costctl.replay.candidates import PriceDays
from costctl.replay.compile import Known
from costctl.replay.notes import Replay
from costctl.replay.plan import FAILED, REFUSED
from costctl.report import Table, Value, Warning
from costctl.store import Store


class Replayed(Protocol):
    """One more replay of some calls: under a policy, at some prices, with what was priced before."""

    def __call__(
        self, calls: Calls, other: Policy, prices: PriceBook, priced: Known, outage: Outage | None = None
    ) -> Replay:
        """Replay them, in a scenario with an outage."""


@dataclass(frozen=True)
class Main:
    """The main replay with all that another one over the same log needs."""

    store: Store
    policy: Policy
    book: PriceBook
    seed: int
    days: PriceDays
    known: Known
    done: Replay
    outcome: project.Outcome
    replayed: Replayed

    def again(self, policy: Policy) -> project.Outcome:
        """What another policy would have done on the same calls at the same prices."""
        return outcome_of(self.replayed(self.done.calls, policy, self.book, self.known))

    @property
    def knows_hits(self) -> bool:
        """Whether the log tells enough of its prompts to say how many calls the caches answer."""
        return knows_hits(self.policy, self.done)

    @property
    def baseline_pusd(self) -> int:
        """The baseline of the log."""
        return exact_sum(self.done.calls.baseline_pusd)


@dataclass
class Found:
    """What is added to the report."""

    totals: dict[str, Value] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    warnings: list[Warning] = field(default_factory=list)

    def tell(self, name: str, value: Value, status: str) -> None:
        """Add a total with its standing."""
        self.totals[name], self.status[name] = value, status


def knows_hits(policy: Policy, done: Replay) -> bool:
    """Whether the log tells enough of its prompts to say how many calls this policy's caches answer."""
    if policy.cache.semantic is not None:
        return done.plan.semantic is not None
    return done.plan.cache is None or not done.plan.cache.is_blind


def outcome_of(done: Replay) -> project.Outcome:
    """Costs and models of a replay."""
    return project.outcome_of(done.calls, done.lanes, done.decisions, done.cached, done.extras)


def spent_pusd(outcome: project.Outcome) -> int:
    """What the policy costs in all."""
    return exact_sum(outcome.policy_pusd)


def unanswered(outcome: project.Outcome) -> tuple[int, int]:
    """Calls that had an answer in the log and have none here, and the picodollars that count as saved by that.

    Their share of engines that stand idle is no part of it: that stands in a line of its own.
    """
    calls, served_by = outcome.calls, outcome.decisions.served_by
    is_lost = calls.is_ok & ((served_by == REFUSED) | (served_by == FAILED))
    kept = exact_sum(calls.baseline_pusd, is_lost) - exact_sum(outcome.used_pusd, is_lost)
    return int(np.count_nonzero(is_lost)), kept


def ratio_of(part: int, whole: int) -> float | None:
    """A share of whole numbers, None of nothing."""
    return float(Fraction(part, whole)) if whole else None


def standing(outcome: project.Outcome, rest: list[project.Rest]) -> str:
    """The status of a cost that rests on the token ratios of calls that another model answers."""
    ratios = [ratio for one in rest for ratio in (one.input, one.output)]
    if any(ratio.low != ratio.high for ratio in ratios):
        return "estimated"
    is_assumed = outcome.decisions.played is not None or outcome.lanes.stages or outcome.extras.items
    return "replayed under assumption" if ratios or is_assumed else "replayed"
