"""What routers make of policies, part by part: one record each, read by the replay as a target and by the exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple, get_args

from costctl.errors import CostctlError
from costctl.policy.keys import unknown
from costctl.policy.results import Target
from costctl.policy.stages import KillSwitch
from costctl.policy.units import shown

How = Literal["as it does", "dropped", "not simulated"]


class Change(NamedTuple):
    """A part of the policy by its key, what the target does instead, and whether the simulation does so too."""

    part: str
    instead: str
    how: How


@dataclass(frozen=True)
class Semantics:
    """What one router does instead of what a policy says, by the keys of `policy/parts`.

    `dropped` are parts that it lacks, `does` those that it carries out in its own way and that are replayed so,
    `beyond` what it does differently and no replay shows; braces are filled in by who tells it.
    """

    title: str
    dropped: Mapping[str, str]
    does: Mapping[str, str]
    beyond: Mapping[str, str]


LITELLM = Semantics(
    "LiteLLM",
    dropped={
        "routing.raise.add_instruction": "the router changes no prompt",
        "budgets.max_share_per_day": "there is no share of requests",
        "budgets.usd_per_day: other": "users, teams and endpoints have a budget only in its database",
        "budgets.usd_per_request_max": "there is no price of one request",
        "budgets.tokens_per_day": "tokens of users and teams are counted only in its database",
        "limits": "rpm and tpm count by deployment, not by provider: no limit is kept",
        "hedge": "no second call runs beside a slow one",
        "escalate": "no answer is judged, and only a failed call goes to the fallbacks",
        "context": "no history is cut or summarised",
        "compression": "no prompt is made shorter",
        "data_sources": "no facts are fetched",
        "batch": "calls are answered at once, at full price",
        "post_process": "no answer is worked on",
        "experiments": "weights of deployments divide requests, not users: all have the tiers of the policy",
        "cache.exclude": "every answer is kept that the request does not keep out itself",
    },
    does={
        "tiers.models.logged": "a request names no other model; such requests go to {where}",
        "tiers.select: cheapest": "order by price of input; the policy prices each request",
        "tiers.select: fastest": "order of the policy; LiteLLM goes by latency for all or none",
        "routing.default: logged": "a request names no other model: it goes to {where}",
        "budgets.usd_per_day: tier": "a model of a tier that has spent its budget is passed over and the fallbacks of "
        "the tier answer, without fallbacks nobody; a window of 24 h begins with the first answer, and the last one "
        "may go above it",
        "budgets.usd_per_day: total": "the budget of the only provider: over it calls fail; the window likewise",
        "retries": "its own waits: 0.5 s, then twice as long up to 8 s, at least backoff_s in whole seconds, and once "
        "more before a fallback; the first failure decides whether it tries again",
        "kill_switch": "each deployment is passed over after more than {fails} failures of one kind within the "
        "cooldown; the policy goes by the share of a provider's answers in a window",
        "cache.exact": "one cache for all, keyed by the model asked for and all parameters, before a tier is decided",
        "cache.semantic": "no key parts, no refresh between the thresholds, the shortest ttl",
    },
    beyond={
        "tiers.select: first": "where a model is out or over its budget, others of its tier go first",
        "tiers.max_output_tokens": "after a fallback the request's own max_tokens counts",
        "tiers.context_tokens": "the prompt is counted, not the answer; what no tier can hold is refused",
        "routing.sticky": "in the memory of each process: one process here",
        "retries": "up to 0.75 s more of each wait by chance, and what a provider asks to wait",
        "cache.exact": "parameters that the log does not have, such as user and top_p",
        "cache.semantic": "it has no guard, so it serves more and is wrong more often",
    },
)

NATIVE_DROPPED: Mapping[str, str] = {
    "specialists": "its scorer has no rule that sends there",
    "routing.classifier": "its scorer asks no learned router",
    "routing.raise": "its scorer has no such rule",
    "routing.floors": "its scorer has no such rule",
    "routing.sticky": "its session_affinity keeps the first model, not the highest tier; not written",
}
"""What LiteLLM's own scorer lacks besides."""
NATIVE_BEYOND = "its scorer goes by whole words of the last message and its length: the policy's rules decide here"
NATIVE_PARTS = ("routing.rules", "routing.matrix")

SEVERAL_PROVIDERS = "the spend of several providers is summed only in its database"
ONE_CACHE = "there is one cache: the exact one is written"

SIMULATED: tuple[Target, ...] = ("litellm", "litellm-plugin")
_KNOWN = ", ".join(SIMULATED)
_UNTRIED = "it was never tried against the product"
NOT_SIMULATED: Mapping[Target, str] = {
    "openrouter": "it has no state: what a request says is done by OpenRouter in ways that cannot be measured offline",
    "claude-code-router": "only its decision and its fallbacks were measured, no budgets, caches or timeouts",
    "claude-code-router-v3": "only its decision was tried, no budgets, caches or timeouts",
    "portkey": "its caches and budgets are of the hosted product, which was never tried",
    "vllm-semantic-router": "its caches and classifier were checked as a configuration, and never run",
    "routellm": "it chooses between two models and carries nothing else of a policy",
    "gptcache": "it only caches", "redis-langcache": "it only caches",
    "cloudflare": _UNTRIED, "envoy": _UNTRIED, "bifrost": _UNTRIED,
    "switchyard": "it has neither budgets nor caches nor fallbacks of its own",
    "json": "it is no router, and loses nothing", "runbook": "it is no router, but a text for people",
}  # fmt: skip


def simulated_target(name: str) -> Target:
    """The target of that name, if how it behaves is known.

    Raises:
        CostctlError: E476 for a name that no target has, E477 where nothing is known of its behaviour.
    """
    for target in get_args(Target):
        if target != name:
            continue
        if target in NOT_SIMULATED:
            said = f"--as {name}: how {name} behaves is not known well enough: {NOT_SIMULATED[target]}"
            hint = f"known: {_KNOWN}; what it loses: costctl export-config --target {name}"
            raise CostctlError("E477", said, hint)
        found: Target = target
        return found
    said = f"--as {shown(name)}: {unknown(name, get_args(Target), 'target')}"
    raise CostctlError("E476", said, f"targets whose behaviour is known: {_KNOWN}")


def allowed_fails(kill: KillSwitch) -> int:
    """Failures that a deployment may have before it is passed over: one less than the ratio of the least calls."""
    return max(1, ceil(kill.error_ratio * kill.min_requests) - 1)
