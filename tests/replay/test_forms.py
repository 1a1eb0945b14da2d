"""What changes how a figure is to be read stands in every form of a simulation, whole, at 80 columns."""

from __future__ import annotations

import csv
import io
import json
from html import unescape

import pytest

from costctl.cli import run
from tests.replay.reports import ASSUME, TIERS, Reports, request

# Two of three calls get no answer: a limit lets one a day through, and what it keeps out goes nowhere.
LIMITED = f"{TIERS}routing: {{default: A}}\nlimits: {{openai: {{requests_per_day: 1, over: error}}}}\n"
NO_ANSWER = (
    "2 calls get no answer: 2 never sent as a provider's limit let them through nowhere; 2 of them had one in the log"
)
REMEDY = "gate it: policy_failed_count <= N"
CALLS = [request(number) for number in range(3)]


def test_csv_has_standings_and_reasons_and_its_warnings_go_to_standard_error(reports: Reports) -> None:
    reports.write(LIMITED + ASSUME, CALLS)
    report = json.loads(reports.said()[1])
    _, out, err = reports.said(output="csv")
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["table", "name", "value", "status"]
    standing = {row[1]: row[3] for row in rows if row[:1] == ["totals"]}
    assert standing == report["provenance"]["status"]
    missing = {row[1]: row[2].removeprefix("'") for row in rows if row[:1] == ["not_computed"]}
    assert missing == report["provenance"]["not_computed"]
    assert [line.partition("]")[0] for line in err.splitlines() if line.startswith("warning[")] == [
        f"warning[{one['code']}" for one in report["warnings"]
    ]
    assert f"warning[W271] {NO_ANSWER}" in err
    assert f"({REMEDY})\n" in err
    assert "warning[" not in reports.said(output="markdown")[2], "they stand in the text itself"


def test_markdown_has_standings_reasons_and_remedies(reports: Reports) -> None:
    reports.write(LIMITED, CALLS)
    report = json.loads(reports.said()[1])
    plain = unescape(reports.said(output="markdown")[1].replace("\\", ""))
    assert "| policy_cost_usd | <$0.01 | estimated |" in plain
    assert "## not computed" in plain
    for name, why in report["provenance"]["not_computed"].items():
        assert f"- {name}: {why}\n" in plain
    assert f"- W271: {NO_ANSWER}" in plain
    assert f"({REMEDY})\n" in plain
    assert "RESTS ON: tokens of a model that did not answer, per logged token\n" in plain


def test_what_a_limit_or_the_kill_switch_keeps_out_is_on_the_screen(reports: Reports) -> None:
    reports.write(LIMITED + ASSUME, CALLS)
    _, screen, _ = reports.said(output="table")
    assert "          2 met a provider's limit\n" in screen
    assert "  tier  call  answered  limited\n  A        3         1        2\n" in screen
    assert NO_ANSWER in " ".join(screen.split())


def test_a_run_of_another_kind_is_named_where_it_is_compared(reports: Reports) -> None:
    policy = f"{TIERS}routing: {{default: A}}\n{ASSUME}"
    reports.write(policy, CALLS)
    base = str(reports.folder / "base.json")
    assert reports.said("--as", "litellm", "--seed", "8", "-o", base)[0] == 0
    _, screen, _ = reports.said("--compare-to", base, output="table")
    told = "not the policy alone: seed 8, now 7; carried out by litellm, now as it is written"
    assert f"  {told}\n" in screen.partition("WHERE THE CHANGE")[0].replace("\n    ", " ")
    warned = [one["message"] for one in json.loads(reports.said("--compare-to", base)[1])["warnings"]]
    assert any(told.partition(": ")[2] in one for one in warned)
    again = str(reports.folder / "again.json")
    assert reports.said("-o", again)[0] == 0
    assert "not the policy alone" not in reports.said("--compare-to", again, output="table")[1]


