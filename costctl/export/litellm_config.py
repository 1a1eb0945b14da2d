"""The `config.yaml` of LiteLLM: deployments, settings of the router, cache. The decision is told by `litellm_auto`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from math import ceil
from typing import Any

from costctl.export.litellm_auto import auto_entry
from costctl.export.litellm_lanes import fallback_lane, group_of, higher, kept_models, number_of, written_lanes
from costctl.export.resolved import Lane, Model, Resolved
from costctl.policy.stages import KillSwitch
from costctl.policy.targets import allowed_fails

CONFIG = "config.yaml"
_MILLION = 1_000_000
TTL_MIN_US, TTL_MAX_US = _MILLION, 366 * 86_400 * _MILLION
COOLDOWN_MAX_US = 31 * 86_400 * _MILLION
# Our providers -> the prefix by which LiteLLM knows them, and the variable of their key.
_PROVIDERS = {
    "openai": ("openai", "OPENAI_API_KEY"), "anthropic": ("anthropic", "ANTHROPIC_API_KEY"),
    "google": ("gemini", "GEMINI_API_KEY"), "mistral": ("mistral", "MISTRAL_API_KEY"),
    "groq": ("groq", "GROQ_API_KEY"), "deepseek": ("deepseek", "DEEPSEEK_API_KEY"),
    "cohere": ("cohere_chat", "COHERE_API_KEY"), "x-ai": ("xai", "XAI_API_KEY"),
    "openrouter": ("openrouter", "OPENROUTER_API_KEY"), "together": ("together_ai", "TOGETHERAI_API_KEY"),
    "fireworks": ("fireworks_ai", "FIREWORKS_AI_API_KEY"), "perplexity": ("perplexity", "PERPLEXITYAI_API_KEY"),
    "cerebras": ("cerebras", "CEREBRAS_API_KEY"), "moonshotai": ("moonshot", "MOONSHOT_API_KEY"),
    "minimax": ("minimax", "MINIMAX_API_KEY"), "novita": ("novita", "NOVITA_API_KEY"),
    "zai": ("zai", "ZAI_API_KEY"), "azure": ("azure", "AZURE_API_KEY"),
}  # fmt: skip
FAILS = (
    "TimeoutErrorAllowedFails", "RateLimitErrorAllowedFails", "InternalServerErrorAllowedFails",
    "ServiceUnavailableErrorAllowedFails", "BadGatewayErrorAllowedFails",
)  # fmt: skip
RETRIES = {
    "timeout": ("TimeoutErrorRetries",), "rate_limit": ("RateLimitErrorRetries",),
    "server_error": ("InternalServerErrorRetries", "ServiceUnavailableErrorRetries"),
    "error": ("BadRequestErrorRetries", "AuthenticationErrorRetries", "NotFoundErrorRetries"),
}  # fmt: skip
CACHE_TYPE = "LITELLM_CACHE_TYPE"


def config_of(given: Resolved, *, is_plugin: bool) -> dict[str, Any]:
    """Everything that is written, in the order of the file."""
    lanes = written_lanes(given, is_plugin=is_plugin)
    models = [one for lane in lanes for one in _deployments(given, lane)]
    models += [auto_entry(given, is_plugin=is_plugin)] if fallback_lane(given, is_plugin=is_plugin) else []
    settings = _litellm_settings(given)
    return {
        "model_list": models, "router_settings": _router_settings(given, lanes),
        **({"litellm_settings": settings} if settings else {}),
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }  # fmt: skip


def _deployments(given: Resolved, lane: Lane) -> Iterator[dict[str, Any]]:
    """One entry for each model of a lane, in the order in which they are asked."""
    tier, policy = lane.settings, given.policy
    cap = next((one for one in policy.budgets.usd_per_day if one.scope == "tier" and one.name == lane.name), None)
    models = kept_models(lane)
    for number, (model, weight) in enumerate(models, 1):
        found: dict[str, Any] = {**_called(given, model)}
        if tier.timeout_us is not None:
            found |= {"timeout": _seconds(tier.timeout_us), "stream_timeout": _seconds(tier.timeout_us)}
        if tier.max_output_tokens is not None:
            found["max_tokens"] = tier.max_output_tokens
        if tier.temperature is not None:
            found["temperature"] = number_of(tier.temperature)
        found |= _prices(model)
        if weight is not None:
            found["weight"] = number_of(weight)
        elif len(models) > 1:
            found["order"] = number
        if cap is not None:
            found |= {"max_budget": number_of(cap.max_usd), "budget_duration": "1d"}
        info: dict[str, Any] = {"id": f"{group_of(lane)}-{number}"}
        windows = [one for one in (model.context_tokens, tier.context_tokens) if one is not None]
        if windows:
            info["max_input_tokens"] = min(windows)
        if policy.kill_switch is not None:
            found["cooldown_time"] = _seconds(kept_cooldown_us(policy.kill_switch))
            info["allowed_fails_policy"] = dict.fromkeys(FAILS, allowed_fails(policy.kill_switch))
        yield {"model_name": group_of(lane), "litellm_params": found, "model_info": info}


def _called(given: Resolved, model: Model) -> dict[str, Any]:
    """How LiteLLM names the model and reaches it; keys and addresses only as names of variables."""
    if model.engine is not None:
        name = _variable(model.model)
        return {
            "model": f"hosted_vllm/{model.model}", "api_base": f"os.environ/{name}_API_BASE",
            "api_key": f"os.environ/{name}_API_KEY",
        }  # fmt: skip
    if model.provider == "aws":
        return {"model": f"bedrock/{model.model}", "aws_region_name": "os.environ/AWS_REGION_NAME"}
    if model.provider not in _PROVIDERS:  # they all speak OpenAI's protocol
        name = _variable(model.provider)
        return {
            "model": f"openai/{model.model}", "api_base": f"os.environ/{name}_API_BASE",
            "api_key": f"os.environ/{name}_API_KEY",
        }  # fmt: skip
    prefix, key = _PROVIDERS[model.provider]
    found = {"model": f"{prefix}/{model.model}", "api_key": f"os.environ/{key}"}
    if prefix == "azure":
        found |= {"api_base": "os.environ/AZURE_API_BASE", "api_version": "os.environ/AZURE_API_VERSION"}
    prompt = given.policy.cache.prompt
    if prompt is not None and {model.provider, prefix} & set(prompt.opt_in):
        return {**found, "cache_control_injection_points": [{"location": "message", "role": "system"}]}
    return found


def provider_of(model: Model) -> str:
    """The provider of a model as LiteLLM counts budgets."""
    if model.engine is not None:
        return "hosted_vllm"
    return "bedrock" if model.provider == "aws" else _PROVIDERS.get(model.provider, ("openai", ""))[0]


def _prices(model: Model) -> dict[str, Any]:
    """Dollars per token; an engine of one's own costs none."""
    if model.engine is not None:
        return {"input_cost_per_token": 0, "output_cost_per_token": 0}
    found = {"input_cost_per_token": model.input_usd_per_million, "output_cost_per_token": model.output_usd_per_million}
    return {name: number_of(value / _MILLION) for name, value in found.items() if value is not None}


