"""Calls told by the telemetry of coding agents, and spans under the names of other tools."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.formats.test_variants import counts_of, written
from tests.support import was_read

Row = dict[str, Any]
START_S = 1_746_532_800
GEMINI = {
    "session.id": "s1", "event.name": "gemini_cli.api_response", "event.timestamp": "2025-05-06T12:00:02.000Z",
    "model": "gemini-2.5-pro", "duration_ms": 1500, "status_code": 200, "input_token_count": 100,
    "output_token_count": 20, "cached_content_token_count": 30, "thoughts_token_count": 7, "tool_token_count": 0,
    "total_token_count": 127,
}  # fmt: skip
GEMINI_ERROR = {"session.id": "s1", "event.name": "gemini_cli.api_error", "model": "gemini-2.5", "status_code": 429,
                "event.timestamp": "2025-05-06T12:00:03.000Z", "error_message": "your quota is used up"}  # fmt: skip
CLAUDE = {
    "session.id": "s", "event.name": "api_request", "event.timestamp": "2025-05-06T12:00:02.000Z",
    "model": "claude-sonnet-4-20250514", "input_tokens": "10", "output_tokens": "20", "cache_read_tokens": "1000",
    "cache_creation_tokens": "500", "cost_usd": "0.0123", "duration_ms": "1500",
}  # fmt: skip
CODEX = {
    "event.name": "codex.sse_event", "event.kind": "response.completed", "event.timestamp": "2025-05-06T12:00:02.000Z",
    "conversation.id": "c", "model": "gpt-5-codex", "input_token_count": "1000", "output_token_count": "50",
    "cached_token_count": "600", "reasoning_token_count": "20", "tool_token_count": "1050",
}  # fmt: skip
QWEN = GEMINI | {"event.name": "qwen-code.api_response", "model": "qwen3-coder-plus", "total_token_count": 120}


def otlp_value(value: Any) -> Row:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def attributes(said: Row) -> list[Row]:
    return [{"key": name, "value": otlp_value(value)} for name, value in said.items()]


def log_request(*events: Row, service: str = "app") -> Row:
    records = [
        {"timeUnixNano": str((START_S + n) * 10**9), "body": {"stringValue": "x"}, "attributes": attributes(said)}
        for n, said in enumerate(events)
    ]
    resource = {"attributes": attributes({"service.name": service})}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "x"}, "logRecords": records}]}]}


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        ((GEMINI, GEMINI_ERROR), (2, 1, 1, 100, 30, 0, 27, 7)),
        ((CLAUDE, CLAUDE | {"event.name": "user_prompt"}), (1, 0, 0, 1510, 1000, 500, 20, 0)),
        ((CLAUDE | {"event.name": "api_error", "status_code": "529"},), (1, 1, 1, 0, 0, 0, 0, 0)),
        ((CODEX, CODEX | {"event.kind": "response.output_item.done"}), (1, 0, 0, 1000, 600, 0, 50, 20)),
        (({"event.name": "codex.api_request", "http.response.status_code": "200"}, CODEX),
         (1, 0, 0, 1000, 600, 0, 50, 20)),
        (({"event.name": "codex.api_request", "http.response.status_code": "429", "model": "gpt-5-codex"},),
         (1, 1, 1, 0, 0, 0, 0, 0)),
        ((QWEN,), (1, 0, 0, 100, 30, 0, 20, 7)),
    ],
    ids=("gemini", "claude", "claude error", "codex", "codex request", "codex error", "qwen"),
)  # fmt: skip
def test_the_events_of_an_agent(tmp_path: Path, events: tuple[Row, ...], counts: tuple[int, ...]) -> None:
    report = was_read(tmp_path, written(tmp_path / "t.jsonl", log_request(*events)))
    assert counts_of(report) == (*counts, 0)
    assert report.provenance["formats"] == ["otlp"]


def test_the_file_into_which_gemini_cli_writes_its_telemetry(tmp_path: Path) -> None:
    resource = {"attributes": {"service.name": "gemini-cli"}}
    twice = {"event.name": "gen_ai.client.inference.operation.details", "gen_ai.operation.name": "generate_content",
             "gen_ai.request.model": "gemini-2.5-pro", "gen_ai.usage.input_tokens": 100,
             "gen_ai.usage.output_tokens": 20}  # fmt: skip
    records = [
        {"hrTime": [START_S + n, 0], "resource": resource, "_body": "x", "attributes": said}
        for n, said in enumerate(({"event.name": "gemini_cli.config"}, GEMINI, twice, GEMINI_ERROR))
    ]
    records.append({"resource": resource, "scopeMetrics": [{"scope": {"name": "x"}, "metrics": []}]})
    log = tmp_path / "telemetry.log"
    log.write_text("\n".join(json.dumps(record, indent=2) for record in records), "utf-8")
    report = was_read(tmp_path, log)
    assert counts_of(report) == (2, 1, 1, 100, 30, 0, 27, 7, 0)
    assert report.totals["first_at"] == datetime(2025, 5, 6, 12, 0, 2)


CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 64}  # fmt: skip
AROUND = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
FAILED = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": "timeout"}
SPANS = ((1, None, AROUND), (2, 1, CALL), (3, 1, FAILED))
SPAN_COUNTS = (2, 1, 1, 100, 64, 0, 10, 0, 0)


def jaeger() -> Row:
    spans = [
        {"traceID": "a", "spanID": f"{n:016x}", "startTime": (START_S + n) * 10**6, "duration": 10**6,
         "references": [{"refType": "CHILD_OF", "spanID": f"{outer:016x}"}] if outer else [], "processID": "p1",
         "tags": [{"key": name, "type": "string", "value": value} for name, value in said.items()]}
        for n, outer, said in SPANS
    ]  # fmt: skip
    return {"data": [{"traceID": "a", "spans": spans, "processes": {"p1": {"serviceName": "shop"}}}], "total": 0}


def zipkin() -> list[Row]:
    return [
        {"traceId": "a", "id": f"{n:016x}", "parentId": outer and f"{outer:016x}", "duration": 10**6, "name": "x",
         "timestamp": (START_S + n) * 10**6, "tags": {name: str(value) for name, value in said.items()}}
        for n, outer, said in SPANS
    ]  # fmt: skip


def tempo() -> Row:
    spans = [
        {"traceId": "a", "spanId": f"{n:016x}", "parentSpanId": outer and f"{outer:016x}",
         "startTimeUnixNano": str((START_S + n) * 10**9), "endTimeUnixNano": str((START_S + n + 1) * 10**9),
         "attributes": attributes(said)}
        for n, outer, said in SPANS
    ]  # fmt: skip
    return {"batches": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]}


@pytest.mark.parametrize("document", [jaeger(), zipkin(), tempo()], ids=("jaeger", "zipkin", "tempo"))
def test_the_same_spans_out_of_another_store(tmp_path: Path, document: Any) -> None:
    log = tmp_path / "spans.json"
    log.write_text(json.dumps(document), "utf-8")
    report = was_read(tmp_path, log)
    assert counts_of(report) == SPAN_COUNTS
    assert report.totals["first_at"] == datetime(2025, 5, 6, 12, 0, 2)
    assert report.totals["latency_ms_p50"] == 1000


def test_attributes_that_are_objects_within_objects(tmp_path: Path) -> None:
    counts = {"prompt": 100, "completion": 10, "prompt_details": {"cache_read": 20}}
    said = {"openinference": {"span": {"kind": "LLM"}}, "llm": {"model_name": "gpt-4o", "token_count": counts}}
    span = {"context": {"trace_id": "a", "span_id": "b"}, "span_kind": "LLM", "start_time": "2025-05-06T12:00:01+00:00",
            "end_time": "2025-05-06T12:00:02+00:00", "status_code": "OK", "attributes": said}  # fmt: skip
    assert counts_of(was_read(tmp_path, written(tmp_path / "p.jsonl", span))) == (1, 0, 0, 100, 20, 0, 10, 0, 0)


def test_spans_of_datadog(tmp_path: Path) -> None:
    metrics = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110, "cache_read_input_tokens": 20}
    call = {"span_id": "2", "trace_id": "9", "parent_id": "1", "start_ns": START_S * 10**9, "duration": 10**9,
            "status": "ok", "meta": {"kind": "llm", "model_name": "gpt-4o", "model_provider": "openai"},
            "metrics": metrics}  # fmt: skip
    around = call | {"span_id": "1", "parent_id": "undefined", "meta": {"kind": "workflow"}}
    assert counts_of(was_read(tmp_path, written(tmp_path / "d.jsonl", around, call))) == (1, 0, 0, 100, 20, 0, 10, 0, 0)


def test_times_under_the_names_of_logfire(tmp_path: Path) -> None:
    row = {"trace_id": "a", "span_id": "b", "start_timestamp": "2025-05-06T12:00:01Z", "kind": "span",
           "end_timestamp": "2025-05-06T12:00:02Z", "attributes": CALL}  # fmt: skip
    totals = was_read(tmp_path, written(tmp_path / "l.jsonl", row)).totals
    assert (totals["first_at"], totals["latency_ms_p50"]) == (datetime(2025, 5, 6, 12, 0, 1), 1000)
