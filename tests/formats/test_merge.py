"""What is the same attempt: across sibling formats yes, a failure and a success of one id no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from costctl.audit.queries import select
from tests.support import ROOT, audited

OK = {"request_id": "r1", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 1, "status": "ok"}
FAILED = {"request_id": "r1", "model": "gpt-4o", "status": "error", "error_type": "timeout"}


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    return path


def test_a_failure_and_a_success_of_one_id_are_two_attempts(tmp_path: Path) -> None:
    total = audited(tmp_path, write(tmp_path / "log.jsonl", FAILED, OK)).totals
    assert (total["accepted_count"], total["merged_count"], total["error_count"]) == (2, 0, 1)


def test_the_same_success_twice_is_one(tmp_path: Path) -> None:
    total = audited(tmp_path, write(tmp_path / "log.jsonl", FAILED, OK, OK, FAILED)).totals
    assert (total["accepted_count"], total["merged_count"], total["error_count"]) == (2, 2, 1)


def test_no_id_written_as_text_is_no_id(tmp_path: Path) -> None:
    records = [{**OK, "request_id": "None", "input_tokens": n} for n in range(1, 4)]
    total = audited(tmp_path, write(tmp_path / "log.jsonl", *records)).totals
    assert (total["accepted_count"], total["input_tokens"]) == (3, 6)


def test_a_capture_and_its_bare_body_are_one_call(tmp_path: Path) -> None:
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1772452800, "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
    }  # fmt: skip
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder / "bare.jsonl", body)
    write(folder / "captured.jsonl", {"request": request, "response": body})
    total = audited(tmp_path, folder).totals
    assert (total["accepted_count"], total["merged_count"], total["input_tokens"]) == (1, 1, 10)


def test_a_bare_error_body_is_a_failed_request(tmp_path: Path) -> None:
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
              "usage": {"input_tokens": 10, "output_tokens": 5}}  # fmt: skip
    failure = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}
    total = audited(tmp_path, write(tmp_path / "log.jsonl", answer, failure, {"hello": 1})).totals
    assert (total["accepted_count"], total["error_count"], total["rejected_count"]) == (2, 1, 1)


def disputed(tmp_path: Path, *records: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said of records of one id that disagree."""
    report = audited(tmp_path, write(tmp_path / "log.jsonl", *records))
    return [(item.message, item.hint) for item in report.warnings if item.code == "W129"]


def test_records_of_one_id_that_count_otherwise_are_told(tmp_path: Path) -> None:
    other = {**OK, "request_id": "r2"}
    ((message, hint),) = disputed(tmp_path, OK, other, {**OK, "output_tokens": 5}, {**OK, "input_tokens": 11}, other)
    assert message == (
        "2 merged records disagree in tokens or cost with the record of the same id that counts, the first at "
        "log.jsonl:1 with log.jsonl:3; most output tokens count, then known cached tokens, then most input"
    )
    assert "--map request_id=" in hint


def test_a_cost_that_differs_is_told_and_what_one_of_them_does_not_know_is_not(tmp_path: Path) -> None:
    cost = {**OK, "cost_usd": 0.5}
    (one,) = disputed(tmp_path, cost, {**cost, "cost_usd": 0.75})
    assert one[0].startswith("1 merged record disagrees in tokens or cost")
    assert disputed(tmp_path, cost, OK, {**cost, "cost_usd": 0.5000000001}) == []


def test_snapshots_of_a_growing_answer_do_not_disagree(tmp_path: Path) -> None:
    assert not [w for w in audited(tmp_path, ROOT / "sample_logs" / "claude_code.jsonl").warnings if w.code == "W129"]


def test_merged_records_can_be_asked_for(tmp_path: Path) -> None:
    """Those of the last audit alone; sums over requests are no merged records."""
    db = tmp_path / "workspace" / "costctl.duckdb"

    def merged() -> list[Any]:
        found = select("SELECT source_line, request_id, output_tokens FROM merged_record ORDER BY ALL", db)
        return list(found.tables["rows"].rows)

    audited(tmp_path, write(tmp_path / "log.jsonl", OK, {**OK, "request_id": "r2"}, {**OK, "output_tokens": 5}))
    assert merged() == [(1, "r1", 1)]
    for name in ("anthropic_console.csv", "langsmith_runs.jsonl", "openai_batch_input.jsonl", "story.jsonl.gz"):
        report = audited(tmp_path, ROOT / "sample_logs" / name)
        assert len(merged()) == report.totals["merged_count"]
