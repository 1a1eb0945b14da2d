"""The replay: one walk through time over the calls that have state to meet.

Everything stateless stands in columns before the walk. `kernel` walks: as machine code where numba is
installed and the log is large, else as plain Python over one chunk of lists after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.replay import kernel
from costctl.replay.calls import DAY_US, Calls, Code, Flag, Int
from costctl.replay.chains import Turns
from costctl.replay.kernel import AS_LOGGED, NONE, NUMBERS, Rows, Rules, State, Told
from costctl.replay.lanes import Lanes
from costctl.replay.plan import NO_CAP, NO_ENTRY, Budgets, Plan
from costctl.reuse.compiled import compiled_copy, warm
from costctl.reuse.semantic_kernel import DEAD

CHUNK_CALLS = 20_000  # so many calls at a time: as lists they would fill the memory
COMPILED_CHUNK_CALLS = 100_000
# Below, importing numba and loading the compiled walk takes longer than walking in Python.
COMPILED_FROM_CALLS = 300_000
LARGEST_CAP = kernel.MOST - 1
# The columns that a walk fills in.
DECIDED = ("lane", "entry_lane", "routed_lane", "served_by", "answered_by", "similarity_ppb", "notice", "cap")
PLAYED = ("cost_pusd", "latency_us", "wait_us", "counts")
Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Played:
    """What the attempts of each call came to; AS_LOGGED where none was drawn."""

    cost_pusd: Int
    latency_us: Int  # waits included, -1 where a model's latency is not known
    wait_us: Int  # for a provider's limit
    counts: Int  # packed, see `kernel`
    paid_pusd: list[int]  # by model: what its attempts cost, those of calls that another model answered among them

    def count(self, field: int) -> Int:
        """One of the packed counts, for example `kernel.RETRIES`."""
        counts: Int = (self.counts >> field) & kernel.FIELD
        return counts


@dataclass(frozen=True)
class Decisions:
    """What the policy did with each call; arrays as long as the calls."""

    lane: NDArray[np.int16]  # the one that served, or would have
    entry_lane: NDArray[np.int16]  # before its attempts: after budgets
    routed_lane: NDArray[np.int16]  # before budgets
    served_by: NDArray[np.int8]
    answered_by: Code  # position of the call whose answer was served from a cache, or refreshed
    similarity_ppb: Code  # of the two prompts, where the semantic cache found it; else -1
    notice: NDArray[np.int16]
    cap: NDArray[np.int16]  # the first cap that was broken
    # What had been used of it before the call, in picodollars or tokens; of the cap on one request what the call
    # would cost, of that on a tier's share how many calls of the day the tier had; empty without budgets.
    cap_used: Int
    played: Played | None = None

    @property
    def is_cached(self) -> Flag:
        """Answered by a cache, exact or semantic, and by nobody else."""
        found: Flag = (self.served_by == kernel.EXACT_CACHE) | (self.served_by == kernel.SEMANTIC_CACHE)
        return found

    @property
    def is_asked(self) -> Flag:
        """A provider was asked: it answered, or every attempt failed; not where all were out of reach."""
        failed = self.served_by == kernel.FAILED
        if self.played is not None:
            failed = failed & (self.played.count(kernel.ATTEMPTS) > 0)
        found: Flag = (self.served_by == kernel.PROVIDER) | failed
        return found

    @property
    def is_refreshed(self) -> Flag:
        """Answered by the tier that refreshes what the semantic cache found."""
        found: Flag = (self.notice & kernel.REFRESHED) > 0
        return found


def walk(
    calls: Calls, lanes: Lanes, base: Code, is_walked: Flag, plan: Plan, *, is_compiled: bool | None = None,
    shared: list[Any] | None = None,
) -> Decisions:  # fmt: skip
    """Walk all calls through the stages of the plan; `base` is the lane of each by the rules alone.

    Calls that are not `is_walked` (no time or no price) stay as logged and meet no stage. The result does
    not depend on `is_compiled`, which chooses the engine; by default the size of the log does. `shared`, empty
    at first, keeps the columns of all chunks for walks under plans that differ in rules only.
    """
    made = _as_routed(calls, np.where(is_walked, base, lanes.logged).astype(np.int16), plan)
    if not plan.has_state:
        return made
    wanted = calls.count >= COMPILED_FROM_CALLS if is_compiled is None else is_compiled
    compiled = compiled_walk() if wanted else None
    walk_rows = kernel.walk_rows if compiled is None else compiled
    make: Make = _listed if compiled is None else np.ascontiguousarray
    rules, state = _rules(lanes, plan, make), _state(calls, lanes, plan, make)
    kept, filled = list(shared or ()), list[Rows]()
    size = CHUNK_CALLS if compiled is None else COMPILED_CHUNK_CALLS
    for number, start in enumerate(range(0, calls.count, size)):
        stop = min(start + size, calls.count)
        rows = kept[number] if kept else _rows(calls, lanes, made.lane, is_walked, plan, start, stop, make)
        if shared is not None and not kept:
            filled.append(rows)
        told = _told(made, plan, start, stop, make)
        walk_rows(rules, rows, state, told)
        _take(made, told, start, stop)
    if shared is not None and not kept:
        shared += filled
    if made.played is not None:
        paid = list(map(int, state.paid))
        made.played.paid_pusd[:] = [
            parts * kernel.PART + rest for parts, rest in zip(paid[::2], paid[1::2], strict=True)
        ]
    return made


def compiled_walk() -> Callable[[Rules, Rows, State, Told], None] | None:
    """The walk as machine code; None without numba."""
    for warming in _warming:
        warming.join()
    module = compiled_copy(kernel)
    if module is None:
        return None
    found: Callable[[Rules, Rows, State, Told], None] = module.walk_rows
    return found


_warming: list[Thread] = []


def warm_up(call_count: int) -> None:
    """Load numba beside the questions to the store, where a log of this size will be walked as machine code."""
    if call_count >= COMPILED_FROM_CALLS and not _warming:
        _warming.append(Thread(target=warm, daemon=True))
        _warming[0].start()


def _listed(values: Any) -> Any:
    return np.asarray(values).tolist()


def _as_routed(calls: Calls, lane: NDArray[np.int16], plan: Plan) -> Decisions:
    """Before any stage: every call on its lane, answered by a provider."""
    count = calls.count

    def as_logged() -> Int:
        return np.full(count, AS_LOGGED, dtype=np.int64)

    zeros = np.zeros(count, dtype=np.int64)
    played = None if plan.attempts is None else Played(as_logged(), as_logged(), zeros, zeros.copy(), [])
    return Decisions(
        lane, lane.copy(), lane.copy(), np.zeros(count, dtype=np.int8), np.full(count, NO_ENTRY, dtype=np.int32),
        np.full(count, NONE, dtype=np.int32),
        np.zeros(count, dtype=np.int16), np.full(count, NO_CAP, dtype=np.int16),
        np.zeros(0 if plan.budgets is None else count, dtype=np.int64), played,
    )  # fmt: skip


def _rules(lanes: Lanes, plan: Plan, make: Make) -> Rules:
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
    view = _viewed if make is _listed else make
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


def _state(calls: Calls, lanes: Lanes, plan: Plan, make: Make) -> State:
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


def _rows(
    calls: Calls, lanes: Lanes, base: Code, is_walked: Flag, plan: Plan, start: int, stop: int, make: Make
) -> Rows:
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


def _told(made: Decisions, plan: Plan, start: int, stop: int, make: Make) -> Told:
    cut, nothing = slice(start, stop), make(np.zeros(0, dtype=np.int64))
    told = {name: make(getattr(made, name)[cut].astype(np.int64)) for name in DECIDED}
    told |= {name: nothing if made.played is None else make(getattr(made.played, name)[cut].copy()) for name in PLAYED}
    told["cap_used"] = make(made.cap_used[cut].copy())
    return Told(**told)


def _take(made: Decisions, told: Told, start: int, stop: int) -> None:
    """Write what was decided for the chunk into the columns of all calls."""
    for name in DECIDED:
        getattr(made, name)[start:stop] = getattr(told, name)
    if len(made.cap_used):
        made.cap_used[start:stop] = told.cap_used
    if made.played is not None:
        for name in PLAYED:
            getattr(made.played, name)[start:stop] = getattr(told, name)
