"""Switchyard as a target: a client, a target and a route for each tier, and what it cannot reach left out."""

from __future__ import annotations

import tomllib
from typing import Any

from costctl.export import switchyard
from tests.export.test_targets import MORE, given
from tests.policy.example import EXAMPLE


def config_of(policy: str) -> dict[str, Any]:
    return tomllib.loads(switchyard.export(given(policy)).files["routes.toml"])


def test_each_tier_has_a_client_with_its_own_timeout() -> None:
    config = config_of(EXAMPLE)
    assert [config["llm_clients"][f"tier-{one}"]["timeout_ms"] for one in ("a-openrouter", "b-openai", "c-openai")] == [
        6_000, 12_000, 18_000,
    ]  # fmt: skip
    assert config["routes"]["tier-c"] == {"id": "tier-c", "type": "passthrough", "target": "tier-c-1"}


def test_an_engine_of_ones_own_is_left_out_and_told() -> None:
    made = switchyard.export(given(EXAMPLE))
    assert "lane-local" not in config_of(EXAMPLE)["routes"]
    (lanes,) = (one for one in made.losses if one.part == "specialists")
    assert "self/llama-3.1-8b" in lanes.says


def test_weights_are_a_random_route() -> None:
    assert config_of(MORE)["routes"]["tier-c"] == {
        "id": "tier-c", "type": "random", "targets": ["tier-c-1", "tier-c-2"], "weights": [0.9, 0.1],
    }  # fmt: skip


def test_a_weight_that_is_missing_is_caught() -> None:
    files = dict(switchyard.export(given(MORE)).files)
    files["routes.toml"] = files["routes.toml"].replace("weights = [0.9, 0.1]", "weights = [0.9, 0.1, 0.2]")
    assert switchyard.faults(files) == ["routes.tier-c.weights: 3 for 2 targets"]
