"""Stage 5: caps on shares, dollars and tokens. Over a cap a call goes one tier down, or is refused, as told."""

from __future__ import annotations

from dataclasses import dataclass

from costctl.replay.calls import Int
from costctl.replay.lanes import Lanes
from costctl.replay.plan import DEGRADED, OVER_BUDGET, REFUSED, Plan

SHARES_FROM_CALLS = 100  # a share of fewer calls says nothing yet
ANY_LANE = -1


@dataclass(frozen=True)
class Cap:
    """One cap per UTC day. `unit` (per call) says whose counter it charges; -1 is not concerned.

    `limit` is picodollars or tokens; `lane` narrows it to one tier.
    """

    title: str
    unit: Int
    limit: int
    is_tokens: bool = False
    lane: int = ANY_LANE


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


class _Counter:
    """A cap with what each unit has used of it today, and the units of the calls at hand."""

    __slots__ = ("cap", "lane", "limit", "number", "size", "units", "used")

    def __init__(self, number: int, cap: Cap) -> None:
        self.number, self.cap, self.limit, self.lane = number, cap, cap.limit, cap.lane
        self.size = int(cap.unit.max(initial=0)) + 1
        self.used = [0] * self.size
        self.units: list[int] = []


class Budgets:
    """Counters of the current UTC day. Charged in `settle`, so never for a call that did not happen."""

    name = "budgets"

    def __init__(self, rules: BudgetRules, lanes: Lanes, floors: Int, days: Int, tokens: Int) -> None:
        self._rules, self._lanes = rules, lanes
        self._all_floors, self._all_days, self._all_tokens = floors, days, tokens
        self._is_tier = lanes.is_tier
        counters = [_Counter(number, cap) for number, cap in enumerate(rules.caps)]
        self._token_caps = [one for one in counters if one.cap.is_tokens]
        self._money_caps = [one for one in counters if not one.cap.is_tokens]
        self._request_cap, self._share_cap = len(counters), len(counters) + 1
        self._request_max = rules.request_max_pusd
        self._shares = {lane: (over, under) for lane, over, under in rules.share_of_lane}
        self._day = -1
        self._count_of_lane = [0] * len(lanes.lanes)
        self._count = 0
        self._floors: list[int] = []
        self._days: list[int] = []
        self._input: list[int] = []
        self._costs: list[list[int]] = []
        self._output: list[list[int]] = []
        self._holds: list[list[bool]] = []

    def load(self, start: int, stop: int) -> None:
        """Columns of the next calls."""
        self._floors, self._days = self._all_floors[start:stop].tolist(), self._all_days[start:stop].tolist()
        self._costs, self._holds = self._lanes.costs(start, stop), self._lanes.holds(start, stop)
        for one in (*self._token_caps, *self._money_caps):
            one.units = one.cap.unit[start:stop].tolist()
        if self._token_caps:
            self._input = self._all_tokens[start:stop].clip(min=0).tolist()
            self._output = [lane.output_tokens[start:stop].tolist() for lane in self._lanes.lanes]

    def decide(self, plan: Plan) -> None:
        """Take the call one tier down for tokens, then as far down as the caps on money and share ask."""
        row, lane = plan.row, plan.lane
        if self._days[row] != self._day:
            self._begin_day(self._days[row])
        used_up = self._used_up(row, lane) if self._token_caps else None
        broken = self._broken(row, lane) if used_up is None else used_up
        if broken is None:
            return
        plan.cap = broken
        if self._rules.refuses:
            plan.served_by = REFUSED
            return
        lowest = 0 if self._rules.goes_below_floor else max(self._floors[row], 0)
        if used_up is not None:
            if self._goes_down(row, lane, lowest):
                lane -= 1
            else:
                plan.notice |= OVER_BUDGET
            broken = self._broken(row, lane)
        while broken is not None:
            if not self._goes_down(row, lane, lowest):
                plan.notice |= OVER_BUDGET
                break
            lane -= 1
            broken = self._broken(row, lane)
        if lane != plan.lane:
            plan.notice |= DEGRADED
            plan.lane = lane

    def settle(self, plan: Plan) -> None:
        """Charge what the call cost and used."""
        row, lane = plan.row, plan.lane
        self._count += 1
        self._count_of_lane[lane] += 1
        for one in self._money_caps:
            unit = one.units[row]
            if unit >= 0 and one.lane in (lane, ANY_LANE):
                one.used[unit] += self._costs[lane][row]
        for one in self._token_caps:
            unit = one.units[row]
            if unit >= 0:
                one.used[unit] += self._input[row] + self._output[lane][row]

    def _begin_day(self, day: int) -> None:
        self._day = day
        for one in (*self._token_caps, *self._money_caps):
            one.used = [0] * one.size
        self._count_of_lane = [0] * len(self._lanes.lanes)
        self._count = 0

    def _goes_down(self, row: int, lane: int, lowest: int) -> bool:
        """Whether there is a tier below that may and can take the call."""
        return self._is_tier[lane] and lane > lowest and self._holds[lane - 1][row]

    def _used_up(self, row: int, lane: int) -> int | None:
        """The first cap on tokens that the call would break."""
        for one in self._token_caps:
            unit = one.units[row]
            if unit >= 0 and one.used[unit] + self._input[row] + self._output[lane][row] > one.limit:
                return one.number
        return None

    def _broken(self, row: int, lane: int) -> int | None:
        """The first cap that the call would break on this lane: on money, on one request, on the lane's share."""
        cost = self._costs[lane][row]
        for one in self._money_caps:
            unit = one.units[row]
            if unit >= 0 and one.used[unit] + cost > one.limit and one.lane in (lane, ANY_LANE):
                return one.number
        if self._request_max is not None and cost > self._request_max:
            return self._request_cap
        if lane in self._shares and self._count >= SHARES_FROM_CALLS:
            over, under = self._shares[lane]
            if (self._count_of_lane[lane] + 1) * under > over * (self._count + 1):
                return self._share_cap
        return None
