"""The decisions of the vLLM semantic router in the order in which they are tried.

It takes the first decision that holds and raises nothing afterwards. So what a policy raises stands before the decision
that it would raise: the same condition together with that of the raise, once for each height.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from costctl.export.resolved import Lane, Resolved
from costctl.export.vllm_signals import METADATA, TIER_KEY, NotCarriedError, Signals, Tree, both
from costctl.policy.schema import LOGGED
from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When

ALWAYS: Tree = {"operator": "AND", "conditions": []}


class Step(NamedTuple):
    """Requests for which the tree holds go to the lane; an instruction is added to their prompt."""

    name: str
    tree: Tree
    lane: Lane
    instruction: str | None = None


class Lift(NamedTuple):
    """A raise or a floor: at least this tier where the tree holds."""

    name: str
    tree: Tree
    tier: int
    instruction: str | None


class Plan(NamedTuple):
    """All steps, their signals, and the rules, intents, raises and floors that no signals tell, with the field."""

    steps: tuple[Step, ...]
    signals: Signals
    left_out: tuple[tuple[str, str, str], ...]  # part, name, field
    metadata: tuple[str, ...]


def planned(given: Resolved) -> Plan:
    """What of the routing can be carried."""
    signals = Signals(given.content)
    left_out: list[tuple[str, str, str]] = []
    told = [
        Step(f"tier {lane.name}", signals.metadata(TIER_KEY, [lane.name]), lane) for lane in given.lanes if lane.models
    ]
    lifts = list(_lifts(given, signals, left_out))
    steps = list(told)
    for step in _first(given, signals, left_out):
        steps += _lifted(given, signals, step, lifts)
    routing = given.policy.routing
    whens = [one.when for one in routing.rules]
    whens += [one.when for one in routing.raises]
    whens += [one.when for one in routing.floors]
    asked = {field for when in whens for field in fields_of(when)} & set(METADATA)
    return Plan(tuple(steps), signals, tuple(left_out), tuple(sorted(asked)))


def _first(given: Resolved, signals: Signals, left_out: list[tuple[str, str, str]]) -> Iterator[Step]:
    """Rules, intents, default; nothing follows a default."""
    routing = given.policy.routing
    for rule in routing.rules:
        if rule.to == LOGGED or not given.lane(rule.to).models:
            left_out.append(("routing.rules", rule.name, "a lane that keeps the logged model"))
            continue
        try:
            yield Step(rule.name, signals.tree(rule.when), given.lane(rule.to))
        except NotCarriedError as error:
            left_out.append(("routing.rules", rule.name, str(error)))
    seen: set[str] = set()
    for intent in given.content.intents:
        tier = routing.matrix.get(intent.name)
        if tier is not None and intent.name not in seen and tier != LOGGED and given.lane(tier).models:
            seen.add(intent.name)
            yield Step(f"intent {intent.name}", signals.intent(intent.name), given.lane(tier))
    left_out += [("routing.matrix", one, "no cue of its own") for one in routing.matrix if one not in seen]
    if routing.default not in {None, LOGGED} and given.lane(str(routing.default)).models:
        yield Step("default", ALWAYS, given.lane(str(routing.default)))


def _lifts(given: Resolved, signals: Signals, left_out: list[tuple[str, str, str]]) -> Iterator[Lift]:
    """Raises and floors whose condition signals tell."""
    names = [lane.name for lane in given.tiers]
    routing = given.policy.routing
    wanted = [("routing.raise", one.name, one.when, one.to, one.add_instruction) for one in routing.raises]
    wanted += [("routing.floors", one.name, one.when, one.at_least, None) for one in routing.floors]
    for part, name, when, to, instruction in wanted:
        try:
            yield Lift(name, signals.tree(when), names.index(to), instruction)
        except NotCarriedError as error:
            left_out.append((part, name, str(error)))


def _lifted(given: Resolved, signals: Signals, step: Step, lifts: list[Lift]) -> Iterator[Step]:
    """The step, after those that go higher: the highest first."""
    at = next((number for number, lane in enumerate(given.tiers) if lane.name == step.lane.name), None)
    if at is None:
        yield step
        return
    higher = sorted(
        (one for one in lifts if one.tier > at and given.tiers[one.tier].models), key=lambda lift: -lift.tier
    )
    for lift in higher:
        tree = both(step.tree, lift.tree)
        raised = Step(f"{step.name} - {lift.name}", tree, given.tiers[lift.tier], lift.instruction)
        yield from _fitting(given, signals, raised, lift.tier)
    yield from _fitting(given, signals, step, at)


def _fitting(given: Resolved, signals: Signals, step: Step, at: int) -> Iterator[Step]:
    """The step, after those for requests that its tier cannot hold; an answer is taken as long as the tier allows."""
    held: list[int] = []
    higher: list[Step] = []
    for number in range(at, len(given.tiers) - 1):
        settings = given.tiers[number].settings
        if settings.context_tokens is None:
            break
        held.append(max(settings.context_tokens - (settings.max_output_tokens or 0), 0))
        tree = both(step.tree, signals.more_tokens(max(held)))
        higher.append(step._replace(name=f"{step.name} - too long", tree=tree, lane=given.tiers[number + 1]))
    yield from (one for one in reversed(higher) if one.lane.models)
    yield step


def fields_of(when: When) -> Iterator[str]:
    """The fields that a condition asks for."""
    match when:
        case All(parts) | Any_(parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part):
            yield from fields_of(part)
        case Is(field) | Compare(field) | OneOf(field):
            yield field
