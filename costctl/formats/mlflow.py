"""MLflow traces: their spans keep counts and costs as JSON text in attributes (log-formats, 7.13)."""

from __future__ import annotations

from typing import Any

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.conversation import (
    answer_text,
    first,
    messages_of,
    opened,
    opened_object,
    system_of,
    tool_calls_of,
)
from costctl.formats.placed import placed
from costctl.formats.span_records import call_within_call, plain_span, span_ids
from costctl.formats.spans import Span
from costctl.formats.usage import read_usage

CALLS = {"CHAT_MODEL": "chat", "LLM": "chat", "EMBEDDING": "embeddings"}
_TRACES = ("info", "trace_info")
_ATTRIBUTES = (
    "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.llm.model", "mlflow.llm.provider", "mlflow.model.provider",
    "mlflow.chat.tokenUsage", "mlflow.llm.cost",
)  # fmt: skip
_CHUNK = "mlflow.chunk.item."
_PARTS = ("reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "web_searches")


def is_mlflow(record: Record) -> bool:
    """A trace with its spans, or one span."""
    if _spans(record) is not None and (
        any(name in record for name in _TRACES) or "trace_id" in record or "request_id" in record
    ):
        return True
    attributes = opened(record.get("attributes"))
    return isinstance(attributes, dict) and "mlflow.spanType" in attributes


def _spans(record: Record) -> list[Any] | None:
    """The spans of a trace, also where a table holds them as JSON text."""
    inner = opened_object(record.get("trace"))
    for holder in (opened_object(record.get("data")), record, opened_object(inner.get("data"))):
        spans = opened(holder.get("spans"))
        if isinstance(spans, list) and spans and all(isinstance(opened(span), dict) for span in spans):
            first_span = opened(spans[0])
            if "attributes" in first_span and ("name" in first_span or "span_id" in first_span):
                return spans
    return None


def unwrap(record: Record) -> list[Outcome]:
    """Every span of a trace; those that call no model are ignored by type."""
    spans = _spans(record)
    if spans is None:
        return [_span(record, {})] if "attributes" in record else [Ignored("a trace without spans")]
    said: Record = {}
    info = first(*(record.get(name) for name in _TRACES), opened_object(record.get("trace")).get("info"))
    for holder in (opened_object(info), record):
        said |= opened_object(holder.get("trace_metadata")) | opened_object(holder.get("request_metadata"))
    outcomes = [_span(opened(span), said) for span in spans]
    if sum(isinstance(outcome, dict) for outcome in outcomes) > 1:
        call_within_call(outcomes, dict(span_ids(span) for span in map(opened, spans) if isinstance(span, dict)))
    return outcomes


def _span(record: Any, trace: Record) -> Outcome:
    if not isinstance(record, dict):
        return Rejected("a span that is no object")
    said = opened_object(record.get("attributes"))
    kind = str(_plain(said.get("mlflow.spanType")) or "no type").upper()
    if kind not in CALLS:
        return Ignored(f"span: {kind.lower()}")
    attributes = {name: _plain(said[name]) for name in _ATTRIBUTES if name in said}
    span = plain_span(record, attributes)
    inputs, outputs = attributes.get("mlflow.spanInputs"), attributes.get("mlflow.spanOutputs")
    asked, answered = opened_object(inputs), opened_object(outputs)
    found: Record = {
        "request_id": first(answered.get("id") if isinstance(answered.get("id"), str) else None, span.span_id),
        "trace_id": span.trace_id, "span_id": span.span_id, "parent_id": span.parent_id,
        "provider": first(attributes.get("mlflow.llm.provider"), attributes.get("mlflow.model.provider")),
        "request_model": first(_text(asked.get("model")), _text(attributes.get("mlflow.llm.model"))),
        "response_model": first(_text(answered.get("model")), _text(attributes.get("mlflow.llm.model"))),
        "operation": CALLS[kind], "temperature": asked.get("temperature"),
        "service_tier": service_tier(answered.get("service_tier")),
        "max_output_tokens": first(asked.get("max_completion_tokens"), asked.get("max_tokens")),
        "session_id": trace.get("mlflow.trace.session"), "user_id": trace.get("mlflow.trace.user"),
        "messages": messages_of(inputs), "system": system_of(asked), "response_text": answer_text(outputs),
        "tool_calls": tool_calls_of(outputs) if answered else None,
    }  # fmt: skip
    if span.span_id is not None:
        found["dedupe_key"] = f"{span.trace_id}:{span.span_id}"
    _add_outcome(found, span, attributes, answered)
    return found


def _plain(value: Any) -> Any:
    """The value of an attribute, which is written as JSON text, quotes of a text included."""
    if type(value) is str and value[:1] == '"':
        return opened(f"[{value}]")[0] if value[-1:] == '"' else value
    return opened(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _add_outcome(found: Record, span: Span, attributes: Record, answered: Record) -> None:
    """Times, status, counts and cost."""
    if span.start_ns:
        found["started_at"] = span.start_ns // 1000
        if span.end_ns and span.end_ns >= span.start_ns:
            found["latency_ms"] = (span.end_ns - span.start_ns) / 1e6
        arrived = min((time for name, time, _ in span.events if time and name.startswith(_CHUNK)), default=0)
        if arrived >= span.start_ns:
            found.update(stream=True, time_to_first_token_ms=(arrived - span.start_ns) / 1e6)
    said = opened_object(attributes.get("mlflow.chat.tokenUsage"))
    if said:
        usage = placed({
            "input_tokens": first(said.get("input_tokens"), said.get("prompt_tokens")),
            "output_tokens": first(said.get("output_tokens"), said.get("completion_tokens")),
            "total_tokens": said.get("total_tokens"), "cache_read_tokens": said.get("cache_read_input_tokens"),
            "cache_write_tokens": said.get("cache_creation_input_tokens"),
            "cache_write_1h_tokens": said.get("cache_creation_input_tokens_above_1hr"),
        })  # fmt: skip
        body = read_usage(answered.get("usage"))
        if body.get("output_tokens") == usage.get("output_tokens"):  # the body also knows the parts
            for name in _PARTS:
                if name in body:
                    usage.setdefault(name, body[name])
    else:
        usage = read_usage(answered.get("usage"))
    if span.is_error:
        thrown = next((more.get("exception.type") for name, _, more in span.events if name == "exception"), None)
        found.update(status="error", error_type=str(thrown or "error").rsplit(".", 1)[-1])
        if not any(usage.get(name) for name in ("input_tokens", "output_tokens")):
            usage = {}
    found.update(usage)
    if found["operation"] == "embeddings":
        found.setdefault("cache_read_tokens", 0)  # embeddings have no prompt cache
        if "input_tokens" in usage:
            found.setdefault("output_tokens", 0)
    cost = opened_object(attributes.get("mlflow.llm.cost")).get("total_cost")
    if cost is not None:
        found.update(logged_cost=cost, logged_currency="USD", logged_cost_kind="estimated")


FORMATS = (
    LogFormat(
        name="mlflow",
        title="MLflow traces (JSON, JSONL or tables)",
        signature=is_mlflow,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "session", "user"),
    ),
)
