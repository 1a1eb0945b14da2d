"""Records that others carry: lines of log shippers, recorded requests, answers of queries, HTTP archives."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from tests.formats.test_variants import counts_of, written
from tests.support import was_read

Row = dict[str, Any]
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
         "prompt_tokens_details": {"cached_tokens": 30}}  # fmt: skip


def payload(number: int) -> Row:
    return {"id": f"p{number}", "call_type": "acompletion", "status": "success", "response_cost": 0.1, "stream": False,
            "startTime": 1_746_532_800.5 + number, "endTime": 1_746_532_801.5 + number, "model": "gpt-4o",
            "model_group": "gpt-4o", "custom_llm_provider": "openai", "metadata": {"usage_object": USAGE},
            "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}  # fmt: skip


def answer(number: int) -> Row:
    return {"type": "message", "id": f"msg_{number}", "model": "claude-sonnet-4-20250514", "content": [],
            "usage": {"input_tokens": 70, "cache_read_input_tokens": 30, "output_tokens": 20}}  # fmt: skip


def as_base64(record: Row) -> str:
    return base64.b64encode(json.dumps(record).encode()).decode()


AT = "2025-05-06T12:00:00Z"
CARRIERS: dict[str, Callable[[Row], Row]] = {
    "callback": lambda it: {"kwargs": {"model": "gpt-4o", "standard_logging_object": it}, "start_time": AT},
    "text": lambda it: {"timestamp": 1_746_532_800_000, "message": json.dumps(it)},
    "docker": lambda it: {"log": json.dumps(it) + "\n", "stream": "stdout", "time": AT},
    "google": lambda it: {"insertId": "a", "jsonPayload": it, "timestamp": AT, "severity": "INFO"},
    "search": lambda it: {"_index": "a", "_source": it},
    "search page": lambda it: {"took": 3, "hits": {"total": {"value": 1}, "hits": [{"_index": "a", "_source": it}]}},
    "splunk": lambda it: {"preview": False, "result": {"_raw": json.dumps(it), "_time": AT}},
    "datadog": lambda it: {"id": "x", "type": "log", "attributes": {"attributes": it, "timestamp": AT}},
    "queue": lambda it: {"message": {"data": as_base64(it), "messageId": "1"}},
    "insights": lambda it: {"results": [[{"field": "@timestamp", "value": AT},
                                         {"field": "@message", "value": json.dumps(it)}]]},
    "loki": lambda it: {"data": {"result": [{"stream": {}, "values": [["1746532800000000000", json.dumps(it)]]}]}},
    "request": lambda it: {"method": "POST", "url": "https://logs.example/ingest", "body": json.dumps([it])},
}  # fmt: skip


@pytest.mark.parametrize("make", [payload, answer], ids=("payload", "answer"))
@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_a_line_carries_is_read(tmp_path: Path, carrier: str, make: Callable[[int], Row]) -> None:
    log = written(tmp_path / "log.jsonl", *(CARRIERS[carrier](make(number)) for number in range(3)))
    assert counts_of(was_read(tmp_path, log)) == (3, 0, 0, 300, 90, 0, 60, 0, 0)


def test_a_record_without_a_time_has_that_of_its_line(tmp_path: Path) -> None:
    lines = [{"@timestamp": f"2025-05-06T12:00:0{n}Z", "message": json.dumps(answer(n))} for n in range(3)]
    totals = was_read(tmp_path, written(tmp_path / "a.jsonl", *lines)).totals
    assert (totals["first_at"], totals["undated_count"]) == (datetime(2025, 5, 6, 12, 0, 0), 0)
    lines = [CARRIERS["text"](payload(n)) for n in range(3)]
    totals = was_read(tmp_path / "own", written(tmp_path / "b.jsonl", *lines)).totals
    assert totals["first_at"] == datetime(2025, 5, 6, 12, 0, 0, 500_000)


def test_other_lines_of_the_log_are_ignored_and_cut_ones_refused(tmp_path: Path) -> None:
    texts = [json.dumps(payload(0)), "started on port 8000", json.dumps({"level": "info"}), json.dumps(payload(1))[:90]]
    totals = was_read(tmp_path, written(tmp_path / "log.jsonl", *({"log": text, "time": AT} for text in texts))).totals
    named = {name: totals[f"{name}_count"] for name in ("records_read", "accepted", "ignored", "rejected")}
    assert named == {"records_read": 4, "accepted": 1, "ignored": 2, "rejected": 1}


def test_usual_names_in_a_text_are_read_and_in_an_object_proposed(tmp_path: Path) -> None:
    row = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 20}
    log = written(tmp_path / "text.jsonl", *({"timestamp": AT, "message": json.dumps(row)} for _ in range(3)))
    report = was_read(tmp_path, log)
    assert counts_of(report) == (3, 0, 0, 300, 0, 0, 60, 0, 0)
    assert report.totals["undated_count"] == 0


def test_the_check_of_a_format_says_what_the_carried_records_are_known_by(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", *(CARRIERS["text"](payload(number)) for number in range(3)))
    table = check_files([str(log)], AuditOptions()).tables["signatures"]
    (row,) = table.dicts()
    assert (row["log_format"], row["matching_count"]) == ("litellm_payload", 3)


def entry(number: int, status: int = 200, *, packed: bool = False) -> Row:
    body = {"object": "chat.completion", "id": f"c{number}", "created": 1_746_532_800, "model": "gpt-4o", "choices": [],
            "usage": USAGE} if status == 200 else {"error": {"type": "rate_limit", "message": "slow down"}}  # fmt: skip
    content = {"mimeType": "application/json", "text": json.dumps(body)}
    if packed:
        content |= {"encoding": "base64", "text": as_base64(body)}
    return {"startedDateTime": f"2025-05-06T12:00:0{number}.000Z", "time": 900.5,
            "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "headers": [],
                        "postData": {"mimeType": "application/json", "text": json.dumps({"model": "gpt-4o"})}},
            "response": {"status": status, "headers": [], "content": content}}  # fmt: skip


def test_the_calls_of_an_http_archive(tmp_path: Path) -> None:
    style = {"startedDateTime": AT, "time": 1, "request": {"method": "GET", "url": "https://x.example/a.css"},
             "response": {"status": 200, "content": {"mimeType": "text/css", "text": "a{}"}}}  # fmt: skip
    archive = {"log": {"version": "1.2", "creator": {"name": "browser"}, "pages": [],
                       "entries": [style, entry(1), entry(2, packed=True), entry(3, 429)]}}  # fmt: skip
    log = tmp_path / "calls.har"
    log.write_text(json.dumps(archive, indent=1), "utf-8")
    report = was_read(tmp_path, log)
    assert counts_of(report) == (3, 1, 1, 200, 60, 0, 40, 0, 0)
    assert report.totals["first_at"] == datetime(2025, 5, 6, 12, 0, 1)
    assert float(report.totals["latency_ms_p50"]) == 900.5


def test_the_answer_of_a_query_for_azures_log(tmp_path: Path) -> None:
    columns = ["TimeGenerated", "CorrelationId", "DeploymentName", "ModelName", "PromptTokens", "CompletionTokens",
               "TotalTokens", "IsStreamCompletion", "RequestId", "SequenceNumber"]  # fmt: skip
    rows = [[f"2025-05-06T12:00:0{n}Z", f"c{n}", "chat", "gpt-4o", 100, 20, 120, False, f"r{n}", 0] for n in range(2)]
    tables = [{"name": "PrimaryResult", "columns": [{"name": name} for name in columns], "rows": rows}]
    log = tmp_path / "query.json"
    log.write_text(json.dumps({"tables": tables}), "utf-8")
    report = was_read(tmp_path, log)
    assert counts_of(report) == (2, 0, 0, 200, 0, 0, 40, 0, 0)
    assert report.provenance["formats"] == ["azure_apim"]


def test_a_list_of_records_on_each_line(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", [payload(0), payload(1)], [payload(2)])
    assert counts_of(was_read(tmp_path, log)) == (3, 0, 0, 300, 90, 0, 60, 0, 0)


def test_bodies_that_langsmiths_clients_send_as_a_proxy_records_them(tmp_path: Path) -> None:
    order = "20250506T120001000000Z" + "0196a6e2-aaaa-4bbb-8ccc-000000000002"
    start = {"id": "0196a6e2-aaaa-4bbb-8ccc-000000000002", "run_type": "llm", "trace_id": "t", "dotted_order": order,
             "start_time": "2025-05-06T12:00:01+00:00", "extra": {"metadata": {"ls_model_name": "gpt-4o"}}}  # fmt: skip
    end = {"trace_id": "t", "dotted_order": order, "end_time": "2025-05-06T12:00:02+00:00",
           "outputs": {"usage_metadata": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
                                          "input_token_details": {"cache_read": 30}}}}  # fmt: skip
    log = written(
        tmp_path / "log.jsonl",
        {"method": "POST", "url": "https://api.smith.langchain.com/runs", "body": start},
        {"method": "PATCH", "url": "https://api.smith.langchain.com/runs/2", "body": end},
    )
    assert counts_of(was_read(tmp_path, log)) == (1, 0, 0, 100, 30, 0, 20, 0, 0)
    tree = {"id": "1", "run_type": "chain", "start_time": "2025-05-06T12:00:00+00:00", "child_runs": [start | end]}
    assert counts_of(was_read(tmp_path / "tree", written(tmp_path / "tree.json", tree)))[:4] == (1, 0, 0, 100)
