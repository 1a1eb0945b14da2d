"""Bedrock's log: counts beside one another, bodies of any maker or none, exports of CloudWatch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.formats.base import Ignored, Record, Rejected
from costctl.formats.bedrock import is_invocation, unwrap, unwrap_batched
from tests.support import was_read


def invocation(asked: Record, answered: Record, **members: Any) -> Record:
    return {
        "schemaType": "ModelInvocationLog", "timestamp": "2026-06-11T10:00:00Z", "requestId": "r",
        "region": "eu-west-1",
        "operation": "InvokeModel", "modelId": "anthropic.claude-sonnet-4-20250514-v1:0", "input": asked,
        "output": answered, **members,
    }  # fmt: skip


def one(record: Record) -> Record:
    assert is_invocation(record)
    (found,) = unwrap(record)
    assert isinstance(found, dict)
    return found


COUNTED = {"inputTokenCount": 3, "cacheWriteInputTokenCount": 25_037, "cacheReadInputTokenCount": 0}


def test_counts_are_there_without_bodies() -> None:
    asked = COUNTED | {"inputBodyS3Path": "s3://b/in.json.gz"}
    found = one(invocation(asked, {"outputTokenCount": 9, "outputBodyS3Path": "s3://b/out.json.gz"}))
    assert (found["input_tokens"], found["cache_write_tokens"], found["output_tokens"]) == (3, 25_037, 9)
    assert (found["ts_basis"], found["region"]) == ("logged", "eu-west-1")


def test_a_body_splits_the_writes_and_does_not_name_the_model() -> None:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 25_037, "output_tokens": 9,
             "cache_creation": {"ephemeral_5m_input_tokens": 37, "ephemeral_1h_input_tokens": 25_000}}  # fmt: skip
    body = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-20250514", "content": [], "usage": usage}
    found = one(invocation(COUNTED, {"outputTokenCount": 9, "outputBodyJson": body}))
    assert (found["cache_write_5m_tokens"], found["cache_write_1h_tokens"]) == (37, 25_000)
    assert "response_model" not in found
    arn = "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc"
    assert one(invocation(COUNTED, {"outputBodyJson": body}, modelId=arn))["response_model"] == body["model"]


def test_a_stream_of_converse() -> None:
    events = [
        {"messageStart": {"role": "assistant"}}, {"contentBlockDelta": {"delta": {"text": "Buenos "}}},
        {"contentBlockDelta": {"delta": {"text": "dias"}}},
        {"contentBlockStart": {"start": {"toolUse": {"name": "f"}}}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": {"inputTokens": 4, "outputTokens": 38}, "metrics": {"latencyMs": 302}}},
    ]  # fmt: skip
    found = one(invocation({}, {"outputBodyJson": events}, operation="ConverseStream"))
    assert (found["response_text"], found["tool_calls"], found["finish_reason"]) == ("Buenos dias", 1, "tool_use")
    assert (found["input_tokens"], found["output_tokens"], found["latency_ms"]) == (4, 38, 302)
    assert found["stream"] is True


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"results": [{"outputText": "a", "completionReason": "FINISH"}]}, "a"),
        ({"generation": "b", "stop_reason": "stop"}, "b"),
        ({"outputs": [{"text": "c", "stop_reason": "stop"}]}, "c"),
    ],
)
def test_bodies_of_other_makers(body: Record, text: str) -> None:
    found = one(invocation({"inputTokenCount": 1}, {"outputTokenCount": 2, "outputBodyJson": body}))
    assert (found["response_text"], found["input_tokens"], found["output_tokens"]) == (text, 1, 2)
    assert found["finish_reason"]


def test_a_failed_call_has_no_counts() -> None:
    found = one(invocation({"inputBodyJson": {"inputText": "hola"}}, {}, errorCode="ThrottlingException"))
    assert (found["status"], found["error_type"]) == ("error", "ThrottlingException")
    assert found.get("input_tokens") is None
    assert found["messages"] == "hola"


def test_exports_of_cloudwatch_hold_records_as_text() -> None:
    text = json.dumps(invocation(COUNTED, {"outputTokenCount": 9}))
    rows = [[{"field": "@timestamp", "value": "x"}, {"field": "@message", "value": text}]] * 2
    for record in ({"results": rows}, {"events": [{"message": text}, {"message": text}]}):
        assert is_invocation(record)
        assert [item["request_id"] for item in unwrap(record) if isinstance(item, dict)] == ["r", "r"]
    assert one({"@message": text})["output_tokens"] == 9


def test_what_else_cloudwatch_holds() -> None:
    told = unwrap(
        {"results": [{"@message": "START"}, {"@message": '{"modelId": "a", "requestId":'}, {"@message": "{}"}]}
    )
    assert [type(item) for item in told] == [Ignored, Rejected, Ignored]
    assert isinstance(unwrap({"results": []})[0], Ignored)


def test_the_caller_is_told_without_the_account() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/app/i-0abc"
    for identity in ({"arn": arn}, [{"arn": arn}], arn):
        assert one(invocation(COUNTED, {}, identity=identity))["user_id"] == "assumed-role/app/i-0abc"


def test_a_batch_job_counts_what_was_cached_once() -> None:
    body = {"type": "message", "model": "claude-3-5-haiku-20241022", "content": [],
            "usage": {"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 2}}  # fmt: skip
    found = unwrap_batched({"recordId": "A1", "modelInput": {"messages": []}, "modelOutput": body})
    assert (found["input_tokens"], found["cache_read_tokens"], found["service_tier"]) == (43, 40, "batch")
    failed = unwrap_batched({"recordId": "A2", "modelInput": {}, "error": {"errorCode": 429, "errorMessage": "no"}})
    assert (failed["status"], failed["error_type"]) == ("error", "429")


@pytest.mark.parametrize(
    ("output", "counts"),
    [({"inputTextTokenCount": 5, "results": [{"tokenCount": 4}, {"tokenCount": 5}]}, (5, 9)),
     ({"generation": "x", "prompt_token_count": 6, "generation_token_count": 8}, (6, 8)),
     ({"embedding": [0.5], "inputTextTokenCount": 3}, (3, 0)), ({"outputs": [{"text": "x"}]}, (None, None))],
)  # fmt: skip
def test_counts_as_titan_and_llama_name_them(output: Record, counts: tuple[int | None, int | None]) -> None:
    found = unwrap_batched({"recordId": "A1", "modelInput": {"prompt": "hola"}, "modelOutput": output})
    assert (found.get("input_tokens"), found.get("output_tokens")) == counts


def test_a_record_of_a_batch_job_that_counts_nothing_is_a_request(tmp_path: Path) -> None:
    log = tmp_path / "out.jsonl"
    mistral = {"recordId": "A1", "modelInput": {"prompt": "hola"}, "modelOutput": {"outputs": [{"text": "x"}]}}
    log.write_text(json.dumps(mistral), "utf-8")
    total = was_read(tmp_path, log).totals
    assert (total["request_count"], total["unknown_usage_count"], total["rejected_count"]) == (1, 1, 0)


def test_counts_that_stand_only_in_the_metrics_of_a_stream() -> None:
    metrics = {"inputTokenCount": 3, "outputTokenCount": 7, "cacheReadInputTokenCount": 10, "invocationLatency": 900,
               "cacheWriteInputTokenCount": 20, "firstByteLatency": 300}  # fmt: skip
    events = [{"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}]
    found = one(invocation({}, {"outputBodyJson": events}, operation="InvokeModelWithResponseStream"))
    assert (found["input_tokens"], found["output_tokens"], found["cache_read_tokens"]) == (3, 7, 10)
    assert (found["cache_write_tokens"], found["latency_ms"], found["time_to_first_token_ms"]) == (20, 900, 300)
    chunks = [{"generation": "a", "prompt_token_count": 6, "generation_token_count": 1}, {"generation_token_count": 8}]
    found = one(invocation({}, {"outputBodyJson": chunks}, operation="InvokeModelWithResponseStream"))
    assert (found["input_tokens"], found["output_tokens"]) == (6, 8)
