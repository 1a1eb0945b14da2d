"""One span of an LLM call, by its attributes: OpenTelemetry GenAI, OpenLLMetry, OpenInference, Vercel AI SDK.

Names changed often, so each fact has a list of names and the first one present counts. Input
includes cached tokens and output reasoning, unless the counts prove otherwise (log-formats, 7.9).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LeftOutUsage, Outcome, Record
from costctl.formats.conversation import first, opened, opened_object
from costctl.formats.placed import left_out_usage, placed, whole
from costctl.formats.span_text import add_content
from costctl.formats.usage import read_usage

Attributes = Mapping[str, Any]


class Span(NamedTuple):
    """A span as any exporter writes it; times in nanoseconds since 1970."""

    attributes: Record
    trace_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    is_error: bool = False
    is_cancelled: bool = False
    events: tuple[tuple[str, int | None, Record], ...] = ()  # name, time, attributes
    producer: str | None = None
    service: str | None = None


_USAGE: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens",
        "ai.usage.promptTokens", "llm.usage.prompt_tokens", "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read", "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens", "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.details.cache_read_input_tokens", "llm.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_tokens", "gen_ai.usage.input_tokens.cached",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write.input_tokens", "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens", "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens", "llm.usage.cache_creation_input_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning", "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens", "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.details.thoughts_tokens",
    ),
    "input_audio_tokens": ("llm.token_count.prompt_details.audio", "gen_ai.usage.details.input_audio_tokens"),
    "output_audio_tokens": ("llm.token_count.completion_details.audio", "gen_ai.usage.details.output_audio_tokens"),
    "total_tokens": (
        "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens",
    ),
}  # fmt: skip
_FACTS: Mapping[str, tuple[str, ...]] = {
    "response_model": (
        "gen_ai.response.model", "llm.model_name", "ai.response.model", "llm.response.model", "embedding.model_name",
    ),
    "request_model": (
        "gen_ai.request.model", "llm.request.model_name", "llm.request.model", "ai.model.id", "llm.model_name",
    ),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "temperature": ("gen_ai.request.temperature", "llm.temperature", "ai.settings.temperature"),
    "max_output_tokens": (
        "gen_ai.request.max_tokens", "gen_ai.request.max_output_tokens", "llm.request.max_tokens",
        "ai.settings.maxOutputTokens", "ai.settings.maxTokens",
    ),
    "stream": ("gen_ai.request.stream", "gen_ai.is_streaming", "gen_ai.request.is_stream", "llm.is_streaming"),
    "session_id": (
        "gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id", "langfuse.session.id", "ai.telemetry.metadata.sessionId",
        "langsmith.trace.session_id", "thread.id",
    ),
    "user_id": (
        "user.id", "enduser.id", "traceloop.association.properties.user_id", "langfuse.user.id",
        "ai.telemetry.metadata.userId", "gen_ai.user.id",
    ),
    "endpoint": ("url.path", "http.route", "http.target"),
    "region": ("cloud.region", "aws.region"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "logged_cost": ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "gen_ai.cost.total_cost"),
    "time_to_first_token_s": (
        "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token",
        "gen_ai.response.time_to_first_token",
    ),
    "time_to_first_token_ms": ("ai.response.msToFirstChunk", "gen_ai.response.time_to_first_token_ms"),
    "service_tier": (
        "gen_ai.openai.response.service_tier", "openai.response.service_tier", "gen_ai.response.service_tier",
        "gen_ai.openai.request.service_tier", "openai.request.service_tier",
    ),
    "tags": ("tag.tags", "langfuse.trace.tags"),
    "finish_reason": ("gen_ai.response.finish_reasons", "ai.response.finishReason", "llm.finish_reason",
                      "gen_ai.completion.0.finish_reason", "anthropic.message.stop_reason"),
}  # fmt: skip
# The columns that an attribute fills, with its place in the order of preference of each.
_PLACES: dict[str, list[tuple[str, int]]] = {}
for _column, _names in (*_USAGE.items(), *_FACTS.items()):
    for _rank, _name in enumerate(_names):
        _PLACES.setdefault(_name, []).append((_column, _rank))
_PARAMETERS = {
    "temperature": ("temperature",), "stream": ("stream",),
    "max_output_tokens": ("max_completion_tokens", "max_output_tokens", "max_tokens"),
}  # fmt: skip
_RESPONSE_IDS = ("gen_ai.response.id", "ai.response.id", "llm.response.id", "gen_ai.response_id")
_LLM_OPERATIONS = {
    "chat": "chat", "text_completion": "text_completion", "completion": "text_completion",
    "generate_content": "chat", "embeddings": "embeddings", "embedding": "embeddings", "responses": "chat",
    "message": "chat", "messages": "chat", "acompletion": "chat", "aembedding": "embeddings",
}  # fmt: skip
_OTHER_KINDS = frozenset(
    {"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "agent", "tool", "chain", "workflow", "task",
     "retrieval", "retriever", "handoff", "guardrail", "rerank", "reranker", "plan", "evaluator", "prompt", "unknown",
     "parser", "running_tool", "call_tool", "vector_db", "agent_run"}
)  # fmt: skip
_FIRST_TOKEN = ("First Token Stream Event", "gen_ai.choice.first_token", "first_token", "ai.stream.firstChunk")


def read_span(span: Span) -> Outcome:
    """The call of a model that a span records, in canonical and raw names; other spans are ignored by kind."""
    said = span.attributes
    kind, is_call = _kind(said)
    if not is_call:
        return Ignored(f"span: {kind[:40]}", _left_out(span))
    found, usage = _read(said)
    found["operation"] = _operation(said, kind)
    body = opened_object(said.get("output.value")) if "output.value" in said else {}
    asked = opened_object(first(said.get("llm.invocation_parameters"), said.get("input.value")))
    if isinstance(body.get("usage"), dict):
        usage = _with_body(usage, read_usage(body["usage"]))
    _add_request(found, said, asked)
    _add_answer(found, body, first(_said(said, _RESPONSE_IDS), body.get("id")), span)
    _add_outcome(found, usage, span)
    found.update(placed(usage))
    if found["operation"] == "embeddings":
        found.setdefault("cache_read_tokens", 0)  # embeddings have no prompt cache
        if "input_tokens" in found:
            found.setdefault("output_tokens", 0)
    add_content(found, said, span.events)
    return found


def _left_out(span: Span) -> LeftOutUsage | None:
    """The tokens that a span counts that is no call: an agent, a workflow."""
    counts = [_said(span.attributes, _USAGE[name]) for name in ("input_tokens", "output_tokens")]
    return left_out_usage((span.trace_id, span.span_id, span.parent_id), *counts)


def _read(said: Attributes) -> tuple[Record, Record]:
    """Facts and counts under our names, each from the first of its names that is there."""
    ranks: dict[str, int] = {}
    best: Record = {}
    for name, value in said.items():
        places = _PLACES.get(name)
        if places is None or value is None or value == "":
            continue
        for column, rank in places:
            if rank < ranks.get(column, len(_PLACES)):
                best[column], ranks[column] = value, rank
    usage = {name: best.pop(name) for name in _USAGE if name in best}
    return best, usage


def _said(said: Attributes, names: tuple[str, ...]) -> Any:
    for name in names:
        value = said.get(name)
        if value is not None and value != "":
            return value
    return None


def _kind(said: Attributes) -> tuple[str, bool]:
    """What a span records, and whether that is a call of a model.

    The most specific marks decide. A span without any is a call if it counts tokens: an older
    instrumentation of one model call; agents and workflows all carry a mark.
    """
    openinference = said.get("openinference.span.kind")
    if isinstance(openinference, str):
        return openinference.lower(), openinference.upper() in {"LLM", "EMBEDDING"}
    vercel = said.get("ai.operationId")
    if isinstance(vercel, str):
        return vercel, vercel.endswith((".doGenerate", ".doStream", ".doEmbed"))
    for name in ("gen_ai.operation.name", "traceloop.span.kind", "langsmith.span.kind", "gen_ai.span.kind"):
        kind = said.get(name)
        if isinstance(kind, str) and kind.lower() in _OTHER_KINDS:
            return kind.lower(), False
    operation = first(said.get("gen_ai.operation.name"), said.get("llm.request.type"))
    if isinstance(operation, str):
        return operation, operation.lower() in _LLM_OPERATIONS or _counts(said)
    return ("model call", True) if _counts(said) else ("not of a model", False)


def _with_body(usage: Record, body: Record) -> Record:
    """The counts of the attributes with what only the body of the answer tells, such as how long a write lasts."""
    if not usage.keys() & {"input_tokens", "output_tokens"}:
        return body
    if any(whole(usage.get(name)) != body.get(name) for name in ("input_tokens", "output_tokens")):
        return usage
    body.pop("logged_cost", None)
    return {**body, **usage}


def _counts(said: Attributes) -> bool:
    """Whether a span says how many tokens a model read or wrote, or at least which model was asked."""
    if _said(said, _USAGE["input_tokens"]) is not None or _said(said, _USAGE["output_tokens"]) is not None:
        return True
    return _said(said, ("gen_ai.request.model", "gen_ai.response.model", "llm.request.model")) is not None


def _operation(said: Attributes, kind: str) -> str:
    named = first(said.get("gen_ai.operation.name"), said.get("llm.request.type"))
    if isinstance(named, str) and named.lower() in _LLM_OPERATIONS:
        return _LLM_OPERATIONS[named.lower()]
    return "embeddings" if "embed" in kind.lower() else "chat"


def _add_request(found: Record, said: Attributes, asked: Record) -> None:
    """What was asked for; OpenInference keeps it as the JSON of the parameters."""
    found.setdefault("request_model", asked.get("model"))
    # `llm.model_name` alone is the model that answered; the parameters know what was asked for.
    if isinstance(asked.get("model"), str) and "gen_ai.request.model" not in said:
        found["request_model"] = asked["model"]
    if asked:
        for ours, theirs in _PARAMETERS.items():
            found.setdefault(ours, first(*(asked.get(name) for name in theirs)))
    form = said.get("gen_ai.output.type")
    found["response_format"] = "json_object" if form == "json" else form
    if isinstance(found.get("provider"), str):
        # Vercel's providers name their API as well: openai.responses, google.generative-ai.
        provider = found["provider"].lower()
        found["provider"] = provider.split(".")[0] if "ai.model.provider" in said else provider


def _add_answer(found: Record, body: Record, response_id: Any, span: Span) -> None:
    """Identity and end of the call. Two spans of one trace with one response id are one call."""
    response = str(response_id) if isinstance(response_id, str | int) and response_id else None
    found.update(
        request_id=response or span.span_id, trace_id=span.trace_id, span_id=span.span_id, parent_id=span.parent_id,
        producer=span.producer, app=span.service,
    )  # fmt: skip
    identity = response or span.span_id
    if identity:
        found["dedupe_key"] = f"{span.trace_id}:{identity}" if span.trace_id else identity
    reason = found.get("finish_reason")
    if isinstance(reason, str):
        reason = opened(reason)
    if isinstance(reason, list):
        reason = reason[0] if reason else None
    choices = body.get("choices")
    if reason is None and isinstance(choices, list) and choices and isinstance(choices[0], dict):
        reason = choices[0].get("finish_reason")
    found["finish_reason"] = first(reason, body.get("stop_reason"))
    found["service_tier"] = service_tier(first(found.get("service_tier"), body.get("service_tier")))
    if found.get("logged_cost") is not None:
        found["logged_cost_kind"] = "estimated"


def _add_outcome(found: Record, usage: Record, span: Span) -> None:
    """Times, status and failure. A failed call that says 0 tokens does not know them."""
    if span.start_ns:
        # Whole microseconds: nanoseconds are beyond the precision of a float.
        found["started_at"] = span.start_ns // 1000
        if span.end_ns and span.end_ns >= span.start_ns:
            found["latency_ms"] = (span.end_ns - span.start_ns) / 1e6
        arrived = next((time for name, time, _ in span.events if time and name in _FIRST_TOKEN), None)
        if arrived and arrived >= span.start_ns:
            found.setdefault("time_to_first_token_ms", (arrived - span.start_ns) / 1e6)
    if any(name in _FIRST_TOKEN for name, _, _ in span.events) and found.get("stream") is None:
        found["stream"] = True
    error = span.attributes.get("error.type")
    thrown = next((said.get("exception.type") for name, _, said in span.events if name == "exception"), None)
    if span.is_error or (isinstance(error, str) and error):
        kind = first(error if isinstance(error, str) else None, thrown, span.attributes.get("exception.type"), "error")
        found["status"], found["error_type"] = "error", str(kind).rsplit(".", 1)[-1]
        if not any(usage.get(name) for name in ("input_tokens", "output_tokens")):
            usage.clear()
    elif span.is_cancelled:
        found["status"] = "cancelled"
