"""Gateways that are told the tier: what answers, in which order, and under which budget."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml

from costctl.export import bifrost, cloudflare, envoy
from costctl.export.cel import faults_of
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE

TWO = """version: 1
tiers:
  A: {models: [gpt-4o-mini], timeout_s: 6}
  B: {models: [gpt-4o, gpt-4.1, gpt-4.1-mini], select: weights, weights: [1, 1, 1]}
routing: {default: A}
budgets: {usd_per_day: [{tier: B, max: 10.5}, {user: ana, max: 1}]}
fallbacks: {B: [A]}
"""
VARIABLES = {"headers", "budget_used", "request"}


def elements_of(text: str) -> dict[str, Any]:
    """The elements of the route by id."""
    route = json.loads(cloudflare.export(given(text)).files["route.json"])
    return {one["id"]: one for one in route["elements"]}


def answering(elements: dict[str, Any], tier: str, failing: set[str]) -> list[str]:
    """The models that are asked for a request of the tier, where these fail; budgets are not used up."""
    asked: list[str] = []
    at = elements["start"]["outputs"]["next"]["elementId"]
    while elements[at]["type"] != "end":
        one = elements[at]
        if one["type"] == "conditional":
            ((key, wanted),) = one["properties"]["conditions"].items()
            way = "true" if key == "metadata.costctl_tier" and wanted == {"$eq": tier} else "false"
        elif one["type"] == "model":
            asked.append(one["properties"]["model"])
            way = "fallback" if asked[-1] in failing else "success"
        else:
            way = "success" if one["type"] == "rate" else next(iter(one["outputs"]))
        at = one["outputs"][way]["elementId"]
    return asked


@pytest.mark.parametrize(
    ("tier", "failing", "asked"),
    [
        ("C", set(), ["gpt-4o"]),
        ("C", {"gpt-4o"}, ["gpt-4o", "gpt-4o-mini"]),
        (
            "C",
            {"gpt-4o", "gpt-4o-mini", "claude-3-5-haiku-latest"},
            ["gpt-4o", "gpt-4o-mini", "claude-3-5-haiku-latest", "meta-llama/llama-3.1-8b-instruct"],
        ),
        ("code", set(), ["qwen/qwen-2.5-coder-32b-instruct"]),
        ("nobody", set(), ["meta-llama/llama-3.1-8b-instruct"]),
    ],
)
def test_a_route_asks_the_chain_of_the_tier_in_order(tier: str, failing: set[str], asked: list[str]) -> None:
    assert answering(elements_of(EXAMPLE), tier, failing) == asked


def test_a_route_has_timeouts_in_milliseconds_and_budgets_of_a_day() -> None:
    elements = elements_of(TWO)
    assert elements["a-model-1"]["properties"]["timeout"] == 6_000
    assert elements["b-via-a-model-1"]["properties"]["timeout"] == 6_000
    assert elements["b-budget-1"]["properties"] == {
        "key": "metadata.costctl_tier", "limit": 10.5, "limitType": "cost", "window": 86_400,
    }  # fmt: skip
    assert elements["b-budget-1"]["outputs"]["fallback"]["elementId"] == "b-via-a-model-1"
    assert elements["is-budget-1"]["properties"]["conditions"] == {"metadata.user_id": {"$eq": "ana"}}


def test_a_split_of_three_draws_twice() -> None:
    elements = elements_of(TWO)
    assert list(elements["b-split-1"]["outputs"]) == ["33%", "else"]
    assert elements["b-split-1"]["outputs"]["else"]["elementId"] == "b-split-2"
    assert list(elements["b-split-2"]["outputs"]) == ["50%", "else"]


def envoy_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rules and the retries of what is exported for Envoy, by tier."""
    documents = list(yaml.safe_load_all(envoy.export(given(text)).files["gateway.yaml"]))
    named = {(one["kind"], one["metadata"]["name"]): one["spec"] for one in documents}
    rules = {name: one["rules"][0] for (kind, name), one in named.items() if kind == "AIGatewayRoute"}
    retries = {name: one["retry"] for (kind, name), one in named.items() if kind == "BackendTrafficPolicy"}
    assert all(rule["matches"][0]["headers"][0]["value"] == name for name, rule in rules.items())
    return rules, retries


