"""The telemetry of coding agents: OpenTelemetry log records that tell of a call under names of the agent's own.

Gemini CLI and Qwen Code name Gemini's parts, Claude Code counts cached tokens beside the input, Codex within it. The
event stands at the end of its call (log-formats, 7.11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats.agent_counts import counts_of
from costctl.formats.base import Ignored, Record
from costctl.formats.conversation import first
from costctl.formats.placed import whole

AGENTS = {"gemini_cli": "gemini-cli", "qwen-code": "qwen-code", "claude_code": "claude-code", "codex": "codex"}
_PLAIN = {
    "api_request": "claude_code.api_request",
    "api_error": "claude_code.api_error",
}  # of Claude Code, in attributes
_GEMINI = (
    ("input", "input_token_count"), ("output", "output_token_count"), ("cached", "cached_content_token_count"),
    ("thoughts", "thoughts_token_count"), ("tool", "tool_token_count"), ("total", "total_token_count"),
)  # fmt: skip
_CLAUDE = {
    "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cache_read_outside_tokens": "cache_read_tokens",
    "cache_write_outside_tokens": "cache_creation_tokens",
}  # fmt: skip
_CODEX = {
    "input_tokens": "input_token_count", "output_tokens": "output_token_count",
    "cache_read_tokens": "cached_token_count", "reasoning_tokens": "reasoning_token_count",
}  # fmt: skip
_SESSIONS = ("session.id", "conversation.id")
_USERS = ("user.account_uuid", "user.account_id", "user.id", "user.email", "installation.id")


def name_of(record: Record, said: Mapping[str, Any]) -> str | None:
    """The name of a log record's event, whole also where an agent leaves out its own."""
    name = first(record.get("eventName"), record.get("event_name"), said.get("event.name"))
    if not isinstance(name, str):
        return None
    return _PLAIN.get(name, name) if "session.id" in said else name


def is_of_agent(name: Any) -> bool:
    """Whether an agent names its events so."""
    return isinstance(name, str) and name.partition(".")[0] in AGENTS and "." in name


def read_event(name: str, said: Mapping[str, Any], time_ns: int | None) -> Record | Ignored:
    """The call that an event tells of; the steps around it are ignored by name."""
    agent, _, what = name.partition(".")
    has_failed = what == "api_error"
    if agent == "codex":
        status = whole(said.get("http.response.status_code"))
        has_failed = what == "api_request" and (said.get("error.message") is not None or _is_failure(status))
        if not has_failed and (said.get("event.kind") != "response.completed" or not said.get("input_token_count")):
            return Ignored(f"log record: {name[:60]}")
    elif not has_failed and what != ("api_request" if agent == "claude_code" else "api_response"):
        return Ignored(f"log record: {name[:60]}")
    found: Record = {
        "request_id": first(said.get("request_id"), said.get("response_id")),
        "started_at": first(said.get("event.timestamp"), None if time_ns is None else time_ns // 1000),
        "ts_basis": "logged", "operation": "chat", "app": AGENTS[agent], "caller": "agent",
        "session_id": first(*(said.get(one) for one in _SESSIONS)),
        "user_id": first(*(said.get(one) for one in _USERS)),
        "response_model": said.get("model"), "latency_ms": said.get("duration_ms"),
        "http_status": whole(first(said.get("http.response.status_code"), said.get("status_code"))),
    }  # fmt: skip
    if has_failed:
        kind = first(said.get("error_type"), said.get("error.type"))
        found.update(status="error", error_type=kind if isinstance(kind, str) and " " not in kind else "error")
        return found
    found.update(_counts(agent, said))
    if said.get("cost_usd") is not None:
        found.update(logged_cost=said["cost_usd"], logged_currency="USD", logged_cost_kind="estimated")
    return found


def _counts(agent: str, said: Mapping[str, Any]) -> Record:
    if agent in {"gemini_cli", "qwen-code"}:
        counts = {ours: whole(said[theirs]) for ours, theirs in _GEMINI if said.get(theirs) is not None}
        return counts_of(counts, has_thoughts_inside=agent == "qwen-code") if counts else {}
    names = _CLAUDE if agent == "claude_code" else _CODEX
    return {ours: whole(said[theirs]) for ours, theirs in names.items() if said.get(theirs) is not None}


def _is_failure(status: Any) -> bool:
    return isinstance(status, int) and status >= 400
