"""Own tier rules from the audit on: what is exported carries them, and a profile says how it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.cli import run

LOG = [
    {"time": f"2026-06-1{n}T10:00:00Z", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100,
     "prompt": f"Translate {n} to Spanish"}
    for n in range(3)
]  # fmt: skip
POLICY = """version: 1
name: small
tiers: {A: {models: [gpt-4o-mini]}}
routing: {default: A}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text("\n".join(map(json.dumps, LOG)), "utf-8")
    Path("policy.yaml").write_text(POLICY, "utf-8")
    assert run(["init", "--tier-rules"]) == 0
    text = Path("tiers.yaml").read_text("utf-8")
    Path("tiers.yaml").write_text(text + "\n# ours\n", "utf-8")
    return tmp_path


def test_an_export_beside_a_simulation_is_of_the_rules_of_the_audit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "log.jsonl", "--tier-rules", "tiers.yaml"]) == 0
    exported = ["simulate", "--export", str(folder / "out")]
    capsys.readouterr()
    assert run(exported) != 0
    error = capsys.readouterr().err
    assert "E479" in error
    assert "--tier-rules FILE" in error
    assert run(["simulate"]) == 0  # nothing is handed on
    assert run([*exported, "--tier-rules", "tiers.yaml"]) == 0
    assert run(["simulate", "log.jsonl", "--export", str(folder / "out"), "--tier-rules", "tiers.yaml"]) == 0


def test_a_profile_of_own_rules_is_read_as_its_error_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile", "log.jsonl", "--tier-rules", "tiers.yaml", "-o", "p.parquet"]) == 0
    assert run(["simulate", "p.parquet", "--db", str(folder / "other" / "x.duckdb")]) != 0
    error = capsys.readouterr().err
    assert "E129" in error
    assert "costctl audit p.parquet --tier-rules FILE" in error
    database = ["--db", str(folder / "other" / "x.duckdb")]
    assert run(["audit", "p.parquet", "--tier-rules", "tiers.yaml", *database]) == 0
    assert run(["simulate", *database]) == 0
