"""cache.semantic over a log with texts, as a user meets it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from costctl.money import ratio_display
from costctl.replay import near_missed

POLICY = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}}
cache: {semantic: {%s}}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
"""
SERVE = "serve_min: 0.7, ttl: 1h"
ASKED = "How can I change the delivery address of my order?"
NEAR = "How can I change the delivery address of my online order?"


def call(minute: int, words: str, **more: Any) -> dict[str, Any]:
    """One call: 1,000 tokens in and 100 out of gpt-4o, $0.0035."""
    return {
        "id": f"r{minute}", "timestamp": f"2026-03-02T{10 + minute // 60}:{minute % 60:02}:00Z", "model": "gpt-4o",
        "messages": [{"role": "user", "content": words}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100}, **more,
    }  # fmt: skip


class Run:
    """One workspace in which a log is simulated under several policies."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], calls: list[dict[str, Any]]) -> None:
        self.folder, self.capsys = folder, capsys
        self.log = folder / "log.jsonl"
        self.log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")

    def __call__(self, keys: str, *more: str, with_log: bool = True) -> dict[str, Any]:
        policy = self.folder / "policy.yaml"
        policy.write_text(POLICY % keys, "utf-8")
        told = self.folder / "decisions.jsonl"
        names = [str(self.log)] if with_log else []
        db = self.folder / "w" / "c.duckdb"
        code = run(["simulate", *names, "--policy", str(policy), "--db", str(db), "--output", "json",
                    "--decisions", str(told), *more])  # fmt: skip
        captured = self.capsys.readouterr()
        assert code == 0, captured.err
        found: dict[str, Any] = json.loads(captured.out)
        found["decisions"] = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
        return found


def served(report: dict[str, Any]) -> list[str]:
    """Who answered each call."""
    return [one["served_by"] for one in report["decisions"]]


def test_a_near_prompt_is_served_and_costs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Run(tmp_path, capsys, [call(0, ASKED), call(1, NEAR), call(2, "What is the capital of Peru?")])(SERVE)
    assert served(report) == ["provider", "semantic_cache", "provider"]
    assert report["decisions"][1]["answered_by_request_id"] == "r0"
    assert 0.7 <= report["decisions"][1]["prompt_similarity"] < 1
    assert report["totals"]["semantic_hit_ratio"] == pytest.approx(1 / 3)
    assert report["totals"]["cache_hit_ratio"] == pytest.approx(1 / 3)
    assert Decimal(report["totals"]["saving_usd"]) == Decimal("0.0035")
    rows = {row["stage"]: Decimal(str(row["change_usd"])) for row in report["tables"]["waterfall"]}
    assert rows["semantic_cache"] == Decimal("-0.0035")
    assert "wrong_per_hit_ratio" not in report["totals"]
    assert "no answers" in report["provenance"]["not_computed"]["wrong_per_hit_ratio"]


def test_above_the_threshold_only_its_own_prompt_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Run(tmp_path, capsys, [call(0, ASKED), call(1, NEAR), call(2, ASKED)])("serve_min: 1, ttl: 1h")
    assert served(report) == ["provider", "provider", "semantic_cache"]
    assert report["decisions"][2]["prompt_similarity"] == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Book a table for 2 people tonight please", "Book a table for 4 people tonight please"),
        ("Turn on the alarm for Monday morning please", "Turn off the alarm for Monday morning please"),
        ("Quiero viajar a Lima la próxima semana", "Quiero viajar a Cusco la próxima semana"),
    ],
)
def test_the_guard_keeps_apart_what_only_looks_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one: str, other: str
) -> None:
    report = Run(tmp_path, capsys, [call(0, one), call(1, other), call(2, one)])("serve_min: 0.3, ttl: 1h")
    assert served(report) == ["provider", "provider", "semantic_cache"]


def test_between_the_thresholds_a_cheap_tier_refreshes_and_nothing_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = "serve_min: 1, refresh_min: 0.7, refresh_tier: A, ttl: 1h"
    report = Run(tmp_path, capsys, [call(0, ASKED), call(1, NEAR), call(2, NEAR)])(keys)
    assert served(report) == ["provider"] * 3
    assert [one["is_refreshed"] for one in report["decisions"]] == [False, True, True]
    assert [one["model"] for one in report["decisions"][1:]] == ["openai/gpt-4o-mini"] * 2
    # Twice 1,000 and 100 tokens at 0.15 and 0.60 a million instead of $0.0035.
    rows = {row["stage"]: Decimal(str(row["change_usd"])) for row in report["tables"]["waterfall"]}
    assert rows["semantic_cache"] == 2 * (Decimal("0.00021") - Decimal("0.0035"))
    assert rows["route"] == 0
    assert report["totals"]["semantic_refresh_ratio"] == pytest.approx(2 / 3)


def test_an_entry_lives_as_long_as_its_month_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = [call(0, ASKED), call(30, NEAR), call(75, NEAR)]
    simulate = Run(tmp_path, capsys, calls)
    assert served(simulate("serve_min: 0.7, ttl: [{months: [3], ttl: 40m}, {ttl: 3h}]"))[1:] == [
        "semantic_cache", "provider"
    ]  # fmt: skip
    assert served(simulate("serve_min: 0.7, ttl: [{months: [4], ttl: 40m}, {ttl: 3h}]"))[1:] == ["semantic_cache"] * 2
    assert served(simulate("serve_min: 0.7, ttl: 0s")) == ["provider"] * 3


def test_parts_of_the_key_must_be_equal_and_open_is_not_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ideas for a trip with museums and art", "ideas for a trip with museums", "ideas for a trip"]
    simulate = Run(tmp_path, capsys, [call(number, one) for number, one in enumerate(words)])
    assert served(simulate("serve_min: 0.4, ttl: 1h")) == ["provider", "semantic_cache", "semantic_cache"]
    assert served(simulate("serve_min: 0.4, ttl: 1h, key: [interests]")) == ["provider"] * 3
    other = Run(tmp_path, capsys, [call(0, ASKED, endpoint="/a"), call(1, NEAR, endpoint="/b")])
    assert served(other(SERVE))[1] == "semantic_cache"
    assert served(other(f"{SERVE}, key: [endpoint]"))[1] == "provider"


def test_what_is_no_single_question_takes_no_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]
    later = call(1, NEAR)
    later["messages"] = [*turns, *later["messages"]]
    personal = call(2, f"{ASKED} I am ana@example.com", id="x")
    system = call(3, NEAR)
    system["messages"].insert(0, {"role": "system", "content": "Answer in verse."})
    report = Run(tmp_path, capsys, [call(0, ASKED), later, personal, system])(SERVE)
    assert served(report) == ["provider"] * 4
    said = [one["message"] for one in report["warnings"] if one["code"] == "W233"]
    assert said[0].startswith("2 calls take no part")


def test_vectors_and_graph_are_kept_and_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate = Run(tmp_path, capsys, [call(0, ASKED), call(1, NEAR)])
    first = simulate(SERVE)
    kept = sorted((tmp_path / "w" / "near").iterdir())
    assert [file.name.partition("-")[0] for file in kept] == ["graph", "texts"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in kept)
    simulate.log.unlink()
    again = simulate(SERVE, with_log=False)
    assert again == first
    held = b"".join(file.read_bytes() for file in (tmp_path / "w").rglob("*") if file.is_file())
    assert b"delivery" not in held


def test_the_same_question_in_another_language_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Run(tmp_path, capsys, [call(0, "What's the price?"), call(1, "¿Cuánto cuesta?")])(
        "serve_min: 0.9, ttl: 1h"
    )
    assert served(report) == ["provider"] * 2
    assert any(one["code"] == "W230" and "another language" in one["message"] for one in report["warnings"])


def labelled(folder: Path, count: int, *, prefix: str = "r") -> list[str]:
    """The arguments that name a file in which so many of the first calls have a label, each the same."""
    file = folder / "labels.csv"
    rows = [f"{prefix}{number},same" for number in range(count)]
    file.write_text("\n".join(["request_id,answer_label", *rows, ""]), "utf-8")
    return ["--scores", str(file)]


def reworded(*, has_answers: bool) -> list[dict[str, Any]]:
    """40 subjects, each asked three times in near words and answered in two ways; 120 calls, of which 80 are hits."""
    things = ("invoice", "refund", "parcel", "password", "coupon", "seat", "visa", "bag")
    subjects = [f"{thing} {place}" for thing in things for place in ("store", "office", "airport", "school", "hotel")]
    calls = []
    for number, subject in enumerate(subjects):
        answer = f"To settle your {subject} go to the page of {subject} matters and follow what it says there."
        said = (answer, answer, f"{answer} Write to us where it does not help.")
        words = (f"help me with my {subject}", f"please help me with my {subject}", f"help me with my {subject}")
        for turn in range(3):
            more = {"response": said[turn]} if has_answers else {}
            calls.append(call(3 * number + turn, words[turn], **more))
    return calls


def test_where_labels_judge_too_few_hits_the_answers_still_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels of the first three calls judge both of their hits, and 20 are needed: the figure stays, and says why."""
    simulate = Run(tmp_path, capsys, reworded(has_answers=True))
    plain = simulate("serve_min: 0.85, ttl: 1h")
    few = simulate("serve_min: 0.85, ttl: 1h", *labelled(tmp_path, 3))
    assert few["totals"]["wrong_per_hit_ratio"] == plain["totals"]["wrong_per_hit_ratio"]
    assert few["tables"]["semantic_curve"] == plain["tables"]["semantic_curve"]
    (said,) = [one for one in few["warnings"] if one["code"] == "W268"]
    assert "the labels judge 2 of 80 hits of the semantic cache" in said["message"]
    assert "by the answers of the log" in said["message"]
    assert said["hint"].startswith("label more")
    many = simulate("serve_min: 0.85, ttl: 1h", *labelled(tmp_path, 120))
    assert many["totals"]["wrong_per_hit_ratio"] == 0
    assert not {"W268", "W278"} & {one["code"] for one in many["warnings"]}


