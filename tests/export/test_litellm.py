"""LiteLLM's files: what they say of a policy, and that the closed schema takes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from costctl.export.base import Exported
from costctl.export.litellm import NATIVE, PLUGIN_TARGET
from costctl.export.litellm_lanes import TIERS_MAX, fallback_lane, written_lanes
from costctl.export.litellm_native import lane_of, native_of
from tests.export.test_targets import given

POLICY = """version: 1
name: mine
tiers:
  A: {models: [openai/gpt-4o-mini], max_output_tokens: 400, temperature: 0.2, timeout_s: 6, context_tokens: 8k}
  B: {models: [openai/gpt-4.1-mini, openai/gpt-4o-mini], timeout_s: 12}
  C: {models: [openai/gpt-4o], timeout_s: 18}
routing: {default: B, rules: [{name: long, when: {input_tokens: '>2000'}, to: C}], matrix: {greeting: A, reasoning: C}}
budgets: {usd_per_day: [{tier: C, max: 10}, {max: 100}]}
fallbacks: {C: [B, A], B: [A]}
retries: {max: 2, backoff_s: 0.5, on: [rate_limit]}
kill_switch: {error_ratio: 20%, window: 15m, min_requests: 20, cooldown: 10m}
cache: {exact: {ttl: 24h}}
"""


def made(text: str = POLICY, *, is_plugin: bool = True) -> Exported:
    return (PLUGIN_TARGET if is_plugin else NATIVE).export(given(text))


def config(text: str = POLICY, *, is_plugin: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(made(text, is_plugin=is_plugin).files["config.yaml"])
    return found


def losses(text: str = POLICY, *, is_plugin: bool = True) -> dict[str, tuple[str, str]]:
    return {one.part: (one.kind, one.says) for one in made(text, is_plugin=is_plugin).losses}


def test_a_deployment_has_everything_that_its_tier_says() -> None:
    first = config()["model_list"][0]
    assert first["model_name"] == "tier-a"
    assert first["litellm_params"] == {
        "model": "openai/gpt-4o-mini", "api_key": "os.environ/OPENAI_API_KEY", "timeout": 6, "stream_timeout": 6,
        "max_tokens": 400, "temperature": 0.2, "input_cost_per_token": 0.15e-6, "output_cost_per_token": 0.6e-6,
        "cooldown_time": 600,
    }  # fmt: skip
    assert (first["model_info"]["id"], first["model_info"]["max_input_tokens"]) == ("tier-a-1", 8000)
    assert set(first["model_info"]["allowed_fails_policy"].values()) == {3}  # four of twenty are a fifth


def test_retries_are_made_for_the_failures_that_the_policy_names_alone() -> None:
    router = config()["router_settings"]
    assert {name for name, count in router["retry_policy"].items() if count} == {"RateLimitErrorRetries"}
    assert (router["num_retries"], router["retry_after"]) == (2, 1)
    assert set(config("version: 1\ntiers: {A: {models: [gpt-4o]}}\n")["router_settings"]["retry_policy"].values()) == {
        0
    }


def test_timeouts_that_retries_multiply_are_told() -> None:
    assert "waited for 3 times" in losses(POLICY.replace("[rate_limit]", "[timeout]"))["retries"][1]
    assert "waited for" not in losses()["retries"][1]


def test_budgets_stand_where_litellm_counts() -> None:
    found = config()
    budgets = {one["model_info"]["id"]: one["litellm_params"].get("max_budget") for one in found["model_list"]}
    assert budgets == {"tier-a-1": None, "tier-b-1": None, "tier-b-2": None, "tier-c-1": 10, "auto": None}
    assert found["router_settings"]["provider_budget_config"] == {"openai": {"budget_limit": 100, "time_period": "1d"}}
    other = POLICY.replace("[openai/gpt-4o]", "[anthropic/claude-sonnet-4-5]")
    assert "provider_budget_config" not in config(other)["router_settings"]
    assert losses(other)["budgets.usd_per_day: total"][0] == "dropped"


def test_a_budget_of_several_processes_is_told_and_where_they_share_it() -> None:
    told = losses(POLICY)
    for part in ("budgets.usd_per_day: tier", "budgets.usd_per_day: total"):
        assert "four workers may spend four times the cap" in told[part][1]
        assert "redis_host, redis_port and redis_password" in told[part][1] and "router_settings" in told[part][1]


def test_fallbacks_and_overflow_name_groups_in_order() -> None:
    router = config()["router_settings"]
    assert router["fallbacks"] == [{"tier-b": ["tier-a"]}, {"tier-c": ["tier-b", "tier-a"]}]
    assert router["context_window_fallbacks"] == [{"tier-a": ["tier-b", "tier-c"]}, {"tier-b": ["tier-c"]}]


def test_secrets_are_names_of_variables_only() -> None:
    text = POLICY.replace("[openai/gpt-4o]", "[self/llama]") + (
        "self_hosted: [{name: self/llama, usd_per_hour: 1, tokens_per_s: 100}]\n"
    )
    found = [one["litellm_params"] for one in config(text)["model_list"]]
    assert found[3]["model"] == "hosted_vllm/llama"
    assert found[3]["api_base"] == "os.environ/LLAMA_API_BASE"
    assert all(one["api_key"].startswith("os.environ/") for one in found if "api_key" in one)


def test_only_the_semantic_cache_is_written_as_such() -> None:
    near = POLICY.replace("exact: {ttl: 24h}", "semantic: {serve_min: 0.9, ttl: 72h}")
    params = config(near)["litellm_settings"]["cache_params"]
    assert (params["type"], params["similarity_threshold"], params["ttl"]) == ("redis-semantic", 0.9, 259_200)
    both = POLICY.replace("exact: {ttl: 24h}", "exact: {ttl: 24h}, semantic: {serve_min: 0.9, ttl: 72h}")
    assert config(both)["litellm_settings"]["cache_params"]["type"] == "os.environ/LITELLM_CACHE_TYPE"
    assert losses(both)["cache.semantic"][0] == "dropped"


def test_lanes_that_litellm_cannot_hold_are_left_out_and_told() -> None:
    many = ", ".join(f"T{number}: {{models: [gpt-4o]}}" for number in range(TIERS_MAX + 1))
    text = f"version: 1\ntiers: {{{many}}}\nrouting: {{default: T8}}\n"
    policy = given(text)
    assert [lane.name for lane in written_lanes(policy, is_plugin=True)] == [f"T{number}" for number in range(8)]
    assert fallback_lane(policy, is_plugin=True) == policy.lane("T7")
    assert PLUGIN_TARGET.faults(made(text).files) == []
    kind, says = losses(text)["tiers"]
    assert kind == "approximated"
    why = "T8 comes after the 8 tiers of own names that LiteLLM's router may have"
    assert says == f"not written: {why}; the requests that the policy sends there go to tier-t7"
    assert len(written_lanes(policy, is_plugin=False)) == 4


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("hola", "A"), ("HOLA, amigo", "A"), ("cholas", "B"), ("hola, analiza esto", "C"), ("x" * 8_008, "C"),
        ("x" * 8_003, "B"),
    ],
)  # fmt: skip
def test_the_scorer_knows_whole_words_and_lengths(text: str, tier: str) -> None:
    assert lane_of(native_of(given(POLICY)), text) == tier


Edit = Callable[[dict[str, Any]], Any]


def params(found: dict[str, Any], at: int = 0) -> dict[str, Any]:
    one: dict[str, Any] = found["model_list"][at]["litellm_params"]
    return one


def auto(found: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = params(found, -1)["complexity_router_config"]
    return one


EDITS: dict[str, Edit] = {
    "misspelt timeout": lambda found: params(found).update(timout=params(found).pop("timeout")),
    "lost timeout": lambda found: params(found).pop("timeout"),
    "timeout in milliseconds": lambda found: params(found).update(timeout=6_000_000, stream_timeout=6_000_000),
    "timeout as a text": lambda found: params(found).update(timeout="6s"),
    "price per million": lambda found: params(found).update(input_cost_per_token=0.15),
    "key in the open": lambda found: params(found).update(api_key="sk-123"),
    "budget without its time": lambda found: params(found, 3).pop("budget_duration"),
    "time of a budget": lambda found: params(found, 3).update(budget_duration="1day"),
    "model without provider": lambda found: params(found).update(model="gpt-4o-mini"),
    "unknown fallback": lambda found: found["router_settings"]["fallbacks"][0]["tier-b"].append("tier-d"),
    "fallback of nobody": lambda found: found["router_settings"]["fallbacks"].append({"tier-x": ["tier-a"]}),
    "fallback on itself": lambda found: found["router_settings"]["fallbacks"][0]["tier-b"].append("tier-b"),
    "too few fallbacks": lambda found: found["router_settings"].update(max_fallbacks=1),
    "misspelt setting": lambda found: found["router_settings"].update(num_retires=1),
    "misspelt class": lambda found: found["router_settings"]["retry_policy"].update(TimeoutRetries=0),
    "missing tier": lambda found: found["model_list"].pop(2) and found["model_list"].pop(1),
    "tier that nobody has": lambda found: auto(found)["tiers"].popitem(),
    "cooldown without effect": lambda found: found["router_settings"].update(disable_cooldowns=True),
    "id twice": lambda found: found["model_list"][1]["model_info"].update(id="tier-a-1"),
    "no router": lambda found: found["model_list"].pop(),
    "misspelt cache": lambda found: found["litellm_settings"]["cache_params"].update(tll=1),
    "time to live in milliseconds": lambda found: found["litellm_settings"]["cache_params"].update(ttl=86_400_000_000),
    "unknown key at the top": lambda found: found.update(router_setting={}),
    "misspelt provider budget": lambda found: found["router_settings"]["provider_budget_config"]["openai"].update(b=1),
    "no longest answer": lambda found: auto(found).pop("max_tokens_from_tier_model"),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("is_plugin", [True, False])
def test_a_broken_file_is_refused(name: str, *, is_plugin: bool) -> None:
    found, files = config(is_plugin=is_plugin), dict(made(is_plugin=is_plugin).files)
    EDITS[name](found)
    files["config.yaml"] = yaml.safe_dump(found)
    assert (PLUGIN_TARGET if is_plugin else NATIVE).faults(files), name


def test_a_plugin_that_is_missing_or_broken_is_refused() -> None:
    files = dict(made().files)
    decision = files.pop("costctl_route.py")
    assert PLUGIN_TARGET.faults(files) == ["costctl_route.py: is missing"]
    assert PLUGIN_TARGET.faults({**files, "costctl_route.py": "def"}) == ["costctl_route.py: is no Python"]
    assert PLUGIN_TARGET.faults({**files, "costctl_route.py": "x = 1"}) == ["costctl_route.py: costctl_tier is missing"]
    assert PLUGIN_TARGET.faults({**files, "costctl_route.py": decision}) == []


def test_the_name_of_a_tier_that_the_plugin_gives_is_one_of_the_file() -> None:
    found = config()
    auto(found)["tier_definitions"][0]["name"] = "AA"
    (first, *_) = PLUGIN_TARGET.faults({**made().files, "config.yaml": yaml.safe_dump(found)})
    assert "unknown tier, did you mean AA?" in first
