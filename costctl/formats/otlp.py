"""OpenTelemetry traces as JSON: export requests, single spans, console output, rows of a backend.

One record may hold many spans. Ids are hex or base64, 64-bit numbers come as text, enums as
numbers or names. Spans of one call by two producers are merged by the audit (log-formats, 5 and 7.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from costctl.formats.agent_events import is_of_agent, name_of, read_event
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.conversation import opened
from costctl.formats.foreign_spans import (
    is_jaeger,
    is_observed,
    is_zipkin,
    jaeger_spans,
    observed_span,
    zipkin_span,
)
from costctl.formats.span_records import (
    ATTRIBUTES,
    SPAN_IDS,
    STARTS,
    attributes_of,
    call_within_call,
    nanoseconds,
    one,
    span_of,
)
from costctl.formats.spans import Span, read_span

_TRACES, _LOGS = ("resourceSpans", "resource_spans", "batches"), ("resourceLogs", "resource_logs")  # batches: Tempo
_METRICS = ("resourceMetrics", "resource_metrics")
_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "scopeLogs", "scope_logs")
_SPAN_KEYS = frozenset({"kind", "status", "context", *STARTS, *SPAN_IDS})
_PREFIXES = ("gen_ai.", "llm.", "openinference.", "traceloop.", "ai.")
_FLAT_MARKS = ("gen_ai.request.model", "gen_ai.response.model", "gen_ai.usage.input_tokens", "gen_ai.operation.name",
               "llm.token_count.prompt", "llm.model_name", "openinference.span.kind", "ai.operationId")  # fmt: skip
# Who asked is often said on an outer span only.
_INHERITED = ("user.id", "enduser.id", "session.id", "gen_ai.conversation.id")
_CALL_EVENT = "gen_ai.client.inference.operation.details"


def is_otlp(record: Record) -> bool:
    """An export request, a span, or a row of a backend with the attributes of a model's span."""
    if any(isinstance(record.get(name), list) for name in (*_TRACES, *_LOGS, *_METRICS)):
        return "batches" not in record or any(_has_scopes(item) for item in record["batches"])
    if any(is_kind(record) for is_kind, _ in _FOREIGN):
        return True
    attributes = opened(record.get("attributes", record.get("SpanAttributes")))
    if isinstance(attributes, list):
        return not _SPAN_KEYS.isdisjoint(record) and all(
            isinstance(item, dict) and "key" in item for item in attributes
        )
    if isinstance(attributes, dict):
        if _is_console_event(record, attributes):
            return True
        has_mark = any(isinstance(name, str) and f"{name}.".startswith(_PREFIXES) for name in attributes)
        return has_mark and not _SPAN_KEYS.isdisjoint(record)
    return one(record, SPAN_IDS) is not None and any(
        name in record or ATTRIBUTES + name in record for name in _FLAT_MARKS
    )


def _has_scopes(item: Any) -> bool:
    return isinstance(item, dict) and not item.keys().isdisjoint(_SCOPES)


def unwrap(record: Record) -> list[Outcome]:
    """Every span of a record: the calls of models, the others ignored by kind."""
    for is_kind, read in _FOREIGN:
        if is_kind(record):
            return _outcomes(read(record))
    outcomes: list[Outcome] = []
    for name in _TRACES:
        outcomes += _of_resources(record.get(name), ("spans",), span_of)
    for name in _LOGS:
        outcomes += _of_resources(record.get(name), ("logRecords", "log_records"), _log_record)
    if any(name in record for name in _METRICS):
        outcomes.append(Ignored("metrics: sums, not requests"))
    if outcomes or any(name in record for name in (*_TRACES, *_LOGS)):
        return outcomes or [Ignored("no span")]
    if "hrTime" in record:
        about = record.get("resource")
        holder = attributes_of(about.get("attributes")) if isinstance(about, dict) else {}
        told = _log_record(record, holder, None)
        return [read_span(told) if isinstance(told, Span) else told]
    if "scopeMetrics" in record:
        return [Ignored("metrics: sums, not requests")]
    return [read_span(span_of(record, {}, None))]