def test_without_answers_too_few_labels_are_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Run(tmp_path, capsys, reworded(has_answers=False))("serve_min: 0.85, ttl: 1h", *labelled(tmp_path, 3))
    why = report["provenance"]["not_computed"]["wrong_per_hit_ratio"]
    assert why == "not identifiable: the labels judge 2 of 80 hits, 20 are needed"
    (said,) = [one for one in report["warnings"] if one["code"] == "W232"]
    assert said["hint"].startswith("label more requests")


@pytest.mark.parametrize("again", ["", " Write to us where it does not help."])
def test_answers_of_the_log_say_how_many_hits_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], again: str
) -> None:
    """Repeats in other words show how far right answers are apart; word for word they only bound the wrong ones."""
    things = ("invoice", "refund", "parcel", "password", "coupon", "seat", "visa", "bag")
    subjects = [f"{thing} {place}" for thing in things for place in ("store", "office", "airport", "school", "hotel")]
    calls = []
    for number, subject in enumerate(subjects):
        answer = f"To settle your {subject} go to the page of {subject} matters and follow what it says there."
        calls += [call(3 * number, f"help me with my {subject}", response=answer),
                  call(3 * number + 1, f"please help me with my {subject}", response=answer),
                  call(3 * number + 2, f"help me with my {subject}", response=answer + again)]  # fmt: skip
    report = Run(tmp_path, capsys, calls)("serve_min: 0.85, ttl: 1h")
    total = report["totals"]
    assert total["semantic_hit_ratio"] > 0.5
    assert "W278" in {one["code"] for one in report["warnings"]}
    if not again:
        assert "wrong_per_hit_ratio" not in total
        assert total["wrong_per_hit_ratio_low"] == 0.0 < total["wrong_per_hit_ratio_high"] < 1
        assert "answered in other words" in report["provenance"]["not_computed"]["wrong_per_hit_ratio"]
        own = next(row for row in report["tables"]["semantic_curve"] if row["is_policy"])
        assert own["wrong_per_hit_ratio"] is None
        assert own["wrong_per_hit_ratio_high"] == total["wrong_per_hit_ratio_high"]
        return
    assert total["wrong_per_hit_ratio_low"] <= total["wrong_per_hit_ratio"] <= total["wrong_per_hit_ratio_high"]
    assert total["wrong_per_request_ratio"] == pytest.approx(total["wrong_per_hit_ratio"] * total["semantic_hit_ratio"])
    assert report["provenance"]["status"]["wrong_per_hit_ratio"] == "estimated"
    curve = report["tables"]["semantic_curve"]
    hits = [row["semantic_hit_count"] for row in curve]
    assert hits == sorted(hits, reverse=True)


