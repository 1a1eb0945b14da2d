"""Helicone's requests, as its API and its export write them: JSON, JSONL or CSV.

A body that is there decides the counts. Without one the prompt leaves out cached tokens, as Helicone adds the two for
its cost, unless the total says that they lie inside (log-formats, 7.8).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import is_answer, read_body, read_request
from costctl.formats.conversation import first, opened_object
from costctl.formats.placed import whole
from costctl.formats.sse import opened_body

_COUNTS = {
    "input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "total_tokens",
    "cache_read_tokens": "prompt_cache_read_tokens", "cache_write_tokens": "prompt_cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens", "input_audio_tokens": "prompt_audio_tokens",
    "output_audio_tokens": "completion_audio_tokens",
}  # fmt: skip
_CACHED = ("cache_read_tokens", "cache_write_tokens")
_NO_REFERENCE = "00000000-0000-0000-0000-000000000000"
_OWN_STATES = {-1: "error", -2: "incomplete", -3: "cancelled", -4: "error"}  # of Helicone, where HTTP has no status
_SESSION = "Helicone-Session-Id"


def is_helicone(record: Record) -> bool:
    """A request with its answer, in one object or one row."""
    return {"request_created_at", "response_status"} <= record.keys() and not {
        "delay_ms", "helicone_user", "request_path", "request_user_id"
    }.isdisjoint(record)  # fmt: skip


def unwrap(record: Record) -> Outcome:
    """One request."""
    asked, answered = opened_body(record.get("request_body")), opened_body(record.get("response_body"))
    found = read_request(asked)
    found.update((name, value) for name, value in read_body(answered).items() if value is not None)
    properties = opened_object(first(record.get("properties"), record.get("request_properties")))
    request_id, status = record.get("request_id"), whole(record.get("response_status"))
    reference = record.get("cache_reference_id")
    found.update(
        request_id=request_id, dedupe_key=request_id, started_at=record["request_created_at"], ts_basis="start",
        latency_ms=_positive(record.get("delay_ms")),
        time_to_first_token_ms=_positive(record.get("time_to_first_token")),
        provider=_lower(first(record.get("provider"), found.get("provider"))),
        request_model=first(record.get("request_model"), record.get("model_override"), found.get("request_model"),
                            record.get("model")),
        response_model=first(record.get("response_model"), found.get("response_model"), record.get("model")),
        user_id=first(record.get("request_user_id"), record.get("helicone_user"), record.get("user_id")),
        session_id=properties.get(_SESSION), endpoint=first(record.get("request_path"), record.get("target_url")),
        tags=_tags(properties), gateway_cache_hit=True if reference not in (None, "", _NO_REFERENCE) else None,
    )  # fmt: skip
    found.update(_outcome(status, found))
    if not is_answer(answered):
        found.update(_counts(record, has_failed=found.get("status") == "error"))
    cost = first(record.get("cost"), record.get("costUSD"), record.get("cost_usd"))
    if cost is not None:
        found.update(logged_cost=cost, logged_currency="USD", logged_cost_kind="estimated")
    return found


def _outcome(status: Any, found: Record) -> Record:
    if not isinstance(status, int):
        return {}
    if status < 0:
        kind = _OWN_STATES.get(status, "error")
        return {"status": kind, "error_type": f"helicone_{-status}" if kind == "error" else None}
    if status >= 400:
        return {
            "http_status": status,
            "status": "error",
            "error_type": first(found.get("error_type"), f"http_{status}"),
        }
    return {"http_status": status}


def _counts(record: Record, *, has_failed: bool) -> Record:
    """The row's own counts; of a failure, zeros mean that nobody counted."""
    said = {ours: whole(first(record.get(theirs))) for ours, theirs in _COUNTS.items()}
    found = {name: value for name, value in said.items() if value is not None}
    given, output, total = (found.get(name) for name in ("input_tokens", "output_tokens", "total_tokens"))
    if not given and not output and (has_failed or given is None):
        return {}
    cached = [found.get(name, 0) for name in _CACHED]
    if not (isinstance(given, int) and isinstance(output, int) and all(isinstance(one, int) for one in cached)):
        return found
    is_total_plain = total == given + output
    if is_total_plain and given >= sum(cached) > 0 and not _is_beside(record):
        return found
    for name in _CACHED:
        if name in found:
            found[name.replace("_tokens", "_outside_tokens")] = found.pop(name)
    if is_total_plain:
        found.pop("total_tokens")  # it leaves out cached tokens as well
    return found


def _is_beside(record: Record) -> bool:
    """Whether the body's provider counts cached tokens beside the input."""
    return "anthropic" in str(record.get("provider")).lower()


def _tags(properties: Record) -> list[str] | None:
    tags = [f"{name}={value}" for name, value in properties.items() if not name.startswith("Helicone-")]
    return tags or None


def _positive(value: Any) -> Any:
    value = whole(value)
    return value if not isinstance(value, int | float) or value > 0 else None


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


FORMATS = (
    LogFormat(
        name="helicone",
        title="Helicone requests (JSON, JSONL or CSV)",
        signature=is_helicone,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "session", "user"),
    ),
)
