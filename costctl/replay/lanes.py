"""The lanes that a call can take: the policy's tiers, cheapest first, its specialists, and "as logged".

Everything that a lane means for a call (which of its models, tokens, cost with and without the
tier's output cap, whether it can hold the call at all) is computed as columns before the replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from costctl.policy.schema import LOGGED, Tier
from costctl.replay.calls import Calls, Code, Flag, Int
from costctl.replay.candidates import Candidate


@dataclass(frozen=True)
class Lane:
    """One lane on all calls; money in picodollars, `model` a code into `Lanes.models`.

    `can_hold` is False where the call is too long for it, or where its cost cannot be known.
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


@dataclass(frozen=True)
class Lanes:
    """All lanes: tiers by rising number, then specialists, then the logged one."""

    lanes: tuple[Lane, ...]
    tier_count: int
    models: tuple[str, ...]

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


def pick(choice: Code, columns: Sequence[Any]) -> Any:
    """Per call, the value of the column that `choice` numbers."""
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
) -> Lanes:
    """Lanes of a policy. `windows` are the context windows of the models; `draws` chooses by weight."""
    models = tuple(dict.fromkeys((*calls.models, *(one.price_key for one in candidates.values()))))
    built = [_lane(calls, spec, candidates, windows, draws, models) for spec in (*tiers, *specialists)]
    return Lanes((*built, _logged(calls)), len(tiers), models)


def _logged(calls: Calls) -> Lane:
    every = np.ones(calls.count, dtype=np.bool_)
    return Lane(
        LOGGED, calls.model, calls.baseline_pusd, calls.baseline_pusd, calls.input_tokens,
        np.maximum(calls.output_tokens, 0), ~every, ~every, ~every, every, every,
    )  # fmt: skip


def _lane(
    calls: Calls,
    spec: Tier,
    candidates: Mapping[str, Candidate],
    windows: Mapping[str, int | None],
    draws: Mapping[str, Int],
    models: tuple[str, ...],
) -> Lane:
    offered = [_as_logged(calls) if name == LOGGED else candidates[name] for name in spec.models]
    cuts = [_cut(one.output_tokens, spec.max_output_tokens) for one in offered]
    costs = [one.cost_pusd - cut * one.output_price_pusd for one, cut in zip(offered, cuts, strict=True)]
    usable = np.stack([_fits(calls, one, spec, windows) & one.is_known for one in offered])
    choice = _chosen(spec, costs, usable, draws)
    cut = pick(choice, cuts)
    is_logged = pick(choice, [one.is_logged for one in offered])
    codes = [
        calls.model if one.price_key == LOGGED else np.full(calls.count, models.index(one.price_key)) for one in offered
    ]
    return Lane(
        name=spec.name, model=pick(choice, codes), cost_pusd=pick(choice, costs),
        uncapped_pusd=pick(choice, [one.cost_pusd for one in offered]),
        input_tokens=pick(choice, [one.input_tokens for one in offered]),
        output_tokens=pick(choice, [one.output_tokens for one in offered]) - cut,
        is_changed=~is_logged | (cut > 0), is_other_model=~is_logged, is_capped=cut > 0,
        can_hold=np.logical_or.reduce(usable),
        is_known=np.logical_or.reduce([one.is_known for one in offered]),
    )  # fmt: skip


def _cut(tokens: Int, most: int | None) -> Int:
    """The output tokens that a cap takes away."""
    return np.zeros_like(tokens) if most is None else np.maximum(tokens - most, 0)


def _as_logged(calls: Calls) -> Candidate:
    every = np.ones(calls.count, dtype=np.bool_)
    each = calls.output_pusd // np.maximum(calls.output_tokens, 1)
    return Candidate(
        LOGGED, LOGGED, calls.baseline_pusd, calls.input_tokens, calls.output_tokens, each, every, every, {}, {}
    )


def _fits(calls: Calls, one: Candidate, spec: Tier, windows: Mapping[str, int | None]) -> Flag:
    """Whether input and the room for the answer fit into the tier's context and the model's window."""
    answer = one.output_tokens
    if spec.max_output_tokens is not None:
        answer = np.minimum(answer, spec.max_output_tokens)
    needed = calls.input_tokens + answer
    fits = np.ones(calls.count, dtype=np.bool_)
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
