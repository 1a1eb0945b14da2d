"""routing.classifier with a router on texts, as a user meets it.

The router reads ln(1 + characters) of the last message of the user: a text of n characters has the odds n + 1 : 1
for a gain. One character: 2/3; two: 3/4; three: 4/5.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costctl.cli import run
from costctl.replay import router_scores
from costctl.tiers.learned import Category, Linear, Router, Threshold, read_texts, score_of
from costctl.tiers.learned_text import TextScorer
from costctl.tiers.router_file import dump_router
from tests.evaluate.test_train import EASY, HARD, labelled
from tests.tiers.test_learned import TEXTS, made

POLICY = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
routing: {default: C, classifier: {file: routers/router.json%s}}
"""
CHARS = Linear(("chars",), (0.0,), (1.0,), (1.0,), (0.0,), 0.0)


def router(gain_below: float = 0.7) -> Router:
    return Router(
        "text", (CHARS,), None, (), 1.0, 0.0, Threshold(gain_below, 0.02, 0.9, 0.01, 0.4), "gpt-4o-mini", "gpt-4o",
        1500, is_forced=False,
    )  # fmt: skip


def call(minute: int, words: str | None, **more: Any) -> dict[str, Any]:
    row = {
        "id": f"r{minute}", "timestamp": f"2026-03-02T10:{minute:02}:00Z", "model": "gpt-4o",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100}, **more,
    }  # fmt: skip
    return row if words is None else {"messages": [{"role": "user", "content": words}], **row}