@pytest.mark.parametrize(
    ("said", "most"), [(("one", "one", "two", "three"), 2 / 3), (("one", "two", "three", "four"), 1), (("one",) * 4, 0)]
)
def test_too_few_answers_bound_the_wrong_hits_and_are_no_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: tuple[str, ...], most: float
) -> None:
    """Three hits: equal answers are right, and of the others nobody knows; none of them shows that none is wrong."""
    words = (ASKED, NEAR, f"{ASKED} please", f"{NEAR} please")
    calls = [call(at, one, response=answer) for at, (one, answer) in enumerate(zip(words, said, strict=True))]
    report = Run(tmp_path, capsys, calls)("serve_min: 0.6, ttl: 1h")
    assert served(report) == ["provider", *["semantic_cache"] * 3]
    total, provenance = report["totals"], report["provenance"]
    for name, whole in (("wrong_per_hit_ratio", 1), ("wrong_per_request_ratio", 3 / 4)):
        assert name not in total
        assert "too few answers" in provenance["not_computed"][name]
        if most == 1:  # a bound that says nothing is not told
            assert f"{name}_high" not in total
            continue
        assert (total[f"{name}_low"], total[f"{name}_high"]) == (0, pytest.approx(most * whole))
        assert provenance["status"][f"{name}_high"] == "bounded"
    assert any(one["code"] == "W232" for one in report["warnings"])
    assert all(row["wrong_per_hit_ratio"] is None for row in report["tables"]["semantic_curve"])


