"""A semantic cache over a log: who is answered with the answer to a near prompt.

A node is a prompt within its scope and key parts; its entry is the answer kept for it. A request is
served by the live entry of its own node, else by the nearest live entry of equal guard that is at
least `serve_min` similar; of equals by the one whose prompt came first in the log. Between
`refresh_min` and `serve_min` that entry is refreshed. Else a provider answers, and what may be kept
becomes the entry of the node. An entry lives for the time to live of the month (UTC) in which it was kept;
serving and refreshing do not renew it, but make it the most recently used.

The graph is searched once (`neighbours`); `semantic_kernel` replays any policy over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.reuse import semantic_kernel as kernel
from costctl.reuse.compiled import compiled_copy
from costctl.reuse.neighbours import Graph, Visits
from costctl.reuse.semantic_kernel import NONE, NearRows, NearRules, NearState, NearTold
from costctl.reuse.vectors import ONE, Int, Int32

Flag = NDArray[np.bool_]
# Importing numba and loading the compiled walk takes longer than so many steps in Python.
COMPILED_FROM_STEPS = 500_000
Ttls = tuple[tuple[tuple[int, ...] | None, int], ...]


@dataclass(frozen=True)
class SemanticPolicy:
    """What a semantic cache does; `ttls` are (months, microseconds), the first that names the month counts.

    Without `is_refresh_kept` a refreshed answer is given and forgotten.
    """

    serve_min_ppb: int
    ttls: Ttls
    refresh_min_ppb: int | None = None
    capacity: int | None = None
    is_guarded: bool = True
    is_refresh_kept: bool = False

    @property
    def lowest_ppb(self) -> int:
        """The least similarity that this policy looks at."""
        return self.serve_min_ppb if self.refresh_min_ppb is None else self.refresh_min_ppb

    @property
    def longest_us(self) -> int:
        """The longest time to live."""
        return max(ttl_us for _, ttl_us in self.ttls)


@dataclass(frozen=True)
class Requests:
    """What the cache sees, in time order; guards go by node."""

    visits: Visits  # node -1: neither looked up nor kept
    is_kept: Flag  # what a provider answers may be kept
    guard: Int

    @property
    def count(self) -> int:
        """How many requests there are."""
        return len(self.visits.node)


@dataclass(frozen=True)
class Served:
    """What became of each request."""

    outcome: NDArray[np.int8]  # kernel.MISSED, SERVED or REFRESHED
    answered_by: Int  # position of the request whose answer was used, -1 none
    similarity_ppb: Int32  # to the prompt of that request, -1 none
    is_own_prompt: Flag  # answered by the entry of its own node

    @property
    def served_count(self) -> int:
        """How many were served without a provider."""
        return int(np.count_nonzero(self.outcome == kernel.SERVED))

    def pairs(self, *, is_own_prompt: bool = True) -> tuple[Int, Int]:
        """Positions of the served requests and of those whose answers they got.

        Without `is_own_prompt` only those that were answered with the answer to another prompt.
        """
        wanted = self.outcome == kernel.SERVED
        if not is_own_prompt:
            wanted &= ~self.is_own_prompt
        at = np.flatnonzero(wanted)
        return at, self.answered_by[at]


def ppb(share: Any) -> int:
    """A similarity from 0 to 1, decimal or float, in parts per billion.

    >>> ppb(0.9), ppb("0.955")
    (900000000, 955000000)
    """
    return round(float(share) * ONE)


def ttl_of(times_us: Int, ttls: Ttls) -> Int:
    """For each time the time to live of what is kept then; 0 where no entry of `ttls` speaks of its month.

    >>> january, march = 1_767_225_600_000_000, 1_772_323_200_000_000
    >>> ttl_of(np.array([january, march]), (((1, 2), 24), (None, 72))).tolist()
    [24, 72]
    """
    month = times_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    ttl_us = np.zeros(len(times_us), dtype=np.int64)
    for months, ttl in reversed(ttls):
        if months is None:
            ttl_us[:] = ttl
        else:
            ttl_us[np.isin(month, months)] = ttl
    return ttl_us


def replay(graph: Graph, requests: Requests, policy: SemanticPolicy, *, is_compiled: bool | None = None) -> Served:
    """What the policy does with each request; the graph must reach down to its lowest similarity.

    With a graph of a band of time its times to live must not be longer than the band.
    """
    return next(sweep(graph, requests, (policy,), is_compiled=is_compiled))


def sweep(
    graph: Graph, requests: Requests, policies: Iterable[SemanticPolicy], *, is_compiled: bool | None = None
) -> Iterator[Served]:
    """Replay one policy after the other over the same graph; the result does not depend on `is_compiled`."""
    policies = tuple(policies)
    wanted = requests.count * len(policies) >= COMPILED_FROM_STEPS if is_compiled is None else is_compiled
    module = compiled_copy(kernel) if wanted else None
    walk = kernel.walk_rows if module is None else module.walk_rows
    make = _viewed if module is None else np.ascontiguousarray
    offsets, neighbour, similarity = make(graph.offsets), make(graph.neighbour), make(graph.similarity_ppb)
    guard, node, times_us = make(requests.guard), make(requests.visits.node), make(requests.visits.times_us)
    is_kept = make(requests.is_kept.astype(np.int64))
    ttls: dict[Ttls, Any] = {}
    for policy in policies:
        if policy.ttls not in ttls:
            ttls[policy.ttls] = make(ttl_of(requests.visits.times_us, policy.ttls))
        rules = NearRules(
            policy.serve_min_ppb, policy.lowest_ppb, NONE if policy.capacity is None else policy.capacity,
            policy.is_guarded, policy.is_refresh_kept, offsets, neighbour, similarity, guard,
        )  # fmt: skip
        rows = NearRows(0, node, times_us, ttls[policy.ttls], is_kept)
        told = _told(requests.count, make)
        walk(rules, rows, state(len(graph.offsets) - 1, policy, make), told)
        yield _served(requests.visits.node, told)


def state(nodes: int, policy: SemanticPolicy, make: Any) -> NearState:
    """An empty cache."""
    bounded = 0 if policy.capacity is None else nodes

    def of(size: int, value: int) -> Any:
        return make(np.full(size, value, dtype=np.int64))

    numbers = np.zeros(kernel.NUMBERS, dtype=np.int64)
    numbers[[kernel.HEAD, kernel.TAIL]] = NONE
    return NearState(make(numbers), of(nodes, NONE), of(nodes, kernel.DEAD), of(bounded, NONE), of(bounded, NONE))


def _viewed(values: NDArray[Any]) -> Any:
    """Lists are quickest in plain Python; a graph is too large for them and is looked at where it lies."""
    if values.dtype != np.int32:
        return values.tolist()
    laid: Any = np.ascontiguousarray(values)
    return memoryview(laid)


def _told(count: int, make: Any) -> NearTold:
    zeros, none = np.zeros(count, dtype=np.int64), np.full(count, NONE, dtype=np.int64)
    return NearTold(make(zeros), make(none), make(none.copy()))


def _served(node: Int, told: NearTold) -> Served:
    answered_by = np.asarray(told.answered_by, dtype=np.int64)
    return Served(
        np.asarray(told.outcome, dtype=np.int8), answered_by, np.asarray(told.similarity_ppb, dtype=np.int32),
        (answered_by >= 0) & (node[answered_by] == node),
    )  # fmt: skip


def nodes_of(texts: Sequence[int] | Int, scopes: Int) -> tuple[Int, Int, Int]:
    """Number the prompts within their scopes, in the order in which they first appear.

    From the text and the scope of each request (text -1: none) the node of each request, and the text
    and the scope of each node: what `neighbours` and `Requests` ask for.

    >>> [column.tolist() for column in nodes_of(np.array([7, 7, 7, -1, 7]), np.array([0, 1, 0, 0, 1]))]
    [[0, 1, 0, -1, 1], [7, 7], [0, 1]]
    """
    texts = np.asarray(texts, dtype=np.int64)
    node = np.full(len(texts), NONE, dtype=np.int64)
    known = np.flatnonzero(texts >= 0)
    keys = np.stack((scopes[known], texts[known]))
    _, first, code = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    node[known] = rank[code.reshape(-1)]
    first_of = known[np.sort(first)]
    return node, texts[first_of], scopes[first_of]
