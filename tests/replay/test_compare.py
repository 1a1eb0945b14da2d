"""An earlier run beside the one of now: read strictly, compared only where the calls are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.replay.reports import ASSUME, TIERS, Reports, request

REQUESTS = [request(0), request(1, prompt_hash="q0")]
TO_A, TO_C = (f"{TIERS}{ASSUME}routing: {{default: {tier}}}\n" for tier in "AC")


def base_of(reports: Reports, policy: str = TO_C, requests: Any = REQUESTS) -> str:
    """The file of an earlier run."""
    path = reports.folder / "base.json"
    reports.write(policy, requests)
    code, out, err = reports.said()
    assert code == 0, err
    path.write_text(out, "utf-8")
    return str(path)


def compared(report: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    return {row["metric"]: (row["base"], row["now"], row["change"]) for row in report["tables"]["compare"]}


def test_every_total_stands_beside_that_of_the_earlier_run(reports: Reports) -> None:
    report = reports(TO_A, REQUESTS, "--compare-to", base_of(reports))
    rows = compared(report)
    assert set(rows) == set(report["totals"])
    assert rows["policy_cost_usd"] == ("0.007000000000", "0.000420000000", "-0.006580000000")
    assert rows["saving_ratio"] == (0.0, 0.94, 0.94)
    assert rows["moved_count"] == (0, 2, 2)
    assert rows["call_count"] == (2, 2, 0)
    assert [one["code"] for one in report["warnings"] if one["code"] == "W220"] == []
    assert report["provenance"]["compared_to"]["file"].endswith("base.json")


def test_the_same_run_again_changes_nothing(reports: Reports) -> None:
    for metric, (base, now, change) in compared(reports(TO_C, REQUESTS, "--compare-to", base_of(reports))).items():
        assert base == now, metric
        assert change is None or float(change) == 0, metric


def test_a_figure_that_only_one_run_has_is_told_without_a_change(reports: Reports) -> None:
    prompt = TO_C + "cache: {prompt: {}}\n"
    rows = compared(reports(TO_C, REQUESTS, "--compare-to", base_of(reports, prompt)))
    assert rows["prompt_cache_read_ratio"] == (0.0, None, None)
    rows = compared(reports(prompt, REQUESTS, "--compare-to", base_of(reports, TO_C)))
    assert rows["prompt_cache_read_ratio"] == (None, 0.0, None)


def test_the_forms_for_people_show_dollars_and_shares(reports: Reports) -> None:
    base = base_of(reports)
    reports.write(TO_A, REQUESTS)
    markdown = reports.said("--compare-to", base, output="markdown")[1]
    assert "| saving\\_ratio | 0.0 % | 94.0 % | 94.0 points |" in markdown
    assert "compare,policy_cost_usd,0.007000000000,0.000420000000,-0.006580000000" in reports.said(
        "--compare-to", base, output="csv"
    )[1].replace("'", "")
    screen = reports.said("--compare-to", base, output="table")[1]
    assert "COMPARED WITH" in screen
    assert "call_count" not in screen.partition("WHERE THE CHANGE")[0]  # what does not differ is left out


def test_what_else_differs_is_a_warning(reports: Reports) -> None:
    report = reports(TO_C, REQUESTS, "--seed", "8", "--compare-to", base_of(reports))
    (said,) = [one["message"] for one in report["warnings"] if one["code"] == "W220"]
    assert said.endswith("rests on more than another policy: seed 7, now 8")


def test_a_renamed_log_is_the_same_log_and_another_one_is_refused(reports: Reports) -> None:
    base = base_of(reports)
    reports.log = reports.folder / "renamed.csv"
    assert compared(reports(TO_C, REQUESTS, "--compare-to", base))["saving_usd"][2] == "0.000000000000"
    reports.write(TO_C, [*REQUESTS, request(2)])
    code, out, err = reports.said("--compare-to", base)
    assert (code, out) == (2, "")
    assert "E431" in err
    assert "(calls: 2, " in err
    assert "of this one: 3)" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body.update(schema_version=2), "schema_version is 2, this reads 1"),
        (lambda body: body.update(command="audit"), "it is an answer of 'audit'"),
        (lambda body: body.update(totals=[]), "totals is no object"),
        (lambda body: body.pop("provenance"), "provenance is no object"),
        (lambda body: body["provenance"].pop("seed"), "provenance does not tell seed"),
        (lambda body: body["totals"].update(saving_usd=1.5), "totals.saving_usd is not what a run writes: 1.5"),
        (lambda body: body["totals"].update(call_count="2"), "totals.call_count is not what a run writes: '2'"),
        (lambda body: body["totals"].update(saving_ratio=True), "totals.saving_ratio is not what a run writes: true"),
        (lambda body: body["totals"].update(saving_ratio={}), "totals.saving_ratio is not what a run writes"),
    ],
)
def test_a_file_that_is_no_run_is_refused_before_any_work(reports: Reports, change: Any, message: str) -> None:
    path = base_of(reports)
    body = json.loads(Path(path).read_text("utf-8"))
    change(body)
    Path(path).write_text(json.dumps(body), "utf-8")
    reports.log = reports.folder / "no-such-log.csv"
    code, out, err = reports.said("--compare-to", path)
    assert (code, out) == (3, "")
    assert "error[E430]" in err
    assert message in err
    assert "costctl simulate LOG" in err


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": NaN}', '{"a": 1, "a": 2}', "\xff", "[]", "9" * 5000])
def test_what_is_not_json_is_refused(reports: Reports, text: str) -> None:
    path = reports.folder / "base.json"
    path.write_bytes(text.encode("latin-1"))
    reports.write(TO_C, REQUESTS)
    code, _, err = reports.said("--compare-to", str(path))
    assert code == 3
    assert "error[E430]" in err


def test_no_number_of_a_file_is_too_large_for_us(reports: Reports) -> None:
    path = base_of(reports)
    text = Path(path).read_text("utf-8")
    Path(path).write_text(text.replace('"saving_ratio": 0.0', '"saving_ratio": 1e999999'), "utf-8")
    assert "E430" in reports.said("--compare-to", path)[2]


def test_the_earlier_run_is_never_written_over(reports: Reports) -> None:
    base = base_of(reports)
    code, _, err = reports.said("--compare-to", base, "-o", base)
    assert code == 2
    assert "E323" in err
