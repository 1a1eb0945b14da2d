"""How long the calls would have taken: as logged, drawn from the log's own attempts, or not at all from a cache.

A call that another model answers takes as long as a logged success of that model in the same hour
(else day, else the whole log). A call on its logged model keeps its latency, also where its answer is
shortened. A cache hit counts as 0: what a look-up takes is not in the log. Refused calls have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from costctl.replay.calls import UNKNOWN, Calls, Flag, Int
from costctl.replay.draws import uniform
from costctl.replay.empirical import OK, Empirical
from costctl.replay.engine import Decisions
from costctl.replay.lanes import Lanes
from costctl.replay.plan import EXACT_CACHE, PROVIDER
from costctl.store import Store

PURPOSE = "latency"


class Latency(NamedTuple):
    """Latency of every call under the policy in microseconds, -1 where it has none or none is known."""

    policy_us: Int
    is_drawn: Flag
    uncovered: tuple[str, ...]  # models that answer moved calls and of which the log shows no latency


def replay_latency(store: Store, calls: Calls, lanes: Lanes, decisions: Decisions, seed: int) -> Latency:
    """Latencies that follow from the decisions; the draws of a call are the same for every policy."""
    is_served = decisions.served_by == PROVIDER
    is_moved = is_served & lanes.take("is_other_model", decisions.lane)
    latency = np.where(is_served & calls.is_ok, calls.latency_us, UNKNOWN)
    latency[decisions.served_by == EXACT_CACHE] = 0
    uncovered: tuple[str, ...] = ()
    if is_moved.any():
        logged = _logged_attempts(store, lanes)
        model = lanes.take("model", decisions.lane)[is_moved]
        drawn, _ = logged.sample(model, calls.time_us[is_moved], uniform(seed, calls.draw_key[is_moved], PURPOSE))
        latency[is_moved] = drawn
        uncovered = tuple(lanes.models[code] for code in np.unique(model[~logged.is_covered(model)]).tolist())
    return Latency(latency, is_moved, uncovered)


def _logged_attempts(store: Store, lanes: Lanes) -> Empirical:
    """The successful attempts of the log with a known latency, by the codes of `Lanes.models`."""
    code_of: Mapping[str, int] = {name: code for code, name in enumerate(lanes.models)}
    found = store.numpy(
        "SELECT price_key, coalesce(epoch_us(started_at), replay_offset_ms * 1000, -1) AS time_us, "
        "CAST(round(latency_ms * 1000) AS BIGINT) AS latency_us FROM request "
        "WHERE status = 'ok' AND latency_ms >= 0 AND price_key IS NOT NULL ORDER BY file_id, source_line"
    )
    names = np.asarray(found["price_key"], dtype=object)
    model = np.fromiter((code_of.get(name, UNKNOWN) for name in names), dtype=np.int64, count=len(names))
    return Empirical.fit(
        model, np.asarray(found["time_us"]), np.asarray(found["latency_us"]), np.full(len(names), OK, dtype=np.int8),
        model_count=len(lanes.models),
    )  # fmt: skip
