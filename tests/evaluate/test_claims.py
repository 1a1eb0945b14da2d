"""What a simulation says of quality where nothing is known: bounds, and which requests to try on which model."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from statistics import variance
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


def test_a_file_of_probes_holds_no_formula(reports: Reports, tmp_path: Path) -> None:
    """It is made to be opened in a spreadsheet; what was quoted there comes back as the id that it is."""
    formula = "=cmd|'/c calc'!A4,\"x\""
    first = request(0, id=formula, timestamp="2026-03-02T10:00:00Z", endpoint="/a")
    reports.write(HALF, [first, *calls(60, 20)[1:]])
    target = tmp_path / "probes.csv"
    assert reports.said("--probes", str(target))[0] == 0
    text = target.read_text("utf-8")
    with target.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert not [row for row in found if row["request_id"][0] in "=+-@"]
    assert "'" + formula in {row["request_id"] for row in found}
    target.write_text("".join(f"{line}{'1' if line.endswith(',') else ''}\n" for line in text.splitlines()), "utf-8")
    code, out, err = reports.said("--scores", str(target))
    assert code == 0, err
    assert json.loads(out)["totals"]["quality_evidence_count"] == len(found)


def test_answers_that_the_policy_keeps_without_a_score_are_told(reports: Reports) -> None:
    """One of 60 moved and, then, one of 20 kept answers has a score: of the kept ones 20 and 19 have none."""
    reports.write(HALF, calls(60, 20))
    for more, told in (("", "20 answers that the policy keeps have"), ("r60,openai/gpt-4o,1\n", "19 answers that the")):
        lines = f"request_id,model,score\nr0,openai/gpt-4o-mini,1\n{more}"
        code, out, err = reports.said("--scores", reports.scores(lines))
        assert code == 0, err
        said = [one["message"] for one in json.loads(out)["warnings"] if one["code"] == "W289"]
        assert len(said) == 1
        assert said[0].startswith(told)


class Probes:
    """90 calls that move and 30 that stay; an answer is right where its number is not divisible by 4."""

    def __init__(self, reports: Reports, tmp_path: Path) -> None:
        self._reports, target = reports, tmp_path / "probes.csv"
        reports.write(HALF, calls(90, 30))
        code, _, err = reports.said("--probes", str(target))
        assert code == 0, err
        with target.open(encoding="utf-8", newline="") as file:
            self.rows = list(csv.DictReader(file))

    def scored(self, tried: list[dict[str, str]], *more: str) -> str:
        lines = [f"{row['request_id']},{row['model']},{int(row['request_id'][1:]) % 4 != 0:d}" for row in tried]
        return self._reports.scores("\n".join(["request_id,model,score", *lines, *more]) + "\n")

    def told(self, tried: list[dict[str, str]], *more: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
        code, out, err = self._reports.said("--scores", self.scored(tried, *more), *options)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found


KEPT = [f"r{n},gpt-4o,1" for n in range(90, 120)]


def test_the_beginning_of_the_plan_is_an_estimate_of_the_rest(reports: Reports, tmp_path: Path) -> None:
    """By hand: the tried mean m, its variance with one more 0 and 1, (1 - 40 / 90) left untried; 30 others at 1."""
    probes = Probes(reports, tmp_path)
    report = probes.told(probes.rows[:40], *KEPT)
    total, status = report["totals"], report["provenance"]["status"]
    tries = [int(row["request_id"][1:]) % 4 != 0 for row in probes.rows[:40]]
    mean, spread = sum(tries) / 40, variance([*map(float, tries), 0.0, 1.0])
    half = 1.959963984540054 * (spread / 40 * (1 - 40 / 90)) ** 0.5
    assert total["moved_quality_mean"] == round(mean, 4)
    assert total["moved_quality_mean_low"] == pytest.approx(mean - half, abs=1e-4)
    assert total["moved_quality_mean_high"] == pytest.approx(mean + half, abs=1e-4)
    assert total["probed_quality_mean"] == pytest.approx((90 * mean + 30) / 120, abs=1e-4)
    assert total["probed_quality_mean_low"] == pytest.approx((90 * (mean - half) + 30) / 120, abs=1e-4)
    assert (total["probed_call_count"], total["probed_of_count"]) == (40, 90)
    assert status["probed_quality_mean"] == status["moved_quality_mean_low"] == "estimated"
    screen = reports.said("--scores", probes.scored(probes.rows[:40], *KEPT), output="table")[1]
    assert f"mean score of 90 moved answers: {round(mean, 4)} (" in screen
    assert f"mean score of all answers by these tries: {total['probed_quality_mean']} (" in screen


def test_a_gate_on_quality_stands_on_the_tries_of_the_plan(reports: Reports, tmp_path: Path) -> None:
    """They were drawn, so they stand for the rest; 40 and the 30 others that are all right still are not sure of all.

    By Wilson: 40 tries of 90 without replacement say as much as 40 / (1 - 40 / 90) = 72 of an endless number, so at
    least 72 / (72 + 1.96^2) = 0.9493 of the moved ones are right, and (90 x 0.9493 + 30) / 120 = 0.962 of all.
    """
    probes = Probes(reports, tmp_path)
    total = probes.told(probes.rows[:40], *KEPT)["totals"]
    for end in ("", "_low", "_high"):
        assert total[f"policy_quality_mean{end}"] == total[f"probed_quality_mean{end}"]
    lines = [f"{row['request_id']},{row['model']},1" for row in probes.rows[:40]]
    scores = reports.scores("\n".join(["request_id,model,score", *lines, *KEPT]) + "\n")
    gates = "gates: ['policy_quality_mean >= 0.96', {gate: 'policy_quality_mean >= 0.97', level: warn}]\n"
    reports.write(HALF + gates, calls(90, 30))
    code, out, err = reports.said("--scores", scores)
    assert code == 0, err
    report = json.loads(out)
    assert report["totals"]["policy_quality_mean_low"] == 0.962
    assert [row["verdict"] for row in report["tables"]["gates"]] == ["PASS", "FAIL"]
    assert {row["reason"] for row in report["tables"]["gates"]} == {"the low end of an estimate"}
    assert not [one for one in report["warnings"] if one["code"] == "W222"]


def test_the_plan_takes_off_the_tries_that_came_back(reports: Reports, tmp_path: Path) -> None:
    """90 of 120 moved: for 5 % (1.96 x 0.75 / 0.05)^2 / 4 = 216.1, and 216.1 / (1 + 216.1 / 90) = 63.5 tries: 24 more.

    For 1 % 5,402 / (1 + 5,402 / 90) = 88.5. After these 64 nothing more is asked for a half width of 5 %.
    """
    probes = Probes(reports, tmp_path)
    report = probes.told(probes.rows[:40], *KEPT)
    left = {
        row["half_width_ratio"]: (row["probe_count"], row["untried_count"]) for row in report["tables"]["probe_plan"]
    }
    assert left[0.05] == (24, 50)
    assert left[0.01] == (49, 50)
    again = probes.told(probes.rows[:64], *KEPT)["tables"]["probe_plan"]
    none = next(row for row in again if row["half_width_ratio"] == 0.05)
    assert (none["probe_count"], Decimal(none["cost_usd"]), none["untried_count"]) == (0, 0, 26)


def test_what_is_left_of_the_plan_are_its_next_lines(reports: Reports, tmp_path: Path) -> None:
    probes = Probes(reports, tmp_path)
    target = tmp_path / "rest.csv"
    code, _, err = reports.said("--scores", probes.scored(probes.rows[:40]), "--probes", str(target))
    assert code == 0, err
    with target.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == probes.rows[40:]


def test_a_half_width_says_of_which_mean_it_is(reports: Reports) -> None:
    """64 of 90 tries: 1.96 x sqrt(0.25 / 64 x (1 - 64 / 90)) = 6.58 % of the moved; x 90 / 120 = 4.94 % of all.

    The latter takes the scores of the 30 others.
    """
    (row,) = (one for one in reports(HALF, calls(90, 30))["tables"]["probe_plan"] if one["half_width_ratio"] == 0.05)
    assert (row["probe_count"], row["moved_half_width_ratio"], row["other_unscored_count"]) == (64, 0.0658, 30)
    screen = reports.said(output="table")[1]
    assert "once the other unscored ones have scores too; of the moved answers alone" in " ".join(screen.split())


def test_without_scores_of_the_others_only_the_moved_answers_are_estimated(reports: Reports, tmp_path: Path) -> None:
    probes = Probes(reports, tmp_path)
    report = probes.told(probes.rows[:40])
    assert "moved_quality_mean" in report["totals"]
    assert "probed_quality_mean" not in report["totals"]
    assert report["provenance"]["not_computed"]["probed_quality_mean"].endswith(
        "30 answers that are not of the plan have no score; with them the tries tell of all answers"
    )


def test_scores_that_are_not_the_beginning_estimate_nothing(reports: Reports, tmp_path: Path) -> None:
    """One left out, chosen by hand, of another seed, or too few: no estimate, and why."""
    probes = Probes(reports, tmp_path)
    by_hand = sorted(probes.rows, key=lambda row: int(row["request_id"][1:]))[:40]
    beginning, other_seed = probes.rows[:40], ("--seed", "8")
    cases = ((probes.rows[1:41], ()), (by_hand, ()), (beginning, other_seed), (beginning[:29], ()))
    for number, (tried, options) in enumerate(cases):
        report = probes.told(tried, *KEPT, options=options)
        assert not [name for name in report["totals"] if name.startswith(("moved_quality", "probed"))]
        why = report["provenance"]["not_computed"]["probed_quality_mean"]
        assert ("29 tries are too few" if number == len(cases) - 1 else "not the beginning of the plan's order") in why


def test_all_of_the_plan_is_no_estimate(reports: Reports, tmp_path: Path) -> None:
    probes = Probes(reports, tmp_path)
    whole = [{"request_id": f"r{n}", "model": "gpt-4o-mini"} for n in range(90)]
    report = probes.told(whole, *KEPT)
    total = report["totals"]
    right = sum(n % 4 != 0 for n in range(90))
    assert total["probed_quality_mean_low"] == total["probed_quality_mean"] == round((right + 30) / 120, 4)
    assert total["probed_quality_mean"] == total["policy_quality_mean"]
    assert report["provenance"]["status"]["probed_quality_mean"] == "replayed"


def test_answers_of_the_plan_that_a_cache_repeats_are_no_plain_sample(reports: Reports, tmp_path: Path) -> None:
    """The repeat of a tried call has its score, and would count as known only because the call was drawn."""
    probes = Probes(reports, tmp_path)
    first = int(probes.rows[0]["request_id"][1:])
    again = request(120, timestamp="2026-03-02T13:00:00Z", endpoint="/a", prompt_hash=f"q{first}")
    reports.write(HALF + "cache: {exact: {ttl: 2d}}\n", [*calls(90, 30), again])
    report = probes.told(probes.rows[:40], *KEPT)
    assert "moved_quality_mean" in report["totals"]
    assert "a cache gives answers of the plan again" in report["provenance"]["not_computed"]["probed_quality_mean"]
    whole = [{"request_id": f"r{n}", "model": "gpt-4o-mini"} for n in range(90)]
    assert "probed_quality_mean" in probes.told(whole, *KEPT)["totals"]


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
