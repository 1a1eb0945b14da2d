"""Which lanes of a policy LiteLLM can hold, and under which names."""

from __future__ import annotations

from decimal import Decimal

from costctl.export.resolved import Lane, Model, Resolved
from costctl.policy.as_litellm import Written

TIERS_MAX, NAME_CHARS = 8, 64
"""How many tiers LiteLLM's router may have of its own names, and how long a name may be."""
SLOTS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")
"""The tiers of its built-in scorer, cheapest first."""


def group_of(lane: Lane) -> str:
    """The `model_name` under which the models of a lane stand."""
    return f"{'tier' if lane.is_tier else 'lane'}-{lane.slug}"


def kept_models(lane: Lane) -> list[tuple[Model, Decimal | None]]:
    """The models of a lane in the order in which they are asked, each with its weight where they share by weight."""
    tier = lane.settings
    named = dict(zip(tier.models, tier.weights, strict=True)) if tier.select == "weights" and tier.weights else {}
    models = list(lane.models)
    if tier.select == "cheapest":
        models.sort(key=lambda one: (one.input_usd_per_million is None, one.input_usd_per_million or 0, _out(one)))
    return [(one, named.get(one.name) if len(models) > 1 else None) for one in models]


def _out(model: Model) -> Decimal:
    return model.output_usd_per_million or Decimal(0)


def is_nameable(lane: Lane) -> bool:
    """Whether LiteLLM takes the name of the lane as that of a tier."""
    name = lane.name
    return len(name) <= NAME_CHARS and name == name.strip() and "\n" not in name and "\r" not in name


def written_lanes(given: Resolved, *, is_plugin: bool) -> tuple[Lane, ...]:
    """The lanes that have a model of their own and a place in LiteLLM's router, tiers first."""
    lanes = [lane for lane in given.lanes if lane.models and (not is_plugin or is_nameable(lane))]
    if is_plugin:
        folded: dict[str, Lane] = {}
        for lane in lanes:
            folded.setdefault(lane.name.casefold(), lane)
        return tuple(folded.values())[:TIERS_MAX]
    # Its scorer knows four tiers and no specialist; those are there for who asks for them by name.
    tiers = [lane for lane in lanes if lane.is_tier][: len(SLOTS)]
    return (*tiers, *(lane for lane in lanes if not lane.is_tier))


def why_not_written(given: Resolved, lane: Lane, *, is_plugin: bool) -> str:
    """Why LiteLLM's router has no place for a lane."""
    if not lane.models:
        return "has no model of its own"
    if not is_plugin:
        return f"comes after the {len(SLOTS)} tiers that LiteLLM's scorer has"
    if not is_nameable(lane):
        return f"has a name that LiteLLM refuses (over {NAME_CHARS} characters, outer blanks or line breaks)"
    known = {one.name.casefold() for one in written_lanes(given, is_plugin=is_plugin)}
    if lane.name.casefold() in known:
        return "has the name of another tier but for capitals"
    return f"comes after the {TIERS_MAX} tiers of own names that LiteLLM's router may have"


def fallback_lane(given: Resolved, *, is_plugin: bool) -> Lane | None:
    """Where requests go of which nothing else decides: the default, else the highest tier. None without any tier."""
    lanes = written_lanes(given, is_plugin=is_plugin)
    candidates = lanes if is_plugin else tuple(lane for lane in lanes if lane.is_tier)
    named = next((lane for lane in candidates if lane.name == given.policy.routing.default), None)
    return named or next(
        (lane for lane in reversed(candidates) if lane.is_tier), candidates[-1] if candidates else None
    )


def higher(given: Resolved, lane: Lane, lanes: tuple[Lane, ...]) -> list[Lane]:
    """The written tiers above a tier, nearest first; a specialist has none."""
    if not lane.is_tier:
        return []
    above = given.tiers[given.tiers.index(lane) + 1 :]
    return [one for one in above if one in lanes]


def number_of(value: Decimal) -> int | float:
    """As a file shows it: the nearest double of a decimal is written and read as that decimal."""
    return int(value) if value == value.to_integral_value() else float(value)


def written(given: Resolved, *, is_plugin: bool, has_one_provider: bool) -> Written:
    """What the export writes, as a simulation of LiteLLM asks for it."""
    fallback = fallback_lane(given, is_plugin=is_plugin)
    lanes = {
        lane.name: tuple((model.name, weight) for model, weight in kept_models(lane))
        for lane in written_lanes(given, is_plugin=is_plugin)
    }
    return Written(lanes, fallback.name if fallback else None, has_one_provider, is_plugin)
