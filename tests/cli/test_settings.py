"""Settings and the small commands: where an option comes from, and what each command writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import ROOT

ROW = {
    "request_id": "r",
    "timestamp": "2026-03-02T10:00:00Z",
    "model": "gpt-4o",
    "input_tokens": 10,
    "output_tokens": 1,
    "endpoint": "/chat",
    "team": "t",
    "user": "u",
    "app": "a",
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text(json.dumps(ROW) + "\n", "utf-8")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run([*arguments, "--output", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def dimensions(found: dict[str, Any]) -> set[str]:
    return {name for name in found["tables"] if name.startswith("by_")} - {"by_model", "by_provider", "by_tier"}


def test_pyproject_then_own_file_then_variable_then_flag(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pyproject.toml").write_text('[tool.costctl.audit]\nby = ["endpoint"]\ndb = "one/c.duckdb"\n', "utf-8")
    assert dimensions(answer(capsys, "audit", "log.jsonl")) == {"by_endpoint"}
    assert Path("one/c.duckdb").exists()
    Path("costctl.toml").write_text('[audit]\nby = ["team", "user"]\ndb = "two/c.duckdb"\n', "utf-8")
    assert dimensions(answer(capsys, "audit", "log.jsonl")) == {"by_team", "by_user"}
    assert Path("two/c.duckdb").exists()
    monkeypatch.setenv("COSTCTL_DB", "three/c.duckdb")
    answer(capsys, "audit", "log.jsonl")
    assert Path("three/c.duckdb").exists()
    found = answer(capsys, "audit", "log.jsonl", "--by", "app", "--db", "four/c.duckdb")
    assert dimensions(found) == {"by_app"}
    assert Path("four/c.duckdb").exists()


def test_a_setting_is_called_as_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """`--near-repeats` and `--map`, whose parameters have names of their own, which do as well."""
    row = {"when": ROW["timestamp"], "llm": "gpt-4o", "ins": 10, "outs": 1}
    Path("own.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    given = '["started_at=when", "request_model=llm", "input_tokens=ins", "output_tokens=outs"]'
    for name in ("map", "mapping"):
        Path("costctl.toml").write_text(f"[audit]\nnear_repeats = true\n{name} = {given}\n", "utf-8")
        assert answer(capsys, "audit", "own.jsonl")["totals"]["input_tokens"] == 10
    Path("costctl.toml").write_text(f"[audit]\nmap = {given}\nmapping = {given}\n", "utf-8")
    assert run(["audit", "own.jsonl"]) == 2
    assert "map: is set twice, under two names" in capsys.readouterr().err


def test_every_unknown_setting_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("costctl.toml").write_text('[audit]\ntoken_budgt = ["team"]\n\n[audits]\nby = []\n', "utf-8")
    assert run(["audit", "log.jsonl"]) == 2
    text = capsys.readouterr().err
    assert "costctl.toml:2:1: token_budgt: unknown; did you mean token_budget?" in text
    assert "costctl.toml:4:2: audits: unknown; did you mean audit?" in text


def test_broken_toml_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("costctl.toml").write_text("[audit\n", "utf-8")
    assert run(["audit", "log.jsonl"]) == 2
    assert "E320" in capsys.readouterr().err


def test_init_writes_files_that_work_and_never_overwrites(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    assert run(["audit", "log.jsonl", "--prices", "rates.yaml"]) == 0
    assert run(["init"]) == 2
    assert "--force" in capsys.readouterr().err
    lines = Path("costctl.toml").read_text("utf-8").splitlines()
    uncommented = [
        line.removeprefix("# ") if line.startswith("# ") and "=" in line and "." not in line.split("=")[0] else line
        for line in lines
    ]
    Path("costctl.toml").write_text("\n".join(uncommented), "utf-8")
    Path("tiers.yaml").write_text("intents: []\n", "utf-8")
    capsys.readouterr()
    code = run(["audit", "log.jsonl"])
    assert code in {0, 3}, capsys.readouterr().err  # the mapping of the example need not fit this log


def test_completion_is_printed_and_nothing_is_installed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    for shell in ("bash", "zsh", "fish"):
        assert run(["completion", shell]) == 0
        assert "_COSTCTL_COMPLETE" in capsys.readouterr().out
    assert run(["completion", "tcsh"]) == 2
    assert set(tmp_path.iterdir()) == before


def test_demo_audits_a_story_in_a_folder_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = answer(capsys, "demo")
    assert found["command"] == "audit"
    assert found["totals"]["request_count"] > 5000
    assert found["tables"]["anomalies"]
    assert {path.name for path in tmp_path.iterdir()} == {"log.jsonl", "costctl-demo"}


def test_formats_and_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    names = {row["format"] for row in answer(capsys, "formats")["tables"]["formats"]}
    assert {"openai", "anthropic", "litellm_payload", "litellm_spend", "claude_code", "capture", "generic"} <= names
    found = {row["what"]: row["value"] for row in answer(capsys, "doctor")["tables"]["environment"]}
    assert "never used" in found["network"]
    assert int(found["priced models"]) > 2000


def test_a_report_goes_whole_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "log.jsonl", "--output", "json", "-o", "report.json"]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(Path("report.json").read_text("utf-8"))["totals"]["request_count"] == 1
    assert not list(Path().glob(".costctl-*"))


def test_version_and_module_entry() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "costctl", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("costctl ")


def test_colours_and_control_characters_never_appear(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "log.jsonl"]) == 0
    assert "\x1b" not in capsys.readouterr().out
