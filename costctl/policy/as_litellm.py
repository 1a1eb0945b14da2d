"""What LiteLLM leaves of a policy that was exported for it: a policy again, and each change in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costctl.errors import CostctlError
from costctl.policy.behaviour import CountedFailures, RequestCache, SpendFilter, SteppedRetries, changed
from costctl.policy.keys import Table
from costctl.policy.parts import parts_of
from costctl.policy.schema import LOGGED, Budgets, Policy, Routing, Tier
from costctl.policy.stages import Cache, SeasonTtl
from costctl.policy.targets import (
    LITELLM,
    NATIVE_BEYOND,
    NATIVE_DROPPED,
    NATIVE_PARTS,
    ONE_CACHE,
    SEVERAL_PROVIDERS,
    Change,
    allowed_fails,
)

SECOND_US = 1_000_000
_NOTHING: Mapping[str, Any] = {
    "limits": Table({}), "hedge": None, "escalate": None, "context": None, "compression": None, "data_sources": (),
    "batch": None, "post_process": None, "experiments": (),
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What an export writes of a policy.

    `lanes` are the models of each lane in the order in which they are asked, with weights where these decide;
    `fallback` is the lane of what nothing else decides, None where no tier has a model of its own.
    """

    lanes: Mapping[str, tuple[tuple[str, Decimal | None], ...]]
    fallback: str | None
    has_one_provider: bool
    is_plugin: bool


def as_litellm(policy: Policy, written: Written) -> tuple[Policy, tuple[Change, ...]]:
    """The policy as LiteLLM carries it out, and what is different of the parts that the policy has, in their order.

    Raises:
        CostctlError: E478 where no tier has a model of its own, so that LiteLLM would answer nothing.
    """
    if written.fallback is None:
        said = "--as litellm: no tier has a model of its own, so there is nothing for LiteLLM to send to"
        raise CostctlError("E478", said, "name models in the tiers, such as {A: {models: [openai/gpt-4o-mini]}}")
    update: dict[str, Any] = {name: value for name, value in _NOTHING.items() if getattr(policy, name) != value}
    update["tiers"] = tuple(_lane(policy, tier, written) for tier in policy.tiers)
    update["specialists"] = tuple(_lane(policy, one, written) for one in policy.specialists)
    update["fallbacks"] = Table(dict(_chains(policy, written)))
    update["routing"] = _routing(policy, written)
    update["budgets"] = _budgets(policy, written)
    update["cache"] = _cache(policy.cache)
    if policy.retries is not None:
        whole_us = -(-policy.retries.backoff_us // SECOND_US) * SECOND_US
        update["retries"] = changed(SteppedRetries, policy.retries.model_copy(update={"backoff_us": whole_us}))
    if policy.kill_switch is not None:
        kill = policy.kill_switch
        update["kill_switch"] = changed(CountedFailures, kill, failures_max=allowed_fails(kill))
    return policy.model_copy(update=update), tuple(_changes(policy, written))


def _changes(policy: Policy, written: Written) -> Iterator[Change]:
    fails = "" if policy.kill_switch is None else str(allowed_fails(policy.kill_switch))
    filled = {"where": f"tier {written.fallback}", "fails": fails}
    dropped = {**LITELLM.dropped, **({} if written.is_plugin else NATIVE_DROPPED)}
    if not written.has_one_provider:
        dropped["budgets.usd_per_day: total"] = SEVERAL_PROVIDERS
    if policy.cache.exact is not None:
        dropped["cache.semantic"] = ONE_CACHE
    beyond = {**LITELLM.beyond, **({} if written.is_plugin else dict.fromkeys(NATIVE_PARTS, NATIVE_BEYOND))}
    lost = [one.name for one in (*policy.tiers, *policy.specialists) if one.name not in written.lanes]
    for part in parts_of(policy):
        if part in {"tiers", "specialists"} and part not in dropped:
            here = [one.name for one in getattr(policy, part) if one.name in lost and LOGGED not in one.models]
            if here:
                yield Change(part, f"not written: {', '.join(here)}; {filled['where']} answers for them", "as it does")
        if part in dropped:
            yield Change(part, dropped[part], "dropped")
            continue
        if part in LITELLM.does:
            yield Change(part, LITELLM.does[part].format(**filled), "as it does")
        if part in beyond:
            yield Change(part, beyond[part], "not simulated")


def _lane(policy: Policy, tier: Tier, written: Written) -> Tier:
    """The lane with its models as they are asked; one that is not written has all of the lane of last resort."""
    name = tier.name if tier.name in written.lanes else str(written.fallback)
    source = next(one for one in (*policy.tiers, *policy.specialists) if one.name == name)
    models = written.lanes[name]
    weights = tuple(weight for _, weight in models if weight is not None)
    return source.model_copy(
        update={
            "name": tier.name, "models": tuple(model for model, _ in models), "weights": weights,
            "select": "weights" if weights else "first",
        }
    )  # fmt: skip


def _chains(policy: Policy, written: Written) -> Iterator[tuple[str, tuple[str, ...]]]:
    for tier in (*policy.tiers, *policy.specialists):
        source = tier.name if tier.name in written.lanes else str(written.fallback)
        chain = tuple(one for one in policy.fallbacks.get(source, ()) if one in written.lanes and one != tier.name)
        if chain:
            yield tier.name, chain


def _routing(policy: Policy, written: Written) -> Routing:
    said = policy.routing
    update: dict[str, Any] = {
        "default": written.fallback if said.default in {None, LOGGED} else said.default,
        "raises": tuple(one.model_copy(update={"add_instruction": None}) for one in said.raises),
    }
    if not written.is_plugin:
        tiers = {tier.name for tier in policy.tiers}
        update |= {
            "classifier": None, "raises": (), "floors": (), "sticky": None,
            "rules": tuple(rule for rule in said.rules if rule.to in tiers),
            "matrix": Table({intent: lane for intent, lane in said.matrix.items() if lane in tiers}),
        }  # fmt: skip
        update["default"] = update["default"] if update["default"] in tiers else written.fallback
    return said.model_copy(update=update)


def _budgets(policy: Policy, written: Written) -> Budgets:
    """Caps of tiers, and that of all spend where one provider has it all. A budget of nothing is none to LiteLLM."""
    scopes = {"tier", "total"} if written.has_one_provider else {"tier"}
    engines = {one.name for one in policy.self_hosted}  # it counts no cost of them

    def is_kept(scope: str, name: str | None) -> bool:
        if scope not in scopes or (scope == "tier" and name not in written.lanes):
            return False
        return scope == "total" or any(model not in engines for model, _ in written.lanes[str(name)])

    caps = tuple(cap for cap in policy.budgets.usd_per_day if cap.max_usd > 0 and is_kept(cap.scope, cap.name))
    return changed(SpendFilter, Budgets(), usd_per_day=caps) if caps else Budgets()


def _cache(said: Cache) -> Cache:
    """One cache, looked up before a tier is decided."""
    update: dict[str, Any] = {"exclude": ()}
    if said.exact is not None:
        plain = {"scope": (), "ttl_from": "insert", "capacity": None, "max_temperature": None}
        update |= {"exact": changed(RequestCache, said.exact.model_copy(update=plain)), "semantic": None}
    elif said.semantic is not None:
        shortest = SeasonTtl.model_construct(months=None, ttl_us=min(one.ttl_us for one in said.semantic.ttls))
        alone = {"refresh_min": None, "refresh_tier": None, "key": (), "ttls": (shortest,)}
        update["semantic"] = said.semantic.model_copy(update=alone)
    return said.model_copy(update=update)
