"""post_process.validate: the answers of the log are read again, and those that break the rules cost a call."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from costctl.policy.stages import Validation
from costctl.replay.validation import AnswerTake

POLICY = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}
routing: {default: C}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
post_process: {%s}
"""


def simulated(
    folder: Path, capsys: pytest.CaptureFixture[str], answers: list[str | None], rules: str
) -> tuple[int, dict[str, Any] | str]:
    """The report of a policy with these rules over a log with these answers, or what was said instead of one."""
    log, policy = folder / "log.jsonl", folder / "policy.yaml"
    policy.write_text(POLICY % rules, "utf-8")
    lines = [
        {
            "timestamp": f"2026-03-02T10:{minute:02}:00Z", "model": "gpt-4o", "response": answer,
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
        }
        for minute, answer in enumerate(answers)
    ]  # fmt: skip
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    db = folder / "w" / "c.duckdb"
    code = run(["simulate", str(log), "--policy", str(policy), "--db", str(db), "--output", "json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if code == 0 else captured.err


def change(report: dict[str, Any] | str) -> Decimal:
    """What the row of the waterfall says."""
    assert isinstance(report, dict), report
    rows = {row["stage"]: row for row in report["tables"]["waterfall"]}
    return Decimal(str(rows["post_process"]["change_usd"]))


def test_each_answer_that_breaks_a_rule_is_written_anew_by_the_cheap_tier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["<p>fine</p>", "<div>no</div>", "write to a@b.cl", None, "plain"]
    code, report = simulated(tmp_path, capsys, answers, "validate: {allowed_tags: [p], no_contacts: true}")
    assert code == 0
    # 100 tokens in and 100 out of gpt-4o-mini, twice: 2 * (100 * 0.15 + 100 * 0.60) / 10**6
    assert change(report) == Decimal("0.00015")
    assert isinstance(report, dict)
    said = [one["message"] for one in report["warnings"] if one["code"] == "W219"]
    assert len(said) == 1
    assert "1 answer has no text" in said[0]


def test_the_tier_of_reformat_writes_them_where_there_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = "reformat: {tier: C, when: {output_format: html}}, validate: {no_contacts: true}"
    _, report = simulated(tmp_path, capsys, ["call +56 9 1234 5678", "plain"], rules)
    assert change(report) == Decimal("0.00125")  # (100 * 2.5 + 100 * 10) / 10**6


def test_other_rules_read_the_answers_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[str | None] = ["<b>x</b>", "see https://shop.example.com/a", "plain"]
    costs = [
        change(simulated(tmp_path, capsys, answers, rules)[1])
        for rules in (
            "validate: {allowed_tags: [b]}",
            "validate: {allowed_tags: []}",
            "validate: {allowed_tags: [], forbidden_links: [example.com]}",
            "validate: {allowed_tags: [b]}",
        )
    ]
    one = Decimal("0.000075")
    assert costs == [0, one, 2 * one, 0]


def test_a_log_without_answers_counts_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = simulated(tmp_path, capsys, [None, None], "validate: {no_contacts: true}")
    assert code == 0
    assert isinstance(report, dict)
    assert change(report) == 0
    (said,) = [one["message"] for one in report["warnings"] if one["code"] == "W219"]
    assert "no text in 2 answers" in said
    assert "not identifiable" in said


@pytest.mark.parametrize(
    ("answer", "is_broken"),
    [
        ("<p>a</p><BR/>", True),  # br is not allowed
        ("<P class='x'>a</P>", False),
        ("`<script>` and ```\n<div>\n```", False),  # shown, not obeyed
        ("if a < b and c > d", False),
        ("mail me@home.org", True),
        ("tel:123", True),
        ("on 2026-03-02 at 10:15, order 1234567", False),
        ("call (02) 234 5678", True),
        ("www.bad.com", True),
        ("https://very.bad.com/x", True),
        ("https://notbad.com", False),
    ],
)
def test_what_breaks_the_rules(answer: str, is_broken: bool) -> None:
    rules = Validation.model_validate({"allowed_tags": ("p",), "no_contacts": True, "forbidden_links": ("bad.com",)})
    assert AnswerTake(rules)(None, None, answer) == (is_broken,)
