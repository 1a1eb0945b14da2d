"""Claude Code transcripts: one row per content block, several rows per message.

The rows of a message share message id and request id, and their usage grows; the merge keeps
the largest. Cached tokens lie beside the input (log-formats, sections 5 and 7.11).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from costctl.formats.answers import region_of
from costctl.formats.base import Ignored, LogFormat, Record, identity_columns
from costctl.formats.usage import anthropic_usage

OTHER_ROWS = frozenset(
    {
        "user",
        "summary",
        "system",
        "file-history-snapshot",
        "queue-operation",
        "progress",
        "attachment",
    }
)
_ROW_IDS = ("sessionId", "uuid", "leafUuid", "messageId")
_OF_QWEN = frozenset({"usageMetadata", "systemPayload"})  # its rows are of the same make, but for their counts


def is_row(record: Record) -> bool:
    """A row of a transcript."""
    if not _OF_QWEN.isdisjoint(record):
        return False
    if "sessionId" in record and "message" in record:
        return "parentUuid" in record or "uuid" in record or "requestId" in record
    kind = record.get("type")
    return isinstance(kind, str) and kind in OTHER_ROWS and any(name in record for name in _ROW_IDS)


def unwrap(record: Record) -> Record | Ignored:
    """One assistant row with usage; everything else is no request."""
    kind = str(record.get("type") or "no type")
    message: Any = record.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    if kind in OTHER_ROWS or not isinstance(usage, dict):
        return Ignored(kind)
    if record.get("isApiErrorMessage") or message.get("model") == "<synthetic>":
        return Ignored("api error message")
    message_id, request_id = message.get("id"), record.get("requestId")
    content = message.get("content") if isinstance(message.get("content"), list) else []
    found: Record = {
        **anthropic_usage(usage),
        "request_id": request_id or message_id, "session_id": record.get("sessionId"),
        "started_at": record.get("timestamp"),
        "provider": "anthropic", "response_model": message.get("model"), "operation": "chat", "app": "claude-code",
        "caller": "sub-agent" if record.get("isSidechain") else "agent",
        "project": PurePosixPath(str(record["cwd"]).replace("\\", "/")).name if record.get("cwd") else None,
        "service_tier": "fast" if usage.get("speed") == "fast" else usage.get("service_tier"),
        "region": region_of(usage), "latency_ms": record.get("durationMs"),
        "finish_reason": message.get("stop_reason"),
        "tool_calls": sum(isinstance(block, dict) and block.get("type") == "tool_use" for block in content),
        "logged_cost": record.get("costUSD"),
        "logged_cost_kind": "estimated" if record.get("costUSD") is not None else None,
        "is_sidechain": bool(record.get("isSidechain")),
    }  # fmt: skip
    if message_id:
        found["dedupe_key"] = f"{message_id}:{request_id or ''}"
        found["replay_key"] = message_id
    return found


FORMATS = (
    LogFormat(
        name="claude_code",
        title="Claude Code transcripts (~/.claude/projects)",
        signature=is_row,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "cache", "session"),
    ),
)
