"""Quality of a policy from a log that drew its models with known chances: coverage, columns, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costctl.cli import run
from costctl.evaluate.logged_choices import estimate_of
from costctl.evaluate.off_policy import Estimate, Refused
from tests.replay.reports import ASSUME, TIERS, Reports

MODELS = ("gpt-4o-mini", "gpt-4.1-mini", "gpt-4o")
RIGHT = np.array([0.5, 0.7, 0.9])  # the chance of a right answer to a hard request, by model; easy ones 0.95
CHANCES = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])  # the log's, of easy and of hard requests
TRUTH = 0.5 * 0.95 + 0.5 * 0.7
"""The policy below sends easy requests (half) to the first model and hard ones to the second."""
POLICY = f"{TIERS}{ASSUME}routing: {{default: A, rules: [{{name: hard, when: {{endpoint: /hard}}, to: B}}]}}\n"
NAMES = ("request_id", "timestamp", "model", "endpoint", "prompt_tokens", "completion_tokens", "score", "propensity")
Logged = tuple[Any, Any, Any, Any]


def logged(seed: int, count: int) -> Logged:
    """Which requests are hard, what the log chose, with which chance, and how good that was."""
    draws = np.random.default_rng(seed)
    is_hard = draws.random(count) < 0.5
    chosen = (draws.random(count)[:, None] > CHANCES[is_hard.astype(int)].cumsum(axis=1)).sum(axis=1)
    right = np.where(is_hard, RIGHT[chosen], 0.95)
    return is_hard, chosen, CHANCES[is_hard.astype(int), chosen], (draws.random(count) < right).astype(float)


def made(log: Logged, target: Any = None) -> Estimate | Refused:
    is_hard, chosen, chance, score = log
    return estimate_of(score, chosen == is_hard.astype(int), chance, np.full(len(chosen), np.nan))


def write(folder: Path, log: Logged, propensity: str = "propensity", **left_out: Any) -> Path:
    is_hard, chosen, chance, score = log
    path = folder / "log.csv"
    with path.open("w", encoding="utf-8", newline="") as target:
        out = csv.writer(target)
        out.writerow([*NAMES[:-1], propensity])
        for n, (hard, model, p, s) in enumerate(zip(is_hard, chosen, chance, score, strict=True)):
            at = f"2026-03-02T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z"
            cells = [f"r{n}", at, MODELS[model], "/hard" if hard else "/easy", 1000, 100, s, left_out.get("p", p)]
            out.writerow(cells)
    return path


@pytest.fixture
def reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reports:
    found = Reports(tmp_path, capsys)
    found.policy.write_text("version: 1\n" + POLICY, "utf-8")
    return found


def told(reports: Reports, *options: str) -> Any:
    code, out, err = reports.said(*options)
    assert code == 0, err
    return json.loads(out)


def reason(report: Any) -> str:
    assert "off_policy_quality_mean" not in report["totals"]
    return str(report["provenance"]["not_computed"]["off_policy_quality_mean"])


def test_intervals_cover_the_truth_of_a_known_policy() -> None:
    """200 logs of 1,500 requests; 190 are expected, 180 are asked for, and more than 199 would be no 95 %."""
    covered, widths = 0, []
    for seed in range(200):
        found = made(logged(seed, 1500))
        assert isinstance(found, Estimate), found
        covered += found.low <= TRUTH <= found.high
        widths.append(found.high - found.low)
    assert 180 <= covered <= 199
    assert float(np.median(widths)) < 0.12  # and they say something: scores as logged are 0.06 off at the least
    naive = np.array([float(log[3].mean()) for log in (logged(seed, 1500) for seed in range(50))])
    assert abs(float(naive.mean()) - TRUTH) > 0.02


def test_a_simulation_tells_the_estimate_of_the_column(reports: Reports) -> None:
    log = logged(7, 1200)
    write(reports.folder, log)
    report = told(reports)
    found = made(log)
    assert isinstance(found, Estimate)
    totals = report["totals"]
    assert totals["off_policy_quality_mean"] == round(found.mean, 4)
    assert totals["off_policy_quality_mean_low"] == round(found.low, 4) < TRUTH
    assert totals["off_policy_quality_mean_high"] == round(found.high, 4) > TRUTH
    assert (totals["off_policy_call_count"], totals["off_policy_effective_count"]) == (1200, int(found.ess))
    assert report["provenance"]["status"]["off_policy_quality_mean"] == "estimated"
    screen = reports.said(output="table")[1]
    assert f"mean score by the log's chances (SNIPS): {round(found.mean, 4)} (" in screen
    assert f"as sure as {int(found.ess):,} scores would make it" in screen
    assert "mean score of all answers: " in screen


def test_a_mapped_column_and_a_file_of_scores_say_the_same(reports: Reports) -> None:
    log = logged(7, 600)
    write(reports.folder, log)
    first = told(reports)["totals"]
    write(reports.folder, log, propensity="how_likely")
    audited(reports, "--map", "propensity=how_likely")
    assert told_of_audited(reports)["totals"] == first
    _, chosen, chance, _ = log
    lines = [f"r{n},{MODELS[one]},{p}" for n, (one, p) in enumerate(zip(chosen, chance, strict=True))]
    write(reports.folder, log, propensity="how_likely")
    scores = reports.scores("\n".join(["request_id,model,propensity", *lines]) + "\n")
    found = told(reports, "--scores", scores)["totals"]
    names = [name for name in first if name.startswith("off_policy")]
    assert len(names) == 5
    assert {name: found[name] for name in names} == {name: first[name] for name in names}


def audited(reports: Reports, *options: str) -> Any:
    where = ["--db", str(reports.folder / "c.duckdb"), "--output", "json"]
    assert run(["audit", str(reports.log), *where, *options]) == 0
    return json.loads(reports.out())


def told_of_audited(reports: Reports) -> Any:
    where = ["--db", str(reports.folder / "c.duckdb"), "--output", "json"]
    assert run(["simulate", "--policy", str(reports.policy), *where]) == 0
    return json.loads(reports.out())


def test_a_fixed_policy_is_refused(reports: Reports) -> None:
    write(reports.folder, logged(7, 400), p=1)
    assert "calls the log would hardly ever have done what the new policy does" in reason(told(reports))


def test_a_model_that_the_log_never_tried_is_refused(reports: Reports) -> None:
    """Hard requests only ever went to the third model, with a stated chance of 0.6."""
    is_hard, chosen, chance, score = logged(7, 600)
    write(reports.folder, (is_hard, np.where(is_hard, 2, chosen), np.where(is_hard, 0.6, chance), score))
    assert "of the calls go where the log never sent calls like them" in reason(told(reports))


def test_wrong_propensities_are_seen(reports: Reports) -> None:
    is_hard, chosen, chance, score = logged(7, 600)
    write(reports.folder, (is_hard, chosen, chance / 2, score))
    assert "the propensities are too small" in reason(told(reports))


def test_the_file_tells_that_the_policys_choice_is_rare(reports: Reports) -> None:
    write(reports.folder, logged(7, 600))
    scores = reports.scores("request_id,model,propensity\n" + "".join(f"r{n},gpt-4.1-mini,0.001\n" for n in range(600)))
    assert "would hardly ever have done" in reason(told(reports, "--scores", scores))


def test_a_changed_answer_and_a_missing_score_are_refused(reports: Reports) -> None:
    is_hard, chosen, chance, score = logged(7, 600)
    write(reports.folder, (is_hard, chosen, chance, [""] * 5 + list(score[5:])))
    assert "have no score" in reason(told(reports))
    write(reports.folder, logged(7, 600))
    capped = POLICY.replace("{models: [gpt-4o-mini]}", "{models: [gpt-4o-mini], max_output_tokens: 50}")
    reports.policy.write_text("version: 1\n" + capped, "utf-8")
    assert "changes prompt or answer" in reason(told(reports))


def test_chances_of_some_calls_are_none_of_the_log(reports: Reports) -> None:
    """Only the easy requests have one: their mean is 0.95, that of the policy 0.825, and no gate may pass on it."""
    log = logged(7, 1200)
    is_hard, chosen, chance, score = log
    write(reports.folder, (is_hard, chosen, np.where(is_hard, np.nan, chance).astype(object), score))
    text = reports.log.read_text("utf-8")
    assert text.count(",nan\n") == int(is_hard.sum())
    reports.log.write_text(text.replace(",nan\n", ",\n"), "utf-8")
    easy = int((~is_hard).sum())
    assert f"not identifiable: only of {easy} of 1,200 calls to models is it known" in reason(told(reports))
    reports.policy.write_text(f"version: 1\n{POLICY}gates: [off_policy_quality_mean >= 0.5]\n", "utf-8")
    code, _, _ = reports.said()
    assert code == 6
    write(reports.folder, log)
    assert reports.said()[0] == 0


def test_an_estimate_lies_within_what_the_scores_leave(reports: Reports) -> None:
    """All scores of the policy are known, from the log and from the file: the draws can say nothing else."""
    is_hard, chosen, chance, score = logged(7, 600)
    write(reports.folder, (is_hard, chosen, chance, score))
    moved = [(n, MODELS[int(hard)]) for n, hard in enumerate(is_hard) if chosen[n] != int(hard)]
    scores = reports.scores("request_id,model,score\n" + "".join(f"r{n},{model},0\n" for n, model in moved))
    totals = told(reports, "--scores", scores)["totals"]
    mean = round(float(score[chosen == is_hard.astype(int)].sum()) / 600, 4)
    assert totals["quality_bound_low"] == totals["quality_bound_high"] == mean < 0.5
    names = [f"off_policy_quality_mean{end}" for end in ("", "_low", "_high")]
    assert [totals[name] for name in names] == [mean] * 3


def test_few_calls_are_refused(reports: Reports) -> None:
    write(reports.folder, logged(7, 120))
    assert "100 are needed" in reason(told(reports))


def test_an_impossible_chance_is_unknown_and_counted(reports: Reports) -> None:
    write(reports.folder, logged(7, 30), p="1.5")
    assert "does not say with which chance" in reason(told(reports))
    warnings = audited(reports)["warnings"]
    assert any("propensity" in one["message"] for one in warnings), warnings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("request_id,model,propensity\nr0,gpt-4o,0\n", "propensity: must be a chance, above 0 and at most 1, not 0"),
        ("request_id,model,propensity\nr0,gpt-4o,1.2\n", "propensity: must be a chance"),
        ("request_id,propensity\nr0,0.5\n", "model: is missing: a propensity is that of a model"),
        ("request_id,model,propensty\nr0,gpt-4o,0.5\n", "did you mean propensity?"),
    ],
)
def test_faults_of_the_column_are_told(reports: Reports, text: str, message: str) -> None:
    write(reports.folder, logged(7, 5))
    code, _, err = reports.said("--scores", reports.scores(text))
    assert code == 3
    assert message in err