class Workspace:
    """One log and one policy, with the router in a folder beside the policy."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], calls: list[dict[str, Any]]) -> None:
        self.folder, self._capsys = folder, capsys
        self.log, self.router = folder / "log.jsonl", folder / "p" / "routers" / "router.json"
        self.router.parent.mkdir(parents=True)
        self.write(calls)
        self.router.write_text(dump_router(router()), "utf-8")

    def write(self, calls: list[dict[str, Any]]) -> None:
        self.log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")

    def run(self, command: str, *arguments: str, more: str = "", named: bool = True) -> tuple[int, str, str]:
        policy = self.folder / "p" / "policy.yaml"
        policy.write_text(POLICY % more, "utf-8")
        db = ["--db", str(self.folder / "w" / "c.duckdb")]
        where = {
            "simulate": [*([str(self.log)] if named else []), "--policy", str(policy), *db], "policy": [str(policy)],
            "explain-request": db,
        }[command]  # fmt: skip
        code = run([command, *arguments, *where, *([] if "--output" in arguments else ["--output", "json"])])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def tiers(self, more: str = "", *, named: bool = True) -> str:
        target = self.folder / "made.jsonl"
        code, _, err = self.run("simulate", "--decisions", str(target), more=more, named=named)
        assert code == 0, err
        return "".join(json.loads(line)["tier"] for line in target.read_text("utf-8").splitlines())


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workspace:
    return Workspace(tmp_path, capsys, [call(0, "a"), call(1, "abc"), call(2, "ab"), call(3, None)])


def test_the_text_decides_and_calls_without_text_take_the_default(asked: Workspace) -> None:
    assert asked.tiers() == "ACCC"
    assert asked.tiers(", min_confidence: 25%") == "ACAC"  # 1/3, 1/5 and 1/4 that the cheaper one does as well
    code, out, _ = asked.run("explain-request", "r2")
    assert code == 0
    assert "learned router: confidence 0.250000000 >= 0.25" in out
    assert asked.tiers() == "ACCC"
    assert "learned router: gain 0.80 >= 0.7" in asked.run("explain-request", "r1")[1]


def test_what_train_router_writes_is_what_simulate_reads(asked: Workspace) -> None:
    """Hard questions gain in 60 %, easy ones in 2 %: at a bound of 5 % the easy ones go to the cheaper tier."""
    labels = asked.folder / "labels.jsonl"
    labels.write_text("".join(json.dumps(one) + "\n" for one in labelled(600)), "utf-8")
    named = ["--cheap", "gpt-4o-mini", "--dear", "gpt-4o", "--max-loss", "0.05"]
    assert run(["train-router", "--scores", str(labels), *named, "-o", str(asked.router)]) == 0
    asked.write([call(0, HARD.format(1, 2, 3, 4)), call(1, EASY.format(5, 6)), call(2, HARD.format(7, 8, 9, 1))])
    assert asked.tiers() == "CAC"


def test_scores_that_the_router_was_trained_on_are_told(asked: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """The same 600 prompts with their scores, then those of 600 others, then 599 of the first."""
    rows, labels, scores = labelled(600), asked.folder / "labels.jsonl", asked.folder / "scores.csv"
    labels.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    named = ["--cheap", "gpt-4o-mini", "--dear", "gpt-4o", "--max-loss", "0.05"]
    assert run(["train-router", "--scores", str(labels), *named, "-o", str(asked.router)]) == 0

    def told(some: list[dict[str, Any]]) -> list[str]:
        asked.write([call(0, one["prompt"], id=f"q{at}") for at, one in enumerate(some)])
        lines = [
            f"q{at},{model},{one[of]}"
            for at, one in enumerate(some)
            for model, of in (("gpt-4o-mini", "cheap_score"), ("gpt-4o", "dear_score"))
        ]
        scores.write_text("\n".join(["request_id,model,score", *lines, ""]), "utf-8")
        capsys.readouterr()
        code, out, err = asked.run("simulate", "--scores", str(scores))
        assert code == 0, err
        return [one["message"] for one in json.loads(out)["warnings"] if one["code"] == "W319"]

    (said,) = told(rows)
    assert "was trained on these scores, it seems: 600 requests with scores of both, and the same means" in said
    assert not told(labelled(600, seed=2))
    assert not told(rows[1:])


def test_the_last_message_of_the_user_is_read(asked: Workspace) -> None:
    turns = (("user", "abcdef"), ("assistant", "x"), ("user", "a"))
    said = [{"role": role, "content": words} for role, words in turns]
    parts = [{"role": "user", "content": [{"type": "text", "text": "abc"}]}]
    asked.write([call(0, None, messages=said), call(1, None, messages=parts)])
    assert asked.tiers() == "AC"


def test_texts_are_read_once_and_anew_for_another_router(asked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked.tiers() == "ACCC"
    read = list[str]()
    whole = router_scores.last_user_text

    def counted(messages: Any) -> str:
        read.append("one")
        return whole(messages)

    monkeypatch.setattr(router_scores, "last_user_text", counted)
    assert asked.tiers(named=False) == "ACCC"
    assert not read
    asked.router.write_text(dump_router(replace(router(), slope=0.5)), "utf-8")  # odds of the root: 0.59, 2/3, 0.63
    assert asked.tiers(named=False) == "AAAC"
    assert len(read) == 4


def test_a_profile_for_the_policy_carries_what_the_router_says(asked: Workspace) -> None:
    of_log = asked.tiers()
    made, db = str(asked.folder / "made.parquet"), ["--db", str(asked.folder / "w" / "c.duckdb")]
    policy = ["--policy", str(asked.folder / "p" / "policy.yaml")]
    assert run(["profile", str(asked.log), "-o", made, *policy, *db]) == 0
    assert run(["audit", made, *db]) == 0
    assert asked.tiers(named=False) == of_log == "ACCC"
    asked.router.write_text(dump_router(replace(router(), slope=0.5)), "utf-8")
    code, _, err = asked.run("simulate", named=False)
    assert code == 4
    assert "E424" in err
    assert "--policy" in err


def test_no_text_is_kept(asked: Workspace) -> None:
    asked.write([call(0, "xyzzy-4711 is secret"), call(1, "a")])
    assert asked.tiers() == "CA"
    content = b"".join(path.read_bytes() for path in (asked.folder / "w").rglob("*") if path.is_file())
    assert b"xyzzy" not in content


def test_a_category_of_the_log_counts_beside_the_text(asked: Workspace) -> None:
    used = replace(router(), categories=(Category("endpoint", 1.0, {"/easy": -5.0}),))
    asked.router.write_text(dump_router(used), "utf-8")
    asked.write([call(0, "abc", endpoint="/easy"), call(1, "abc", endpoint="/new"), call(2, "abc")])
    assert asked.tiers() == "ACC"


def test_a_log_without_text_is_refused(asked: Workspace) -> None:
    asked.write([call(0, None), call(1, None)])
    code, _, err = asked.run("simulate")
    assert code == 4
    assert "error[E419] routing.classifier reads prompts, and this log has no text of any" in err
    for way in ("costctl formats check LOG", "costctl train-router LOG --scores FILE -o router.json", "leave "):
        assert way in err, "what can be done"


def test_a_log_that_has_changed_is_refused(asked: Workspace) -> None:
    policy = asked.folder / "p" / "policy.yaml"
    assert run(["audit", str(asked.log), "--db", str(asked.folder / "w" / "c.duckdb")]) == 0
    asked.write([call(0, "abc")])
    code, _, err = asked.run("simulate", named=False)
    assert policy.exists()
    assert code == 3
    assert "E124" in err


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, "E450", "router.json"),
        ("{", "E450", "not JSON"),
        ('{"format": "other"}', "E450", "no learned router"),
        (dump_router(router()).replace('"chars"', '"charz"'), "E451", "did you mean chars"),
    ],
)
def test_a_broken_router_is_refused_with_file_and_fault(
    asked: Workspace, content: str | None, error: str, said: str
) -> None:
    asked.router.unlink()
    if content is not None:
        asked.router.write_text(content, "utf-8")
    for command in (("simulate",), ("policy", "check")):
        code, _, err = asked.run(*command)
        assert code == 2
        assert error in err
        assert said in err
        assert "router.json" in err


def test_the_screen_shows_what_the_file_promises(asked: Workspace) -> None:
    out = asked.run("simulate", "--output", "table")[1]
    assert "LEARNED ROUTER" in out
    assert "routers/router.json" in out
    assert "classifier" in asked.run("policy", "check")[1]


def test_one_text_is_scored_as_by_arrays() -> None:
    """To the last bit, with equal runs counted more than a thousand times as well."""
    used = made()
    texts = [*TEXTS, "a " * 3_000, TEXTS[0] * 40]
    assert used.shapes is not None
    whole = score_of(used, read_texts(texts, len(used.shapes.idf)))
    scorer = TextScorer(used)
    assert [scorer(text) for text in texts] == whole.tolist()
    assert [scorer(text) for text in texts] == whole.tolist()  # remembered
    assert len(np.unique(whole)) == len(texts)
