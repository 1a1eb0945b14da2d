"""The lanes that a call can take: the policy's tiers, cheapest first, its specialists, and "as logged".

Everything that a lane means for a call (which of its models, tokens, cost with and without the
tier's output cap, whether it can hold the call at all) is computed as columns before the replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from costctl.policy.schema import LOGGED, Tier
from costctl.replay.calls import UNKNOWN, Calls, Code, Flag, Int, constant
from costctl.replay.candidates import Candidate, as_logged
from costctl.replay.capacity import service_us
from costctl.replay.priors import Prior
from costctl.replay.sent import Sent


@dataclass(frozen=True)
class Lane:
    """One lane on all calls; money in picodollars, `model` a code into `Lanes.models`.

    `can_hold` is False where the call is too long for it, or where its cost cannot be known. Tokens and
    `cost_pusd` are those of what is sent, `uncapped_pusd` is that of the input as logged; `steps_pusd` leads from
    there to the cost without the cap, one row for each of `Lanes.stages`.
    """

    name: str
    model: Int
    cost_pusd: Int
    uncapped_pusd: Int
    input_tokens: Int
    output_tokens: Int
    is_changed: Flag  # not what the log did
    is_other_model: Flag
    is_capped: Flag  # the tier's cap cuts the answer
    can_hold: Flag
    is_known: Flag  # the cost of the call on some model of the lane is
    steps_pusd: Int = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    is_batched: Flag = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    is_assumed: Flag = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))  # the price of its batch is
    service_us: Int = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # of an engine of one's own, else -1


@dataclass(frozen=True)
class LaneNames:
    """The names of all lanes in the order of their numbers: tiers, specialists, the logged one."""

    names: tuple[str, ...]
    tier_count: int

    @property
    def is_tier(self) -> list[bool]:
        """Whether lane n is one of the ordered tiers."""
        return [number < self.tier_count for number in range(len(self.names))]

    def number(self, name: str) -> int:
        """The lane of that name."""
        return self.names.index(name)


@dataclass(frozen=True)
class Lanes:
    """All lanes: tiers by rising number, then specialists, then the logged one.

    `stages` names the steps that change what is sent, with their titles.
    """

    lanes: tuple[Lane, ...]
    tier_count: int
    models: tuple[str, ...]
    stages: tuple[tuple[str, str], ...] = ()
    priors: Mapping[str, Prior] = field(default_factory=dict)  # of models that the log does not show, by price key

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the numbers."""
        return tuple(lane.name for lane in self.lanes)

    @property
    def is_tier(self) -> list[bool]:
        """Whether lane n is one of the ordered tiers."""
        return [number < self.tier_count for number in range(len(self.lanes))]

    @property
    def logged(self) -> int:
        """The number of the lane that leaves a call as the log has it."""
        return len(self.lanes) - 1

    def number(self, name: str) -> int:
        """The lane of that name."""
        return self.names.index(name)

    def costs(self, start: int, stop: int) -> list[list[int]]:
        """Per lane, the cost of these calls as plain integers."""
        return [lane.cost_pusd[start:stop].tolist() for lane in self.lanes]

    def holds(self, start: int, stop: int) -> list[list[bool]]:
        """Per lane, which of these calls it can hold."""
        return [lane.can_hold[start:stop].tolist() for lane in self.lanes]

    def take(self, column: str, lane: Code) -> Any:
        """A column of the lane that each call takes."""
        return pick(lane, [getattr(one, column) for one in self.lanes])

    def is_batched(self, lane: Code) -> Flag:
        """Which calls wait for a batch on the lane that each takes."""
        if not any(name == "batch" for name, _ in self.stages):
            return np.zeros(len(lane), dtype=np.bool_)
        found: Flag = self.take("is_batched", lane)
        return found


def pick(choice: Code, columns: Sequence[Any]) -> Any:
    """Per call, the value of the column that `choice` numbers; where all take one, that column itself."""
    if len(columns) == 1:
        return columns[0]
    taken = columns[0].copy()
    for number, column in enumerate(columns[1:], 1):
        np.copyto(taken, column, where=choice == number)
    return taken


def build_lanes(
    calls: Calls,
    tiers: Sequence[Tier],
    specialists: Sequence[Tier],
    candidates: Mapping[str, Candidate],
    windows: Mapping[str, int | None],
    draws: Mapping[str, Int],
    sent: Sent | None = None,
    own: Candidate | None = None,
) -> Lanes:
    """Lanes of a policy. `windows` are the context windows of the models; `draws` chooses by weight.

    `sent` is what the policy sends, if it changes that; `own` is then every call on its own model.
    """
    models = tuple(dict.fromkeys((*calls.models, *(one.price_key for one in candidates.values()))))
    offered = {**candidates, LOGGED: own or as_logged(calls)}
    built = [_lane(calls, spec, offered, windows, draws, models, sent) for spec in (*tiers, *specialists)]
    return Lanes((*built, _logged(calls, sent)), len(tiers), models, sent.stages if sent else ())


