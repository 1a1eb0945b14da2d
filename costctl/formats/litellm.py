"""LiteLLM: logging payloads (S3, GCS, callbacks) and rows of the SpendLogs table.

One row per attempt. Cache hits repeat the tokens with cost 0; failed rows say 0 tokens and
mean unknown; `response_time` is no duration for streams and is not used (log-formats, 7.6).
"""

from __future__ import annotations

from typing import Any

import orjson

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LogFormat, Record, identity_columns
from costctl.formats.usage import anthropic_usage, read_usage

MODEL_CALLS = (
    "completion",
    "chat",
    "embedding",
    "responses",
    "anthropic_messages",
    "generate_content",
    "text",
)
PAID_BY_THE_MINUTE = ("transcription", "speech")  # calls with a cost and without tokens
EMPTY = (None, "", "None", "null", "{}", "[]")
_FLAGS = {"true": True, "false": False}
# Counts that the row itself states; its usage objects only know their parts.
_OF_THE_ROW = (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))


def is_payload(record: Record) -> bool:
    """A StandardLoggingPayload."""
    return "call_type" in record and "response_cost" in record and "prompt_tokens" in record


def is_spend_row(record: Record) -> bool:
    """A row of the SpendLogs table."""
    return "call_type" in record and "spend" in record and "startTime" in record and "request_id" in record


def payload(record: Record) -> Record | Ignored:
    """One StandardLoggingPayload."""
    found = _common(record, record.get("id"), record.get("response_cost"))
    parameters = record.get("model_parameters")
    if isinstance(found, dict) and isinstance(parameters, dict):
        found["temperature"] = parameters.get("temperature")
        found["max_output_tokens"] = parameters.get("max_tokens")
    return found


def spend_row(record: Record) -> Record | Ignored:
    """One SpendLogs row, from JSON or from CSV with JSON text in its columns."""
    return _common(record, record.get("request_id"), record.get("spend"))


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value


def _object(value: Any) -> Record:
    value = _parsed(value)
    return value if isinstance(value, dict) else {}


def _said(value: Any) -> Any:
    """A value that is not one of the ways to write nothing; an object where text belongs is none."""
    return None if value in EMPTY or isinstance(value, dict | list) else value


def _first(*values: Any) -> Any:
    return next((value for value in map(_said, values) if value is not None), None)


def _flag(value: Any) -> bool | None:
    """True or false, also as text; None for anything else ("None", null)."""
    return value if value is None or value is True or value is False else _FLAGS.get(str(value).lower())


def _is_positive(value: Any) -> bool:
    """Whether a count or an amount, also as text, is above zero."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return False
    return isinstance(value, int | float) and value > 0


def _is_paid(call_type: str, cost: Any) -> bool:
    return _is_positive(cost) and any(kind in call_type for kind in PAID_BY_THE_MINUTE)


def _is_zero(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, str | int | float) and str(value) in {"0", "0.0"})


def _common(record: Record, row_id: Any, cost: Any) -> Record | Ignored:
    call_type = str(record.get("call_type") or "")
    is_model_call = any(kind in call_type for kind in MODEL_CALLS)
    if not is_model_call and not _is_positive(record.get("prompt_tokens")) and not _is_paid(call_type, cost):
        return Ignored(call_type or "no call type")
    metadata = _object(record.get("metadata"))
    stream = _flag(record.get("stream"))
    status = str(_first(record.get("status"), metadata.get("status")) or "success")
    is_failed = status != "success"
    tags = _parsed(record.get("request_tags"))

    def key_said(name: str) -> Any:
        return metadata.get(f"user_api_key_{name}")

    found: Record = {
        "request_id": _said(row_id), "trace_id": _said(record.get("trace_id")),
        "session_id": _said(record.get("session_id")),
        "started_at": record.get("startTime"), "ended_at": record.get("endTime"), "stream": stream,
        # Without a stream this is the end of the answer.
        "first_token_at": record.get("completionStartTime") if stream else None,
        "provider": _said(record.get("custom_llm_provider")), "response_model": _said(record.get("model")),
        "request_model": _first(record.get("model_group"), record.get("model")),
        "operation": call_type.removeprefix("a") or None,
        "user_id": _first(record.get("end_user"), record.get("user")),
        "team": _first(key_said("team_alias"), record.get("team_id"), key_said("team_id")),
        "api_key_id": _first(key_said("alias"), record.get("api_key"), key_said("hash")),
        "tags": tags if isinstance(tags, list) else _said(tags), "status": status,
        "gateway_cache_hit": _flag(record.get("cache_hit")),
        "is_fallback": bool(metadata.get("attempted_fallbacks")) or None, "usage_source": "gateway",
        "messages": _messages(record.get("messages")),
        "logged_cost": cost, "logged_currency": "USD", "logged_cost_kind": "estimated",
    }  # fmt: skip
    if found["request_id"] is not None:
        # A failed try and the success after it may share an id; they are two attempts.
        found["dedupe_key"] = f"{found['request_id']}:{'failure' if is_failed else 'success'}"
    if is_failed:
        error = _object(metadata.get("error_information")) or _object(record.get("error_information"))
        found["error_type"] = _said(error.get("error_class"))
        found["http_status"] = _http(error)
    _add_usage(found, record, metadata)
    if (is_failed or not is_model_call) and all(_is_zero(found.get(name)) for name, _ in _OF_THE_ROW):
        found["input_tokens"] = found["output_tokens"] = None  # not counted: a failure, a paid call by the minute
    return found


def _messages(value: Any) -> Any:
    value = _parsed(value)
    return None if value in EMPTY or value in ({}, []) else value


def _http(error: Record) -> int | None:
    code = str(error.get("error_code") or "")
    return int(code) if code.isdecimal() and len(code) == 3 else None


def _add_usage(found: Record, record: Record, metadata: Record) -> None:
    """Counts and tier: of the row, and their parts from the usage object or the answer."""
    answer = _object(record.get("response"))
    more = metadata.get("additional_usage_values")  # of earlier versions: the parts alone
    if isinstance(more, dict):
        more = {"prompt_tokens": None, **more}
    beside = False
    for usage in (metadata.get("usage_object"), answer.get("usage"), more):
        if isinstance(usage, dict):
            parts = _parts(usage)
            beside = beside or _leaves_out_cached(record, usage, parts)
            for name, value in parts.items():
                found.setdefault(name, value)
    if not beside:
        found["total_tokens"] = record.get("total_tokens")
        for ours, theirs in _OF_THE_ROW:
            if _said(record.get(theirs)) is not None:
                found[ours] = record[theirs]
    costs = record.get("cost_breakdown") or metadata.get("cost_breakdown")
    costs = _object(costs) if costs else {}
    found["service_tier"] = service_tier(_first(costs.get("service_tier"), answer.get("service_tier")))


def _leaves_out_cached(record: Record, usage: Record, parts: Record) -> bool:
    """Whether the row repeats the input of an Anthropic usage, which calls that are passed through hand on as it is."""
    if "prompt_tokens" in usage or type(usage.get("input_tokens")) is not int:
        return False
    given = usage["input_tokens"]
    return str(record.get("prompt_tokens")) == str(given) and parts.get("input_tokens") != given


def _parts(usage: Record) -> Record:
    """A usage object of any provider's shape."""
    return anthropic_usage(usage) if "iterations" in usage and "prompt_tokens" not in usage else read_usage(usage)


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
        carries=("time", "latency", "cache", "cost", "session", "user"),
    ),
)
