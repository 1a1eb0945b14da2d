"""The whole example of the design, over the story: every key at once, and figures that sum exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import ROOT

EXAMPLE = ROOT / "tests" / "policy" / "example.yaml"
STORY = ROOT / "sample_logs" / "story.jsonl.gz"


def column(report: dict[str, Any], table: str, name: str) -> Decimal:
    """The sum of a column of dollars."""
    return sum((Decimal(row[name]) for row in report["tables"][table] if row[name] is not None), Decimal(0))


def test_the_example_is_replayed_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", str(EXAMPLE)]) == 0
    capsys.readouterr()
    made = tmp_path / "made.jsonl"
    asked = ["--staged", "--decisions", str(made), "--output", "json", "--db", str(tmp_path / "c.duckdb")]
    assert run(["simulate", str(STORY), "--policy", str(EXAMPLE), *asked]) == 6  # its gates ask for a real saving
    report = json.loads(capsys.readouterr().out)
    total = report["totals"]
    baseline, spent = Decimal(total["baseline_cost_usd"]), Decimal(total["policy_cost_usd"])
    assert column(report, "waterfall", "change_usd") == spent - baseline
    assert column(report, "staged", "added_usd") == baseline - spent == Decimal(total["saving_usd"])
    for table in ("by_tier", "by_model", "daily"):
        assert column(report, table, "policy_cost_usd") == spent, table
    assert column(report, "arms", "policy_cost_usd") == spent
    rows = [json.loads(line) for line in made.read_text("utf-8").splitlines()]
    assert len(rows) == total["call_count"]
    assert sum(Decimal(row["policy_cost_usd"]) for row in rows) == spent
    assert sum(Decimal(row["baseline_cost_usd"]) for row in rows) == baseline
    # Each stage that the story has calls for has an effect.
    moved = {row["stage"] for row in report["tables"]["waterfall"] if row["call_count"]}
    assert moved >= {
        "exact_cache", "semantic_cache", "route", "budgets", "compression", "context", "attempts", "prompt_cache",
        "post_process", "self_hosted",
    }  # fmt: skip
    for name in ("degraded_count", "escalated_count", "retry_count", "hedge_count", "timeout_count", "fallback_count"):
        assert total[name] > 0, name
    gates = [(row["gate"].split()[0], row["verdict"]) for row in report["tables"]["gates"]]
    assert gates == [
        ("saving_ratio", "FAIL"), ("policy_latency_ms_p95", "FAIL"), ("cache_hit_ratio", "FAIL"),
        ("routing_accuracy_ratio", "NOT RUN"),
    ]  # fmt: skip
    as_logged, outage = report["tables"]["scenarios"]
    assert {**outage, "scenario": "as logged", "what": ""} == as_logged  # Thursday of the example is not in the story
