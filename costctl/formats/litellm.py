"""LiteLLM: logging payloads (S3, GCS, callbacks) and rows of the SpendLogs table.

One row per attempt. Cache hits repeat the tokens with cost 0; failed rows say 0 tokens and
mean unknown; `response_time` is no duration for streams and is not used (log-formats, 7.6).
"""

from __future__ import annotations

from typing import Any

import orjson

from costctl.formats.base import Ignored, LogFormat, Record, identity_columns
from costctl.formats.usage import read_usage

MODEL_CALLS = (
    "completion",
    "chat",
    "embedding",
    "responses",
    "anthropic_messages",
    "generate_content",
    "text",
)
EMPTY = (None, "", "None", "null", "{}", "[]")


def is_payload(record: Record) -> bool:
    """A StandardLoggingPayload."""
    return "call_type" in record and "response_cost" in record and "prompt_tokens" in record


def is_spend_row(record: Record) -> bool:
    """A row of the SpendLogs table."""
    return "call_type" in record and "spend" in record and "startTime" in record and "request_id" in record


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value


def _said(value: Any) -> Any:
    return None if value in EMPTY else value


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in EMPTY), None)


def _common(record: Record) -> Record | Ignored:
    call_type = str(record.get("call_type") or "")
    if not any(kind in call_type for kind in MODEL_CALLS) and not record.get("prompt_tokens"):
        return Ignored(call_type or "no call type")
    metadata = _parsed(record.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    streamed = record.get("stream")

    def said(name: str) -> Any:
        return metadata.get(f"user_api_key_{name}")

    status = str(record.get("status") or "success")
    error = metadata.get("error_information") or record.get("error_information")
    tags = _parsed(record.get("request_tags"))
    found: Record = {
        "trace_id": _said(record.get("trace_id")), "session_id": _said(record.get("session_id")),
        "started_at": record.get("startTime"), "ended_at": record.get("endTime"),
        "first_token_at": record.get("completionStartTime") if streamed is True else None, "stream": streamed,
        "provider": _said(record.get("custom_llm_provider")), "response_model": _said(record.get("model")),
        "request_model": _said(record.get("model_group")) or _said(record.get("model")),
        "operation": call_type.removeprefix("a") or None,
        "user_id": _said(record.get("end_user")) or _said(record.get("user")),
        "team": _first(said("team_alias"), record.get("team_id"), said("team_id")),
        "api_key_id": _first(said("alias"), record.get("api_key"), said("hash")),
        "tags": tags if isinstance(tags, list) else _said(tags), "status": status,
        "error_type": _said(error.get("error_class")) if isinstance(error, dict) and status != "success" else None,
        "http_status": _http(error) if status != "success" else None,
        "gateway_cache_hit": {"true": True, "false": False}.get(str(record.get("cache_hit")).lower()),
        "is_fallback": bool(metadata.get("attempted_fallbacks")) or None, "usage_source": "gateway",
        "messages": _said(_parsed(record.get("messages"))), "logged_currency": "USD", "logged_cost_kind": "estimated",
    }  # fmt: skip
    usage = metadata.get("usage_object")
    found.update(_usage(record, usage if isinstance(usage, dict) else {}))
    is_unknown = all(found.get(name) in {None, 0, "0", ""} for name in ("input_tokens", "output_tokens"))
    if status != "success" and is_unknown:
        found["input_tokens"] = found["output_tokens"] = None
    return found


def _http(error: Any) -> int | None:
    code = str(error.get("error_code") or "") if isinstance(error, dict) else ""
    return int(code) if code.isdecimal() and len(code) == 3 else None


def _usage(record: Record, usage: Record) -> Record:
    """Counts of the row; its usage object knows the cached part. All inside the prompt."""
    reads = usage.get("cache_read_input_tokens")
    writes = usage.get("cache_creation_input_tokens")
    found = (
        read_usage({key: value for key, value in usage.items() if not key.startswith("cache_")})
        if "prompt_tokens" in usage
        else {}
    )
    found.update(
        input_tokens=record.get("prompt_tokens"),
        output_tokens=record.get("completion_tokens"),
        total_tokens=record.get("total_tokens"),
    )
    if reads is not None:
        found["cache_read_tokens"] = reads
    if writes is not None:
        found["cache_write_tokens"] = writes
    return found


def payload(record: Record) -> Record | Ignored:
    """One StandardLoggingPayload."""
    found = _common(record)
    if isinstance(found, Ignored):
        return found
    parameters = record.get("model_parameters") if isinstance(record.get("model_parameters"), dict) else {}
    answer = record.get("response") if isinstance(record.get("response"), dict) else {}
    if isinstance(answer, dict) and isinstance(answer.get("usage"), dict):
        inner = answer["usage"]
        details = (
            read_usage({k: v for k, v in inner.items() if not k.startswith("cache_")})
            if "prompt_tokens" in inner
            else {}
        )
        found.update(
            (k, v) for k, v in details.items() if k not in found and k not in {"input_tokens", "output_tokens"}
        )
        for ours, theirs in (
            ("cache_read_tokens", "cache_read_input_tokens"),
            ("cache_write_tokens", "cache_creation_input_tokens"),
        ):
            if inner.get(theirs) is not None:
                found[ours] = inner[theirs]
    found.update(
        request_id=record.get("id"), logged_cost=record.get("response_cost"),
        temperature=(parameters or {}).get("temperature"), max_output_tokens=(parameters or {}).get("max_tokens"),
    )  # fmt: skip
    return found


def spend_row(record: Record) -> Record | Ignored:
    """One SpendLogs row, from JSON or from CSV with JSON text in its columns."""
    found = _common(record)
    if isinstance(found, Ignored):
        return found
    found.update(request_id=record.get("request_id"), logged_cost=record.get("spend"))
    return found


FORMATS = (
    LogFormat(
        "litellm_payload",
        "LiteLLM logging payloads",
        is_payload,
        identity_columns(),
        payload,
        carries=("text", "time", "latency", "cache", "cost", "user"),
    ),
    LogFormat(
        "litellm_spend",
        "LiteLLM SpendLogs rows (JSON or CSV)",
        is_spend_row,
        identity_columns(),
        spend_row,
        carries=("time", "latency", "cache", "cost", "user"),
    ),
)
