"""OpenRouter: records of generations, the activity export with one row each, and activity by day (sums).

The native counts are those that are billed: input holds cached tokens, output holds reasoning. With a key of one's own
the gateway's cost is only its fee (log-formats, 7.10).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from costctl.formats.aggregates import bucket, flag
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.conversation import first
from costctl.formats.placed import whole

_DAY = {
    "prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "reasoning_tokens": "reasoning_tokens",
    "requests": "aggregate_request_count",
}  # fmt: skip
_DAY_COSTS = ("usage", "byok_usage_inference")


def is_generation(record: Record) -> bool:
    """A record of one generation, bare or as the API answers with it."""
    inner = record.get("data", record)
    return isinstance(inner, dict) and "native_tokens_prompt" in inner and "id" in inner


def generation(record: Record) -> Outcome:
    """One generation."""
    row: Record = record.get("data", record)
    if "native_tokens_prompt" not in row:
        return Ignored("answer without a generation")
    tried = [one for one in row.get("provider_responses") or () if isinstance(one, dict)]
    failed = [one for one in tried if _is_failure(one.get("status"))]
    is_cancelled = flag(row.get("cancelled"))
    found: Record = {
        "request_id": row["id"], "dedupe_key": row["id"], "trace_id": row.get("request_id"),
        "session_id": row.get("session_id"), "started_at": row.get("created_at"), "ts_basis": "created",
        "latency_ms": _longest(row.get("generation_time"), row.get("latency")), "stream": flag(row.get("streamed")),
        "provider": "openrouter", "response_model": row.get("model"), "request_model": row.get("model"),
        "operation": _operation(row.get("api_type")), "service_tier": row.get("service_tier"),
        "input_tokens": whole(row.get("native_tokens_prompt")),
        "output_tokens": whole(row.get("native_tokens_completion")),
        "cache_read_tokens": whole(row.get("native_tokens_cached")),
        "reasoning_tokens": whole(row.get("native_tokens_reasoning")),
        "finish_reason": row.get("finish_reason"), "user_id": row.get("external_user"), "app": row.get("app_id"),
        "project": row.get("workspace_id"), "status": "cancelled" if is_cancelled else None,
        "gateway_cache_hit": True if row.get("response_cache_source_id") else None,
        "is_fallback": True if failed and len(failed) < len(tried) else None,
    }  # fmt: skip
    if row.get("finish_reason") == "error" or (tried and len(failed) == len(tried)):
        found.update(status="error", error_type=f"http_{failed[-1]['status']}" if failed else "error")
    return found | _cost(row, ("total_cost", "upstream_inference_cost"), is_own_key=flag(row.get("is_byok")) is True)


def is_activity(record: Record) -> bool:
    """A row of the activity export."""
    return {"generation_id", "cost_total"} <= record.keys()


def activity(record: Record) -> Outcome:
    """One generation of the export; reasoning is a part of the completion."""
    reason, is_cancelled = record.get("finish_reason_normalized"), flag(record.get("cancelled"))
    found: Record = {
        "request_id": record["generation_id"], "dedupe_key": record["generation_id"],
        "started_at": record.get("created_at"), "ts_basis": "created", "stream": flag(record.get("streamed")),
        "latency_ms": first(record.get("generation_time_ms")), "provider": "openrouter",
        "response_model": record.get("model_permaslug"), "request_model": record.get("model_permaslug"),
        "input_tokens": whole(first(record.get("tokens_prompt"))),
        "output_tokens": whole(first(record.get("tokens_completion"))),
        "cache_read_tokens": whole(first(record.get("tokens_cached"))),
        "reasoning_tokens": whole(first(record.get("tokens_reasoning"))),
        "finish_reason": reason, "user_id": record.get("user"), "app": record.get("app_name"),
        "api_key_id": record.get("api_key_name"), "status": "cancelled" if is_cancelled else None,
    }  # fmt: skip
    if found["stream"]:
        found["time_to_first_token_ms"] = first(record.get("time_to_first_token_ms"))
    if reason == "error":
        found.update(status="error", error_type="error")
    own = _amount(record.get("byok_usage_inference"))
    return found | _cost(record, ("cost_total", "byok_usage_inference"), is_own_key=bool(own))


def is_day(record: Record) -> bool:
    """A sum of a day, or the API's answer with several."""
    inner = record.get("data")
    row = inner[0] if isinstance(inner, list) and inner else record
    return isinstance(row, dict) and {"date", "model_permaslug", "requests"} <= row.keys()


def days(record: Record) -> list[Outcome]:
    """The sums of each day, model and endpoint."""
    inner = record.get("data")
    rows = inner if isinstance(inner, list) else [record]
    return [piece for row in rows if isinstance(row, dict) for piece in _day(row)] or [Ignored("answer without rows")]


def _day(row: Record) -> list[Outcome]:
    found: Record = {ours: row.get(theirs) for theirs, ours in _DAY.items()}
    found.update(
        started_at=row.get("date"), ts_basis="start", provider="openrouter", operation="chat",
        response_model=first(row.get("model_permaslug"), row.get("model")),
    )  # fmt: skip
    found.update(_cost(row, _DAY_COSTS, is_own_key=bool(_amount(row.get("byok_usage_inference")))))
    return bucket(found, row, {*_DAY, *_DAY_COSTS})


def _operation(api_type: Any) -> str:
    return "embeddings" if "embedding" in str(api_type) else "chat"


def _longest(*durations: Any) -> Any:
    """The whole time: of a stream, OpenRouter writes the time to its beginning as the latency."""
    known = [one for one in durations if isinstance(one, int | float)]
    return max(known) if known else None


def _is_failure(status: Any) -> bool:
    return isinstance(status, int) and status >= 400


def _amount(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return None


def _cost(row: Record, names: tuple[str, str], *, is_own_key: bool) -> Record:
    """What OpenRouter charged, with what the provider charged where the key is the user's own."""
    charged, own = (_amount(row.get(name)) for name in names)
    amounts = [amount for amount in (charged, own if is_own_key else None) if amount is not None]
    if not amounts:
        return {}
    return {"logged_cost": str(sum(amounts)), "logged_currency": "USD", "logged_cost_kind": "billed"}


FORMATS = (
    LogFormat(
        name="openrouter_generation",
        title="OpenRouter generations (JSON of the API)",
        signature=is_generation,
        unwrap=generation,
        columns=identity_columns(),
        carries=("time", "latency", "cache", "cost", "session", "user"),
    ),
    LogFormat(
        name="openrouter_activity",
        title="OpenRouter activity export (CSV, one row per generation)",
        signature=is_activity,
        unwrap=activity,
        columns=identity_columns(),
        carries=("time", "latency", "cache", "cost", "user"),
    ),
    LogFormat(
        name="openrouter_days",
        title="OpenRouter activity by day: sums, for audit only",
        signature=is_day,
        unwrap=days,
        unfolds=True,
        columns=identity_columns(),
        carries=("time", "cost"),
        are_sums=True,
    ),
)
