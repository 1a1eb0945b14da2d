"""The forms that CI reads: each is read back by a parser of its own, and no text breaks out of its place."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from costctl.cli import run
from costctl.render import github, openmetrics, verdicts
from costctl.render.cells import workflow_data, workflow_property
from costctl.render.markdown import to_markdown
from costctl.render.people import to_terminal
from costctl.report import Report, Table, Warning
from tests.support import ROOT

COLUMNS = ("verdict", "gate", "value", "level", "reason")
GATES = [
    ("PASS", "call_count > 1", "2", "error", "exact"),
    ("FAIL", "saving_ratio >= 0.9", "0.1", "error", "replayed"),
    ("FAIL", "saving_ratio >= 0.8", "0.1", "warn", "replayed"),
    ("NOT RUN", "fallback_count <= 5", None, "error", "no attempts"),
    ("NOT RUN", "retry_count <= 5", None, "warn", "no attempts"),
]
HOSTILE = ['a,b::c\n::error::x%0A"<&]]>', "\x1b[31m\x00\x07", "-->\n| x | @you", "ñ \u202e \ud800"]


def report(gates: Any = GATES, message: str = "m", **provenance: Any) -> Report:
    made = {"policy": "p #1", "status": {"saving_ratio": "estimated"}, **provenance}
    return Report("gate", {"saving_ratio": 0.4, "call_count": 2, "name": "text", "cost_usd": Decimal("1E-12")},
                  {"gates": Table.of("gates", COLUMNS, gates)}, (Warning("W220", message),), made)  # fmt: skip


def test_annotations_put_errors_first_and_name_the_policy() -> None:
    lines = github.to_annotations(report(policy_file="a,b.yaml")).splitlines()
    assert lines[0] == "::error file=a%2Cb.yaml,title=gate FAIL%3A saving_ratio >= 0.9::found 0.1 (replayed)"
    assert [line.split(" ", 1)[0] for line in lines] == ["::error", "::error", "::warning", "::warning", "::notice"]
    assert github.to_annotations(Report("gate", {}, {"gates": Table.of("gates", COLUMNS, GATES[:1])})) == ""


def test_annotations_above_the_number_that_is_shown_are_counted() -> None:
    many = [("FAIL", f"call_count > {n}", "2", "error", "exact") for n in range(25)]
    lines = github.to_annotations(report(many)).splitlines()
    assert sum(line.startswith("::error") for line in lines) == 10
    assert "and 16 more" in lines[9]


@given(st.text())
def test_workflow_commands_hold_any_text_in_their_place(text: str) -> None:
    """What the runner reads back, by its own rules of unescaping, is the text."""
    line = f"::error file={workflow_property(text)},title=t::{workflow_data(text)}"
    assert "\n" not in line
    assert "\r" not in line
    head, message = line.removeprefix("::error ").split("::", 1)
    file, title = head.split(",")
    data = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]
    for escape, mark in (("%3A", ":"), ("%2C", ","), *data):
        file = file.replace(escape, mark)
    for escape, mark in data:
        message = message.replace(escape, mark)
    assert (file, title, message) == (f"file={text}", "title=t", text)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_form_lets_a_text_of_the_log_act(hostile: str) -> None:
    """The same lines, entries and elements as with a harmless text, and no character that acts."""
    gates = [("FAIL", "saving_ratio >= 0.9", "0.1", "error", hostile)]
    bad, good = (report(gates, hostile, policy_file=hostile), report(gates[:0], "m", policy_file="f"))
    for render in (github.to_annotations, github.to_comment, verdicts.to_gitlab, verdicts.to_junit):
        text = render(bad)
        assert not set(text) & set("\x00\x1b\x07\r\u202e\ud800"), render
    assert github.to_annotations(bad).count("\n") == github.to_annotations(good).count("\n") + 1
    assert len(re.findall("<!--|-->", github.to_comment(bad))) == 2
    assert "@you" not in github.to_comment(bad)
    assert len(json.loads(verdicts.to_gitlab(bad))) == 2
    assert len(ElementTree.fromstring(verdicts.to_junit(bad)).findall(".//testcase")) == 1


def test_a_comment_is_found_again_by_its_marker_and_fits_its_limit() -> None:
    first, again = (github.to_comment(report(policy=f"assistant, p #{n}")).splitlines()[0] for n in (1, 2))
    assert first == again == "<!-- costctl:gate:assistant--p -->"
    many = [("FAIL", f"call_count > {n}", "2", "error", "ñ" * 40) for n in range(2000)]
    body = github.to_comment(report(many))
    assert 65_000 < len(body.encode()) <= 65_536
    assert body.endswith("`--output json` has all of it.*\n")
    assert body.splitlines()[-3].endswith(" |")  # cut between rows


def test_the_head_of_a_comment_says_saves_or_costs_more() -> None:
    for ratio, said in ((0.31, "Saving 31.0 % of the cost of 2 calls"), (-3.685, "Costs 368.5 % more than the log of")):
        assert said in github.to_comment(Report("gate", {"saving_ratio": ratio, "call_count": 2}, {}))


def test_gates_are_test_cases() -> None:
    suite = ElementTree.fromstring(verdicts.to_junit(report())).find("testsuite")
    assert suite is not None
    found = {case.get("name"): [child.tag for child in case] for case in suite}
    assert found == {
        "call_count > 1": [], "saving_ratio >= 0.9": ["failure"], "saving_ratio >= 0.8": ["skipped"],
        "fallback_count <= 5": ["error"], "retry_count <= 5": ["skipped"],
    }  # fmt: skip
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "1", "errors": "1", "skipped": "2",
    }  # fmt: skip


def test_code_quality_keeps_a_finding_the_same_when_its_figure_changes() -> None:
    changed = [(verdict, gate, "0.7", level, reason) for verdict, gate, _, level, reason in GATES]
    then, now = (json.loads(verdicts.to_gitlab(report(gates))) for gates in (GATES, changed))
    assert [entry["severity"] for entry in then] == ["major", "minor", "major", "minor", "info"]
    assert [entry["fingerprint"] for entry in then] == [entry["fingerprint"] for entry in now]
    assert len({entry["fingerprint"] for entry in then}) == 5
    for entry in then:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["location"] == {"path": "policy.yaml", "lines": {"begin": 1}}


def test_totals_are_gauges() -> None:
    text = openmetrics.to_openmetrics(report([]))
    families = {one.name: one for one in text_string_to_metric_families(text)}
    assert {name: (one.type, one.samples[0].value) for name, one in families.items()} == {
        "costctl_gate_saving_ratio": ("gauge", 0.4), "costctl_gate_call_count": ("gauge", 2.0),
        "costctl_gate_cost_usd": ("gauge", 1e-12),
    }  # fmt: skip
    assert families["costctl_gate_saving_ratio"].documentation == "estimated"


def test_gates_are_gauges_with_their_values_and_verdicts() -> None:
    """What was not computed has no value, and what a text holds stays in its label."""
    gates = [*GATES, ("FAIL", 'a"} 1\n# EOF\nb', "x", "error", "r")]
    text = openmetrics.to_openmetrics(report(gates))
    families = {one.name: one for one in text_string_to_metric_families(text)}
    values = {one.labels["gate"]: one.value for one in families["costctl_gate_gate_value"].samples}
    assert values == {"call_count > 1": 2.0, "saving_ratio >= 0.9": 0.1, "saving_ratio >= 0.8": 0.1}
    found = [(one.labels["gate"], one.labels["verdict"], one.labels["level"], one.labels["policy"], one.value)
             for one in families["costctl_gate_gate_verdict"].samples]  # fmt: skip
    assert found[:5] == [(gate, verdict, level, "p", 1.0) for verdict, gate, _, level, _ in GATES]
    assert len(found) == 6


def test_compared_figures_are_gauges() -> None:
    rows = [("saving_ratio", 0.4, 0.3, -0.1), ("policy_cost_usd", Decimal("6"), Decimal("6.5"), Decimal("0.5")),
            ("fallback_count", None, 2, None)]  # fmt: skip
    found = Report(
        "diff", {}, {"diff": Table.of("diff", ("metric", "base", "now", "change"), rows)}, (),
        {"base": {"policy": "old #1"}, "head": {"policy": "p, q #2"}},
    )  # fmt: skip
    families = {one.name: one for one in text_string_to_metric_families(openmetrics.to_openmetrics(found))}
    told = {name: {one.labels["metric"]: one.value for one in family.samples} for name, family in families.items()}
    assert told == {
        "costctl_diff_base": {"saving_ratio": 0.4, "policy_cost_usd": 6.0},
        "costctl_diff_now": {"saving_ratio": 0.3, "policy_cost_usd": 6.5, "fallback_count": 2.0},
        "costctl_diff_change": {"saving_ratio": -0.1, "policy_cost_usd": 0.5},
    }
    assert {one.labels["policy"] for one in families["costctl_diff_now"].samples} == {"p, q"}


def drifted(written: int = 0, rows: Any = None) -> Report:
    """A check of an export with two differences."""
    columns = ("path", "key", "cause", "says")
    found = rows if rows is not None else [
        ("portkey/config.json", "targets[a].retry", "hand edit", "is 3, not 1"),
        ("portkey/costctl_portkey.py", "", "policy", "is missing"),
    ]  # fmt: skip
    totals = {"drift_count": len(found), "file_count": 3, "written_count": written}
    return Report("export-config", totals, {"drift": Table.of("drift", columns, found)}, (),
                  {"policy": "p #1", "folder": "router", "is_check": True})  # fmt: skip


def test_drift_is_told_in_every_form_of_ci() -> None:
    """An annotation, a row and an issue for each difference, at the file that differs; none where all is in step."""
    lines = github.to_annotations(drifted()).splitlines()
    place = "::error file=router/portkey/config.json,title=drift%3A targets[a].retry::"
    assert lines[0] == f"{place}is 3, not 1 (cause: hand edit)"
    assert lines[1] == "::error file=router/portkey/costctl_portkey.py,title=drift::is missing (cause: policy)"
    entries = json.loads(verdicts.to_gitlab(drifted()))
    assert [(one["location"]["path"], one["severity"]) for one in entries] == [
        ("router/portkey/config.json", "major"), ("router/portkey/costctl_portkey.py", "major"),
    ]  # fmt: skip
    body = github.to_comment(drifted())
    assert "Exported router: ❌ not in step: 2 differences" in body
    assert "is 3, not 1" in body
    mended = drifted(written=2)
    assert github.to_annotations(mended).splitlines()[0].startswith("::notice ")
    assert {one["severity"] for one in json.loads(verdicts.to_gitlab(mended))} == {"info"}
    well = drifted(rows=[])
    assert github.to_annotations(well) == ""
    assert json.loads(verdicts.to_gitlab(well)) == []
    assert "Exported router: ✅ in step, 3 files" in github.to_comment(well)


def test_a_gate_that_only_warns_is_not_counted_as_one_that_fails() -> None:
    line = github.to_comment(report()).splitlines()[3]
    assert line == "Gates: 1 ✅ pass, 1 ❌ fail, 1 ❗ fail (warns only), 1 ⚠️ not run, 1 ❗ not run (warns only)"


@pytest.mark.parametrize("log", ["story.jsonl.gz", "generic.jsonl"])
def test_charges_sum_to_the_audit_to_the_last_digit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str
) -> None:
    where = [str(ROOT / "sample_logs" / log), "--db", str(tmp_path / "c.duckdb"), "--output"]
    assert run(["audit", *where, "json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert run(["audit", *where, "focus"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    for column in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"):
        assert sum(Decimal(row[column]) for row in rows) == Decimal(totals["list_cost_usd"])
    assert len({(row["ChargePeriodStart"], row["ProviderName"], row["SkuId"]) for row in rows}) == len(rows)
    outputs = sum(int(row["ConsumedQuantity"]) for row in rows if row["x_TokenClass"] == "output")
    assert 0 < outputs <= totals["output_tokens"]
    for row in rows:
        assert row["ChargePeriodStart"] == "" or row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"]
        assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
    openmetric = run(["audit", *where, "openmetrics"])
    families = {one.name: one.samples[0] for one in text_string_to_metric_families(capsys.readouterr().out)}
    assert openmetric == 0
    assert families["costctl_audit_list_cost_usd"].value == float(totals["list_cost_usd"])


def test_a_day_is_charged_from_its_start_to_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    line = {"request_id": "r", "timestamp": "2025-12-31T23:59:59Z", "model": "gpt-4o", "provider": "openai",
            "input_tokens": 1000, "output_tokens": 100}  # fmt: skip
    log.write_text(json.dumps(line) + "\n", "utf-8")
    assert run(["audit", str(log), "--db", str(tmp_path / "c.duckdb"), "--output", "focus"]) == 0
    fresh, output = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (fresh["ChargePeriodStart"], fresh["ChargePeriodEnd"]) == ("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z")
    assert (fresh["BillingPeriodStart"], fresh["BillingPeriodEnd"]) == ("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z")
    assert (fresh["BilledCost"], fresh["ConsumedQuantity"]) == ("0.002500000000", "1000")
    assert (output["BilledCost"], output["ConsumedQuantity"]) == ("0.001000000000", "100")
    assert output["SkuId"] == "openai/gpt-4o/output"


@pytest.mark.parametrize("arguments", [["formats", "--output", "focus"], ["diff", "a", "b", "--output", "junit"]])
def test_a_form_of_other_commands_is_refused_at_once(arguments: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "error[E482]" in capsys.readouterr().err


def test_annotations_of_an_audit_point_at_its_log() -> None:
    """An audit has no policy; of several logs none is the one."""
    said = (Warning("W120", "unknown"),)
    for logs, place in ((["a,b.jsonl"], "file=a%2Cb.jsonl,"), (["a.jsonl", "b.jsonl"], ""), ([], "")):
        found = github.to_annotations(Report("audit", {}, {}, said, {"logs": logs}))
        assert found == f"::notice {place}title=W120::unknown\n"


@pytest.mark.parametrize(
    ("command", "has", "lacks"),
    [("rejects", (), ("junit", "focus")), ("audit", ("focus",), ("junit",)), ("gate", ("junit",), ("focus",)),
     ("simulate", ("junit",), ("focus",))],
)  # fmt: skip
def test_help_offers_the_forms_that_the_command_has(
    command: str, has: tuple[str, ...], lacks: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    run([command, "--help"])
    text = capsys.readouterr().out
    assert "openmetrics" in text
    assert all(form in text for form in has)
    assert not any(f"|{form}" in text for form in lacks)


def test_focus_says_which_charges_have_no_period(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    row = {"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100, "status": "ok"}
    dated = row | {"timestamp": "2026-03-02T08:00:00Z"}
    for rows, said in (([row], True), ([dated], False)):
        log.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
        assert run(["audit", str(log), "--db", str(tmp_path / "d.duckdb"), "--output", "focus"]) == 0
        assert ("2 charges have no date, and FOCUS allows no empty period" in capsys.readouterr().err) == said


def test_a_sentence_of_a_table_is_whole_in_markdown_and_goes_on_below_in_the_terminal() -> None:
    why = " ".join(f"word{number}" for number in range(60))
    found = report([("NOT RUN", "saving_ratio >= 0.9", None, "error", why)])
    assert why in to_markdown(Report("gate", {}, found.tables))
    short = " ".join(f"word{number}" for number in range(24))
    found = report([("NOT RUN", "saving_ratio >= 0.9", None, "error", short)])
    screen = to_terminal(Report("gate", {}, found.tables), 80)
    assert "…" not in screen
    assert all(f"word{number}" in screen for number in range(24))
    loss = ("a", "tiers", "dropped", why, None, None, None, None)
    columns = ("target", "part", "kind", "says", "agreement_ratio", "alike_count", "call_count", "not_measured")
    assert why in to_markdown(Report("export-config", {}, {"losses": Table.of("losses", columns, [loss])}))
