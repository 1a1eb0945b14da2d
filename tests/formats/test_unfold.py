"""Formats whose records hold many requests: each piece is counted, numbered and traced back to its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.queries import select
from costctl.formats import tasks
from costctl.formats.base import Ignored, LogFormat, Record, Rejected, identity_columns
from costctl.formats.documents import document_tasks
from costctl.formats.gather import Gathered
from costctl.formats.parse import Parsed, parse_lines
from costctl.formats.sources import Source
from costctl.formats.tasks import Task
from tests.support import audited, rows


def pieces(record: Record) -> list[Any]:
    return [
        {"request_id": str(n)} if n > 1 else Ignored("one") if n else Rejected("nought") for n in record["n"]
    ]  # fmt: skip


FORMAT = LogFormat("many", "", lambda _: True, identity_columns(), pieces, unfolds=True)


def parsed(*records: dict[str, Any]) -> Parsed:
    data = "\n".join(["broken", *map(json.dumps, records)]).encode()
    return parse_lines(data, Task(data=data), FORMAT, Gathered(FORMAT, b"k"))


def test_every_piece_is_counted_and_numbered() -> None:
    """A broken line, three pieces on the second line, two on the third."""
    found = parsed({"n": [2, 1, 3]}, {"n": [0, 4]})
    assert (found.records_read, found.lines_read, found.numbers_read) == (6, 3, 5)
    typed = {name: column.to_list() for name, column, _ in found.gathered.typed.all({}, found.gathered.height)}
    assert typed["request_id"] == ["2", "3", "4"]
    assert (found.lines, found.numbers) == ([2, 2, 3], [1, 3, 5])
    assert found.ignored == {"one": 1}
    assert [(item.line, item.reason) for item in found.rejected] == [
        (1, "not valid JSON at column 1"), (3, "nought")]  # fmt: skip


def test_numbers_stay_unique_from_task_to_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BLOCK_BYTES", 2_000)
    path = tmp_path / "log.jsonl"
    lines = []
    for n in range(60):
        spans = [
            {"spanId": f"{n * 3 + m + 1:016x}", "name": "call", "kind": 3, "attributes": [
                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}}]}
            for m in range(3)
        ]  # fmt: skip
        lines.append(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    path.write_text("\n".join([*lines[:30], "{broken", *lines[30:]]), "utf-8")
    report = audited(tmp_path, path)
    assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (180, 1)
    assert (
        rows(report, "rejected_records" if "rejected_records" in report.tables else "rejected")[0]["source_line"] == 31
    )
    sql = "SELECT min(source_line), max(source_line), count(DISTINCT source_line) FROM request"
    assert select(sql, tmp_path / "workspace" / "costctl.duckdb").tables["rows"].rows == ((1, 180, 180),)


def document(path: Path, text: str) -> list[Any]:
    path.write_text(text, "utf-8")
    return [row for task in document_tasks(Source(path, path.name, True)) for _, row in task.rows or []]


CUT = [
    ('{"data": [{"a": 1}, {"a": 2}, {"a"', [{"a": 1}, {"a": 2}]),
    ('{"trace": {"id": "t"}, "observations": [{"a": "]}"}, {"a": [{"b": 1}, {"b"',
     [{"trace": {"id": "t"}, "observations": [{"a": "]}"}]}]),
    ('{"resourceSpans": [{"resource": {"x": [{"k": 1}]}, "scopeSpans": [{"spans": [{"s": 1}, {"s": [{"k": 1}, ',
     [{"resourceSpans": [{"resource": {"x": [{"k": 1}]}, "scopeSpans": [{"spans": [{"s": 1}]}]}]}]),
    ('{"messages": [{"role": "user"}, {"role"', []),
    ('{"data": [{"messages": [{"role": "user"}, {"role"', []),
    ("{}}", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CUT)
def test_what_is_whole_of_a_cut_document(tmp_path: Path, text: str, expected: list[Any]) -> None:
    assert document(tmp_path / "cut.json", text) == expected
