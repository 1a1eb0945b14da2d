"""The decisions of a replay as a table of the workspace, as a file, and one of them explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costctl.errors import CostctlError, ExitCode
from costctl.replay import kernel
from costctl.replay.calls import fetch
from costctl.replay.classifier import told_reason
from costctl.replay.latency import Latency
from costctl.replay.plan import EXACT_CACHE, PROVIDER, SERVED_BY, ExactCache
from costctl.replay.project import Outcome
from costctl.replay.route import Route
from costctl.report import Report, Table, Value
from costctl.store import Store

_SQL = Path(__file__).with_name("decisions.sql")
_NEAREST = (
    "SELECT request_id FROM decision WHERE request_id IS NOT NULL "
    "ORDER BY levenshtein(request_id, $id), request_id LIMIT 1"
)
# Columns that only some policies have, and their types.
OPTIONAL = {
    **dict.fromkeys(("similarity_ppb", "gain_ppb"), "BIGINT"),
    **dict.fromkeys(("wait_us", "attempt_count", "retry_count", "hedge_count", "timeout_count"), "BIGINT"),
    **dict.fromkeys(("sent_input_tokens", "found_in", "extra_pusd", "idle_pusd", "beside_bits"), "BIGINT"),
    "is_batched": "BOOLEAN", "exact_cache": "BIGINT",
}  # fmt: skip
NO_SOURCE = "no source had it"
NO_ENTRY_ALIVE = "no live entry"
TAKES_NO_PART = ("takes no part: its model has no list price", "takes no part: it has no time")
FORMS = {".jsonl": "FORMAT json, ARRAY false", ".parquet": "FORMAT parquet"}


def keep(
    store: Store, outcome: Outcome, routed: Route, caps: Sequence[str], latency: Latency, cache: ExactCache | None,
    policy: str,
) -> None:  # fmt: skip
    """Keep the decisions in the workspace, of the policy of that name; the view `decision` shows one row per call."""
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
    }
    if cache is not None and cache.bar is not None:
        calls, known = outcome.calls, len(cache.bars)
        why = np.where(calls.is_unpriced, known, np.where(calls.is_dated, cache.bar, known + 1))
        columns["exact_cache"] = np.where(made.served_by == EXACT_CACHE, -1, why).astype(np.int16)
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
        "raise": routed.raises, "floor": routed.floors, "cap": caps,
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


def explain(store: Store, request_id: str) -> Report:
    """The way of one request through the stages of the last simulation.

    Raises:
        CostctlError: E420 where nothing was simulated, E421 where no call has this id.
    """
    if not store.scalar("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'decision_row'"):
        raise CostctlError(
            "E420", "nothing was simulated yet", "costctl simulate LOG --policy policy.yaml", ExitCode.INPUT
        )
    columns, rows = store.table("SELECT * FROM decision WHERE request_id = $id ORDER BY position", {"id": request_id})
    if not rows:
        near = store.query(_NEAREST, {"id": request_id})
        hint = f"did you mean {near[0][0]}?" if near else "the log has no request ids"
        raise CostctlError(
            "E421", f"no call of the simulated log has the request id {request_id}", hint, ExitCode.INPUT
        )
    policy = str(store.scalar("SELECT name FROM decision_name WHERE kind = 'policy'"))
    steps = [step for row in rows for step in _steps(dict(zip(columns, row, strict=True)), policy)]
    table = Table.of("steps", ("request_id", "stage", "decision", "reason", "cost_usd"), steps)
    return Report("explain-request", {"call_count": len(rows)}, {"steps": table})


def _steps(made: dict[str, Any], policy: str) -> list[tuple[Value, ...]]:
    name = made["request_id"]
    logged = None if made["is_unpriced"] else made["baseline_cost_usd"]
    steps: list[tuple[Value, ...]] = [
        (name, "simulation", f"policy {policy}", "the last one that was simulated here", None),
        (name, "log", f"answered by {made['logged_model']}", f"{made['started_at']} UTC", logged),
    ]
    if made["served_by"] == "exact_cache":
        source = made["answered_by_request_id"] or f"line {made['answered_by_line']}"
        return [
            *steps,
            (name, "exact_cache", "served from the cache", f"same question as {source}", made["policy_cost_usd"]),
        ]
    if made["exact_cache"] is not None:
        steps.append((name, "exact_cache", "not served", made["exact_cache"], None))
    if made["prompt_similarity"] is not None:
        source = made["answered_by_request_id"] or f"line {made['answered_by_line']}"
        how = f"prompt {made['prompt_similarity']:.3f} like that of {source}"
        if made["served_by"] == "semantic_cache":
            return [*steps, (name, "semantic_cache", "served from the cache", how, made["policy_cost_usd"])]
        steps.append((name, "semantic_cache", f"refreshed by tier {made['routed_tier']}", how, None))
    else:
        steps += _route_steps(made)
    if made["served_by"] == "refused":
        return [*steps, (name, "budgets", "refused", made["broken_cap"], made["policy_cost_usd"])]
    if made["broken_cap"]:
        what = f"down to tier {made['entry_tier']}" if made["is_degraded"] else "served all the same"
        if not made["is_degraded"] and not made["is_over_budget"]:  # by budgets that filter
            what = "its tier is passed over"
        steps.append((name, "budgets", what, f"over {made['broken_cap']}", None))
    if made["prompt_cache_change_usd"]:
        change, read = made["prompt_cache_change_usd"], made["cache_read_tokens"]
        logged_read = made["logged_cache_read_tokens"] or 0
        what = f"reads {read:,} tokens of its session, {logged_read:,} in the log"
        why = "dearer: " if change > 0 else "cheaper: "
        if read < logged_read:
            why += "what warmed the cache went elsewhere"
        else:
            why += "writes cost more than what is read saves" if change > 0 else "read tokens cost less"
        steps.append((name, "prompt_cache", what, why, change))
    steps += _sent_steps(made)
    steps += _attempt_steps(made)
    if made["served_by"] == "failed":
        return [*steps, (name, "attempts", "no answer", "every attempt failed", made["policy_cost_usd"])]
    moved = "another model or fewer tokens than logged" if made["is_moved"] else "as logged"
    spent = None if made["is_unpriced"] else made["policy_cost_usd"]
    return [*steps, (name, "provider", f"answered by {made['model']}", moved, spent)]


def _route_steps(made: dict[str, Any]) -> list[tuple[Value, ...]]:
    """From the rule to the tier that the rules give in the end, each with what it names."""
    name, at = made["request_id"], made["ruled_tier"]
    told: list[tuple[Value, ...]] = [(name, "route", f"tier {at}", _reason(made), None)]
    for way in ("raised", "floored"):
        if made[f"{way}_by"]:
            at = made[f"{way}_to"]
            told.append((name, "route", f"{way} to tier {at}", made[f"{way}_by"], None))
    if made["routed_tier"] != at:
        why = "held by its session, or moved on because it does not fit or is not to be moved"
        told.append((name, "route", f"tier {made['routed_tier']}", why, None))
    return told


def _reason(made: dict[str, Any]) -> str:
    """Why the call took its lane; of a learned router with what it said of this call."""
    reason, gain = str(made["routing_reason"]), made["predicted_gain"]
    return reason if gain is None else told_reason(reason, gain)


def _sent_steps(made: dict[str, Any]) -> list[tuple[Value, ...]]:
    """What is sent in place of what the log shows, and what is done beside the call."""
    name = made["request_id"]
    told: list[tuple[Value, ...]] = []
    if made["sent_input_tokens"] and made["sent_input_tokens"] != made["input_tokens"]:
        what = f"{made['sent_input_tokens']:,} input tokens are sent"
        told.append((name, "context", what, f"{made['input_tokens']:,} in the log", None))
    if made["is_batched"]:
        told.append((name, "batch", "waits for a batch", "its endpoint may wait", None))
    if made["data_source"]:
        told.append((name, "data_sources", f"facts: {made['data_source']}", "the question asks for facts", None))
    if made["extra_cost_usd"]:
        told.append((name, "beside", made["beside"], "work beside the call", made["extra_cost_usd"]))
    if made["idle_cost_usd"]:
        what = "a share of engines that serve no call"
        told.append((name, "self_hosted", what, "their hours are paid, used or not", made["idle_cost_usd"]))
    return told


def _attempt_steps(made: dict[str, Any]) -> list[tuple[Value, ...]]:
    """What happened between the tier that the call went to and its answer."""
    name, entered, tier = made["request_id"], made["entry_tier"], made["tier"]
    told = []
    if made["is_passed_over"]:
        told.append(("provider", "a provider is passed over", "kill switch: too many of its attempts failed"))
    if made["is_limited"]:
        wait = f"waits {made['wait_ms']:,.0f} ms" if made["is_queued"] else "is not let through"
        told.append(("provider", wait, "limit of a provider"))
    tries = [f"{made[key]} {text}" for key, text in (("retry_count", "retries"), ("hedge_count", "hedges"),
                                                     ("timeout_count", "timeouts")) if made[key]]  # fmt: skip
    if tries:
        told.append(("attempts", ", ".join(tries), f"{made['attempt_count']} attempts in all"))
    if made["is_fallback"]:
        told.append(("attempts", f"falls back to tier {tier}", f"tier {entered} gave no answer"))
    if made["is_escalated"]:
        told.append(("attempts", f"escalates to tier {tier}", "the first answer is not good enough"))
    return [(name, stage, what, why, None) for stage, what, why in told]
