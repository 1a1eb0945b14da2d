"""Stage 5: caps on shares, dollars and tokens. Over a cap a call goes one tier down, or is refused, as told."""

from __future__ import annotations

from dataclasses import dataclass

from costctl.replay.calls import Int
from costctl.replay.lanes import Lane, Lanes
from costctl.replay.plan import DEGRADED, NO_CAP, OVER_BUDGET, REFUSED, STOP, Chunk, Decide, Settle

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

    __slots__ = ("cap", "lane", "limit", "number", "units", "used")

    def __init__(self, number: int, cap: Cap) -> None:
        self.number, self.cap, self.limit, self.lane = number, cap, cap.limit, cap.lane
        self.used = [0] * (int(cap.unit.max(initial=0)) + 1)
        self.units: list[int] = []

    def begin_day(self) -> None:
        """Nothing is used yet."""
        self.used = [0] * len(self.used)


class Budgets:
    """Counters of the current UTC day. Charged in `settle`, so never for a call that did not happen."""

    name = "budgets"

    def __init__(self, rules: BudgetRules, lanes: Lanes, floors: Int, days: Int) -> None:
        self._rules, self._lanes = rules, lanes
        self._floors, self._days = floors, days
        counters = [_Counter(number, cap) for number, cap in enumerate(rules.caps)]
        self._token_caps = [one for one in counters if one.cap.is_tokens]
        self._money_caps = [one for one in counters if not one.cap.is_tokens]
        self._shares = {lane: (over, under) for lane, over, under in rules.share_of_lane}
        self._day = -1
        self._counts = [0] * (len(lanes.lanes) + 1)  # calls of each lane today, and of all

    def open(self, chunk: Chunk) -> tuple[Decide, Settle]:
        """Take calls one tier down for tokens, then as far down as the caps on money and share ask."""
        start, stop, lanes = chunk.start, chunk.stop, self._lanes
        counters, counts = (*self._token_caps, *self._money_caps), self._counts
        for one in counters:
            one.units = one.cap.unit[start:stop].tolist()
        days, costs, holds = self._days[start:stop].tolist(), lanes.costs(start, stop), lanes.holds(start, stop)
        lowest = [0] * (stop - start) if self._rules.goes_below_floor else self._floors[start:stop].clip(min=0).tolist()
        tokens = [_tokens(lane, start, stop) for lane in lanes.lanes] if self._token_caps else []
        token_caps, money_caps, shares, tier_count = self._token_caps, self._money_caps, self._shares, lanes.tier_count
        request_max, refuses = self._rules.request_max_pusd, self._rules.refuses
        request_cap, share_cap = len(counters), len(counters) + 1

        def begin_day(day: int) -> None:
            self._day = day
            for one in counters:
                one.begin_day()
            counts[:] = [0] * len(counts)

        def used_up(row: int, lane: int) -> int:
            """The first cap on tokens that the call would break, or NO_CAP."""
            for one in token_caps:
                unit = one.units[row]
                if unit >= 0 and one.used[unit] + tokens[lane][row] > one.limit:
                    return one.number
            return NO_CAP

        def broken(row: int, lane: int) -> int:
            """The first cap on money, on one request or on the lane's share that the call would break here."""
            cost = costs[lane][row]
            for one in money_caps:
                unit = one.units[row]
                if unit >= 0 and one.used[unit] + cost > one.limit and one.lane in (lane, ANY_LANE):
                    return one.number
            if request_max is not None and cost > request_max:
                return request_cap
            if lane in shares and counts[-1] >= SHARES_FROM_CALLS:
                over, under = shares[lane]
                if (counts[lane] + 1) * under > over * (counts[-1] + 1):
                    return share_cap
            return NO_CAP

        def decide(row: int, lane: int) -> int:
            if days[row] != self._day:
                begin_day(days[row])
            exhausted = used_up(row, lane) if token_caps else NO_CAP
            cap = broken(row, lane) if exhausted == NO_CAP else exhausted
            if cap == NO_CAP:
                return lane
            chunk.cap[row] = cap
            if refuses:
                chunk.served_by[row] = REFUSED
                return STOP
            routed, least = lane, lowest[row]
            if exhausted != NO_CAP:
                if least < lane < tier_count and holds[lane - 1][row]:
                    lane -= 1
                else:
                    chunk.notice[row] = OVER_BUDGET
                cap = broken(row, lane)
            while cap != NO_CAP:
                if not (least < lane < tier_count and holds[lane - 1][row]):
                    chunk.notice[row] |= OVER_BUDGET
                    break
                lane -= 1
                cap = broken(row, lane)
            if lane != routed:
                chunk.notice[row] |= DEGRADED
            return lane

        def settle(row: int, lane: int) -> None:
            counts[-1] += 1
            counts[lane] += 1
            for one in money_caps:
                unit = one.units[row]
                if unit >= 0 and one.lane in (lane, ANY_LANE):
                    one.used[unit] += costs[lane][row]
            for one in token_caps:
                unit = one.units[row]
                if unit >= 0:
                    one.used[unit] += tokens[lane][row]

        return decide, settle


def _tokens(lane: Lane, start: int, stop: int) -> list[int]:
    """Input and output of these calls on a lane; unknown input counts nothing."""
    both = lane.input_tokens[start:stop].clip(min=0) + lane.output_tokens[start:stop]
    counts: list[int] = both.tolist()
    return counts
