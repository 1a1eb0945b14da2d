"""AWS Bedrock's model invocation log, as its files lie in S3 or as CloudWatch hands them out, and its batch jobs.

Counts stand beside one another: the input leaves out what was read from or written to a cache. The
bodies are those of the model's maker or of Converse, and may be missing; the counts are there all
the same (log-formats, 7.4).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.bodies import read_body, read_request
from costctl.formats.sse import joined_events
from costctl.formats.usage import read_usage

_METRICS = "amazon-bedrock-invocationMetrics"
_MESSAGES = ("@message", "message")
_LISTS = ("results", "logEvents", "events")
# Names of inference profiles and own models say nothing of the model; then the body may.
_OPAQUE = re.compile(
    r":(application-inference-profile|provisioned-model|imported-model|custom-model-deployment|prompt)/"
)
_OF_THE_LOG = frozenset({"request_id", "dedupe_key", "service_tier", "region", "operation", "provider"})
_VECTORS = frozenset({"embedding", "embeddings", "embeddingsByType"})
_COUNTED = ("inputTextTokenCount", "totalOutputTextTokenCount", "prompt_token_count", "generation_token_count")
_LIMITS = ("max_gen_len", "maxTokenCount", "max_tokens_to_sample", "max_new_tokens", "maxTokens", "max_tokens")


def is_invocation(record: Record) -> bool:
    """A record of the log, or a wrapper of CloudWatch around some."""
    if record.get("schemaType") == "ModelInvocationLog":
        return True
    if {"modelId", "requestId", "operation"} <= record.keys():
        return "input" in record or "output" in record
    return any(_is_invocation(text) for text in _wrapped(record)[:1])


def _is_invocation(text: Any) -> bool:
    return isinstance(text, str) and "modelId" in text and "requestId" in text


def _wrapped(record: Record) -> list[Any]:
    """The texts of the records inside an answer of CloudWatch; empty for anything else."""
    for name in _MESSAGES:
        if isinstance(record.get(name), str):
            return [record[name]]
    events: list[Any] = next((record[name] for name in _LISTS if isinstance(record.get(name), list)), [])
    texts = [_message(event) for event in events]
    return [text for text in texts if text is not None]


def _message(event: Any) -> Any:
    if isinstance(event, list):  # Logs Insights: a list of fields and values
        event = {item.get("field"): item.get("value") for item in event if isinstance(item, dict)}
    if not isinstance(event, dict):
        return None
    return next((event[name] for name in _MESSAGES if name in event), None)


def unwrap(record: Record) -> list[Outcome]:
    """The invocations of one record."""
    if "modelId" in record or "schemaType" in record:
        return [_invocation(record)]
    return [_unpacked(text) for text in _wrapped(record)] or [Ignored("answer of CloudWatch without records")]


def _unpacked(text: Any) -> Outcome:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return Ignored("line of another log")
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Rejected("the record inside @message is no JSON; CloudWatch cuts records above 256 kB")
    return _invocation(record) if is_invocation(record) else Ignored("record of another log")


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _invocation(record: Record) -> Record:
    asked, answered = _object(record.get("input")), _object(record.get("output"))
    operation = str(record.get("operation") or "")
    model = record.get("modelId")
    found = _request(_object(asked.get("inputBodyJson")))
    found.update(_answer(answered.get("outputBodyJson"), is_stream=operation.endswith("Stream")))
    is_opaque = isinstance(model, str) and _OPAQUE.search(model) is not None
    found.update(
        request_id=record.get("requestId"), dedupe_key=record.get("requestId"), started_at=record.get("timestamp"),
        ts_basis="logged", provider="aws", request_model=_model_of(model), endpoint=operation or None,
        operation="embeddings" if "embed" in str(model) else "chat",
        stream=operation.endswith("Stream") if operation else None,
        region=record.get("inferenceRegion") or record.get("region"), user_id=_principal(record.get("identity")),
        tags=_tags(record.get("requestMetadata")),
    )  # fmt: skip
    if not is_opaque:
        found.pop("response_model", None)  # the body's name is the maker's, and has the maker's own prices
    _add_counts(found, asked, answered)
    if record.get("errorCode"):
        found.update(status="error", error_type=str(record["errorCode"]))
    return found


def _model_of(model: Any) -> Any:
    """The model's id without the ARN around it; a region's prefix stays.

    >>> _model_of("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0")
    'us.anthropic.claude-sonnet-4-20250514-v1:0'
    """
    return model.rsplit("/", 1)[-1] if isinstance(model, str) and model.startswith("arn:") else model


def _principal(identity: Any) -> str | None:
    """Who called, without the account.

    >>> _principal({"arn": "arn:aws:sts::123456789012:assumed-role/app/i-0abc"})
    'assumed-role/app/i-0abc'
    """
    holder = identity[0] if isinstance(identity, list) and identity else identity
    arn = holder.get("arn") if isinstance(holder, dict) else holder
    return arn.rsplit(":", 1)[-1] if isinstance(arn, str) and arn else None


def _tags(metadata: Any) -> list[str] | None:
    return [f"{name}={value}" for name, value in metadata.items()] if isinstance(metadata, dict) else None


def _request(body: Record) -> Record:
    """What is asked, in Converse's words or in those of the model's maker."""
    found = read_request(body)
    del found["request_model"]
    config = body.get("inferenceConfig") or body.get("textGenerationConfig")
    for holder in (body, config) if isinstance(config, dict) else (body,):
        for name in _LIMITS:
            if holder.get(name) is not None:
                found["max_output_tokens"] = holder[name]
                break
        if holder.get("temperature") is not None:
            found["temperature"] = holder["temperature"]
    if "toolConfig" in body:
        tools = _object(body["toolConfig"]).get("tools")
        found["tool_count"] = len(tools) if isinstance(tools, list) else None
    if found["messages"] is None:
        found["messages"] = body.get("inputText") or body.get("message") or body.get("texts")
    return found


def _answer(body: Any, *, is_stream: bool) -> Record:
    """What the answer says, where it was logged: one body, or the events of a stream."""
    metrics: Record = {}
    if isinstance(body, list):
        events = [event for event in body if isinstance(event, dict)]
        metrics = next((_object(event[_METRICS]) for event in reversed(events) if _METRICS in event), {})
        body = joined_events(events) or _joined_converse(events)
    body = _object(body)
    found = {name: value for name, value in read_body(body).items() if value is not None and name not in _OF_THE_LOG}
    if not found:
        found = _converse(body)
    if metrics:
        for name, value in _metered(metrics).items():
            found.setdefault(name, value)
    if "serviceTier" in body:
        found["service_tier"] = service_tier(_object(body["serviceTier"]).get("type"))
    if metrics or "metrics" in body:
        found["latency_ms"] = metrics.get("invocationLatency", _object(body.get("metrics")).get("latencyMs"))
        found["time_to_first_token_ms"] = metrics.get("firstByteLatency") if is_stream else None
    return found


def _metered(metrics: Record) -> Record:
    """The counts that Bedrock puts behind the last event of a stream, cached tokens beside the input."""
    return read_usage({name.removesuffix("Count").replace("Token", "Tokens"): value for name, value in metrics.items()})


def _of_maker(body: Record) -> Record:
    """The counts of Titan and Llama, which name them in their own way."""
    results = body.get("results")
    pieces = [result.get("tokenCount") for result in results or () if isinstance(result, dict)]
    told = [count for count in pieces if type(count) is int]
    given = body.get("inputTextTokenCount", body.get("prompt_token_count"))
    output = body.get("totalOutputTextTokenCount", body.get("generation_token_count", sum(told) if told else None))
    if given is not None and output is None and not _VECTORS.isdisjoint(body):
        return {"input_tokens": given, "output_tokens": 0, "operation": "embeddings"}
    counts = {"input_tokens": given, "output_tokens": output}
    return {name: value for name, value in counts.items() if value is not None}


def _converse(body: Record) -> Record:
    """An answer of Converse, Nova, Titan, Llama or Mistral."""
    found: Record = read_usage(body["usage"]) if "usage" in body else _of_maker(body)
    message = _object(_object(body.get("output")).get("message"))
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    results = body.get("results") or body.get("outputs")
    first = _object(results[0]) if isinstance(results, list) and results else {}
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    found["tool_calls"] = sum("toolUse" in part for part in parts) if parts else None
    found["response_text"] = "\n".join(texts) or first.get("outputText") or first.get("text") or body.get("generation")
    found["finish_reason"] = (
        body.get("stopReason") or body.get("stop_reason") or first.get("completionReason") or first.get("stop_reason")
    )
    return found


def _joined_converse(events: list[Record]) -> Record:
    """One answer out of Converse's events, or out of the chunks of Llama and Titan."""
    body: Record = {}
    texts: list[str] = []
    calls: list[Record] = []
    for event in events:
        delta = _object(_object(event.get("contentBlockDelta")).get("delta"))
        piece = delta.get("text", event.get("generation", event.get("outputText")))
        if isinstance(piece, str):
            texts.append(piece)
        start = _object(_object(event.get("contentBlockStart")).get("start"))
        calls += [start] if "toolUse" in start else []
        body.update(_object(event.get("messageStop")))
        body.update(_object(event.get("metadata")))
        if event.get("stop_reason"):
            body["stop_reason"] = event["stop_reason"]
        body.update((name, event[name]) for name in _COUNTED if event.get(name) is not None)
    parts = [{"text": "".join(texts)}] if texts else []
    return {**body, "output": {"message": {"content": [*parts, *calls]}}}


