"""AWS Bedrock: its log of invocations, and the output of a batch job."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, iso, new_id, write_lines
from costctl.samples.traced import SYSTEM, Call, calls, uuid

_AWS_MODELS = (
    "amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
)  # fmt: skip


def write_bedrock(path: Path, rng: Random) -> Counts:
    """Converse, Claude's own body, and its stream; one call failed, one body was too large to be logged."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in calls(rng):
        lines.append(_invocation(rng, call))
        fresh = 0 if call.has_failed else call.known_input
        counts.request(
            None if call.has_failed else fresh, None if call.has_failed else call.output_tokens,
            cache_read=call.cache_read, cache_write=call.cache_write, is_error=call.has_failed,
        )  # fmt: skip
    lines += [lines[4], {"@timestamp": iso(call.started_at), "@message": dumps(lines[7])}]
    counts.other(merged=2)
    write_lines(path, lines)
    return counts


def _invocation(rng: Random, call: Call) -> Record:
    kind = call.number % 3
    stream = "Stream" if kind == 0 else "WithResponseStream" if kind == 2 else ""
    record: Record = {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": iso(call.started_at)[:19] + "Z",
        "accountId": "111122223333", "region": "us-east-1", "requestId": uuid(rng),
        "identity": {"arn": f"arn:aws:sts::111122223333:assumed-role/shop/{call.user}"},
        "operation": ("ConverseStream" if kind == 0 else f"InvokeModel{stream}"), "modelId": _AWS_MODELS[kind],
        "requestMetadata": {"team": "web"},
        "input": {"inputContentType": "application/json", "inputBodyJson": _asked(call, kind)},
    }  # fmt: skip
    if call.has_failed:
        return record | {"errorCode": "ThrottlingException"}
    fresh = call.known_input - call.cache_read - call.cache_write
    record["input"] |= {
        "inputTokenCount": fresh, "cacheReadInputTokenCount": call.cache_read,
        "cacheWriteInputTokenCount": call.cache_write,
    }  # fmt: skip
    record["output"] = {
        "outputContentType": "application/json", "outputBodyJson": _told(call, kind, fresh),
        "outputTokenCount": call.output_tokens,
    }  # fmt: skip
    if call.number == 7:
        del record["output"]["outputBodyJson"]
        record["output"]["outputBodyS3Path"] = "s3://logs/data/output.json.gz"
    return record


def _asked(call: Call, kind: int) -> Record:
    if kind == 0:
        return {
            "messages": [{"role": "user", "content": [{"text": call.question}]}], "system": [{"text": SYSTEM}],
            "inferenceConfig": {"maxTokens": 600, "temperature": 0.3},
        }  # fmt: skip
    return {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 600, "temperature": 0.3, "system": SYSTEM,
        "messages": [{"role": "user", "content": call.question}],
    }  # fmt: skip


def _told(call: Call, kind: int, fresh: int) -> Record | list[Record]:
    latency = round((call.ended_at - call.started_at).total_seconds() * 1000)
    if kind == 0:
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": call.answer}]}}, "stopReason": "end_turn",
            "metrics": {"latencyMs": latency},
            "usage": {"inputTokens": fresh, "outputTokens": call.output_tokens,
                      "totalTokens": call.known_input + call.known_output},
        }  # fmt: skip
    usage = {
        "input_tokens": fresh, "cache_read_input_tokens": call.cache_read,
        "cache_creation_input_tokens": call.cache_write,
    }  # fmt: skip
    message: Record = {"id": call.answer_id, "type": "message", "role": "assistant", "model": call.model}
    if kind == 1:
        return {
            **message, "content": [{"type": "text", "text": call.answer}], "stop_reason": "end_turn",
            "usage": usage | {"output_tokens": call.output_tokens},
        }  # fmt: skip
    return [
        {"type": "message_start", "message": {**message, "content": [], "usage": usage | {"output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": call.answer}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": call.output_tokens}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": fresh, "outputTokenCount": call.output_tokens, "invocationLatency": latency,
            "firstByteLatency": latency // 4}},
    ]  # fmt: skip


def write_bedrock_output(path: Path, rng: Random) -> Counts:
    """Both sides of each record of a Bedrock batch job; one failed."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in calls(rng):
        asked: Record = {
            "anthropic_version": "bedrock-2023-05-31", "max_tokens": 400,
            "messages": [{"role": "user", "content": [{"type": "text", "text": call.question}]}],
        }  # fmt: skip
        line: Record = {"recordId": f"CALL{call.number:07d}", "modelInput": asked}
        if call.has_failed:
            line["error"] = {"errorCode": 429, "errorMessage": "too many requests"}
        else:
            fresh = call.known_input - call.cache_read - call.cache_write
            line["modelOutput"] = {
                "id": new_id(rng, "msg_bdrk_01"), "type": "message", "model": "claude-3-5-haiku-20241022",
                "content": [{"type": "text", "text": call.answer}], "stop_reason": "end_turn",
                "usage": {
                    "input_tokens": fresh, "cache_read_input_tokens": call.cache_read,
                    "cache_creation_input_tokens": call.cache_write, "output_tokens": call.output_tokens,
                },
            }  # fmt: skip
        lines.append(line)
        counts.request(
            call.input_tokens, call.output_tokens, cache_read=call.cache_read, cache_write=call.cache_write,
            is_error=call.has_failed,
        )  # fmt: skip
    write_lines(path, lines)
    return counts
