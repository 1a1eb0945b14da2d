"""costctl calibrate: a threshold with its bound, or the reason why there is none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from costctl.cli import run
from costctl.errors import CostctlError
from costctl.evaluate.threshold import _apart
from costctl.policy.load import load_policy, parse_policy

POLICY = "version: 1\ncache: {semantic: {serve_min: 0.9, ttl: 30d}}\n"
QUESTIONS = 120


def subject_of(number: int) -> str:
    """Six words that no other question has."""
    rng = Random(f"subject {number}")
    return " ".join("".join(rng.choice("bdfglmnprst") + rng.choice("aeiou") for _ in range(3)) for _ in range(6))


def made(folder: Path, wrong_every: int) -> tuple[Path, Path]:
    """A log in which each question comes again in other words, and labels by which some of them need another answer."""
    log, labels = folder / "log.jsonl", folder / "labels.jsonl"
    calls, said = [], []
    for number in range(QUESTIONS):
        subject = subject_of(number)
        for turn, words in enumerate((subject, f"{subject} please")):
            name = f"r{number}-{turn}"
            minute = 2 * number + turn
            calls.append({
                "id": name, "timestamp": f"2026-03-02T{minute // 60:02}:{minute % 60:02}:00Z", "model": "gpt-4o",
                "messages": [{"role": "user", "content": words}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10},
            })  # fmt: skip
            is_wrong = turn and wrong_every and number % wrong_every == 0
            said.append({"request_id": name, "answer_label": f"{subject}{'!' if is_wrong else ''}"})
    log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
    labels.write_text("".join(json.dumps(one) + "\n" for one in said), "utf-8")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    return log, labels


def calibrated(folder: Path, capsys: pytest.CaptureFixture[str], log: Path, *more: str) -> tuple[int, Any]:
    """Exit code, and the report or what was said instead."""
    code = run(["calibrate", str(log), "--policy", str(folder / "policy.yaml"), "--db", str(folder / "w" / "c.duckdb"),
                "--output", "json", *more])  # fmt: skip
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if code == 0 else captured.err


@pytest.mark.parametrize("bound", ["0.1", "10%"])
def test_the_lowest_threshold_within_the_bound_is_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bound: str
) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    code, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", bound)
    assert code == 0
    total = report["totals"]
    assert 0.8 <= total["serve_min"] < 0.99
    assert total["wrong_upper_ratio"] <= 0.1
    assert report["provenance"]["status"]["wrong_upper_ratio"] == "bounded"
    assert report["provenance"]["judged_by"] == "labels"
    assert all(row["wrong_count"] == 0 for row in report["tables"]["tried"])


@pytest.mark.parametrize(
    ("said", "told"),
    [("banana", "must be a share such as 5% or 0.05, not banana"), ("60%", "must be between 0.001 and 0.5, not 60%")],
)
def test_what_is_no_share_is_refused(said: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "--max-wrong", said]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_where_too_many_are_wrong_none_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=3)
    code, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    assert code == 0
    assert "serve_min" not in report["totals"]
    assert "too many of the judged hits are wrong" in report["provenance"]["not_computed"]["serve_min"]
    assert [one["code"] for one in report["warnings"]] == ["W235"]


def test_too_few_hits_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    _, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.005")
    assert report["provenance"]["not_computed"]["serve_min"].startswith("too few:")


def test_without_labels_and_answers_nothing_can_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, _ = made(tmp_path, wrong_every=0)
    code, said = calibrated(tmp_path, capsys, log)
    assert code == 4
    assert "E461" in said


def with_repeats(log: Path, labels: Path, count: int, *, is_labelled: bool = True) -> None:
    """So often one question of its own, word for word; each time another answer is right."""
    with log.open("a", encoding="utf-8") as calls, labels.open("a", encoding="utf-8") as said:
        for number in range(count):
            calls.write(json.dumps({
                "id": f"own-{number}", "timestamp": f"2026-03-02T{4 + number // 60:02}:{number % 60:02}:30Z",
                "model": "gpt-4o", "messages": [{"role": "user", "content": "What is the balance of my account?"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10},
            }) + "\n")  # fmt: skip
            if is_labelled:
                said.write(json.dumps({"request_id": f"own-{number}", "answer_label": f"balance {number}"}) + "\n")


def test_wrong_hits_on_an_equal_prompt_are_told_beside_the_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """40 times one prompt, each with its own answer, after 240 others: 39 hits on an equal prompt, all wrong."""
    log, labels = made(tmp_path, wrong_every=0)
    with_repeats(log, labels, 40)
    _, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    own = {name: report["totals"][f"own_prompt_{name}_count"] for name in ("hit", "judged", "wrong")}
    assert own == {"hit": 39, "judged": 39, "wrong": 39}
    assert report["totals"]["wrong_upper_ratio"] <= 0.1
    (said,) = [one for one in report["warnings"] if one["code"] == "W273"]
    assert "39 of 39 judged hits on an equal prompt wrong" in said["message"]
    assert "simulate counts them" in said["message"]
    assert "cache.semantic.key: [user_id]," in said["hint"]
    policy = (tmp_path / "policy.yaml").read_text("utf-8")
    (tmp_path / "apart.yaml").write_text(policy.replace("semantic: {", "semantic: {key: [user_id], "), "utf-8")
    semantic = load_policy(tmp_path / "apart.yaml").cache.semantic
    assert semantic is not None
    assert semantic.key == ("user_id",)
    for form in ("table", "markdown"):
        code = run(["calibrate", str(log), "--policy", str(tmp_path / "policy.yaml"), "--scores", str(labels),
                    "--db", str(tmp_path / "w" / "c.duckdb"), "--max-wrong", "0.1", "--output", form])  # fmt: skip
        assert (code, "W273" in capsys.readouterr().out) == (0, True)


@pytest.mark.parametrize(
    ("part", "message"),
    [("user", "did you mean user_id?"), ("session", "session is a part of cache.exact.scope only; known here: ")],
)
def test_a_part_of_the_other_cache_names_its_like_here(part: str, message: str) -> None:
    with pytest.raises(CostctlError, match=re.escape(message)):
        parse_policy(f"version: 1\ncache: {{semantic: {{serve_min: 0.9, ttl: 1h, key: [{part}]}}}}\n", "p")


def test_right_hits_on_an_equal_prompt_are_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    with_repeats(log, labels, 40, is_labelled=False)
    _, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    assert report["totals"]["own_prompt_hit_count"] == 39
    assert report["totals"]["own_prompt_judged_count"] == report["totals"]["own_prompt_wrong_count"] == 0
    assert "W273" not in [one["code"] for one in report["warnings"]]


@pytest.mark.parametrize("per", ["hit", "request"])
def test_the_promise_is_said_in_words_with_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], per: str
) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    arguments = ["--scores", str(labels), "--max-wrong", "0.1", "--per", per]
    _, report = calibrated(tmp_path, capsys, log, *arguments)
    promise = report["provenance"]["guarantee"]
    assert promise.startswith(f"with serve_min {report['totals']['serve_min']:.2f} at most 10.0 % of the {per}")
    for part in ("sure to 90.0 %", "next 120 requests", "(2026-03-02 02:00 to 2026-03-02 03:59 UTC)", "equal prompt"):
        assert part in promise
    base = ["calibrate", str(log), "--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "w" / "c.duckdb")]
    assert run([*base, *arguments]) == 0
    screen = capsys.readouterr().out
    assert "  PROMISE  with serve_min" in screen
    assert f"next:  set serve_min: {report['totals']['serve_min']:.2f}" in screen
    assert f"wrong per {per}" in screen
    assert run([*base, *arguments, "--output", "markdown"]) == 0
    assert "Promise: with serve" in capsys.readouterr().out


def test_none_is_promised_where_none_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """240 requests, hits judged where both are labelled: with the labels of 10 pairs too few, and more labels help."""
    log, labels = made(tmp_path, wrong_every=0)
    labels.write_text("".join(labels.read_text("utf-8").splitlines(keepends=True)[-20:]), "utf-8")
    _, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    assert "guarantee" not in report["provenance"]
    (said,) = report["warnings"]
    assert (said["code"], "10 hits of 60 on other prompts could be judged" in said["message"]) == ("W235", True)
    assert said["hint"].startswith("label more requests")


def test_labels_of_another_log_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, _ = made(tmp_path, wrong_every=0)
    other = tmp_path / "other.csv"
    other.write_text("request_id,answer_label\nx1,a\nx2,b\n", "utf-8")
    code, said = calibrated(tmp_path, capsys, log, "--scores", str(other))
    assert code == 4
    assert "none of 2 labels" in said
    assert "no request_id matches" in said


def test_labels_of_unknown_requests_are_told_as_by_simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=0)
    with labels.open("a", encoding="utf-8") as more:
        more.write('{"request_id": "x1", "answer_label": "a"}\n{"request_id": "x2", "answer_label": "a"}\n')
    where = ["--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "w" / "c.duckdb"), "--output", "json"]
    for command in ("calibrate", "simulate"):
        assert run([command, str(log), *where, "--scores", str(labels)]) == 0
        told = json.loads(capsys.readouterr().out)["warnings"]
        (said,) = [one["message"] for one in told if one["code"] == "W221"]
        assert said == f"2 lines of {labels} are not used: unknown request id"


def test_two_labels_of_one_request_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever line came last was the right answer; equal lines contradict nothing."""
    log, _ = made(tmp_path, wrong_every=0)
    both = tmp_path / "both.csv"
    both.write_text("request_id,answer_label\nx1,a\nx1,a\nx1,b\n", "utf-8")
    for command in ("calibrate", "simulate"):
        code = run([command, str(log), "--policy", str(tmp_path / "policy.yaml"), "--scores", str(both),
                    "--db", str(tmp_path / "w" / "c.duckdb")])  # fmt: skip
        said = capsys.readouterr().err
        assert (code, "error[E433]" in said) == (3, True)
        assert f"{both}:4: answer_label: the request has the label 'a' in line 2" in " ".join(said.split())