def test_a_label_of_an_id_that_several_calls_share_judges_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with scores: the line is not used, and the report says so."""
    shared = [call(minute, ASKED) | {"request_id": "same", "user": f"u{minute}"} for minute in range(3)]
    simulate = Run(tmp_path, capsys, shared)
    labels = tmp_path / "labels.csv"
    labels.write_text("request_id,answer_label\nsame,a\n", "utf-8")
    report = simulate("serve_min: 0.9, ttl: 1h}, exact: {ttl: 1h", "--scores", str(labels))
    assert served(report) == ["provider", "exact_cache", "exact_cache"]
    assert not report["totals"].get("exact_judged_count")
    assert any("request id of several calls" in one["message"] for one in report["warnings"])


def test_labels_tell_wrong_hits_of_the_exact_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One prompt six times: five exact hits on the first. Of the four that have a label two need another answer."""
    simulate = Run(tmp_path, capsys, [call(minute, ASKED) for minute in range(6)])
    labels = tmp_path / "labels.csv"
    labels.write_text("request_id,answer_label\nr0,a\nr1,a\nr2,b\nr3,c\nr4,a\n", "utf-8")
    exact = "serve_min: 0.9, ttl: 1h}, exact: {ttl: 1h"
    report = simulate(exact, "--scores", str(labels))
    assert served(report) == ["provider", *["exact_cache"] * 5]
    assert (report["totals"]["exact_judged_count"], report["totals"]["exact_wrong_count"]) == (4, 2)
    assert report["provenance"]["status"]["exact_wrong_count"] == "replayed"
    (said,) = [one for one in report["warnings"] if one["code"] == "W283"]
    assert "2 of 4 judged hits of the exact cache wrong (5 such hits in all)" in said["message"]
    assert "cache.exact.scope: [app, user]" in said["hint"]
    assert run(["simulate", str(simulate.log), "--policy", str(tmp_path / "policy.yaml"), "--db",
                str(tmp_path / "w" / "c.duckdb"), "--scores", str(labels)]) == 0  # fmt: skip
    assert "wrong by labels: 2 of 4\n" in capsys.readouterr().out
    plain = simulate(exact)
    assert "exact_wrong_count" not in plain["totals"]
    assert "W283" not in {one["code"] for one in plain["warnings"]}


def test_a_miss_is_explained_by_the_nearest_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three o'clock is refused by the guard, the entry of r0 is dead after an hour, and r4 is near to nothing."""
    at_three, other = "remind me to call the bank at 3", "remind me to call the bank at 4"
    simulate = Run(tmp_path, capsys, [
        call(0, at_three), call(1, other), call(2, f"{at_three} sharp"), call(70, "remind me to call the bank"),
        call(80, "translate my poem about rivers"),
    ])  # fmt: skip
    made = {one["request_id"]: one for one in simulate("serve_min: 0.75, ttl: 1h")["decisions"]}
    assert [made[f"r{at}"]["served_by"] for at in (0, 1, 2, 70, 80)] == [
        "provider", "provider", "semantic_cache", "provider", "provider",
    ]  # fmt: skip
    assert made["r1"]["semantic_cache"].startswith("refused by the guard")
    assert made["r1"]["nearest_prompt_similarity"] >= 0.75
    assert made["r2"]["semantic_cache"] is None
    for name in ("r0", "r70", "r80"):
        assert made[name]["semantic_cache"] == "no live entry of equal guard is near enough"
        assert made[name]["nearest_prompt_similarity"] is None
    assert run(["explain-request", "r1", "--db", str(tmp_path / "w" / "c.duckdb"), "--output", "json"]) == 0
    steps = json.loads(capsys.readouterr().out)["tables"]["steps"]
    (step,) = [one for one in steps if one["stage"] == "semantic_cache"]
    assert step["decision"] == "not served"
    assert "like that of r0, the nearest with a live entry; refused by the guard" in step["reason"]
    strict = {one["request_id"]: one for one in simulate("serve_min: 0.95, ttl: 1h")["decisions"]}
    assert strict["r2"]["semantic_cache"] == "below the threshold"
    assert 0.75 < strict["r2"]["nearest_prompt_similarity"] < 0.95
    keys = "serve_min: 0.995, refresh_min: 0.75, refresh_tier: A, ttl: 1h"
    refreshing = {one["request_id"]: one for one in simulate(keys)["decisions"]}
    assert refreshing["r1"]["semantic_cache"].startswith("refused by the guard")  # else it would be refreshed
    assert refreshing["r2"]["is_refreshed"]
    monkeypatch.setattr(near_missed, "MISSES_MAX", 3)
    many = {one["request_id"]: one for one in simulate("serve_min: 0.75, ttl: 1h")["decisions"]}
    assert many["r1"]["semantic_cache"].endswith("is not looked for among so many misses")
    assert many["r1"]["nearest_prompt_similarity"] is None


