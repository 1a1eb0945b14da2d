"""What a format says of cached tokens and reasoning is held against the records' own totals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from costctl.formats import bundling
from costctl.render.people import to_terminal
from costctl.report import Report
from tests.support import audited, rows


def bodies(count: int, total: int, usage: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Chat answers of 1,000 tokens of which 400 were cached, and an output of 50 of which 20 are reasoning."""
    said = usage or {
        "prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }  # fmt: skip
    return [
        {"id": f"c{n}-{total}", "object": "chat.completion", "created": 1772452800 + n, "model": "gpt-5-mini",
         "choices": [], "usage": said | {"total_tokens": total}}
        for n in range(count)
    ]  # fmt: skip


def read(tmp_path: Path, records: list[dict[str, Any]], **options: Any) -> Report:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{json.dumps(item)}\n" for item in records), "utf-8")
    return audited(tmp_path, path, **options)


def told(report: Report) -> list[str]:
    return [warning.message for warning in report.warnings if warning.code == "W127"]


@pytest.mark.parametrize(
    ("total", "reading"),
    [
        (1450, "cached tokens lie beside the input"), (650, "cached tokens lie inside the input"),
        (1030, "reasoning lies inside the output"),
        (1051, "no reading of the counts gives the total"),
    ],
)  # fmt: skip
def test_a_total_that_contradicts_the_format_is_a_warning_with_lines(tmp_path: Path, total: int, reading: str) -> None:
    report = read(tmp_path, [*bodies(97, 1050), *bodies(2, total)])
    (text,) = told(report)
    assert "in 2 of 99 records with a total" in text
    assert reading in text
    assert text.endswith("lines 98, 99")
    (row,) = rows(report, "conventions")
    assert (row["checked_count"], row["fault_count"], row["reading"]) == (99, 2, reading)


@pytest.mark.parametrize(("fitting", "hint"), [(97, "look at those lines"), (0, "--cached-in-input no")])
def test_another_reading_is_advised_only_where_it_breaks_no_other_line(tmp_path: Path, fitting: int, hint: str) -> None:
    """Lines without cached tokens fit both readings, so they speak against neither."""
    bare = {"prompt_tokens": 1000, "completion_tokens": 50}
    report = read(tmp_path, [*bodies(fitting, 1050), *bodies(50, 1050, bare), *bodies(3, 1450)])
    (warning,) = [warning for warning in report.warnings if warning.code == "W127"]
    assert hint in warning.hint


def test_the_check_of_a_format_names_the_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{json.dumps(item)}\n" for item in [*bodies(7, 1050), *bodies(2, 1450)]), "utf-8")
    report = check_files([str(path)], AuditOptions(threads=1))
    assert "log.jsonl: lines 8, 9" in to_terminal(report)


def test_reasoning_beside_the_output_is_read_so_where_each_total_proves_it(tmp_path: Path) -> None:
    """That such a row contradicts its format is no news any more: its answer of 50 tokens has 20 beside it."""
    counts = {"input_tokens": 1000, "output_tokens": 50, "reasoning_tokens": 20, "total_tokens": 1070}
    for records in (bodies(3, 1070), [{"request_id": f"r{n}", "model": "gpt-5-mini", **counts} for n in range(3)]):
        report = read(tmp_path, records)
        assert told(report) == []
        assert report.totals["output_tokens"] == 3 * 70


def test_one_in_a_hundred_is_no_warning_and_stays_in_the_table(tmp_path: Path) -> None:
    report = read(tmp_path, [*bodies(99, 1050), *bodies(1, 1450)])
    assert told(report) == []
    assert [row["lines"] for row in rows(report, "conventions")] == ["100"]


def test_a_reading_that_the_user_chose_is_checked_as_chosen(tmp_path: Path) -> None:
    assert told(read(tmp_path, bodies(5, 1450), cached_in_input=False)) == []
    (text,) = told(read(tmp_path, bodies(5, 1050), cached_in_input=False))
    assert "cached tokens lie inside the input" in text


def test_records_without_a_total_say_nothing(tmp_path: Path) -> None:
    usage = {"input_tokens": 100, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 0, "output_tokens": 1}
    body = {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
            "usage": usage}  # fmt: skip
    report = read(tmp_path, [body])
    assert "conventions" not in report.tables


@pytest.mark.parametrize("file_bytes_max", [bundling.FILE_BYTES_MAX, 0])
def test_each_file_of_a_bundle_has_its_own_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_bytes_max: int
) -> None:
    monkeypatch.setattr(bundling, "FILE_BYTES_MAX", file_bytes_max)
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, records in (("a", bodies(5, 1050)), ("b", [*bodies(7, 1050), *bodies(2, 1450)]), ("c", bodies(3, 650))):
        lines = [json.dumps(item | {"id": f"{name}-{n}"}) for n, item in enumerate(records)]
        (folder / f"{name}.jsonl").write_text("\n".join([*lines, "{broken"]), "utf-8")
    found = {Path(row["source_file"]).name: row for row in rows(audited(tmp_path, folder), "conventions")}
    assert set(found) == {"b.jsonl", "c.jsonl"}
    assert (found["b.jsonl"]["checked_count"], found["b.jsonl"]["lines"]) == (9, "8, 9")
    assert (found["c.jsonl"]["fault_count"], found["c.jsonl"]["lines"]) == (3, "1, 2, 3")
