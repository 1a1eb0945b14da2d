"""Which files of a folder are logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from costctl.formats.sources import find_sources


@pytest.mark.parametrize(
    "name",
    ["a.jsonl", "A.JSONL", "a.log.1", "a.log.12.gz", "a.jsonl-20260611.zst", "a.json.2026-06-11T10:15", "a.csv.gz"],
)
def test_rotated_and_packed_names_are_logs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}\n", "utf-8")
    (tmp_path / "a.txt").write_text("{}\n", "utf-8")
    assert {source.path.name for source in find_sources([str(tmp_path)], tmp_path)} == {name, "a.txt"}


@pytest.mark.parametrize("name", ["a.py", "a.log.bak", "a.1", ".a.jsonl", "a.jsonl.1.tmp"])
def test_other_names_are_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}\n", "utf-8")
    (tmp_path / "b.jsonl").write_text("{}\n", "utf-8")
    assert [source.path.name for source in find_sources([str(tmp_path)], tmp_path)] == ["b.jsonl"]
