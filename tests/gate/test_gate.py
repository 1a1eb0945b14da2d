"""`costctl gate`: conditions that break a run, the gates stored with it, and bounds on changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from costctl.cli import run
from costctl.gate.conditions import read_conditions
from tests.gate.runs import write_run
from tests.support import ROOT


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Exit code, verdict and value of each gate of the usual run."""
    base = write_run(tmp_path / "base.json", {"policy_cost_usd": "5.000000000000"})

    def judged(*options: str, **changed: Any) -> tuple[int, list[tuple[str, str, Any]]]:
        options = tuple(base if one == "BASE" else one for one in options)
        code = run(["gate", write_run(tmp_path / "run.json", **changed), *options, "--output", "json"])
        answer = json.loads(capsys.readouterr().out)
        jsonschema.validate(answer, json.loads((ROOT / "costctl/render/report.schema.json").read_text("utf-8")))
        return code, [(row["gate"], row["verdict"], row["value"]) for row in answer["tables"]["gates"]]

    return judged


@pytest.mark.parametrize(
    ("condition", "gate", "verdict", "value"),
    [
        ("cache_hit_ratio < 0.1", "cache_hit_ratio >= 0.1", "PASS", "0.1"),
        ("cache_hit_ratio <= 0.1", "cache_hit_ratio > 0.1", "FAIL", "0.1"),
        ("saving_ratio < 0.35", "saving_ratio >= 0.35", "FAIL", "0.3"),  # at the worse end, though 0.4 is more
        ("saving_ratio > 0.45", "saving_ratio <= 0.45", "FAIL", "0.5"),
        ("call_count = 100", "call_count != 100", "FAIL", "100"),
        ("call_count = 99", "call_count != 99", "PASS", "100"),
        ("saving_ratio < 35%", "saving_ratio >= 0.35", "FAIL", "0.3"),
        ("policy_latency_ms_p99 > 0.5s", "policy_latency_ms_p99 <= 500", "NOT RUN", "900"),
        ("policy_cost_usd > 1k", "policy_cost_usd <= 1000", "PASS", "7"),
        ("policy_latency_ms_p99 > 1000", "policy_latency_ms_p99 <= 1000", "NOT RUN", "900"),
        ("fallback_count > 1", "fallback_count <= 1", "NOT RUN", None),
    ],
)
def test_a_condition_is_the_inverse_of_a_gate(judge: Any, condition: str, gate: str, verdict: str, value: Any) -> None:
    """It is judged as that gate is, and stands in the report as it was written."""
    assert judge("--fail-if", condition) == (0 if verdict == "PASS" else 6, [(f"fail if {condition}", verdict, value)])
    (inverse,) = read_conditions([condition], [], has_base=False)
    assert f"{inverse.metric} {inverse.operator} {inverse.bound}" == gate
    assert judge("--warn-if", condition)[0] == 0
    assert judge("--fail-if", condition, "--gate-exit-code", "9")[0] == (0 if verdict == "PASS" else 9)


def test_a_bound_that_is_asked_for_twice_is_judged_once(judge: Any) -> None:
    """However it is written; a warning that is also asked for as an error is one."""
    stored = [("FAIL", "saving_ratio >= 0.90", "0.1", "warn"), ("PASS", "call_count > 1", "100", "error")]
    once = [("saving_ratio >= 0.90", "FAIL", "0.3"), ("call_count > 1", "PASS", "100")]
    assert judge("--warn-if", "saving_ratio < 0.9", "--warn-if", "call_count <= 1", gates=stored) == (0, once)
    as_error = [("fail if saving_ratio < 0.9", "FAIL", "0.3"), once[1]]
    assert judge("--fail-if", "saving_ratio < 0.9", gates=stored) == (6, as_error)


