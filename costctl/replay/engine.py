"""The replay: one walk through time over the calls that have state to meet.

Everything stateless stands in columns before the walk. `kernel` walks: as machine code where numba is
installed and the log is large, else as plain Python over one chunk of lists after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.replay import kernel
from costctl.replay.calls import Calls, Code, Flag, Int
from costctl.replay.kernel import AS_LOGGED, NONE, Rows, Rules, State, Told
from costctl.replay.kernel_inputs import Make, listed, rows_of, rules_of, state_of
from costctl.replay.lanes import Lanes
from costctl.replay.plan import NO_CAP, NO_ENTRY, Plan
from costctl.reuse.compiled import compiled_copy, warm

CHUNK_CALLS = 20_000  # so many calls at a time: as lists they would fill the memory
COMPILED_CHUNK_CALLS = 100_000
# Below, importing numba and loading the compiled walk takes longer than walking in Python.
COMPILED_FROM_CALLS = 300_000
# The columns that a walk fills in.
DECIDED = ("lane", "entry_lane", "routed_lane", "served_by", "answered_by", "similarity_ppb", "notice", "cap")
OF_CAPS = ("cap_used", "cap_call")
PLAYED = ("cost_pusd", "latency_us", "wait_us", "counts")


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
    cap_call: Int  # what the call itself comes to where it broke that cap, in picodollars or tokens
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
    make: Make = listed if compiled is None else np.ascontiguousarray
    rules, state = rules_of(lanes, plan, make), state_of(calls, lanes, plan, make)
    kept, filled = list(shared or ()), list[Rows]()
    size = CHUNK_CALLS if compiled is None else COMPILED_CHUNK_CALLS
    for number, start in enumerate(range(0, calls.count, size)):
        stop = min(start + size, calls.count)
        rows = kept[number] if kept else rows_of(calls, lanes, made.lane, is_walked, plan, start, stop, make)
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
        np.zeros(0 if plan.budgets is None else count, dtype=np.int64),
        np.zeros(0 if plan.budgets is None else count, dtype=np.int64), played,
    )  # fmt: skip


def _told(made: Decisions, plan: Plan, start: int, stop: int, make: Make) -> Told:
    cut, nothing = slice(start, stop), make(np.zeros(0, dtype=np.int64))
    told = {name: make(getattr(made, name)[cut].astype(np.int64)) for name in DECIDED}
    told |= {name: nothing if made.played is None else make(getattr(made.played, name)[cut].copy()) for name in PLAYED}
    told |= {name: make(getattr(made, name)[cut].copy()) for name in OF_CAPS}
    return Told(**told)


def _take(made: Decisions, told: Told, start: int, stop: int) -> None:
    """Write what was decided for the chunk into the columns of all calls."""
    for name in DECIDED:
        getattr(made, name)[start:stop] = getattr(told, name)
    if len(made.cap_used):
        for name in OF_CAPS:
            getattr(made, name)[start:stop] = getattr(told, name)
    if made.played is not None:
        for name in PLAYED:
            getattr(made.played, name)[start:stop] = getattr(told, name)
