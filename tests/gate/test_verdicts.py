"""Gates: what passes, what fails, and what gives no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from costctl.cli import run
from costctl.errors import CostctlError
from costctl.gate.verdicts import is_broken, judge
from costctl.policy.figures import METRICS
from costctl.policy.load import parse_policy
from costctl.report import Report
from tests.support import ROOT

TOTALS = {
    "saving_ratio": 0.4, "saving_ratio_low": 0.3, "saving_ratio_high": 0.5, "cache_hit_ratio": 0.1, "moved_count": 7,
    "prompt_cache_read_ratio": 0.9, "policy_latency_ms_p99": 900.0, "policy_latency_ms_p99_low": 800.0,
}  # fmt: skip
STATUS = dict.fromkeys(TOTALS, "estimated") | {
    "cache_hit_ratio": "replayed", "moved_count": "exact", "prompt_cache_read_ratio": "replayed under assumption",
}  # fmt: skip
REPORT = Report("simulate", TOTALS, {}, (), {"status": STATUS, "not_computed": {"fallback_count": "no attempts"}})


@pytest.mark.parametrize(
    ("gate", "verdict", "value"),
    [
        ("cache_hit_ratio >= 0.1", "PASS", "0.1"),
        ("cache_hit_ratio > 0.1", "FAIL", "0.1"),
        ("moved_count = 7", "PASS", "7"),
        ("saving_ratio >= 0.3", "PASS", "0.3"),  # at the worse end
        ("saving_ratio >= 0.35", "FAIL", "0.3"),
        ("saving_ratio <= 0.5", "PASS", "0.5"),
        ("saving_ratio < 0.45", "FAIL", "0.5"),
        ("policy_latency_ms_p99 <= 1000", "NOT RUN", "900"),  # too few calls for an upper bound
        ("prompt_cache_read_ratio >= 0.5", "NOT RUN", "0.9"),
        ("prompt_cache_read_ratio >= 0.95", "FAIL", "0.9"),
        ("fallback_count <= 5", "NOT RUN", None),
    ],
)
def test_verdicts(gate: str, verdict: str, value: str | None) -> None:
    gates = parse_policy(f"version: 1\ngates: ['{gate}']\n", "p").gates
    judged = judge(REPORT, gates)
    (row,) = judged.tables["gates"].dicts()
    assert (row["verdict"], row["value"]) == (verdict, value)
    assert is_broken(judged) == (verdict != "PASS")


def test_a_gate_of_level_warn_breaks_nothing() -> None:
    gates = parse_policy("version: 1\ngates: [{gate: 'cache_hit_ratio >= 0.9', level: warn}]\n", "p").gates
    assert not is_broken(judge(REPORT, gates))


def test_unknown_figures_are_told_with_every_other_problem_and_their_place() -> None:
    text = """version: 1
gates:
  - 'saving_rate >= 0.4'
  - {gate: 'x > 1', level: warn}
  - 'moved_count > 1'
tiers: {A: {models: [gpt-4o], timeout_s: soon}}
"""
    with pytest.raises(CostctlError) as caught:
        parse_policy(text, "p")
    assert caught.value.code == "E401"
    found = [(problem.key, problem.line) for problem in caught.value.problems]
    assert found == [("gates[0]", 3), ("gates[1].gate", 4), ("tiers.A.timeout_s", 6)]
    assert "did you mean saving_ratio?" in caught.value.message


def test_every_total_that_can_be_a_gate_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken gate ends with 6 after the whole report, and no total of a simulation is missing from METRICS."""
    import json

    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\ncache: {exact: {ttl: 24h}}\ngates: ['exact_hit_ratio >= 0.5']\n", "utf-8")
    log = str(ROOT / "sample_logs" / "story.jsonl.gz")
    where = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb")]
    assert run(["simulate", log, *where, "--output", "json"]) == 6
    report = json.loads(capsys.readouterr().out)
    assert report["tables"]["gates"][0]["verdict"] == "FAIL"
    assert {name for name in report["totals"] if not name.endswith(("_low", "_high"))} <= set(METRICS)
    policy.write_text("version: 1\ncache: {exact: {ttl: 24h}}\ngates: ['exact_hit_ratio >= 0.05']\n", "utf-8")
    assert run(["simulate", log, *where]) == 0
    assert "PASS" in capsys.readouterr().out
