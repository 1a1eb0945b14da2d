"""Portkey gateway: the `config.json` that goes along with each request, and a module that makes its headers.

The gateway does not classify: the caller says the tier in the metadata. A tier is a chain of its models and of those of
its fallbacks, each with its own timeout, retries and parameters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.litellm_lanes import group_of, kept_models
from costctl.export.orders import by_price
from costctl.export.portkey_schema import ATTEMPTS_MAX, LEAST_MS, TIER_KEY, config_faults
from costctl.export.reliability import FAILURES, default_lane, key_of, retried_codes, variable
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.text import commented, exact, to_json
from costctl.policy.parts import PARTS

FILE, MODULE = "config.json", "costctl_portkey.py"
VERIFIED = "@portkey-ai/gateway 1.15.2"
_CODE = Path(__file__).with_name("runtime") / "portkey_headers.py"
# The gateway's names for the providers of the price list; others are reached by OpenAI's protocol.
_PROVIDERS = {
    "mistral": "mistral-ai", "together": "together-ai", "fireworks": "fireworks-ai", "moonshotai": "moonshot",
    "perplexity": "perplexity-ai", "novita": "novita-ai", "zai": "z-ai",
    **{one: one for one in (
        "openai", "anthropic", "google", "cohere", "groq", "openrouter", "deepseek", "cerebras", "x-ai",
    )},
}  # fmt: skip
_AWS = ("aws_access_key_id", "aws_secret_access_key", "aws_region")


def export(given: Resolved) -> Exported:
    """Configuration and module; a policy without models of its own leaves nothing to route."""
    config = _config(given)
    files = {FILE: to_json(config)}
    if config:
        files[MODULE] = commented(header(given, "the Portkey gateway", VERIFIED)) + _CODE.read_text("utf-8")
    return Exported(files, told(given, _carried(given)))


def _config(given: Resolved) -> dict[str, Any]:
    last = default_lane(given)
    if last is None:
        return {}
    lanes = [lane for lane in given.lanes if lane.models]
    conditions = [{"query": {TIER_KEY: {"$eq": lane.name}}, "then": group_of(lane)} for lane in lanes]
    return {
        "strategy": {"mode": "conditional", "conditions": conditions, "default": group_of(last)},
        "targets": [_chain(given, lane) for lane in lanes],
    }


def _chain(given: Resolved, lane: Lane) -> dict[str, Any]:
    targets = [one for other in given.chain(lane.name) for one in _asked(given, other)]
    strategy = {"mode": "fallback", "on_status_codes": list(FAILURES)}
    return {"name": group_of(lane), "strategy": strategy, "targets": targets}


def _asked(given: Resolved, lane: Lane) -> list[dict[str, Any]]:
    """The models of a lane one after another; those that share by weight as one target."""
    models = kept_models(lane)
    found = [_model(given, lane, model, number) for number, (model, _) in enumerate(models, 1)]
    if not models or models[0][1] is None:
        return found
    shared = [
        {**one, "weight": exact(weight)} for one, (_, weight) in zip(found, models, strict=True) if weight is not None
    ]
    return [{"name": f"{group_of(lane)}-shared", "strategy": {"mode": "loadbalance"}, "targets": shared}]


def _model(given: Resolved, lane: Lane, model: Model, number: int) -> dict[str, Any]:
    tier, retries = lane.settings, given.policy.retries
    found: dict[str, Any] = {"name": f"{group_of(lane)}-{number}", **_called(model)}
    if retries is not None and retries.max_count:
        found["retry"] = {"attempts": min(retries.max_count, ATTEMPTS_MAX), "on_status_codes": retried_codes(given)}
    if tier.timeout_us is not None:
        found["request_timeout"] = max(tier.timeout_us // 1000, LEAST_MS)
    params: dict[str, Any] = {"model": model.model}
    if tier.max_output_tokens is not None:
        params["max_tokens"] = tier.max_output_tokens
    if tier.temperature is not None:
        params["temperature"] = exact(tier.temperature)
    return {**found, "override_params": params}


def _called(model: Model) -> dict[str, Any]:
    """The provider, and where its secrets stand."""
    if model.provider == "aws":
        return {"provider": "bedrock", **{name: f"${{{name.upper()}}}" for name in _AWS}}
    if model.provider == "azure":
        return {
            "provider": "azure-openai", "api_key": "${AZURE_API_KEY}", "resource_name": "${AZURE_RESOURCE_NAME}",
            "deployment_id": model.model, "api_version": "${AZURE_API_VERSION}",
        }  # fmt: skip
    key = {"api_key": f"${{{key_of(model)}}}"}
    if model.provider in _PROVIDERS:
        return {"provider": _PROVIDERS[model.provider], **key}
    host = variable(model.model if model.engine else model.provider, "BASE_URL")
    return {"provider": "openai", **key, "custom_host": f"${{{host}}}"}


def _carried(given: Resolved) -> dict[str, Carried]:
    last = default_lane(given)
    where = "nowhere: no lane has a model" if last is None else f"to {group_of(last)}"
    by_caller = dropped(
        "its conditions see metadata and parameters, not messages: costctl_route.py (target json) decides, and "
        f"{MODULE} sends the tier"
    )
    by_metadata = approximated(
        f"one chain each, taken by metadata costctl_tier, which {MODULE} sends; others go {where}"
    )
    logged = dropped(f"it cannot keep the model asked for: send such requests past it; here they go {where}")
    money = dropped(
        "the open gateway counts no money: set it as usage limits of Portkey's hosted keys, or at the provider"
    )
    usage = dropped("the open gateway counts no requests: set it as rate limits of Portkey's hosted keys")
    cache = dropped(
        "the published gateway is built without its cache: add cache {mode, max_age} if you use the hosted one"
    )
    looks = dropped("it has no such step: let the application do it before or after the call")
    retries = given.policy.retries
    most = f"; at most {ATTEMPTS_MAX}" if retries and retries.max_count > ATTEMPTS_MAX else ""
    short = any(lane.settings.timeout_us and lane.settings.timeout_us // 1000 < LEAST_MS for lane in given.lanes)
    codes = ", ".join(map(str, FAILURES))
    own: dict[str, Carried] = {
        "tiers": by_metadata, "specialists": by_metadata, "tiers.models.logged": logged,
        "routing.default: logged": logged,
        "tiers.select: first": expressed("the models follow one another in the chain"),
        "tiers.select: cheapest": approximated("order by price of input; the policy prices each request"),
        "tiers.select: fastest": approximated("order of the policy: it does not go by latency"),
        "tiers.select: weights": expressed("strategy loadbalance with the weights, drawn for each request"),
        "tiers.max_output_tokens": approximated("max_tokens in place of the request's own, also of a smaller one"),
        "tiers.temperature": approximated("temperature in place of the request's own"),
        "tiers.context_tokens": dropped("it counts no tokens: costctl_route.py moves what does not fit"),
        "tiers.timeout_s": (
            approximated(f"request_timeout of each model, at least {LEAST_MS} ms")
            if short else expressed("request_timeout of each model, in milliseconds")
        ),
        "fallbacks": approximated(f"the chain goes on after the statuses {codes}; another one is the answer"),
        "retries": approximated(f"retry of each model after the same faults, with pauses of its own{most}"),
        "kill_switch": dropped("it has none: each request tries the broken model first, within its timeout"),
        "self_hosted": approximated("OpenAI's protocol, at the address in the environment"),
        "experiments": dropped("loadbalance draws anew for each request and keeps no user in an arm"),
        "budgets.max_share_per_day": dropped("it counts no shares: cap dollars at the provider instead"),
        "budgets.tokens_per_day": usage, "limits": usage,
        "cache.exact": cache, "cache.semantic": cache,
        "cache.prompt": dropped("prompt caching is the provider's: ask for it in the request"),
    }  # fmt: skip
    own |= {part: money for part in PARTS if part.startswith("budgets.usd")}
    routed = [part for part in PARTS if part.startswith("routing.") and part not in own]
    return {**dict.fromkeys(PARTS, looks), **dict.fromkeys(routed, by_caller), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that the gateway passes over, seconds where milliseconds belong, chains that nobody enters."""
    config = json.loads(files[FILE])
    if not config:
        return [f"{MODULE}: there is nothing to send"] if MODULE in files else []
    return config_faults(config) + ([] if MODULE in files else [f"{MODULE}: is missing"])


TARGET = Target("portkey", "Portkey gateway", VERIFIED, export, faults, apart=by_price, is_closed=True)