def _logged(calls: Calls, sent: Sent | None) -> Lane:
    every = np.ones(calls.count, dtype=np.bool_)
    return Lane(
        LOGGED, calls.model, calls.baseline_pusd, calls.baseline_pusd, calls.input_tokens,
        np.maximum(calls.output_tokens, 0), ~every, ~every, ~every, every, every,
        np.tile(calls.baseline_pusd, (len(sent.stages) if sent else 0, 1)), ~every, ~every,
        _no_service(calls.count),
    )  # fmt: skip


def _lane(
    calls: Calls,
    spec: Tier,
    candidates: Mapping[str, Candidate],
    windows: Mapping[str, int | None],
    draws: Mapping[str, Int],
    models: tuple[str, ...],
    sent: Sent | None,
) -> Lane:
    offered = [candidates[name] for name in spec.models]
    cuts = [_cut(one.output_tokens, spec.max_output_tokens) for one in offered]
    is_uncapped = spec.max_output_tokens is None
    costs = [
        one.sent_pusd if is_uncapped else one.sent_pusd - cut * one.output_price_pusd
        for one, cut in zip(offered, cuts, strict=True)
    ]
    tokens = sent.after.total if sent else calls.input_tokens
    usable = np.stack([_fits(tokens, one, spec, windows) & one.is_known for one in offered])
    choice = _chosen(spec, costs, usable, draws)
    cut = pick(choice, cuts)
    is_logged = pick(choice, [one.is_logged for one in offered])
    codes = [
        calls.model if one.price_key == LOGGED else constant(models.index(one.price_key), calls.count)
        for one in offered
    ]
    output = pick(choice, [one.output_tokens for one in offered])
    built = Lane(
        name=spec.name, model=pick(choice, codes), cost_pusd=pick(choice, costs),
        uncapped_pusd=pick(choice, [one.cost_pusd for one in offered]),
        input_tokens=pick(choice, [one.input_tokens for one in offered]),
        output_tokens=output if is_uncapped else output - cut,
        is_changed=~is_logged | (cut > 0), is_other_model=~is_logged, is_capped=cut > 0,
        can_hold=np.logical_or.reduce(usable),
        is_known=np.logical_or.reduce([one.is_known for one in offered]),
        service_us=pick(choice, [_service(one, cut) for one, cut in zip(offered, cuts, strict=True)])
        if any(one.engine for one in offered) else _no_service(calls.count),
    )  # fmt: skip
    if sent is None:
        nothing, nowhere = np.zeros((0, calls.count), dtype=np.int64), np.zeros(calls.count, dtype=np.bool_)
        return replace(built, steps_pusd=nothing, is_batched=nowhere, is_assumed=nowhere)
    nowhere = np.zeros(calls.count, dtype=np.bool_)
    is_batched = pick(choice, [nowhere if one.is_batched is None else one.is_batched for one in offered])
    return replace(
        built, steps_pusd=pick(choice, [one.steps_pusd for one in offered]), is_batched=is_batched,
        is_assumed=pick(choice, [nowhere if one.is_assumed is None else one.is_assumed for one in offered]),
        is_changed=built.is_changed | sent.is_changed | is_batched,
    )  # fmt: skip


def _service(one: Candidate, cut: Int) -> Int:
    """How long an engine writes the answer; -1 of a model that is bought by tokens."""
    return _no_service(len(cut)) if one.engine is None else service_us(one.engine, one.output_tokens - cut)


def _no_service(count: int) -> Int:
    return constant(UNKNOWN, count)


def _cut(tokens: Int, most: int | None) -> Int:
    """The output tokens that a cap takes away."""
    return constant(0, len(tokens)) if most is None else np.maximum(tokens - most, 0)


def _fits(tokens: Int, one: Candidate, spec: Tier, windows: Mapping[str, int | None]) -> Flag:
    """Whether input and the room for the answer fit into the tier's context and the model's window."""
    answer = one.output_tokens
    if spec.max_output_tokens is not None:
        answer = np.minimum(answer, spec.max_output_tokens)
    needed = tokens + answer
    fits = np.ones(len(tokens), dtype=np.bool_)
    window = windows.get(one.price_key)
    if window is not None:
        fits = (needed <= window) | one.is_logged  # what the logged model has served did fit
    return fits if spec.context_tokens is None else fits & (needed <= spec.context_tokens)


def _chosen(spec: Tier, costs: list[Int], usable: Flag, draws: Mapping[str, Int]) -> Int:
    """Which of the tier's models takes each call: the first that can, the cheapest that can, or by weight."""
    first: Int = np.argmax(usable, axis=0)
    if spec.select == "cheapest":
        cheapest: Int = np.argmin(np.where(usable, np.stack(costs), np.iinfo(np.int64).max), axis=0)
        return cheapest
    if spec.select == "weights":
        drawn = draws[spec.name]
        return np.where(np.take_along_axis(usable, drawn[None, :], axis=0)[0], drawn, first)
    return first
