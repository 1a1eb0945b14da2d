"""Latency under a policy: logged where nothing changes, drawn from the log for another model, else not said."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run

HEAD = ("id", "timestamp", "model", "prompt_tokens", "completion_tokens", "latency_ms", "prompt_hash")
TIERS = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4.1-mini]}, C: {models: [gpt-4o]}}\n"


@pytest.fixture
def simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """400 calls in one hour, half of gpt-4o at 1,000 to 1,199 ms, half of gpt-4o-mini at 100 to 299 ms."""
    with (tmp_path / "log.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEAD)
        for number in range(400):
            model, least = (("gpt-4o", 1000), ("gpt-4o-mini", 100))[number % 2]
            when = f"2026-03-02T10:{number // 60:02d}:{number % 60:02d}Z"
            rows.writerow((f"r{number}", when, model, 1000, 100, least + number // 2, f"q{number % 200}"))

    def simulate(policy: str, seed: int = 7) -> dict[str, Any]:
        (tmp_path / "policy.yaml").write_text("version: 1\n" + policy, "utf-8")
        where = ["--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
        assert run(["simulate", str(tmp_path / "log.csv"), "--seed", str(seed), *where]) == 0
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return simulate


def latency(report: dict[str, Any], whose: str) -> list[float]:
    return [float(report["totals"][f"{whose}_latency_ms_p{percent}"]) for percent in (50, 95, 99)]


def test_without_a_change_it_is_the_logged_one(simulated: Any) -> None:
    report = simulated("")
    assert latency(report, "policy") == latency(report, "baseline")
    assert "policy_latency_ms_p50_low" not in report["totals"]
    assert report["provenance"]["status"]["policy_latency_ms_p99"] == "replayed"


def test_moved_calls_take_as_long_as_that_model_took(simulated: Any) -> None:
    report = simulated(f"{TIERS}routing: {{default: A}}\n")
    p50, _, p99 = latency(report, "policy")
    assert 170 < p50 < 230
    assert p99 <= 299
    totals = report["totals"]
    assert float(totals["policy_latency_ms_p50_low"]) <= p50 <= float(totals["policy_latency_ms_p50_high"])
    assert report["provenance"]["status"]["policy_latency_ms_p50"] == "estimated"
    assert latency(simulated(f"{TIERS}routing: {{default: A}}\n"), "policy") == latency(report, "policy")


def test_a_model_without_a_logged_latency_has_none(simulated: Any) -> None:
    report = simulated(f"{TIERS}routing: {{default: B}}\n")
    assert "policy_latency_ms_p50" not in report["totals"]
    assert "openai/gpt-4.1-mini" in report["provenance"]["not_computed"]["policy_latency_ms"]


def test_a_cache_hit_counts_as_nothing_and_says_so(simulated: Any) -> None:
    report = simulated("cache: {exact: {ttl: 1h, scope: []}}\n")
    assert report["totals"]["exact_hit_ratio"] == 0.5
    assert latency(report, "policy")[0] < 1000 < latency(report, "policy")[1]
    assert "W207" in {warning["code"] for warning in report["warnings"]}


def test_refused_calls_leave_the_distribution_and_that_is_said(simulated: Any) -> None:
    """All calls of gpt-4o ($0.0035) are refused; those of gpt-4o-mini took 100 to 299 ms in the log already."""

    def left_out(policy: str) -> list[str]:
        return [one["message"] for one in simulated(policy)["warnings"] if one["code"] == "W226"]

    (said,) = left_out("budgets: {usd_per_request_max: 0.001, over: refuse}\n")
    # 100 + 0.5 x 199 and 100 + 0.95 x 199; p99 needs 299 latencies.
    assert said == (
        "calls that the policy's latencies leave out, and those of the log do not: 200 refused; the calls that are "
        "left took p50 199.5 ms, p95 289.1 ms in the log"
    )
    assert left_out("budgets: {usd_per_request_max: 0.001}\n") == []
