"""claude-code-router 2: providers and fallbacks in `config.json`, and a custom router that asks our own decision.

Its fallbacks belong to scenarios and not to models, so each lane is a scenario of its own, which `router.js` sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.claude_code_schema import config_faults, router_faults
from costctl.export.decision import FILE as DECISION
from costctl.export.decision import decision_file
from costctl.export.litellm_lanes import group_of, kept_models
from costctl.export.reliability import default_lane, key_of, variable
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.text import commented, exact, to_json
from costctl.policy.parts import PARTS

CONFIG, ROUTER, INSTALL = "config.json", "router.js", "install.sh"
VERIFIED = "@musistudio/claude-code-router 2.0.0"
MEASURED = "100 % of 500 calls of the sample log, given its counts of tokens"
"""Of the sample log, from what a request to the router tells: how often router.js sent a call where the policy does."""
_RUNTIME = Path(__file__).with_name("runtime")
_CODE, _INSTALLING = _RUNTIME / "claude_code_router.js", _RUNTIME / "claude_code_install.sh"
_TRANSFORMERS = {"anthropic": "Anthropic", "openrouter": "openrouter", "deepseek": "deepseek", "groq": "groq",
                 "google": "gemini"}  # fmt: skip
_ADDRESSES = {
    "openai": "https://api.openai.com/v1/chat/completions", "anthropic": "https://api.anthropic.com/v1/messages",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions", "groq": "https://api.groq.com/openai/v1/chat/completions",
    "google": "https://generativelanguage.googleapis.com/v1beta/models/",
    "mistral": "https://api.mistral.ai/v1/chat/completions", "x-ai": "https://api.x.ai/v1/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
}  # fmt: skip


def export(given: Resolved) -> Exported:
    """Configuration, router and decision; a policy without models of its own leaves nothing to route."""
    lanes = [lane for lane in given.lanes if lane.models]
    losses = told(given, _carried(given))
    if not lanes:
        return Exported({CONFIG: to_json({})}, losses)
    head = commented(header(given, "claude-code-router", VERIFIED), "//")
    data = json.dumps({lane.name: _lane(lane) for lane in lanes}, indent=2)
    code = _CODE.read_text("utf-8").replace("const LANES = {};", f"const LANES = {data};", 1)
    decision = decision_file(given.policy, given.policy_digest, given.content, given.book, given.router, given.version)
    files = {CONFIG: to_json(_config(given, lanes)), ROUTER: head + code, DECISION: decision}
    return Exported({**files, INSTALL: _INSTALLING.read_text("utf-8")}, losses)


def _lane(lane: Lane) -> dict[str, Any]:
    tier = lane.settings
    models = [
        {"name": model.name, "asked": _asked(model), "weight": 0 if weight is None else exact(weight)}
        for model, weight in kept_models(lane)
    ]
    return {
        "scenario": group_of(lane), "models": models, "max_tokens": tier.max_output_tokens,
        "temperature": None if tier.temperature is None else exact(tier.temperature),
    }  # fmt: skip


def _provider(model: Model) -> str:
    return f"self-{re.sub(r'[^a-z0-9]+', '-', model.model.lower())}" if model.engine else model.provider


def _asked(model: Model) -> str:
    return f"{_provider(model)},{model.model}"


def _config(given: Resolved, lanes: list[Lane]) -> dict[str, Any]:
    last = default_lane(given)
    assert last is not None
    tiers = [lane for lane in lanes if lane.is_tier] or lanes
    scenarios = {"default": last, "background": tiers[0], "think": tiers[-1]}
    chains = {**scenarios, **{group_of(lane): lane for lane in lanes}}
    found: dict[str, Any] = {
        "HOST": "127.0.0.1", "PORT": 3456, "LOG": False,
        "Providers": _providers([one for lane in lanes for one in lane.models]),
        "Router": {name: _asked(kept_models(lane)[0][0]) for name, lane in scenarios.items()},
        "fallback": {name: rest for name, lane in chains.items() if (rest := _rest(given, lane))},
        "CUSTOM_ROUTER_PATH": "$HOME/.claude-code-router/router.js",
    }  # fmt: skip
    if (longest := _longest_ms(given, lanes)) is not None:
        found["API_TIMEOUT_MS"] = longest
    return found


def _providers(models: list[Model]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for model in models:
        name = _provider(model)
        if name not in found:
            base = f"${{{variable(model.model if model.engine else model.provider, 'BASE_URL')}}}/chat/completions"
            found[name] = {
                "name": name, "api_base_url": _ADDRESSES.get(model.provider, base), "api_key": f"${key_of(model)}",
                "models": [],
            }  # fmt: skip
            if model.provider in _TRANSFORMERS:
                found[name]["transformer"] = {"use": [_TRANSFORMERS[model.provider]]}
        if model.model not in found[name]["models"]:
            found[name]["models"].append(model.model)
    return list(found.values())


def _rest(given: Resolved, lane: Lane) -> list[str]:
    """The models of a chain after the first one."""
    asked = [_asked(model) for other in given.chain(lane.name) for model, _ in kept_models(other)]
    return list(dict.fromkeys(asked))[1:]


def _longest_ms(given: Resolved, lanes: list[Lane]) -> int | None:
    """How long the longest chain may take; None where a tier has no timeout."""
    longest = 0
    for lane in lanes:
        spans = [(other.settings.timeout_us, len(other.models)) for other in given.chain(lane.name)]
        if any(span is None for span, _ in spans):
            return None
        longest = max(longest, sum((span or 0) // 1000 * count for span, count in spans))
    return max(longest, 1_000)


def _carried(given: Resolved) -> dict[str, Carried]:
    exact_way = (
        f"router.js asks {DECISION}, which sees the request, its count of tokens, session and user, but no endpoint, "
        f"team or app; it agreed on {MEASURED}"
    )
    by_rules = approximated(exact_way)
    money = dropped("it counts no money: cap it at the provider's key, or put the target litellm-plugin behind it")
    usage = dropped("it counts no requests and tokens: set limits at the provider")
    looks = dropped("it has no such step: a proxy behind it must do this, such as the target litellm-plugin")
    cache = dropped("it has no cache: put the target litellm-plugin behind it")
    thinks = "a request that thinks keeps its own; after a fallback that of the first tier counts"
    own: dict[str, Carried] = {
        "tiers": expressed("a model of a provider each, with a scenario of its own for its fallbacks"),
        "specialists": expressed("a model of a provider each, with a scenario of its own for its fallbacks"),
        "tiers.models.logged": approximated("left to the router's scenarios: default, background, think"),
        "tiers.select: first": expressed("router.js takes the first model that can hold the request"),
        "tiers.select: cheapest": approximated("order by price of input; the policy prices each request"),
        "tiers.select: fastest": approximated("order of the policy: it does not go by latency"),
        "tiers.select: weights": approximated(
            "router.js draws for each request; after a failure the models follow in the order of the policy"
        ),
        "tiers.max_output_tokens": approximated(f"router.js lowers max_tokens to it; {thinks}"),
        "tiers.temperature": approximated(f"router.js sets it; {thinks}"),
        "tiers.context_tokens": approximated("by the router's own count of tokens"),
        "tiers.timeout_s": dropped(
            "it stops no slow provider; API_TIMEOUT_MS, the sum of the longest chain, is how long Claude Code waits"
        ),
        "routing.default: logged": approximated("left to the router's scenarios: default, background, think"),
        "routing.rules": by_rules, "routing.matrix": by_rules, "routing.raise": by_rules, "routing.floors": by_rules,
        "routing.classifier": by_rules,
        "routing.raise.add_instruction": expressed("router.js adds it to the system prompt"),
        "routing.sticky": approximated("in the memory of its process; Claude Code names user and session"),
        "fallbacks": approximated("after any answer that is an error, also a wrong request; not after a slow one"),
        "retries": dropped("it tries each model once; Claude Code itself tries a failed request again"),
        "kill_switch": dropped("it has none: each request tries the broken model first"),
        "cache.exact": cache, "cache.semantic": cache,
        "cache.prompt": dropped("Claude Code marks what is to be cached; only providers with Anthropic's API see it"),
        "self_hosted": expressed("a provider of its own, at the address in the environment"),
        "limits": usage, "budgets.tokens_per_day": usage,
        "budgets.max_share_per_day": dropped("it counts no shares: watch them in its log"),
    }  # fmt: skip
    own |= {part: money for part in PARTS if part.startswith("budgets.usd")}
    return {**dict.fromkeys(PARTS, looks), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that it passes over, models that no provider has, seconds for milliseconds, files that are missing."""
    config = json.loads(files[CONFIG])
    if not config:
        return [f"{one}: there is nothing to route" for one in (ROUTER, DECISION, INSTALL) if one in files]
    wrong = [f"{one}: is missing" for one in (ROUTER, DECISION, INSTALL) if one not in files]
    return wrong + config_faults(config) + (router_faults(files[ROUTER], config) if ROUTER in files else [])


TARGET = Target("claude-code-router", "claude-code-router", VERIFIED, export, faults)
