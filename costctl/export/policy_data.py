"""The lanes and the routing of a policy as data of an exported decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from costctl.policy.schema import Policy, Tier
from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When
from costctl.prices.book import PriceBook
from costctl.replay.ratios import said
from costctl.tiers.learned import Router

_LIMIT = Decimal("0.000001")  # conditions of a simulation compare with six decimals


def lanes_data(
    policy: Policy, windows: Mapping[str, int | None], same: Mapping[str, tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Tiers by rising number, then specialists.

    `windows` has the context of each model that has one, in tokens; `same` the names under which a
    request may ask for it.
    """
    return [_lane(tier, policy, windows, same) for tier in (*policy.tiers, *policy.specialists)]


def _lane(
    tier: Tier, policy: Policy, windows: Mapping[str, int | None], same: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    return {
        "name": tier.name,
        "models": [
            {
                "name": name,
                "context_tokens": windows.get(name),
                "same": list(same.get(name, (name,))),
                "output_tokens_ratio": _number(_output_ratio(policy, (name, *same.get(name, ())))),
            }
            for name in tier.models
        ],
        "select": tier.select,
        "weights": [_number(one) for one in tier.weights],
        "max_output_tokens": tier.max_output_tokens,
        "context_tokens": tier.context_tokens,
        "temperature": None if tier.temperature is None else _number(tier.temperature),
        "timeout_s": None if tier.timeout_us is None else _number(Decimal(tier.timeout_us) / 1_000_000),
        "fallbacks": list(policy.fallbacks.get(tier.name, ())),
    }


def _output_ratio(policy: Policy, names: Iterable[str]) -> Decimal:
    """What the policy assumes of a model by any of its names, else the same tokens."""
    found = (said(policy.assume.output_tokens_ratio, name) for name in names)
    return next((ratio for ratio in found if ratio is not None), Decimal(1))


def windows_of(policy: Policy, book: PriceBook) -> dict[str, int | None]:
    """The context window of each model by its name in the policy; engines of one's own have none."""
    own = {one.name for one in policy.self_hosted}
    found: dict[str, int | None] = {}
    for name in sorted({name for tier in (*policy.tiers, *policy.specialists) for name in tier.models} - own):
        key = book.resolve(name).model_key
        found[name] = None if key is None else book.info(key).context_window_tokens
    return found


def names_of(policy: Policy, book: PriceBook) -> dict[str, tuple[str, ...]]:
    """Names of each model of the policy: as the policy has it, its price key, and that without its provider."""
    found = {}
    for name in sorted({name for tier in (*policy.tiers, *policy.specialists) for name in tier.models}):
        key = book.resolve(name).model_key
        found[name] = tuple(dict.fromkeys((name, *((key, key.split("/", 1)[-1]) if key else ()))))
    return found


def routing_data(policy: Policy) -> dict[str, Any]:
    """Rules, matrix, default, raises, floors and stickiness."""
    routing = policy.routing
    return {
        "rules": [{"name": one.name, "when": when_data(one.when), "to": one.to} for one in routing.rules],
        "matrix": dict(sorted(routing.matrix.items())),
        "default": routing.default,
        "raises": [
            {"name": one.name, "when": when_data(one.when), "to": one.to, "add_instruction": one.add_instruction}
            for one in routing.raises
        ],
        "floors": [{"name": one.name, "when": when_data(one.when), "at_least": one.at_least} for one in routing.floors],
        "sticky": routing.sticky,
    }


def learned_data(policy: Policy, book: PriceBook, router: Router | None) -> dict[str, Any] | None:
    """The learned router with its two tiers and reasons; None where the policy names none.

    Raises:
        CostctlError: E463 where its models do not stand in two tiers.
    """
    spec = policy.routing.classifier
    if spec is None:
        return None
    from costctl.replay.classifier import Classifier, sides_of  # noqa: PLC0415  (brings the database)
    from costctl.replay.router_scores import digest_of  # noqa: PLC0415  (the same)

    assert router is not None, "the file of routing.classifier was not loaded"
    least = None if spec.min_confidence is None else float(spec.min_confidence)
    asked = Classifier(router, spec.file, digest_of(router), sides_of(policy, book, router, spec.file), least)
    return {
        "inputs": router.inputs,
        "linear": [vars(one) for one in router.linear],
        "shapes": None if router.shapes is None else vars(router.shapes),
        "categories": [
            {"column": one.column, "slope": one.slope, "effects": dict(sorted(one.effects.items()))}
            for one in router.categories
        ],
        "slope": router.slope,
        "intercept": router.intercept,
        "gain_below": router.threshold.gain_below,
        "min_confidence": least,
        "sides": list(asked.sides),
        "reasons": list(asked.reasons),
    }


def when_data(when: When) -> list[Any]:
    """A condition as `costctl.export.runtime.holding` reads it."""
    match when:
        case All(parts):
            return ["all", [when_data(part) for part in parts]]
        case Any_(parts):
            return ["any", [when_data(part) for part in parts]]
        case Not(part):
            return ["not", when_data(part)]
        case Is(field, wanted):
            return ["is", field, wanted]
        case Compare(field, operator, limit):
            return ["compare", field, operator, _number(limit.quantize(_LIMIT, ROUND_HALF_UP))]
        case OneOf(field, values):
            begun = [one[:-1] for one in values if one.endswith("*")]
            return ["one_of", field, [one for one in values if not one.endswith("*")], begun]
    raise AssertionError(when)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
