"""What may stand in an exported `config.yaml`: LiteLLM takes misspelt keys and names that nobody has without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from costctl.export.litellm_auto import MODULE, PLUGIN
from costctl.export.litellm_config import FAILS, RETRIES
from costctl.export.litellm_lanes import NAME_CHARS, SLOTS, TIERS_MAX
from costctl.export.shape import WHOLE, Choice, Flag, Items, Keys, Named, Number, Shape, Text
from costctl.export.text import from_yaml
from costctl.policy.keys import unknown

_SECRET = Text(r"os\.environ/[A-Z][A-Z0-9_]*", "os.environ/ and the name of a variable")
_SECONDS = Number(0.001, 86_400)
"""A day at most: what is meant as milliseconds is more."""
_TTL = Number(1, 366 * 86_400)
# A thousand dollars a million tokens at most: what is meant per million is more.
_PRICE = Number(0, 0.001)
_NAME = Text(r"[a-z0-9][a-z0-9-]*", "a name of lower-case letters, digits and dashes")
_MODEL = Text(r"[a-z0-9_]+/.+", "provider/model")
_TEMPERATURE = Number(0, 2)
_USD = Number(0, 10**9)
_TRIES = Number(0, 100, is_whole=True)
_DAY = Choice(("1d",))
_POLICY = Keys(optional=dict.fromkeys(FAILS, WHOLE))
_DEPLOYMENT = Keys(
    {"model": _MODEL},
    {
        "api_key": _SECRET, "api_base": _SECRET, "api_version": _SECRET, "aws_region_name": _SECRET,
        "timeout": _SECONDS, "stream_timeout": _SECONDS, "max_tokens": WHOLE, "temperature": _TEMPERATURE,
        "input_cost_per_token": _PRICE, "output_cost_per_token": _PRICE, "weight": Number(), "order": WHOLE,
        "max_budget": _USD, "budget_duration": _DAY, "cooldown_time": Number(0.001, 31 * 86_400),
        "cache_control_injection_points": Items(
            Keys({"location": Choice(("message",)), "role": Choice(("system",))})
        ),
    },
)  # fmt: skip
_INFO = Keys({"id": _NAME}, {"max_input_tokens": WHOLE, "allowed_fails_policy": _POLICY})
_TIER = Keys(
    {"model_name": _NAME}, {"litellm_params": Keys(optional={"max_tokens": WHOLE, "temperature": _TEMPERATURE})}
)
_TIER_NAME = Text(rf"\S(.{{0,{NAME_CHARS - 2}}}\S)?", f"a name of at most {NAME_CHARS} characters on one line")
_PLUGIN = Keys(
    {
        "classifier_type": Choice(("custom",)), "classifier_plugin": Choice((f"{MODULE}.{PLUGIN}",)),
        "classifier_plugin_timeout_ms": Number(100, 60_000, is_whole=True), "fallback_tier": _TIER_NAME,
        "tier_definitions": Items(Keys({"name": _TIER_NAME, "description": Text()})), "tiers": Named(_TIER, 1),
        "max_tokens_from_tier_model": Choice((False,)),
    },
)  # fmt: skip
_DIMENSIONS = (
    "tokenCount", "codePresence", "reasoningMarkers", "technicalTerms", "simpleIndicators", "multiStepPatterns",
    "questionComplexity",
)  # fmt: skip
_NATIVE = Keys(
    {
        "classifier_type": Choice(("heuristic",)), "tiers": Keys(dict.fromkeys(SLOTS, _TIER)),
        "tier_labels": Keys(optional=dict.fromkeys(SLOTS, Text())),
        "keyword_tier_rules": Items(Keys({"keywords": Items(Text(r"\S.*", "a keyword")), "tier": Choice(SLOTS)}), 0),
        "token_thresholds": Keys({"simple": Number(is_whole=True), "complex": Number(is_whole=True)}),
        "dimension_weights": Keys(dict.fromkeys(_DIMENSIONS, Number(0, 1))),
        "tier_boundaries": Keys(
            dict.fromkeys(("simple_medium", "medium_complex", "complex_reasoning"), Number(-10, 10))
        ),
        "max_tokens_from_tier_model": Choice((False,)), "reasoning_override_min_score": Number(-10, 10),
        "escalation_keywords": Items(Text(), 0),
        "route_housekeeping_to_cheapest_tier": Flag(), "enable_context_window_escalation": Flag(),
    },
)  # fmt: skip
_CHAINS = Items(Named(Items(_NAME), 1), 0)
_ROUTER = Keys(
    {
        "routing_strategy": Choice(("simple-shuffle",)), "enable_pre_call_checks": Flag(), "num_retries": _TRIES,
        "retry_policy": Keys(
            {one: _TRIES for names in (*RETRIES.values(), ("ContentPolicyViolationErrorRetries",)) for one in names}
        ),
        "fallbacks": _CHAINS, "context_window_fallbacks": _CHAINS, "max_fallbacks": WHOLE, "disable_cooldowns": Flag(),
    },
    {
        "retry_after": Number(0, 86_400, is_whole=True),
        "provider_budget_config": Named(Keys({"budget_limit": _USD, "time_period": _DAY}), 1),
    },
)  # fmt: skip
_SERVER = {
    "ttl": _TTL, "namespace": Choice(("costctl",)), "host": _SECRET, "port": _SECRET, "password": _SECRET,
}  # fmt: skip
_EXACT = Keys({"type": _SECRET, **_SERVER})
_NEAR = Keys(
    {
        "type": Choice(("redis-semantic",)), "similarity_threshold": Number(0, 1),
        "redis_semantic_cache_embedding_model": _SECRET, **_SERVER,
    }
)  # fmt: skip


def config_faults(text: str, *, is_plugin: bool) -> list[str]:
    """Everything that is wrong with a `config.yaml`, each with its place."""
    try:
        found = from_yaml(text)
    except yaml.YAMLError as error:
        return [f"no YAML: {error}"]
    params = _at(found, "litellm_settings", "cache_params")
    cache = _NEAR if isinstance(params, dict) and params.get("type") == "redis-semantic" else _EXACT
    whole = Keys(
        {"model_list": Items(_Entry(_auto_shape(_PLUGIN if is_plugin else _NATIVE)), 0), "router_settings": _ROUTER,
         "general_settings": Keys({"master_key": _SECRET})},
        {"litellm_settings": Keys({"cache": Flag(), "cache_params": cache})},
    )  # fmt: skip
    return whole.faults(found, "") or _crossed(found, is_plugin=is_plugin)


def _auto_shape(config: Keys) -> Keys:
    return Keys(
        {
            "model": Choice(("auto_router/complexity_router",)), "complexity_router_default_model": _NAME,
            "complexity_router_config": config,
        }
    )  # fmt: skip


@dataclass(frozen=True)
class _Entry(Shape):
    """A deployment, or the automatic router with this shape of its settings; told apart by the model."""

    auto: Keys

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        is_auto = str(_at(value, "litellm_params", "model")).startswith("auto_router/")
        params = self.auto if is_auto else _DEPLOYMENT
        return Keys({"model_name": _NAME, "litellm_params": params, "model_info": _INFO}).faults(value, at)


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _crossed(config: Mapping[str, Any], *, is_plugin: bool) -> list[str]:
    """Names that nobody has, ids that stand twice, tiers that are missing, settings that fight each other."""
    models = config["model_list"]
    autos = [one for one in models if one["litellm_params"]["model"].startswith("auto_router/")]
    groups = {one["model_name"] for one in models if one not in autos}
    ids = Counter(one["model_info"]["id"] for one in models)
    wrong = [f"model_list: the id {name} stands {count} times" for name, count in ids.items() if count > 1]
    if len(autos) != (1 if groups else 0):
        wrong.append(f"model_list: {len(autos)} automatic routers, not {1 if groups else 0}")
    for number, one in enumerate(models):
        wrong += _fights(one["litellm_params"], f"model_list[{number}].litellm_params", config)
    router = config["router_settings"]
    for key in ("fallbacks", "context_window_fallbacks"):
        for at, chain in enumerate(router[key]):
            for group, others in chain.items():
                wrong += _named((group, *others), groups, f"router_settings.{key}[{at}]")
                wrong += [f"router_settings.{key}[{at}]: {group} falls back on itself"] if group in others else []
                if len(others) > router["max_fallbacks"]:
                    wrong.append(f"router_settings.max_fallbacks: less than the {len(others)} of {group}")
    for auto in autos:
        wrong += _auto(auto["litellm_params"], groups, is_plugin=is_plugin)
    return wrong


def _fights(params: Mapping[str, Any], at: str, config: Mapping[str, Any]) -> list[str]:
    """Settings of one deployment that do nothing alone."""
    pairs = (("timeout", "stream_timeout"), ("max_budget", "budget_duration"))
    wrong = [
        f"{at}.{one}: is missing beside {other}"
        for pair in pairs
        for one, other in (pair, pair[::-1])
        if other in params and one not in params
    ]
    if "cooldown_time" in params and config["router_settings"]["disable_cooldowns"]:
        wrong.append(f"{at}.cooldown_time: router_settings.disable_cooldowns takes its effect away")
    return wrong


def _auto(params: Mapping[str, Any], groups: Iterable[str], *, is_plugin: bool) -> list[str]:
    config = params["complexity_router_config"]
    at = "complexity_router_config"
    used = [one["model_name"] for one in config["tiers"].values()]
    wrong = _named((params["complexity_router_default_model"], *used), groups, at)
    # Specialists of the native mode stand beside the router.
    known = set(groups) if is_plugin else {one for one in groups if one.startswith("tier-")}
    wrong += [f"{at}.tiers: {one} is in no tier" for one in sorted(known - set(used))]
    if is_plugin:
        names = [one["name"] for one in config["tier_definitions"]]
        if len(names) > TIERS_MAX or len({one.casefold() for one in names}) < len(names):
            wrong.append(f"{at}.tier_definitions: more than {TIERS_MAX} names, or one twice")
        for one in (*config["tiers"], config["fallback_tier"]):
            wrong += [] if one in names else [f"{at}: {one}: {unknown(one, names, 'tier')}"]
        wrong += [f"{at}.tiers.{one}: is missing" for one in names if one not in config["tiers"]]
    else:
        bounds = [*config["tier_boundaries"].values()]
        wrong += [] if bounds == sorted(bounds) else [f"{at}.tier_boundaries: must rise"]
    return wrong


def _named(names: Iterable[str], known: Iterable[str], at: str) -> list[str]:
    there = sorted(known)
    return [f"{at}: {one}: {unknown(one, there, 'model name')}" for one in names if one not in there]
