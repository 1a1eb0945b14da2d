"""Logs of usual names whose rows are sums over requests: taken as sums where that is certain, else told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from costctl.report import Report
from tests.support import audited, rows, was_read

# 300,000 tokens of a hundred requests: 3,000 each, so below the 200,000 above which Gemini costs more.
DAY = {"model": "gemini-2.5-pro", "input_tokens": 300_000, "output_tokens": 10_000}
NAMES = ["num_requests", "requests", "n_requests", "request_count", "numRequests", "total_requests", "calls"]


def log(path: Path, *more: dict[str, Any]) -> Path:
    lines = [{"date": f"2026-06-0{day}", **DAY, **extra} for day, extra in enumerate(more, start=1)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def doubts(report: Report) -> list[tuple[str, str]]:
    return [(one.message, one.hint) for one in report.warnings if one.code == "W136"]


@pytest.mark.parametrize("name", NAMES)
def test_sums_under_usual_names_are_no_requests(tmp_path: Path, name: str) -> None:
    """Three days of 0.3 M x $1.25 + 0.01 M x $10 = $0.475; as single prompts above 200 k it would be $2.70."""
    report = audited(tmp_path, log(tmp_path / "days.jsonl", *[{name: count} for count in (100, 100, 1)]))
    totals = report.totals
    assert (totals["request_count"], totals["aggregate_row_count"], totals["aggregate_request_count"]) == (0, 3, 201)
    assert totals["list_cost_usd"] == Decimal("1.425")
    assert not doubts(report)


def test_a_table_of_sums_is_taken_alike(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text('date,model,requests,input_tokens,output_tokens\n2026-06-01,gemini-2.5-pro,"1,100",300000,10000\n')
    totals = was_read(tmp_path, path).totals
    assert (totals["aggregate_request_count"], totals["list_cost_usd"]) == (1100, Decimal("0.475"))
    report = check_files([str(path)], AuditOptions())
    assert "unread_columns" not in report.tables
    assert "mapping" not in report.tables
    (signature,) = rows(report, "signatures")
    assert "aggregate_request_count" in signature["signature"]


@pytest.mark.parametrize(
    "extra",
    [
        {"request_id": "r"}, {"latency_ms": 12}, {"prompt": "hello"}, {"date": "2026-06-01T10:03:22Z"},
        {"input_tokens": 40, "output_tokens": 3}, {"failures_of_calls": 7},
    ],
    ids=lambda extra: next(iter(extra)),
)  # fmt: skip
def test_what_may_be_single_requests_is_told(tmp_path: Path, extra: dict[str, Any]) -> None:
    """A row that says what only one request has, begins no bucket, has fewer tokens than requests, or counts twice."""
    path = log(tmp_path / "log.jsonl", {"requests": 100, **extra}, {"requests": 90, **extra})
    report = was_read(tmp_path, path)
    assert (report.totals["request_count"] > 0, report.totals["aggregate_request_count"]) == (True, 0)
    ((message, hint),) = doubts(report)
    assert message.startswith(f"{path}: requests seems to count requests")
    assert "--map aggregate_request_count=requests" in hint
    assert "--map aggregate_request_count=none" in hint
    assert doubts(audited(tmp_path, path)) == [(message, hint)]  # of a log that is known by now


def test_the_user_decides(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", {"requests": 100, "request_id": "a"}, {"requests": 9, "request_id": "b"})
    sums = was_read(tmp_path / "1", path, mapping=("aggregate_request_count=requests",))
    assert (sums.totals["aggregate_request_count"], sums.warnings[0].code) == (109, "W125")
    days = log(tmp_path / "days.jsonl", {"requests": 100}, {"requests": 9})
    for number, one in enumerate((path, days)):
        single = audited(tmp_path / f"2{number}", one, mapping=("aggregate_request_count=none",))
        assert (single.totals["request_count"], single.totals["aggregate_request_count"]) == (2, 0)
        assert not {"W136", "W115"} & {warning.code for warning in single.warnings}


def test_another_mapping_leaves_sums_what_they_are(tmp_path: Path) -> None:
    path = log(tmp_path / "days.jsonl", {"requests": 100, "who": "ana"}, {"requests": 9, "who": "ben"})
    report = audited(tmp_path, path, mapping=("user_id=who", "team=nowhere"))
    assert report.totals["aggregate_request_count"] == 109
    # What only sums have was found all the same.
    said = [warning.message for warning in report.warnings if warning.code == "W115"]
    assert said == ["--map team=nowhere: no record has it"]


@pytest.mark.parametrize(
    "extra",
    [{"requests": 1}, {"tool_calls": 3}, {"max_requests": 50}, {"remaining_requests": 50}, {"request_id": 7}],
    ids=lambda extra: next(iter(extra)),
)
def test_what_counts_no_requests_is_no_doubt(tmp_path: Path, extra: dict[str, Any]) -> None:
    report = was_read(tmp_path, log(tmp_path / "log.jsonl", extra, extra))
    assert report.totals["request_count"] >= 1
    assert not doubts(report)