def test_an_empty_condition_asks_nothing(judge: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A variable of a job that is not set; without any gate it is a mistake as before."""
    stored = [("PASS", "call_count > 1", "100", "error")]
    assert judge("--fail-if", "", "--warn-if", " ", gates=stored) == (0, [("call_count > 1", "PASS", "100")])
    assert run(["gate", write_run(tmp_path / "none.json"), "--fail-if", ""]) == 2
    assert "E481" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("saving_ratio = 0.2", "= is for counts"),
        ("call_count < 20%", "call_count is not measured in %"),
        ("policy_cost_usd_growth_ratio > 3s", "is not measured in s"),
        ("saving_ratio == 0.2", "one of >=, <=, >, < (of counts also =)"),
    ],
)
def test_a_condition_that_cannot_run_is_refused_with_the_way_to_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], condition: str, says: str
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"version: 1\ntiers: {{A: {{models: [gpt-4o]}}}}\ngates: ['{condition}']\n", "utf-8")
    for words in (["gate", write_run(tmp_path / "r.json"), "--fail-if", condition], ["policy", "check", str(path)]):
        assert run(words) == 2
        assert says in " ".join(capsys.readouterr().err.split())


def test_a_policy_bounds_no_change_between_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.yaml"
    gates = "gates: ['policy_cost_usd_growth_ratio < 5%']"
    path.write_text(f"version: 1\ntiers: {{A: {{models: [gpt-4o]}}}}\n{gates}\n", "utf-8")
    assert run(["policy", "check", str(path)]) == 2
    assert "it is for costctl gate --compare-to base.json --fail-if" in " ".join(capsys.readouterr().err.split())


def test_the_gates_of_the_policy_are_judged_again_and_come_first(judge: Any) -> None:
    """Their stored verdicts are not believed: a run may be older than this version's rules."""
    stored = [("PASS", "cache_hit_ratio >= 0.2", "0.1", "error"), ("FAIL", "call_count = 100", "100", "warn")]
    code, found = judge("--fail-if", "moved_count > 0", gates=stored)
    assert code == 6
    assert [verdict for _, verdict, _ in found] == ["FAIL", "PASS", "PASS"]


@pytest.mark.parametrize(
    ("condition", "verdict", "value"),
    [
        ("saving_ratio_delta < 0", "PASS", "0"),  # the same with both ends: nothing changed
        ("policy_cost_usd_delta > 2", "PASS", "2"),  # 7 - 5, from the highest of now to the lowest of then
        ("policy_cost_usd_delta > 1.9", "FAIL", "2"),
        ("policy_cost_usd_growth_ratio > 0.3", "FAIL", "0.4"),
        ("moved_count_delta > 0", "PASS", "0"),
        ("moved_count_growth_ratio > 0", "NOT RUN", None),  # of 0
        ("policy_latency_ms_p99_delta > 1", "PASS", "0"),
        ("fallback_count_delta > 1", "NOT RUN", None),
    ],
)
def test_changes_are_figures(judge: Any, condition: str, verdict: str, value: Any) -> None:
    code, ((_, found, told),) = judge("--compare-to", "BASE", "--fail-if", condition)
    assert (found, told) == (verdict, value)
    assert code == (0 if verdict == "PASS" else 6)


def test_what_is_no_condition_is_refused_before_any_file_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    conditions = ["saving_rati < 1", "saving_ratio is small", "saving_ratio_delta < 0", "saving_ratio < 20"]
    code = run(["gate", "no-such-run.json", *(word for text in conditions for word in ("--fail-if", text))])
    told = capsys.readouterr().err
    assert code == 2
    assert told.startswith("error[E480]")
    for part in (
        "did you mean saving_ratio?", "'saving_ratio is small' is no comparison", "needs an earlier run",
        "'saving_ratio < 20' is always so: the gate saving_ratio >= 20 can never hold",
    ):  # fmt: skip
        assert part in told


def test_a_run_without_any_gate_passes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gate", write_run(tmp_path / "run.json")]) == 2
    assert "error[E481]" in capsys.readouterr().err


@pytest.mark.parametrize("break_it", [{"status": None}, {"status": {}}, {"not_computed": [1]}])
def test_a_damaged_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], break_it: Any) -> None:
    path = write_run(tmp_path / "run.json", **break_it)
    assert run(["gate", path, "--fail-if", "call_count < 1"]) == 3
    assert "error[E430]" in capsys.readouterr().err


def test_a_stored_gate_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(tmp_path / "run.json", gates=[("PASS", "rm -rf", None, "error")])
    assert run(["gate", path]) == 3
    assert "error[E430]" in capsys.readouterr().err


def test_runs_of_other_calls_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write_run(tmp_path / "a.json"), write_run(tmp_path / "b.json", calls_digest="another")
    assert run(["gate", one, "--compare-to", other, "--fail-if", "saving_ratio_delta < 0"]) == 2
    assert "error[E431]" in capsys.readouterr().err


def test_a_run_of_simulate_is_judged_as_simulate_judged_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the story log: the same verdicts from the file as from the replay itself."""
    policy, kept = tmp_path / "policy.yaml", tmp_path / "run.json"
    policy.write_text(
        "version: 1\ncache: {exact: {ttl: 24h}}\ngates: ['exact_hit_ratio >= 0.05', 'saving_ratio >= 0.9',"
        " {gate: 'policy_latency_ms_p95 <= 1', level: warn}]\n",
        "utf-8",
    )
    where = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json", "-o", str(kept)]
    assert run(["simulate", str(ROOT / "sample_logs" / "story.jsonl.gz"), *where]) == 6
    assert run(["gate", str(kept), "--output", "json"]) == 6
    judged = json.loads(capsys.readouterr().out)["tables"]["gates"]
    assert judged == json.loads(kept.read_text("utf-8"))["tables"]["gates"]


def test_a_screen_of_80_columns_cuts_no_gate_and_no_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    base, now = write_run(tmp_path / "base.json"), write_run(tmp_path / "run.json")
    run(["gate", now, "--compare-to", base, "--fail-if", "policy_cost_usd_growth_ratio > 0.1",
         "--fail-if", "fallback_count > 200"])  # fmt: skip
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
