"""Answers of Gemini and Vertex: counts, streams, batch jobs, the table of Vertex."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.formats.base import Ignored, Record, Rejected
from costctl.formats.content import turn
from costctl.formats.detect import recognise
from costctl.formats.gemini import is_gemini_record, is_vertex_log, unwrap, unwrap_vertex_log
from costctl.formats.sources import Source
from costctl.formats.usage import read_usage

USAGE = {"promptTokenCount": 32, "candidatesTokenCount": 103, "thoughtsTokenCount": 341, "toolUsePromptTokenCount": 720}


def chunk(text: str, thought: bool = False, **members: Any) -> Record:
    return {"candidates": [{"content": {"parts": [{"text": text, "thought": thought}]}}], **members}


def read(record: Record) -> Record:
    assert is_gemini_record(record)
    found = unwrap(record)
    assert isinstance(found, dict)
    return found


def test_tool_prompts_are_input_and_thoughts_are_output() -> None:
    found = read({"usageMetadata": {**USAGE, "totalTokenCount": 1196}})
    assert (found["input_tokens"], found["output_tokens"], found["reasoning_tokens"]) == (752, 444, 341)


def test_the_last_counts_of_a_stream_stand_and_its_texts_are_joined() -> None:
    events = [
        chunk("hm", thought=True, usageMetadata={"promptTokenCount": 10_103}, responseId="r"),
        chunk("Buenos ", usageMetadata={"promptTokenCount": 7_168, "candidatesTokenCount": 1}),
        chunk("dias"),
        {
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 7_168, "candidatesTokenCount": 4},
        },
    ]
    found = read({"method": "generateContentStream", "response": events})
    assert (found["input_tokens"], found["output_tokens"]) == (7168, 4)
    assert (found["response_text"].replace("\n", ""), found["finish_reason"]) == ("Buenos dias", "STOP")
    assert found["request_id"] == "r"


def test_a_refused_prompt_says_why_it_ended() -> None:
    assert read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}})["finish_reason"] == "SAFETY"


def test_modalities_may_be_numbers() -> None:
    details = [{"modality": 1, "tokenCount": 5}, {"modality": 4, "tokenCount": 7}]
    found = read_usage({"promptTokenCount": 12, "promptTokensDetails": details})
    assert found["input_audio_tokens"] == 7


def test_what_a_function_answered_is_no_question() -> None:
    part = {"functionResponse": {"name": "f", "response": {"result": "42"}}}
    assert turn({"role": "user", "parts": [part]})[0] != "user"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"key": "a", "error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, "RESOURCE_EXHAUSTED"),
        (
            {"request": {}, "status": "Bad Request: x", "response": {}, "processed_time": "2026-06-11T00:00:00Z"},
            "error",
        ),
    ],
)
def test_failures_of_batch_jobs(line: Record, kind: str) -> None:
    found = read(line)
    assert (found["status"], found["service_tier"]) == ("error", "batch")
    assert found["error_type"] in (kind, "Bad Request")


def test_an_answer_of_a_batch_job_has_the_batch_price() -> None:
    answer = {"usageMetadata": USAGE, "modelVersion": "gemini-2.5-flash"}
    found = read({"request": {"contents": []}, "response": answer, "processed_time": "2026-06-11T00:00:00Z"})
    assert (found["service_tier"], found["ts_basis"], found["output_tokens"]) == ("batch", "end", 444)


def test_what_counts_no_tokens_is_no_request() -> None:
    assert isinstance(unwrap({"method": "countTokens", "response": {"totalTokens": 3}}), Ignored)
    assert isinstance(unwrap({"method": "generateContent", "response": "?"}), Rejected)


def test_vertex_logs_the_calls_of_other_makers_too() -> None:
    body = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5-20250929", "content": [],
            "usage": {"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 2}}  # fmt: skip
    row: Record = {
        "full_request": json.dumps({"messages": [{"role": "user", "content": "x"}]}), "full_response": json.dumps(body),
        "logging_time": "2026-06-11T00:00:00Z", "request_id": 5, "endpoint": "projects/1/locations/us-east5/e/2",
        "api_method": "streamRawPredict",
    }  # fmt: skip
    assert is_vertex_log(row)
    found = unwrap_vertex_log(row)
    assert isinstance(found, dict)
    assert (found["input_tokens"], found["provider"], found["region"]) == (43, "anthropic", "us-east5")
    assert found["stream"] is True


def test_a_folder_of_bare_answers_is_recognised(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    log.write_text(json.dumps({"usageMetadata": USAGE, "candidates": []}) + "\n", "utf-8")
    assert recognise(Source(log, "a", True)).name == "gemini"
