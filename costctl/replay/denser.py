"""The log several times as dense: each call again at its own time, as another question of the same user.

A copy has a prompt and a session of its own, so that no cache and no tier gains from the copies; its user,
team and endpoint are the same, so that every cap is met by all of them. A ratio between two whole
numbers copies some calls once more than others, drawn by call and seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from costctl.replay.calls import Calls, Int, view_calls
from costctl.replay.candidates import Candidate, InputPrices
from costctl.replay.compile import Known
from costctl.replay.draws import STEP, uniform
from costctl.store import Store

PURPOSE = "volume"
# What names the question of a copy, so that nothing kept for one serves another.
OWN = {
    "prompt_key": "CASE WHEN r.prompt_key IS NOT NULL THEN hash(r.prompt_key, p.copy_number) END",
    "session_id": "r.session_id || ' copy ' || p.copy_number",
    "prefix_blocks": "[CAST(hash(block, p.copy_number) >> 1 AS BIGINT) for block in r.prefix_blocks]",
}
T = TypeVar("T")


@contextmanager
def denser(store: Store, calls: Calls, known: Known, ratio: Decimal, seed: int) -> Iterator[tuple[Calls, Known]]:
    """The calls and their prices, copied; while it lasts the store's `replay_call` holds the copies too."""
    source, copy_number = _copies(calls, ratio, seed)
    place = {"position": source, "copy_number": copy_number, "place": np.arange(len(source))}
    store.append("replay_copy", place, new="TEMP TABLE")
    store.execute("CREATE OR REPLACE TEMP TABLE replay_once AS FROM replay_place")
    store.execute(
        "CREATE OR REPLACE TEMP TABLE replay_place AS SELECT o.* REPLACE (c.place AS position), c.copy_number "
        "FROM replay_once o JOIN replay_copy c USING (position)"
    )
    view_calls(store, _own_columns(store))
    try:
        # Copies have chances of their own; the first keeps those of the call.
        draw_key = calls.draw_key[source] + copy_number.astype(np.uint64) * np.uint64(STEP)
        copied = replace(_taken(calls, calls.count, source), count=len(source), draw_key=draw_key)
        yield copied, {name: _copied(one, calls.count, source) for name, one in known.items()}
    finally:
        store.execute("CREATE OR REPLACE TEMP TABLE replay_place AS FROM replay_once")
        view_calls(store)


def _own_columns(store: Store) -> str:
    """The columns of OWN that the log has, in place of those of the first copy."""
    there = {name for name, *_ in store.query("DESCRIBE request")}
    return "".join(
        f", CASE WHEN p.copy_number = 0 THEN r.{name} ELSE {own} END AS {name}"
        for name, own in OWN.items()
        if name in there
    )


def _copies(calls: Calls, ratio: Decimal, seed: int) -> tuple[Int, Int]:
    """Which call each of the new ones is, in the order of the replay, and its number among its copies."""
    whole = int(ratio)
    more = uniform(seed, calls.draw_key, PURPOSE) < float(ratio - whole)
    times = whole + more.astype(np.int64)
    source = np.repeat(np.arange(calls.count), times)
    first = np.cumsum(times) - times
    return source, np.arange(len(source)) - first[source]


def _copied(one: Candidate | InputPrices, count: int, source: Int) -> Candidate | InputPrices:
    if isinstance(one, InputPrices):
        return InputPrices(*(column[source] for column in one))
    return _taken(one, count, source)


def _taken(of: T, count: int, source: Int) -> T:
    """The same record with every column over the calls taken from these of them."""
    columns: dict[str, Any] = {field.name: getattr(of, field.name) for field in fields(of)}  # type: ignore[arg-type]
    taken = {
        name: values[..., source]
        for name, values in columns.items()
        if isinstance(values, np.ndarray) and values.shape[-1] == count
    }
    return replace(of, **taken)  # type: ignore[type-var]
