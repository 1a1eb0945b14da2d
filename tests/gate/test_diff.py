"""`costctl diff`: two runs beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.gate.runs import write_run


def diff(tmp_path: Path, capsys: pytest.CaptureFixture[str], base: Any, head: Any, output: str = "json") -> Any:
    files = [write_run(tmp_path / name, **made) for name, made in (("base.json", base), ("head.json", head))]
    assert run(["diff", *files, "--output", output]) == 0
    out = capsys.readouterr().out
    return json.loads(out) if output == "json" else out


def test_an_arrow_stands_only_where_the_change_exceeds_its_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = {"policy_cost_usd": "6.500000000000", "policy_cost_usd_high": "7.500000000000", "cache_hit_ratio": 0.2,
            "saving_ratio": 0.1, "saving_ratio_low": 0.05, "saving_ratio_high": 0.2,
            "policy_latency_ms_p99": "950.0"}  # fmt: skip
    answer = diff(tmp_path, capsys, {}, {"totals": head})
    rows = {row["metric"]: row for row in answer["tables"]["diff"]}
    assert {name: row["arrow"] for name, row in rows.items()} == {
        "baseline_cost_usd": "", "policy_cost_usd": "≈", "saving_ratio": "↓", "policy_latency_ms_p99": "≈",
        "cache_hit_ratio": "↑", "moved_count": "",
    }  # fmt: skip
    cost = rows["policy_cost_usd"]
    assert (cost["base"], cost["now"], cost["change"]) == ("6.000000000000", "6.500000000000", "0.500000000000")
    assert (cost["change_low"], cost["change_high"]) == ("-2.000000000000", "2.500000000000")
    assert rows["policy_latency_ms_p99"]["change_high"] is None  # no upper end in either run
    assert (answer["totals"]["changed_count"], answer["totals"]["uncertain_count"]) == (2, 2)


def test_tiers_and_gates_of_either_run_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = {"tiers": [("A", 0.75, "1.000000000000"), ("C", 0.25, "5.000000000000")],
            "gates": [("PASS", "saving_ratio >= 0.3", "0.3", "error")]}  # fmt: skip
    head = {"tiers": [("A", 0.5, "0.500000000000"), ("B", 0.5, "2.000000000000")],
            "gates": [("FAIL", "saving_ratio >= 0.3", "0.2", "error"),
                      ("PASS", "call_count > 1", "100", "warn")]}  # fmt: skip
    tables = diff(tmp_path, capsys, base, head)["tables"]
    assert [(row["tier"], row["base_share_ratio"], row["now_share_ratio"], row["change_ratio"], row["change_usd"])
            for row in tables["tiers"]] == [
        ("A", 0.75, 0.5, -0.25, "-0.500000000000"), ("B", None, 0.5, None, None), ("C", 0.25, None, None, None),
    ]  # fmt: skip
    assert [(row["gate"], row["base_verdict"], row["now_verdict"]) for row in tables["gates"]] == [
        ("saving_ratio >= 0.3", "PASS", "FAIL"), ("call_count > 1", None, "PASS"),
    ]  # fmt: skip


@pytest.mark.parametrize("output", ["github", "gitlab"])
def test_a_gate_is_the_same_finding_of_a_diff_and_of_a_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """At the file of the policy, whatever it is called."""
    head = {"gates": [("FAIL", "saving_ratio >= 0.35", "0.3", "error")], "policy_file": "ops/g2.yaml"}
    told = diff(tmp_path, capsys, {}, head, output)
    assert run(["gate", str(tmp_path / "head.json"), "--output", output]) in {0, 6}
    alone = capsys.readouterr().out
    assert "ops/g2.yaml" in told
    assert "policy.yaml" not in told + alone
    if output == "gitlab":
        assert [one["fingerprint"] for one in json.loads(told)] == [one["fingerprint"] for one in json.loads(alone)]


@pytest.mark.parametrize("output", ["table", "markdown", "csv"])
def test_every_form_shows_units(tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    text = diff(tmp_path, capsys, {}, {"totals": {"cache_hit_ratio": 0.2}}, output)
    assert ("0.2" if output == "csv" else "20.0 %") in text


def test_runs_of_other_calls_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write_run(tmp_path / "a.json"), write_run(tmp_path / "b.json", calls_digest="another")
    assert run(["diff", one, other]) == 2
    assert "error[E431]" in capsys.readouterr().err
