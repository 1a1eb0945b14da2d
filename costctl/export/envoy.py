"""Envoy AI Gateway: one file of Kubernetes resources of its version v1beta1, with those of Envoy Gateway beside them.

The caller asks for the name of its tier as the model. The route of a tier takes that name to its models and those of
its fallbacks, in the order of `priority`, each under its own name. Only a retry goes to the next priority, and only
after `numAttemptsPerPriority` tries, so each tier whose chain goes on has a BackendTrafficPolicy of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.envoy_schema import faults_of
from costctl.export.orders import as_listed
from costctl.export.reliability import FAILURES, retried_codes
from costctl.export.resolved import Lane, Resolved
from costctl.export.text import commented, documents_of, to_yaml
from costctl.policy.parts import PARTS

FILE = "gateway.yaml"
VERIFIED = "the documented fields of Envoy AI Gateway v1beta1 (it was not run)"
GATEWAY = "costctl"
# Host, what its API looks like, and the way to it.
_HOSTS = {
    "openai": ("api.openai.com", "OpenAI", ""), "anthropic": ("api.anthropic.com", "Anthropic", ""),
    "openrouter": ("openrouter.ai", "OpenAI", "/api/v1"), "groq": ("api.groq.com", "OpenAI", "/openai/v1"),
    "mistral": ("api.mistral.ai", "OpenAI", ""), "deepseek": ("api.deepseek.com", "OpenAI", ""),
    "x-ai": ("api.x.ai", "OpenAI", ""), "together": ("api.together.xyz", "OpenAI", ""),
    "fireworks": ("api.fireworks.ai", "OpenAI", "/inference/v1"), "cerebras": ("api.cerebras.ai", "OpenAI", ""),
    "google": ("generativelanguage.googleapis.com", "OpenAI", "/v1beta/openai"),
}  # fmt: skip


def export(given: Resolved) -> Exported:
    """One file of several documents; without lanes that name models there is nothing to route."""
    lanes = [lane for lane in given.lanes if lane.models]
    head = commented(header(given, "Envoy AI Gateway", VERIFIED))
    if not lanes:
        return Exported({FILE: head + "{}\n"}, told(given, _carried(given)))
    providers = list(dict.fromkeys(one.provider for lane in lanes for one in lane.models))
    slugs = sorted({_slug(one) for one in providers})
    notes = commented([
        "Keys stand in secrets of the same namespace, under apiKey: " + ", ".join(f"{one}-key" for one in slugs),
        "Hosts below models.svc.cluster.local are names for engines of your own: make services of these names.",
    ])  # fmt: skip
    documents = [*(_route(given, lane) for lane in lanes), *(one for name in providers for one in _backend(name))]
    documents += [_traffic(given, lane) for lane in lanes if _tries(given, lane) > 1]
    return Exported({FILE: head + notes + "---\n".join(map(to_yaml, documents))}, told(given, _carried(given)))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _name(lane: Lane) -> str:
    """Of the resources of a lane, and of the model that the caller asks for."""
    return f"tier-{lane.slug}"


def _route(given: Resolved, lane: Lane) -> dict[str, Any]:
    return {
        "apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "AIGatewayRoute", "metadata": {"name": _name(lane)},
        "spec": {
            "parentRefs": [{"name": GATEWAY, "kind": "Gateway", "group": "gateway.networking.k8s.io"}],
            "rules": [_rule(given, lane)],
            "llmRequestCosts": [
                {"metadataKey": "llm_input_token", "type": "InputToken"},
                {"metadataKey": "llm_output_token", "type": "OutputToken"},
            ],
        },
    }  # fmt: skip


def _rule(given: Resolved, lane: Lane) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "matches": [{"headers": [{"type": "Exact", "name": "x-ai-eg-model", "value": _name(lane)}]}],
        "backendRefs": _refs(given, lane),
    }
    each_us = _each_us(given, lane)
    if each_us is not None:
        # Of all tries and the pauses between them, so that the last of the chain still has its own time.
        tries = _tries(given, lane)
        pauses = sum(min(_pause_us(given) * 2**number, _pause_us(given) * 10) for number in range(tries - 1))
        rule["timeouts"] = {"request": _span(each_us * tries + pauses)}
    return rule


def _each_us(given: Resolved, lane: Lane) -> int | None:
    """How long one try may take: all of a chain have one time, the longest; None where one of them has no limit."""
    spans = [one.settings.timeout_us for one in given.chain(lane.name) if one.models]
    known = [span for span in spans if span is not None]
    return max(known) if len(known) == len(spans) else None


def _tries_each(given: Resolved) -> int:
    """Tries of one priority before the next one is asked."""
    return 1 + (given.policy.retries.max_count if given.policy.retries is not None else 0)


def _tries(given: Resolved, lane: Lane) -> int:
    """Tries of a whole chain."""
    return _tries_each(given) * len({one["priority"] for one in _refs(given, lane)})


def _pause_us(given: Resolved) -> int:
    return max(given.policy.retries.backoff_us if given.policy.retries is not None else 0, 1000)


def _refs(given: Resolved, lane: Lane) -> list[dict[str, Any]]:
    """Models by rising priority; those of weights share one."""
    found: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    priority = 0
    for other in given.chain(lane.name):
        weighted = other.settings.select == "weights" and not other.has_logged and len(other.models) > 1
        shares = _shares(other) if weighted else [1] * len(other.models)
        for model, share in zip(other.models, shares, strict=True):
            if (model.provider, model.model) in seen:
                continue
            seen.add((model.provider, model.model))
            ref = {
                "name": _slug(model.provider),
                "modelNameOverride": model.model,
                "priority": priority,
                "weight": share,
            }
            found.append(ref)
            priority += not weighted
        priority += weighted
    return found


def _shares(lane: Lane) -> list[int]:
    """Weights as whole numbers of a thousand in all."""
    total = sum(lane.settings.weights)
    return [max(int(1000 * one / total + Decimal("0.5")), 1) for one in lane.settings.weights]


def _span(us: int) -> str:
    return f"{us // 1_000_000}s" if us % 1_000_000 == 0 else f"{-(-us // 1000)}ms"


def _backend(provider: str) -> list[dict[str, Any]]:
    """What one provider needs: how its API looks, where it is, and its key."""
    slug = _slug(provider)
    host, schema, prefix = _HOSTS.get(provider, (f"{slug}.models.svc.cluster.local", "OpenAI", ""))
    shape = {"name": schema, "prefix": prefix} if prefix else {"name": schema}
    port = 443 if provider in _HOSTS else 8000
    reference = {"name": slug, "kind": "Backend", "group": "gateway.envoyproxy.io"}
    kind = "AnthropicAPIKey" if schema == "Anthropic" else "APIKey"
    field = "anthropicAPIKey" if schema == "Anthropic" else "apiKey"
    documents: list[dict[str, Any]] = [
        {
            "apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "AIServiceBackend", "metadata": {"name": slug},
            "spec": {"schema": shape, "backendRef": reference},
        },
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "Backend", "metadata": {"name": slug},
            "spec": {"endpoints": [{"fqdn": {"hostname": host, "port": port}}]},
        },
    ]  # fmt: skip
    if provider not in _HOSTS:
        return documents
    target = {"group": "aigateway.envoyproxy.io", "kind": "AIServiceBackend", "name": slug}
    documents.append({
        "apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "BackendSecurityPolicy", "metadata": {"name": slug},
        "spec": {"targetRefs": [target], "type": kind, field: {"secretRef": {"name": f"{slug}-key"}}},
    })  # fmt: skip
    documents.append({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy", "metadata": {"name": slug},
        "spec": {
            "targetRefs": [{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": slug}],
            "validation": {"wellKnownCACertificates": "System", "hostname": host},
        },
    })  # fmt: skip
    return documents


def _traffic(given: Resolved, lane: Lane) -> dict[str, Any]:
    goes_on = len({one["priority"] for one in _refs(given, lane)}) > 1
    on = given.policy.retries.on if given.policy.retries is not None else ()
    pause_us, each_us = _pause_us(given), _each_us(given, lane)
    # A try that runs out of its time is reset, and has no status.
    slow = ["reset"] if goes_on or "timeout" in on else []
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "BackendTrafficPolicy",
        "metadata": {"name": _name(lane)},
        "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": _name(lane)}],
            "retry": {
                "numRetries": _tries(given, lane) - 1, "numAttemptsPerPriority": _tries_each(given),
                "perRetry": {
                    "backOff": {"baseInterval": _span(pause_us), "maxInterval": _span(pause_us * 10)},
                    **({} if each_us is None else {"timeout": _span(each_us)}),
                },
                "retryOn": {
                    "httpStatusCodes": sorted({*retried_codes(given), *(FAILURES if goes_on else ())}),
                    "triggers": ["connect-failure", *slow, "retriable-status-codes"],
                },
            },
        },
    }  # fmt: skip


def _carried(given: Resolved) -> dict[str, Carried]:
    by_caller = dropped(
        "it does not classify: the caller must ask for model tier-... (costctl_route.py of the target json)"
    )
    sent = dropped("a route sets no parameters: the caller must send it (costctl_route.py tells it)")
    tokens = dropped("write a QuotaPolicy or a rate limit on the costs llm_input_token and llm_output_token by hand")
    money = dropped("it counts tokens, not money: cap it at the provider, or write a limit of tokens by hand")
    looks = dropped("it has no such step: let the application do it before or after the call")
    always = approximated("always the first model: order them in the policy as you want them asked")
    tier = "one route each, by the model tier-... that the caller asks for"
    codes = ", ".join(map(str, FAILURES))
    own: dict[str, Carried] = {
        "tiers": approximated(tier), "specialists": approximated(tier),
        "tiers.models.logged": expressed("a model that no rule names is not touched by this route"),
        "tiers.select: first": expressed("priorities of the backends"),
        "tiers.select: weights": approximated("weights of one priority, of a thousand and drawn anew for each request"),
        "tiers.select: cheapest": always, "tiers.select: fastest": always,
        "tiers.max_output_tokens": sent, "tiers.temperature": sent,
        "tiers.context_tokens": dropped("it counts no tokens beforehand: costctl_route.py moves what does not fit"),
        "tiers.timeout_s": approximated(
            "one timeout for each try, the longest of the tiers of its chain, and none where one of them has none"
        ),
        "routing.default: logged": expressed("requests for other models are not touched by this route"),
        "fallbacks": approximated(
            f"backends by priority: retries go on to the next one after the statuses {codes}, lost connections and "
            "slow tries; another status is the answer"
        ),
        "retries": approximated(
            "numAttemptsPerPriority of a BackendTrafficPolicy a tier; where its chain goes on, every failure that "
            "leads to the next model is tried again first, also one that retries do not name"
        ),
        "kill_switch": dropped("set outlier detection in a BackendTrafficPolicy by hand: it counts failures in a row"),
        "limits": tokens, "budgets.tokens_per_day": tokens,
        "budgets.max_share_per_day": dropped("it counts no shares: write a limit of tokens by hand"),
        "cache.exact": dropped("it has no cache: put redis-langcache into the application"),
        "cache.semantic": dropped("it has no cache: put redis-langcache into the application"),
        "cache.prompt": dropped("prompt caching is the provider's: ask for it in the request"),
        "cache.exclude": dropped("it has no cache, so nothing is kept"),
        "experiments": dropped("weights draw anew for each request and keep no user in an arm"),
        "self_hosted": approximated("a host in the cluster by the name of its provider, without a key"),
    }  # fmt: skip
    own |= {part: money for part in PARTS if part.startswith("budgets.usd")}
    routed = [part for part in PARTS if part.startswith("routing.") and part not in own]
    return {**dict.fromkeys(PARTS, looks), **dict.fromkeys(routed, by_caller), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Kinds and keys that are not there, durations without a unit, names that no resource has."""
    documents = documents_of(files[FILE])
    return faults_of(documents) if documents != [{}] else []


TARGET = Target("envoy", "Envoy AI Gateway", VERIFIED, export, faults, apart=as_listed)
