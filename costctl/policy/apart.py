"""Policies with one part alone as a router carries it out: what that part changes is what the two replays differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from costctl.policy.as_litellm import Written, as_litellm
from costctl.policy.schema import Budgets, Policy, Tier

Ordered = Mapping[str, tuple[tuple[str, Decimal | None], ...]]
"""The models of each lane in the order in which a router asks them."""


@dataclass(frozen=True)
class Apart:
    """The policy, and the policy as a router carries out this part; `is_timed` where it changes how long calls wait.

    Where other parts could not stand beside the part as the router has it, both are without them.
    """

    written: Policy
    done: Policy
    is_timed: bool = False


def in_order(policy: Policy, models: Ordered, kinds: Sequence[str]) -> dict[str, Apart]:
    """A router that asks the models of a lane in one order for all requests, of these kinds to choose."""
    return {
        f"tiers.select: {how}": Apart(policy, _ordered(policy, models, how))
        for how in kinds
        if any(_is(tier, how) for tier in (*policy.tiers, *policy.specialists))
    }


def of_litellm(policy: Policy, written: Written) -> dict[str, Apart]:
    """The parts that LiteLLM carries out in its own way, one at a time; none where it would answer nothing."""
    if written.fallback is None:
        return {}
    whole, _ = as_litellm(policy, written)
    orders = in_order(policy, written.lanes, ("cheapest", "fastest"))
    return {**orders, **dict(_lanes(policy, whole, written)), **dict(_others(policy, whole))}


def _is(tier: Tier, how: str) -> bool:
    return tier.select == how and len(tier.models) > 1


def _ordered(policy: Policy, models: Ordered, how: str) -> Policy:
    def of(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
        return tuple(_first(one, models.get(one.name, ())) if _is(one, how) else one for one in tiers)

    return policy.model_copy(update={"tiers": of(policy.tiers), "specialists": of(policy.specialists)})


def _first(tier: Tier, models: tuple[tuple[str, Decimal | None], ...]) -> Tier:
    names = [name for name, _ in models]
    names += [name for name in tier.models if name not in names]  # what is not written is another part
    return tier.model_copy(update={"models": tuple(names), "select": "first", "weights": ()})


def _lanes(policy: Policy, whole: Policy, written: Written) -> Iterator[tuple[str, Apart]]:
    """Lanes that are not written have all of the lane of last resort."""
    for part in ("tiers", "specialists"):
        mine, theirs = getattr(policy, part), getattr(whole, part)
        lost = [one.name for one in mine if one.name not in written.lanes]
        if lost:
            lanes = tuple(there if there.name in lost else here for here, there in zip(mine, theirs, strict=True))
            yield part, Apart(policy, policy.model_copy(update={part: lanes}))


def _others(policy: Policy, whole: Policy) -> Iterator[tuple[str, Apart]]:
    caps, kept = policy.budgets.usd_per_day, whole.budgets
    for scope in ("tier", "total"):
        if any(cap.scope == scope for cap in caps) and any(cap.scope == scope for cap in kept.usd_per_day):
            alone = {"usd_per_day": tuple(cap for cap in caps if cap.scope == scope)}
            filtered = {"usd_per_day": tuple(cap for cap in kept.usd_per_day if cap.scope == scope)}
            said = Budgets(over=policy.budgets.over, over_floor=policy.budgets.over_floor)
            there = said.model_copy(update=alone)
            yield f"budgets.usd_per_day: {scope}", Apart(
                policy.model_copy(update={"budgets": there}),
                policy.model_copy(update={"budgets": kept.model_copy(update=filtered)}),
            )  # fmt: skip
    for part in ("retries", "kill_switch"):
        if getattr(policy, part) is not None:
            done = policy.model_copy(update={part: getattr(whole, part)})
            yield part, Apart(policy, done, is_timed=part == "retries")
    for part in ("exact", "semantic"):
        if getattr(policy.cache, part) is not None and getattr(whole.cache, part) is not None:
            cache = policy.cache.model_copy(update={part: getattr(whole.cache, part)})
            yield f"cache.{part}", Apart(policy, policy.model_copy(update={"cache": cache}))
