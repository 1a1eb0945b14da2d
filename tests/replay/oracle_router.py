"""The learned router of the oracle: one call after the other, each number by the formula, without arrays.

A router is made from the name of its file, so that a policy tells everything. The numbers of a text and the buckets
of its shapes come from `tiers/form`; what is made of them is worked out here once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import exp, log, sqrt
from random import Random
from typing import Any, NamedTuple

from costctl.policy.schema import Policy
from costctl.tiers.fields import PACKED
from costctl.tiers.form import FORM, TextReader
from costctl.tiers.learned import Category, Linear, Router, Shapes, Threshold
from tests.replay.oracle_lanes import Prices
from tests.replay.oracle_terms import Call, reads

PPB = 10**9
BUCKETS = 64
READ = ("word_count", "table_rows", "turn_count", "tool_count", "input_tokens", "system_chars", "has_image", "has_code")
VALUES = {
    "endpoint": ("/chat", "/simple", "/lead"), "app": ("web", "bot"), "intent": ("faq", "lead"), "language": ("es",)
}  # fmt: skip
WORDS = (
    "please explain why the total of 12 cars is not 7 when he said so ? which how many * = ( ) Paris Monday . , and for"
).split()


def file_of(rng: Random, kind: str, pair: tuple[str, str] | None) -> str:
    """The name of a file: what the router reads, a number, and its two models, or none."""
    return " ".join((kind, str(rng.randrange(10**6)), *(pair or ("-", "-")), "router.json"))


@cache
def router_named(name: str) -> Router:
    """The router of a file of this name."""
    rng = Random(name)
    kind, _, cheap, dear, _ = name.split(" ")
    features = FORM if kind == "text" else READ
    is_even = rng.random() < 0.3  # nothing but categories: a call without a learned value has a gain of exactly 1/2
    linear = () if is_even and kind == "columns" else (_linear(rng, features),)
    shapes = _shapes(rng) if kind == "text" and rng.random() < 0.7 else None
    columns = rng.sample(list(VALUES), rng.choice((1, 2)) if is_even else rng.choice((0, 0, 1, 2)))
    below = rng.choice((0.5, 0.5, rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), 0.0))
    threshold = Threshold(below, 0.02 if below else None, 0.9, 0.01, 0.4)
    models = (None, None) if cheap == "-" else (cheap, dear)
    return Router(
        kind, linear, shapes, tuple(_category(rng, column) for column in columns),
        rng.uniform(0.5, 2.0), 0.0 if is_even else rng.uniform(-0.5, 0.5), threshold, *models, 1500, is_forced=False,
    )  # fmt: skip


def _linear(rng: Random, features: Sequence[str]) -> Linear:
    names = tuple(rng.sample(features, rng.randint(1, 3)))
    mean, sd = (tuple(rng.uniform(low, high) for _ in names) for low, high in ((0.0, 4.0), (0.3, 2.0)))
    straight, bent = (tuple(rng.uniform(-most, most) for _ in names) for most in (1.5, 0.7))
    return Linear(
        names, mean, sd, straight, bent, rng.uniform(-0.5, 0.5), rng.uniform(-0.3, 0.3), rng.uniform(0.5, 1.5)
    )


def _shapes(rng: Random) -> Shapes:
    idf, weights = (tuple(rng.uniform(low, 2.0) for _ in range(BUCKETS)) for low in (0.2, -2.0))
    return Shapes(idf, weights, rng.uniform(-0.5, 0.5), rng.uniform(-0.3, 0.3), rng.uniform(0.5, 1.5))


def _category(rng: Random, column: str) -> Category:
    learned = rng.sample(VALUES[column], rng.randint(1, len(VALUES[column])))
    return Category(column, rng.uniform(0.5, 1.5), {value: rng.uniform(-2, 2) for value in learned})


@cache
def text_of_prompt(key: int | None) -> str | None:
    """The last message of the user of a prompt, by its key; of some the log has none."""
    if key is None or key % 8 == 0:
        return None
    rng = Random(f"text {key}")
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 30)))


class Choice(NamedTuple):
    """Where the router sends a call, and why."""

    lane: str
    reason: str
    gain_ppb: int


class Chooser:
    """The learned router of one policy."""

    def __init__(self, policy: Policy, prices: Prices) -> None:
        self.spec = policy.routing.classifier
        if self.spec is None:
            return
        self.router = router_named(self.spec.file)
        self.cheap, self.dear = self._sides(policy, prices)
        self.confidence = None if self.spec.min_confidence is None else float(self.spec.min_confidence)

    def choose(self, call: Call) -> Choice | None:
        """The choice for a call of which no rule speaks; None without a router, or where it is silent."""
        if self.spec is None:
            return None
        said = self._text_score(call) if self.router.needs_text else self._column_score(call)
        if said is None:
            return None
        logit = self.router.intercept + self.router.slope * said
        for one in self.router.categories:
            logit += one.slope * one.effects.get(call.row[one.column], 0.0)
        gain = 1 / (1 + exp(-min(max(logit, -50.0), 50.0)))
        if self.confidence is None:
            limit = self.router.threshold.gain_below
            is_dear = gain >= limit
            why = f"gain {'>=' if is_dear else '<'} {limit:.6g}"
        else:
            is_dear = 1 - gain < self.confidence
            why = f"confidence {'<' if is_dear else '>='} {self.confidence:.6g}"
        return Choice(self.dear if is_dear else self.cheap, f"learned router: {why}", round(gain * PPB))

    def _sides(self, policy: Policy, prices: Prices) -> tuple[str, str]:
        pair = (self.router.cheap_model, self.router.dear_model)
        if pair == (None, None):
            first, second = policy.tiers
            return first.name, second.name
        names = []
        for model in pair:
            assert model is not None
            key = prices.key(model)
            names.append(next(tier.name for tier in policy.tiers if key in map(prices.key, tier.models)))
        return names[0], names[1]

    def _column_score(self, call: Call) -> float | None:
        known = [call.row[one.column] for one in self.router.categories]
        numbers = {name: _number(call, name) for one in self.router.linear for name in one.features}
        if all(value is None for value in (*known, *numbers.values())):
            return None
        members = [_weighed(one, numbers) for one in self.router.linear]
        return sum(members) / len(members) if members else 0.0

    def _text_score(self, call: Call) -> float | None:
        text = text_of_prompt(call.row["prompt_key"])
        if text is None:
            return None
        numbers, hits = TextReader(0 if self.router.shapes is None else BUCKETS).read(text)
        members = [_weighed(one, dict(zip(FORM, numbers, strict=True))) for one in self.router.linear]
        shapes = self.router.shapes
        if shapes is not None:
            values = {bucket: (1 + log(count)) * shapes.idf[bucket] for bucket, count in hits.items()}
            length = sqrt(sum(value * value for value in values.values()))
            turned = sum(value * shapes.weights[bucket] for bucket, value in values.items())
            members.append((shapes.intercept + (turned / length if length else 0.0) - shapes.shift) / shapes.scale)
        return sum(members) / len(members)


def _number(call: Call, name: str) -> float | None:
    """ln(1 + n) of a column, None where it is unknown."""
    value: Any = reads(call, name) if name in PACKED else call.row[name]
    return None if value is None else log(1 + value)


def _weighed(member: Linear, numbers: dict[str, Any]) -> float:
    total = member.intercept
    for at, name in enumerate(member.features):
        if numbers[name] is None:
            continue
        u = (numbers[name] - member.mean[at]) / member.sd[at]
        total += member.straight[at] * max(-2.5, min(2.5, u)) + member.bent[at] * (min(abs(u), 2.5) - 0.8)
    return (total - member.shift) / member.scale
