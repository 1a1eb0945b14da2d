"""Lists of records inside a record: a page of an API, a message of a queue, one or many of them in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.formats.base import Record
from tests.support import rows, was_read


def body(answer_id: str) -> Record:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {"object": "chat.completion", "id": answer_id, "created": 1_772_445_600, "model": "gpt-4o",
            "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}], "usage": usage}  # fmt: skip


def diagnostic(request_id: str) -> Record:
    called = {"modelDeploymentName": "quick", "modelName": "gpt-4o", "requestTime": 638_554_975_000_000_000}
    return {"category": "RequestResponse", "resourceId": "/X/MICROSOFT.COGNITIVESERVICES/A", "resultSignature": "200",
            "correlationId": request_id, "operationName": "ChatCompletions_Create", "properties": called}  # fmt: skip


def gateway(row_id: str) -> Record:
    return {"id": row_id, "created_at": "2026-03-02T10:00:00Z", "provider": "openai", "model": "gpt-4o", "step": 0,
            "tokens_in": 10, "tokens_out": 5, "cached": False}  # fmt: skip


def test_a_page_with_one_record_in_one_line(tmp_path: Path) -> None:
    for name, page, kind in (
        ("a.json", {"object": "list", "data": [body("a")], "has_more": False}, "openai"),
        ("b.json", {"result": [gateway("b")], "success": True, "errors": [], "messages": []}, "cloudflare"),
        ("c.json", {"records": [diagnostic("c")]}, "azure_diagnostics"),
    ):
        log = tmp_path / name
        log.write_text(json.dumps(page) + "\n", "utf-8")
        report = was_read(tmp_path, log)
        assert report.provenance["formats"] == [kind]
        assert (report.totals["request_count"], report.totals["rejected_count"]) == (1, 0)


def test_a_call_with_a_list_beside_it_is_one_record(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"request": {"model": "gpt-4o"}, "response": body("a"), "logs": [{"at": 1}]}), "utf-8")
    assert was_read(tmp_path, log).totals["input_tokens"] == 10


def test_lines_of_pages_are_read_as_their_records(tmp_path: Path) -> None:
    pages = [{"data": [body("a")]}, {"data": [body("b"), body("c")]}, body("d"), {"data": [body("c"), {"odd": 1}]}]
    log = tmp_path / "pages.jsonl"
    log.write_text("\n".join(map(json.dumps, pages)), "utf-8")
    report = was_read(tmp_path, log)
    counts = ("records_read_count", "accepted_count", "merged_count", "rejected_count", "request_count")
    assert [report.totals[name] for name in counts] == [6, 4, 1, 1, 4]
    assert report.totals["input_tokens"] == 40
    assert [row["source_line"] for row in rows(report, "rejected")] == [4]


@pytest.mark.parametrize("forced", [None, "openai"])
def test_small_files_of_pages_and_of_records_beside_one_another(tmp_path: Path, forced: str | None) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "1.jsonl").write_text(f"{json.dumps({'data': [body('a')]})}\n{json.dumps({'data': [body('b')]})}\n")
    (folder / "2.jsonl").write_text(f"{json.dumps(body('c'))}\n{json.dumps(body('d'))}\n")
    report = was_read(tmp_path, folder, log_format=forced)
    assert (report.totals["request_count"], report.totals["rejected_count"]) == (4, 0)


@pytest.mark.parametrize("between", ["\n", "", " ", "\n\n"])
@pytest.mark.parametrize("indent", [None, 2])
def test_documents_behind_one_another(tmp_path: Path, between: str, indent: int | None) -> None:
    """As command-line tools print them, and as queues put them into one object: with no line to each."""
    log = tmp_path / "stream.json"
    log.write_text(between.join(json.dumps(body(name), indent=indent) for name in "abc"), "utf-8")
    found = was_read(tmp_path, log).totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (3, 3, 0)
    assert found["input_tokens"] == 30


def test_documents_behind_one_another_of_which_the_last_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "stream.json"
    log.write_text("\n".join(json.dumps(body(name), indent=2) for name in "abc")[:-30], "utf-8")
    found = was_read(tmp_path, log).totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (3, 2, 1)