def test_envoy_has_the_chain_by_priority() -> None:
    rules, retries = envoy_of(EXAMPLE)
    refs = rules["tier-c"]["backendRefs"]
    assert [(one["priority"], one["name"], one["modelNameOverride"]) for one in refs] == [
        (0, "openai", "gpt-4o"), (1, "openai", "gpt-4o-mini"), (2, "anthropic", "claude-3-5-haiku-latest"),
        (3, "openrouter", "meta-llama/llama-3.1-8b-instruct"),
    ]  # fmt: skip
    # Four models, each tried twice and for 18 s at most; pauses of 0.5, 1, 2, 4, 5, 5 and 5 s.
    assert rules["tier-c"]["timeouts"] == {"request": "166500ms"}
    assert rules["tier-a"]["timeouts"] == {"request": "12500ms"}
    retry = retries["tier-c"]
    assert (retry["numRetries"], retry["numAttemptsPerPriority"]) == (7, 2)
    assert retry["perRetry"]["backOff"] == {"baseInterval": "500ms", "maxInterval": "5s"}
    assert retry["retryOn"]["httpStatusCodes"] == [408, 429, 500, 502, 503, 504, 529]


CHAIN = """version: 1
tiers:
  A: {models: [openai/gpt-4o-mini], timeout_s: 6}
  B: {models: [mistral/mistral-medium-latest], timeout_s: 12}
  C: {models: [anthropic/claude-sonnet-4-5], timeout_s: 18}
routing: {default: C}
fallbacks: {C: [B, A], B: [A]}
"""


def answering_at_envoy(text: str, tier: str, failing: dict[str, str]) -> list[str]:
    """Whom Envoy asks, in order: `failing` has the status of a model, or `slow`. As its documentation says.

    A try goes to the first priority that had fewer than `numAttemptsPerPriority`; without retries there is one try.
    """
    rules, retries = envoy_of(text)
    retry = retries.get(tier, {"numRetries": 0, "numAttemptsPerPriority": 1, "retryOn": {}, "perRetry": {}})
    asked: list[str] = []
    for number in range(retry["numRetries"] + 1):
        priority = number // retry["numAttemptsPerPriority"]
        refs = [one for one in rules[tier]["backendRefs"] if one["priority"] == priority]
        asked.append(refs[0]["modelNameOverride"])
        said = failing.get(asked[-1])
        if said is None:
            break
        if said == "slow":
            if "timeout" not in retry["perRetry"] or "reset" not in retry["retryOn"]["triggers"]:
                break
        elif int(said) not in retry["retryOn"].get("httpStatusCodes", []):
            break
    return asked


@pytest.mark.parametrize("said", ["500", "429", "504", "slow"])
@pytest.mark.parametrize("retries", ["", "retries: {max: 0}\n", "retries: {max: 1, on: [server_error]}\n"])
def test_envoy_asks_the_whole_chain_whatever_retries_say(said: str, retries: str) -> None:
    each = 2 if "max: 1" in retries else 1
    failing = {"claude-sonnet-4-5": said, "mistral-medium-latest": said}
    asked = answering_at_envoy(CHAIN + retries, "tier-c", failing)
    assert asked == [*["claude-sonnet-4-5"] * each, *["mistral-medium-latest"] * each, "gpt-4o-mini"]


def test_envoy_gives_each_try_of_a_chain_its_time() -> None:
    rules, retries = envoy_of(CHAIN)
    assert {name: one["perRetry"]["timeout"] for name, one in retries.items()} == {"tier-c": "18s", "tier-b": "12s"}
    # Three tries of 18 s, pauses of 1 and 2 ms; the last of the chain retries nothing.
    assert rules["tier-c"]["timeouts"] == {"request": "54003ms"}
    assert rules["tier-a"]["timeouts"] == {"request": "6s"}


def test_envoy_stops_no_try_where_one_of_the_chain_may_take_all_the_time() -> None:
    rules, retries = envoy_of(CHAIN.replace("gpt-4o-mini], timeout_s: 6", "gpt-4o-mini]"))
    assert "timeouts" not in rules["tier-c"]
    assert "timeout" not in retries["tier-c"]["perRetry"]


def test_envoy_tries_one_model_again_only_after_what_the_policy_names() -> None:
    alone = "version: 1\ntiers: {A: {models: [gpt-4o-mini]}}\nretries: {max: 2, on: [rate_limit]}\n"
    _, retries = envoy_of(alone)
    assert retries["tier-a"]["retryOn"] == {
        "httpStatusCodes": [429],
        "triggers": ["connect-failure", "retriable-status-codes"],
    }
    assert retries["tier-a"]["numRetries"] == 2