def _of_resources(resources: Any, names: tuple[str, ...], read: Any) -> list[Outcome]:
    """The outcome of each span or log record under the resources of an export request."""
    return _outcomes(
        read(item, resource, scope) if isinstance(item, dict) else Rejected("a span that is no object")
        for resource, scope, item in _items(resources, names)
    )


def _outcomes(spans: Iterable[Span | Outcome]) -> list[Outcome]:
    """The outcome of each of the spans of one record."""
    found: list[Span | Outcome] = []
    holders: dict[str, tuple[str | None, Record]] = {}  # span id -> parent and what it says of who asked
    for span in spans:
        found.append(span)
        if isinstance(span, Span) and span.span_id:
            said = {name: span.attributes[name] for name in _INHERITED if name in span.attributes}
            holders[span.span_id] = span.parent_id, said
    has_holders = any(said for _, said in holders.values())
    outcomes = [
        read_span(_with_inherited(span, holders) if has_holders else span) if isinstance(span, Span) else span
        for span in found
    ]
    call_within_call(outcomes, {span_id: parent for span_id, (parent, _) in holders.items()})
    return outcomes


def _with_inherited(span: Span, holders: dict[str, tuple[str | None, Record]]) -> Span:
    """The span with the user and session that a span around it names."""
    parent, seen = span.parent_id, {span.span_id}
    while parent in holders and parent not in seen:
        seen.add(parent)
        outer, said = holders[parent]
        for name, value in said.items():
            span.attributes.setdefault(name, value)
        parent = outer
    return span


def _items(resources: Any, names: tuple[str, ...]) -> Iterator[tuple[Record, str | None, Any]]:
    for resource in resources if isinstance(resources, list) else ():
        if not isinstance(resource, dict):
            continue
        holder = resource.get("resource")
        said = attributes_of(holder.get("attributes")) if isinstance(holder, dict) else {}
        for scopes in (resource[name] for name in _SCOPES if isinstance(resource.get(name), list)):
            for scope in scopes:
                named = scope.get("scope") or scope.get("instrumentationLibrary") or {}
                for name in names:
                    for item in scope.get(name) or ():
                        yield said, named.get("name"), item


def _log_record(record: Record, resource: Record, scope: str | None) -> Span | Record | Ignored:
    """An event that tells of a whole call; those that hold a message only are ignored."""
    attributes = attributes_of(record.get("attributes"))
    name = name_of(record, attributes)
    time = _time_of(record)
    if name is not None and is_of_agent(name):
        found = read_event(name, attributes, time)
        return found if isinstance(found, Ignored) else found | {"span_id": None}
    if name != _CALL_EVENT:
        return Ignored(f"log record: {name[:60]}" if isinstance(name, str) else "log record")
    if scope == "gemini-cli" or resource.get("service.name") == "gemini-cli":
        return Ignored("log record: a call that gemini_cli.api_response tells")
    # The event stands at the end of the call and repeats what its span says.
    return span_of({**record, "attributes": attributes, "startTimeUnixNano": time}, resource, scope)


def _time_of(record: Record) -> int | None:
    """When a log record was written, in nanoseconds; the console writes seconds and nanoseconds as a pair."""
    pair = record.get("hrTime")
    if isinstance(pair, list) and len(pair) == 2 and all(type(part) is int for part in pair):
        return int(pair[0]) * 1_000_000_000 + int(pair[1])
    return nanoseconds(one(record, ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano")))


def _is_console_event(record: Record, attributes: Any) -> bool:
    """A log record as an agent writes it into a file, without a request around it."""
    return isinstance(attributes, dict) and "event.name" in attributes and is_of_agent(name_of(record, attributes))


_FOREIGN: tuple[tuple[Callable[[Record], bool], Callable[[Record], Iterable[Span]]], ...] = (
    (is_jaeger, jaeger_spans), (is_zipkin, lambda record: [zipkin_span(record)]),
    (is_observed, lambda record: [observed_span(record)]),
)  # fmt: skip

FORMATS = (
    LogFormat(
        name="otlp",
        title="OpenTelemetry traces as JSON (GenAI, OpenLLMetry, OpenInference, Vercel AI SDK), telemetry of agents",
        signature=is_otlp,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "session", "user"),
    ),
)
