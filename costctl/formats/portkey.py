"""Portkey's log export: JSON lines with the fields that its user chose.

A body that is there decides the counts, as `req_units` says nothing of cached tokens. Costs are in cents, as Portkey's
documentation has it; where an amount is in another currency than USD, it is kept as it is (log-formats, 7.12).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from costctl.formats.base import LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import is_answer, read_body, read_request
from costctl.formats.conversation import first, opened_object
from costctl.formats.placed import whole
from costctl.formats.sse import opened_body

_USER = ("_user", "user", "user_id")
_SESSION = ("session_id", "_session", "conversation_id")
_OWNERS = frozenset({"organisation_id", "organisationId", "organisation"})
_CENTS = Decimal(100)


def is_portkey(record: Record) -> bool:
    """A request with its units, that is its tokens, or the log object of a gateway that its user hosts."""
    return {"req_units", "res_units"} <= record.keys() or _is_log_object(record)


def _is_log_object(record: Record) -> bool:
    """The bodies of a call beside its metrics, which are an object of their own with the same id."""
    asked, answered = record.get("request"), record.get("response")
    if not isinstance(asked, dict) or not isinstance(answered, dict) or "body" not in answered:
        return False
    return any(
        not _OWNERS.isdisjoint(holder) for holder in (record, record.get("metadata")) if isinstance(holder, dict)
    )


def unwrap(record: Record) -> Outcome:
    """One request."""
    if _is_log_object(record):
        record = _flat(record)
    asked, answered = (opened_body(_inside(first(record.get(name), record.get(f"{name}.body"))))
                       for name in ("request", "response"))  # fmt: skip
    found = read_request(asked)
    found.update((name, value) for name, value in read_body(answered).items() if value is not None)
    metadata = _metadata(first(record.get("metadata"), _pairs(record)))
    status, request_id = whole(record.get("response_status_code")), first(record.get("id"), record.get("_id"))
    found.update(
        request_id=request_id, dedupe_key=request_id, trace_id=record.get("trace_id"),
        started_at=record.get("created_at"), ts_basis="logged", latency_ms=record.get("response_time"),
        provider=record.get("ai_org"), request_model=first(found.get("request_model"), record.get("ai_model")),
        response_model=first(found.get("response_model"), record.get("ai_model")),
        endpoint=first(record.get("request_url")), http_status=status,
        gateway_cache_hit=_hit(record.get("cache_status")), attempt=_attempt(record.get("retry_success_count")),
        user_id=first(*(metadata.get(name) for name in _USER), record.get("_user")),
        session_id=first(*(metadata.get(name) for name in _SESSION)),
        tags=[f"{name}={value}" for name, value in metadata.items() if name not in {*_USER, *_SESSION}] or None,
    )  # fmt: skip
    has_failed = str(record.get("is_success")).lower() in {"false", "0", "0.0"} or _is_failure(status)
    if has_failed:
        found.update(status="error", error_type=first(found.get("error_type"), f"http_{status}" if status else "error"))
    if not is_answer(answered):
        found.update(_counts(record, has_failed=has_failed))
    found.update(_cost(record))
    return found


def _flat(record: Record) -> Record:
    """A log object under the names of the export; its answer says what its metrics count."""
    asked, answered, about = (opened_object(record.get(name)) for name in ("request", "response", "metadata"))
    return {
        "id": first(record.get("id"), record.get("_id"), about.get("id")), "request": asked.get("body"),
        "created_at": first(record.get("created_at"), record.get("createdAt"), about.get("created_at")),
        "response": answered.get("body"), "request_url": asked.get("url"), "response_time": answered.get("time"),
        "response_status_code": answered.get("status"), "ai_model": about.get("model"),
        "ai_org": first(asked.get("provider"), about.get("provider")), "cache_status": about.get("cacheStatus"),
        "is_success": about.get("isSuccess"), "trace_id": first(record.get("trace_id"), about.get("traceId")),
        "metadata": {name: value for name, value in about.items() if name in {*_USER, *_SESSION}},
    }  # fmt: skip


def _pairs(record: Record) -> Record | None:
    """Metadata that lie as two columns of equal length."""
    names, values = record.get("metadata.key"), record.get("metadata.value")
    return None if names is None else {"key": names, "value": values}


def _inside(body: Any) -> Any:
    """A body, also where the export keeps it under `body`."""
    holder = opened_object(body)
    return holder["body"] if isinstance(holder.get("body"), dict | str) else body


def _metadata(value: Any) -> Record:
    """Names and values, also as two lists of equal length."""
    held = opened_object(value)
    names, values = held.get("key"), held.get("value")
    if isinstance(names, list) and isinstance(values, list) and len(names) == len(values):
        return dict(zip(map(str, names), values, strict=True))
    return held


def _is_failure(status: Any) -> bool:
    return isinstance(status, int) and status >= 400


def _hit(status: Any) -> bool | None:
    text = str(status).lower()
    return True if "hit" in text else (False if text == "miss" else None)


def _attempt(retries: Any) -> int | None:
    """Which try was the last, where Portkey tried again."""
    count = whole(retries)
    return count + 1 if isinstance(count, int) and count > 0 else None


def _counts(record: Record, *, has_failed: bool) -> Record:
    given, output, total = (whole(first(record.get(name))) for name in ("req_units", "res_units", "total_units"))
    if has_failed and not given and not output:
        return {}
    return {"input_tokens": given, "output_tokens": output, "total_tokens": total, "usage_source": "gateway"}


def _cost(record: Record) -> Record:
    """Cents as USD, exactly; an amount in another currency as it is."""
    cost, currency = record.get("cost"), str(record.get("cost_currency") or "").upper()
    if cost in (None, ""):
        return {}
    try:
        amount = Decimal(str(cost))
    except InvalidOperation:
        return {}
    if currency in {"", "CENTS", "USD_CENTS", "USD"}:
        return {"logged_cost": str(amount / _CENTS), "logged_currency": "USD", "logged_cost_kind": "estimated"}
    return {"logged_cost": str(amount), "logged_currency": currency, "logged_cost_kind": "estimated"}


FORMATS = (
    LogFormat(
        name="portkey",
        title="Portkey log export (JSONL)",
        signature=is_portkey,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "session", "user"),
    ),
)
