"""Spans of a call in each dialect and each file form, and the spans that are no calls."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.queries import select
from tests.support import rows, was_read

TRACE, SPAN, PARENT = "ab93f93d0979063f613fe080a4912d0d", "8d4872cc98df78f9", "eb6a50ec2f70864f"
START, END = 1_795_291_490_942_189_609, 1_795_291_491_192_189_609  # a quarter of a second


def value(item: Any) -> dict[str, Any]:
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int):
        return {"intValue": str(item)}
    if isinstance(item, float):
        return {"doubleValue": item}
    if isinstance(item, list):
        return {"arrayValue": {"values": [value(one) for one in item]}}
    return {"stringValue": item}


def span(said: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE, "spanId": SPAN, "parentSpanId": PARENT, "name": "call", "kind": 3,
        "startTimeUnixNano": str(START), "endTimeUnixNano": str(END), "status": {"code": 1},
        "attributes": [{"key": name, "value": value(item)} for name, item in said.items()], **more,
    }  # fmt: skip


def request(*spans: dict[str, Any], service: str = "shop", scope: str = "lib") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def only(tmp_path: Path, *records: Any, name: str = "log.jsonl") -> dict[str, Any]:
    """The one request of a log."""
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    report = was_read(tmp_path, path)
    assert report.provenance["formats"] == ["otlp"]
    assert (report.totals["request_count"], report.totals["rejected_count"]) == (1, 0)
    table = select("SELECT * FROM request", tmp_path / "workspace" / "costctl.duckdb").tables["rows"]
    return dict(zip(table.columns, table.rows[0], strict=True))


COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_other_tokens", "reasoning_tokens")
GENAI = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.response.id": "msg_1",
         "gen_ai.request.model": "claude-sonnet-4-5"}  # fmt: skip
DIALECTS: list[tuple[str, dict[str, Any], tuple[int | None, ...]]] = [
    ("GenAI", GENAI | {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
                       "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.cache_creation.input_tokens": 50,
                       "gen_ai.usage.reasoning.output_tokens": 30}, (1000, 100, 400, 50, 30)),
    ("the Anthropic SDK", GENAI | {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
                                   "gen_ai.usage.cache_write.input_tokens": 50,
                                   "gen_ai.usage.cache_read.input_tokens": 0}, (1000, 100, 0, 50, None)),
    ("old OpenLLMetry", {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
                         "gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 100,
                         "llm.usage.total_tokens": 1100, "gen_ai.usage.cache_read_input_tokens": 400},
     (1000, 100, 400, None, None)),
    ("OpenInference", {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 1000,
                       "llm.token_count.completion": 100, "llm.token_count.prompt_details.cache_read": 400,
                       "llm.token_count.completion_details.reasoning": 30}, (1000, 100, 400, None, 30)),
    ("Vercel", {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-4o",
                "ai.model.provider": "openai.responses", "ai.usage.promptTokens": 1000,
                "ai.usage.completionTokens": 100, "ai.usage.cachedInputTokens": 400}, (1000, 100, 400, None, None)),
    ("cached tokens beside the input, told by the total",
     GENAI | {"gen_ai.usage.input_tokens": 550, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.total_tokens": 1100,
              "gen_ai.usage.cache_read_input_tokens": 450}, (1000, 100, 450, None, None)),
    ("more cached tokens than input",
     GENAI | {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 100,
              "gen_ai.usage.cache_read_input_tokens": 997}, (1000, 100, 997, None, None)),
    ("thoughts beside the output (Gemini), told by the total",
     GENAI | {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 70, "gen_ai.usage.total_tokens": 1100,
              "gen_ai.usage.reasoning_tokens": 30}, (1000, 100, None, None, 30)),
]  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), [case[1:] for case in DIALECTS], ids=[case[0] for case in DIALECTS])
def test_the_counts_of_each_dialect(tmp_path: Path, said: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    found = only(tmp_path, request(span(said)))
    assert tuple(found[name] for name in COUNTS) == expected


CALL = GENAI | {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def test_times_ids_and_names(tmp_path: Path) -> None:
    found = only(tmp_path, request(span(CALL | {"http.response.status_code": 200, "url.path": "/v1/messages"})))
    assert found["started_at"].isoformat() == "2026-11-21T20:04:50.942189"
    assert (found["latency_ms"], found["trace_id"], found["request_id"]) == (250.0, TRACE, "msg_1")
    assert (found["provider"], found["app"], found["endpoint"]) == ("anthropic", "shop", "/v1/messages")


def base64_ids(record: dict[str, Any]) -> dict[str, Any]:
    def packed(text: str) -> str:
        return base64.b64encode(bytes.fromhex(text)).decode()

    return record | {name: packed(record[name]) for name in ("traceId", "spanId", "parentSpanId")}


def test_ids_in_base64_are_the_same_ids(tmp_path: Path) -> None:
    """The same span exported twice, once with hex ids and names of enums, once as protobuf JSON writes it."""
    other = base64_ids(span(CALL)) | {"status": {"code": "STATUS_CODE_OK"}, "kind": "SPAN_KIND_CLIENT"}
    assert only(tmp_path, request(span(CALL)), request(other))["trace_id"] == TRACE


FORMS: dict[str, dict[str, Any]] = {
    "single span": span(CALL),
    "snake case": {
        "resource_spans": [{"scope_spans": [{"spans": [{
            "trace_id": TRACE, "span_id": SPAN, "start_time_unix_nano": START, "end_time_unix_nano": END,
            "name": "call", "attributes": [{"key": name, "value": {"string_value": item} if isinstance(item, str)
                                            else {"int_value": item}} for name, item in CALL.items()]}]}]}],
    },
    "console exporter": {
        "name": "call", "context": {"trace_id": f"0x{TRACE}", "span_id": f"0x{SPAN}", "trace_state": "[]"},
        "kind": "SpanKind.CLIENT", "parent_id": f"0x{PARENT}", "start_time": "2026-11-21T20:04:50.942189Z",
        "end_time": "2026-11-21T20:04:51.192189Z", "status": {"status_code": "OK"}, "attributes": CALL, "events": [],
        "resource": {"attributes": {"service.name": "shop"}},
    },
    "row of the collector's ClickHouse table": {
        "Timestamp": "2026-11-21 20:04:50.942189609", "TraceId": TRACE, "SpanId": SPAN, "ParentSpanId": PARENT,
        "SpanName": "call", "ServiceName": "shop", "Duration": 250_000_000, "StatusCode": "STATUS_CODE_OK",
        "SpanAttributes": {name: str(item) for name, item in CALL.items()},
    },
    "flat row": {
        "context.span_id": SPAN, "context.trace_id": TRACE, "parent_id": PARENT,
        "start_time": "2026-11-21T20:04:50.942189", "end_time": "2026-11-21T20:04:51.192189", "status_code": "OK",
        **{f"attributes.{name}": item for name, item in CALL.items()},
    },
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_span(tmp_path: Path, form: str) -> None:
    found = only(tmp_path, FORMS[form])
    assert (found["input_tokens"], found["output_tokens"], found["trace_id"], found["latency_ms"]) == (
        10,
        5,
        TRACE,
        250.0,
    )
    assert found["started_at"].isoformat() == "2026-11-21T20:04:50.942189"


def test_rows_of_a_backend_in_a_table(tmp_path: Path) -> None:
    row = FORMS["flat row"]
    path = tmp_path / "spans.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in (row.keys(), row.values())), "utf-8")
    report = was_read(tmp_path, path)
    assert report.provenance["formats"] == ["otlp"]
    assert (report.totals["input_tokens"], report.totals["rejected_count"]) == (10, 0)


def test_a_failed_span_knows_no_counts(tmp_path: Path) -> None:
    thrown = {
        "name": "exception",
        "attributes": [{"key": "exception.type", "value": {"stringValue": "openai.Timeout"}}],
    }
    said = {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "gpt-4o", "max_tokens": 7}',
            "llm.token_count.prompt": 0, "llm.token_count.completion": 0}  # fmt: skip
    found = only(tmp_path, request(span(said, status={"code": 2, "message": "secret"}, events=[thrown])))
    assert (found["status"], found["error_type"], found["usage_source"]) == ("error", "Timeout", "missing")
    assert (found["model"], found["max_output_tokens"], found["input_tokens"]) == ("gpt-4o", 7, None)


def test_the_first_token_of_a_stream(tmp_path: Path) -> None:
    event = {"name": "First Token Stream Event", "timeUnixNano": str(START + 40_000_000), "attributes": []}
    found = only(tmp_path, request(span(CALL, events=[event])))
    assert (found["time_to_first_token_ms"], found["stream"]) == (40.0, True)
    other = CALL | {"gen_ai.response.id": "msg_1", "gen_ai.response.time_to_first_chunk": 0.25}
    assert only(tmp_path, request(span(other)), name="other.jsonl")["time_to_first_token_ms"] == 250.0


def test_an_embedding_has_no_output(tmp_path: Path) -> None:
    said = {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "text-embedding-3-small",
            "llm.token_count.prompt": 7, "llm.token_count.total": 7}  # fmt: skip
    found = only(tmp_path, request(span(said)))
    assert (found["operation"], found["input_tokens"], found["output_tokens"]) == ("embeddings", 7, 0)


NO_CALLS = [
    {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 99, "gen_ai.usage.output_tokens": 9},
    {"gen_ai.operation.name": "execute_tool"},
    {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 99},
    {"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 99, "ai.model.id": "gpt-4o"},
    {"traceloop.span.kind": "workflow"},
    {"http.route": "/chat"},
]


def test_spans_that_are_no_calls_are_ignored_by_kind(tmp_path: Path) -> None:
    others = [span(said, spanId=f"{n:016x}") for n, said in enumerate(NO_CALLS, 1)]
    path = tmp_path / "log.jsonl"
    metrics = {"resourceMetrics": [{"scopeMetrics": []}]}
    path.write_text("\n".join(map(json.dumps, (request(span(CALL), *others), metrics))), "utf-8")
    report = was_read(tmp_path, path)
    total = report.totals
    assert (total["request_count"], total["ignored_count"], total["input_tokens"]) == (1, 7, 10)
    assert "span: invoke_agent" in {row["kind"] for row in rows(report, "ignored")}
    assert (total["records_read_count"], total["lines_read_count"]) == (8, 2)


def test_an_event_that_tells_of_the_call_of_its_span_is_the_same_call(tmp_path: Path) -> None:
    event = {
        "timeUnixNano": str(END), "traceId": TRACE, "spanId": SPAN,
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": [{"key": name, "value": value(item)} for name, item in CALL.items()],
    }  # fmt: skip
    message = {"eventName": "gen_ai.user.message", "traceId": TRACE, "spanId": SPAN, "body": {}}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [event, message]}]}]}
    assert only(tmp_path, request(span(CALL)), logs)["latency_ms"] == 250.0


TEXTS: list[dict[str, Any]] = [
    {
        "gen_ai.system_instructions": '[{"type": "text", "content": "Be nice."}]',
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hola"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Hi!"}, '
        '{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}]}]',
        "gen_ai.tool.definitions": '[{"name": "f"}, {"name": "g"}]',
    },
    {
        "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be nice.", "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Hola", "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "Hi!", "gen_ai.completion.0.tool_calls.0.name": "f",
        "llm.request.functions.0.name": "f",
        "llm.request.functions.0.parameters": "{}", "llm.request.functions.1.name": "g",
    },
    {
        "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "Be nice.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.type": "text",
        "llm.input_messages.1.message.contents.0.message_content.text": "Hola",
        "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "Hi!",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
        "llm.tools.0.tool.json_schema": "{}", "llm.tools.1.tool.json_schema": "{}",
    },
    {
        "ai.prompt.messages": '[{"role": "system", "content": "Be nice."}, '
        '{"role": "user", "content": [{"type": "text", "text": "Hola"}]}]',
        "ai.response.text": "Hi!", "ai.response.toolCalls": '[{"toolName": "f"}]', "ai.prompt.tools": ["{}", "{}"],
    },
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_the_text_of_each_dialect_is_measured_and_not_kept(tmp_path: Path, number: int) -> None:
    found = only(tmp_path, request(span(CALL | TEXTS[number])))
    said = (found["system_chars"], found["user_chars"], found["turn_count"], found["response_chars"])
    assert said == (8, 4, 1, 3)
    assert (found["tool_calls"], found["tool_count"]) == (1, 2)
    content = b"".join(path.read_bytes() for path in (tmp_path / "workspace").rglob("*") if path.is_file())
    assert b"Hola" not in content
    assert b"Be nice" not in content


def test_the_same_prompt_has_one_key_in_every_dialect(tmp_path: Path) -> None:
    said = [span(CALL | text | {"gen_ai.response.id": f"m{n}"}, spanId=f"{n + 1:016x}") for n, text in enumerate(TEXTS)]
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(request(*said)), "utf-8")
    was_read(tmp_path, path)
    table = select(
        "SELECT count(DISTINCT prompt_key), count(*) FROM request", tmp_path / "workspace" / "costctl.duckdb"
    )
    distinct, count = table.tables["rows"].rows[0]
    assert (distinct, count) == (1, 4)


def test_an_outer_span_says_who_asked(tmp_path: Path) -> None:
    outer = span({"user.id": "u1", "session.id": "s1"}, spanId=PARENT, parentSpanId="")
    found = only(tmp_path, request(outer, span(CALL)))
    assert (found["user_id"], found["session_id"]) == ("u1", "s1")


def test_a_cut_export_request_keeps_its_whole_spans(tmp_path: Path) -> None:
    spans = [span(CALL | {"gen_ai.response.id": f"m{n}"}, spanId=f"{n + 1:016x}") for n in range(4)]
    text = json.dumps(request(*spans), indent=1)
    path = tmp_path / "cut.json"
    path.write_text(text[: text.rindex("gen_ai.usage.output_tokens")], "utf-8")
    total = was_read(tmp_path, path).totals
    assert (total["request_count"], total["rejected_count"], total["input_tokens"]) == (3, 1, 30)


AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o",
         "gen_ai.usage.input_tokens": 5000, "gen_ai.usage.output_tokens": 100}  # fmt: skip


def agents_told(tmp_path: Path, *spans: dict[str, Any], folder: str = "one") -> list[str]:
    """What W139 says of a log with these spans, one a line in one file each."""
    place = tmp_path / folder
    place.mkdir()
    for number, one in enumerate(spans):
        (place / f"{number}.jsonl").write_text(json.dumps(request(one)), "utf-8")
    return [one.message for one in was_read(tmp_path, place).warnings if one.code == "W139"]


def test_tokens_that_only_an_agent_counts_are_told(tmp_path: Path) -> None:
    """Two agents, one within the other, and a call of another trace: 5,000 and 100 tokens stand in no request."""
    inner = span(AGENT, spanId="00000000000000b2", parentSpanId="00000000000000b1")
    outer = span(AGENT, spanId="00000000000000b1")
    other = span(CALL, traceId="0" * 31 + "7", spanId="00000000000000c1")
    assert agents_told(tmp_path, outer, inner, other) == [
        "1 span that is no call of a model counts 5,000 input and 100 output tokens, and no call in the same trace "
        "counts any: left out"
    ]


def test_tokens_of_an_agent_whose_calls_are_in_the_log_are_theirs(tmp_path: Path) -> None:
    """The call may lie in another file, and an agent without counts is told nothing."""
    agent = span(AGENT, spanId="00000000000000b1")
    assert agents_told(tmp_path, agent, span(CALL)) == []
    bare = span({"gen_ai.operation.name": "invoke_agent"}, spanId="00000000000000b1")
    other = span(CALL, traceId="0" * 31 + "7", spanId="00000000000000c1")
    assert agents_told(tmp_path, bare, other, folder="two") == []
