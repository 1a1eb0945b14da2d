"""Where a report goes: never over an input, never over a device, and no traceback wherever that is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from costctl.cli import run
from tests.support import ROOT

ROW = {
    "request_id": "r",
    "timestamp": "2026-03-02T10:00:00Z",
    "model": "gpt-4o",
    "input_tokens": 10,
    "output_tokens": 1,
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text(json.dumps(ROW) + "\n", "utf-8")


def costctl(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "costctl", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=60,
    )


def test_an_input_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("log.jsonl").read_bytes()
    Path("link.jsonl").symlink_to("log.jsonl")
    for target in ("log.jsonl", "./log.jsonl", "link.jsonl"):
        assert run(["audit", "log.jsonl", "-o", target]) == 2
        assert "E323" in capsys.readouterr().err
    assert Path("log.jsonl").read_bytes() == before


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    Path("link.json").symlink_to("real.json")
    Path("real.json").write_text("old", "utf-8")
    assert run(["audit", "log.jsonl", "--output", "json", "-o", "link.json"]) == 0
    assert Path("link.json").is_symlink()
    assert json.loads(Path("real.json").read_text("utf-8"))["command"] == "audit"
    os.mkfifo("pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        assert run(["audit", "log.jsonl", "--output", "json", "-o", "pipe"]) == 0
        assert json.loads(reader.communicate(timeout=20)[0])["command"] == "audit"
    assert Path("pipe").is_fifo()


def test_no_such_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "log.jsonl", "-o", "nowhere/report.json"]) == 2
    assert "E323" in capsys.readouterr().err


def test_a_file_where_the_workspace_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".costctl").write_text("", "utf-8")
    assert run(["audit", "log.jsonl"]) == 3
    error = capsys.readouterr().err
    assert "E172" in error
    assert "--db" in error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output() -> None:
    command = f"{sys.executable} -m costctl audit log.jsonl > /dev/full"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 3
    assert "E170" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_cannot_show_spanish() -> None:
    Path("log.jsonl").write_text(json.dumps({**ROW, "model": "ñandú"}, ensure_ascii=False), "utf-8")
    done = costctl("audit", "log.jsonl", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\\xf1and\\xfa" in done.stdout


def test_completion_answers() -> None:
    done = costctl(_COSTCTL_COMPLETE="complete_bash", COMP_WORDS="costctl au", COMP_CWORD="1")
    assert "audit" in done.stdout, done.stderr


def test_a_misspelt_variable_is_named() -> None:
    done = costctl("--help", COSTCTL_PRISES="x")
    assert "COSTCTL_PRISES is no variable" in done.stderr


def test_a_table_of_few_long_rows_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["formats"], ["prices", "lint"], ["prices", "show", "gpt-4o"], ["rejects"]):
        if command == ["rejects"]:
            Path("bad.jsonl").write_text(json.dumps(ROW) + "\nnot a record\n", "utf-8")
            assert run(["audit", "bad.jsonl"]) == 0
            capsys.readouterr()
        assert run(command) == 0
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= 80
        wanted = {
            "formats": "litellm_payload",
            "lint": "costs less than input",
            "gpt-4o": "$10.00",
            "rejects": "not valid JSON at column 1",
        }
        assert wanted[command[-1]] in text


def test_a_mapping_that_nothing_bears_out_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "log.jsonl", "--map", "team=nothere", "--token-budget", "endpoint=/no:5M"]) == 0
    text = capsys.readouterr().out
    assert "W115" in text
    assert "W141" in text


def test_many_unknown_models_are_five_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.jsonl").write_text(
        "\n".join(json.dumps({**ROW, "request_id": f"r{n}", "model": f"zz{n}"}) for n in range(60)), "utf-8"
    )
    assert run(["audit", "log.jsonl"]) == 0
    text = capsys.readouterr().out
    assert text.count("[W201]") == 6
    assert "55 further models are unpriced" in text
    assert "LIST COST  —" in text
