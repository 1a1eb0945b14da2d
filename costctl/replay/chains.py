"""Stages 6 and 10: which models a call may try, in which order, and how each try would end.

What a turn of a call at a place of its chain comes to is drawn before the walk (`attempts`, from the
log's own attempts); who is out, full or next is decided in the walk (`kernel`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.policy.behaviour import CountedFailures, SpendFilter, SteppedRetries
from costctl.policy.results import Outage
from costctl.policy.schema import Policy, Tier
from costctl.policy.stages import KillSwitch, Limit
from costctl.replay import kernel
from costctl.replay.arms import Arms
from costctl.replay.attempts import FAILURE_KINDS, KIND_BITS, First, Turn, TurnRules, turn
from costctl.replay.calls import Calls, Code, Flag, Int, plain
from costctl.replay.empirical import ERROR, OK, OUTCOMES, SERVER_ERROR, UNKNOWN, Empirical
from costctl.replay.escalation import Escalating, escalated_calls
from costctl.replay.lanes import Lanes
from costctl.replay.priors import with_priors
from costctl.store import Store

_SQL = Path(__file__).with_name("attempts.sql")
ESCALATION_PLACE = 31  # of its draws: no chain is so long
OVER = {"queue": kernel.QUEUE, "fallback": kernel.FALLBACK, "error": kernel.ERROR}


@dataclass(frozen=True)
class Attempting:
    """What a policy says about attempts, with what the log knows about them; columns as long as the calls."""

    chains: tuple[tuple[int, ...], ...]  # by lane; the logged one has none, but in an outage
    arm: Int  # of experiments, for each call
    rules: tuple[tuple[TurnRules, ...], ...]  # by arm and lane
    has_settings: NDArray[np.bool_]  # likewise: calls on their logged model are played again too
    log: Empirical
    first: First  # the first attempt of every call, as logged
    seed: int
    providers: tuple[str, ...]
    provider_of_model: Int  # code of the model -> code of its provider
    limits: dict[str, Limit] = field(default_factory=dict)
    kill_switch: KillSwitch | None = None
    is_filtered: bool = False  # by budgets
    escalation: tuple[int, int] | None = None
    escalating: Escalating | None = None
    outage: Down | None = None
    draws: bool = True  # whether the policy says anything of attempts; without, only an outage touches a call

    @property
    def is_escalated(self) -> Flag:
        """Which calls' answers of the lane that escalates would not be good enough."""
        return np.zeros(len(self.arm), dtype=np.bool_) if self.escalating is None else self.escalating.is_escalated

    @property
    def longest(self) -> int:
        """How many turns one call can have."""
        return max(map(len, self.chains)) + 1

    @property
    def holds_calls(self) -> bool:
        """Whether a lane may be passed over, so that any place of a chain may be the first."""
        return bool(self.limits) or self.kill_switch is not None or self.is_filtered

    @property
    def counts_failures(self) -> bool:
        """Whether the kill switch counts failures of deployments, in place of a provider's share of them."""
        return isinstance(self.kill_switch, CountedFailures)

    @property
    def unit_count(self) -> int:
        """How many there are of what limits and kill switch watch: providers, and behind them deployments."""
        deployments = len(self.chains) * len(self.provider_of_model) if self.counts_failures else 0
        return len(self.providers) + deployments

    def watched(self, lane: int, model: Code) -> Int:
        """The deployment that the kill switch watches where a lane asks these models, -1: none."""
        is_ours = (model >= 0) & (lane < len(self.rules[0]) - 1)  # the last lane is the logged one
        unit = len(self.providers) + lane * len(self.provider_of_model) + model.astype(np.int64)
        return np.where(is_ours, unit, UNKNOWN)

    def provider_of(self, model: Code) -> Int:
        """The provider of each model, -1 where the model is unknown."""
        found: Int = np.append(self.provider_of_model, UNKNOWN)[model]
        return found

    def kernel_rules(self) -> dict[str, Any]:
        """The fields of `kernel.Rules` that concern attempts."""
        ends = np.cumsum([len(chain) for chain in self.chains]).tolist()
        limits = [self.limits.get(name) or Limit() for name in self.providers]
        kill = self.kill_switch
        over, under = kill.error_ratio.as_integer_ratio() if kill else (0, 1)
        failures_max = kill.failures_max if isinstance(kill, CountedFailures) else kernel.NONE
        switch = (over, under, kill.window_us, kill.min_requests, kill.cooldown_us, failures_max) if kill else (0,)
        return {
            "chain": [[end - len(chain) for end, chain in zip(ends, self.chains, strict=True)], ends],
            "chain_lane": [lane for chain in self.chains for lane in chain] or [0],
            "escalate_from": self.escalation[0] if self.escalation else kernel.NONE,
            "escalate_to": self.escalation[1] if self.escalation else kernel.NONE, "escalate_place": ends[-1],
            "has_limits": bool(self.limits),
            "limit": [
                [one.requests_per_min or 0 for one in limits], [one.tokens_per_min or 0 for one in limits],
                [one.requests_per_day or 0 for one in limits], [one.tokens_per_day or 0 for one in limits],
                [OVER[one.over] for one in limits],
            ],
            "has_kill_switch": kill is not None, "switch": switch,
        }  # fmt: skip

    def turns(self, calls: Calls, lanes: Lanes, start: int, stop: int) -> Turns:
        """What these calls come to at every place of every chain."""
        return self.turns_at(calls, lanes, slice(start, stop))

    def turns_at(self, calls: Calls, lanes: Lanes, cut: slice | Int) -> Turns:
        """As `turns`, of any calls; the draws are those of each call, so they are the same whoever asks."""
        part = _Part(self, calls, lanes, cut)
        made = Turns([], [], [])
        packed, latency = made.packed, made.latency_us
        for chain in self.chains:
            is_open, elapsed = part.is_movable.copy(), np.zeros(len(part.is_movable), dtype=np.int64)
            if chain == (lanes.logged,):
                is_open[:] = True
            for number, lane in enumerate(chain):
                part.add(made, lane, is_open, elapsed, number)
                if not self.holds_calls and number + 1 < len(chain):
                    is_tried = is_open if number == 0 else is_open & lanes.lanes[lane].can_hold[cut]
                    is_open &= ~is_tried | (packed[-1] < kernel.IS_OK)
                    elapsed += np.where(is_tried, np.maximum(latency[-1], 0), 0)
        if self.escalation:
            no_time = np.zeros(len(part.is_movable), dtype=np.int64)
            wanted = part.is_movable & self.is_escalated[cut]
            part.add(made, self.escalation[1], wanted, no_time, ESCALATION_PLACE)
        return made


