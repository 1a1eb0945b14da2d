"""What the walk is given: the rules of a policy, its state at the start, and the columns of one chunk of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.replay import kernel
from costctl.replay.calls import DAY_US, Calls, Code, Flag
from costctl.replay.chains import Turns
from costctl.replay.kernel import NONE, NUMBERS, Rows, Rules, State
from costctl.replay.lanes import Lanes
from costctl.replay.plan import Budgets, Plan
from costctl.reuse.semantic_kernel import DEAD

LARGEST_CAP = kernel.MOST - 1
Make = Callable[[Any], Any]


def listed(values: Any) -> Any:
    """As the walk in plain Python takes a column: lists, which it reads several times as fast as arrays."""
    return np.asarray(values).tolist()


def rules_of(lanes: Lanes, plan: Plan, make: Make) -> Rules:
    """What stays the same over the whole walk."""
    cache, budgets = plan.cache, plan.budgets or Budgets()
    over, under = [0] * len(lanes.lanes), [0] * len(lanes.lanes)
    for lane, part, whole in budgets.share_of_lane:
        over[lane], under[lane] = part, whole

    def ints(values: Any) -> Any:
        return make(np.array(values, dtype=np.int64))

    most = budgets.request_max_pusd
    of_attempts: dict[str, Any] = {
        name: value if isinstance(value, int) else ints(value) for name, value in _attempt_rules(plan).items()
    }
    return Rules(
        logged=lanes.logged, tier_count=lanes.tier_count, has_cache=cache is not None,
        ttl_us=cache.ttl_us if cache else 0, is_from_last_hit=cache.is_from_last_hit if cache else False,
        capacity=_capacity(plan), **_semantic_rules(plan, make), has_sticky=plan.session is not None,
        has_budgets=plan.budgets is not None, is_filtering=budgets.is_filtering,
        is_refusing=budgets.is_refusing, request_max_pusd=NONE if most is None else min(most, LARGEST_CAP),
        cap=ints([
            [min(cap.limit, LARGEST_CAP) for cap in budgets.caps], [cap.lane for cap in budgets.caps],
            [cap.is_tokens for cap in budgets.caps], _first_units(budgets)[:-1],
        ]),
        share=ints([over, under]), has_attempts=plan.attempts is not None, **of_attempts,
    )  # fmt: skip


def _viewed(values: NDArray[Any]) -> Any:
    laid: Any = np.ascontiguousarray(values)
    return memoryview(laid)


def _semantic_rules(plan: Plan, make: Make) -> dict[str, Any]:
    """The semantic cache and its graph; a graph is too large for lists and is looked at where it lies."""
    semantic = plan.semantic
    if semantic is None:
        offsets, neighbour, guard = (
            np.zeros(1, dtype=np.int64),
            np.zeros(0, dtype=np.int32),
            np.zeros(0, dtype=np.int64),
        )
        near = neighbour
    else:
        graph, guard = semantic.graph, semantic.guard
        offsets, neighbour, near = graph.offsets, graph.neighbour, graph.similarity_ppb
    view = _viewed if make is listed else make
    return {
        "has_semantic": semantic is not None, "serve_min_ppb": semantic.serve_min_ppb if semantic else 0,
        "lowest_ppb": semantic.lowest_ppb if semantic else 0, "refresh_lane": semantic.refresh_lane if semantic else 0,
        "offsets": make(offsets), "neighbour": view(neighbour), "near_ppb": view(near), "guard": make(guard),
    }  # fmt: skip


def _capacity(plan: Plan) -> int:
    """The capacity of the cache; without end where it holds every key of the log."""
    if plan.cache is None or plan.cache.capacity is None or plan.cache.capacity > _largest(plan.cache.key):
        return NONE
    return plan.cache.capacity


def _attempt_rules(plan: Plan) -> dict[str, Any]:
    if plan.attempts is not None:
        return plan.attempts.kernel_rules()
    return {
        "chain": [[0], [0]], "chain_lane": [0], "escalate_from": NONE, "escalate_to": NONE, "escalate_place": 0,
        "has_limits": False, "limit": [[0]], "has_kill_switch": False, "switch": [0],
    }  # fmt: skip


def _first_units(budgets: Budgets) -> list[int]:
    """Where the counters of each cap begin, and where the last ones end."""
    first = [0]
    for cap in budgets.caps:
        first.append(first[-1] + _largest(cap.unit) + 1)
    return first


def _largest(codes: Code) -> int:
    return int(codes.max(initial=NONE))


def state_of(calls: Calls, lanes: Lanes, plan: Plan, make: Make) -> State:
    """Empty caches, nothing spent, every provider up: what the walk changes as it goes."""
    keys = 0 if plan.cache is None else _largest(plan.cache.key) + 1
    sessions = 0 if plan.session is None else _largest(plan.session) + 1
    providers = 0 if plan.attempts is None else plan.attempts.unit_count
    nodes = 0 if plan.semantic is None else len(plan.semantic.guard)
    events = 0
    if plan.attempts is not None and plan.attempts.kill_switch is not None and not plan.attempts.counts_failures:
        events = calls.count * plan.attempts.longest

    def of(size: int, value: int = 0) -> Any:
        return make(np.full(size, value, dtype=np.int64))

    numbers = np.zeros(NUMBERS, dtype=np.int64)
    numbers[[kernel.DAY, kernel.HEAD, kernel.TAIL]] = NONE
    of_provider = np.zeros((kernel.PROVIDER_NUMBERS, providers), dtype=np.int64)
    of_provider[[kernel.MINUTE, kernel.OF_DAY, kernel.OUT_UNTIL_US, kernel.OLDEST, kernel.NEWEST]] = NONE
    return State(
        numbers=make(numbers), slot=make(np.tile(np.array([NONE, 0, NONE, NONE]), keys)),
        near_entry=of(nodes, NONE), until_us=of(nodes, DEAD),
        highest=of(sessions, NONE), used=of(_first_units(plan.budgets or Budgets())[-1]),
        since_us=of(_first_units(plan.budgets or Budgets())[-1], NONE),
        lane_calls=of(len(lanes.lanes)), provider=make(of_provider),
        event=make(np.zeros((kernel.EVENT_NUMBERS, events), dtype=np.int64)),
        paid=of(0 if plan.attempts is None else 2 * len(lanes.models)),
    )  # fmt: skip


def rows_of(
    calls: Calls, lanes: Lanes, base: Code, is_walked: Flag, plan: Plan, start: int, stop: int, make: Make
) -> Rows:
    """The columns of the calls from `start` to `stop`; what has one value per lane lies side by side."""
    cut = slice(start, stop)
    cache, semantic, budgets, attempts = plan.cache, plan.semantic, plan.budgets, plan.attempts
    nothing = np.zeros(0, dtype=np.int64)

    def column(values: Any) -> Any:
        return make(values[cut].astype(np.int64))

    def stacked(columns: Sequence[Any]) -> Any:
        return make(np.stack(columns, axis=1).astype(np.int64).ravel()) if columns else make(nothing)

    provider = stacked([attempts.provider_of(lane.model[cut]) for lane in lanes.lanes] if attempts else [])
    watched = provider
    if attempts is not None and attempts.counts_failures:
        watched = stacked([attempts.watched(at, lane.model[cut]) for at, lane in enumerate(lanes.lanes)])
    needs_cost = budgets is not None or attempts is not None
    floor = None if plan.floor is None else plan.floor[cut].clip(min=0)
    turns = Turns([], [], []) if attempts is None else attempts.turns(calls, lanes, start, stop)
    return Rows(
        start=start, walked=make(np.flatnonzero(is_walked[cut])), base=column(base), times_us=column(calls.time_us),
        is_ok=column(calls.is_ok), key=column(cache.key) if cache else make(nothing),
        is_kept=column(cache.is_kept) if cache else make(nothing),
        node=column(semantic.node) if semantic else make(nothing),
        near_kept=column(semantic.is_kept) if semantic else make(nothing),
        near_ttl_us=column(semantic.ttl_us) if semantic else make(nothing),
        may_refresh=column(calls.is_movable & lanes.lanes[semantic.refresh_lane].can_hold)
        if semantic else make(nothing),
        session=make(nothing) if plan.session is None else column(plan.session),
        day=make(np.where(calls.is_dated[cut], calls.time_us[cut], 0) // DAY_US) if budgets else make(nothing),
        lowest=make(np.zeros(stop - start, dtype=np.int64) if floor is None else floor.astype(np.int64)),
        unit=stacked([cap.unit[cut] for cap in budgets.caps] if budgets else []),
        cost_pusd=stacked([lane.cost_pusd[cut] for lane in lanes.lanes] if needs_cost else []),
        tokens=stacked(
            [lane.input_tokens[cut].clip(min=0) + lane.output_tokens[cut] for lane in lanes.lanes] if needs_cost else []
        ),
        can_hold=stacked([lane.can_hold[cut] for lane in lanes.lanes]),
        provider=provider, watched=watched,
        model=stacked([lane.model[cut] for lane in lanes.lanes] if attempts else []),
        turn=stacked(turns.packed), turn_latency_us=stacked(turns.latency_us), turn_failures=stacked(turns.failures),
        is_escalated=make(nothing) if attempts is None else column(attempts.is_escalated),
    )  # fmt: skip
