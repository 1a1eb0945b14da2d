"""vLLM semantic router: one `config.yaml` of its configuration v0.3, as the package vllm-sr 0.4.0 reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.cache_parts import shortest_s
from costctl.export.orders import as_listed
from costctl.export.reading import Reading, by_signals
from costctl.export.reliability import CODES, key_of, variable
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.text import commented, exact, from_yaml, to_yaml
from costctl.export.vllm_plan import Plan, Step, planned
from costctl.export.vllm_schema import faults_of
from costctl.export.vllm_signals import TIER_KEY
from costctl.policy.parts import PARTS
from costctl.policy.units import plain

FILE = "config.yaml"
VERIFIED = "vllm-sr 0.4.0 (its validator; the router itself was not run)"
# Its catalogue knows the address of these; names of the price list beside its own.
_KNOWN = {
    "openai": "openai", "anthropic": "anthropic", "google": "gemini", "x-ai": "xai", "moonshotai": "moonshot",
    **{
        one: one for one in (
            "cerebras", "cohere", "deepseek", "fireworks", "groq", "meta", "minimax", "mistral", "novita", "openrouter",
            "perplexity", "zai",
        )
    },
}  # fmt: skip


def export(given: Resolved) -> Exported:
    """The configuration; a policy without models of its own leaves nothing to route."""
    plan = planned(given)
    models = [one for lane in given.lanes for one in lane.models]
    keys = sorted({_key(one) for one in models})
    hosts = sorted({_host(one) for one in models if one.provider not in _KNOWN})
    lines = [
        f"A caller that sends metadata {TIER_KEY} (the tier of costctl_route.py, target json) is routed just as the",
        "policy says; others by the signals below.",
        f"Keys stand in the environment: {', '.join(keys)}",
        *([f"So do addresses, as host:port without a scheme: {', '.join(hosts)}"] if hosts else []),
    ]
    head = commented([*header(given, "the vLLM semantic router", VERIFIED), *(lines if keys else ())])
    if not plan.steps:
        return Exported({FILE: head + "{}\n"}, told(given, _carried(given, plan)))
    return Exported({FILE: to_yaml(_config(given, plan), head)}, told(given, _carried(given, plan)))


def _config(given: Resolved, plan: Plan) -> dict[str, Any]:
    models = {_name(one): one for lane in given.lanes for one in lane.models}
    last = next(step.lane for step in reversed(plan.steps)) if plan.steps[-1].name == "default" else _dearest(given)
    routing: dict[str, Any] = {"strategy": "priority", "modelCards": [_card(name, one) for name, one in models.items()]}
    if plan.signals.families:
        routing["signals"] = plan.signals.families
    routing["decisions"] = [_decision(given, step, len(plan.steps) - at) for at, step in enumerate(plan.steps)]
    if fallback := _fallback(given):
        routing["fallback"] = fallback
    config = {
        "version": "v0.3",
        "listeners": [{"name": "http", "address": "127.0.0.1", "port": 8899, "timeout": _listening(given)}],
        "providers": {
            "defaults": {"model": _name(last.models[0])},
            "models": [_provider(given, name, one) for name, one in models.items()],
        },
        "routing": routing,
    }
    if store := _store(given):
        config["global"] = {"stores": {"response_cache": store}}
    return config


def _name(model: Model) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{model.provider}-{model.model}")


def _key(model: Model) -> str:
    return key_of(model)


def _host(model: Model) -> str:
    """The environment variable that holds the address of an engine, or of a provider that the router does not know."""
    return variable(model.model if model.engine else model.provider, "HOST")


def _dearest(given: Resolved) -> Lane:
    """The highest tier with models of its own: what is asked where no decision holds."""
    return next(lane for lane in (*reversed(given.tiers), *given.lanes) if lane.models)


def _provider(given: Resolved, name: str, model: Model) -> dict[str, Any]:
    backend: dict[str, Any] = {"name": "first", "provider": _KNOWN.get(model.provider, "openai-compatible")}
    if model.engine is not None:
        backend["provider"] = "vllm"
    if model.provider not in _KNOWN:
        backend["base_url"] = f"http://${{{_host(model)}}}/v1"
    backend["api_key_env"] = _key(model)
    found: dict[str, Any] = {"name": name, "provider_model_id": model.model, "backend_refs": [backend]}
    if model.input_usd_per_million is not None and model.output_usd_per_million is not None and model.engine is None:
        prices = {"prompt_per_1m": model.input_usd_per_million, "completion_per_1m": model.output_usd_per_million}
        found["pricing"] = {"currency": "USD", **{key: exact(price) for key, price in prices.items()}}
    if given.policy.retries is not None and given.policy.retries.max_count:
        found["reliability"] = {"retry_count": given.policy.retries.max_count, "retry_on": "5xx,reset,connect-failure"}
    return found


def _card(name: str, model: Model) -> dict[str, Any]:
    if model.context_tokens is None:
        return {"name": name}
    return {"name": name, "context_window_size": model.context_tokens}


def _decision(given: Resolved, step: Step, priority: int) -> dict[str, Any]:
    refs = dict.fromkeys(_name(one) for lane in given.chain(step.lane.name) for one in lane.models)
    tree = step.tree if "operator" in step.tree else {"operator": "AND", "conditions": [step.tree]}
    found: dict[str, Any] = {
        "name": _slug(step.name, priority), "priority": priority, "rules": tree,
        "modelRefs": [{"model": one, "use_reasoning": False} for one in refs], "algorithm": {"type": "static"},
    }  # fmt: skip
    if plugins := _plugins(given, step):
        found["plugins"] = plugins
    return found


def _slug(name: str, priority: int) -> str:
    return f"{priority:04d}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def _plugins(given: Resolved, step: Step) -> list[dict[str, Any]]:
    policy = given.policy
    found: list[tuple[str, dict[str, Any]]] = []
    most = step.lane.settings.max_output_tokens
    if most is not None:
        found.append(("request_params", {"default_max_tokens": most, "max_tokens_limit": most}))
    if step.instruction is not None:
        found.append(("system_prompt", {"enabled": True, "mode": "insert", "system_prompt": step.instruction}))
    if policy.cache.exact is not None or policy.cache.semantic is not None:
        found.append(("response_cache", _cache(given)))
    if policy.cache.prompt is not None and policy.cache.prompt.providers != "none" and policy.cache.prompt.opt_in:
        found.append(("prompt_cache", {"enabled": True, "ttl": "5m", "on_unsupported": "skip"}))
    return [{"type": kind, "configuration": settings} for kind, settings in found]


def _cache(given: Resolved) -> dict[str, Any]:
    exact, near = given.policy.cache.exact, given.policy.cache.semantic
    mode = "exact" if near is None else "semantic" if exact is None else "exact_then_semantic"
    whose = set(exact.scope) if exact else set()
    scope = "user" if whose & {"user", "session", "user_profile"} else "team" if "team" in whose else "global"
    semantic: dict[str, Any] = {} if near is None else {"semantic": {"similarity_threshold": float(near.serve_min)}}
    controls = {"enabled": True, "header": "x-vsr-cache-control", "allowed": ["no-cache", "no-store", "bypass"]}
    return {
        "enabled": True, "mode": mode, "scope": scope, **semantic, "ttl_seconds": _ttl_s(given),
        "request_controls": controls,
    }  # fmt: skip


def _ttl_s(given: Resolved) -> int:
    exact, near = given.policy.cache.exact, given.policy.cache.semantic
    spans = [max(exact.ttl_us // 1_000_000, 1)] if exact else []
    return min([*spans, shortest_s(near.ttls)] if near else spans)


def _store(given: Resolved) -> dict[str, Any] | None:
    exact, near = given.policy.cache.exact, given.policy.cache.semantic
    if exact is None and near is None:
        return None
    store: dict[str, Any] = {"enabled": True, "backend_type": "memory", "ttl_seconds": _ttl_s(given)}
    if exact is not None and exact.capacity is not None:
        store["max_entries"] = exact.capacity
    return store


def _timeouts_us(given: Resolved) -> list[int]:
    return [lane.settings.timeout_us for lane in given.lanes if lane.settings.timeout_us is not None]


def _attempts(given: Resolved) -> int:
    """The models of the longest chain."""
    return max(len({_name(one) for lane in given.chain(lane.name) for one in lane.models}) for lane in given.lanes)


def _listening(given: Resolved) -> str:
    longest = max(_timeouts_us(given), default=300_000_000)
    return _span(longest * _attempts(given))


def _span(us: int) -> str:
    return f"{us // 1_000_000}s" if us % 1_000_000 == 0 else f"{-(-us // 1000)}ms"


def _fallback(given: Resolved) -> dict[str, Any] | None:
    attempts, kill = _attempts(given), given.policy.kill_switch
    if attempts == 1 and kill is None:
        return None
    kinds = given.policy.retries.on if given.policy.retries is not None else ("timeout", "rate_limit", "server_error")
    found: dict[str, Any] = {
        "version": 1, "enabled": True, "max_attempts": attempts,
        "retryable_status_codes": sorted({code for kind in kinds for code in CODES[kind]}),
    }  # fmt: skip
    if spans := _timeouts_us(given):
        found["per_attempt_timeout"] = _span(max(spans))
        found["total_timeout"] = _span(max(spans) * attempts)
    if kill is not None:
        failures = max(round(kill.error_ratio * kill.min_requests), 1)
        found["circuit_breaker"] = {
            "consecutive_failures": failures, "cooldown_period": _span(kill.cooldown_us), "half_open_probes": 1,
        }  # fmt: skip
    return found


def _carried(given: Resolved, plan: Plan) -> dict[str, Carried]:
    policy = given.policy
    exact_way = f"a caller that sends metadata {TIER_KEY} (from costctl_route.py, target json) is routed just so"
    by_hand = dropped("it counts no money: cap it at the provider, or put the target litellm before it")
    usage = dropped("write a rule of global.services.ratelimit for it: it counts requests and tokens, by user or model")
    looks = "it has no such step: let the application do it before or after the call"
    near = "signals tell it from token estimates and patterns of the last message; the router was not run"
    engines = ", ".join(sorted({_host(one) for lane in given.lanes for one in lane.models if one.engine}))
    facts = f"; the caller must send {', '.join(plan.metadata)} as metadata" if plan.metadata else ""
    own: dict[str, Carried] = {
        "tiers": expressed("one decision a tier, with its models in order"),
        "specialists": expressed("one decision a specialist"),
        "tiers.models.logged": dropped("it cannot keep the model asked for: send such requests past the router"),
        "tiers.select: first": expressed("algorithm static takes the first model; the others follow when it fails"),
        "tiers.max_output_tokens": expressed("plugin request_params of each decision"),
        "tiers.context_tokens": approximated(
            "a longer request goes to the next tier by its estimate of tokens, with room for the longest answer allowed"
        ),
        "tiers.temperature": dropped("it sets no temperature: the caller must send it"),
        "tiers.timeout_s": approximated("one timeout an attempt for all tiers, the longest of them"),
        "routing.default: logged": dropped("what no decision takes goes to the dearest tier, not to the logged model"),
        "routing.sticky": dropped(f"it keeps no tier: {exact_way} if it asks with sessions"),
        "routing.raise.add_instruction": expressed("plugin system_prompt, inserted"),
        "fallbacks": approximated("the models of the chain follow in the decision; the order of tries was not run"),
        "retries": approximated("retry_count of each provider, after errors of the server and lost connections only"),
        "kill_switch": approximated(
            "it counts failures in a row, not a ratio in a window: as many as the ratio makes of min_requests"
        ),
        "cache.exact": approximated(
            "plugin response_cache with the shortest ttl; of the scope only user or team is kept, and neither its "
            "max_temperature nor a renewal at hits"
        ),
        "cache.semantic": approximated(
            "plugin response_cache with the shortest ttl of the seasons; its vectors are not those of the simulation: "
            "calibrate the threshold; no refreshing, no key parts and no guard"
        ),
        "cache.prompt": approximated("plugin prompt_cache marks instructions and tools for five minutes"),
        "cache.exclude": dropped("the caller must send x-vsr-cache-control: no-store, also where personal data stands"),
        "context": dropped("plugin context_compression ranks what it keeps and counts no turns: set it by hand"),
        "compression": dropped("plugin context_compression has budgets of tokens instead of a ratio: set it by hand"),
        "self_hosted": expressed(f"a provider vllm, at the address that the environment has as {engines}"),
        "limits": usage, "budgets.tokens_per_day": usage,
        "routing.classifier": dropped(f"it has no place for its weights; {exact_way}"),
    }  # fmt: skip
    own |= {part: by_hand for part in PARTS if part.startswith("budgets.usd")}
    own["budgets.max_share_per_day"] = dropped(
        "it counts no shares: watch them in its metrics, or use the target litellm"
    )
    for how in ("cheapest", "fastest", "weights"):
        own[f"tiers.select: {how}"] = approximated(
            "always the first model: order them in the policy as you want them asked"
        )
    counts = {
        "routing.rules": len(policy.routing.rules), "routing.matrix": len(policy.routing.matrix),
        "routing.raise": len(policy.routing.raises), "routing.floors": len(policy.routing.floors),
    }  # fmt: skip
    for part, count in counts.items():
        lost = [f"{plain(name)} ({why})" for owner, name, why in plan.left_out if owner == part]
        if lost and len(lost) >= count:
            own[part] = dropped(f"no signal tells {', '.join(lost)}; {exact_way}")
        else:
            more = f"; without {', '.join(lost)}" if lost else ""
            own[part] = approximated(f"{near}{facts}{more}; {exact_way}")
    return {**dict.fromkeys(PARTS, dropped(looks)), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """What the router would refuse, misread, or accept without a word."""
    config = from_yaml(files[FILE])
    return faults_of(config) if config else []


def reading(given: Resolved) -> Reading | None:
    """The first decision whose signals hold."""
    plan = planned(given)
    if not plan.steps:
        return None
    return by_signals(plan, plan.steps[-1].lane if plan.steps[-1].name == "default" else _dearest(given))


TARGET = Target("vllm-semantic-router", "vLLM semantic router", VERIFIED, export, faults, reading, as_listed)
