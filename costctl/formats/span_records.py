"""One span from its record, however an exporter or a backend writes it; and what lies between two calls.

Ids are hex or base64, 64-bit numbers come as text, enums as numbers or names (log-formats, 7.9).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from costctl.formats.base import Outcome, Record
from costctl.formats.conversation import opened, opened_object
from costctl.formats.placed import whole
from costctl.formats.spans import Span

# The last names are those of the collector's ClickHouse tables.
_PARENTS = ("parentSpanId", "parent_span_id", "parent_id", "parentId", "ParentSpanId")
SPAN_IDS = ("spanId", "span_id", "context.span_id", "SpanId")
TRACE_IDS = ("traceId", "trace_id", "context.trace_id", "TraceId")
STARTS = ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "start_timestamp", "Timestamp")
_ENDS = ("endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime", "end_timestamp")
ATTRIBUTES = "attributes."
_NOTHING = (None, "")
_NESTED = frozenset({"llm", "gen_ai", "openinference", "ai"})  # names that only nested attributes begin with
_HEX = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_FAILED = frozenset({"2", "error", "status_code_error", "statuscode.error"})


def call_within_call(outcomes: Sequence[Outcome], parents: Mapping[Any, Any]) -> None:
    """Let each call of a record name the next call around it as its parent, not what lies between.

    `parents` has the parent of every span of the record, also of those that are no calls.
    """
    calls = {outcome["span_id"] for outcome in outcomes if isinstance(outcome, dict)}
    for outcome in outcomes:
        if isinstance(outcome, dict):
            parent, seen = outcome.get("parent_id"), {outcome["span_id"]}
            while parent not in calls and parent in parents and parent not in seen:
                seen.add(parent)
                parent = parents[parent]
            outcome["parent_id"] = parent


def attributes_of(items: Any) -> Record:
    """Attributes by name, from the list of OTLP or from a plain object; the values as plain JSON.

    >>> attributes_of([{"key": "n", "value": {"intValue": "3"}}])
    {'n': 3}
    """
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list):
        return {}
    found: Record = {}
    for item in items:
        value = item.get("value")
        # By far the commonest kind is decided here.
        text = value.get("stringValue") if type(value) is dict else None
        found[item["key"]] = _value(value) if text is None else text
    return found


def _value(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return None if isinstance(value, dict) else value
    kind, inner = next(iter(value.items()))
    if kind in {"stringValue", "string_value", "boolValue", "bool_value", "doubleValue", "double_value"}:
        return inner
    if kind in {"intValue", "int_value"}:
        return int(inner)
    if kind in {"arrayValue", "array_value"}:
        return [_value(item) for item in inner.get("values") or ()]
    if kind in {"kvlistValue", "kvlist_value"}:
        return attributes_of(inner.get("values") or [])
    return None


def _flat(nested: Record, prefix: str = "") -> Record:
    """Attributes whose names are objects within objects, under their dotted names; lists stay as they are.

    >>> _flat({"llm": {"token_count": {"prompt": 3}}, "session.id": "s"})
    {'llm.token_count.prompt': 3, 'session.id': 's'}
    """
    found: Record = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def one(record: Record, names: tuple[str, ...]) -> Any:
    """The value under the first of the names that is filled."""
    return next((record[name] for name in names if record.get(name) not in _NOTHING), None)


def span_of(record: Record, resource: Record, scope: str | None) -> Span:
    """A span from its record: nested, of the console exporter, or flat with dotted names."""
    raw = record.get("attributes", record.get("SpanAttributes"))
    if raw is not None:
        attributes = attributes_of(opened(raw))
        if not _NESTED.isdisjoint(attributes):
            attributes = _flat(attributes)
    else:
        attributes = {str(name).removeprefix(ATTRIBUTES): value for name, value in record.items()}
    trace_id = record.get("traceId") or one(record, TRACE_IDS)
    span_id = record.get("spanId") or one(record, SPAN_IDS)
    if span_id is None and "context" in record:
        context = opened_object(record["context"])
        trace_id, span_id = one(context, TRACE_IDS), one(context, SPAN_IDS)
    if not resource and "resource" in record:
        resource = attributes_of(opened_object(record["resource"]).get("attributes"))
    service = resource.get("service.name", record.get("ServiceName"))
    events = record.get("events")
    start_ns = nanoseconds(record.get("startTimeUnixNano") or one(record, STARTS))
    end_ns = nanoseconds(record.get("endTimeUnixNano") or one(record, _ENDS))
    if end_ns is None and start_ns and type(duration := whole(record.get("Duration"))) is int:
        end_ns = start_ns + duration
    return Span(
        attributes=attributes,
        trace_id=_id(trace_id), span_id=_id(span_id),
        parent_id=_id(record.get("parentSpanId") or one(record, _PARENTS)),
        start_ns=start_ns, end_ns=end_ns,
        is_error=_status(record) in _FAILED,
        events=tuple(_events(opened(events))) if events else (),
        producer=f"{service or ''} {scope or _scope_of(record) or ''}".strip() or None,
        service=None if service is None or str(service).startswith("unknown_service") else str(service),
    )  # fmt: skip


def span_ids(record: Record) -> tuple[str | None, str | None]:
    """The ids of a span and of the one around it."""
    span_id = one(record, SPAN_IDS) or one(opened_object(record.get("context")), SPAN_IDS)
    return _id(span_id), _id(one(record, _PARENTS))


def plain_span(record: Record, attributes: Record) -> Span:
    """A span of another tool that keeps to the names of OTLP, with attributes that were read already."""
    return span_of({**record, "attributes": attributes}, {}, None)


def _scope_of(record: Record) -> str | None:
    for name in ("scope", "instrumentation_scope", "instrumentationScope", "instrumentationLibrary"):
        value = record.get(name)
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return str(value["name"])
    return None


def _status(record: Record) -> str:
    """The code of a span's status in lower case, whether a number or a name."""
    status: Any = record.get("status", record.get("status_code", record.get("statusCode", record.get("StatusCode"))))
    if type(status) is str:
        status = opened(status)
    if isinstance(status, dict):
        status = status.get("code", status.get("status_code", status.get("statusCode")))
    return str(status).lower()


def _events(events: Any) -> Iterator[tuple[str, int | None, Record]]:
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and isinstance(event.get("name"), str):
            time = nanoseconds(one(event, ("timeUnixNano", "time_unix_nano", "timestamp", "time")))
            yield event["name"], time, attributes_of(event.get("attributes"))


def _id(value: Any) -> str | None:
    """A trace or span id in lower-case hex, whatever its encoding.

    >>> _id("0xAB93F93D0979063F"), _id("q5P5PQl5Bj8="), _id("other")
    ('ab93f93d0979063f', 'ab93f93d0979063f', 'other')
    """
    if value is None:
        return None
    text = str(value)
    plain = text.lower().removeprefix("0x")
    if _HEX.fullmatch(plain):
        return plain if plain.strip("0") else None
    if len(text) in {12, 24} and text.endswith("="):
        try:
            return base64.b64decode(text, validate=True).hex()
        except (binascii.Error, ValueError):
            return text
    return text


def nanoseconds(value: Any) -> int | None:
    """Nanoseconds since 1970 from a number of any unit, its text, ISO text or a date."""
    if isinstance(value, str):
        if value.isdecimal():
            value = int(value)
        else:
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    for limit, unit in ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000)):
        if value < limit:
            return round(value * unit)
    return int(value)
