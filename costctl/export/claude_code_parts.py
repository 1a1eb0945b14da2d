"""What both versions of claude-code-router are given: providers, the models of a lane, the rest of its chain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from costctl.export.base import Carried, dropped
from costctl.export.litellm_lanes import kept_models
from costctl.export.reading import Reading, ours
from costctl.export.reliability import default_lane, key_of, variable
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.text import exact
from costctl.policy.parts import PARTS

_ADDRESSES = {
    "openai": "https://api.openai.com/v1/chat/completions", "anthropic": "https://api.anthropic.com/v1/messages",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions", "groq": "https://api.groq.com/openai/v1/chat/completions",
    "google": "https://generativelanguage.googleapis.com/v1beta/models/",
    "mistral": "https://api.mistral.ai/v1/chat/completions", "x-ai": "https://api.x.ai/v1/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
}  # fmt: skip


def provider_of(model: Model) -> str:
    """The name of the provider that has a model."""
    return f"self-{re.sub(r'[^a-z0-9]+', '-', model.model.lower())}" if model.engine else model.provider


def providers(models: Iterable[Model], more: Callable[[str], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The providers of these models; `more` are the settings that a version has for one of the price list."""
    found: dict[str, dict[str, Any]] = {}
    for model in models:
        name = provider_of(model)
        if name not in found:
            base = f"${{{variable(model.model if model.engine else model.provider, 'BASE_URL')}}}/chat/completions"
            found[name] = {
                "name": name, "api_base_url": _ADDRESSES.get(model.provider, base), "api_key": f"${key_of(model)}",
                "models": [], **more(model.provider),
            }  # fmt: skip
        if model.model not in found[name]["models"]:
            found[name]["models"].append(model.model)
    return list(found.values())


def asked(model: Model, between: str) -> str:
    """A model as the router is asked for it."""
    return f"{provider_of(model)}{between}{model.model}"


def lane_data(lane: Lane, between: str) -> dict[str, Any]:
    """The models and settings of a lane, as the routers in JavaScript read them."""
    tier = lane.settings
    models = [
        {"name": model.name, "asked": asked(model, between), "weight": 0 if weight is None else exact(weight)}
        for model, weight in kept_models(lane)
    ]
    return {
        "models": models, "max_tokens": tier.max_output_tokens,
        "temperature": None if tier.temperature is None else exact(tier.temperature),
    }  # fmt: skip


def chain_of(given: Resolved, lane: Lane, between: str) -> list[str]:
    """The models of a chain in order, each once."""
    models = (model for other in given.chain(lane.name) for model, _ in kept_models(other))
    return list(dict.fromkeys(asked(model, between) for model in models))


def longest_ms(given: Resolved, lanes: Iterable[Lane]) -> int | None:
    """How long the longest chain may take; None where a tier has no timeout."""
    longest = 0
    for lane in lanes:
        spans = [(other.settings.timeout_us, len(other.models)) for other in given.chain(lane.name)]
        if any(span is None for span, _ in spans):
            return None
        longest = max(longest, sum((span or 0) // 1000 * count for span, count in spans))
    return max(longest, 1_000)


def waiting(given: Resolved) -> str:
    """How long Claude Code waits for an answer, as a loss report says it."""
    lanes = [lane for lane in given.lanes if lane.models]
    if longest_ms(given, lanes) is not None:
        return "API_TIMEOUT_MS, the sum of the longest chain, is how long Claude Code waits"
    without = [lane.name for lane in lanes if any(one.settings.timeout_us is None for one in given.chain(lane.name))]
    return (
        "API_TIMEOUT_MS is not written, as it would stop those that may take all the time: give a timeout_s to all of "
        f"the chains of {', '.join(without)}, and it is the sum of the longest chain"
    )


def not_there() -> dict[str, Carried]:
    """What neither version has, by part, with the next best thing."""
    money = dropped("it counts no money: cap it at the provider's key, or put the target litellm-plugin behind it")
    usage = dropped("it counts no requests and tokens: set limits at the provider")
    looks = dropped("it has no such step: a proxy behind it must do this, such as the target litellm-plugin")
    cache = dropped("it has no cache: put the target litellm-plugin behind it")
    own = {
        "kill_switch": dropped("it has none: each request tries the broken model first"),
        "cache.exact": cache, "cache.semantic": cache,
        "cache.prompt": dropped("Claude Code marks what is to be cached; only providers with Anthropic's API see it"),
        "limits": usage, "budgets.tokens_per_day": usage,
        "budgets.max_share_per_day": dropped("it counts no shares: watch them in its log"),
    }  # fmt: skip
    own |= {part: money for part in PARTS if part.startswith("budgets.usd")}
    return {**dict.fromkeys(PARTS, looks), **own}


def reading(given: Resolved) -> Reading | None:
    """It asks our decision, and tells it what a request of Claude Code tells."""
    last = default_lane(given)
    more = frozenset(("input_tokens", "session_id", "user_id"))
    says = "our decision, told the request, its tokens, session and user"
    return None if last is None else ours(given, more, last, says)
