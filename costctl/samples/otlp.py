"""OpenTelemetry export requests in three dialects: calls seen by one, by two producers, and other spans."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, write_lines
from costctl.samples.traced import SYSTEM, Call, calls, count_call, hexes


def write_traces(path: Path, rng: Random) -> Counts:
    """One export request a trace; every third call is told by a framework and by the provider's own SDK."""
    counts = Counts()
    lines: list[Record] = []
    spans: dict[str, list[Record]] = {}
    for call in calls(rng):
        if call.number % 2 == 0:
            spans = {}
            root = hexes(rng, 16)
            spans["shop"] = [_span(call, root, None, "handle_request", {"user.id": call.user})]
            counts.other(ignored=1)
            lines.append(_request(spans))
        span_id = hexes(rng, 16)
        count_call(counts, call)
        if call.number % 3 == 0:
            spans.setdefault("opentelemetry.instrumentation.openai.v1", []).append(
                _span(call, span_id, root, "openai.chat", _genai(call) | _genai_text(call))
            )
        elif call.number % 3 == 1:
            # The SDK's own span lies beside the framework's and has neither text nor user.
            spans.setdefault("opentelemetry.instrumentation.anthropic", []).append(
                _span(call, span_id, root, "anthropic.chat", _genai(call) | _genai_text(call))
            )
            if not call.has_failed:
                spans.setdefault("com.anthropic.sdk.python", []).append(
                    _span(call, hexes(rng, 16), root, "anthropic.messages.create", _genai(call))
                )
                counts.other(merged=1)
        else:
            spans.setdefault("openinference.instrumentation.openai", []).append(
                _span(call, span_id, root, "ChatCompletion", _openinference(call))
            )
        if call.number % 5 == 0:
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_ferries"}
            spans["shop"].append(_span(call, hexes(rng, 16), root, "execute_tool", tool))
            counts.other(ignored=1)
    write_lines(path, [_closed(line) for line in lines])
    return counts


def _request(spans: dict[str, list[Record]]) -> Record:
    resource = {"attributes": _attributes({"service.name": "shop", "telemetry.sdk.language": "python"})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": spans}]}


def _closed(line: Record) -> Record:
    """The request with its spans in the list that the exporter writes."""
    resource = line["resourceSpans"][0]
    scopes = [{"scope": {"name": name}, "spans": spans} for name, spans in resource["scopeSpans"].items()]
    return {"resourceSpans": [resource | {"scopeSpans": scopes}]}


def _nanoseconds(moment: datetime) -> str:
    return f"{int(moment.timestamp())}{moment.microsecond:06d}000"


def _attributes(said: Record) -> list[Record]:
    return [{"key": name, "value": _value(value)} for name, value in said.items() if value is not None]


def _value(value: Any) -> Record:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": value}


def _span(call: Call, span_id: str, parent: str | None, name: str, said: Record) -> Record:
    has_failed = call.has_failed and parent is not None
    if has_failed:
        said = said | {"error.type": "RateLimitError"}
    return {
        "traceId": call.trace_id, "spanId": span_id, **({"parentSpanId": parent} if parent else {}), "name": name,
        "kind": 3 if parent else 2, "startTimeUnixNano": _nanoseconds(call.started_at),
        "endTimeUnixNano": _nanoseconds(call.ended_at), "attributes": _attributes(said),
        "status": {"code": 2, "message": "rate limited"} if has_failed else {"code": 1},
    }  # fmt: skip


def _genai(call: Call) -> Record:
    """Attributes of the GenAI conventions, in the spelling of the day for each provider."""
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.asked_model,
        "gen_ai.request.temperature": 0.3, "gen_ai.request.max_tokens": 600,
    }  # fmt: skip
    if call.has_failed:
        return said
    writes = "cache_write.input_tokens" if call.number % 2 else "cache_creation.input_tokens"
    return said | {
        "gen_ai.response.model": call.model, "gen_ai.response.id": call.answer_id,
        "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens, "gen_ai.usage.cache_read.input_tokens": call.cache_read,
        f"gen_ai.usage.{writes}": call.cache_write if call.provider == "anthropic" else None,
        "gen_ai.usage.reasoning_tokens": call.reasoning,
    }  # fmt: skip


def _genai_text(call: Call) -> Record:
    asked = [{"role": "user", "parts": [{"type": "text", "content": call.question}]}]
    said = {
        "gen_ai.system_instructions": dumps([{"type": "text", "content": SYSTEM}]),
        "gen_ai.input.messages": dumps(asked),
    }
    if call.has_failed:
        return said
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": call.answer}], "finish_reason": "stop"}]
    return said | {"gen_ai.output.messages": dumps(answered), "gen_ai.conversation.id": call.session}


def _openinference(call: Call) -> Record:
    """Attributes of OpenInference: the id of the answer only within its text, a failure without a model."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": call.question}]
    said: Record = {
        "openinference.span.kind": "LLM", "llm.system": call.provider, "session.id": call.session,
        "input.value": dumps({"messages": messages, "model": call.asked_model}), "input.mime_type": "application/json",
        "llm.invocation_parameters": dumps({"model": call.asked_model, "max_completion_tokens": 600}),
    }  # fmt: skip
    for number, message in enumerate(messages):
        said[f"llm.input_messages.{number}.message.role"] = message["role"]
        said[f"llm.input_messages.{number}.message.content"] = message["content"]
    if call.has_failed:
        return said
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": call.answer}}
    body = {"id": call.answer_id, "model": call.model, "choices": [choice], "service_tier": "default"}
    return said | {
        "output.value": dumps(body),
        "llm.model_name": call.model, "llm.token_count.prompt": call.input_tokens,
        "llm.token_count.completion": call.output_tokens,
        "llm.token_count.total": call.known_input + call.known_output,
        "llm.token_count.prompt_details.cache_read": call.cache_read,
        "llm.token_count.completion_details.reasoning": call.reasoning,
        "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": call.answer,
    }  # fmt: skip
