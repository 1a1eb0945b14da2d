"""The parts of a policy that a router would have to carry out, each under the key that holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from costctl.policy.schema import Policy, Tier, TierSettings

Used = Callable[[Policy], bool]


def _tiers(policy: Policy) -> tuple[Tier, ...]:
    return (*policy.tiers, *policy.specialists)


def _some(name: str) -> Used:
    return lambda policy: any(getattr(tier, name) is not None for tier in _tiers(policy))


def _selects(how: str) -> Used:
    def used(policy: Policy) -> bool:
        several: list[TierSettings] = [tier for tier in _tiers(policy) if len(tier.models) > 1]
        return any(tier.select == how for tier in several)

    return used


PARTS: Mapping[str, Used] = {
    "tiers": lambda policy: bool(policy.tiers),
    "tiers.models.logged": lambda policy: any("logged" in tier.models for tier in _tiers(policy)),
    "tiers.select: first": _selects("first"),
    "tiers.select: cheapest": _selects("cheapest"),
    "tiers.select: fastest": _selects("fastest"),
    "tiers.select: weights": _selects("weights"),
    "tiers.max_output_tokens": _some("max_output_tokens"),
    "tiers.context_tokens": _some("context_tokens"),
    "tiers.temperature": _some("temperature"),
    "tiers.timeout_s": _some("timeout_us"),
    "specialists": lambda policy: bool(policy.specialists),
    "routing.default: logged": lambda policy: policy.routing.default in {None, "logged"},
    "routing.rules": lambda policy: bool(policy.routing.rules),
    "routing.classifier": lambda policy: policy.routing.classifier is not None,
    "routing.matrix": lambda policy: bool(policy.routing.matrix),
    "routing.raise": lambda policy: bool(policy.routing.raises),
    "routing.raise.add_instruction": lambda policy: any(one.add_instruction for one in policy.routing.raises),
    "routing.floors": lambda policy: bool(policy.routing.floors),
    "routing.sticky": lambda policy: policy.routing.sticky is not None,
    "budgets.max_share_per_day": lambda policy: bool(policy.budgets.max_share_per_day),
    "budgets.usd_per_day: total": lambda policy: any(cap.scope == "total" for cap in policy.budgets.usd_per_day),
    "budgets.usd_per_day: tier": lambda policy: any(cap.scope == "tier" for cap in policy.budgets.usd_per_day),
    "budgets.usd_per_day: other": lambda policy: any(
        cap.scope not in {"total", "tier"} for cap in policy.budgets.usd_per_day
    ),
    "budgets.usd_per_request_max": lambda policy: policy.budgets.usd_per_request_max is not None,
    "budgets.tokens_per_day": lambda policy: bool(policy.budgets.tokens_per_day),
    "limits": lambda policy: bool(policy.limits),
    "fallbacks": lambda policy: bool(policy.fallbacks),
    "retries": lambda policy: policy.retries is not None,
    "hedge": lambda policy: policy.hedge is not None,
    "escalate": lambda policy: policy.escalate is not None,
    "kill_switch": lambda policy: policy.kill_switch is not None,
    "cache.exact": lambda policy: policy.cache.exact is not None,
    "cache.semantic": lambda policy: policy.cache.semantic is not None,
    "cache.prompt": lambda policy: policy.cache.prompt is not None,
    "cache.exclude": lambda policy: bool(policy.cache.exclude),
    "context": lambda policy: policy.context is not None,
    "compression": lambda policy: policy.compression is not None,
    "data_sources": lambda policy: bool(policy.data_sources),
    "batch": lambda policy: policy.batch is not None,
    "self_hosted": lambda policy: bool(policy.self_hosted),
    "post_process": lambda policy: policy.post_process is not None,
    "experiments": lambda policy: bool(policy.experiments),
}
"""Every part, in the order of the policy file, with whether a policy has it.

What only the simulation reads (`name`, `assume`, `fixed_costs`, `scenarios`, `gates`, `export`) is none.
"""


def parts_of(policy: Policy) -> tuple[str, ...]:
    """The parts that this policy has."""
    return tuple(part for part, used in PARTS.items() if used(policy))
