"""What a simulation says of quality where nothing is known: bounds, and which requests to try on which model."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.replay.reports import A_USD, ASSUME, B_USD, TIERS, Reports, request

RULE = "rules: [{name: cheap, when: {endpoint: /a}, to: A}]"
HALF = f"{TIERS}{ASSUME}routing: {{default: logged, {RULE}}}\n"


def calls(moved: int, kept: int, **said: Any) -> list[tuple[Any, ...]]:
    """So many calls that the rule moves to A, and so many that stay as logged."""
    times = [f"2026-03-02T{10 + n // 60:02d}:{n % 60:02d}:00Z" for n in range(moved + kept)]
    return [request(n, timestamp=times[n], endpoint="/a" if n < moved else "/b", **said) for n in range(moved + kept)]


@pytest.fixture
def reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reports:
    return Reports(tmp_path, capsys)


def test_the_plan_is_of_the_moved_calls(reports: Reports) -> None:
    """60 of 80 moved, half-width 0.05: (1.96 x 0.75 / 0.05)^2 / 4 = 216.1, and 216.1 / (1 + 216.1 / 60) = 46.96."""
    report = reports(HALF, calls(60, 20))
    rows = {row["half_width_ratio"]: row for row in report["tables"]["probe_plan"]}
    assert sorted(rows) == [0.01, 0.02, 0.03, 0.05]
    assert rows[0.05]["model"] == "openai/gpt-4o-mini"
    assert (rows[0.05]["probe_count"], rows[0.05]["untried_count"]) == (47, 60)
    assert Decimal(rows[0.05]["cost_usd"]) == 47 * A_USD
    probes = report["tables"]["probes"]
    assert len(probes) == len({one["request_id"] for one in probes}) == 47
    assert {one["request_id"] for one in probes} <= {f"r{n}" for n in range(60)}
    assert {Decimal(one["cost_usd"]) for one in probes} == {A_USD}


def test_the_file_of_probes_comes_back_as_scores(reports: Reports, tmp_path: Path) -> None:
    reports.write(HALF, calls(60, 20))
    target = tmp_path / "probes.csv"
    code, out, err = reports.said("--probes", str(target))
    assert code == 0, err
    report = json.loads(out)
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    finest = next(row for row in report["tables"]["probe_plan"] if row["half_width_ratio"] == 0.01)
    assert len(rows) == finest["probe_count"]
    assert [row["request_id"] for row in rows][:47] == [one["request_id"] for one in report["tables"]["probes"]]
    filled = ["request_id,model,score", *(f"{row['request_id']},{row['model']},1" for row in rows)]
    code, out, err = reports.said("--scores", reports.scores("\n".join(filled) + "\n"))
    assert code == 0, err
    told = json.loads(out)
    assert told["totals"]["quality_evidence_count"] == len(rows)
    left = 60 - len(rows)
    assert [row["untried_count"] for row in told["tables"].get("probe_plan", [])] == [left] * 4 * bool(left)
    assert told["totals"]["quality_bound_low"] == round(len(rows) / 80, 4)
    assert told["totals"]["quality_bound_high"] == 1
    assert told["provenance"]["status"]["quality_bound_low"] == "bounded"


def test_each_model_has_its_rows_and_its_price(reports: Reports) -> None:
    policy = f"{TIERS}{ASSUME}routing: {{default: B, {RULE}}}\n"
    rows = reports(policy, calls(40, 40))["tables"]["probe_plan"]
    wide = {row["model"]: row for row in rows if row["half_width_ratio"] == 0.05}
    assert set(wide) == {"openai/gpt-4o-mini", "openai/gpt-4.1-mini"}
    for model, price in (("openai/gpt-4o-mini", A_USD), ("openai/gpt-4.1-mini", B_USD)):
        assert Decimal(wide[model]["cost_usd"]) == wide[model]["probe_count"] * price
    # 384.1 / (1 + 384.1 / 80) = 66.2 of 80, half of them of each
    assert sorted(row["probe_count"] for row in wide.values()) in ([33, 34], [33, 33])


def test_where_nothing_moves_there_is_nothing_to_try(reports: Reports) -> None:
    report = reports(HALF, calls(0, 20))
    assert "probe_plan" not in report["tables"]


def test_calls_that_no_score_could_name_are_not_tried(reports: Reports) -> None:
    report = reports(HALF, calls(40, 0, id=""))
    assert "probe_plan" not in report["tables"]
    assert "request id of its own" in report["provenance"]["not_computed"]["probe_plan"]


def test_a_shortened_answer_is_not_tried(reports: Reports) -> None:
    """What a cap cuts is not the answer that would be scored."""
    capped = HALF.replace("{models: [gpt-4o-mini]}", "{models: [gpt-4o-mini], max_output_tokens: 50}")
    assert "probe_plan" not in reports(capped, calls(40, 10))["tables"]


def test_no_estimate_without_propensities(reports: Reports) -> None:
    missing = reports(HALF, calls(5, 5))["provenance"]["not_computed"]
    assert missing["off_policy_quality_mean"].startswith("not identifiable: the log does not say with which chance")
    assert "it may be anything" in missing["quality_bound"]


def test_probes_are_not_written_over_an_input(reports: Reports, tmp_path: Path) -> None:
    reports.write(HALF, calls(5, 5))
    assert reports.said("--probes", str(reports.log))[0] == 2
    target = str(tmp_path / "x")
    code, _, err = reports.said("--probes", target, "-o", target)
    assert code == 2
    assert "E323" in err


def test_the_same_seed_draws_the_same_probes(reports: Reports) -> None:
    first, again = (reports(HALF, calls(60, 20))["tables"]["probes"] for _ in range(2))
    other = reports(HALF, calls(60, 20), "--seed", "8")["tables"]["probes"]
    assert first == again
    assert first != other
