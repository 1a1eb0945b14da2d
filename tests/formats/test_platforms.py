"""MLflow, Weave and Braintrust: which of their records are calls, and what these say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.queries import select
from tests.support import was_read


def read(tmp_path: Path, kind: str, *records: Any) -> list[dict[str, Any]]:
    """The calls of a log of that format."""
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    report = was_read(tmp_path, path)
    assert report.provenance["formats"] == [kind]
    assert report.totals["rejected_count"] == 0
    table = select("SELECT * FROM request ORDER BY started_at", tmp_path / "workspace" / "costctl.duckdb").tables[
        "rows"
    ]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


START_NS = 1_772_445_600_250_000_000
SAID = {
    "started_at": "2026-03-02 10:00:00.250000", "latency_ms": "750.0", "request_model": "gpt-4o",
    "session_id": "s1", "user_id": "u1", "prompt_chars": "4", "response_chars": "3", "status": "ok",
    "input_tokens": "1000", "output_tokens": "100", "cache_read_tokens": "400", "reasoning_tokens": "30",
}  # fmt: skip
MESSAGES = [{"role": "user", "content": "Hola"}]
ANSWER = {"model": "gpt-4o-2024-08-06", "choices": [{"message": {"role": "assistant", "content": "Hi!"}}]}
BODY_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
              "prompt_tokens_details": {"cached_tokens": 400},
              "completion_tokens_details": {"reasoning_tokens": 30}}  # fmt: skip


def says(found: dict[str, Any], **more: str) -> bool:
    expected = SAID | more
    return {name: str(found[name]) for name in expected} == expected


def mlflow_span(kind: str = "CHAT_MODEL", **more: Any) -> dict[str, Any]:
    said = {
        "mlflow.spanType": kind, "mlflow.spanInputs": {"model": "gpt-4o", "messages": MESSAGES},
        "mlflow.spanOutputs": ANSWER | {"usage": BODY_USAGE}, "mlflow.llm.cost": {"total_cost": 0.001},
        "mlflow.chat.tokenUsage": {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100,
                                   "cache_read_input_tokens": 400},
    }  # fmt: skip
    return {
        "trace_id": "q5P5PQl5Bj+hP+CApJEtDQ==", "span_id": "jUhyzJjfePk=", "parent_span_id": None, "name": "call",
        "start_time_unix_nano": START_NS, "end_time_unix_nano": START_NS + 750_000_000, "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {name: json.dumps(one) for name, one in said.items()}, **more,
    }  # fmt: skip


def mlflow_trace(*spans: dict[str, Any]) -> dict[str, Any]:
    metadata = {"mlflow.trace.session": "s1", "mlflow.trace.user": "u1"}
    return {"info": {"trace_id": "tr-1", "trace_metadata": metadata}, "data": {"spans": list(spans)}}


def test_an_mlflow_trace(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "mlflow", mlflow_trace(mlflow_span("AGENT", span_id="AAAAAAAAAAE="), mlflow_span()))
    assert says(found, logged_cost="0.001000000000", trace_id="ab93f93d0979063fa13fe080a4912d0d")


def test_an_mlflow_span_of_the_older_shape(tmp_path: Path) -> None:
    old = {
        "name": "call", "context": {"span_id": "0x8d4872cc98df78f9", "trace_id": "0xab93"}, "parent_id": None,
        "start_time": START_NS, "end_time": START_NS + 750_000_000, "status_code": "OK", "status_message": "",
        "attributes": mlflow_span()["attributes"], "events": [],
    }  # fmt: skip
    info = {"request_id": "r1", "request_metadata": {"mlflow.trace.session": "s1", "mlflow.trace.user": "u1"}}
    (found,) = read(tmp_path, "mlflow", {"info": info, "data": {"spans": [old]}})
    assert says(found)


def test_mlflow_traces_of_a_table(tmp_path: Path) -> None:
    trace = mlflow_trace(mlflow_span())
    row = {"trace_id": "tr-1", "trace": json.dumps(trace), "state": "OK", "spans": "[{'trace_id': not JSON}]"}
    assert says(read(tmp_path, "mlflow", row)[0])


def test_an_mlflow_stream_and_a_failure(tmp_path: Path) -> None:
    event = {"name": "mlflow.chunk.item.0", "time_unix_nano": START_NS + 40_000_000, "attributes": {}}
    thrown = {"name": "exception", "time_unix_nano": START_NS, "attributes": {"exception.type": "openai.Timeout"}}
    said = {name: one for name, one in mlflow_span()["attributes"].items() if "Usage" not in name and "Out" not in name}
    failed = mlflow_span(span_id="AAAAAAAAAAE=", status={"code": "STATUS_CODE_ERROR"}, events=[thrown], attributes=said,
                         start_time_unix_nano=START_NS + 1000)  # fmt: skip
    first, second = read(tmp_path, "mlflow", mlflow_trace(mlflow_span(events=[event]), failed))
    assert (first["stream"], first["time_to_first_token_ms"]) == (True, 40.0)
    assert (second["status"], second["error_type"], second["usage_source"]) == ("error", "Timeout", "missing")


def test_one_call_of_two_libraries_in_mlflow_is_one(tmp_path: Path) -> None:
    inner = mlflow_span(span_id="AAAAAAAAAAE=", parent_span_id="jUhyzJjfePk=")
    assert len(read(tmp_path, "mlflow", mlflow_trace(mlflow_span(), inner))) == 1


def weave_call(name: str = "openai.chat.completions.create", **more: Any) -> dict[str, Any]:
    return {
        "id": "c1", "project_id": "acme/shop", "op_name": f"weave:///acme/shop/op/{name}:abc", "trace_id": "t1",
        "parent_id": None, "thread_id": "s1", "started_at": "2026-03-02T10:00:00.250Z", "wb_user_id": "u1",
        "ended_at": "2026-03-02T10:00:01.000Z", "exception": None, "inputs": {"model": "gpt-4o", "messages": MESSAGES},
        "output": ANSWER | {"usage": BODY_USAGE},
        "summary": {"usage": {"gpt-4o-2024-08-06": {"requests": 1, **BODY_USAGE}}}, **more,
    }  # fmt: skip


def test_a_weave_call_within_an_op_that_sums_it_up(tmp_path: Path) -> None:
    outer = weave_call("ask", id="o", output="Hi!", inputs={"question": "x"})
    costs = {"gpt-4o-2024-08-06": {"prompt_tokens_total_cost": 0.001, "completion_tokens_total_cost": 0.0005}}
    inner = weave_call(parent_id="o")
    inner["summary"] = inner["summary"] | {"weave": {"costs": costs}}
    (found,) = read(tmp_path, "weave", outer, inner)
    assert says(found, logged_cost="0.001500000000", provider="openai", project="acme/shop")


def test_a_weave_op_that_sums_two_calls_is_none(tmp_path: Path) -> None:
    usage = {"usage": {"gpt-4o": {"requests": 2, "prompt_tokens": 20, "completion_tokens": 10}}}
    both = [weave_call(id=name, parent_id="o", started_at=f"2026-03-02T10:00:0{n}Z") for n, name in enumerate("ab")]
    found = read(tmp_path, "weave", weave_call("ask", id="o", output=None, inputs={}, summary=usage), *both)
    assert [row["input_tokens"] for row in found] == [1000, 1000]


def test_an_anthropic_usage_in_weave_counts_cached_tokens_beside(tmp_path: Path) -> None:
    usage = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 7}
    answer = {"model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "Hi!"}], "usage": usage}
    (found,) = read(tmp_path, "weave", weave_call("anthropic.messages.create", output=answer))
    said = ("input_tokens", "cache_read_tokens", "cache_write_other_tokens", "provider")
    assert tuple(found[name] for name in said) == (100, 90, 7, "anthropic")


def test_a_failed_weave_call(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "weave", weave_call(exception="Timeout: secret", output=None, summary={}))
    assert (found["status"], found["error_type"], found["request_model"]) == ("error", "Timeout", "gpt-4o")


def braintrust_span(kind: str = "llm", **more: Any) -> dict[str, Any]:
    return {
        "id": "r1", "span_id": "s", "root_span_id": "t", "span_parents": ["t"], "created": "2026-03-02T10:00:00Z",
        "span_attributes": {"name": "call", "type": kind}, "project_id": "p", "tags": None, "error": None,
        "metrics": {"start": 1772445600.25, "end": 1772445601.0, "prompt_tokens": 1000, "completion_tokens": 100,
                    "tokens": 1100, "prompt_cached_tokens": 400, "completion_reasoning_tokens": 30,
                    "time_to_first_token": 0.25},
        "metadata": {"model": "gpt-4o", "session_id": "s1", "user_id": "u1"}, "input": MESSAGES,
        "output": ANSWER["choices"], **more,
    }  # fmt: skip


def test_a_braintrust_span(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "braintrust", braintrust_span("task", span_id="t", id="x"), braintrust_span())
    assert says(found, time_to_first_token_ms="250.0", project="p")


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [({"prompt_tokens": 3, "completion_tokens": 5, "tokens": 8, "prompt_cached_tokens": 97}, (100, 97)),
     ({"prompt_tokens": 3, "completion_tokens": 5, "tokens": 10, "prompt_cached_tokens": 2}, (5, 2)),
     ({"prompt_tokens": 3, "completion_tokens": 5, "tokens": 8, "prompt_cached_tokens": 2}, (3, 2))],
)  # fmt: skip
def test_where_cached_tokens_lie_in_braintrust_is_told_by_the_counts(
    tmp_path: Path, metrics: dict[str, Any], expected: tuple[int, int]
) -> None:
    (found,) = read(tmp_path, "braintrust", braintrust_span(metrics=metrics))
    assert (found["input_tokens"], found["cache_read_tokens"]) == expected


def test_a_failed_braintrust_span(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path, "braintrust", braintrust_span(error="RateLimitError: secret", metrics={"start": 1772445600.25})
    )
    assert (found["status"], found["error_type"], found["usage_source"]) == ("error", "RateLimitError", "missing")
