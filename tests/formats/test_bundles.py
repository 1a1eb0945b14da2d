"""Small files are read many at a time: each holds what it holds alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.errors import InputError
from costctl.formats import bundling
from costctl.formats.sources import Source
from costctl.formats.told import Wanted
from costctl.report import Report
from costctl.store import open_store
from tests.support import ROOT, audited

SAMPLES = ("claude_code.jsonl", "openai_chat.jsonl", "litellm_spend.csv", "otlp_traces.jsonl", "generic.csv")


def folder_of(tmp_path: Path) -> Path:
    """Samples of several formats in turn, a file that is no log, names in two spellings, a broken value."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, name in enumerate((*SAMPLES, *SAMPLES[:2])):
        (folder / f"{number}-{name}").write_bytes((ROOT / "sample_logs" / name).read_bytes())
    (folder / "3b-notes.txt").write_text("nothing to see\n", "utf-8")
    for number, (model, latency) in enumerate((("model", 2.5), ("model_name", 900), ("model", "soon"))):
        row = {model: "gpt-4o", "input_tokens": 10 + number, "output_tokens": 2, "latency": latency}
        (folder / f"9-{number}.jsonl").write_text(f"{json.dumps(row)}\n{{\n", "utf-8")
    return folder


def told(tmp_path: Path, folder: Path, name: str, threads: int) -> tuple[Report, list[tuple[Any, ...]]]:
    """The report of a folder, and what the workspace remembers of each of its files and rows."""
    db = tmp_path / name / "costctl.duckdb"
    report = audited(tmp_path, folder, db=db, threads=threads)
    store = open_store(db, read_only=True)
    of = "JOIN source_file USING (file_id) ORDER BY ALL"
    pages = (
        "SELECT label, format_name, records_read, lines_read, accepted FROM source_file ORDER BY 1",
        f"SELECT label, source_line, byte_offset, reason FROM rejected_record {of}",
        f"SELECT label, kind, record_count FROM ignored_record {of}",
        f"SELECT label, column_name, value_count FROM unread_value {of}",
        f"SELECT label, source_line, request_id, latency_ms, input_uncached_tokens FROM attempt {of}",
    )
    return report, [row for page in pages for row in store.query(page)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_folder_holds_what_its_files_hold_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    folder = folder_of(tmp_path)
    together, remembered = told(tmp_path, folder, "together", threads)
    monkeypatch.setattr(bundling, "BUNDLE_FILES", 1)
    alone, remembered_alone = told(tmp_path, folder, "alone", threads)
    assert remembered == remembered_alone
    assert together.totals == alone.totals
    assert together.warnings == alone.warnings
    assert len(together.provenance["logs"]) == len(SAMPLES) + 5


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    report = audited(tmp_path, folder, folder / "0-claude_code.jsonl", folder)
    assert report.totals["records_read_count"] == audited(tmp_path, folder).totals["records_read_count"]


def test_a_file_that_was_asked_for_and_is_no_log_is_an_error(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with pytest.raises(InputError, match="3b-notes"):
        audited(tmp_path, *sorted(folder.iterdir()))


def test_large_files_stand_alone_and_small_ones_together(tmp_path: Path) -> None:
    sizes = (10, 20, bundling.FILE_BYTES_MAX + 1, 30, bundling.FILE_BYTES_MAX)
    paths = [tmp_path / str(number) for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(b" " * size)
    files = [Wanted(Source(path, path.name, True), "", path.name) for path in paths]
    assert [[item.identity for item in bundle] for bundle in bundling.bundled(files)] == [["0", "1"], ["2"], ["3", "4"]]
