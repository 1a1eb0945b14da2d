"""Pages of an export that say that more follow, and tables whose rows are sums over counted requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.format_check import check_files, proposed_mapping
from costctl.audit.options import AuditOptions
from costctl.audit.reconcile import reconcile
from costctl.formats.propose import propose
from tests.support import audited


def page(day: int, *, has_more: bool) -> dict[str, Any]:
    """A page of one day with two requests of 1000 input and 100 output tokens; 1781136000 is 2026-06-11."""
    start = 1781136000 + 86400 * day
    row = {"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 100,
           "input_cached_tokens": 0, "num_model_requests": 2, "model": "gpt-4o"}  # fmt: skip
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": [row]}
    return {"object": "page", "data": [bucket], "has_more": has_more, "next_page": "page_x" if has_more else None}


def codes(report: Any) -> set[str]:
    return {warning.code for warning in report.warnings}


@pytest.mark.parametrize(
    ("pages", "is_told"), [([True], True), ([True, True], True), ([True, False], False), ([False], False)]
)
def test_pages_without_the_last_one_are_told(tmp_path: Path, pages: list[bool], is_told: bool) -> None:
    """Of one file a page on each line, and of a folder with a file for each page."""
    texts = [json.dumps(page(day, has_more=more)) for day, more in enumerate(pages)]
    (tmp_path / "pages.jsonl").write_text("\n".join(texts) + "\n", "utf-8")
    assert ("W135" in codes(audited(tmp_path / "1", tmp_path / "pages.jsonl"))) is is_told
    folder = tmp_path / "pages"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.json").write_text(text, "utf-8")
    assert ("W135" in codes(audited(tmp_path / "2", folder))) is is_told
    call = {"id": "r", "model": "gpt-4o", "timestamp": "2026-06-11T10:00:00Z", "input_tokens": 1, "output_tokens": 1}
    (tmp_path / "log.jsonl").write_text(json.dumps(call) + "\n", "utf-8")
    found = reconcile([str(tmp_path / "log.jsonl")], [str(folder)], AuditOptions(), AuditOptions())
    assert ("W135" in codes(found)) is is_told


def test_a_count_of_requests_makes_rows_sums(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("date,model,requests,input,output,cost\n2026-06-11,gpt-4o,100,100000,10000,0.35\n"
                    "2026-06-12,gpt-4o,200,200000,20000,0.70\n", "utf-8")  # fmt: skip
    text = proposed_mapping(check_files([str(path)], AuditOptions()))
    assert "aggregate_request_count: requests" in text
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(text, "utf-8")
    totals = audited(tmp_path, path, mapping=(str(mapping),)).totals
    assert (totals["request_count"], totals["aggregate_row_count"], totals["aggregate_request_count"]) == (0, 2, 300)
    assert totals["input_tokens"] == 300_000


@pytest.mark.parametrize(("name", "counts"), [("requests", [1, 1]), ("tool_calls", [3, 2]), ("request_id", [7, 8])])
def test_what_counts_no_requests_is_not_proposed(name: str, counts: list[int]) -> None:
    records = [{"llm": "gpt-4o", "tokens_in": 10, "tokens_out": 5, name: count} for count in counts]
    assert "aggregate_request_count" not in {guess.field for guess in propose(records)}