def test_differences_of_shares_are_points(reports: Reports) -> None:
    reports.write(f"{TIERS}routing: {{default: C}}\n{ASSUME}", CALLS)
    base = str(reports.folder / "base.json")
    assert reports.said("-o", base)[0] == 0
    reports.write(f"{TIERS}routing: {{default: A}}\n{ASSUME}", CALLS)
    screen = reports.said("--compare-to", base, output="table")[1]
    assert ["saving_ratio", "0.0", "%", "94.0", "%", "94.0", "points"] in [line.split() for line in screen.splitlines()]


def test_no_reason_and_no_limit_is_cut_at_80_columns(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reports.write(
        f"{TIERS}routing: {{default: A}}\ngates: ['routing_accuracy_ratio >= 0.9', 'policy_latency_ms_p95 <= 3000']\n"
        "budgets: {tokens_per_day: [{endpoint: /a-rather-long-endpoint/v1, max: 1000k}]}\n",
        [request(0, endpoint="/a-rather-long-endpoint/v1")],
    )
    _, screen, _ = reports.said(output="table")
    told = " ".join(screen.partition("WHERE THE CHANGE")[0].partition("GATES")[2].split())
    for word in ("routing_accuracy_ratio", "policy_latency_ms_p95", "labels:", "--scores", "FILE"):
        assert word in told
    for table in ("GATES", "BUDGETS", "LATENCIES ASSUMED"):
        assert "…" not in screen.partition(table)[2].partition("\n\n")[0]
    assert "1,000,000" in screen
    assert max(map(len, screen.splitlines())) <= 80


def test_all_names_that_are_allowed_are_told(reports: Reports) -> None:
    reports.write("routing: {rules: [{name: r, when: {zzzz: 1}, to: A}]}\n", [request(0)])
    err = reports.said()[2]
    assert "…" not in err
    assert "travel_days, slot_count, table_rows" in " ".join(err.split())


def test_an_explanation_after_another_log_was_audited_says_so(
    reports: Reports, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other log has no price, so its simulation failed; its audit had begun a new report all the same."""
    policy = f"{TIERS}routing: {{default: A}}\n{ASSUME}"
    reports(policy, CALLS)
    db = ["--db", str(reports.folder / "c.duckdb")]
    other = reports.folder / "other.csv"
    other.write_text("id,timestamp,model,prompt_tokens,completion_tokens\nr1,2026-03-02T00:00:00Z,foo-1,1,1\n", "utf-8")
    assert run(["simulate", str(other), "--policy", str(reports.policy), *db]) == 4
    capsys.readouterr()
    assert run(["explain-request", "r0", *db]) == 3
    err = capsys.readouterr().err
    assert "error[E428]" in err
    assert "other.csv was audited after the last simulation, and that simulation was of another log" in err
    assert "no request ids" not in err


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_dollars_of_one_request_are_told_in_full(
    reports: Reports, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    reports(f"{TIERS}routing: {{default: A}}\n{ASSUME}", CALLS)
    assert run(["explain-request", "r0", "--db", str(reports.folder / "c.duckdb"), "--output", output]) == 0
    out = unescape(capsys.readouterr().out)
    assert out.count("$0.000210") >= 3, "the total, the step, and their sum"
    assert "<$0.01" not in out


def test_one_call_has_no_price(reports: Reports) -> None:
    said = [one["message"] for one in reports(ASSUME, [*CALLS, request(3, model="foo-1")])["warnings"]]
    assert any(one.startswith("1 call has no list price, so it meets no cache and no budget") for one in said)


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        ("1.5", "50% of the calls, drawn, once more, at its time"), ("2", "each call twice, at its time"),
        ("3.25", "each call 3 times and 25% of the calls, drawn, once more, at its time"),
    ],
)  # fmt: skip
def test_more_volume_says_how_often_a_call_is_made(reports: Reports, ratio: str, told: str) -> None:
    rows = reports(f"scenarios: {{volume_ratio: {ratio}}}\n", CALLS)["tables"]["scenarios"]
    assert rows[1]["what"].startswith(f"{told}: a new question")
