"""One decision of the last simulation explained: the way of a call through the stages, and what each part cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costctl.errors import CostctlError, ExitCode
from costctl.money import usd_text
from costctl.replay.classifier import told_reason
from costctl.replay.retrace import BETWEEN
from costctl.report import Report, Table, Value, counted
from costctl.store import Store

_NEAREST = (
    "SELECT request_id FROM decision WHERE request_id IS NOT NULL "
    "ORDER BY levenshtein(request_id, $id), request_id LIMIT 1"
)
# What the log says of a call beside the decision.
_CALL = (
    "SELECT d.*, r.status AS logged_status, r.price_status, r.price_reason, r.output_tokens AS logged_output_tokens, "
    "r.price_key AS logged_key, "
    "(SELECT coalesce(n.request_id, 'line ' || n.source_line) FROM decision n WHERE n.position = d.nearest_position) "
    "AS nearest_prompt "
    "FROM decision d "
    "JOIN request r USING (file_id, source_line) WHERE d.request_id = $id ORDER BY d.position"
)
_GONE = "SELECT count(*) FROM decision_row ANTI JOIN request USING (file_id, source_line)"
_AUDITED = "SELECT label FROM source_file WHERE file_id IN (SELECT file_id FROM report_file) ORDER BY label"
ZERO = Decimal(0)


def explain(store: Store, request_id: str, asked: str | None = None) -> Report:
    """The way of one request through the stages of the last simulation; `asked` is the policy that it must be of.

    Costs of steps are parts in USD; those of a call sum to its step `total`. None where the call has no list price.

    Raises:
        CostctlError: E420 where nothing was simulated, E421 where no call has this id, E426 where the last
            simulation was of another policy than is asked for, E428 where another log was audited since.
    """
    if not store.holds("decision_names"):
        raise CostctlError(
            "E420", "nothing was simulated yet", "costctl simulate LOG --policy policy.yaml", ExitCode.INPUT
        )
    policy = str(store.scalar("SELECT policy[1] FROM decision_names"))
    if asked is not None and asked not in {policy, policy.partition(" as ")[0]}:
        hint = "simulate it first, the decisions of the last run are kept: costctl simulate --policy policy.yaml"
        raise CostctlError("E426", f"the last simulation was of {policy}, not of {asked}", hint)
    _refuse_another_log(store)
    columns, rows = store.table(_CALL, {"id": request_id})
    if not rows:
        near = store.query(_NEAREST, {"id": request_id})
        hint = f"did you mean {near[0][0]}?" if near else "the log has no request ids"
        raise CostctlError(
            "E421", f"no call of the simulated log has the request id {request_id}", hint, ExitCode.INPUT
        )
    calls = [dict(zip(columns, row, strict=True)) for row in rows]
    steps = [step for made in calls for step in _summed(made, _steps(made, policy))]
    table = Table.of("steps", ("request_id", "stage", "decision", "reason", "cost_usd"), steps)
    totals: dict[str, Value] = {"call_count": len(rows)}
    if not any(made["is_unpriced"] for made in calls):
        for name in ("baseline_cost_usd", "policy_cost_usd"):
            totals[name] = sum((made[name] for made in calls), ZERO)
    return Report("explain-request", totals, {"steps": table})


def _refuse_another_log(store: Store) -> None:
    """The decisions of a log are told beside its requests, which another audit has replaced, also before it failed."""
    if not store.scalar(_GONE):
        return
    first, *others = [str(label) for (label,) in store.query(_AUDITED)] or ["another log"]
    named = f"{first} and {counted(len(others), 'other file')}" if others else first
    said = f"{named} was audited after the last simulation, and that simulation was of another log"
    raise CostctlError(
        "E428", said, "simulate the log again: costctl simulate LOG --policy policy.yaml", ExitCode.INPUT
    )


def _summed(made: dict[str, Any], steps: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """The steps, the last of which bears what no other step does, and their sum as one more."""
    name = made["request_id"]
    if made["is_unpriced"]:
        return [*steps, (name, "total", "no cost is known", _no_price(made), None)]
    spent: Decimal = made["policy_cost_usd"]
    *before, last = steps
    rest = spent - sum((step[-1] for step in before if isinstance(step[-1], Decimal)), ZERO)
    return [*before, (*last[:-1], rest), (name, "total", "the policy's cost", "sum of the costs above", spent)]


def _no_price(made: dict[str, Any]) -> str:
    """Why a call has no list price."""
    if made["price_reason"] and made["price_status"] == "unpriced":
        return str(made["price_reason"])
    if made["price_status"] == "unknown_usage":
        return "the log has no token counts of it to price"
    return "an attempt of this call has no list price"


def _logged(made: dict[str, Any]) -> tuple[Value, ...]:
    """What the log says of the call; its cost there is told, not summed."""
    status = made["logged_status"]
    what = f"answered by {made['logged_model']}" if status == "ok" else f"{status} at {made['logged_model']}"
    if made["is_unpriced"]:
        paid = _no_price(made)
    elif made["price_status"] == "not_billed" and not made["baseline_cost_usd"]:
        paid = f"not billed: {made['price_reason']}" if made["price_reason"] else "not billed"
    else:
        paid = f"list price {usd_text(made['baseline_cost_usd'])} USD"
    return (made["request_id"], "log", what, f"{made['started_at']} UTC; {paid}", None)


def _steps(made: dict[str, Any], policy: str) -> list[tuple[Value, ...]]:
    name = made["request_id"]
    steps: list[tuple[Value, ...]] = [
        (name, "simulation", f"policy {policy}", "the last one that was simulated here", None),
        _logged(made),
    ]
    if made["experiment_arms"] is not None:
        share = made["arm_propensity"]
        drawn = (
            "always: it names no unit, or the arm has all" if share == 1 else f"drawn in {share.normalize():%} of units"
        )
        steps.append((name, "experiment", made["experiment_arms"], drawn + _user(made), None))
    if made["served_by"] == "exact_cache":
        source = made["answered_by_request_id"] or f"line {made['answered_by_line']}"
        how = f"same question as {source}"
        return [*steps, *_sent_steps(made), (name, "exact_cache", "served from the cache", how, None)]
    if made["exact_cache"] is not None:
        steps.append((name, "exact_cache", "not served", made["exact_cache"], None))
    if made["semantic_cache"] is not None:
        near, how = made["nearest_prompt_similarity"], str(made["semantic_cache"])
        if near is not None:
            how = f"prompt {near:.3f} like that of {made['nearest_prompt']}, the nearest with a live entry; {how}"
        steps.append((name, "semantic_cache", "not served", how, None))
    if made["prompt_similarity"] is not None:
        source = made["answered_by_request_id"] or f"line {made['answered_by_line']}"
        how = f"prompt {made['prompt_similarity']:.3f} like that of {source}"
        if made["served_by"] == "semantic_cache":
            return [*steps, *_sent_steps(made), (name, "semantic_cache", "served from the cache", how, None)]
        steps.append((name, "semantic_cache", f"refreshed by tier {made['routed_tier']}", how, None))
    else:
        steps += _route_steps(made)
    if made["served_by"] == "refused":
        return [*steps, *_sent_steps(made), (name, "budgets", "refused", _over(made), None)]
    is_overspent = made["is_overspent"]
    if made["broken_cap"] and (made["is_degraded"] or not is_overspent):
        what = f"down to tier {made['entry_tier']}" if made["is_degraded"] else "served all the same"
        if not made["is_degraded"] and not made["is_over_budget"]:  # by budgets that filter
            what = "its tier is passed over"
        elif made["is_degraded"] and made["is_over_budget"] and not is_overspent:
            what += ", over the cap there as well"
        held = made["held_by_floor"]
        why = _over(made) + (f"; floor {held} lets no budget take it lower" if held else "")
        steps.append((name, "budgets", what, why, None))
    if made["prompt_cache_change_usd"]:
        change, read = made["prompt_cache_change_usd"], made["cache_read_tokens"]
        logged_read = made["logged_cache_read_tokens"] or 0
        what = f"reads {counted(read, 'token')} of its session, {logged_read:,} in the log"
        why = "dearer: " if change > 0 else "cheaper: "
        if read < logged_read:
            why += "what warmed the cache went elsewhere"
        else:
            why += "writes cost more than what is read saves" if change > 0 else "read tokens cost less"
        steps.append((name, "prompt_cache", what, why, change))
    steps += _sent_steps(made)
    steps += _attempt_steps(made)
    if is_overspent:
        why = "its attempts cost more than the tier that it was let through for"
        steps.append((name, "budgets", "over a cap in the end", why if made["is_degraded"] else _over(made), None))
    if made["served_by"] == "failed":
        why = "every attempt failed" if made["attempt_count"] else "nobody was asked"
        return [*steps, (name, "attempts", "no answer", why, None)]
    if made["is_cut_by_cap"]:
        what, logged = f"the answer is cut to {counted(made['output_tokens'], 'token')}", made["logged_output_tokens"]
        why = f"cap of tier {made['tier']}; {logged:,} in the log" if logged else f"cap of tier {made['tier']}"
        steps.append((name, "output_cap", what, why, None))
    moved = "as logged"
    if made["is_moved"]:
        moved = "another model" if made["model"] != made["logged_key"] else "with other tokens than logged"
        sent, logged = made["sent_input_tokens"], made["input_tokens"]
        is_same = sent == logged and not made["is_cut_by_cap"]
        if made["model"] == made["logged_key"] and made["is_batched"] and is_same:
            moved = "as logged, at the price of a batch"
    what = f"answered by {made['model']}" if made["is_moved"] or made["logged_status"] == "ok" else "ends as in the log"
    return [*steps, (name, "provider", what, moved + _took(made), None)]


def _took(made: dict[str, Any]) -> str:
    """How long the call takes under the policy, where that is known."""
    took = made["policy_latency_ms"]
    return "" if took is None else f"; takes {took:,.0f} ms in all"


def _over(made: dict[str, Any]) -> str:
    """The cap that stopped the call, its limit and what was used of it; one that each user has with whose it is."""
    name, used_usd, used_tokens = made["broken_cap"], made["broken_cap_used_usd"], made["broken_cap_used_tokens"]
    told = f"over {name}, which is {made['broken_cap_limit']}"
    call_usd, call_tokens = made["broken_cap_call_usd"], made["broken_cap_call_tokens"]
    if used_tokens is not None:
        told += f"; {counted(used_tokens, 'token')} used before"
        told += "" if call_tokens is None else f", {call_tokens:,} of the call"
    elif used_usd is not None:
        cost = f"${used_usd.normalize():f}"
        costs = "costs, with all its attempts," if made["is_overspent"] and not made["is_degraded"] else "would cost"
        told += f"; the call {costs} {cost}" if name == "usd_per_request_max" else f"; {cost} used before"
        if name != "usd_per_request_max" and call_usd is not None:
            told += f", the call {costs} ${call_usd.normalize():f}"
    elif made["broken_cap_used_count"] is not None:
        told += f"; the tier had {counted(made['broken_cap_used_count'], 'call')} that day"
    return told + (_user(made) if " user" in name else "")


def _user(made: dict[str, Any]) -> str:
    return f"; user {made['user_hash']}" if made["user_hash"] else ""


def _route_steps(made: dict[str, Any]) -> list[tuple[Value, ...]]:
    """From the rule to the tier that the rules give in the end, each with what it names."""
    name, at = made["request_id"], made["ruled_tier"]
    told: list[tuple[Value, ...]] = [(name, "route", f"tier {at}", _reason(made), None)]
    for way in ("raised", "floored"):
        if made[f"{way}_by"]:
            at = made[f"{way}_to"]
            told.append((name, "route", f"{way} to tier {at}", made[f"{way}_by"], None))
    if made["is_unpriced"]:
        if made["routed_tier"] != at:
            told.append((name, "route", f"tier {made['routed_tier']}", f"is not moved: {_no_price(made)}", None))
        return told
    if made["fitted_tier"] != at:
        told.append((name, "route", f"tier {made['fitted_tier']}", f"not tier {at}: {made['stays_because']}", None))
    if made["routed_tier"] != made["fitted_tier"]:
        why = "routing.sticky: an earlier call of its session or user was served there"
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
    name, entered = made["request_id"], made["entry_tier"]
    told: list[tuple[str, str, str, Decimal | None]] = []
    for one in filter(None, (made["passed_over"] or "").split(BETWEEN)):
        who, _, why = one.partition(": ")
        told.append(("provider", f"{who} is passed over", why, None))
    if made["is_queued"]:
        who, _, why = (made["waited_for"] or "").partition(": ")
        told.append(("provider", f"waits {made['wait_ms']:,.0f} ms for {who}", why, None))
    tries = [counted(made[f"{key}_count"], key, plural) for key, plural in (("retry", "retries"), ("hedge", "hedges"),
                                                     ("timeout", "timeouts")) if made[f"{key}_count"]]  # fmt: skip
    lost = made["failed_attempts_cost_usd"]
    if tries or lost:
        why = f"{counted(made['attempt_count'], 'attempt')} in all"
        told.append(("attempts", ", ".join(tries) or "attempts without an answer", why, lost or None))
    first = made["first_answer_tier"]
    if made["is_fallback"] and entered != (tier := first if made["is_escalated"] else made["tier"]):
        # Else a budget has passed over all tiers before it.
        told.append(("attempts", f"falls back to tier {tier}", f"tier {entered} gave no answer", None))
    if made["is_escalated"]:
        stands, paid, again = made["tier"] == first, made["first_answer_cost_usd"], made["escalation_cost_usd"]
        model = made["first_answer_model"]
        if not stands:
            told.append(("attempts", f"tier {first} answers first", f"by {model}", paid))
        why = made["escalation_reason"] + ("; gives no answer, so the first stands" if stands else "")
        told.append(("attempts", f"escalates to tier {made['escalated_to']}", why, again or None if stands else None))
    return [(name, stage, what, why, cost) for stage, what, why, cost in told]
