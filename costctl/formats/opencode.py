"""opencode's history: messages as rows of its database, or as one JSON file each in older versions.

All counts lie beside one another, reasoning too. A cost of nothing is that of a subscription and
no price (log-formats, 7.11).
"""

from __future__ import annotations

from pathlib import PurePosixPath

from costctl.formats.base import Ignored, LogFormat, Record, identity_columns

_ROLES = ("user", "assistant")


def is_message(record: Record) -> bool:
    """A message of a session: an answer names its model, a question its role; or a part of one."""
    if "sessionID" not in record or "id" not in record:
        return False
    if "messageID" in record:
        return isinstance(record.get("type"), str)
    return ("modelID" in record and "providerID" in record) or (record.get("role") in _ROLES and "time" in record)


def unwrap(record: Record) -> Record | Ignored:
    """An answer that was counted; an unfinished one has no counts and is no request."""
    if "messageID" in record:
        return Ignored(f"part: {record['type']}")  # the steps of a message have counts that it has as well
    tokens, times = record.get("tokens"), record.get("time")
    if record.get("role", "assistant") != "assistant":
        return Ignored(str(record["role"]))
    if not isinstance(tokens, dict):
        return Ignored("assistant: no token counts")
    if not isinstance(times, dict):
        times = {}
    place = record.get("path")
    folder = place.get("root") or place.get("cwd") if isinstance(place, dict) else None
    parent = record.get("parentSessionID")
    found: Record = {
        **_counts(tokens),
        "request_id": record["id"], "dedupe_key": record["id"], "session_id": parent or record["sessionID"],
        "started_at": times.get("created"), "ended_at": times.get("completed"), "operation": "chat", "app": "opencode",
        "provider": record.get("providerID"), "response_model": record.get("modelID"),
        "caller": record.get("agent") or record.get("mode") or ("sub-agent" if parent else None),
        "project": PurePosixPath(str(folder).replace("\\", "/")).name if folder else None,
        "finish_reason": record.get("finish"),
    }  # fmt: skip
    if record.get("cost"):
        found.update(logged_cost=record["cost"], logged_currency="USD", logged_cost_kind="estimated")
    error = record.get("error")
    if isinstance(error, dict):
        name = str(error.get("name") or "error")
        found.update(status="cancelled" if "Abort" in name else "error", error_type=name)
        if not any(found.get(count) for count in ("input_tokens", "output_tokens")):
            for count in _COUNTED:
                found.pop(count, None)
    return found


_COUNTED = (
    "input_tokens", "output_tokens", "reasoning_outside_tokens", "cache_read_outside_tokens",
    "cache_write_outside_tokens",
)  # fmt: skip


def _counts(tokens: Record) -> Record:
    """Counts as they stand: input without what was cached, output without reasoning."""
    cache = tokens.get("cache")
    read, write = (cache.get("read"), cache.get("write")) if isinstance(cache, dict) else (None, None)
    return {
        "input_tokens": tokens.get("input"), "output_tokens": tokens.get("output"),
        "reasoning_outside_tokens": tokens.get("reasoning"),
        "cache_read_outside_tokens": read, "cache_write_outside_tokens": write,
    }  # fmt: skip


FORMATS = (
    LogFormat(
        name="opencode",
        title="opencode messages (opencode.db, or storage/message of older versions)",
        signature=is_message,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "latency", "cache", "cost", "session"),
    ),
)
