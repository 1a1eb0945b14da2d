"""The way of calls along their chains, told again from what the walk decided: who was passed over, what each part cost.

The walk keeps sums. What a turn comes to is drawn the same whoever asks, so the parts follow from the sums; where two
ways would give the same sums, nothing is said of the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from costctl.policy.describe_stages import kill_text, limit_text
from costctl.replay import kernel
from costctl.replay.calls import UNKNOWN, Calls, Flag, Int, Small
from costctl.replay.chains import Attempting
from costctl.replay.engine import Decisions, Played
from costctl.replay.lanes import Lanes
from costctl.replay.plan import ESCALATED, FAILED, FELL_BACK, KILLED, LIMITED, PROVIDER, QUEUED

SOME_PROVIDER = "a provider"
BETWEEN = "; "  # those who were passed over
COUNTS = kernel.IS_OK - 1  # the counts of a turn without whether it ended well
# What happened at a place of a chain; UNKNOWN where it was either tried or passed over.
PASSED, TRIED, NOT_THERE = 0, 1, 2


@dataclass(frozen=True)
class Ways:
    """Columns as long as the calls; money in picodollars, codes into `texts`, UNKNOWN where there is nothing to say.

    `first_pusd` is what the first answer of a call that escalated cost, `failed_pusd` what attempts without an
    answer did that came before; both are parts of what all attempts cost.
    """

    first_pusd: Int
    first_model: Int  # code into `Lanes.models`
    escalation_pusd: Int
    failed_pusd: Int
    passed: Small  # who was passed over, each with the reason
    waited: Small  # whose limit made it wait
    texts: tuple[str, ...]


def ways_of(plan: Attempting, calls: Calls, lanes: Lanes, made: Decisions, played: Played) -> Ways:
    """The ways of all calls for which attempts were played."""
    count = calls.count
    first_model = np.full(count, UNKNOWN, dtype=np.int64)
    first, escalation, failed = (np.full(count, UNKNOWN, dtype=np.int64) for _ in range(3))
    passed, waited = (np.full(count, UNKNOWN, dtype=np.int16) for _ in range(2))
    texts: dict[str, int] = {}
    marked = (made.notice & (KILLED | LIMITED | FELL_BACK | ESCALATED)) > 0
    is_told = (played.cost_pusd != kernel.AS_LOGGED) & ((made.served_by == PROVIDER) | (made.served_by == FAILED))
    rows = np.flatnonzero(is_told & (marked | (made.served_by == FAILED) | (played.count(kernel.BILLED) > 1)))
    # Budgets that filter let a call enter within the chain of its first lane.
    begun = made.routed_lane if plan.is_filtered else made.entry_lane
    for entry in np.unique(begun[rows]).tolist():
        if entry >= len(plan.chains):
            continue
        here = rows[begun[rows] == entry]
        way = _Way(plan, calls, lanes, made, played, entry, here)
        first[here], escalation[here], failed[here] = way.first_pusd, way.escalation_pusd, way.failed_pusd
        first_model[here] = way.first_model
        kinds, of_kind = way.kinds()
        for column, tell in ((passed, way.passed), (waited, way.waited)):
            said = [tell(kind) for kind in kinds]
            codes = [texts.setdefault(text, len(texts)) if text else UNKNOWN for text in said]
            column[here] = np.array(codes, dtype=np.int16)[of_kind]
    return Ways(first, first_model, escalation, failed, passed, waited, tuple(texts))


class Kind(NamedTuple):
    """A way that several calls had: one of them, its marks, and what happened at each place of the chain."""

    row: int
    notice: int
    said: tuple[int, ...]


class _Way:
    """The ways of calls (`rows`) whose chain is that of one lane."""

    def __init__(
        self, plan: Attempting, calls: Calls, lanes: Lanes, made: Decisions, played: Played, entry: int, rows: Int
    ) -> None:
        self._plan, self._lanes, self._rows = plan, lanes, rows
        self._notice = made.notice[rows].astype(np.int64)
        self._chain = plan.chains[entry]
        begin = sum(map(len, plan.chains[:entry]))
        turns = plan.turns_at(calls, lanes, rows).packed
        self._turns = turns[begin : begin + len(self._chain)]
        self._is_escalated = (self._notice & ESCALATED) > 0
        last = made.lane[rows].astype(np.int64)
        source, target = plan.escalation or (UNKNOWN, UNKNOWN)
        is_served = made.served_by[rows] == PROVIDER
        self._served = np.where(is_served, np.where(self._is_escalated, source, last), UNKNOWN)
        self._once_more = turns[-1] if plan.escalation else np.zeros(len(rows), dtype=np.int64)
        self._target = target
        # After its answer an escalated call that only the first lane answered was not let through, or not held.
        self._is_kept_back = ~self._is_escalated & (self._served == source) & plan.is_escalated[rows]
        if plan.escalation:
            self._is_kept_back &= lanes.lanes[target].can_hold[rows]
        self._said = self._found(played.counts[rows])
        self._is_spent = (made.cap[rows] >= 0) & plan.is_filtered
        self._costs(played.cost_pusd[rows])

    def _found(self, counts: Int) -> list[Small]:
        """By place of the chain, what happened there; one set of failed turns must sum to the counts of the call."""
        size = len(self._rows)
        rest = counts - np.where(self._is_escalated, self._once_more & COUNTS, 0)
        told = [np.full(size, NOT_THERE, dtype=np.int16) for _ in self._chain]
        is_before = np.ones(size, dtype=np.bool_)  # the place that answered comes later, or none did
        open_: list[Flag] = []
        for number, (lane, turn) in enumerate(zip(self._chain, self._turns, strict=True)):
            is_here = is_before & (self._served == lane)
            rest = rest - np.where(is_here, turn & COUNTS, 0)
            told[number][is_here] = TRIED
            is_before = is_before & ~is_here
            holds = is_before & (self._lanes.lanes[lane].can_hold[self._rows] | (number == 0))
            told[number][holds & (turn >= kernel.IS_OK)] = PASSED  # an answer would have ended the way
            open_.append(holds & (turn < kernel.IS_OK))
        if not self._plan.holds_calls:
            for said, is_open in zip(told, open_, strict=True):
                said[is_open] = TRIED
            return told
        matches = np.zeros(size, dtype=np.int64)
        for tried in _subsets(len(self._chain)):
            total = sum((np.where(open_[at], self._turns[at] & COUNTS, -1) for at in tried), np.zeros_like(rest))
            fits = (total == rest) & np.logical_and.reduce(
                [np.ones(size, dtype=np.bool_), *(open_[at] for at in tried)]
            )
            for number, (said, is_open) in enumerate(zip(told, open_, strict=True)):
                value = TRIED if number in tried else PASSED
                said[fits & is_open & (matches > 0) & (said != value)] = UNKNOWN
                said[fits & is_open & (matches == 0)] = value
            matches += fits
        return told

    def _costs(self, spent: Int) -> None:
        """Split what all attempts cost into the answer, the escalation, and attempts without an answer."""

        def of(turn: Int, lane: int) -> Int:
            return ((turn >> kernel.BILLED) & kernel.FIELD) * self._lanes.lanes[lane].cost_pusd[self._rows]

        answer, model = np.zeros_like(spent), np.full(len(spent), UNKNOWN, dtype=np.int64)
        for lane, turn in zip(self._chain, self._turns, strict=True):
            here = self._served == lane
            answer[here] = of(turn, lane)[here]
            model[here] = self._lanes.lanes[lane].model[self._rows][here]
        more = of(self._once_more, self._target) if self._plan.escalation else np.zeros_like(spent)
        more = np.where(self._is_escalated, more, 0)
        self.first_pusd = np.where(self._is_escalated, answer, UNKNOWN)
        self.first_model = np.where(self._is_escalated, model, UNKNOWN)
        self.escalation_pusd = np.where(self._is_escalated, more, UNKNOWN)
        self.failed_pusd = spent - answer - more

    def _provider(self, lane: int, row: int) -> str:
        """The provider whose limits a call meets on a lane."""
        model = int(self._lanes.lanes[lane].model[self._rows[row]])
        return SOME_PROVIDER if model < 0 else self._plan.providers[int(self._plan.provider_of_model[model])]

    def _name(self, lane: int, row: int) -> str:
        """Who is passed over on a lane: the provider, or the model where the kill switch watches deployments."""
        model = int(self._lanes.lanes[lane].model[self._rows[row]])
        if model < 0 or not self._plan.counts_failures:
            return self._provider(lane, row)
        return f"{self._lanes.models[model]} of tier {self._lanes.names[lane]}"

    def kinds(self) -> tuple[list[Kind], Int]:
        """The different ways of these calls, and the number of that of each."""
        of_kind = np.zeros(len(self._rows), dtype=np.int64)
        models = [self._lanes.lanes[lane].model[self._rows] for lane in self._chain]
        columns = [self._notice & (KILLED | LIMITED | QUEUED), *self._said, *models, self._is_escalated]
        columns += [self._is_kept_back, self._is_spent]
        for column in columns:
            low = int(column.min(initial=0))
            width = int(column.max(initial=0)) - low + 1
            of_kind = np.unique(of_kind * width + (column.astype(np.int64) - low), return_inverse=True)[1]
        shown = np.unique(of_kind, return_index=True)[1].tolist()
        return [
            Kind(row, int(self._notice[row]), tuple(int(said[row]) for said in self._said)) for row in shown
        ], of_kind

    def passed(self, kind: Kind) -> str:
        """Who was passed over on such a way, each with the reason; empty where nobody was."""
        if not kind.notice & (KILLED | LIMITED):
            return ""
        over = [lane for lane, said in zip(self._chain, kind.said, strict=True) if said == PASSED]
        told: dict[str, str] = {}
        for lane in (*over, *([self._target] if self._is_kept_back[kind.row] else [])):
            provider = self._provider(lane, kind.row)
            why = self._why(provider, kind)
            if why:
                told[self._name(lane, kind.row)] = why
            if kind.notice & LIMITED and not kind.notice & KILLED and self._over(provider) == "error":
                break  # above such a limit nobody else is asked
        if not told and (kind.notice & KILLED or not kind.notice & QUEUED):
            told[SOME_PROVIDER] = "kill switch" if kind.notice & KILLED else "limit"
        return BETWEEN.join(f"{name}: {why}" for name, why in told.items())

    def waited(self, kind: Kind) -> str:
        """Whose limit made a call wait on such a way; several where each of them may have."""
        if not kind.notice & QUEUED:
            return ""
        asked = [lane for lane, said in zip(self._chain, kind.said, strict=True) if said in {TRIED, UNKNOWN}]
        asked += [self._target] if self._is_escalated[kind.row] else []
        names = dict.fromkeys(self._provider(lane, kind.row) for lane in asked)
        limited = [name for name in names if self._over(name) == "queue"]
        return " or ".join(f"{name}: limit of {limit_text(self._plan.limits[name])}" for name in limited)

    def _why(self, provider: str, kind: Kind) -> str:
        """What kept calls from that provider, as far as the marks of the call tell; empty where neither did."""
        reasons = []
        if kind.notice & KILLED and self._plan.kill_switch is not None:
            reasons.append(f"kill switch, {kill_text(self._plan.kill_switch)}")
        if kind.notice & LIMITED and self._over(provider) in {"fallback", "error"}:
            reasons.append(f"limit of {limit_text(self._plan.limits[provider])}")
        if self._is_spent[kind.row]:
            reasons.append("a spent budget")
        return " or ".join(reasons)

    def _over(self, provider: str) -> str | None:
        """What happens to calls over the limit of a provider; None without a limit."""
        limit = self._plan.limits.get(provider)
        return None if limit is None else limit.over


def _subsets(count: int) -> Iterator[tuple[int, ...]]:
    for size in range(count + 1):
        yield from combinations(range(count), size)
