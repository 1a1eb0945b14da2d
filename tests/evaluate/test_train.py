"""train-router: what is learned, what is promised, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from costctl.cli.app import app
from costctl.errors import CostctlError
from costctl.evaluate.fit import Sample, calibration, fit
from costctl.evaluate.judge import folds_of, group_folds_of
from costctl.evaluate.labelled_file import fields_of, read_labelled
from costctl.evaluate.labels import Pair
from costctl.evaluate.train import Options, train
from costctl.tiers.learned import goes_dear, read_texts, score_texts
from costctl.tiers.router_file import load_router
from tests.support import ROOT

HARD = "If the rate does not increase, is {} + {} = {} then less than half of {}? Explain why, or prove it is false."
EASY = (
    "Write a long, friendly and very detailed text on the history of the beautiful city number {} and its {} parks, "
    "its old harbour and the people who live there."
)


def labelled(count: int, seed: int = 1, *, is_chance: bool = False) -> list[dict[str, Any]]:
    """Short hard questions, where the dearer model gains in 60 %, and long easy ones, where it gains in 2 %."""
    draws = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        is_hard = bool(draws.random() < 0.4)
        text = (HARD if is_hard else EASY).format(*draws.integers(0, 10**6, 4).tolist())
        gains = draws.random() < (0.25 if is_chance else 0.6 if is_hard else 0.02)
        rows.append({"prompt": text, "cheap_score": int(not gains), "dear_score": 1, "group": f"g{number % 6}"})
    return rows


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def read(path: Path) -> Any:
    return read_labelled(path, fields_of([]), Pair("small", "large"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return train(read(written(tmp_path_factory.mktemp("labels") / "l.jsonl", labelled(600))), Options(0.05))


def figures(report: Any, split: str) -> dict[str, float]:
    return {row["router"]: row["apgr"] for row in report.tables["routers"].dicts() if row["split"] == split}


def test_the_gain_is_learned_beside_everything_simpler(trained: Any) -> None:
    found = figures(trained.report, "unseen groups")
    assert set(found) == {"learned", "TF-IDF alone", "kNN", "length alone", "random", "oracle"}
    assert found["learned"] > 0.7 > 0.5 > found["length alone"]  # here the long ones are the easy ones
    assert abs(found["random"] - 0.5) < 0.12
    assert found["oracle"] > found["learned"]
    assert trained.report.totals["apgr_above_length_low"] > 0


def test_the_router_sends_the_hard_ones_up(trained: Any) -> None:
    router = trained.router
    assert (router.cheap_model, router.dear_model, router.label_count) == ("small", "large", 600)
    gain = score_texts(router, [HARD.format(1, 2, 3, 4), EASY.format(5, 6)])
    assert goes_dear(router, gain).tolist() == [True, False]
    assert gain[0] > 0.35 > 0.1 > gain[1]


def test_predictions_are_calibrated(trained: Any) -> None:
    for row in trained.report.tables["calibration"].dicts():
        assert row["predicted_gain_ratio"] == pytest.approx(row["gain_ratio"], abs=0.12)


def test_the_promise_holds_on_fresh_requests(trained: Any, tmp_path: Path) -> None:
    totals = trained.report.totals
    assert totals["loss_bound_ratio"] == 0.05
    assert totals["cheap_ratio"] > 0.4
    fresh = read(written(tmp_path / "fresh.jsonl", labelled(3_000, seed=2)))
    is_cheap = ~goes_dear(trained.router, score_texts(trained.router, fresh.texts))
    assert (fresh.sample.gain * is_cheap).mean() <= 0.05


def test_labels_by_chance_are_refused_unless_forced(tmp_path: Path) -> None:
    labels = read(written(tmp_path / "l.jsonl", labelled(300, is_chance=True)))
    refused = train(labels, Options())
    forced = train(labels, Options(is_forced=True))
    assert refused.router is None
    assert next(one.code for one in refused.report.warnings) == "W250"
    assert forced.router is not None
    assert forced.router.is_forced


def test_a_lead_over_length_that_may_be_chance_is_told(tmp_path: Path) -> None:
    """Short prompts are the hard ones, but for words that length does not see: above it, though not surely so."""
    draws = np.random.default_rng(3)
    rows = []
    for number in range(240):
        is_hard = bool(draws.random() < 0.4)
        text = ("Is {} prime? " + "Explain. " * 30 if is_hard else "Hello, number {}!").format(number)
        gains = draws.random() < (0.6 if is_hard else 0.02)
        rows.append({"prompt": text, "cheap_score": int(not gains), "dear_score": 1, "group": f"g{number % 6}"})
    found = train(read(written(tmp_path / "l.jsonl", rows)), Options(0.05))
    total = found.report.totals
    assert float(str(total["apgr_above_length_low"])) <= 0
    (said,) = [one.message for one in found.report.warnings if one.code == "W253"]
    assert said.startswith("the lead over length alone on unseen groups (0.")


def test_a_router_that_never_chooses_the_cheaper_model_is_told(tmp_path: Path) -> None:
    found = train(read(written(tmp_path / "l.jsonl", labelled(300))), Options(0.0))
    assert found.report.totals["cheap_ratio"] == 0
    assert "W286" in [one.code for one in found.report.warnings]


def test_no_gap_is_refused_in_words(tmp_path: Path) -> None:
    rows = [row | {"dear_score": row["cheap_score"] * (number % 3 > 0)} for number, row in enumerate(labelled(300))]
    rows = [row | ({"dear_score": 1, "cheap_score": 0} if number % 20 == 0 else {}) for number, row in enumerate(rows)]
    found = train(read(written(tmp_path / "l.jsonl", rows)), Options())
    assert found.router is None
    assert "use the cheaper one" in found.report.warnings[0].message


def test_without_groups_nothing_is_said_of_unseen_traffic(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "group"} for row in labelled(300)]
    found = train(read(written(tmp_path / "l.jsonl", rows)), Options())
    assert "W251" in [one.code for one in found.report.warnings]
    assert found.report.provenance["not_computed"]["unseen_loss_ratio"]
    assert not figures(found.report, "unseen groups")


def test_scores_under_other_names_are_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"prompt": "¿qué hora es?", "weak_correct": 1, "dear_score": 1}\n' * 3, "utf-8")
    with pytest.raises(
        CostctlError, match="no cheap_score among its columns 'prompt', 'weak_correct', 'dear_"
    ) as raised:
        read_labelled(path, fields_of([]), Pair("small", "large"))
    assert (raised.value.code, raised.value.hint) == ("E452", "name the columns: --map cheap_score=COLUMN")


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CostctlError) as raised:
        train(read(written(tmp_path / "l.jsonl", labelled(60))), Options())
    assert raised.value.code == "E455"


def test_equal_prompts_are_never_on_both_sides() -> None:
    same = [f"t{number // 3}" for number in range(90)]
    for learn, ask in folds_of(90, 7, same):
        assert not {same[at] for at in learn} & {same[at] for at in ask}
    assert sorted(at for _, ask in folds_of(90, 7, same) for at in ask) == list(range(90))


def test_groups_are_never_on_both_sides() -> None:
    groups = [f"g{number % 12}" for number in range(120)]
    folds = group_folds_of(groups, 7)
    assert len(folds) == 10
    for learn, ask in folds:
        assert not {groups[at] for at in learn} & {groups[at] for at in ask}
    assert group_folds_of(["a", "b"] * 50, 7) == []


def test_a_part_that_only_works_upside_down_weighs_nothing() -> None:
    draws = np.random.default_rng(1)
    gain = (draws.random(2_000) < 0.3).astype(float)
    slopes, intercept = calibration(np.column_stack([1 - gain + draws.normal(size=2_000)]), gain)
    assert slopes.tolist() == [0.0]
    assert 1 / (1 + np.exp(-intercept)) == pytest.approx(gain.mean(), abs=1e-3)


def test_graded_scores_teach_their_difference() -> None:
    """Answers of 0.9 beside 0.4 are half a gain."""
    texts = [HARD.format(n, n, n, n) if n % 2 else EASY.format(n, n) for n in range(400)]
    dear = np.full(400, 0.9)
    cheap = np.where(np.arange(400) % 2, 0.4, 0.9)
    sample = Sample("text", read_texts(texts, 64), cheap, dear)
    assert sample.gain.mean() == pytest.approx(0.25)
    router = fit(sample)
    gain = score_texts(router, [texts[1], texts[0]])
    assert gain[0] > gain[1]


def test_what_a_file_may_hold(tmp_path: Path) -> None:
    csv = tmp_path / "l.csv"
    csv.write_text('text,weak,strong,domain,more\n"a, b",True,1,x,9\nc,0.5,,y,9\nd,0,1.0,,9\n', "utf-8")
    fields = fields_of(["prompt=text", "cheap_score=weak", "dear_score=strong", "group=domain"])
    found = read_labelled(csv, fields, Pair(None, None))
    assert found.texts == ("a, b", "d")
    assert found.sample.cheap.tolist() == [1, 0]
    assert found.groups == ("x", "")
    assert found.left_out == (("prompt without both scores", 1),)
    zipped = tmp_path / "l.jsonl.gz"
    zipped.write_bytes(gzip.compress(b'{"prompt": "p", "cheap_score": false, "dear_score": true}\n'))
    assert read(zipped).sample.gain.tolist() == [1]


def test_a_table_of_semicolons_may_have_decimal_commas(tmp_path: Path) -> None:
    table = tmp_path / "l.csv"
    table.write_text('sep=;\nprompt;cheap_score;dear_score\n"0,5; tal cual";0,5;1\nb;0;1,0\n', "utf-8")
    found = read(table)
    assert found.texts == ("0,5; tal cual", "b")
    assert found.sample.cheap.tolist() == [0.5, 0]
    table.write_text("prompt;cheap_score;dear_score\na;1,2,3;1\n", "utf-8")
    with pytest.raises(CostctlError) as raised:
        read(table)
    assert [(one.line, one.key) for one in raised.value.problems] == [(2, "cheap_score")]


def test_every_fault_of_a_file_is_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    lines = (
        '{"prompt": "p", "cheap_score": 2, "dear_score": 1}', "not json",
        '{"prompt": 7, "cheap_score": 0, "dear_score": "x"}', "[]",
    )  # fmt: skip
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(CostctlError) as raised:
        read(path)
    assert [(one.line, one.key) for one in raised.value.problems] == [
        (1, "cheap_score"), (2, ""), (3, "prompt"), (3, "dear_score"), (4, ""),
    ]  # fmt: skip
    with pytest.raises(CostctlError, match="--map promt=x"):
        fields_of(["promt=x"])
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"{}" * 100)[:-9])
    with pytest.raises(CostctlError, match="cut or damaged"):
        read(tmp_path / "cut.gz")


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["train-router", *args], catch_exceptions=False)


def test_the_command_writes_the_same_file_twice(tmp_path: Path) -> None:
    scores = str(written(tmp_path / "l.jsonl", labelled(300)))
    for name in ("one.json", "two.json"):
        done = run("--scores", scores, "-o", str(tmp_path / name), "--output", "json")
        assert done.exit_code == 0, done.output
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    body = json.loads(done.output)
    assert body["command"] == "train-router"
    jsonschema.validate(body, json.loads((ROOT / "costctl/render/report.schema.json").read_text("utf-8")))
    assert set(body["provenance"]["status"]) == set(body["totals"])
    router = load_router(tmp_path / "one.json")
    assert router.evidence[0]["router"] == "learned"
    assert "beautiful city" not in (tmp_path / "one.json").read_text("utf-8")


def test_the_command_says_what_it_took_and_what_it_wrote(tmp_path: Path) -> None:
    scores, target = str(written(tmp_path / "l.jsonl", labelled(300))), str(tmp_path / "r.json")
    named = ("--cheap", "gpt-4o-mini", "--dear", "gpt-4o")
    body = json.loads(run("--scores", scores, *named, "-o", target, "--output", "json").output)
    told = body["totals"]
    assert (told["router_file"], told["cheap_model"], told["dear_model"]) == (target, "gpt-4o-mini", "gpt-4o")
    codes = {one["code"] for one in body["warnings"]}
    assert not {"W284", "W288"} & codes
    row = next(one for one in load_router(Path(target)).evidence if one["split"] == "unseen groups")
    assert row["loss_ratio"] == pytest.approx(told["unseen_loss_ratio"], abs=1e-6)
    body = json.loads(run("--scores", scores, "--output", "json").output)
    assert {"W284", "W288"} <= {one["code"] for one in body["warnings"]}
    assert "router_file" not in body["totals"]


def test_a_model_that_nobody_knows_is_refused_with_its_neighbour(tmp_path: Path) -> None:
    scores = str(written(tmp_path / "l.jsonl", labelled(120)))
    with pytest.raises(CostctlError, match="--cheap gpt-4o-mni: no such model is known") as raised:
        run("--scores", scores, "--cheap", "gpt-4o-mni")
    assert (raised.value.code, "gpt-4o-mini" in raised.value.hint) == ("E457", True)
    with pytest.raises(CostctlError, match="are the same"):
        run("--scores", scores, "--cheap", "gpt-4o", "--dear", "openai/gpt-4o")
    joined = written(tmp_path / "s.jsonl", [{"request_id": "r", "model": name, "score": 1}
                                            for name in ("gpt-4o", "gpt-4o-mini")])  # fmt: skip
    with pytest.raises(CostctlError, match="did you mean openai/gpt-4o-mini"):
        run("--scores", str(joined), "--cheap", "gpt-4o-mni")


def test_scores_of_another_log_are_told_as_such(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", [
        {"request_id": "r1", "timestamp": "2026-03-01T00:00:00Z", "model": "gpt-4o", "input_tokens": 9,
         "output_tokens": 9}])  # fmt: skip
    scores = written(tmp_path / "s.jsonl", [{"request_id": f"x{n}", "model": name, "score": 1}
                                            for n in range(3) for name in ("gpt-4o", "gpt-4o-mini")])  # fmt: skip
    with pytest.raises(CostctlError, match=r"none of the 3 request ids .* is in the log") as raised:
        run(str(log), "--scores", str(scores), "--db", str(tmp_path / "w.duckdb"))
    assert raised.value.code == "E455"


def test_the_command_refuses_with_exit_code_6_and_writes_nothing(tmp_path: Path) -> None:
    scores = str(written(tmp_path / "l.jsonl", labelled(300, is_chance=True)))
    target = tmp_path / "router.json"
    assert run("--scores", scores, "-o", str(target)).exit_code == 6
    assert not target.exists()
    assert run("--scores", scores, "-o", str(target), "--force").exit_code == 0
    assert load_router(target).is_forced


def test_scores_are_joined_to_the_log(tmp_path: Path) -> None:
    """The log has no text: the endpoint tells where the dearer model gains, and both models are priced."""
    draws = np.random.default_rng(4)
    log, scores = tmp_path / "log.jsonl", tmp_path / "scores.jsonl"
    lines, said = [], []
    for number in range(400):
        endpoint = ("/faq", "/code", "/maths", "/leads")[number % 4]
        lines.append(
            {
                "request_id": f"r{number}",
                "timestamp": f"2026-03-01T{number // 60:02}:{number % 60:02}:00Z",
                "model": "gpt-4o-mini",
                "endpoint": endpoint,
                "input_tokens": 100 + number % 7,
                "output_tokens": 20,
            }
        )
        gains = draws.random() < (0.7 if endpoint in {"/code", "/maths"} else 0.03)
        said.append({"request_id": f"r{number}", "model": "gpt-4o", "score": 1, "expected_tier": "top"})
        said.append({"request_id": f"r{number}", "model": "gpt-4o-mini", "score": int(not gains)})
    said.append({"request_id": "other", "model": "gpt-4o", "score": 1})
    written(log, lines)
    written(scores, said)
    db = ["--db", str(tmp_path / "w" / "costctl.duckdb")]
    done = run(str(log), "--scores", str(scores), "-o", str(tmp_path / "r.json"), "--output", "json", *db, "--force")
    assert done.exit_code == 0, done.output
    body = json.loads(done.output)
    apgr = {(row["split"], row["router"]): row["apgr"] for row in body["tables"]["routers"]}
    assert apgr["in fold", "learned"] > 0.65
    assert ("in fold", "kNN") not in apgr  # there are no words to compare
    # On an endpoint that it has not seen it knows nothing, and says so.
    assert "W250" in [one["code"] for one in body["warnings"]]
    assert "1 label is not used: request with a score of one model only" in done.output
    router = load_router(tmp_path / "r.json")
    assert (router.inputs, router.cheap_model, router.dear_model) == ("columns", "openai/gpt-4o-mini", "openai/gpt-4o")
    effects = {one.column: one.effects for one in router.categories}["endpoint"]
    assert effects["/code"] > 0.5 > -0.5 > effects["/faq"]
    with pytest.raises(CostctlError, match="no such group"):
        run("--scores", str(scores), "--group", "user_id", *db)


def test_two_models_must_be_meant(tmp_path: Path) -> None:
    scores = written(tmp_path / "s.jsonl", [{"request_id": "r", "model": name, "score": 1} for name in ("a", "b", "c")])
    with pytest.raises(CostctlError, match="scores 3 models"):
        run("--scores", str(scores))
    with pytest.raises(CostctlError, match="no score of z"):
        run("--scores", str(scores), "--cheap", "z")