def test_envoy_has_weights_within_one_priority() -> None:
    rules, _ = envoy_of(TWO)
    assert [(one["priority"], one["weight"]) for one in rules["tier-b"]["backendRefs"]] == [
        (0, 333), (0, 333), (0, 333), (1, 1),
    ]  # fmt: skip


def test_bifrost_compares_a_header_that_every_client_can_send() -> None:
    """A name outside ASCII never matched: clients send Latin-1 or refuse it."""
    policy = "version: 1\ntiers: {Ñandú: {models: [openai/gpt-4o-mini]}, 'A b': {models: [openai/gpt-4o]}}\n"
    rules = json.loads(bifrost.export(given(policy + "routing: {default: 'A b'}\n")).files["config.json"])
    said = [one["cel_expression"] for one in rules["governance"]["routing_rules"]]
    assert said == ['headers["x-costctl-tier"] == "tier-and"', 'headers["x-costctl-tier"] == "tier-a-b"', "true"]


def test_bifrost_takes_the_tier_from_the_header_and_weights_that_sum_to_one() -> None:
    config = json.loads(bifrost.export(given(TWO)).files["config.json"])
    a, b, otherwise = config["governance"]["routing_rules"]
    assert b["cel_expression"] == 'headers["x-costctl-tier"] == "tier-b"'
    assert [one["weight"] for one in b["targets"]] == [0.3333, 0.3333, 0.3334]
    assert sum(Decimal(str(one["weight"])) for one in b["targets"]) == 1
    assert b["fallbacks"] == ["openai/gpt-4o-mini"]
    assert otherwise["targets"] == a["targets"]
    assert config["providers"]["openai"]["keys"][0]["value"] == "env.OPENAI_API_KEY"
    (budget,), (key,) = config["governance"]["budgets"], config["governance"]["virtual_keys"]
    assert budget == {"id": "budget-1", "max_limit": 1, "reset_duration": "1d", "virtual_key_id": key["id"]}
    assert (key["name"], key["calendar_aligned"], key["value"]) == ("ana", True, "env.COSTCTL_KEY_1")
    models = ["gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini"]
    assert key["provider_configs"] == [{"provider": "openai", "allowed_models": models, "key_ids": ["*"]}]


def test_bifrost_without_weights_falls_back_to_the_other_models_first() -> None:
    config = json.loads(bifrost.export(given(EXAMPLE)).files["config.json"])
    (b,) = (one for one in config["governance"]["routing_rules"] if one["id"] == "rule-b")
    assert b["targets"] == [{"provider": "openai", "model": "gpt-4o-mini", "weight": 1.0}]
    assert b["fallbacks"] == [
        "anthropic/claude-3-5-haiku-latest", "openrouter/meta-llama/llama-3.1-8b-instruct",
    ]  # fmt: skip


def test_bifrost_answers_equal_requests_without_vectors() -> None:
    text = TWO + "cache: {exact: {ttl: 2h}}\n"
    (plugin,) = json.loads(bifrost.export(given(text)).files["config.json"])["plugins"]
    assert plugin["config"] == {
        "ttl": "7200s", "cache_by_model": True, "conversation_history_threshold": 2, "dimension": 1,
    }  # fmt: skip
    (near,) = json.loads(bifrost.export(given(EXAMPLE)).files["config.json"])["plugins"]
    assert (near["config"]["ttl"], near["config"]["threshold"], near["config"]["dimension"]) == ("86400s", 0.9, 1536)


@pytest.mark.parametrize(
    "expression",
    [
        "true", 'headers["a"] == "b"', "!(budget_used > 95.5) || budget_used <= -1", "'x' in headers",
        'headers["a"].startsWith("b") ? 1 : 2', "request.size() > 3 && [1, 2].size() == 2",
        'has(request.user) && "a" + "b" != "ab"',
    ],
)  # fmt: skip
def test_what_is_an_expression_parses(expression: str) -> None:
    assert faults_of(expression, VARIABLES) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ('headers["a" == "b"', "not an expression: the end at character 19 where ] should be"),
        ('headers["a"] = "b"', "not an expression: character 14 does not belong there"),
        ("budget_used >", "not an expression: the end at character 14 where a value should be"),
        ('headers["a"] "b"', 'not an expression: "b" at character 14 where the end should be'),
        ("", "not an expression: the end at character 1 where a value should be"),
        ('"open', "not an expression: character 1 does not belong there"),
        ("header == 1", "header: unknown variable, did you mean headers?"),
    ],
)
def test_what_is_none_is_told_with_its_place(expression: str, fault: str) -> None:
    assert faults_of(expression, VARIABLES) == [fault]
