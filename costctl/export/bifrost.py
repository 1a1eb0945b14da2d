"""Bifrost: providers, routing rules, fallbacks and daily budgets of its `config.json`.

Rules see headers and budgets, not the text: the caller sends its tier in a header. A rule whose expression does not
parse is passed over without a word, so `export/cel` reads every expression first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, told
from costctl.export.cache_parts import shortest_s
from costctl.export.cel import faults_of as cel_faults
from costctl.export.orders import as_listed
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.shape import NAME, SECONDS, SHARE, WHOLE, Choice, Flag, Items, Keys, Named, Number, Text
from costctl.export.text import exact, to_json
from costctl.policy.caps import UsdCap
from costctl.policy.keys import unknown
from costctl.policy.parts import PARTS

FILE = "config.json"
TIMEOUT_MAX_S = 3_600
BACKOFF_MIN_MS, BACKOFF_MAX_MS = 100, 600_000
VERIFIED = "the fields of the published schema of Bifrost's configuration (it was not run)"
HEADER = "x-costctl-tier"
VARIABLES = frozenset({"headers", "params", "model", "provider", "virtual_key_name", "team_name", "customer_name",
                       "budget_used", "tokens_used", "request", "request_type", "complexity_tier"})  # fmt: skip
_PROVIDERS = {"google": "gemini", "x-ai": "xai", "aws": "bedrock", "self": "vllm"}
_REFERENCE = Text(r"env\.[A-Z][A-Z0-9_]*", "a reference such as env.NAME")
_KEY = Keys({"name": NAME, "value": _REFERENCE,
             "models": Items(Text()), "weight": SHARE})  # fmt: skip
_PROVIDER = Keys(
    {
        "keys": Items(_KEY),
        "network_config": Keys(
            {"default_request_timeout_in_seconds": Number(1, TIMEOUT_MAX_S, is_whole=True)},
            {
                "max_retries": WHOLE,
                "retry_backoff_initial": Number(BACKOFF_MIN_MS, BACKOFF_MAX_MS, is_whole=True),
                "base_url": Text(),
            },
        ),
    }
)
_RULE = Keys(
    {
        "id": NAME, "name": Text(), "enabled": Flag(), "cel_expression": Text(), "priority": Number(0, is_whole=True),
        "scope": Choice(("global",)), "targets": Items(Keys({"provider": Text(), "model": Text(), "weight": SHARE})),
        "fallbacks": Items(Text(r"[^/]+/.+", "provider/model"), least=0),
    }
)  # fmt: skip
_BUDGET = Keys({"id": NAME, "max_limit": Number(), "reset_duration": Choice(("1d",)), "virtual_key_id": NAME})
_ALLOWED = Keys({"provider": Text(), "allowed_models": Items(Text()), "key_ids": Items(Choice(("*",)))})
_VIRTUAL_KEY = Keys(
    {
        "id": NAME, "name": Text(), "value": _REFERENCE, "is_active": Flag(), "calendar_aligned": Flag(),
        "provider_configs": Items(_ALLOWED),
    }
)  # fmt: skip
_CACHE = Keys(
    {"ttl": SECONDS, "cache_by_model": Flag(), "conversation_history_threshold": WHOLE, "dimension": WHOLE},
    {"provider": Text(), "embedding_model": Text(), "threshold": SHARE},
)
_GOVERNANCE = Keys({"routing_rules": Items(_RULE)}, {"budgets": Items(_BUDGET), "virtual_keys": Items(_VIRTUAL_KEY)})
_PLUGIN = Keys({"name": Choice(("semantic_cache",)), "enabled": Flag(), "config": _CACHE})
_CONFIG = Keys(
    {"providers": Named(_PROVIDER, least=1), "governance": _GOVERNANCE}, {"plugins": Items(_PLUGIN)}
)  # fmt: skip


def export(given: Resolved) -> Exported:
    """One file; without lanes that name models there is nothing to route."""
    lanes = [lane for lane in given.lanes if lane.models]
    if not lanes:
        return Exported({FILE: to_json({})}, told(given, _carried(given)))
    providers = _providers(given, lanes)
    governance: dict[str, Any] = {"routing_rules": _rules(given, lanes)}
    caps = [cap for cap in given.policy.budgets.usd_per_day if cap.scope in {"total", "team", "user"}]
    if caps:
        governance["budgets"] = [_budget(cap, at) for at, cap in enumerate(caps, 1)]
        governance["virtual_keys"] = [_virtual_key(cap, at, providers) for at, cap in enumerate(caps, 1)]
    config: dict[str, Any] = {"providers": providers, "governance": governance}
    if plugin := _cache(given):
        config["plugins"] = [plugin]
    return Exported({FILE: to_json(config)}, told(given, _carried(given)))


def _provider(model: Model) -> str:
    return _PROVIDERS.get(model.provider, model.provider)


def _providers(given: Resolved, lanes: list[Lane]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for lane in lanes:
        for model in lane.models:
            name = _provider(model)
            variable = re.sub(r"[^A-Z0-9]+", "_", name.upper())
            if name not in found:
                key = {"name": "first", "value": f"env.{variable}_API_KEY", "models": [], "weight": 1.0}
                found[name] = {"keys": [key], "network_config": _network(given, name, lanes)}
            if model.model not in found[name]["keys"][0]["models"]:
                found[name]["keys"][0]["models"].append(model.model)
    return found


def _network(given: Resolved, provider: str, lanes: list[Lane]) -> dict[str, Any]:
    """Timeouts are of a provider: the longest of the lanes that ask it."""
    mine = [lane for lane in lanes if any(_provider(one) == provider for one in lane.models)]
    spans = [lane.settings.timeout_us for lane in mine if lane.settings.timeout_us is not None]
    network: dict[str, Any] = {
        "default_request_timeout_in_seconds": min(max(-(-max(spans) // 1_000_000), 1), TIMEOUT_MAX_S) if spans else 600
    }
    retries = given.policy.retries
    if retries is not None and retries.max_count:
        network |= {
            "max_retries": retries.max_count,
            "retry_backoff_initial": min(max(retries.backoff_us // 1000, BACKOFF_MIN_MS), BACKOFF_MAX_MS),
        }
    return network


def _rules(given: Resolved, lanes: list[Lane]) -> list[dict[str, Any]]:
    """A rule a lane, and last the default for requests without the header.

    Its value is of ASCII, as the names of other targets: clients send a header as Latin-1, and routers read UTF-8.
    """
    rules = [
        _rule(given, lane, lane.slug, f'headers["{HEADER}"] == "tier-{lane.slug}"', at) for at, lane in enumerate(lanes)
    ]
    last = next((lane for lane in lanes if lane.name == given.policy.routing.default), lanes[-1])
    return [*rules, _rule(given, last, "otherwise", "true", len(lanes))]


def _rule(given: Resolved, lane: Lane, name: str, expression: str, priority: int) -> dict[str, Any]:
    weighted = lane.settings.select == "weights" and not lane.has_logged and len(lane.models) > 1
    taken = lane.models if weighted else lane.models[:1]
    rest = [] if weighted else lane.models[1:]
    names = [
        f"{_provider(one)}/{one.model}"
        for one in (*rest, *(m for other in given.chain(lane.name)[1:] for m in other.models))
    ]
    return {
        "id": f"rule-{name}", "name": f"{name}", "enabled": True, "cel_expression": expression, "scope": "global",
        "priority": priority,
        "targets": [
            {"provider": _provider(one), "model": one.model, "weight": share}
            for one, share in zip(taken, _shares(lane) if weighted else [1.0], strict=True)
        ],
        "fallbacks": list(dict.fromkeys(names)),
    }  # fmt: skip


def _shares(lane: Lane) -> list[float]:
    """Weights that sum to one, of four decimals; the last takes what rounding leaves."""
    total = sum(lane.settings.weights)
    found = [(one / total).quantize(Decimal("0.0001")) for one in lane.settings.weights[:-1]]
    return [float(one) for one in (*found, 1 - sum(found))]


def _budget(cap: UsdCap, at: int) -> dict[str, Any]:
    """A day of the calendar, as the key says."""
    limit = exact(cap.max_usd)
    return {"id": f"budget-{at}", "max_limit": limit, "reset_duration": "1d", "virtual_key_id": f"key-{at}"}


def _virtual_key(cap: UsdCap, at: int, providers: Mapping[str, Any]) -> dict[str, Any]:
    """A key that may ask everything here; what is not listed is denied to it."""
    allowed = [
        {"provider": name, "allowed_models": one["keys"][0]["models"], "key_ids": ["*"]}
        for name, one in providers.items()
    ]
    return {
        "id": f"key-{at}", "name": cap.name or "all", "value": f"env.COSTCTL_KEY_{at}", "is_active": True,
        "calendar_aligned": True, "provider_configs": allowed,
    }  # fmt: skip


def _cache(given: Resolved) -> dict[str, Any] | None:
    """The plugin; with one dimension and no provider it answers equal requests only."""
    near, equal = given.policy.cache.semantic, given.policy.cache.exact
    spans = ([equal.ttl_us // 1_000_000] if equal else []) + ([shortest_s(near.ttls)] if near else [])
    if not spans:
        return None
    # The system prompt and the first question; a later turn rests on the answers before it.
    settings: dict[str, Any] = {
        "ttl": f"{max(min(spans), 1)}s", "cache_by_model": True, "conversation_history_threshold": 2, "dimension": 1,
    }  # fmt: skip
    if near is not None:
        vectors = {"provider": "openai", "embedding_model": "text-embedding-3-small", "dimension": 1536}
        settings |= {**vectors, "threshold": float(near.serve_min)}
    return {"name": "semantic_cache", "enabled": True, "config": settings}


def _carried(given: Resolved) -> dict[str, Carried]:
    by_caller = dropped(f"it sees no text: the caller must send {HEADER} (costctl_route.py of the target json)")
    sent = dropped("it sets no parameters: the caller must send it (costctl_route.py tells it)")
    looks = dropped("it has no such step: let the application do it before or after the call")
    always = approximated("always the first model: order them in the policy as you want them asked")
    tier = f"one rule each, by the header {HEADER} that the caller sends: tier-..., the slug of the target json"
    own: dict[str, Carried] = {
        "tiers": approximated(tier), "specialists": approximated(tier),
        "tiers.models.logged": dropped("it cannot keep the model asked for: send such requests past the rules"),
        "tiers.select: first": expressed("the first model is the target, the others are its first fallbacks"),
        "tiers.select: weights": expressed("weights of the targets"),
        "tiers.select: cheapest": always, "tiers.select: fastest": always,
        "tiers.max_output_tokens": sent, "tiers.temperature": sent,
        "tiers.context_tokens": dropped("it counts no tokens beforehand: costctl_route.py moves what does not fit"),
        "tiers.timeout_s": approximated(
            f"one timeout a provider, the longest of its tiers, in whole seconds, at most {TIMEOUT_MAX_S:,}"
        ),
        "routing.default: logged": dropped("a request without the header goes to the last tier"),
        "budgets.usd_per_day: total": approximated(
            "a budget of a virtual key that every caller must use (COSTCTL_KEY_1, ...); over it requests are refused"
        ),
        "budgets.usd_per_day: tier": dropped("give its models budgets in model_configs by hand"),
        "budgets.usd_per_day: other": approximated(
            "a budget of a virtual key for each user and team, which must be used; endpoints and profiles have none"
        ),
        "budgets.max_share_per_day": dropped("it counts no shares: cap dollars instead"),
        "budgets.usd_per_request_max": dropped("it knows no cost before the answer: let the caller check it"),
        "budgets.tokens_per_day": dropped("write a rate limit of tokens of a virtual key by hand"),
        "limits": dropped("write a rate limit of a virtual key by hand: it has none of a provider for all"),
        "fallbacks": expressed("fallbacks of each rule, in order"),
        "retries": approximated(
            "retries of each provider, after its own choice of errors and first waits of "
            f"{BACKOFF_MIN_MS} to {BACKOFF_MAX_MS:,} ms"
        ),
        "kill_switch": dropped("only its enterprise edition takes a provider out: fallbacks still answer"),
        "cache.exact": approximated(
            "plugin semantic_cache, which needs a vector store and the header x-bf-cache-key: the caller must put the "
            "scope into that header; of both caches the shorter ttl, and no max_temperature"
        ),
        "cache.semantic": approximated(
            "plugin semantic_cache with the shortest ttl of the seasons; it needs a vector store and the header "
            "x-bf-cache-key; its vectors are not those of the simulation: calibrate the threshold; no refreshing, no "
            "key parts and no guard"
        ),
        "cache.prompt": dropped("prompt caching is the provider's: ask for it in the request"),
        "cache.exclude": dropped("the caller must send such requests without x-bf-cache-key"),
        "experiments": dropped("weights draw anew for each request and keep no user in an arm"),
        "self_hosted": approximated("provider vllm; its address is set in the key by hand"),
    }  # fmt: skip
    routed = [part for part in PARTS if part.startswith("routing.") and part not in own]
    return {**dict.fromkeys(PARTS, looks), **dict.fromkeys(routed, by_caller), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys and units that it does not have, names that nobody has, weights that do not sum to one, broken CEL."""
    config = json.loads(files[FILE])
    if not config:
        return []
    wrong = _CONFIG.faults(config, "")
    return wrong or [*_rule_faults(config), *_budget_faults(config["governance"]), *_cache_faults(config)]


