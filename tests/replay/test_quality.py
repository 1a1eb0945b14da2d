"""Quality is told only where the log has scores, and only of the models that were scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run

ROWS = """id,timestamp,model,endpoint,prompt_tokens,completion_tokens,score
r0,2026-03-02T00:00:00Z,gpt-4o,/a,1000,100,0.9
r1,2026-03-02T00:01:00Z,gpt-4o,/a,1000,100,0.8
r2,2026-03-02T00:02:00Z,gpt-4o-mini,/a,1000,100,0.6
r3,2026-03-02T00:03:00Z,gpt-4o,/b,1000,100,1
r4,2026-03-02T00:04:00Z,gpt-4o,/b,1000,100,
"""
POLICY = """version: 1
tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}
routing: {default: A, rules: [{name: b, when: {endpoint: /b}, to: C}]}
"""


def simulated(folder: Path, capsys: pytest.CaptureFixture[str], rows: str) -> dict[str, Any]:
    (folder / "log.csv").write_text(rows, "utf-8")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    where = ["--policy", str(folder / "policy.yaml"), "--db", str(folder / "c.duckdb"), "--output", "json"]
    assert run(["simulate", str(folder / "log.csv"), *where]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_scores_are_told_by_tier_and_scored_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = simulated(tmp_path, capsys, ROWS)
    assert [tuple(row.values()) for row in report["tables"]["quality"]] == [
        ("A", "openai/gpt-4o", 2, 0.85, 2, "log"),
        ("A", "openai/gpt-4o-mini", 1, 0.6, 0, "log"),
        ("C", "openai/gpt-4o", 1, 1.0, 0, "log"),
    ]
    assert "of the models that answered" in report["provenance"]["not_computed"]["quality"]


def test_without_scores_there_is_no_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = simulated(tmp_path, capsys, "\n".join(line.rpartition(",")[0] for line in ROWS.splitlines()) + "\n")
    assert report["tables"]["quality"] == []
    assert report["provenance"]["not_computed"]["quality"] == "no evidence: the log has no scores"
