"""RouteLLM as a target: which models it splits between, and the threshold that a log asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.export import routellm
from costctl.export.runtime.routellm_calibrate import calibrated, last_prompt, threshold_of
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE


def test_the_ends_of_the_policy_are_split() -> None:
    found = routellm.export(given(EXAMPLE))
    assert (
        "--strong-model 'openai/gpt-4o' --weak-model 'openrouter/meta-llama/llama-3.1-8b-instruct'"
        in (found.files["start.sh"])
    )
    assert "STRONG_SHARE = 0.15\n" in found.files["calibrate.py"]
    (tiers,) = (loss for loss in found.losses if loss.part == "tiers")
    assert tiers.kind == "approximated"
    assert "B has no place" in tiers.says


def test_one_tier_is_not_split() -> None:
    found = routellm.export(given("version: 1\ntiers: {A: {models: [gpt-4o]}, L: {models: logged}}\n"))
    assert list(found.files) == ["config.yaml"]


@pytest.mark.parametrize(("share", "strong"), [(0, 0), (0.1, 1), (0.15, 1), (0.5, 5), (1, 10), (0.3, 3)])
def test_no_more_than_the_share_reaches_the_threshold(share: float, strong: int) -> None:
    scores = [number / 10 for number in range(10)]
    threshold = threshold_of(scores, share)
    assert sum(score >= threshold for score in scores) == strong


def test_equal_scores_stay_together() -> None:
    assert threshold_of([0.5, 0.5, 0.5, 0.1], 0.5) > 0.5
    assert threshold_of([0.5, 0.5, 0.1, 0.1], 0.5) == 0.10001


def test_the_script_prints_the_model_to_ask_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text("".join(json.dumps({"score": number / 10}) + "\n" for number in range(10)), "utf-8")
    assert calibrated([str(path), "--share", "0.2"]) == 0
    said = capsys.readouterr()
    assert said.out == "router-mf-0.70001\n"
    assert said.err == "2 of 10 calls go to the strong model\n"
    with pytest.raises(SystemExit):
        calibrated([str(path)])
    assert "the policy caps no share" in capsys.readouterr().err


def test_the_last_message_is_scored() -> None:
    assert last_prompt({"prompt": "p"}) == "p"
    assert last_prompt({"messages": [{"content": "a"}, {"content": [{"type": "text", "text": "b"}]}]}) == "b"
