"""Many sizes and lifetimes of the exact cache over one log: everything that does not depend on them is shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from costctl.errors import CostctlError
from costctl.policy import units
from costctl.policy.keys import unknown
from costctl.replay import project
from costctl.replay.again import Main, ratio_of
from costctl.replay.calls import exact_sum
from costctl.replay.engine import Decisions, walk
from costctl.replay.kernel import EXACT_CACHE
from costctl.replay.plan import Plan
from costctl.report import Table

TTL, CAPACITY = "cache.exact.ttl", "cache.exact.capacity"
READ = {TTL: units.duration_us, CAPACITY: units.count_of_one}
THREADS = 2  # the compiled walk lets go of the interpreter's lock
Grid = Mapping[str, Mapping[str, int]]


def read_grid(texts: Sequence[str]) -> Grid:
    """What to sweep, from texts such as `cache.exact.ttl=1h,24h`: by key the values as written and as numbers.

    Raises:
        CostctlError: E434 for a key that cannot be swept, a value that it cannot take, or a key twice.
    """
    grid: dict[str, dict[str, int]] = {}
    for text in texts:
        key, _, values = text.partition("=")
        if key not in READ:
            raise CostctlError("E434", f"--sweep {text}: {unknown(key, READ)}", f"for example --sweep {TTL}=1h,24h")
        if key in grid:
            raise CostctlError("E434", f"--sweep {text}: {key} is swept already", "name all its values at once")
        grid[key] = {}
        for value in values.split(","):
            try:
                grid[key][value] = READ[key](int(value) if value.isdecimal() else value)
            except ValueError as error:
                raise CostctlError("E434", f"--sweep {text}: {error}", f"for example --sweep {TTL}=1h,24h") from None
    return grid


def sweep(main: Main, grid: Grid) -> Table:
    """Hits and cost of the policy with each combination of the values; the other keys as the policy has them.

    Raises:
        CostctlError: E434 where the policy has no exact cache, or engines of one's own, whose bill is no sum of calls.
    """
    plan = main.done.plan
    if plan.cache is None or main.policy.self_hosted:
        why = "the policy has no cache.exact" if plan.cache is None else "the policy has self_hosted engines"
        raise CostctlError("E434", f"--sweep {', '.join(grid)}: {why}", "add cache: {exact: {ttl: 24h}}")
    names = list(product(*grid.values()))
    plans = [_with(plan, dict(zip(grid, map(_value, grid.values(), chosen), strict=True))) for chosen in names]
    baseline, count = exact_sum(main.done.calls.baseline_pusd), max(main.done.calls.count, 1)
    rows = []
    for chosen, made in zip(names, _walked(main, plans), strict=True):
        spent = main.done.spent_pusd(made)
        hits = int(np.count_nonzero(made.served_by == EXACT_CACHE))
        said = dict(zip(grid, chosen, strict=True))
        rows.append((
            said.get(TTL), said.get(CAPACITY), hits / count, project.usd(spent), project.usd(baseline - spent),
            ratio_of(baseline - spent, baseline),
        ))  # fmt: skip
    columns = ("ttl", "capacity", "exact_hit_ratio", "policy_cost_usd", "saving_usd", "saving_ratio")
    return Table.of("sweep", columns, rows)


def _value(values: Mapping[str, int], name: str) -> int:
    return values[name]


def _with(plan: Plan, values: Mapping[str, int]) -> Plan:
    assert plan.cache is not None
    ttl_us, capacity = values.get(TTL, plan.cache.ttl_us), values.get(CAPACITY, plan.cache.capacity)
    return replace(plan, cache=replace(plan.cache, ttl_us=ttl_us, capacity=capacity))


def _walked(main: Main, plans: Sequence[Plan]) -> Iterator[Decisions]:
    """The decisions under each plan, a few at a time so that memory stays small."""
    done = main.done
    is_walked = done.calls.is_dated & ~done.calls.is_unpriced
    shared: list[Any] = []

    def made(plan: Plan) -> Decisions:
        return walk(done.calls, done.lanes, done.routed.lane, is_walked, plan, shared=shared)

    yield made(plans[0])  # alone, since it fills what the others share
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(1, len(plans), THREADS):
            yield from pool.map(made, plans[start : start + THREADS])