class Turns(NamedTuple):
    """By place of a chain: packed turns, latencies (-1: not known), and failures by kind (none where nobody counts)."""

    packed: list[Int]
    latency_us: list[Int]
    failures: list[Int]


class Down(NamedTuple):
    """A provider that answers nothing from one instant until before another, microseconds of UTC."""

    provider: int
    from_us: int
    until_us: int

    def meets(self, provider: Int, times_us: Int) -> Flag:
        """Which calls it hits."""
        found: Flag = (provider == self.provider) & (times_us >= self.from_us) & (times_us < self.until_us)
        return found


def _down(rules: TurnRules) -> tuple[int, int, int]:
    """The turn at a provider that is down, where every try fails at once, as a server error.

    Gives it packed, how long it takes, and its failures by kind.
    """
    retries = rules.retries_max if SERVER_ERROR in rules.retry_on else 0
    tries = retries + 1
    packed = (tries << kernel.ATTEMPTS) + (retries << kernel.RETRIES) + (tries << kernel.FAILURES)
    waits = sum(rules.wait_us(number) for number in range(1, tries))
    if rules.waits_us is not None and retries:
        waits += rules.waits_us[retries]
    return packed, waits, tries << (KIND_BITS * FAILURE_KINDS.index(SERVER_ERROR))


