"""Stage 4, its part without state: which lane the rules give each call, and why.

The first matching rule, else a learned router, else the matrix by intent, else the default; then raises and
floors. A tier that cannot hold the call gives way to the next higher one that can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costctl.policy.schema import LOGGED, Routing
from costctl.policy.when import When
from costctl.replay.calls import Calls, Code, Flag, Int, fetch, numbers
from costctl.replay.classifier import gain_where_asked, used_classifier, with_router
from costctl.replay.conditions import Conditions
from costctl.replay.lanes import LaneNames, Lanes
from costctl.store import Store


@dataclass(frozen=True)
class Route:
    """Lane and reason of each call by the rules alone; codes into `reasons`, `raises` and `floors`, -1 none."""

    lane: Code
    asked: Code  # the lane that the rules give, whether it can hold the call or not
    floor: Code  # the lowest tier that the floors allow, -1 where none speaks
    reason: NDArray[np.int16]
    raised_by: NDArray[np.int16]
    floored_by: NDArray[np.int16]
    held_by: NDArray[np.int16]  # the floor that `floor` is of
    does_not_fit: Flag  # the lane that the rules gave cannot hold the call
    is_unknown: Flag  # what the call would cost on that lane is not identifiable
    reasons: tuple[str, ...]
    raises: tuple[str, ...]
    floors: tuple[str, ...]
    tiers_of: Mapping[str, tuple[str, ...]]  # the lane that each reason, raise and floor names
    gain_ppb: Int | None = None  # of the calls that a learned router decided, else -1; None without one


def route(store: Store, routing: Routing, calls: Calls, lanes: Lanes) -> Route:
    """Route every call; calls that no other model could have answered stay on the logged lane."""
    code, targets, reasons = _first_matching(store, routing, lanes)
    lane, raised_by = _raised(store, routing, lanes, np.array(targets, dtype=np.int64)[code])
    gain_ppb = None if routing.classifier is None else gain_where_asked(store, len(routing.rules), code)
    is_tier = np.array(lanes.is_tier)
    floor, floored_by, held_by = (np.full(calls.count, -1, dtype=np.int16) for _ in range(3))
    for number, rule in enumerate(routing.floors):
        least = lanes.number(rule.at_least)
        holds = _holding(store, rule.when)
        higher = holds & (floor < least)
        floor[higher], held_by[higher] = least, number
        low = holds & is_tier[lane] & (lane < least)
        lane[low], floored_by[low] = least, number
    is_unknown = ~np.asarray(lanes.take("is_known", lane)) & calls.is_movable
    asked = lane.astype(np.int16)
    lane, does_not_fit = _fitted(lanes, lane, is_tier)
    lane = np.where(calls.is_movable, lane, lanes.logged).astype(np.int16)
    return Route(
        lane, asked, floor, code.astype(np.int16), raised_by, floored_by, held_by,
        does_not_fit & ~is_unknown & calls.is_movable, is_unknown, reasons,
        tuple(item.name for item in routing.raises), tuple(item.name for item in routing.floors),
        {
            "reason": tuple(lanes.names[target] for target in targets),
            "raise": tuple(item.to for item in routing.raises),
            "floor": tuple(item.at_least for item in routing.floors),
        },
        gain_ppb,
    )  # fmt: skip


def raised(
    store: Store, routing: Routing, lanes: Lanes | LaneNames
) -> tuple[Int, tuple[str, ...], Int, NDArray[np.int16]]:
    """By rules and raises alone: the code of the reason of each call, all reasons, its lane, and the raise to it."""
    code, targets, reasons = _first_matching(store, routing, lanes)
    lane, raised_by = _raised(store, routing, lanes, np.array(targets, dtype=np.int64)[code])
    return code, reasons, lane, raised_by


def _raised(store: Store, routing: Routing, lanes: Lanes | LaneNames, lane: Int) -> tuple[Int, NDArray[np.int16]]:
    """The lanes after the raises, and the raise that gave each; `lane` is changed in place."""
    is_tier = np.array(lanes.is_tier)
    raised_by = np.full(len(lane), -1, dtype=np.int16)
    for number, item in enumerate(routing.raises):
        target = lanes.number(item.to)
        holds = _holding(store, item.when) & is_tier[lane] & (lane < target)
        lane[holds], raised_by[holds] = target, number
    return lane, raised_by


def _first_matching(store: Store, routing: Routing, lanes: Lanes | LaneNames) -> tuple[Int, list[int], tuple[str, ...]]:
    """Per call the number of what decided; the lane and the reason of each such number.

    Rules come first, then the two ways of a learned router, then the intents, then the default.
    """
    conditions = Conditions()
    decided = [(rule.to, rule.name) for rule in routing.rules]
    tests = [f"WHEN {conditions.sql(rule.when)} THEN {number}" for number, rule in enumerate(routing.rules)]
    if routing.classifier is not None:
        used = used_classifier(store)
        decided += zip(used.sides, used.reasons, strict=True)
    for intent, tier in sorted(routing.matrix.items()):
        tests.append(f"WHEN intent = {conditions.value(intent)} THEN {len(decided)}")
        decided.append((tier, f"intent {intent}"))
    default = routing.default or LOGGED
    decided.append((default, "default" if routing.default else "no rule: as logged"))
    choice = f"CASE {' '.join(tests)} ELSE {len(decided) - 1} END" if tests else str(len(decided) - 1)
    code = fetch(store, f"CAST({choice} AS BIGINT) AS code", conditions.params)["code"]
    if routing.classifier is not None:
        code = with_router(store, len(routing.rules), code)
    targets = [lanes.number(name) for name, _ in decided]
    return code, targets, tuple(reason for _, reason in decided)


def _holding(store: Store, when: When) -> Flag:
    conditions = Conditions()
    holds: Flag = fetch(store, f"{conditions.sql(when)} AS holds", conditions.params)["holds"]
    return holds


def _fitted(lanes: Lanes, lane: Int, is_tier: Flag) -> tuple[Int, Flag]:
    """The lane, or the next higher tier that can hold the call; as logged where none can."""
    can_hold = np.stack([one.can_hold for one in lanes.lanes])
    at = np.arange(lane.shape[0])
    does_not_fit = ~can_hold[lane, at]
    moved = lane.copy()
    for higher in range(lanes.tier_count):
        still = ~can_hold[moved, at] & is_tier[moved] & (moved < higher)
        moved[still] = higher
    moved[~can_hold[moved, at]] = lanes.logged
    return moved, does_not_fit


def session_codes(store: Store, sticky: str) -> Code:
    """Whose tier may not fall: sessions or users as numbers, -1 where the log names none."""
    column = {"session": "session_id", "user": "user_id"}[sticky]
    return numbers(store, column)
