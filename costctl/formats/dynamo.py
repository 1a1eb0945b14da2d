"""Request traces of NVIDIA Dynamo in front of vLLM and other engines: counts, times, and the prompt as hashed blocks.

Each hash of a block names the whole prefix that it ends. The input is taken to hold cached tokens (log-formats, 3).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.conversation import first

_SCHEMA = "dynamo.request.trace."


def is_trace(record: Record) -> bool:
    """An event of a trace, bare or in the envelope of a sink."""
    return str(_event(record).get("schema", "")).startswith(_SCHEMA)


def _event(record: Record) -> Record:
    if "schema" in record:
        return record
    return next((value for value in record.values() if isinstance(value, dict) and "schema" in value), {})


def unwrap(record: Record) -> Outcome:
    """The end of a request; other events are ignored by kind."""
    event = _event(record)
    kind = event.get("event_type")
    if kind != "request_end":
        return Ignored(f"event {kind}" if isinstance(kind, str) else "event of no type")
    request = event.get("request")
    if not isinstance(request, dict):
        return Rejected("request_end without a request")
    context, replay = _object(event.get("agent_context")), _object(request.get("replay"))
    ended, started = event.get("event_time_unix_ms"), request.get("request_received_ms")
    reason, request_id = _object(request.get("finish_reason_metadata")), request.get("request_id")
    calls = reason.get("tool_calls")
    return {
        "request_id": request_id, "dedupe_key": request_id, "trace_id": request.get("x_request_id"),
        "session_id": context.get("session_id"), "started_at": first(started, ended),
        "ts_basis": "start" if started is not None else "end",
        "latency_ms": first(request.get("total_time_ms"), _between(started, ended)),
        "time_to_first_token_ms": request.get("ttft_ms"), "request_model": request.get("model"), "operation": "chat",
        "input_tokens": first(request.get("input_tokens"), replay.get("input_length")),
        "output_tokens": request.get("output_tokens"), "cache_read_tokens": request.get("cached_tokens"),
        "finish_reason": reason.get("finish_reason"), "tool_calls": len(calls) if isinstance(calls, list) else None,
        **_blocks(replay),
    }  # fmt: skip


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _between(started: Any, ended: Any) -> Any:
    return ended - started if isinstance(started, int) and isinstance(ended, int) else None


def _blocks(replay: Record) -> Record:
    hashes, size = replay.get("input_sequence_hashes"), replay.get("trace_block_size")
    if not isinstance(hashes, list) or not isinstance(size, int) or not all(isinstance(one, int) for one in hashes):
        return {}
    return {"prefix_blocks": hashes, "block_tokens": size}


FORMATS = (
    LogFormat(
        name="dynamo",
        title="Dynamo request traces (vLLM and others; prompts as hashed blocks)",
        signature=is_trace,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "latency", "cache", "session", "prefix"),
    ),
)
