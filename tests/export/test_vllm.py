"""The vLLM semantic router as a target: its decisions, tried by a reading of their rule trees."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
from typing import Any

import polars as pl
import pytest
import yaml

from costctl.export import vllm_semantic_router
from tests.export.test_decision import file_of, loaded
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE, parsed
from tests.support import ROOT

HOLDS = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}


def config_of(text: str) -> dict[str, Any]:
    """What is exported."""
    found: dict[str, Any] = yaml.safe_load(vllm_semantic_router.export(given(text)).files["config.yaml"])
    return found


def asked_in_story(count: int) -> list[dict[str, Any]]:
    """The first calls of the story whose last message is a text of the user."""
    found: list[dict[str, Any]] = []
    with gzip.open(ROOT / "sample_logs" / "story.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            with contextlib.suppress(ValueError):  # some lines of the story are broken on purpose
                call = json.loads(line)
                messages = call.get("messages") if isinstance(call, dict) else None
                if messages and messages[-1]["role"] == "user" and isinstance(messages[-1]["content"], str):
                    found.append(call)
            if len(found) == count:
                break
    return found


def decided(config: dict[str, Any], text: str, tokens: int = 20, **metadata: str) -> str:
    """The first decision that holds, as the router takes it; patterns are tried by an engine of the same syntax."""
    signals = {(kind, one["name"]): one for kind, rules in config["routing"]["signals"].items() for one in rules}
    said = pl.Series([text])

    def holds(tree: dict[str, Any]) -> bool:
        if "operator" in tree:
            parts = [holds(one) for one in tree["conditions"]]
            return {"AND": all(parts), "OR": any(parts), "NOT": not parts or not parts[0]}[tree["operator"]]
        signal = signals[tree["type"], tree["name"]]
        if tree["type"] == "context":
            return tokens >= int(signal["min_tokens"])
        if tree["type"] == "metadata":
            return metadata.get(signal["key"]) in signal["predicate"]["in"]
        source = signal["feature"]["source"]
        if "pattern" not in source:  # images and tools: none here
            return False
        count = int(said.str.count_matches(source["pattern"])[0])
        limits = signal.get("predicate", {"gte": 1})
        return all(HOLDS[sign](count, limit) for sign, limit in limits.items())

    return next((one["name"] for one in config["routing"]["decisions"] if holds(one["rules"])), "")


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return config_of(EXAMPLE)


@pytest.mark.parametrize(
    ("text", "tokens", "metadata", "name"),
    [
        ("Hola!", 20, {}, "intent-greeting"),
        ("Hola, ¿me recomiendas un hotel?", 20, {}, "intent-recommendation"),
        ("dame un itinerário de viaje", 20, {}, "intent-itinerary-short"),
        ("dame un itinerario de viaje", 20, {}, "intent-itinerary-short"),
        ("escribe a ana@example.com", 20, {}, "personal-data-stays-here"),
        ("```print(1)```", 20, {}, "code"),
        ("Hola!", 2_001, {}, "long-history-or-many-places"),
        ("Hola!", 2_000, {}, "intent-greeting"),
        ("Hola!", 20, {"endpoint": "/lead"}, "intent-greeting-sales"),
        ("Hola!", 20, {"costctl_tier": "C"}, "tier-c"),
        ("a|b|c\n" * 21, 20, {}, "image-or-large-table"),
        ("a|b|c\n" * 20, 20, {}, "default"),
    ],
)
def test_the_first_decision_that_holds_is_that_of_the_policy(
    example: dict[str, Any], text: str, tokens: int, metadata: dict[str, str], name: str
) -> None:
    assert decided(example, text, tokens, **metadata).partition("-")[2] == name


def test_a_raise_stands_before_what_it_raises(example: dict[str, Any]) -> None:
    decisions = {one["name"].partition("-")[2]: one for one in example["routing"]["decisions"]}
    raised = decisions["intent-greeting-external-facts"]
    assert raised["priority"] > decisions["intent-greeting"]["priority"]
    assert raised["modelRefs"][0]["model"] == "openai-gpt-4o"
    (prompt,) = (one for one in raised["plugins"] if one["type"] == "system_prompt")
    assert prompt["configuration"]["system_prompt"] == "Do not invent; use only the data given."
    assert "long-history-or-many-places-external-facts" not in decisions  # it is in the dearest tier already


def test_a_chain_is_the_models_of_its_lanes_in_order(example: dict[str, Any]) -> None:
    (told,) = (one for one in example["routing"]["decisions"] if one["name"].endswith("-tier-c"))
    assert [one["model"] for one in told["modelRefs"]] == [
        "openai-gpt-4o", "openai-gpt-4o-mini", "anthropic-claude-3-5-haiku-latest",
        "openrouter-meta-llama-llama-3.1-8b-instruct",
    ]  # fmt: skip


def test_a_request_that_a_tier_cannot_hold_goes_higher() -> None:
    config = config_of(
        "version: 1\n"
        "tiers: {A: {models: [gpt-4o-mini], context_tokens: 8k, max_output_tokens: 500}, B: {models: [gpt-4o]}}\n"
        "routing: {default: A}\n"
    )
    names = [decided(config, "x", tokens).partition("-")[2] for tokens in (7_500, 7_501)]
    assert names == ["default", "default-too-long"]
    assert config["routing"]["decisions"][-2]["modelRefs"][0]["model"] == "openai-gpt-4o"


def test_rules_that_no_signal_tells_are_named() -> None:
    text = (
        "version: 1\ntiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4o]}}\n"
        "routing: {default: A, rules: [{name: hot, when: {temperature: '>1'}, to: B}, "
        "{name: long, when: {input_tokens: '>10'}, to: B}]}\n"
    )
    (rules,) = (one for one in vllm_semantic_router.export(given(text)).losses if one.part == "routing.rules")
    assert rules.kind == "approximated"
    assert "without hot (temperature)" in rules.says
    names = [one["name"].partition("-")[2] for one in config_of(text)["routing"]["decisions"]]
    assert names == ["tier-a", "tier-b", "long", "default"]


def test_every_pattern_is_of_the_syntax_of_both_engines(example: dict[str, Any]) -> None:
    for one in example["routing"]["signals"]["structure"]:
        pattern = one["feature"]["source"]["pattern"]
        assert pl.Series(["x"]).str.contains(pattern)[0] in {True, False}


def test_most_prompts_of_the_story_go_where_the_policy_sends_them(example: dict[str, Any]) -> None:
    """What signals do not tell (a register, which of two cues comes first) costs one request of thirteen."""
    lanes = {one["name"]: one["modelRefs"][0]["model"] for one in example["routing"]["decisions"]}
    decide = loaded(file_of(parsed(EXAMPLE))).decide
    calls = asked_in_story(300)
    same = 0
    for call in calls:
        facts = {key: call[key] for key in ("endpoint", "input_tokens") if call.get(key) is not None}
        policy = decide({"model": call["model"], "messages": call["messages"]}, facts)["models"][0]
        metadata = {"endpoint": call["endpoint"]} if call.get("endpoint") else {}
        name = decided(example, call["messages"][-1]["content"], call.get("input_tokens") or 0, **metadata)
        same += lanes[name].endswith(policy.rpartition("/")[2])
    assert len(calls) == 300
    assert same / len(calls) >= 0.9


def test_every_variable_of_the_file_stands_in_its_head_and_is_named_as_elsewhere() -> None:
    made = vllm_semantic_router.export(given(EXAMPLE))
    (text,) = made.files.values()
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    body = text.removeprefix(head)
    variables = {*re.findall(r"\$\{([A-Z0-9_]+)\}", body), *re.findall(r"api_key_env: (\S+)", body)}
    assert {"LLAMA_3_1_8B_HOST", "LLAMA_3_1_8B_API_KEY"} <= variables
    assert [one for one in sorted(variables) if one not in head] == []
    (said,) = [loss.says for loss in made.losses if loss.part == "self_hosted"]
    assert "LLAMA_3_1_8B_HOST" in said
