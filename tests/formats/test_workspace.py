"""The workspace only caches: it forgets what changed and survives another version's layout."""

from __future__ import annotations

import json
from pathlib import Path

from costctl.formats.workspace import create_tables
from costctl.store import open_store
from tests.support import audited

ROW = {"model": "gpt-4o", "input_tokens": 10, "output_tokens": 1, "timestamp": "2026-03-02T10:00:00Z"}


def write(path: Path, *names: str) -> Path:
    path.write_text("\n".join(json.dumps({**ROW, "request_id": name}) for name in names), "utf-8")
    return path


def stored(tmp_path: Path) -> tuple[int, int]:
    with open_store(tmp_path / "workspace" / "costctl.duckdb") as store:
        return store.query("SELECT (SELECT count(*) FROM attempt), (SELECT count(*) FROM source_file)")[0]  # type: ignore[return-value]


def test_a_file_that_changed_is_forgotten_as_it_was(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    audited(tmp_path, write(log, "a", "b", "c"))
    audited(tmp_path, write(log, "a", "b", "c", "d"))
    assert stored(tmp_path) == (4, 1)


def test_other_files_stay_known(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.jsonl", "a"), write(tmp_path / "two.jsonl", "b", "c")
    audited(tmp_path, one, two)
    assert audited(tmp_path, one).totals["request_count"] == 1
    assert stored(tmp_path) == (3, 2)


def test_a_workspace_of_another_layout_is_read_anew(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", "a", "b")
    audited(tmp_path, log)
    with open_store(tmp_path / "workspace" / "costctl.duckdb") as store:
        store.execute("UPDATE workspace SET layout = 'of another version'")
        store.execute("ALTER TABLE source_file DROP COLUMN digest")
    assert audited(tmp_path, log).totals["request_count"] == 2
    assert stored(tmp_path) == (2, 1)


def test_the_same_layout_keeps_its_content(tmp_path: Path) -> None:
    audited(tmp_path, write(tmp_path / "log.jsonl", "a", "b"))
    with open_store(tmp_path / "workspace" / "costctl.duckdb") as store:
        create_tables(store)
    assert stored(tmp_path) == (2, 1)


def test_columns_come_with_the_files_that_fill_them(tmp_path: Path) -> None:
    """The second file brings columns that the first has not; both are whole afterwards."""
    one = write(tmp_path / "one.jsonl", "a")
    two = tmp_path / "two.jsonl"
    two.write_text(json.dumps({**ROW, "request_id": "b", "team": "x", "tier": "A", "cost": 0.5}), "utf-8")
    audited(tmp_path, one)
    report = audited(tmp_path, one, two, by=("team",))
    assert [(row["team"], row["request_count"]) for row in report.tables["by_team"].dicts()] == [("x", 1), (None, 1)]
    assert str(report.totals["logged_cost_usd"]) == "0.500000000000"
