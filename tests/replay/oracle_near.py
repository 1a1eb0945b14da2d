"""The semantic cache of the oracle: every live entry is compared with every prompt, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from math import isqrt
from random import Random
from typing import Any, NamedTuple

from costctl.policy.schema import Policy
from tests.replay.oracle_terms import Call, cacheable, reads

ONE = 10**9
SLOTS = ("origin", "destination", "interests", "duration_days", "budget")


class Prompt(NamedTuple):
    """What is known of the text of a prompt: whole numbers, a guard, and slots, None where open."""

    vector: tuple[int, ...]
    guard: int
    slots: tuple[int | None, ...]


def make_prompts(seed: int | str, keys: Sequence[int]) -> dict[int, Prompt]:
    """Prompts in some groups of near ones; by the key of the prompt."""
    rng = Random(f"near {seed}")
    middles = [[rng.choice((-100, -40, 40, 100)) for _ in range(6)] for _ in range(rng.randint(1, 3))]
    found = {}
    for key in keys:
        middle, spread = rng.choice(middles), rng.choice((0, 8, 25))
        vector = tuple(max(-127, min(127, one + rng.randint(-spread, spread))) for one in middle)
        slots = tuple(rng.choice((None, None, None, 0, 1)) for _ in SLOTS)
        found[key] = Prompt(vector, rng.choice((0, 0, 0, 0, 0, 0, 1)), slots)
    return found


def cosine_ppb(one: Sequence[int], other: Sequence[int]) -> int:
    """The cosine of two vectors, rounded to the nearest part per billion."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = sum(a * a for a in one) * sum(b * b for b in other)
    scale = 10**12
    root = isqrt(lengths * scale * scale)  # far more digits than the result keeps
    return round(Fraction(dot * ONE * scale, root))


class Found(NamedTuple):
    """The entry that answers, and how like its prompt is."""

    identity: tuple[int, int]
    similarity_ppb: int
    is_served: bool


class Near:
    """The semantic cache of one policy."""

    def __init__(self, policy: Policy, prompts: dict[int, Prompt]) -> None:
        self.spec, self.cache, self.prompts = policy.cache.semantic, policy.cache, prompts
        self.first: dict[Any, int] = {}  # node -> when it first appeared
        self._nodes: dict[Any, Any] = {}

    def node(self, call: Call, *, is_opening: bool) -> Any:
        """The prompt within its scope; None where the call takes no part. To be asked in order."""
        if call.identity not in self._nodes:
            self._nodes[call.identity] = found = self._node(call, is_opening)
            if found is not None:
                self.first.setdefault(found, len(self.first))
        return self._nodes[call.identity]

    def _node(self, call: Call, is_opening: bool) -> Any:
        row = call.row
        if self.spec is None or not call.is_dated or row["turn_count"] != 1 or row["has_image"]:
            return None
        if not cacheable(call, self.cache, is_opening=is_opening) or row["prompt_key"] not in self.prompts:
            return None
        prompt = self.prompts[row["prompt_key"]]
        parts = [prompt.slots[SLOTS.index(name)] if name in SLOTS else reads(call, name) for name in self.spec.key]
        return row["prompt_key"], row["app"], row["system_key"], *parts

    def find(self, call: Call, told: Sequence[Any]) -> Found | None:
        """The live entry that serves or is refreshed, of all that were ever kept."""
        node = self._nodes[call.identity]
        if node is None or self.spec is None:
            return None
        entries: dict[Any, Call] = {}
        for one in told:
            its = self._nodes.get(one.call.identity)
            if (
                its is not None
                and one.served_by == "provider"
                and one.call.is_ok
                and not one.is_refreshed
                and one.reason != "meets no stage"
            ):
                entries[its] = one.call
        serve = round(self.spec.serve_min * ONE)
        lowest = serve if self.spec.refresh_min is None else round(self.spec.refresh_min * ONE)
        best: tuple[int, int, Any] | None = None
        for its, kept in entries.items():
            if call.time_us - kept.time_us >= self._ttl_us(kept):
                continue
            if its == node:
                return Found(kept.identity, ONE, is_served=True)
            if its[1:] != node[1:]:
                continue
            mine, other = self.prompts[node[0]], self.prompts[its[0]]
            similarity = cosine_ppb(mine.vector, other.vector)
            if mine.guard == other.guard and similarity >= lowest:
                rank = (-similarity, self.first[its], kept.identity)
                best = rank if best is None else min(best, rank)
        if best is None:
            return None
        return Found(best[2], -best[0], is_served=-best[0] >= serve)

    def _ttl_us(self, call: Call) -> int:
        assert self.spec is not None
        month = datetime.fromtimestamp(call.time_us // 10**6, UTC).month
        for season in self.spec.ttls:
            if season.months is None or month in season.months:
                return season.ttl_us
        return 0
