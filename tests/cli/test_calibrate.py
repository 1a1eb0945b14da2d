"""costctl calibrate: a threshold with its bound, or the reason why there is none."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from costctl.cli import run

POLICY = "version: 1\ncache: {semantic: {serve_min: 0.9, ttl: 30d}}\n"
QUESTIONS = 120


def subject_of(number: int) -> str:
    """Six words that no other question has."""
    rng = Random(f"subject {number}")
    return " ".join("".join(rng.choice("bdfglmnprst") + rng.choice("aeiou") for _ in range(3)) for _ in range(6))


def made(folder: Path, wrong_every: int) -> tuple[Path, Path]:
    """A log in which each question comes again in other words, and labels by which some of them need another answer."""
    log, labels = folder / "log.jsonl", folder / "labels.jsonl"
    calls, said = [], []
    for number in range(QUESTIONS):
        subject = subject_of(number)
        for turn, words in enumerate((subject, f"{subject} please")):
            name = f"r{number}-{turn}"
            minute = 2 * number + turn
            calls.append({
                "id": name, "timestamp": f"2026-03-02T{minute // 60:02}:{minute % 60:02}:00Z", "model": "gpt-4o",
                "messages": [{"role": "user", "content": words}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10},
            })  # fmt: skip
            is_wrong = turn and wrong_every and number % wrong_every == 0
            said.append({"request_id": name, "answer_label": f"{subject}{'!' if is_wrong else ''}"})
    log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
    labels.write_text("".join(json.dumps(one) + "\n" for one in said), "utf-8")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    return log, labels


def calibrated(folder: Path, capsys: pytest.CaptureFixture[str], log: Path, *more: str) -> tuple[int, Any]:
    """Exit code, and the report or what was said instead."""
    code = run(["calibrate", str(log), "--policy", str(folder / "policy.yaml"), "--db", str(folder / "w" / "c.duckdb"),
                "--output", "json", *more])  # fmt: skip
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if code == 0 else captured.err


def test_the_lowest_threshold_within_the_bound_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    code, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    assert code == 0
    total = report["totals"]
    assert 0.8 <= total["serve_min"] < 0.99
    assert total["wrong_upper_ratio"] <= 0.1
    assert report["provenance"]["status"]["wrong_upper_ratio"] == "bounded"
    assert report["provenance"]["judged_by"] == "labels"
    assert all(row["wrong_count"] == 0 for row in report["tables"]["tried"])


def test_where_too_many_are_wrong_none_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=3)
    code, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    assert code == 0
    assert "serve_min" not in report["totals"]
    assert "too many of the judged hits are wrong" in report["provenance"]["not_computed"]["serve_min"]
    assert [one["code"] for one in report["warnings"]] == ["W235"]


def test_too_few_hits_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    _, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.005")
    assert report["provenance"]["not_computed"]["serve_min"].startswith("too few:")


def test_without_labels_and_answers_nothing_can_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, _ = made(tmp_path, wrong_every=0)
    code, said = calibrated(tmp_path, capsys, log)
    assert code == 4
    assert "E461" in said


def test_labels_judge_the_hits_of_a_simulation_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=3)
    (tmp_path / "policy.yaml").write_text(POLICY.replace("0.9", "0.8"), "utf-8")
    arguments = [
        "--policy",
        str(tmp_path / "policy.yaml"),
        "--db",
        str(tmp_path / "w" / "c.duckdb"),
        "--output",
        "json",
    ]
    assert run(["simulate", str(log), "--scores", str(labels), *arguments]) == 0
    total = json.loads(capsys.readouterr().out)["totals"]
    # Each of 120 second questions is a hit on the first, every third one wrongly.
    assert total["semantic_hit_ratio"] == pytest.approx(0.5)
    assert total["wrong_per_hit_ratio"] == pytest.approx(1 / 3)
    assert total["wrong_per_hit_ratio_low"] < 1 / 3 < total["wrong_per_hit_ratio_high"]
    assert total["wrong_per_request_ratio"] == pytest.approx(1 / 6)
