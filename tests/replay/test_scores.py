"""Scores and labels from a file: every fault by line, nothing lost, evidence only where there is some."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from costctl.prices.book import load_book
from costctl.replay.calls import load_calls
from costctl.replay.scores import load_scores, wilson
from costctl.replay.scores_file import Score, Scores
from tests.replay.logs import store_of
from tests.replay.reports import ASSUME, Reports, request

TWO = f"tiers: {{A: {{models: [gpt-4o-mini]}}, C: {{models: [gpt-4o]}}}}\n{ASSUME}"
TO_A = TWO + "routing: {default: A}\n"
LEADS = TWO + "routing: {default: A, rules: [{name: l, when: {endpoint: /lead}, to: C}]}\n"


def jsonl(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def quality(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in report["tables"]["quality"]]


def warned(report: dict[str, Any], code: str) -> list[str]:
    return [one["message"] for one in report["warnings"] if one["code"] == code]


def test_scores_of_the_serving_model_are_evidence_for_moved_calls(reports: Reports) -> None:
    scores = reports.scores("request_id,model,score\nr0,openai/gpt-4o-mini,0.9\nr1,gpt-4o-mini,0.5\nr2,gpt-4o,1\n")
    report = reports(TO_A, [request(number) for number in range(4)], "--scores", scores)
    assert quality(report) == [("A", "openai/gpt-4o-mini", 2, 0.7, 2, "policy")]
    totals, status = report["totals"], report["provenance"]["status"]
    assert (totals["policy_quality_mean"], totals["quality_evidence_count"]) == (0.7, 2)
    assert totals["quality_coverage_ratio"] == 0.5
    # Nobody knows how these two were chosen: (0.9 + 0.5 + 0 + 0) / 4 at least, (0.9 + 0.5 + 1 + 1) / 4 at most.
    assert (totals["policy_quality_mean_low"], totals["policy_quality_mean_high"]) == (0.35, 0.85)
    assert status["policy_quality_mean"] == status["policy_quality_mean_low"] == "bounded"
    (said,) = warned(report, "W222")
    assert said.startswith("policy_quality_mean is of 2 of 4 answers; nothing is known of the others")
    assert not {"quality", "policy_quality_mean"} & set(report["provenance"]["not_computed"])


def test_with_a_score_for_every_answer_the_mean_is_no_estimate(reports: Reports) -> None:
    scores = reports.scores(
        jsonl(*(f'{{"request_id": "r{n}", "model": "gpt-4o-mini", "score": 0.{n}}}' for n in range(3)))
    )
    report = reports(TO_A, [request(number) for number in range(3)], "--scores", scores)
    assert report["totals"]["policy_quality_mean"] == 0.1
    assert report["provenance"]["status"]["policy_quality_mean"] == "replayed"
    assert not warned(report, "W222")


def test_many_scores_that_nobody_drew_are_no_sample(reports: Reports) -> None:
    """40 of 41, half 0 and half 1: 20 / 41 to 21 / 41, whatever the last one is."""
    scores = reports.scores(
        jsonl(*(f'{{"request_id": "r{n}", "model": "gpt-4o-mini", "score": {n % 2}}}' for n in range(40)))
    )
    totals = reports(TO_A, [request(number) for number in range(41)], "--scores", scores)["totals"]
    assert totals["policy_quality_mean"] == 0.5
    assert (totals["policy_quality_mean_low"], totals["policy_quality_mean_high"]) == (0.4878, 0.5122)


def test_a_gate_on_quality_holds_at_the_worse_end(reports: Reports) -> None:
    scores = reports.scores(
        jsonl(*(f'{{"request_id": "r{n}", "model": "gpt-4o-mini", "score": {n % 2}}}' for n in range(40)))
    )
    bounds = (f"{{gate: 'policy_quality_mean >= {bound}', level: warn}}" for bound in (0.48, 0.49))
    gates = f"gates: [{', '.join(bounds)}]\n"
    report = reports(TO_A + gates, [request(number) for number in range(41)], "--scores", scores)
    assert [row["verdict"] for row in report["tables"]["gates"]] == ["PASS", "FAIL"]
    assert {row["reason"] for row in report["tables"]["gates"]} == {"the low end of a bound"}


def test_a_gate_on_quality_does_not_pass_on_successes_picked_by_hand(reports: Reports) -> None:
    """30 answers of 60 that are known to be right: the others may all be wrong, so 0.5 is all that is sure."""
    scores = reports.scores(
        jsonl(*(f'{{"request_id": "r{n}", "model": "gpt-4o-mini", "score": 1}}' for n in range(30)))
    )
    reports.write(TO_A + "gates: ['policy_quality_mean >= 0.95']\n", [request(number) for number in range(60)])
    code, out, _ = reports.said("--scores", scores)
    assert code == 6
    (row,) = json.loads(out)["tables"]["gates"]
    assert (row["verdict"], row["value"], row["reason"]) == ("FAIL", "0.5", "the low end of a bound")
    screen = reports.said("--scores", scores, output="table")[1]
    assert "mean score 1.0, of 30 answers, 50.0 % of all" in screen
    assert "mean score of all answers: 0.5 to 1.0, whatever the unknown scores are" in screen


def test_a_cut_answer_is_not_the_one_that_was_scored(reports: Reports) -> None:
    policy = TO_A.replace("[gpt-4o-mini]", "[gpt-4o-mini], max_output_tokens: 50")
    scores = reports.scores("request_id,model,score\nr0,gpt-4o-mini,0.9\nr1,gpt-4o-mini,0.8\n")
    report = reports(policy, [request(0), request(1, completion_tokens=40)], "--scores", scores)
    assert quality(report) == [("A", "openai/gpt-4o-mini", 1, 0.8, 1, "policy")]


def test_an_answer_to_another_prompt_is_not_the_one_that_was_scored(reports: Reports) -> None:
    """The call of 1,000 tokens is compressed, that of 100 is not."""
    scores = reports.scores("request_id,model,score\nr0,gpt-4o-mini,0.9\nr1,gpt-4o-mini,0.8\n")
    policy = TO_A + "compression: {ratio_kept: 0.5, min_input_tokens: 500}\n"
    report = reports(policy, [request(0), request(1, prompt_tokens=100)], "--scores", scores)
    assert quality(report) == [("A", "openai/gpt-4o-mini", 1, 0.8, 1, "policy")]


def test_a_cache_hit_has_the_score_of_the_answer_that_it_serves(reports: Reports) -> None:
    scores = reports.scores("request_id,model,score\nr0,gpt-4o-mini,0.9\nr1,gpt-4o-mini,0.1\n")
    requests = [request(0, prompt_hash="same"), request(1, prompt_hash="same")]
    report = reports(TO_A + "cache: {exact: {ttl: 1h}}\n", requests, "--scores", scores)
    assert report["totals"]["policy_quality_mean"] == 0.9
    assert report["totals"]["quality_coverage_ratio"] == 1.0


def test_no_line_is_lost(reports: Reports) -> None:
    """One line is used, two name a request that the log has not."""
    scores = reports.scores("request_id,model,score\nr0,gpt-4o-mini,0.9\nx1,gpt-4o,1\nx2,gpt-4o,1\n")
    report = reports(TO_A, [request(0), request(1)], "--scores", scores)
    assert [tuple(row.values()) for row in report["tables"]["scores"]] == [
        ("used", 1), ("unknown request id", 2), ("request id of several calls", 0),
        ("unknown model", 0), ("not tried: no score", 0),
    ]  # fmt: skip
    (said,) = warned(report, "W221")
    assert said.startswith("2 lines of")
    assert said.endswith("are not used: unknown request id")


def test_a_plan_that_is_partly_filled_in_is_taken(reports: Reports) -> None:
    """Two lines of four are tried, as true and false; the others are counted, and said once."""
    scores = reports.scores(
        "request_id,model,score\nr0,gpt-4o-mini,True\nr1,gpt-4o-mini,false\nr2,gpt-4o-mini,\nr3,gpt-4o-mini,\n"
    )
    report = reports(TO_A, [request(number) for number in range(4)], "--scores", scores)
    assert (report["totals"]["policy_quality_mean"], report["totals"]["quality_evidence_count"]) == (0.5, 2)
    assert [tuple(row.values()) for row in report["tables"]["scores"]] == [
        ("used", 2), ("unknown request id", 0), ("request id of several calls", 0), ("unknown model", 0),
        ("not tried: no score", 2),
    ]  # fmt: skip
    (said,) = warned(report, "W285")
    assert said.endswith("with a model and no score: counted as not tried")
    lines = ('{"request_id": "r0", "model": "gpt-4o-mini", "score": true}',
             '{"request_id": "r1", "model": "gpt-4o-mini", "score": null}')  # fmt: skip
    again = reports(TO_A, [request(number) for number in range(4)], "--scores", reports.scores(jsonl(*lines)))
    assert (again["totals"]["policy_quality_mean"], again["totals"]["quality_evidence_count"]) == (1.0, 1)


def test_a_plan_without_any_score_is_no_file_of_scores(reports: Reports) -> None:
    reports.write(TO_A, [request(0)])
    code, _, err = reports.said("--scores", reports.scores("request_id,model,score\nr0,gpt-4o-mini,\n"))
    assert code == 3
    assert "it holds no scores: 1 line has a model and no score" in err


def test_a_path_of_probes_that_cannot_be_written_is_named_by_its_option(reports: Reports) -> None:
    reports.write(TO_A, [request(0)])
    _, _, err = reports.said("--probes", str(reports.folder / "nowhere" / "x.csv"))
    assert "error[E323] --probes " in err
    assert "-o " not in err


def test_an_id_of_several_calls_is_counted_apart() -> None:
    log = [
        {"request_id": name, "model": "gpt-4o", "request_model": "gpt-4o", "status": "ok", "usage_source": "provider",
         "input_uncached_tokens": 10, "input_tokens": 10, "output_tokens": 5, "source_line": line, "file_id": 1,
         "started_at": datetime(2026, 3, 2, 0, line)}
        for line, name in enumerate(("r0", "twice", "twice"), 1)
    ]  # fmt: skip
    store = store_of(log, load_book())
    lines = tuple(Score(line, name, "openai/gpt-4o", 0.5, None) for line, name in enumerate(("r0", "twice", "none"), 2))
    calls = load_calls(store)
    found = load_scores(store, Scores("s.csv", lines), calls, (), np.zeros(calls.count, dtype=np.bool_))
    assert dict(found.counts) == {
        "used": 1, "unknown request id": 1, "request id of several calls": 1, "unknown model": 0,
    }  # fmt: skip
    assert np.array_equal(found.of_model("openai/gpt-4o"), [0.5, np.nan, np.nan], equal_nan=True)
    assert store.query("SELECT request_id, score, expected_tier FROM score ORDER BY source_line") == [
        ("r0", 0.5, None), ("twice", 0.5, None), ("none", 0.5, None),
    ]  # fmt: skip


def test_a_score_of_a_model_that_does_not_serve_is_no_evidence(reports: Reports) -> None:
    report = reports(TO_A, [request(0)], "--scores", reports.scores("request_id,model,score\nr0,gpt-4.1,1\n"))
    assert quality(report) == []
    assert "policy_quality_mean" not in report["totals"]
    assert "no evidence" in report["provenance"]["not_computed"]["policy_quality_mean"]
    assert report["totals"]["quality_coverage_ratio"] == 0.0


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("request_id,model,score\nr0,gpt-4o,1.5\nr1,gpt-4o,x\n,gpt-4o,1\nr2,,1\nr3,gpt-4o,\nr4\n",
         [":2: score: must be a number from 0 to 1, not 1.5", ":3: score: must be a number from 0 to 1, not 'x'",
          ":4: request_id: is missing", ":5: model: is missing",
          ":7: has 1 fields, the header 3"]),
        ("request_id,model,scor\nr0,gpt-4o,1\n",
         [":1: scor: unknown key; did you mean score?", ":2: score: is missing"]),
        ("id,model,score\nr0,gpt-4o,1\n", [":1: id: unknown key", ":1: request_id: is missing in the header"]),
        ("request_id,model,score\nr0,gpt-4o,1\nr0,openai/gpt-4o,1\n",
         [":3: model: the request has a line of openai/gpt-4o in line 2 too"]),
        ("request_id,expected_tier\nr0,A\nr1,B\nr0,C\n",
         [":3: expected_tier: must be a tier, not 'B'; the policy's tiers are A, C",
          ":4: expected_tier: the request has the label A in line 2"]),
        ("request_id,label,expected_tier\nr0,A,C\n", [":2: label: is not the expected_tier of the same line"]),
        ('{"request_id": "r0", "model": "gpt-4o", "score": "yes"}\n{"request_id": 1.5}\n[]\n{"request_id": "r1",\n'
         '{"request_id": "a", "request_id": "b"}\n{"request_id": "r2", "model": "m", "score": NaN}\n'
         '{"request_id": "r3"}\n',
         [":1: score: must be a number from 0 to 1, not 'yes'", ":2: request_id: must be a text, not 1.5",
          ":3: must be an object, not a list", ":4: not JSON", ":5: not JSON: a key stands twice",
          ":6: not JSON: NaN is no number", ":7: score: is missing"]),
        ('request_id,model,score\n"r0,gpt-4o,1\n', ["not CSV"]),
    ],
)  # fmt: skip
def test_every_fault_of_the_file_is_told_by_line(reports: Reports, text: str, messages: list[str]) -> None:
    reports.write(TO_A, [request(0)])
    path = reports.scores(text)
    reports.log = reports.folder / "no-such-log.csv"
    code, out, err = reports.said("--scores", path)
    assert (code, out) == (3, "")
    assert "error[E433]" in err
    for message in messages:
        assert message in err
    # The first fault is the message itself, the others are listed below it: each is told once.
    assert err.count(f"  {path}:") == len(messages) - 1
    assert err.count(f"{path}:") == len(messages)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"request_id,model,score\n", b"\xff\xfe"])
def test_a_file_without_scores_is_refused(reports: Reports, content: bytes) -> None:
    reports.write(TO_A, [request(0)])
    path = reports.folder / "scores.csv"
    path.write_bytes(content)
    code, _, err = reports.said("--scores", str(path))
    assert code == 3
    assert "E432" in err
    assert "E432" in reports.said("--scores", str(reports.folder / "nothing.csv"))[2]


def test_only_the_first_faults_of_many_are_shown(reports: Reports) -> None:
    reports.write(TO_A, [request(0)])
    _, _, err = reports.said("--scores", reports.scores("request_id,model,score\n" + "r,m,9\n" * 5000))
    assert "and 4,999 more" in err
    assert len(err.splitlines()) < 110


def test_routing_accuracy_and_the_recall_of_complex_requests(reports: Reports) -> None:
    """Leads go to C. r1 and r3 are leads; labelled C are r1 and r2, labelled A is r0; r3 and r4 have no label."""
    labels = reports.scores("request_id,expected_tier\nr0,A\nr1,C\nr2,C\n")
    requests = [request(number, endpoint="/lead" if number in {1, 3} else "/chat") for number in range(5)]
    report = reports(LEADS, requests, "--scores", labels)
    totals = report["totals"]
    assert (totals["routing_accuracy_count"], totals["complex_to_premium_count"]) == (3, 2)
    assert totals["routing_accuracy_ratio"] == 2 / 3
    assert totals["complex_to_premium_ratio"] == 0.5
    assert report["provenance"]["status"]["routing_accuracy_ratio"] == "estimated"
    assert (totals["routing_accuracy_ratio_low"], totals["routing_accuracy_ratio_high"]) == wilson(2, 3)
    assert [tuple(row.values()) for row in report["tables"]["labels"]] == [
        ("A", "A", "A", 1), ("C", "A", "A", 1), ("C", "C", "C", 1),
    ]  # fmt: skip
    assert "no score of a call" in report["provenance"]["not_computed"]["policy_quality_mean"]


def test_with_a_label_for_every_call_the_accuracy_is_no_estimate(reports: Reports) -> None:
    labels = reports.scores(jsonl('{"request_id": "r0", "label": "A"}', '{"request_id": "r1", "label": "C"}'))
    gates = "gates: ['routing_accuracy_ratio >= 0.5', 'complex_to_premium_ratio >= 0.5']\n"
    reports.write(LEADS + gates, [request(0), request(1)])
    code, out, _ = reports.said("--scores", labels, output="csv")
    assert code == 6  # r1 stays in A, so half of the labels are met and none of the complex ones
    assert "gates,PASS,routing_accuracy_ratio >= 0.5,0.5,error,replayed" in out
    assert "gates,FAIL,complex_to_premium_ratio >= 0.5,0,error,replayed" in out


def test_budgets_take_complex_requests_from_the_dear_tier_but_not_from_the_accuracy(reports: Reports) -> None:
    labels = reports.scores("request_id,expected_tier\nr0,C\nr1,C\n")
    requests = [request(number, endpoint="/lead") for number in range(2)]
    report = reports(LEADS + "budgets: {usd_per_day: 0.0036}\n", requests, "--scores", labels)
    totals = report["totals"]
    assert totals["routing_accuracy_ratio"] == 1.0
    assert totals["complex_to_premium_ratio"] == 0.5
    assert [tuple(row.values()) for row in report["tables"]["labels"]] == [("C", "C", "A", 1), ("C", "C", "C", 1)]
    screen = " ".join(reports.said("--scores", labels, output="table")[1].split())
    assert "100.0 % of 2 labelled calls routed to the expected tier, before budgets and attempts" in screen


def test_calls_that_a_cache_answers_have_no_tier(reports: Reports) -> None:
    labels = reports.scores("request_id,expected_tier\nr0,A\nr1,C\n")
    requests = [request(number, prompt_hash="same") for number in range(2)]
    totals = reports(LEADS + "cache: {exact: {ttl: 1h}}\n", requests, "--scores", labels)["totals"]
    assert (totals["routing_accuracy_count"], totals["routing_accuracy_ratio"]) == (1, 1.0)


def test_without_labels_nothing_is_said_of_routing(reports: Reports) -> None:
    report = reports(TO_A, [request(0)], "--scores", reports.scores("request_id,model,score\nr0,gpt-4o,1\n"))
    assert report["provenance"]["not_computed"]["routing_accuracy_ratio"].startswith("needs labels")
    assert "routing_accuracy_ratio" not in report["totals"]


def test_wilson() -> None:
    """Worked values of Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    worked = ((81, 263), (15, 148), (0, 20), (1, 29))
    assert [tuple(round(end, 4) for end in wilson(yes, count)) for yes, count in worked] == [
        (0.2553, 0.3662), (0.0624, 0.1605), (0.0, 0.1611), (0.0061, 0.1718),
    ]  # fmt: skip


