"""Braintrust logs: spans with their metrics, in seconds since 1970 and in tokens (log-formats, 7.13)."""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import error_of
from costctl.formats.conversation import (
    answer_text,
    first,
    messages_of,
    opened,
    opened_object,
    system_of,
    tool_calls_of,
)
from costctl.formats.placed import placed, whole

_COUNTS = {
    "input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "tokens",
    "cache_read_tokens": "prompt_cached_tokens", "cache_write_tokens": "prompt_cache_creation_tokens",
    "cache_write_5m_tokens": "prompt_cache_creation_5m_tokens",
    "cache_write_1h_tokens": "prompt_cache_creation_1h_tokens",
    "reasoning_tokens": "completion_reasoning_tokens", "input_audio_tokens": "prompt_audio_tokens",
    "output_audio_tokens": "completion_audio_tokens",
}  # fmt: skip


def is_braintrust(record: Record) -> bool:
    """A span of a project's log."""
    return "span_attributes" in record and "metrics" in record


def unwrap(record: Record) -> Outcome:
    """A span of type `llm`; others are ignored by type."""
    kind = opened_object(record.get("span_attributes")).get("type")
    if kind != "llm":
        return Ignored(f"span: {kind}" if isinstance(kind, str) else "span of no type")
    metrics, metadata = opened_object(record.get("metrics")), opened_object(record.get("metadata"))
    parents, trace_id = opened(record.get("span_parents")), record.get("root_span_id")
    span_id = first(record.get("span_id"), record.get("id"))
    started, ended = metrics.get("start"), metrics.get("end")
    asked, answered = opened(record.get("input")), opened(record.get("output"))
    found: Record = {
        "request_id": first(record.get("id"), span_id), "span_id": span_id, "trace_id": trace_id,
        "parent_id": parents[0] if isinstance(parents, list) and parents else None,
        "started_at": first(started, record.get("created")), "ended_at": ended if started is not None else None,
        "time_to_first_token_s": metrics.get("time_to_first_token"), "project": record.get("project_id"),
        "provider": metadata.get("provider"), "operation": "chat",
        "request_model": metadata.get("model"), "response_model": metadata.get("response_model"),
        "temperature": metadata.get("temperature"), "stream": _flag(metadata.get("stream")),
        "max_output_tokens": whole(first(metadata.get("max_completion_tokens"), metadata.get("max_tokens"))),
        "session_id": first(metadata.get("session_id"), metadata.get("thread_id"), metadata.get("conversation_id")),
        "user_id": metadata.get("user_id"), "tags": opened(record.get("tags")),
        "messages": messages_of(asked), "system": first(system_of(asked), system_of(metadata)),
        "response_text": answer_text(answered),
        "tool_calls": tool_calls_of(answered) if isinstance(answered, dict | list) else None,
    }  # fmt: skip
    if span_id is not None:
        found["dedupe_key"] = f"{trace_id}:{span_id}"
    usage = placed({ours: metrics.get(theirs) for ours, theirs in _COUNTS.items()})
    if record.get("error"):
        found.update(error_of(record["error"]))
        if not any(usage.get(name) for name in ("input_tokens", "output_tokens")):
            usage = {}
    found.update(usage)
    cost = metrics.get("estimated_cost")
    if cost is not None:
        found.update(logged_cost=cost, logged_currency="USD", logged_cost_kind="estimated")
    return found


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


FORMATS = (
    LogFormat(
        name="braintrust",
        title="Braintrust logs (JSON, JSONL or CSV)",
        signature=is_braintrust,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "session", "user"),
    ),
)
