"""Budgets as the oracle sees them: what was spent is summed anew over the verdicts of the day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from costctl.policy.behaviour import SpendFilter
from costctl.policy.schema import Policy
from tests.replay.oracle_terms import Call

PICO = 10**12
COLUMN = {"endpoint": "endpoint", "user": "user_id", "team": "team", "user_profile": "user_profile"}
FREE_CALLS = 100
DAY_US = 86_400 * 10**6


class Broken(NamedTuple):
    """A cap that a call would go over, and how much of it was used before: of money, tokens or calls."""

    name: str
    used: Any


class Ruling(NamedTuple):
    """Where a call goes, and what the budgets did to it."""

    lane: str
    degraded: bool = False
    over_budget: bool = False
    cap: Broken | None = None
    is_refused: bool = False


class Budget:
    """All caps of one policy."""

    def __init__(self, policy: Policy) -> None:
        self.caps = policy.budgets

    def rule(
        self,
        call: Call,
        lane: str,
        lower: Callable[[str], str | None],
        offer: Callable[[str], Any],
        told: Sequence[Any],
    ) -> Ruling:
        """One step for the caps on tokens, then as many as the caps on money need."""
        today = [one for one in told if one.served_by == "provider" and one.call.day == call.day and charges(one.call)]
        ruling = Ruling(lane)
        cap = next(self._broken_tokens(call, offer(lane).tokens, today), None)
        if cap is not None:
            ruling = self._step(ruling, cap, lower)
        while not ruling.is_refused:
            cap = next(self._broken_money(call, ruling.lane, offer(ruling.lane).cost, today), None)
            if cap is None:
                break
            ruling = self._step(ruling, cap, lower)
            if ruling.over_budget and lower(ruling.lane) is None:
                break
        # A lower tier takes as many tokens: the call may be over its cap there, too.
        if ruling.degraded and any(self._broken_tokens(call, offer(ruling.lane).tokens, today)):
            ruling = ruling._replace(over_budget=True)
        return ruling

    def _step(self, ruling: Ruling, cap: Broken, lower: Callable[[str], str | None]) -> Ruling:
        first = ruling.cap or cap
        if self.caps.over == "refuse":
            return ruling._replace(cap=first, is_refused=True)
        below = lower(ruling.lane)
        if below is None:
            return ruling._replace(cap=first, over_budget=True)
        return ruling._replace(cap=first, lane=below, degraded=True)

    def settle(self, call: Call, lane: str, cost: int, tokens: int, told: Sequence[Any]) -> Broken | None:
        """The first cap that is above its limit with what an answered call came to in the end."""
        if isinstance(self.caps, SpendFilter) or not charges(call):
            return None
        today = [one for one in told if one.served_by == "provider" and one.call.day == call.day and charges(one.call)]
        broken = [*self._broken_money(call, lane, cost, today), *self._broken_tokens(call, tokens, today)]
        # Caps of a day before those of one request and of shares.
        return min(broken, key=lambda one: not one.name.startswith(("usd", "tokens")), default=None)

    def _broken_tokens(self, call: Call, tokens: int, today: Sequence[Any]) -> Iterator[Broken]:
        for cap in self.caps.tokens_per_day:
            if concerns(cap, call, None):
                spent = sum(one.charged_tokens for one in today if shares(cap, one, call))
                if spent + tokens > cap.max_tokens:
                    yield Broken(f"tokens {cap.scope} {cap.name}", spent)

    def _broken_money(self, call: Call, lane: str, cost: int, today: Sequence[Any]) -> Iterator[Broken]:
        for cap in self.caps.usd_per_day:
            if concerns(cap, call, lane):
                spent = sum(one.cost for one in today if shares(cap, one, call))
                if spent + cost > Fraction(cap.max_usd) * PICO:
                    yield Broken(f"usd {cap.scope} {cap.name}", spent)
        most = self.caps.usd_per_request_max
        if most is not None and cost > Fraction(most) * PICO:
            yield Broken("request", cost)
        share = self.caps.max_share_per_day.get(lane)
        if share is not None and len(today) >= FREE_CALLS:
            here = sum(one.lane == lane for one in today)
            if here + 1 > Fraction(share) * (len(today) + 1):
                yield Broken(f"share {lane}", here)


class SpentOut:
    """Budgets of deployments: the answers of each window are gone through anew for every question."""

    def __init__(self, policy: Policy, offer: Callable[[Call, str], Any]) -> None:
        self.caps = policy.budgets.usd_per_day if isinstance(policy.budgets, SpendFilter) else ()
        self.offer = offer

    def cap(self, call: Call, lane: str, told: Sequence[Any]) -> Broken | None:
        """The first cap that keeps a call from a lane."""
        for cap in self.caps:
            if cap.scope == "total" or cap.name == lane:
                begun_us, spent = None, 0
                for one in told:
                    if one.served_by != "provider" or not charges(one.call) or not self._is_same(cap, call, lane, one):
                        continue
                    if begun_us is None or one.call.time_us - begun_us >= DAY_US:
                        begun_us, spent = one.call.time_us, 0
                    spent += self.offer(one.call, one.lane).cost
                is_open = begun_us is not None and call.time_us - begun_us < DAY_US
                if is_open and spent >= Fraction(cap.max_usd) * PICO:
                    return Broken(f"usd {cap.scope} {cap.name}", spent)
        return None

    def _is_same(self, cap: Any, call: Call, lane: str, one: Any) -> bool:
        """Whether an answer was that of the deployment that the call would go to."""
        if cap.scope == "total":
            return True
        return bool(one.lane == lane and self.offer(one.call, lane).key == self.offer(call, lane).key)


def charges(call: Call) -> bool:
    """Calls that meet no stage charge nothing."""
    return call.is_dated and not call.is_unpriced


def concerns(cap: Any, call: Call, lane: str | None) -> bool:
    """Whether a cap looks at this call."""
    if cap.scope == "total":
        return True
    if cap.scope == "tier":
        return cap.name == lane
    if cap.scope == "user_profile" and call.row["user_id"] is None:
        return False  # it counts each user of the profile
    return call.row[COLUMN[cap.scope]] == cap.name


def shares(cap: Any, one: Any, call: Call) -> bool:
    """Whether an earlier call was charged to the same account of a cap."""
    if not concerns(cap, one.call, one.lane):
        return False
    return cap.scope != "user_profile" or one.call.row["user_id"] == call.row["user_id"]
