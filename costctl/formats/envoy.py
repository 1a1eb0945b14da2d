"""Envoy AI Gateway: the proxy's access log as JSON, one record per request, with flat `gen_ai.` keys.

Users choose the keys; these are the default ones. The input holds cached tokens, as OpenTelemetry has it; where a
total says otherwise, that decides (log-formats, 3 and 7.12).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.conversation import first
from costctl.formats.placed import placed

_COUNTS = {
    "input_tokens": ("input_tokens",), "output_tokens": ("output_tokens",), "total_tokens": ("total_tokens",),
    "cache_read_tokens": ("cached_input_tokens", "cache_read.input_tokens", "cache_read_input_tokens"),
    "cache_write_tokens": ("cache_creation_input_tokens", "cache_creation.input_tokens"),
    "reasoning_tokens": ("reasoning_tokens", "reasoning.output_tokens"),
}  # fmt: skip
_PATHS = ("/completions", "/messages", "/embeddings", "/responses", ":generateContent", ":streamGenerateContent")
_TIMES = ("start_time", "time", "timestamp", "@timestamp")
_NOTHING = (None, "", "-")


def is_access_log(record: Record) -> bool:
    """A record of the access log that has the gateway's keys."""
    return {"gen_ai.request.model", "response_code"} <= record.keys() and not set(_TIMES).isdisjoint(record)


def unwrap(record: Record) -> Outcome:
    """One request to a model; calls of tools and other traffic are ignored."""
    asked, response_model = _said(record.get("gen_ai.request.model")), _said(record.get("gen_ai.response.model"))
    path = first(*(_said(record.get(name)) for name in ("x-envoy-origin-path", "x-envoy-original-path", "path")))
    if _said(record.get("mcp.method.name")) is not None:
        return Ignored("call of a tool (MCP)")
    if asked is None and response_model is None and not _is_for_model(path):
        return Ignored("request without a model")
    override = _said(record.get("gen_ai.request.model_override"))
    request_id, start = _said(record.get("x-request-id")), first(*(_said(record.get(name)) for name in _TIMES))
    found: Record = {
        "request_id": request_id, "started_at": start, "latency_ms": record.get("duration"),
        "request_model": asked, "response_model": first(response_model, override, asked),
        "provider": _provider(record.get("gen_ai.provider.name")), "usage_source": "gateway",
        "endpoint": path.partition("?")[0] if isinstance(path, str) else None,
        "session_id": _said(record.get("session.id")), "user_id": _said(record.get("user.id")),
    }  # fmt: skip
    if request_id is not None:
        found["dedupe_key"] = f"{request_id}:{start}"  # callers may send an id of their own again
    found.update(_outcome(record))
    usage = {
        ours: first(*(_said(record.get(f"gen_ai.usage.{name}")) for name in theirs)) for ours, theirs in _COUNTS.items()
    }
    if found.get("error_type") is None or usage["input_tokens"] or usage["output_tokens"]:
        found.update(placed(usage))
    return found


def _said(value: Any) -> Any:
    return None if value in _NOTHING else value


def _is_for_model(path: Any) -> bool:
    return isinstance(path, str) and path.partition("?")[0].endswith(_PATHS)


def _provider(name: Any) -> str | None:
    """A provider, unless the gateway writes the place of its backend in the cluster.

    >>> _provider("openai"), _provider("default/tars/route/aigw-run/rule/0/ref/0")
    ('openai', None)
    """
    return name if isinstance(name, str) and name not in _NOTHING and "/" not in name else None


def _outcome(record: Record) -> Record:
    """The HTTP status; 0 means that none was sent, and the proxy's flags say why."""
    code, flags = record.get("response_code"), _said(record.get("response_flags"))
    status = int(code) if isinstance(code, int | str) and str(code).isdecimal() else None
    if status == 0:
        return {"status": "cancelled" if flags == "DC" else "error", "error_type": first(flags, "no response")}
    if status is not None and status >= 400:
        return {"http_status": status, "status": "error", "error_type": first(flags, f"http_{status}")}
    return {"http_status": status, "status": "cancelled" if flags == "DC" else None}


FORMATS = (
    LogFormat(
        name="envoy_ai_gateway",
        title="Envoy AI Gateway (access log as JSON)",
        signature=is_access_log,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "latency", "cache"),
    ),
)
