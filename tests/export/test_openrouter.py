"""OpenRouter as a target: names of models as it writes them, and a key for each daily budget."""

from __future__ import annotations

import json

from costctl.export import openrouter
from tests.export.test_targets import MORE, given
from tests.policy.example import EXAMPLE


def test_models_have_the_names_of_openrouter() -> None:
    lanes = json.loads(openrouter.export(given(EXAMPLE)).files["requests.json"])
    assert lanes["B"]["models"][:2] == ["openai/gpt-4o-mini", "anthropic/claude-3.5-haiku"]
    assert lanes["C"]["max_tokens"] == 2_500
    assert "local" not in lanes  # an engine of one's own


def test_each_budget_is_the_limit_of_a_key() -> None:
    keys = json.loads(openrouter.export(given(MORE)).files["keys.json"])
    assert keys == [
        {"name": "costctl tier C", "limit": 10, "limit_reset": "daily"},
        {"name": "costctl user u", "limit": 1, "limit_reset": "daily"},
    ]


def test_a_model_that_it_may_not_have_is_named() -> None:
    made = openrouter.export(given("version: 1\ntiers: {A: {models: [groq/llama-3.1-8b-instant]}}\n"))
    (tiers,) = (one for one in made.losses if one.part == "tiers")
    assert tiers.kind == "approximated"
    assert "groq/llama-3.1-8b-instant" in tiers.says


def test_a_preset_that_differs_from_its_request_is_caught() -> None:
    files = dict(openrouter.export(given(EXAMPLE)).files)
    files["presets.json"] = files["presets.json"].replace('"max_tokens": 400', '"max_tokens": 4000')
    assert openrouter.faults(files) == ["presets.json: must have the fragments of requests.json in their order"]
