"""Packed logs of each kind, whole, cut, damaged and followed by something else; and what a folder does not read."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from costctl.errors import CostctlError
from costctl.formats import sources, unpack
from costctl.formats.sources import find_sources
from tests.support import audited

PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def lines(count: int, first: int = 0) -> bytes:
    rows = (
        {"request_id": f"r{n}", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 1, "note": f"{n * 7919:040x}"}
        for n in range(first, first + count)
    )
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def told(tmp_path: Path, path: Path) -> tuple[int, int, int, dict[str, str]]:
    """Records read, accepted and rejected, and the warnings by code."""
    report = audited(tmp_path, path)
    said = {warning.code: warning.message for warning in report.warnings}
    found = report.totals
    return found["records_read_count"], found["request_count"], found["rejected_count"], said


@pytest.mark.parametrize("kind", PACKERS)
def test_each_packer_is_read_whole_and_in_two_members(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    path = tmp_path / "a.log"  # by its first bytes, whatever its name is
    path.write_bytes(pack(lines(3)) + pack(lines(4, 100)))
    assert told(tmp_path, path)[:3] == (7, 7, 0)


@pytest.mark.parametrize("kind", PACKERS)
def test_a_cut_file_keeps_its_whole_lines(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.jsonl.{kind}"
    packed = PACKERS[kind](lines(3)) + PACKERS[kind](lines(4, 100))
    path.write_bytes(packed[:-12])
    read, accepted, rejected, said = told(tmp_path, path)
    assert (read, rejected) == (accepted + 1, 1)
    assert 3 <= accepted <= 7
    assert unpack.CUT in said["W110"]


@pytest.mark.parametrize("kind", PACKERS)
def test_bytes_behind_the_content_are_told_and_zeros_are_not(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(PACKERS[kind](lines(3)[:-1]) + b"\0" * 512)  # the last line has no end
    assert told(tmp_path, path)[:3] == (3, 3, 0)
    path.write_bytes(PACKERS[kind](lines(3)[:-1]) + b"garbage!")
    read, accepted, rejected, said = told(tmp_path, path)
    assert (read, accepted, rejected) == (4, 3, 1)
    assert "8 bytes behind the compressed content" in said["W110"]


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_bytes_behind_a_packed_document_and_table(tmp_path: Path, suffix: str) -> None:
    rows = [json.loads(line) for line in lines(3).splitlines()]
    table = "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)])
    path = tmp_path / f"a.{suffix}.gz"
    path.write_bytes(gzip.compress((json.dumps(rows) if suffix == "json" else table).encode()) + b"garbage!")
    assert told(tmp_path, path)[:3] == (4, 3, 1)


def test_a_gzip_that_breaks_in_its_middle_keeps_the_lines_before(tmp_path: Path) -> None:
    """A second member whose content is no deflate at all: what stands before it is whole."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines(5)) + gzip.compress(lines(4, 100))[:10] + b"\xff" * 40)
    read, accepted, rejected, said = told(tmp_path, path)
    assert (read, accepted, rejected) == (6, 5, 1)
    assert "damaged here" in said["W110"]


def test_content_before_the_damage_within_one_read_is_kept() -> None:
    """Two stored blocks and then a block type that does not exist: the bytes of both come out."""
    stored = b"".join(b"\0" + len(part).to_bytes(2, "little") + (65535 - len(part)).to_bytes(2, "little") + part
                      for part in (b"one\n", b"two\n"))  # fmt: skip
    packed = gzip.compress(b"")[:10] + stored + b"\x07" + b"\xff" * 20
    blocks = unpack.unpacked(io.BytesIO(packed), "a.gz", packed[: unpack.MAGIC_BYTES], 2**20)
    found = b""
    with pytest.raises(unpack.Truncated, match="damaged here"):
        for block in blocks:
            found += block
    assert found == b"one\ntwo\n"


@pytest.mark.parametrize("kind", ["bz2", "xz"])
def test_damage_that_cannot_be_placed_refuses_the_file(tmp_path: Path, kind: str) -> None:
    packed = bytearray(PACKERS[kind](lines(50)))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(packed)
    with pytest.raises(CostctlError, match="is damaged") as caught:
        audited(tmp_path, path)
    assert caught.value.code == "E112"


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_of_each_packer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(sources, "EXPANSION_FREE_BYTES", 2**16)
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(PACKERS[kind](lines(1) * 40_000))
    with pytest.raises(CostctlError) as caught:
        audited(tmp_path, path)
    assert caught.value.code == "E114"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_a_tar_archive_is_refused_with_the_way_out(tmp_path: Path, mode: str) -> None:
    (tmp_path / "log.jsonl").write_bytes(lines(3))
    path = tmp_path / "archive"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(tmp_path / "log.jsonl", "log.jsonl")
    with pytest.raises(CostctlError, match="is a tar archive") as caught:
        audited(tmp_path, path)
    assert (caught.value.code, "unpack it" in caught.value.hint) == ("E113", True)


def test_a_folder_reads_packed_and_nameless_logs_and_names_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / ".git" / "objects").mkdir(parents=True)
    (folder / ".git" / "objects" / "ab").write_bytes(b"x")
    for number, name in enumerate(("a.log.2.bz2", "a.log.1.xz", "dump.gz", "plain", "a.jsonl")):
        pack = PACKERS.get(name.rpartition(".")[2], bytes)
        (folder / name).write_bytes(pack(lines(2, number * 10)))
    for name in ("z.zip", "t.tar.gz", "LICENSE", "old.jsonl.bak"):
        (folder / name).write_bytes(b"no log")
    report = audited(tmp_path, folder)
    assert report.totals["request_count"] == 10
    (said,) = (warning for warning in report.warnings if warning.code == "W122")
    assert said.message == (
        "4 files of the folder were not read, as the name is of no log: LICENSE, old.jsonl.bak, t.tar.gz, z.zip"
    )
    assert said.hint.endswith(f"costctl audit {folder} {folder / 'LICENSE'}")


def test_many_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.py").write_bytes(b"x")
    with pytest.raises(CostctlError, match=r"0\.py, 1\.py, 2\.py, 3\.py, 4\.py and 3 more"):
        find_sources([str(tmp_path)], tmp_path)
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    missing: list[CostctlError] = []
    find_sources([str(tmp_path)], tmp_path, missing)  # type: ignore[arg-type]
    assert [error.message.partition(" were")[0] for error in missing] == ["8 files of the folder"]