def _router_settings(given: Resolved, lanes: tuple[Lane, ...]) -> dict[str, Any]:
    policy = given.policy
    written = {lane.name for lane in lanes}
    chains = {
        lane: [other for other in given.chain(lane.name)[1:] if other.name in written and other.name != lane.name]
        for lane in lanes
    }
    overflow = {lane: higher(given, lane, lanes) for lane in lanes}
    found: dict[str, Any] = {
        "routing_strategy": "simple-shuffle", "enable_pre_call_checks": True,
        "num_retries": 0 if policy.retries is None else policy.retries.max_count,
        "retry_policy": retry_policy(given),
    }  # fmt: skip
    if policy.retries is not None:
        # Whole seconds are what it takes; less than one would be none.
        found["retry_after"] = ceil(policy.retries.backoff_us / _MILLION)
    found["fallbacks"] = [{group_of(lane): [*map(group_of, chain)]} for lane, chain in chains.items() if chain]
    found["context_window_fallbacks"] = [
        {group_of(lane): [*map(group_of, chain)]} for lane, chain in overflow.items() if chain
    ]
    found["max_fallbacks"] = max([1, *map(len, chains.values()), *map(len, overflow.values())])
    found["disable_cooldowns"] = policy.kill_switch is None
    total = total_provider(given)
    if total is not None:
        cap = next(one for one in policy.budgets.usd_per_day if one.scope == "total")
        found["provider_budget_config"] = {total: {"budget_limit": number_of(cap.max_usd), "time_period": "1d"}}
    return found


def total_provider(given: Resolved) -> str | None:
    """The only provider of all models, if the policy caps all spend: its budget is then that of all."""
    providers = {provider_of(model) for lane in given.lanes for model in lane.models}
    has_total = any(one.scope == "total" for one in given.policy.budgets.usd_per_day)
    return next(iter(providers)) if has_total and len(providers) == 1 else None


def retry_policy(given: Resolved) -> dict[str, int]:
    """Tries more for each class of failure; a failure that the policy does not name is not tried again."""
    retries = given.policy.retries
    return {
        name: retries.max_count if retries is not None and kind in retries.on else 0
        for kind, names in RETRIES.items()
        for name in names
    } | {"ContentPolicyViolationErrorRetries": 0}


def _litellm_settings(given: Resolved) -> dict[str, Any]:
    """The cache: LiteLLM has one, so the exact one is written where the policy has both."""
    cache = given.policy.cache
    if cache.exact is not None:
        params: dict[str, Any] = {"type": f"os.environ/{CACHE_TYPE}", "ttl": _seconds(kept_ttl_us(cache.exact.ttl_us))}
    elif cache.semantic is not None:
        params = {
            "type": "redis-semantic", "ttl": _seconds(kept_ttl_us(min(one.ttl_us for one in cache.semantic.ttls))),
            "similarity_threshold": number_of(cache.semantic.serve_min),
            "redis_semantic_cache_embedding_model": "os.environ/LITELLM_EMBEDDING_MODEL",
        }  # fmt: skip
    else:
        return {}
    server = {name: f"os.environ/REDIS_{name.upper()}" for name in ("host", "port", "password")}
    return {"cache": True, "cache_params": {**params, "namespace": "costctl", **server}}


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


def kept_ttl_us(us: int) -> int:
    """Of a cache: Redis counts whole seconds, and what is over a year is more likely a wrong unit."""
    return min(max(us, TTL_MIN_US), TTL_MAX_US)


def kept_cooldown_us(switch: KillSwitch) -> int:
    """Of a deployment, a month at most."""
    return min(switch.cooldown_us, COOLDOWN_MAX_US)


def _seconds(us: int) -> int | float:
    return number_of(Decimal(us) / _MILLION)