def _add_counts(found: Record, asked: Record, answered: Record) -> None:
    """The log's own counts before those of the bodies, which are its source and may be missing."""
    of_log: Record = {
        "input_tokens": asked.get("inputTokenCount"), "output_tokens": answered.get("outputTokenCount"),
        "cache_read_tokens": asked.get("cacheReadInputTokenCount"),
        "cache_write_tokens": asked.get("cacheWriteInputTokenCount"),
    }  # fmt: skip
    if of_log["input_tokens"] is None:  # then the body's usage stands, whose input holds what was cached
        cached = [found.get(name) for name in ("cache_read_tokens", "cache_write_tokens")]
        if type(found.get("input_tokens")) is int:
            found["input_tokens"] -= sum(value for value in cached if type(value) is int)
    found.update((name, value) for name, value in of_log.items() if value is not None)


def is_batched(record: Record) -> bool:
    """A record of the output of a batch job."""
    return {"recordId", "modelInput"} <= record.keys()


def unwrap_batched(record: Record) -> Record:
    """One record of a batch job, which holds both sides; its body may name the model."""
    found = _request(_object(record.get("modelInput")))
    found.update(_answer(record.get("modelOutput"), is_stream=False))
    found.update(request_id=record["recordId"], provider="aws", service_tier="batch")
    if record.get("error"):
        found.update(status="error", error_type=str(_object(record["error"]).get("errorCode", "error")))
    return found


FORMATS = (
    LogFormat(
        name="bedrock",
        title="AWS Bedrock model invocation logs (S3 files, or exports of CloudWatch)",
        signature=is_invocation,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        cached_in_input=False,
        carries=("text", "time", "latency", "cache", "user"),
    ),
    LogFormat(
        name="bedrock_batch",
        title="AWS Bedrock batch job outputs",
        signature=is_batched,
        unwrap=unwrap_batched,
        columns=identity_columns(),
        carries=("text", "cache"),
    ),
)