class _Part:
    """The turns of some of the calls."""

    def __init__(self, of: Attempting, calls: Calls, lanes: Lanes, cut: slice | Int) -> None:
        self._of, self._lanes, self._cut = of, lanes, cut
        self.is_movable = calls.is_movable[self._cut]
        self._times, self._keys = calls.time_us[self._cut], calls.draw_key[self._cut]
        self._logged_us, self._arm = calls.latency_us[self._cut], of.arm[self._cut]
        first = of.first
        self._first = First(first.is_logged[self._cut], first.latency_us[self._cut], first.outcome[self._cut])

    def add(self, to: Turns, lane: int, wanted: Flag, elapsed: Int, number: int) -> None:
        """The turn of the wanted calls on a lane, `elapsed` after the call began."""
        taken, is_other = self._lanes.lanes[lane], self._lanes.lanes[lane].is_other_model[self._cut]
        model = taken.model[self._cut]
        as_logged = np.int64((1 << kernel.ATTEMPTS) + (1 << kernel.BILLED) + kernel.IS_OK)
        service = taken.service_us[self._cut]  # an engine of one's own always answers, and takes its own time
        # An outage leaves alone what it does not meet: no attempt is drawn that would not be drawn without it.
        is_left = not self._of.draws or lane == self._lanes.logged
        turns = np.full(len(wanted), np.int64(kernel.LEFT) if is_left else as_logged)
        took = np.where(is_other, service, self._logged_us)
        failures = np.zeros(len(wanted), dtype=np.int64)
        is_played = wanted & self._of.log.is_covered(model) & (is_other | self._of.has_settings[self._arm, lane])
        is_played &= (service < 0) & (not is_left)
        for arm, rules in enumerate(self._of.rules):
            of_arm = self._arm == arm
            rows = np.flatnonzero(is_played & of_arm)
            if len(rows):
                # Only the first turn of a call on its own model is in the log.
                is_first = ~is_other[rows] if number == 0 else np.zeros(len(rows), dtype=np.bool_)
                first = First(is_first, self._first.latency_us[rows].clip(min=0), self._first.outcome[rows])
                made = turn(
                    model[rows], self._times[rows] + elapsed[rows], self._of.log.sample, rules[lane], number,
                    seed=self._of.seed, call_keys=self._keys[rows], first=first,
                )  # fmt: skip
                turns[rows], took[rows], failures[rows] = _packed(made), made.latency_us, made.failures
                took[rows[is_first & (self._first.latency_us[rows] < 0)]] = UNKNOWN
            if self._of.outage is not None:
                is_down = self._of.outage.meets(self._of.provider_of(model), self._times + elapsed) & (service < 0)
                here = is_down & of_arm
                turns[here], took[here], failures[here] = _down(rules[lane])
        to.packed.append(turns)
        to.latency_us.append(took)
        if self._of.counts_failures:
            to.failures.append(failures)


def _packed(made: Turn) -> Int:
    fields = (
        (made.attempt_count, kernel.ATTEMPTS), (made.retry_count, kernel.RETRIES), (made.hedge_count, kernel.HEDGES),
        (made.timeout_count, kernel.TIMEOUTS), (made.billed_count, kernel.BILLED),
        (made.failure_count, kernel.FAILURES),
    )  # fmt: skip
    total = np.where(made.outcome == OK, np.int64(kernel.IS_OK), np.int64(0))
    for count, place in fields:
        total += count.astype(np.int64) << place
    return total


def attempting(
    store: Store, policy: Policy, arms: Arms, calls: Calls, lanes: Lanes, seed: int, outage: Outage | None = None
) -> Attempting | None:
    """What the policy and the arms of its experiments say about attempts; None where they say nothing.

    Raises:
        CostctlError: E416 where neither the log nor the policy says how often calls escalate.
    """
    rules = tuple(_lane_rules(one) for one in arms.policies)
    said = (policy.retries, policy.hedge, policy.escalate, policy.kill_switch, policy.fallbacks, policy.limits)
    draws = any(said) or any(rule.timeout_us is not None for of_arm in rules for rule in of_arm)
    if not draws and outage is None:
        return None
    names = [one.name for one in (*policy.tiers, *policy.specialists)]
    chains = [(number, *_fallbacks(policy, lanes, name)) for number, name in enumerate(names)]
    escalation = policy.escalate and (lanes.number(policy.escalate.from_tier), lanes.number(policy.escalate.to))
    is_set = [len(chain) > 1 or bool(escalation and escalation[0] == at) for at, chain in enumerate(chains)]
    settings = np.array([[*(s or r.says_something for s, r in zip(is_set, one, strict=False)), False] for one in rules])
    log = logged_attempts(store, lanes)
    of_model = [name.split("/", maxsplit=1)[0] for name in lanes.models]
    providers = tuple(dict.fromkeys((*of_model, *((outage.provider,) if outage else ()))))
    escalating = None
    if policy.escalate is not None and escalation:
        escalating = escalated_calls(store, policy.escalate, calls, lanes, escalation[0], seed)
    return Attempting(
        (*chains, (lanes.logged,) if outage else ()), arms.of_call, rules, settings, log, _first_attempts(store, calls),
        seed, providers, np.array([providers.index(name) for name in of_model], dtype=np.int64), dict(policy.limits),
        policy.kill_switch, isinstance(policy.budgets, SpendFilter), escalation or None, escalating,
        _down_of(outage, providers) if outage else None, draws,
    )  # fmt: skip


