"""Other shapes of known logs: what their totals are, and what in them is no request."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.errors import InputError
from costctl.report import Report
from tests.support import audited

Row = dict[str, Any]
COUNTS = (
    "request_count", "error_count", "unknown_usage_count", "input_tokens", "cache_read_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "rejected_count",
)  # fmt: skip


def written(path: Path, *records: Any) -> Path:
    """A file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def table_of(*records: Row) -> str:
    """The CSV of records, with JSON in its cells."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]))
    writer.writeheader()
    for record in records:
        writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in record.items()})
    return out.getvalue()


def counts_of(report: Report) -> tuple[Any, ...]:
    """The totals in the order of COUNTS."""
    return tuple(report.totals[name] for name in COUNTS)


def test_the_parts_of_a_message_of_opencode_are_counted_with_it(tmp_path: Path) -> None:
    tokens = {"input": 10, "output": 20, "reasoning": 5, "cache": {"read": 100, "write": 50}}
    message = {"id": "m1", "sessionID": "s1", "role": "assistant", "time": {"created": 1_746_532_800_000},
               "modelID": "claude-sonnet-4", "providerID": "anthropic", "tokens": tokens}  # fmt: skip
    part = {"id": "p1", "messageID": "m1", "sessionID": "s1", "type": "step-finish", "cost": 0.01, "tokens": tokens}
    written(tmp_path / "storage" / "message" / "m1.json", message)
    written(tmp_path / "storage" / "part" / "p1.json", part)
    report = audited(tmp_path / "w", tmp_path / "storage")
    assert counts_of(report) == (1, 0, 0, 160, 100, 50, 25, 5, 0)
    assert report.totals["ignored_count"] == 1


def test_a_batch_job_is_a_sum_beside_its_answers(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    answers = [
        {"id": f"b{n}", "custom_id": f"r{n}", "error": None, "response": {"status_code": 200, "body": {
            "object": "chat.completion", "id": f"c{n}", "created": 1_746_532_800, "model": "gpt-4o", "choices": [],
            "usage": usage}}}
        for n in range(2)
    ]  # fmt: skip
    job = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "created_at": 1_746_532_800,
           "request_counts": {"total": 2, "completed": 2, "failed": 0}, "model": "gpt-4o",
           "usage": {"input_tokens": 200, "output_tokens": 40, "total_tokens": 240}}  # fmt: skip
    for name, log in (
        ("beside", [written(tmp_path / "job.json", job), written(tmp_path / "out.jsonl", *answers)]),
        ("among", [written(tmp_path / "all.jsonl", *answers, job)]),
    ):
        report = audited(tmp_path / name, *log)
        assert counts_of(report) == (2, 0, 0, 200, 0, 0, 40, 0, 0)
    alone = audited(tmp_path / "alone", tmp_path / "job.json").totals
    assert (alone["request_count"], alone["aggregate_request_count"], alone["input_tokens"]) == (0, 2, 200)
    young = written(tmp_path / "young.json", {**job, "usage": {"input_tokens": 0, "output_tokens": 0}})
    assert counts_of(audited(tmp_path / "young", young, tmp_path / "out.jsonl"))[0] == 2


def test_the_table_of_langfuse_names_its_counts_in_another_way(tmp_path: Path) -> None:
    row = {"id": "o1", "traceId": "t1", "type": "GENERATION", "startTime": "2025-05-06T12:00:01.123Z",
           "endTime": "2025-05-06T12:00:01.923Z", "completionStartTime": "", "model": "gpt-4o", "inputUsage": 100,
           "outputUsage": 20, "totalUsage": 120, "totalCost": 0.0003}  # fmt: skip
    log = tmp_path / "export.csv"
    log.write_text(table_of(row), "utf-8")
    assert counts_of(audited(tmp_path, log)) == (1, 0, 0, 100, 0, 0, 20, 0, 0)


def test_the_summary_of_weave_knows_parts_that_the_answer_does_not(tmp_path: Path) -> None:
    counts = {"prompt_tokens": 100, "completion_tokens": 20}
    call = {"id": "c1", "op_name": "weave:///e/p/op/openai.chat.completions.create:a", "trace_id": "t1",
            "started_at": "2025-05-06T12:00:01Z", "ended_at": "2025-05-06T12:00:02Z", "inputs": {"model": "gpt-4o"},
            "output": {"model": "gpt-4o", "usage": counts},
            "summary": {"usage": {"gpt-4o": {**counts, "requests": 1, "prompt_tokens_details": {"cached_tokens": 30}}}},
            }  # fmt: skip
    assert counts_of(audited(tmp_path, written(tmp_path / "w.jsonl", call))) == (1, 0, 0, 100, 30, 0, 20, 0, 0)


def test_vertex_logs_without_whole_bodies_and_of_failures(tmp_path: Path) -> None:
    asked = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hola"}]}]})
    answer = json.dumps({"usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20}, "candidates": [],
                         "modelVersion": "gemini-2.5-flash"})  # fmt: skip
    row = {"endpoint": "projects/1/locations/us-central1/publishers/google/models/gemini-2.5-flash",
           "logging_time": "2025-05-06 12:00:01 UTC", "request_id": "123456789012345678901",
           "request_payload": [asked], "response_payload": [answer],
           "model": "publishers/google/models/gemini-2.5-flash", "api_method": "generateContent"}  # fmt: skip
    failed = {**row, "request_id": "2", "response_payload": [], "full_request": asked,
              "full_response": json.dumps({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}})}  # fmt: skip
    report = audited(tmp_path, written(tmp_path / "v.jsonl", row, failed))
    assert counts_of(report) == (2, 1, 1, 100, 0, 0, 20, 0, 0)
    assert {item["model"] for item in report.tables["by_model"].dicts()} == {"gemini-2.5-flash"}


def test_the_table_of_cursors_dashboard(tmp_path: Path) -> None:
    row = {"Date": "2025-05-06T12:00:01.000Z", "Kind": "Included", "Model": "gpt-4o", "Max Mode": "No",
           "Input (w/ Cache Write)": "50", "Input (w/o Cache Write)": "1,000", "Cache Read": "300",
           "Output Tokens": "20", "Total Tokens": "1,370", "Cost": "$0.04"}  # fmt: skip
    log = tmp_path / "usage.csv"
    log.write_text(table_of(row), "utf-8")
    report = audited(tmp_path, log)
    assert counts_of(report) == (1, 0, 0, 1350, 300, 50, 20, 0, 0)


def test_answers_of_ollama(tmp_path: Path) -> None:
    answer = {"model": "llama3.1", "created_at": "2025-05-06T12:00:01Z", "message": {"content": "x"}, "done": True,
              "prompt_eval_count": 100, "eval_count": 20}  # fmt: skip
    assert counts_of(audited(tmp_path, written(tmp_path / "o.jsonl", answer)))[:4] == (1, 0, 0, 100)


def test_a_day_of_a_user_of_claude_code_is_a_sum_for_each_model(tmp_path: Path) -> None:
    def used(model: str, size: int) -> Row:
        tokens = {"input": 100 * size, "output": 35 * size, "cache_read": 10 * size, "cache_creation": 5 * size}
        return {"model": model, "tokens": tokens, "estimated_cost": {"currency": "USD", "amount": 25 * size}}

    day = {"date": "2025-09-01T00:00:00Z", "actor": {"type": "user_actor", "email_address": "a@b.example"},
           "core_metrics": {"num_sessions": 5}, "tool_actions": {},
           "model_breakdown": [used("claude-opus-4-20250514", 2), used("claude-sonnet-4-20250514", 1)]}  # fmt: skip
    log = written(tmp_path / "page.json", {"data": [day], "has_more": False, "next_page": None})
    totals = audited(tmp_path, log).totals
    named = ("request_count", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    assert tuple(totals[name] for name in named) == (0, 345, 30, 15, 105)
    assert str(totals["logged_cost_usd"]).rstrip("0") == "0.75"


def test_sums_in_a_list_of_an_unknown_record_are_no_requests(tmp_path: Path) -> None:
    row = {"day": "2025-09-01", "by": [{"model": "gpt-4o", "input_tokens": 900, "output_tokens": 9}] * 2}
    with pytest.raises(InputError, match="none is a request"):
        audited(tmp_path, written(tmp_path / "days.jsonl", row, row))
