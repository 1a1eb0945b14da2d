"""Cloudflare AI Gateway: its log as the API and the console hand it out, and as Logpush writes it.

There is one count of input, without a split of cached tokens. What Logpush writes encrypted stays unknown; its rows
have neither counts nor a model then (log-formats, 7.12).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import is_answer, read_body, read_request
from costctl.formats.conversation import first, opened_object
from costctl.formats.placed import whole
from costctl.formats.sse import opened_body

_OPERATIONS = (("embedding", "embeddings"), ("completions", "chat"), ("messages", "chat"), ("responses", "chat"))
_SESSION = ("session_id", "sessionId", "session")
_USER = ("user_id", "userId", "user")
_ENCRYPTED = frozenset({"key", "iv", "data"})
# Logpush names its columns in another case, and some by another word.
_PUSHED = {
    "RequestID": "id", "Datetime": "created_at", "CreatedAt": "created_at", "Endpoint": "path", "Model": "model",
    "Provider": "provider", "Cached": "cached", "StatusCode": "status_code", "Error": "error", "Metadata": "metadata",
    "RequestBody": "request", "ResponseBody": "response", "TokensIn": "tokens_in", "TokensOut": "tokens_out",
    "Cost": "cost", "Duration": "duration", "Gateway": "gateway",
}  # fmt: skip


def is_gateway_log(record: Record) -> bool:
    """A record of the API, or a line of Logpush."""
    if {"tokens_in", "tokens_out", "cached"} <= record.keys():
        return "provider" in record and not {"step", "success", "path", "custom_cost"}.isdisjoint(record)
    return "Provider" in record and "Endpoint" in record and _is_encrypted(record.get("ResponseBody"))


def _is_encrypted(body: Any) -> bool:
    return opened_object(body).keys() >= _ENCRYPTED


def unwrap(record: Record) -> Outcome:
    """One try of a request; the steps of a fallback are rows of their own."""
    row = {_PUSHED.get(name, name): value for name, value in record.items()} if "Provider" in record else record
    asked, answered = (
        {} if _is_encrypted(row.get(name)) else opened_body(first(row.get(name), row.get(f"{name}_body")))
        for name in ("request", "response")
    )
    found = read_request(asked) if asked else {}
    if answered:
        found.update((name, value) for name, value in read_body(answered).items() if value is not None)
    metadata = {} if _is_encrypted(row.get("metadata")) else opened_object(row.get("metadata"))
    row_id, step, status = row.get("id"), whole(row.get("step")), whole(row.get("status_code"))
    is_hit = _flag(row.get("cached"))
    found.update(
        request_id=row_id, dedupe_key=row_id, started_at=row.get("created_at"), ts_basis="logged",
        latency_ms=row.get("duration"), provider=row.get("provider"), request_model=row.get("model"),
        operation=_operation(row.get("path")), endpoint=row.get("path"), gateway_cache_hit=is_hit,
        is_fallback=True if isinstance(step, int) and step > 0 else None, http_status=status,
        user_id=first(*(metadata.get(name) for name in _USER)),
        session_id=first(*(metadata.get(name) for name in _SESSION)), usage_source="gateway",
        tags=[f"{name}={value}" for name, value in metadata.items() if name not in {*_USER, *_SESSION}] or None,
    )  # fmt: skip
    has_failed = _flag(row.get("success")) is False or (isinstance(status, int) and status >= 400)
    if has_failed:
        found.update(status="error", error_type=first(found.get("error_type"), f"http_{status}" if status else "error"))
    if not answered or not is_answer(answered):
        found.update(_counts(row, has_failed=has_failed))
    if row.get("cost") is not None and not has_failed:
        found.update(logged_cost=row["cost"], logged_currency="USD", logged_cost_kind="estimated")
    return found


def _counts(row: Record, *, has_failed: bool) -> Record:
    """The row's counts; two zeros of a failure mean that nobody counted."""
    given, output = whole(first(row.get("tokens_in"))), whole(first(row.get("tokens_out")))
    if has_failed and not given and not output:
        return {}
    return {"input_tokens": given, "output_tokens": output}


def _operation(path: Any) -> str | None:
    text = str(path or "").lower()
    return next((name for part, name in _OPERATIONS if part in text), None)


def _flag(value: Any) -> bool | None:
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())


FORMATS = (
    LogFormat(
        name="cloudflare",
        title="Cloudflare AI Gateway logs (API, console, Logpush)",
        signature=is_gateway_log,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cost", "session", "user"),
    ),
)
