"""Captures of calls: streams in every recorded form, failures, ids and what only the wrapper knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.formats.base import Record
from costctl.formats.captures import is_capture, unwrap
from tests.support import was_read

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hola"}]}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
CHAT = {"id": "c1", "object": "chat.completion", "created": 1772452800, "model": "gpt-4o-2024-08-06",
        "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": USAGE}  # fmt: skip
AZURE = {"url": "https://r.openai.azure.com/openai/deployments/mini/chat/completions?api-version=1", "body": {}}
GEMINI = {"url": "https://generativelanguage.googleapis.com/v1/models/gemini-2.5-flash:generateContent", "body": {}}


def chunk(**members: Any) -> Record:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1772452800, "model": "gpt-4o-2024-08-06"}
    return {**head, **members}


def said(delta: Record, finish: str | None = None) -> list[Record]:
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


CHUNKS = [
    chunk(choices=said({"content": "ho"})),
    chunk(choices=said({"content": "la", "tool_calls": [{"index": 0, "id": "a"}]})),
    chunk(choices=said({"tool_calls": [{"index": 0}, {"index": 1, "id": "b"}]})),
    chunk(choices=said({}, "tool_calls")),
    chunk(choices=[], usage=USAGE),
]
EVENTS = [
    {"type": "message_start", "message": {"id": "m", "type": "message", "model": "claude-sonnet-4-5", "content": [],
                                          "usage": {"input_tokens": 10, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]  # fmt: skip


def sse(events: list[Record], start: str = "") -> str:
    return start + "".join(f"event: x\r\ndata: {json.dumps(event)}\r\n\r\n" for event in events) + "data: [DONE]\n"


def captured(response: Any, request: Any = ASKED, **around: Any) -> Record:
    record = {"request": request, "response": response, "timestamp": "2026-03-02T12:00:00Z", **around}
    assert is_capture(record)
    found = unwrap(record)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("events", [CHUNKS, EVENTS], ids=["openai", "anthropic"])
@pytest.mark.parametrize(
    "recorded",
    [
        lambda events: events,
        lambda events: {"status": 200, "body": events},
        lambda events: {"status": 200, "body": json.dumps(events)},
        lambda events: {"status": 200, "body": sse(events)},
        lambda events: sse(events, ": OPENROUTER PROCESSING\n\n"),
        lambda events: sse(events, "id: 1\n"),
        lambda events: sse(events, "retry: 3000\n"),
    ],
)
def test_a_stream_in_every_recorded_form(events: list[Record], recorded: Any) -> None:
    found = captured(recorded(events))
    assert (found["input_tokens"], found["output_tokens"]) == (10, 5)
    assert found["tool_calls"] == (2 if events is CHUNKS else 1)
    assert found["finish_reason"] == ("tool_calls" if events is CHUNKS else "tool_use")
    assert found.get("response_text") == ("hola" if events is CHUNKS else None)


def test_groq_sends_its_usage_apart() -> None:
    found = captured(sse([CHUNKS[0], chunk(choices=said({}, "stop"), x_groq={"usage": USAGE})]))
    assert (found["input_tokens"], found["output_tokens"], found["finish_reason"]) == (10, 5, "stop")


RESPONSE = {"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress"}}


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([CHUNKS[0], {"error": {"message": "x", "type": "server_error"}}], "server_error"),
        ([EVENTS[0], {"type": "error", "error": {"type": "overloaded_error"}}], "overloaded_error"),
        ([RESPONSE, {"type": "error", "code": "rate_limit_exceeded", "message": "x"}], "rate_limit_exceeded"),
    ],
)
def test_an_error_inside_a_stream_of_status_200(events: list[Record], kind: str) -> None:
    found = captured({"status": 200, "body": sse(events)})
    assert (found["status"], found["error_type"], found["http_status"]) == ("error", kind, 200)


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "message_start", "message": {"usage": None}}, {"type": "message_delta", "usage": {"a": 1}}],
        [{"type": "message_start", "message": {"usage": [1]}}, {"type": "message_delta", "usage": [1], "delta": "x"}],
        [chunk(choices={}), chunk(choices=[1], usage=[1]), chunk(choices=said({"tool_calls": [1, {"index": []}]}))],
        [{"object": []}, {"object": {}, "type": []}, {"type": "content_block_delta", "delta": 1}, 5, None, "x"],
    ],
)
def test_odd_events_are_no_crash(events: list[Any]) -> None:
    found = unwrap({"request": ASKED, "response": {"status": 200, "body": events}})
    assert isinstance(found, dict)
    assert found["request_model"] == "gpt-4o"


def test_a_call_that_never_got_an_answer() -> None:
    found = captured(None, error="ConnectTimeout", request_id="web-1")
    assert (found["status"], found["error_type"], found["http_status"]) == ("error", "ConnectTimeout", None)
    assert (found["request_model"], found["request_id"], found["trace_id"]) == ("gpt-4o", "web-1", "web-1")
    assert "dedupe_key" not in found


@pytest.mark.parametrize(("asked", "model"), [(AZURE, "mini"), (GEMINI, "gemini-2.5-flash")])
def test_the_model_stands_in_the_url(asked: Record, model: str) -> None:
    found = captured({"status": 429, "body": {"error": {"code": "429", "message": "x"}}}, asked)
    assert (found["request_model"], found["status"], found["error_type"]) == (model, "error", "429")
    assert captured(CHAT, asked)["request_model"] == model
    assert captured(CHAT, {**asked, "url": "http://[bad"}).get("endpoint") is None


def test_two_calls_of_one_web_request_are_two_requests() -> None:
    one = captured(CHAT, request_id="web-1")
    other = captured({**CHAT, "id": "c2"}, request_id="web-1")
    assert (one["request_id"], other["request_id"]) == ("c1", "c2")
    assert (one["dedupe_key"], other["dedupe_key"]) == ("c1:1772452800", "c2:1772452800")
    assert one["trace_id"] == other["trace_id"] == "web-1"
    assert captured(CHAT, request_id="web-1", trace_id="t")["trace_id"] == "t"
    assert unwrap(CHAT)["dedupe_key"] == one["dedupe_key"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("answered", "around", "status"),
    [
        ({"status": "500", "body": {}}, {}, 500),
        ({"statusCode": 503, "body": {}}, {}, 503),
        ({"status": True, "body": {}}, {"status_code": 502}, 502),
        ({"status": 200, "body": CHAT}, {}, 200),
    ],
)
def test_the_http_status(answered: Record, around: Record, status: int) -> None:
    found = captured(answered, **around)
    assert found["http_status"] == status
    assert found.get("status") == (None if status == 200 else "error")


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ({"latency_s": 1.5}, {"latency_s": 1.5}),
        ({"latency": 1.5}, {"latency_s": 1.5}),
        ({"latency": 1500}, {"latency_ms": 1500}),
        ({"latency": 9, "duration_ms": 9000}, {"latency_ms": 9000}),
        ({"end_time": "2026-03-02T12:00:01Z"}, {"ended_at": "2026-03-02T12:00:01Z"}),
        ({"ttft_ms": 200}, {"time_to_first_token_ms": 200}),
        ({"user": "ana"}, {"user_id": "ana"}),
        ({"timestamp": None, "end_time": "2026-03-02T12:00:01Z"}, {"started_at": "2026-03-02T12:00:01Z",
                                                                   "ts_basis": "end"}),
    ],
)  # fmt: skip
def test_what_only_the_wrapper_knows(around: Record, expected: Record) -> None:
    found = captured(CHAT, **around)
    assert {name: found.get(name) for name in expected} == expected
    assert sum(name in found for name in ("latency_s", "latency_ms")) <= 1


def test_both_sides_as_json_text() -> None:
    found = captured(json.dumps(CHAT), json.dumps(ASKED))
    assert (found["request_model"], found["input_tokens"]) == ("gpt-4o", 10)


def test_the_parameters_of_a_gemini_request() -> None:
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hola"}]}],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "generationConfig": {"temperature": 0.3, "maxOutputTokens": 55, "responseMimeType": "application/json"},
    }
    found = captured({"candidates": [], "usageMetadata": {"promptTokenCount": 9}}, {**GEMINI, "body": body})
    assert (found["temperature"], found["max_output_tokens"], found["response_format"]) == (0.3, 55, "json_object")
    assert found["system"] == [{"text": "be brief"}]


@pytest.mark.parametrize(
    "body",
    [{"error": {"message": "x", "type": "invalid_request_error", "param": None, "code": None}},
     {"type": "error", "error": {"type": "overloaded_error", "message": "x"}, "request_id": "req_1"},
     {"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}],
    ids=["openai", "anthropic", "google"],
)  # fmt: skip
def test_the_body_of_a_failure_alone(tmp_path: Path, body: Record) -> None:
    (tmp_path / "failed.json").write_text(json.dumps(body, indent=1), "utf-8")
    total = was_read(tmp_path, tmp_path / "failed.json").totals
    assert (total["request_count"], total["error_count"], total["unknown_usage_count"]) == (1, 1, 1)


def test_answers_that_only_their_usage_tells(tmp_path: Path) -> None:
    image = {"created": 1772452800, "data": [{"b64_json": "x"}],
             "usage": {"input_tokens": 50, "output_tokens": 40, "total_tokens": 90}}  # fmt: skip
    spoken = {"text": "hola", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}}
    converse = {"output": {}, "usage": {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 10}}
    checked = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}
    log = tmp_path / "log.jsonl"
    lines = [CHAT, image, spoken, checked, {"request": {"model": "us.amazon.nova-lite-v1:0"}, "response": converse}]
    log.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    total = was_read(tmp_path, log).totals
    assert (total["request_count"], total["ignored_count"], total["rejected_count"]) == (4, 1, 0)
    assert (total["input_tokens"], total["output_tokens"]) == (10 + 50 + 14 + 13, 5 + 40 + 45 + 4)


def test_a_wrapper_names_what_the_body_cannot_know() -> None:
    """Provider, batch, region, caller and cost that only the wrapper tells; what the body tells of itself stays."""
    around = {
        "provider": "azure", "service_tier": "batch", "region": "eu", "caller": "triage", "api_key_id": "key-1",
        "total_cost": "0.25", "currency": "EUR",
    }  # fmt: skip
    found = captured(CHAT, **around)
    assert {name: found[name] for name in ("provider", "service_tier", "region", "caller", "api_key_id")} == {
        name: around[name] for name in ("provider", "service_tier", "region", "caller", "api_key_id")
    }
    assert (found["logged_cost"], found["logged_currency"]) == ("0.25", "EUR")
    flex = captured({**CHAT, "service_tier": "default", "usage": {**USAGE, "cost": 0.5}}, service_tier="flex", cost=9)
    assert (flex["service_tier"], flex["logged_cost"]) == ("standard", 0.5)
    assert captured(CHAT, provider={"name": "x"}, cost={"total": 1})["provider"] == "openai"


def test_a_batch_of_another_seller_has_its_price(tmp_path: Path) -> None:
    """100,000 input tokens of Sonnet 4.5: $0.30 at Anthropic, $0.15 in a batch."""
    message = {"id": "m", "type": "message", "model": "claude-sonnet-4-5-20250929",
               "usage": {"input_tokens": 100_000, "output_tokens": 0}}  # fmt: skip
    for place, name, dollars in (({}, "a", "0.300000000000"), ({"service_tier": "batch"}, "b", "0.150000000000")):
        record = {"request": {"model": message["model"]}, "response": message, "ts": "2026-03-02T12:00:00Z", **place}
        log = tmp_path / f"{name}.jsonl"
        log.write_text(json.dumps(record), "utf-8")
        assert str(was_read(tmp_path, log, db=tmp_path / name / "c.duckdb").totals["list_cost_usd"]) == dollars
