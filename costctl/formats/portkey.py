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
_CENTS = Decimal(100)


def is_portkey(record: Record) -> bool:
    """A request with its units, that is its tokens."""
    return {"req_units", "res_units"} <= record.keys()


def unwrap(record: Record) -> Outcome:
    """One request."""
    asked, answered = (opened_body(_inside(record.get(name))) for name in ("request", "response"))
    found = read_request(asked)
    found.update((name, value) for name, value in read_body(answered).items() if value is not None)
    metadata = _metadata(record.get("metadata"))
    status, request_id = whole(record.get("response_status_code")), record.get("id")
    found.update(
        request_id=request_id, dedupe_key=request_id, trace_id=record.get("trace_id"),
        started_at=record.get("created_at"), ts_basis="logged", latency_ms=record.get("response_time"),
        provider=record.get("ai_org"), request_model=first(found.get("request_model"), record.get("ai_model")),
        response_model=first(found.get("response_model"), record.get("ai_model")),
        endpoint=first(record.get("request_url")), http_status=status,
        gateway_cache_hit=_hit(record.get("cache_status")), attempt=_attempt(record.get("retry_success_count")),
        user_id=first(*(metadata.get(name) for name in _USER)),
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
        carries=("text", "time", "latency", "cost", "session", "user"),
    ),
)