def test_both_ends_of_wrong_hits_are_shown_on_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate = Run(tmp_path, capsys, reworded(has_answers=True))
    total = simulate("serve_min: 0.85, ttl: 1h")["totals"]
    base = ["simulate", str(simulate.log), "--policy", str(tmp_path / "policy.yaml"),
            "--db", str(tmp_path / "w" / "c.duckdb")]  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
    assert run(base) == 0
    screen = capsys.readouterr().out
    (heads,) = [line for line in screen.split("\n") if line.startswith("  serve min")]
    assert heads.split("  ")[-3:] == ["low end", "high end", "own prompt"]
    assert f"of all calls: {ratio_display(total['wrong_per_request_ratio'])} (" in screen
    monkeypatch.setenv("COLUMNS", "55")
    assert run(base) == 0
    (heads,) = [line for line in capsys.readouterr().out.split("\n") if line.startswith("  serve min")]
    assert not {"low end", "high end"} & set(heads.split("  "))


def test_without_prompts_the_stage_is_skipped_and_the_rest_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Routing saves what it does without the key; what the cache would give is not computed, no gate on it runs."""
    log, policy = tmp_path / "log.csv", tmp_path / "policy.yaml"
    log.write_text(
        "timestamp,model,prompt_tokens,completion_tokens,user_id\n2026-03-02T10:00:00Z,gpt-4o,100000,0,u\n", "utf-8"
    )
    rest = (
        "routing: {default: A}\nscenarios: {volume_ratio: 2}\n"
        "gates: [{gate: 'semantic_hit_ratio <= 1', level: warn}, {gate: 'cache_hit_ratio <= 1', level: warn}]\n"
    )
    where = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb")]
    policy.write_text(POLICY % SERVE + rest, "utf-8")
    assert run(["simulate", str(log), *where, "--staged", "--output", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert Decimal(report["totals"]["policy_cost_usd"]) == Decimal("0.015")
    missing = report["provenance"]["not_computed"]
    for name in ("semantic_hit_ratio", "semantic_refresh_ratio", "wrong_per_hit_ratio", "cache_hit_ratio"):
        assert name not in report["totals"]
        assert "no text of any prompt" in missing[name]
    assert [row["verdict"] for row in report["tables"]["gates"]] == ["NOT RUN", "NOT RUN"]
    assert [row["cache_hit_ratio"] for row in report["tables"]["scenarios"]] == [None, None]
    assert report["tables"]["staged"][2]["what"] == "skipped: the log has no prompts"
    assert [one["code"] for one in report["warnings"]].count("W269") == 1
    assert run(["simulate", str(log), *where]) == 0
    assert "cache.semantic is skipped" in capsys.readouterr().out
    policy.write_text((POLICY % SERVE).replace("cache", "# cache") + rest, "utf-8")
    assert run(["simulate", *where, "--output", "json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["totals"]["policy_cost_usd"] == report["totals"]["policy_cost_usd"]
    assert "W269" not in [one["code"] for one in plain["warnings"]]


def test_a_part_of_the_key_that_nobody_knows_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % f"{SERVE}, key: [destinacion]", "utf-8")
    assert run(["policy", "check", str(policy)]) == 2
    assert "did you mean destination?" in capsys.readouterr().err


def test_the_embedding_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate = Run(tmp_path, capsys, [call(0, ASKED), call(1, NEAR)])
    simulate(SERVE)
    policy, db = str(tmp_path / "policy.yaml"), str(tmp_path / "w" / "c.duckdb")
    arguments = ["simulate", str(simulate.log), "--policy", policy, "--db", db, "--output", "json", "--embedding"]
    assert run([*arguments, "words"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert any("near prompts by words;" in one["message"] for one in report["warnings"])
    assert run([*arguments, "wordlama"]) == 2
    assert "E340" in capsys.readouterr().err