def test_scores_of_another_seller_of_the_model_are_told(reports: Reports) -> None:
    """It has a price and so is no stranger, but no call of log or policy is its own; the other line is."""
    scores = reports.scores("request_id,model,score\nr0,openrouter/openai/gpt-4o-mini,0.9\nr1,gpt-4o-mini,0.9\n")
    report = reports(TO_A, [request(number) for number in range(2)], "--scores", scores)
    (said,) = [one for one in report["warnings"] if one["code"] == "W318"]
    assert said["message"] == (
        f"1 line of {scores} is of a model that has a price and serves no call of the log or the policy, so its score "
        "says nothing here: openrouter/openai/gpt-4o-mini (1)"
    )
    assert said["hint"] == "did you mean openai/gpt-4o-mini?"
    assert report["totals"]["quality_evidence_count"] == 1
    again = reports(TO_A, [request(0)], "--scores", reports.scores("request_id,model,score\nr0,gpt-4o-mini,0.9\n"))
    assert "W318" not in [one["code"] for one in again["warnings"]]


def test_scores_of_a_model_that_nobody_knows_are_told(reports: Reports) -> None:
    """Two misspelt, one of a model of nobody's; the label of a line with one is used. What the log names is known."""
    calls = [*(request(number) for number in range(4)), request(4, model="mine-v1")]
    scores = reports.scores(
        "request_id,model,score,expected_tier\nr0,gpt-4o-mni,0.9,\nr1,gpt-4o-mni,0.9,A\nr2,zzzz,0.5,\nr3,gpt-4o-mini,0.5,\n"
        "r4,mine-v1,0.5,\n"
    )
    report = reports(TO_A, calls, "--scores", scores)
    (said,) = [one for one in report["warnings"] if one["code"] == "W225"]
    assert said["message"] == (
        f"3 lines of {scores} with a model that neither the prices, the log nor the policy knows, so its score is not "
        "used: gpt-4o-mni (2), zzzz (1)"
    )
    assert said["hint"].startswith("did you mean openai/gpt-4o-mini")
    assert {row["what"]: row["line_count"] for row in report["tables"]["scores"]} == {
        "used": 3, "unknown request id": 0, "request id of several calls": 0, "unknown model": 2,
        "not tried: no score": 0,
    }  # fmt: skip
    assert report["totals"]["routing_accuracy_count"] == 1
    assert report["totals"]["quality_evidence_count"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "request_id;model;score\nr0;gpt-4o-mini;0,9\nr1;gpt-4o-mini;0.5\n",
        "sep=;\r\nrequest_id;model;score\r\nr0;gpt-4o-mini;0,9\r\nr1;gpt-4o-mini;,5\r\n",
        "request_id\tmodel\tscore\nr0\tgpt-4o-mini\t0,9\nr1\tgpt-4o-mini\t0,50\n",
    ],
)
def test_a_table_of_semicolons_and_decimal_commas_is_a_file_of_scores(reports: Reports, text: str) -> None:
    """As a spreadsheet writes it in Spanish."""
    report = reports(TO_A, [request(number) for number in range(2)], "--scores", reports.scores(text))
    assert report["totals"]["policy_quality_mean"] == 0.7


def test_a_fault_below_a_line_that_names_the_delimiter_has_its_own_line(reports: Reports) -> None:
    reports.write(TO_A, [request(0)])
    code, _, err = reports.said("--scores", reports.scores("sep=;\nrequest_id;model;score\nr0;gpt-4o-mini;1,2,3\n"))
    assert code != 0
    assert "scores.txt:3" in err
    assert "'1,2,3'" in err
