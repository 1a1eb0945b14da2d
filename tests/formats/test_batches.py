"""Batch files: answers at the batch price, completed with what their input file asked."""

from __future__ import annotations

import json
from pathlib import Path

from costctl.formats.base import Record, Rejected
from costctl.formats.batches import is_anthropic_batch, is_openai_batch, unwrap_anthropic, unwrap_openai
from costctl.report import Report
from tests.support import ROOT, audited, rows

FOLDER = ROOT / "sample_logs"
USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}


def asked(custom_id: str, model: str = "gpt-4o", **body: object) -> Record:
    said = {"model": model, "messages": [{"role": "user", "content": "hola"}], "max_tokens": 60, **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": said}


def answered(custom_id: str, model: str = "gpt-4o-2024-08-06", number: int = 0) -> Record:
    body = {"id": f"chatcmpl-{custom_id}-{number}", "object": "chat.completion", "created": 1751282126, "model": model,
            "service_tier": "default", "choices": [], "usage": USAGE}  # fmt: skip
    response = {"status_code": 200, "request_id": f"r{number}", "body": body}
    return {"id": f"batch_req_{custom_id}_{number}", "custom_id": custom_id, "response": response, "error": None}


def written(path: Path, *lines: Record) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def test_answers_have_the_batch_price_and_what_was_asked(tmp_path: Path) -> None:
    one = written(tmp_path / "in.jsonl", asked("a"), asked("b"))
    two = written(tmp_path / "out.jsonl", answered("b"), answered("a"))
    total = audited(tmp_path, two, one).totals
    assert (total["request_count"], total["merged_count"], total["call_count"]) == (2, 2, 2)
    assert str(total["list_cost_usd"]) == "2.500000000000"  # half of 2.50 for each million


def model_and_warnings(report: Report) -> tuple[set[object], set[str]]:
    return {row["endpoint"] for row in rows(report, "by_endpoint")}, {said.code for said in report.warnings}


def test_the_input_lends_what_the_answer_does_not_say(tmp_path: Path) -> None:
    one, two = written(tmp_path / "in.jsonl", asked("a")), written(tmp_path / "out.jsonl", answered("a"))
    endpoints, codes = model_and_warnings(audited(tmp_path, one, two, by=("endpoint",)))
    assert endpoints == {"/v1/chat/completions"}
    assert "W124" not in codes


def test_an_answer_of_another_model_belongs_to_another_batch(tmp_path: Path) -> None:
    one = written(tmp_path / "in.jsonl", asked("a"), asked("b"))
    two = written(tmp_path / "out.jsonl", answered("a", "gpt-4o-mini-2024-07-18"), answered("b"))
    report = audited(tmp_path, one, two, by=("endpoint",))
    endpoints, codes = model_and_warnings(report)
    assert endpoints == {"/v1/chat/completions", None}
    assert "W124" in codes
    assert report.totals["request_count"] == 2


def test_an_id_that_asks_two_things_lends_nothing(tmp_path: Path) -> None:
    one = written(tmp_path / "in.jsonl", asked("a"), asked("a", messages=[{"role": "user", "content": "adios"}]))
    two = written(tmp_path / "out.jsonl", answered("a"))
    endpoints, _ = model_and_warnings(audited(tmp_path, one, two, by=("endpoint",)))
    assert endpoints == {None}


def test_an_input_file_alone_holds_no_request(tmp_path: Path) -> None:
    total = audited(tmp_path, FOLDER / "openai_batch_input.jsonl").totals
    assert (total["request_count"], total["merged_count"]) == (0, total["records_read_count"])


def test_input_and_output_of_the_samples_belong_together(tmp_path: Path) -> None:
    alone = audited(tmp_path, FOLDER / "openai_batch_output.jsonl").totals
    report = audited(tmp_path, FOLDER / "openai_batch_output.jsonl", FOLDER / "openai_batch_input.jsonl")
    same = ("request_count", "error_count", "input_tokens", "output_tokens", "list_cost_usd", "first_at", "last_at")
    assert [report.totals[name] for name in same] == [alone[name] for name in same]
    assert "W124" not in {said.code for said in report.warnings}


def test_lines_of_error_files() -> None:
    line: Record = {
        "id": "x",
        "custom_id": "a",
        "response": None,
        "error": {"code": "batch_expired", "message": "late"},
    }
    assert is_openai_batch(line)
    found = unwrap_openai(line)
    assert isinstance(found, dict)
    assert (found["status"], found["error_type"], found["request_id"]) == ("error", "batch_expired", "x")
    bad: Record = {"custom_id": "a", "response": {"status_code": 400, "body": {}}, "error": None}
    found = unwrap_openai(bad)
    assert isinstance(found, dict)
    assert (found["status"], found["error_type"], found["http_status"]) == ("error", "http_error", 400)


def test_a_result_without_its_message_is_refused() -> None:
    line: Record = {"custom_id": "a", "result": {"type": "succeeded"}}
    assert is_anthropic_batch(line)
    assert isinstance(unwrap_anthropic(line), Rejected)
