"""Times of a log that name no zone, and dates by day and month: 3/13/2026 or 13/3/2026."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from costctl.errors import CostctlError
from costctl.formats.instants import instants, times
from costctl.store import open_store
from tests.support import audited, was_read


def table(path: Path, *dates: str) -> Path:
    rows = [f"{when},gpt-4o,1000,{number}" for number, when in enumerate(dates, 1)]
    path.write_text("\n".join(["timestamp,model,input_tokens,output_tokens", *rows, ""]), "utf-8")
    return path


def started(folder: Path, path: Path, **options: Any) -> list[str]:
    """The times that an audit reads, in the order of the log."""
    was_read(folder, path, **options)
    with open_store(folder / "workspace" / "costctl.duckdb") as store:
        found = store.query("SELECT started_at FROM request ORDER BY output_tokens")
    return [str(when) for (when,) in found]


def warned(report: Any) -> dict[str, str]:
    return {warning.code: warning.message for warning in report.warnings}


def test_times_without_a_zone_are_counted_once_and_read_as_utc(tmp_path: Path) -> None:
    path = table(tmp_path / "log.csv", "2026-06-11 02:30:00", "2026-06-11T02:30", "2026-06-11T02:30:00Z",
                 "2026-06-11 02:30:00+02:00", "1781145000", "2026-06-11 02:30:00 UTC")  # fmt: skip
    assert warned(audited(tmp_path, path))["W137"] == "2 times name no zone and are read as UTC"
    assert warned(check_files([str(path)], AuditOptions()))["W137"].startswith("2 times")
    assert "2026-03-13T10:00:00+01:00" in next(
        one.hint for one in audited(tmp_path, path).warnings if one.code == "W137"
    )


def test_one_such_time_is_said_in_the_singular_and_a_day_alone_not_at_all(tmp_path: Path) -> None:
    path = table(tmp_path / "log.csv", "2026-06-11 02:30:00", "2026-06-11")
    assert warned(audited(tmp_path, path))["W137"] == "1 time names no zone and is read as UTC"


def test_a_log_whose_times_all_name_their_zone_is_told_nothing(tmp_path: Path) -> None:
    path = table(tmp_path / "log.csv", "2026-06-11T02:30:00Z", "2026-06-11 02:30:00+02:00")
    assert "W137" not in warned(audited(tmp_path, path))


def test_times_of_columns_of_other_kinds_are_counted_too() -> None:
    aware = datetime(2026, 6, 11, tzinfo=UTC)
    naive = datetime(2026, 6, 11)
    values = [aware, naive, date(2026, 6, 11), 1781145000, "Tue, 02 Jun 2026 12:00:00 GMT", None]
    assert times("started_at", values).zoneless_count == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("06/13/2026", "2026-06-13 00:00:00"),
        ("13/06/2026", "2026-06-13 00:00:00"),
        ("6/13/2026 10:00", "2026-06-13 10:00:00"),
        ("13/6/2026 9:05:07", "2026-06-13 09:05:07"),
        ("6/13/2026 12:30 AM", "2026-06-13 00:30:00"),
        ("6/13/2026, 12:30:00 p.m.", "2026-06-13 12:30:00"),
        ("6/13/2026 1:05:09 PM", "2026-06-13 13:05:09"),
        ("13/06/2026 10:00:00.250Z", "2026-06-13 10:00:00.250000"),
        ("13/06/2026 10:00:00 +02:00", "2026-06-13 08:00:00"),
    ],
)
def test_dates_by_day_and_month_are_read_where_the_log_tells(tmp_path: Path, written: str, read: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"time": written, "model": "gpt-4o", "input_tokens": 9, "output_tokens": 1}), "utf-8")
    assert started(tmp_path, path) == [read]


def test_one_date_decides_for_the_whole_file_however_late_it_stands(tmp_path: Path) -> None:
    """2,500 dates of 6 March could be 3 June as well; the last one cannot."""
    path = table(tmp_path / "log.csv", *["3/6/2026"] * 2500, "3/13/2026")
    found = started(tmp_path, path)
    assert (found[0], found[-1], len(found)) == ("2026-03-06 00:00:00", "2026-03-13 00:00:00", 2501)


def test_of_many_small_files_each_decides_for_itself(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(3):
        table(folder / f"day{number}.csv", "1/2/2026", "1/13/2026")
        table(folder / f"month{number}.csv", "1/2/2026", "13/1/2026")
    was_read(tmp_path, folder)
    with open_store(tmp_path / "workspace" / "costctl.duckdb") as store:
        found = store.query("SELECT strftime(started_at, '%m-%d'), count(*) FROM attempt GROUP BY 1 ORDER BY 1")
    assert found == [("01-02", 3), ("01-13", 6), ("02-01", 3)]


def test_dates_that_nothing_tells_are_refused_with_both_readings(tmp_path: Path) -> None:
    path = table(tmp_path / "log.csv", "3/6/2026 10:00", "4/6/2026 10:00")
    with pytest.raises(CostctlError) as caught:
        was_read(tmp_path, path)
    assert caught.value.code == "E194"
    assert "3/6/2026 on line 2 and all others may be month/day or day/month" in caught.value.message
    assert "--day-first yes reads 3/6/2026 as 3 June, --day-first no as March 6" in caught.value.hint


@pytest.mark.parametrize(("is_day_first", "read"), [(True, "2026-06-03 10:00:00"), (False, "2026-03-06 10:00:00")])
def test_what_the_user_says_decides(tmp_path: Path, is_day_first: bool, read: str) -> None:
    path = table(tmp_path / "log.csv", "3/6/2026 10:00")
    assert started(tmp_path, path, is_day_first=is_day_first) == [read]


def test_two_dates_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    path = table(tmp_path / "log.csv", "3/13/2026", "13/3/2026")
    with pytest.raises(CostctlError, match="3/13/2026 on line 2 has the month first and 13/3/2026 on line 3"):
        was_read(tmp_path, path)


def test_a_date_in_a_prompt_decides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    record = {"time": "6/13/2026", "prompt": "13/06/2026 was a Saturday", "model": "gpt-4o", "input_tokens": 9}
    path.write_text(json.dumps(record), "utf-8")
    assert started(tmp_path, path) == ["2026-06-13 00:00:00"]


def test_without_an_order_such_a_date_is_refused_and_the_forms_are_named() -> None:
    series, bad = instants("started_at", ["06/13/2026", "2026-06-13"])
    assert series.to_list() == [None, datetime(2026, 6, 13)]
    assert "2026-03-13T10:00:00Z" in bad[0]


def test_sums_by_such_days_are_sums(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("date,model,requests,input_tokens,output_tokens\n6/13/2026,gpt-4o,100,300000,1000\n", "utf-8")
    assert was_read(tmp_path, path).totals["aggregate_row_count"] == 1


def test_a_proposal_names_a_column_of_such_dates(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("Fecha;Modelo LLM;Fichas salida\n06/13/2026 10:00;gpt-4o;10\n06/14/2026 10:00;gpt-4o;20\n", "utf-8")
    (text,) = check_files([str(path)], AuditOptions()).provenance["mapping_files"].values()  # type: ignore[attr-defined]
    assert "started_at: Fecha" in text
