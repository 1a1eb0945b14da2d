"""Files that are nearly logs: the error names a command, and what that writes is read."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from costctl.cli import run
from costctl.errors import CostctlError
from tests.support import was_read

LINES = [
    json.dumps({"time": f"2026-06-1{n}T10:00:00Z", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100})
    for n in range(3)
]
needs_shell = pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell")


@needs_shell
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("commas.jsonl", "".join(f"{line}, \n" for line in LINES), "a comma stands behind the JSON of its lines"),
        ("prefix.log", "".join(f"2026-06-11 10:00:00 INFO {line}\n" for line in LINES),
         "a text stands before the JSON of its lines"),
        ("no header.csv", "2026-06-11T10:00:00Z,gpt-4o,1000,100\n2026-06-12T10:00:00Z,gpt-4o,1000,100\n"
         "2026-06-13T10:00:00Z,gpt-4o,1000,100\n", "its first line is data, not the names of the columns"),
    ],
)  # fmt: skip
def test_the_command_that_is_named_makes_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text, "utf-8")
    with pytest.raises(CostctlError) as caught:
        was_read(tmp_path, name)
    assert caught.value.code == "E121"
    assert said in caught.value.message
    command = caught.value.hint.partition(": ")[2]
    subprocess.run(["bash", "-c", command], check=True, timeout=60)
    (written,) = {path.name for path in tmp_path.iterdir() if path.is_file()} - {name}
    total = was_read(tmp_path, written).totals
    assert (total["request_count"], total["rejected_count"], total["input_tokens"]) == (3, 0, 3000)


def test_values_of_a_table_without_a_header_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("2026-06-11,gpt-4o,1000,secret words of a prompt\n", "utf-8")
    with pytest.raises(CostctlError) as caught:
        was_read(tmp_path, path)
    assert "secret" not in str(caught.value) + caught.value.hint


def test_a_table_with_one_numbered_column_has_a_header(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("colour,2026\nred,1\n", "utf-8")
    with pytest.raises(CostctlError, match="the first one's keys: 2026, colour"):
        was_read(tmp_path, path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_without_room_is_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text("\n".join(LINES), "utf-8")
    assert run(["audit", "log.jsonl", "-o", "/dev/full"]) == 3
    error = capsys.readouterr().err
    assert "E170" in error
    assert "no room is left for /dev/full" in error
    assert "--db" not in error
