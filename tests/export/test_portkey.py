"""The Portkey gateway as a target: one chain a tier, and headers whose secrets come from the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.export import portkey
from costctl.export.runtime.portkey_headers import filled, headers
from tests.export.test_targets import MORE, given
from tests.policy.example import EXAMPLE


def test_the_headers_hold_the_filled_configuration_and_the_tier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": [{"api_key": "${ONE_KEY}", "n": 1}]}', "utf-8")
    monkeypatch.setenv("ONE_KEY", 'k"1')
    found = headers("C", {"team": "sales"}, path)
    assert json.loads(found["x-portkey-config"]) == {"a": [{"api_key": 'k"1', "n": 1}]}
    assert json.loads(found["x-portkey-metadata"]) == {"team": "sales", "costctl_tier": "C"}
    assert all(value.isascii() and "\n" not in value for value in found.values())


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(LookupError, match="set A_KEY, B_KEY in the environment"):
        filled({"x": "${B_KEY}", "y": ["${A_KEY}"]}, {"C_KEY": ""})


def test_a_chain_goes_over_the_models_of_its_fallbacks() -> None:
    config = json.loads(portkey.export(given(EXAMPLE)).files["config.json"])
    chains = {one["name"]: [each["name"] for each in one["targets"]] for one in config["targets"]}
    assert chains["tier-c"] == ["tier-c-1", "tier-b-1", "tier-b-2", "tier-a-1"]
    first = config["targets"][2]["targets"][0]
    assert (first["request_timeout"], first["override_params"]["max_tokens"]) == (18_000, 2_500)
    assert config["strategy"]["default"] == "tier-a"
    local = config["targets"][4]["targets"][0]
    assert (local["provider"], local["custom_host"]) == ("openai", "${LLAMA_3_1_8B_BASE_URL}")


def test_weights_are_one_target_of_the_chain() -> None:
    config = json.loads(portkey.export(given(MORE)).files["config.json"])
    (shared,) = config["targets"][2]["targets"]
    assert [one["weight"] for one in shared["targets"]] == [0.9, 0.1]


def test_a_timeout_too_short_to_be_milliseconds_is_told() -> None:
    made = portkey.export(given("version: 1\ntiers: {A: {models: [gpt-4o], timeout_s: 0.01}}\n"))
    assert '"request_timeout": 100' in made.files["config.json"]
    assert [one.kind for one in made.losses if one.part == "tiers.timeout_s"] == ["approximated"]
    assert portkey.faults(made.files) == []
