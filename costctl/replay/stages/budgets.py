"""Stage 5: caps on shares, dollars and tokens. Over a cap a call goes one tier down, or is refused, as told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from costctl.replay.calls import Int
from costctl.replay.lanes import Lanes
from costctl.replay.plan import DEGRADED, OVER_BUDGET, REFUSED, Plan

SHARES_FROM_CALLS = 100  # a share of fewer calls says nothing yet


@dataclass(frozen=True)
class Cap:
    """One cap per UTC day. `unit` (per call) says whose counter it charges; -1 is not concerned.

    `limit` is picodollars or tokens; `lane` narrows it to one tier.
    """

    title: str
    unit: Int
    limit: int
    is_tokens: bool = False
    lane: int | None = None


@dataclass(frozen=True)
class BudgetRules:
    """What a policy says about budgets, in numbers."""

    caps: tuple[Cap, ...] = ()
    share_of_lane: tuple[tuple[int, int, int], ...] = ()  # (lane, over, under): share as an exact fraction
    request_max_pusd: int | None = None
    refuses: bool = False
    goes_below_floor: bool = False

    @property
    def titles(self) -> tuple[str, ...]:
        """What `Plan.cap` numbers: the caps, then that on one request, then that on a tier's share."""
        return (*(cap.title for cap in self.caps), "usd_per_request_max", "max_share_per_day")


class Budgets:
    """Counters of the current UTC day. Charged in `settle`, so never for a call that did not happen."""

    name = "budgets"

    def __init__(self, rules: BudgetRules, lanes: Lanes, floors: Int, days: Int, tokens: Int) -> None:
        self._rules, self._lanes = rules, lanes
        self._all_floors, self._all_days, self._all_tokens = floors, days, tokens
        self._is_tier = lanes.is_tier
        self._token_caps = [number for number, cap in enumerate(rules.caps) if cap.is_tokens]
        self._money_caps = [number for number, cap in enumerate(rules.caps) if not cap.is_tokens]
        self._shares = {lane: (over, under) for lane, over, under in rules.share_of_lane}
        self._day = -1
        self._spent: list[defaultdict[int, int]] = []
        self._count_of_lane = [0] * len(lanes.lanes)
        self._count = 0
        self._floors: list[int] = []
        self._days: list[int] = []
        self._input: list[int] = []
        self._costs: list[list[int]] = []
        self._output: list[list[int]] = []
        self._holds: list[list[bool]] = []
        self._units: list[list[int]] = []

    def load(self, start: int, stop: int) -> None:
        """Columns of the next calls."""
        self._floors, self._days = self._all_floors[start:stop].tolist(), self._all_days[start:stop].tolist()
        self._input = self._all_tokens[start:stop].tolist()
        self._costs, self._holds = self._lanes.costs(start, stop), self._lanes.holds(start, stop)
        self._units = [cap.unit[start:stop].tolist() for cap in self._rules.caps]
        if self._token_caps:
            self._output = [lane.output_tokens[start:stop].tolist() for lane in self._lanes.lanes]

    def decide(self, plan: Plan) -> None:
        """Take the call one tier down for tokens, then as far down as the caps on money and share ask."""
        row = plan.row
        if self._days[row] != self._day:
            self._begin_day(self._days[row])
        used_up = self._used_up(row, plan.lane)
        broken = self._broken(row, plan.lane) if used_up is None else used_up
        if broken is None:
            return
        plan.cap = broken
        if self._rules.refuses:
            plan.served_by = REFUSED
            return
        routed = plan.lane
        if used_up is not None and not self._down(plan):
            plan.notice |= OVER_BUDGET
        while self._broken(row, plan.lane) is not None:
            if not self._down(plan):
                plan.notice |= OVER_BUDGET
                break
        if plan.lane != routed:
            plan.notice |= DEGRADED

    def settle(self, plan: Plan) -> None:
        """Charge what the call cost and used."""
        row, lane = plan.row, plan.lane
        self._count += 1
        self._count_of_lane[lane] += 1
        for cap, unit, spent in zip(self._rules.caps, self._units, self._spent, strict=True):
            whose = unit[row]
            if whose >= 0 and cap.lane in (None, lane):
                spent[whose] += self._tokens(row, lane) if cap.is_tokens else self._costs[lane][row]

    def _begin_day(self, day: int) -> None:
        self._day = day
        self._spent = [defaultdict(int) for _ in self._rules.caps]
        self._count_of_lane = [0] * len(self._lanes.lanes)
        self._count = 0

    def _tokens(self, row: int, lane: int) -> int:
        return max(self._input[row], 0) + self._output[lane][row]

    def _down(self, plan: Plan) -> bool:
        """One tier down, if there is one that may and can take the call."""
        lane, row = plan.lane, plan.row
        lowest = 0 if self._rules.goes_below_floor else max(self._floors[row], 0)
        if not self._is_tier[lane] or lane <= lowest or not self._holds[lane - 1][row]:
            return False
        plan.lane = lane - 1
        return True

    def _used_up(self, row: int, lane: int) -> int | None:
        """The first cap on tokens that the call would break."""
        for number in self._token_caps:
            whose = self._units[number][row]
            cap = self._rules.caps[number]
            if whose >= 0 and self._spent[number][whose] + self._tokens(row, lane) > cap.limit:
                return number
        return None

    def _broken(self, row: int, lane: int) -> int | None:
        """The first cap that the call would break on this lane: on money, on one request, on the lane's share."""
        cost = self._costs[lane][row]
        for number in self._money_caps:
            whose = self._units[number][row]
            cap = self._rules.caps[number]
            if whose >= 0 and cap.lane in (None, lane) and self._spent[number][whose] + cost > cap.limit:
                return number
        if self._rules.request_max_pusd is not None and cost > self._rules.request_max_pusd:
            return len(self._rules.caps)
        share = self._shares.get(lane)
        if share is not None and self._count >= SHARES_FROM_CALLS:
            over, under = share
            if (self._count_of_lane[lane] + 1) * under > over * (self._count + 1):
                return len(self._rules.caps) + 1
        return None