def _lane_rules(policy: Policy) -> tuple[TurnRules, ...]:
    """By lane; the last is the logged one."""
    specs = (*policy.tiers, *policy.specialists)
    return (*(_turn_rules(policy, one) for one in specs), TurnRules())


def _down_of(outage: Outage, providers: tuple[str, ...]) -> Down:
    start_us = int(outage.from_at.timestamp()) * 10**6
    return Down(providers.index(outage.provider), start_us, start_us + outage.duration_us)


def _turn_rules(policy: Policy, tier: Tier) -> TurnRules:
    retries, hedge = policy.retries, policy.hedge
    hedge_after_us = hedge.after_us if hedge and hedge.tier == tier.name else None
    if retries is None or not retries.max_count:
        return TurnRules(
            tier.timeout_us, hedge_after_us=hedge_after_us, timed_out_is_billed=policy.assume.timed_out_is_billed
        )
    waits_us = None
    if isinstance(retries, SteppedRetries):
        waits_us = tuple(retries.wait_us(at, len(tier.models)) for at in range(1, retries.max_count + 2))
    return TurnRules(
        tier.timeout_us, retries.max_count, retries.backoff_us,
        frozenset(OUTCOMES.index(name) for name in retries.on), hedge_after_us, policy.assume.timed_out_is_billed,
        waits_us, waits_us is not None,
    )  # fmt: skip


def _fallbacks(policy: Policy, lanes: Lanes, tier: str) -> list[int]:
    """The lanes after this one in its chain: its fallbacks, and at last where errors escalate to."""
    names = list(policy.fallbacks.get(tier, ()))
    escalate = policy.escalate
    if escalate and escalate.from_tier == tier and "error" in escalate.when and escalate.to not in names:
        names.append(escalate.to)
    return [lanes.number(name) for name in names]


def logged_attempts(store: Store, lanes: Lanes, *, are_answers: bool = False) -> Empirical:
    """All attempts of the log, by the codes of `Lanes.models`, or only answers with a latency.

    Attempts that the user cancelled are left out. Models that the log does not show have those of their prior.
    """
    store.execute("CREATE OR REPLACE TEMP TABLE replay_model (name VARCHAR, code BIGINT)")
    store.insert("replay_model", ["name", "code"], [(name, str(code)) for code, name in enumerate(lanes.models)])
    sql = f"SELECT model, time_us AS started_us, latency_us, outcome FROM ({_SQL.read_text('utf-8')})"
    found = {name: plain(values) for name, values in store.numpy(sql).items()}
    kept = (found["outcome"] == OK) & (found["latency_us"] >= 0) if are_answers else found["outcome"] >= 0
    logged = {name: values[kept] for name, values in found.items()}
    return Empirical.fit(**with_priors(store, logged, lanes.priors, lanes.models), model_count=len(lanes.models))


def _first_attempts(store: Store, calls: Calls) -> First:
    """The first attempt of every call on the model that stands for it: that of its trace, else the call itself."""
    outcome = np.where(calls.is_ok, OK, ERROR).astype(np.int8)
    latency, every = calls.latency_us.copy(), np.ones(calls.count, dtype=np.bool_)
    sql = _SQL.read_text("utf-8")
    found = store.numpy(
        f"SELECT p.position, a.outcome, a.latency_us FROM ({sql}) a "
        "JOIN call f ON f.file_id = a.file_id AND f.source_line = a.source_line "
        "JOIN call c ON c.trace_id = f.trace_id AND c.prompt = f.prompt AND c.call_number = f.call_number "
        "JOIN replay_place p ON p.file_id = c.file_id AND p.source_line = c.source_line "
        "JOIN request r ON r.file_id = p.file_id AND r.source_line = p.source_line "
        "JOIN replay_model m ON m.code = a.model AND m.name = r.price_key WHERE p.attempt_count > 1 "
        "QUALIFY row_number() OVER (PARTITION BY p.position ORDER BY f.attempt_number) = 1"
    )
    place = plain(found["position"])
    outcome[place] = np.where(plain(found["outcome"]) < 0, ERROR, plain(found["outcome"]))
    latency[place] = plain(found["latency_us"])
    return First(every, latency, outcome)