def _rule_faults(config: dict[str, Any]) -> list[str]:
    known = [f"{name}/{model}" for name, one in config["providers"].items() for model in one["keys"][0]["models"]]
    wrong: list[str] = []
    rules = config["governance"]["routing_rules"]
    for rule in rules:
        at = rule["id"]
        asked = [*(f"{one['provider']}/{one['model']}" for one in rule["targets"]), *rule["fallbacks"]]
        wrong += [f"{at}: {one}: {unknown(one, known, 'model')}" for one in asked if one not in known]
        wrong += [f"{at}: {fault}" for fault in cel_faults(rule["cel_expression"], VARIABLES)]
        total = sum(Decimal(str(one["weight"])) for one in rule["targets"])
        wrong += [f"{at}: its weights sum to {total}, not to 1"] if total != 1 else []
    order = [rule["priority"] for rule in rules]
    wrong += ["routing_rules: priorities must rise from rule to rule"] if order != sorted(set(order)) else []
    is_last = [rule["cel_expression"] == "true" for rule in rules]
    if is_last.count(True) != 1 or not is_last[-1]:
        wrong.append("routing_rules: the last rule, and only that one, must always hold")
    return wrong


def _budget_faults(governance: dict[str, Any]) -> list[str]:
    keys = [one["id"] for one in governance.get("virtual_keys", [])]
    return [
        f"budgets.{one['id']}: {one['virtual_key_id']}: {unknown(one['virtual_key_id'], keys, 'virtual key')}"
        for one in governance.get("budgets", []) if one["virtual_key_id"] not in keys
    ]  # fmt: skip


def _cache_faults(config: dict[str, Any]) -> list[str]:
    """One dimension is for equal requests, more are for vectors of a provider."""
    wrong = []
    for plugin in config.get("plugins", []):
        asked = {"provider", "embedding_model", "threshold"} & set(plugin["config"])
        if len(asked) != (0 if plugin["config"]["dimension"] == 1 else 3):
            wrong.append("plugins.semantic_cache: more than one dimension goes with provider, model and threshold")
    return wrong


TARGET = Target("bifrost", "Bifrost", VERIFIED, export, faults, apart=as_listed)
