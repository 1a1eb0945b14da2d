"""Stage 1: which arm of each experiment a call belongs to, and the lanes that follow.

The unit (user or session) draws its arm by its own text, so that it stays in it whatever else is in the
log. An arm changes settings of tiers; everything with state (caches, budgets, limits) is shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.policy.schema import Arm, Experiment, Policy, Tier
from costctl.replay.calls import Flag, Int, fetch
from costctl.replay.draws import uniform
from costctl.replay.lanes import Lane, Lanes, pick
from costctl.store import Store

UNIT_COLUMN = {"user": "user_id", "session": "session_id"}


@dataclass(frozen=True)
class Assigned:
    """The arm of each call in one experiment; `unit` is a name of the user or session, whatever else is in the log."""

    experiment: Experiment
    arm: Int
    unit: NDArray[np.uint64]
    has_unit: Flag


def assigned(store: Store, experiment: Experiment, seed: int) -> Assigned:
    """Divide the calls over the arms; those without a unit go to the first arm."""
    column = UNIT_COLUMN[experiment.unit]
    # Half of the MD5 of the text: the same on every machine and in every version of the engine.
    found = fetch(store, f"coalesce(md5_number_lower({column}), 0::UBIGINT) AS unit, {column} IS NOT NULL AS has_unit")
    unit, has_unit = found["unit"], found["has_unit"]
    edges = np.cumsum([Fraction(one.share) for one in experiment.arms])[:-1].astype(np.float64)
    drawn = np.searchsorted(edges, uniform(seed, unit, experiment.name), side="right")
    return Assigned(experiment, np.where(has_unit, drawn, 0).astype(np.int64), unit, has_unit)


def changed_tiers(policy: Policy, arm: Arm) -> Policy:
    """The policy with the settings of tiers that the arm changes."""

    def of(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
        return tuple(_changed(one, arm) for one in tiers)

    return policy.model_copy(update={"tiers": of(policy.tiers), "specialists": of(policy.specialists)})


def _changed(tier: Tier, arm: Arm) -> Tier:
    change = arm.tiers.get(tier.name)
    if change is None:
        return tier
    said = {name: getattr(change, name) for name in type(change).model_fields}
    return tier.model_copy(update={name: value for name, value in said.items() if value is not None})


def policy_models(policy: Policy) -> tuple[str, ...]:
    """Every model that the policy or an arm of its experiments names, each once."""
    named = [tier.models for tier in (*policy.tiers, *policy.specialists)]
    named += [
        change.models
        for experiment in policy.experiments
        for arm in experiment.arms
        for change in arm.tiers.values()
        if change.models is not None
    ]
    return tuple(dict.fromkeys(model for models in named for model in models))


def arm_policies(policy: Policy, divided: Sequence[Assigned]) -> tuple[list[Policy], Int]:
    """The policies of the combinations of arms that occur, and which of them each call is under.

    Where two experiments change one setting of a tier, the later experiment's holds.
    """
    code = np.zeros(len(divided[0].arm), dtype=np.int64)
    for one in divided:
        code = code * len(one.experiment.arms) + one.arm
    present, choice = np.unique(code, return_inverse=True)
    policies = []
    for combination in present.tolist():
        arms: list[Arm] = []
        left = combination
        for one in reversed(divided):
            left, number = divmod(left, len(one.experiment.arms))
            arms.insert(0, one.experiment.arms[number])
        changed = policy
        for arm in arms:
            changed = changed_tiers(changed, arm)
        policies.append(changed)
    return policies, choice.astype(np.int64)


class Arms(NamedTuple):
    """The policies of the arms, and which of them each call is under; without experiments the policy alone."""

    policies: tuple[Policy, ...]
    of_call: Int


def arms_of(store: Store, policy: Policy, count: int, seed: int) -> Arms:
    """The arms of the policy's experiments for `count` calls."""
    if not policy.experiments:
        return Arms((policy,), np.zeros(count, dtype=np.int64))
    policies, choice = arm_policies(policy, [assigned(store, one, seed) for one in policy.experiments])
    return Arms(tuple(policies), choice)


class ToldArms(NamedTuple):
    """The arms as a decision tells them: names and exact shares of each combination, and that of each call, else -1."""

    names: tuple[str, ...]
    shares: tuple[Decimal, ...]
    of_call: Int


def told_arms(store: Store, policy: Policy, count: int, seed: int) -> ToldArms:
    """The combination of arms of each of `count` calls, with the share of units that it gets.

    A call without a unit is always in the first arm, so that arm counts as the whole for it.
    """
    combined = np.zeros(count, dtype=np.int64)
    if not policy.experiments:
        return ToldArms((), (), combined - 1)
    divided = [assigned(store, one, seed) for one in policy.experiments]
    for one in divided:  # a place more for a call without a unit
        number = np.where(one.has_unit, one.arm, len(one.experiment.arms))
        combined = combined * (len(one.experiment.arms) + 1) + number
    present, of_call = np.unique(combined, return_inverse=True)
    names, shares = [], []
    for combination in present.tolist():
        told: list[str] = []
        share, left = Decimal(1), combination
        for one in reversed(divided):
            arms = one.experiment.arms
            left, number = divmod(left, len(arms) + 1)
            arm = arms[number] if number < len(arms) else arms[0]
            share *= arm.share if number < len(arms) else 1
            told.insert(0, f"{one.experiment.name}: {arm.name}")
        names.append(", ".join(told))
        shares.append(share)
    return ToldArms(tuple(names), tuple(shares), of_call.reshape(-1).astype(np.int64))


def merged_lanes(lanes: Sequence[Lanes], choice: Int) -> Lanes:
    """Per call the lanes of its own policy; all name the same lanes and models."""
    first = lanes[0]
    assert all(one.names == first.names and one.models == first.models for one in lanes)

    def merged(number: int) -> Lane:
        own = [one.lanes[number] for one in lanes]
        columns: Mapping[str, Any] = {
            field.name: pick(choice, [getattr(lane, field.name) for lane in own])
            for field in fields(Lane)
            if isinstance(getattr(own[0], field.name), np.ndarray)
        }
        return replace(own[0], **columns)

    return replace(first, lanes=tuple(merged(number) for number in range(len(first.lanes))))
