"""The decisions of a replay as a table of the workspace, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costctl.errors import CostctlError
from costctl.replay import kernel
from costctl.replay.arms import ToldArms
from costctl.replay.calls import fetch
from costctl.replay.latency import Latency
from costctl.replay.plan import EXACT_CACHE, PROVIDER, SERVED_BY, ExactCache
from costctl.replay.project import Outcome
from costctl.replay.route import Route
from costctl.store import Store

_SQL = Path(__file__).with_name("decisions.sql")
# Columns that only some policies have, and their types.
OPTIONAL = {
    **dict.fromkeys(("similarity_ppb", "gain_ppb"), "BIGINT"),
    **dict.fromkeys(("wait_us", "attempt_count", "retry_count", "hedge_count", "timeout_count"), "BIGINT"),
    **dict.fromkeys(("sent_input_tokens", "found_in", "extra_pusd", "idle_pusd", "beside_bits"), "BIGINT"),
    "is_batched": "BOOLEAN", "exact_cache": "BIGINT", "cap_used": "BIGINT",
}  # fmt: skip
NO_SOURCE = "no source had it"
NO_ENTRY_ALIVE = "no live entry"
TAKES_NO_PART = ("takes no part: its model has no list price", "takes no part: it has no time")
FORMS = {".jsonl": "FORMAT json, ARRAY false", ".parquet": "FORMAT parquet"}


def keep(
    store: Store, outcome: Outcome, routed: Route, caps: Sequence[tuple[str, str, str]], latency: Latency,
    cache: ExactCache | None, policy: str, arms: ToldArms,
) -> None:  # fmt: skip
    """Keep the decisions in the workspace, of the policy of that name; the view `decision` shows one row per call.

    `caps` are titles, each with its limit as people read it and the unit of what is used of it.
    """
    made, lanes = outcome.decisions, outcome.lanes
    is_provider = made.served_by == PROVIDER
    columns: dict[str, Any] = {
        "position": np.arange(outcome.calls.count, dtype=np.int32),
        **fetch(store, "file_id, source_line"),
        "model": np.where(is_provider, outcome.serving_model, -1).astype(np.int16),
        "lane": made.lane,
        "entry_lane": made.entry_lane,
        "routed_lane": made.routed_lane,
        "served_by": made.served_by,
        "answered_by": made.answered_by.astype(np.int32),
        "reason": routed.reason,
        "raised_by": routed.raised_by,
        "floored_by": routed.floored_by,
        "cap": made.cap,
        "is_moved": outcome.is_moved,
        "output_tokens": np.where(is_provider, lanes.take("output_tokens", made.lane), 0).astype(np.int32),
        "baseline_pusd": outcome.calls.baseline_pusd,
        "policy_pusd": outcome.policy_pusd,
        "prompt_cache_change_pusd": outcome.cached.change_pusd,
        "cache_read_tokens": outcome.cached.read_tokens.astype(np.int32),
        "is_unpriced": outcome.calls.is_unpriced,
        "latency_us": latency.policy_us,
        "notice": made.notice,
        "arms": arms.of_call.astype(np.int32),
    }
    if cache is not None and cache.bar is not None:
        calls, known = outcome.calls, len(cache.bars)
        why = np.where(calls.is_unpriced, known, np.where(calls.is_dated, cache.bar, known + 1))
        columns["exact_cache"] = np.where(made.served_by == EXACT_CACHE, -1, why).astype(np.int16)
    if len(made.cap_used):
        columns["cap_used"] = made.cap_used
    if (made.similarity_ppb >= 0).any():
        columns["similarity_ppb"] = made.similarity_ppb
    if routed.gain_ppb is not None:
        columns["gain_ppb"] = routed.gain_ppb
    if made.played is not None:
        columns |= {
            "wait_us": made.played.wait_us, "attempt_count": made.played.count(kernel.ATTEMPTS),
            "retry_count": made.played.count(kernel.RETRIES), "hedge_count": made.played.count(kernel.HEDGES),
            "timeout_count": made.played.count(kernel.TIMEOUTS),
        }  # fmt: skip
    beside = outcome.extras.items
    if lanes.stages or beside:
        idle = outcome.policy_pusd - outcome.used_pusd
        no_bits = np.zeros(outcome.calls.count, dtype=np.int64)
        columns |= {"idle_pusd": idle} if outcome.extras.idle_pusd else {}
        columns |= {
            "sent_input_tokens": np.where(is_provider, lanes.take("input_tokens", made.lane), 0),
            "is_batched": outcome.extras.is_batched, "found_in": outcome.extras.found_in,
            "extra_pusd": outcome.extras.pusd - idle,
            "beside_bits": sum((one.is_done.astype(np.int64) << bit for bit, one in enumerate(beside)), no_bits),
        }  # fmt: skip
    store.append("decision_row", columns, new="TABLE", is_ordered=False)
    names = {
        "policy": (policy,),
        "model": lanes.models, "lane": lanes.names, "served_by": SERVED_BY, "reason": routed.reasons,
        "exact cache": (NO_ENTRY_ALIVE, *(f"kept out: {bar}" for bar in cache.bars[1:]), *TAKES_NO_PART)
        if cache is not None else (),
        "raise": routed.raises, "floor": routed.floors,
        "cap": [title for title, _, _ in caps], "cap limit": [limit for _, limit, _ in caps],
        "cap unit": [unit for _, _, unit in caps],
        "arms": arms.names, "arms share": [f"{share:f}" for share in arms.shares],
        "source": (*outcome.extras.source_names, NO_SOURCE),
        "beside": [f"{one.stage}: {one.name}" for one in beside],
        **{f"{kind} tier": tiers for kind, tiers in routed.tiers_of.items()},
    }  # fmt: skip
    store.execute("CREATE OR REPLACE TABLE decision_name (kind VARCHAR, code BIGINT, name VARCHAR)")
    rows = [(kind, str(code), name) for kind, listed in names.items() for code, name in enumerate(listed)]
    store.insert("decision_name", ["kind", "code", "name"], rows)
    sql = _SQL.read_text("utf-8")
    for name, kind in OPTIONAL.items():  # what no stage has written
        if name not in columns:
            sql = sql.replace(f"d.{name}", f"CAST(NULL AS {kind})")
    store.execute(sql)


def write_decisions(store: Store, target: Path) -> None:
    """All decisions as JSONL or Parquet, by the ending of the file's name.

    Raises:
        CostctlError: E324 for another ending.
    """
    form = FORMS.get(target.suffix)
    if form is None:
        raise CostctlError("E324", f"--decisions {target}: neither .jsonl nor .parquet", f"write {target.stem}.jsonl")
    money = ", ".join(
        f"CAST({name} AS VARCHAR) AS {name}"
        for name in (
            "baseline_cost_usd",
            "policy_cost_usd",
            "prompt_cache_change_usd",
            "extra_cost_usd",
            "idle_cost_usd",
        )
    )
    texts = f"REPLACE ({money})" if target.suffix == ".jsonl" else ""  # no reader makes a float of it
    sql = f"SELECT * EXCLUDE (position, file_id) {texts} FROM decision ORDER BY position"
    store.export_query(sql, target, form)
