"""The plan that people argue with: 1,000 + 1,000 tokens a request, moved to a cheaper model, half of it cached."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from costctl.cli import run

POLICY = """
version: 1
tiers: {A: {models: [claude-3-haiku]}, C: {models: [gpt-4o]}}
routing: {default: C%s}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
%s
"""
TO_HAIKU = ", rules: [{name: simple, when: {endpoint: /simple}, to: A}]"
CACHED = "cache: {exact: {ttl: 24h, scope: [endpoint]}}"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 requests, a hundredth of the million; every question is asked twice, 70 % of them are simple."""
    path = tmp_path_factory.mktemp("plan") / "plan.csv"
    start = datetime(2026, 3, 2, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "timestamp", "model", "endpoint", "prompt_tokens", "completion_tokens", "prompt_hash"))
        for number in range(10_000):
            endpoint = "/simple" if number % 10 < 7 else "/hard"
            when = (start + timedelta(seconds=number)).isoformat()
            rows.writerow((f"r{number}", when, "gpt-4o", endpoint, 1000, 1000, f"q{number % 5000}"))
    return path


@pytest.mark.parametrize(
    ("rules", "cache", "policy_cost_usd"),
    [("", "", "125.000000000000"), (TO_HAIKU, "", "48.000000000000"), (TO_HAIKU, CACHED, "24.000000000000")],
)
def test_the_plan_costs_what_it_says(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str, cache: str, policy_cost_usd: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % (rules, cache), "utf-8")
    found = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
    assert run(["simulate", str(log), *found]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert totals["baseline_cost_usd"] == "125.000000000000"
    assert totals["policy_cost_usd"] == policy_cost_usd
    assert totals["exact_hit_ratio"] == (0.5 if cache else 0.0)
