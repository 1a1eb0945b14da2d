"""Spans under the names of other tools than OpenTelemetry's own: Jaeger, Zipkin, Datadog's LLM observability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from costctl.formats.base import Record
from costctl.formats.placed import whole
from costctl.formats.span_records import attributes_of, nanoseconds, span_of
from costctl.formats.spans import Span

_FAILED = {"code": "error"}
_OBSERVED = {
    "input_tokens": "gen_ai.usage.input_tokens", "output_tokens": "gen_ai.usage.output_tokens",
    "total_tokens": "gen_ai.usage.total_tokens", "cache_read_input_tokens": "gen_ai.usage.cache_read_input_tokens",
    "cache_write_input_tokens": "gen_ai.usage.cache_creation_input_tokens",
    "reasoning_output_tokens": "gen_ai.usage.reasoning_tokens",
}  # fmt: skip
_CALLS = {"llm": "chat", "embedding": "embeddings"}
_MARKS = ("gen_ai.", "llm.", "openinference.", "traceloop.", "ai.")


def is_jaeger(record: Record) -> bool:
    """A trace of Jaeger's API: spans whose tags are a list."""
    spans = record.get("spans")
    return "traceID" in record and isinstance(spans, list) and any(
        isinstance(span, dict) and "spanID" in span and isinstance(span.get("tags"), list) for span in spans
    )  # fmt: skip


def is_zipkin(record: Record) -> bool:
    """A span of Zipkin's API that says something of a model."""
    tags = record.get("tags")
    return {"traceId", "id", "timestamp"} <= record.keys() and isinstance(tags, dict) and any(
        name.startswith(_MARKS) for name in tags
    )  # fmt: skip


def is_observed(record: Record) -> bool:
    """A span of Datadog's LLM observability."""
    about = record.get("meta")
    return {"span_id", "start_ns", "metrics"} <= record.keys() and isinstance(about, dict) and "kind" in about


def jaeger_spans(record: Record) -> Iterator[Span]:
    """The spans of a trace, with their service."""
    processes = record.get("processes")
    for span in record["spans"]:
        process = processes.get(span.get("processID")) if isinstance(processes, dict) else None
        said = {tag["key"]: tag.get("value") for tag in span["tags"]}
        outer = (one.get("spanID") for one in span.get("references") or () if one.get("refType") == "CHILD_OF")
        yield _span(
            {"traceId": span.get("traceID"), "spanId": span["spanID"], "parentSpanId": next(outer, None)},
            said, span, process.get("serviceName") if isinstance(process, dict) else None,
        )  # fmt: skip


def zipkin_span(record: Record) -> Span:
    """One span; all values of its tags are texts."""
    place = record.get("localEndpoint")
    return _span(
        {"traceId": record["traceId"], "spanId": record["id"], "parentSpanId": record.get("parentId")},
        {name: whole(value) for name, value in record["tags"].items()},
        record | {"startTime": record["timestamp"]}, place.get("serviceName") if isinstance(place, dict) else None,
    )  # fmt: skip


def _span(ids: Record, said: Record, span: Record, service: Any) -> Span:
    """A span whose start and duration are microseconds and whose status is a tag."""
    start = nanoseconds(span.get("startTime"))
    lasted = whole(span.get("duration"))
    failed = said.get("error") not in (None, False, "false") or str(said.get("otel.status_code")).upper() == "ERROR"
    end = start + lasted * 1000 if start is not None and type(lasted) is int else None
    return span_of(
        ids | {"attributes": said, "startTimeUnixNano": start, "endTimeUnixNano": end,
               "status": _FAILED if failed else None},
        {"service.name": service} if service else {}, None,
    )  # fmt: skip


def observed_span(record: Record) -> Span:
    """One span of Datadog under the names of OpenTelemetry."""
    about, counts = record["meta"], attributes_of(record["metrics"])
    said = {theirs: counts[ours] for ours, theirs in _OBSERVED.items() if ours in counts}
    kind = str(about["kind"])
    said["gen_ai.operation.name"] = _CALLS.get(kind, kind)
    said["gen_ai.request.model"], said["gen_ai.provider.name"] = about.get("model_name"), about.get("model_provider")
    if kind not in _CALLS:
        said = {"traceloop.span.kind": "task"}  # what is around calls may sum them up
    start, lasted = nanoseconds(record["start_ns"]), whole(record.get("duration"))
    parent = record.get("parent_id")
    return span_of(
        {"traceId": record.get("trace_id"), "spanId": record["span_id"], "attributes": said,
         "parentSpanId": None if parent == "undefined" else parent, "startTimeUnixNano": start,
         "endTimeUnixNano": start + lasted if start is not None and type(lasted) is int else None,
         "status": _FAILED if record.get("status") == "error" else None},
        {"service.name": record["ml_app"]} if record.get("ml_app") else {}, None,
    )  # fmt: skip
