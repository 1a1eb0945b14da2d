"""A folder is told of as far as it can be read: one damaged log hides no other."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from costctl.errors import CostctlError
from costctl.formats import bundling
from costctl.formats.sources import Source, head_of, quick_identity
from tests.support import ROOT, audited


def lines(count: int, first: int = 0) -> bytes:
    shuffle = random.Random(first)
    rows = (
        {"request_id": f"r{n}", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 1,
         "note": shuffle.randbytes(40).hex()}
        for n in range(first, first + count)
    )  # fmt: skip
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def damaged(content: bytes) -> bytes:
    """Packed, with a checksum that is wrong: only whoever reads to the end sees it."""
    packed = bytearray(gzip.compress(content))
    packed[-8] ^= 0xFF
    return bytes(packed)


@pytest.mark.parametrize("file_bytes_max", [bundling.FILE_BYTES_MAX, 0])
def test_a_damaged_log_is_named_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_bytes_max: int
) -> None:
    monkeypatch.setattr(bundling, "FILE_BYTES_MAX", file_bytes_max)
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(lines(3))
    (folder / "b.jsonl.gz").write_bytes(damaged(lines(5, 100)))
    (folder / "c.jsonl").write_bytes(lines(4, 200))
    (folder / "d.csv").write_bytes(b"name,colour\nx,red\n")
    report = audited(tmp_path, folder)
    assert report.totals["request_count"] == 7
    said = {warning.code: warning.message for warning in report.warnings}
    assert "b.jsonl.gz is damaged" in said["W126"]
    assert said["W122"].startswith("1 file holds no request")
    with pytest.raises(CostctlError, match="is damaged"):
        audited(tmp_path, folder / "b.jsonl.gz")


def test_a_transcript_that_breaks_off_leaves_its_neighbours_whole(tmp_path: Path) -> None:
    """Files of one format share a group, and what was read of the damaged one is in none."""
    sample = (ROOT / "sample_logs" / "claude_code.jsonl").read_bytes()
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(sample)
    (folder / "b.jsonl.gz").write_bytes(damaged(sample))
    (folder / "c.jsonl").write_bytes(sample)
    alone = audited(tmp_path, folder / "a.jsonl").totals
    both = audited(tmp_path, folder).totals
    assert both["records_read_count"] == 2 * alone["records_read_count"]
    assert both["list_cost_usd"] == alone["list_cost_usd"]


def test_large_damaged_logs_with_several_processes(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    content = lines(30_000)
    (folder / "a.jsonl.gz").write_bytes(damaged(content))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(content))
    (folder / "c.jsonl").write_bytes(lines(30_000, 30_000))
    report = audited(tmp_path, folder, threads=2)
    assert report.totals["request_count"] == 60_000
    assert report.totals["input_tokens"] == 600_000


def test_where_nothing_can_be_read_each_reason_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.jsonl.gz").write_bytes(damaged(lines(3)))
    (folder / "b.jsonl").write_bytes(b"")
    with pytest.raises(CostctlError) as caught:
        audited(tmp_path, folder)
    assert "is damaged" in str(caught.value)
    assert "is empty" in str(caught.value)


def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(1))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("costctl.formats.sources.os.access", lambda *_: False)
    assert len(quick_identity(path)) == 64
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CostctlError, match="may not be read") as caught:
        head_of(Source(path, "a.jsonl", False))
    assert caught.value.code == "E117"
