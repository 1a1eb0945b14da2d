"""The decisions of a replay as a table of the workspace, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.errors import CostctlError
from costctl.replay import kernel
from costctl.replay.arms import ToldArms
from costctl.replay.budgets_told import held_by_floor
from costctl.replay.calls import fetch
from costctl.replay.escalation import WHY
from costctl.replay.latency import Latency
from costctl.replay.near_missed import WHY as WHY_MISSED
from costctl.replay.near_missed import missed
from costctl.replay.plan import EXACT_CACHE, PROVIDER, SERVED_BY, Plan
from costctl.replay.project import Outcome
from costctl.replay.retrace import ways_of
from costctl.replay.route import Route
from costctl.store import Store

_SQL = Path(__file__).with_name("decisions.sql")
# Columns that only some policies have, and their types.
OPTIONAL = {
    **dict.fromkeys(("similarity_ppb", "gain_ppb"), "BIGINT"),
    **dict.fromkeys(("wait_us", "attempt_count", "retry_count", "hedge_count", "timeout_count"), "BIGINT"),
    **dict.fromkeys(("sent_input_tokens", "found_in", "extra_pusd", "idle_pusd", "beside_bits"), "BIGINT"),
    **dict.fromkeys(("semantic_cache", "nearest_position", "nearest_ppb"), "BIGINT"),
    "is_batched": "BOOLEAN", "exact_cache": "BIGINT", "cap_used": "BIGINT", "cap_call": "BIGINT",
    **dict.fromkeys(("first_pusd", "first_model", "escalation_pusd", "failed_pusd"), "BIGINT"),
    **dict.fromkeys(("passed", "waited", "escalated_why"), "BIGINT"),
}  # fmt: skip
NO_SOURCE = "no source had it"
NO_ENTRY_ALIVE = "no live entry"
# Why a call does not go where the rules send it.
STAYS = (
    "its tier cannot hold it", "its cost there is unknown: the tokens that its models would use are",
    "it failed in the log, so it is not moved", "it has no token counts, so it is not moved",
    "it has no time, so it is not moved",
)  # fmt: skip
DOES_NOT_FIT, IS_UNKNOWN, HAS_FAILED, HAS_NO_COUNTS, HAS_NO_TIME = range(len(STAYS))
TAKES_NO_PART = ("takes no part: what it costs is not known", "takes no part: it has no time")
FORMS = {".jsonl": "FORMAT json, ARRAY false", ".parquet": "FORMAT parquet"}


def keep(
    store: Store, outcome: Outcome, routed: Route, caps: Sequence[tuple[str, str, str]], latency: Latency,
    plan: Plan, policy: str, arms: ToldArms,
) -> None:  # fmt: skip
    """Keep the decisions in the workspace, of the policy of that name; the view `decision` shows one row per call.

    `caps` are titles, each with its limit as people read it and the unit of what is used of it.
    """
    made, lanes, cache = outcome.decisions, outcome.lanes, plan.cache
    is_provider = made.served_by == PROVIDER
    columns: dict[str, Any] = {
        "position": np.arange(outcome.calls.count, dtype=np.int32),
        **fetch(store, "file_id, source_line"),
        "model": np.where(is_provider, outcome.serving_model, -1).astype(np.int16),
        "lane": made.lane,
        "entry_lane": made.entry_lane,
        "routed_lane": made.routed_lane,
        "fitted_lane": _fitted_lane(outcome, routed),
        "stays": _stays(outcome, routed),
        "served_by": made.served_by,
        "answered_by": made.answered_by.astype(np.int32),
        "reason": routed.reason,
        "raised_by": routed.raised_by,
        "floored_by": routed.floored_by,
        "held_by": held_by_floor(made, routed, plan, lanes),
        "cap": made.cap,
        "is_moved": outcome.is_moved,
        "is_cut": is_provider & lanes.take("is_capped", made.lane),
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
    if plan.semantic is not None:
        seen = missed(plan.semantic, outcome.calls, made)
        columns |= {"semantic_cache": seen.why, "nearest_position": seen.position, "nearest_ppb": seen.similarity_ppb}
    if len(made.cap_used):
        columns["cap_used"] = made.cap_used
    if plan.budgets is not None and not plan.budgets.is_filtering:
        columns["cap_call"] = made.cap_call
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
    ways: tuple[str, ...] = ()
    escalation = None if plan.attempts is None else plan.attempts.escalation
    if made.played is not None and plan.attempts is not None:
        way = ways_of(plan.attempts, outcome.calls, lanes, made, made.played)
        ways = way.texts
        columns |= {
            name: getattr(way, name)
            for name in ("first_pusd", "first_model", "escalation_pusd", "failed_pusd", "passed", "waited")
        }
        if plan.attempts.escalating is not None:
            is_escalated = (made.notice & kernel.ESCALATED) > 0
            columns["escalated_why"] = np.where(is_escalated, plan.attempts.escalating.why, -1).astype(np.int16)
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
        "exact_cache": (NO_ENTRY_ALIVE, *(f"kept out: {bar}" for bar in cache.bars[1:]), *TAKES_NO_PART)
        if cache is not None else (),
        "semantic_cache": WHY_MISSED,
        "raise": routed.raises, "floor": routed.floors,
        "cap": [title for title, _, _ in caps], "cap_limit": [limit for _, limit, _ in caps],
        "cap_unit": [unit for _, _, unit in caps],
        "arms": arms.names, "arms_share": [f"{share:f}" for share in arms.shares],
        "source": (*outcome.extras.source_names, NO_SOURCE),
        "stays": STAYS, "way": ways, "escalation": WHY,
        "escalation_tier": [lanes.names[lane] for lane in escalation or ()],
        "beside": [f"{one.stage}: {one.name}" for one in beside],
        **{f"{kind}_tier": tiers for kind, tiers in routed.tiers_of.items()},
    }  # fmt: skip
    lists = ", ".join(f"CAST(${kind} AS VARCHAR[]) AS {kind}" for kind in names)
    store.execute(
        f"CREATE OR REPLACE TABLE decision_names AS SELECT {lists}", {kind: list(name) for kind, name in names.items()}
    )
    sql = _SQL.read_text("utf-8")
    for name, kind in OPTIONAL.items():  # what no stage has written
        if name not in columns:
            sql = sql.replace(f"d.{name}", f"CAST(NULL AS {kind})")
    store.execute(sql)


def _fitted_lane(outcome: Outcome, routed: Route) -> NDArray[np.int16]:
    """Where each call goes by its rules and by what can hold it, before its session speaks."""
    calls = outcome.calls
    return np.where(calls.is_dated & ~calls.is_unpriced, routed.lane, outcome.lanes.logged).astype(np.int16)


def _stays(outcome: Outcome, routed: Route) -> NDArray[np.int8]:
    """Why each call does not go where the rules send it: its number in `STAYS`, -1 where it does."""
    calls = outcome.calls
    why = np.full(calls.count, -1, dtype=np.int8)
    for code, here in (
        (DOES_NOT_FIT, routed.does_not_fit), (IS_UNKNOWN, routed.is_unknown), (HAS_NO_COUNTS, ~calls.is_movable),
        (HAS_FAILED, ~calls.is_ok), (HAS_NO_TIME, ~calls.is_dated),
    ):  # fmt: skip
        why[here] = code
    return why


def write_decisions(store: Store, target: Path) -> None:
    """All decisions as JSONL or Parquet, by the ending of the file's name.

    Raises:
        CostctlError: E324 for another ending.
    """
    form = FORMS.get(target.suffix)
    if form is None:
        raise CostctlError(
            "E324", f"--decisions {target}: neither .jsonl nor .parquet", f"write {target.name.split('.')[0]}.jsonl"
        )
    money = ", ".join(
        f"CAST({name} AS VARCHAR) AS {name}"
        for name in (
            "baseline_cost_usd",
            "policy_cost_usd",
            "prompt_cache_change_usd",
            "extra_cost_usd",
            "idle_cost_usd",
            "broken_cap_used_usd",
            "broken_cap_call_usd",
            "first_answer_cost_usd",
            "escalation_cost_usd",
            "failed_attempts_cost_usd",
        )
    )
    texts = f"REPLACE ({money})" if target.suffix == ".jsonl" else ""  # no reader makes a float of it
    sql = f"SELECT * EXCLUDE (position, file_id, nearest_position) {texts} FROM decision ORDER BY position"
    store.export_query(sql, target, form)