def test_where_the_search_ends_is_told_with_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """60 hits in the window, every third wrong: 20 of 60 where the search begins, and nothing else was tried."""
    log, labels = made(tmp_path, wrong_every=3)
    _, report = calibrated(tmp_path, capsys, log, "--scores", str(labels), "--max-wrong", "0.1")
    (tried,) = report["tables"]["tried"]
    why = report["provenance"]["not_computed"]["serve_min"]
    assert f"at {tried['serve_min']}, the highest threshold with enough judged hits" in why
    assert f"{tried['wrong_count']} of {tried['judged_count']}, so wrong per hit may be up to" in why
    assert "those below were not tested" in why


def test_a_bound_missed_by_a_hair_is_told_with_enough_digits() -> None:
    assert _apart(0.05, 0.05012) == ("5.00 %", "5.01 %")
    assert _apart(0.05, 0.4) == ("5.0 %", "40.0 %")


def test_labels_judge_the_hits_of_a_simulation_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, labels = made(tmp_path, wrong_every=3)
    (tmp_path / "policy.yaml").write_text(POLICY.replace("0.9", "0.8"), "utf-8")
    arguments = [
        "--policy",
        str(tmp_path / "policy.yaml"),
        "--db",
        str(tmp_path / "w" / "c.duckdb"),
        "--output",
        "json",
    ]
    assert run(["simulate", str(log), "--scores", str(labels), *arguments]) == 0
    total = json.loads(capsys.readouterr().out)["totals"]
    # Each of 120 second questions is a hit on the first, every third one wrongly.
    assert total["semantic_hit_ratio"] == pytest.approx(0.5)
    assert total["wrong_per_hit_ratio"] == pytest.approx(1 / 3)
    assert total["wrong_per_hit_ratio_low"] < 1 / 3 < total["wrong_per_hit_ratio_high"]
    assert total["wrong_per_request_ratio"] == pytest.approx(1 / 6)
