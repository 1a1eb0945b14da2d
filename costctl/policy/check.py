"""What a policy means: names that must exist, chains that must end, shares that must fit.

The checks look at the values of the file, not at the models, so that a fault of form in one part
hides no fault of meaning in another. They pass over whatever has the wrong form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from costctl.policy.check_amounts import faults_of_amounts
from costctl.policy.figures import never_holds, unknown_figure
from costctl.policy.keys import Faults, unknown
from costctl.policy.parts import PARTS
from costctl.policy.places import keys_below, places_of
from costctl.policy.results import read_gate
from costctl.policy.schema import LOGGED
from costctl.policy.source import Place, key_of
from costctl.policy.units import plain, shown
from costctl.report import counted

# Reasons to escalate that no log shows, so that only the policy can say how often.
IN_NO_LOG = ("no_evidence", "low_score", "wrong_register")


class Reference(NamedTuple):
    """Where names of tiers stand: a pattern of places, and what else may be named there.

    In a pattern, `*` is every value of a mapping or list, and `?` at its end every key.
    """

    pattern: str
    specialists: bool = True
    logged: bool = False


REFERENCES = (
    Reference("routing.default", logged=True),
    Reference("routing.rules.*.to"),
    Reference("routing.matrix.*"),
    Reference("routing.raise.*.to", specialists=False),
    Reference("routing.floors.*.at_least", specialists=False),
    Reference("budgets.max_share_per_day.?", specialists=False),
    Reference("budgets.usd_per_day.*.tier"),
    Reference("fallbacks.?"),
    Reference("fallbacks.*.*"),
    Reference("hedge.tier"),
    Reference("escalate.from"),
    Reference("escalate.to"),
    Reference("cache.semantic.refresh_tier"),
    Reference("context.summariser"),
    Reference("post_process.reformat.tier"),
    Reference("post_process.translate.tier"),
    Reference("experiments.*.arms.*.tiers.?"),
)

# Names of one group must differ, because a report tells its rows apart by them.
UNIQUE = (
    (("routing.rules.*.name", "routing.raise.*.name", "routing.floors.*.name"), "a name is the routing reason"),
    (("experiments.*.name",), "a name is a row of the report"),
    (("data_sources.*.name",), "a name is a row of the report"),
    (("self_hosted.*.name",), "a name is a model"),
    (("fixed_costs.*.name",), "a name is a row of the report"),
)


def faults_of_meaning(values: Mapping[str, Any]) -> Faults:
    """Every fault, with its place."""
    faults: Faults = []
    for check in (
        _tier_names, _tier_models, _arm_tiers, _references, _twice, _circles, faults_of_amounts, _escalation, _limits,
        _rewriting, _gates, _losses,
    ):  # fmt: skip
        faults += check(values)
    return faults


def _gates(values: Mapping[str, Any]) -> Faults:
    """Gates on figures that no simulation has, and gates that none can keep; what is no gate is told elsewhere."""
    faults: Faults = []
    for pattern in ("gates.*", "gates.*.gate"):
        for place, text in places_of(values, pattern):
            found = read_gate(text) if isinstance(text, str) else None
            if not isinstance(found, tuple):
                continue
            fault = unknown_figure(found[0]) or never_holds(*found)
            if fault is not None:
                faults.append((place, fault))
    return faults


def _losses(values: Mapping[str, Any]) -> Faults:
    """Accepted losses of parts that no policy has."""
    return [
        (place, unknown(name, tuple(PARTS), "part of a policy"))
        for place, name in places_of(values, "export.accept_loss.*")
        if isinstance(name, str) and name not in PARTS
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(plain, names)) or "none"


def _tier_names(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    tiers = keys_below(values, "tiers")
    for key in ("tiers", "specialists"):
        for name in keys_below(values, key):
            if name == LOGGED:
                yield (key, name), "is the word for the model of the log, not a name"
            elif key == "specialists" and name in tiers:
                yield (key, name), "is also the name of a tier"


def _tier_models(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for key in ("tiers", "specialists"):
        for at, tier in places_of(values, f"{key}.*"):
            if isinstance(tier, dict):
                yield from _tier_settings(at, tier)


def _tier_settings(at: Place, tier: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    models, weights = tier.get("models"), tier.get("weights")
    if isinstance(models, tuple) and LOGGED in models and len(models) > 1:
        yield (*at, "models"), "logged stands alone: it keeps the model of the log"
    if (tier.get("select") == "weights") != ("weights" in tier):
        yield (*at, "select" if "select" in tier else "weights"), "select: weights and weights go together"
    elif isinstance(weights, tuple) and isinstance(models, tuple) and len(weights) != len(models):
        yield (*at, "weights"), f"needs {counted(len(models), 'weight')}, one for each model"


def _arm_tiers(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """What an arm makes of a tier must be a tier; one whose fault is the tier's own is told there."""
    tiers = {name: tier for key in ("tiers", "specialists") for name, tier in _named(values.get(key))}
    for at, change in places_of(values, "experiments.*.arms.*.tiers.*"):
        tier = tiers.get(str(at[-1]))
        if not isinstance(change, dict) or not isinstance(tier, dict) or list(_tier_settings((), tier)):
            continue
        merged = {**tier, **change}
        if merged.get("select") != "weights" and "weights" not in change:
            merged.pop("weights", None)
        for _, message in _tier_settings((), merged):
            yield at, f"in this arm: {message}"


def _named(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _references(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    tiers, specialists = keys_below(values, "tiers"), keys_below(values, "specialists")
    for reference in REFERENCES:
        known = [*tiers, *(specialists if reference.specialists else ()), *([LOGGED] if reference.logged else ())]
        for at, name in places_of(values, reference.pattern):
            if not isinstance(name, str) or name in known:
                continue
            if name in specialists:
                yield at, f"{plain(name)} is a specialist; here stands a tier: {_listed(tiers)}"
                continue
            near = get_close_matches(name, known, n=1)
            ending = f"did you mean {plain(near[0])}?" if near else f"known: {_listed(known)}"
            yield at, f"no tier is named {shown(name)}; {ending}"


def _twice(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for patterns, reason in UNIQUE:
        first: dict[str, Place] = {}
        for pattern in patterns:
            for at, name in places_of(values, pattern):
                if not isinstance(name, str):
                    continue
                if name in first:
                    yield at, f"{shown(name)} is also {key_of(first[name])}; {reason}"
                first.setdefault(name, at)


def _circles(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """One fault for each tier that falls back to itself, at the tier."""
    after = {
        str(at[-1]): [one for one in chain if isinstance(one, str)]
        for at, chain in places_of(values, "fallbacks.*")
        if isinstance(chain, tuple)
    }
    for start in after:
        way = _way_back(start, after)
        if way:
            yield ("fallbacks", start), f"goes in a circle: {' to '.join(map(plain, way))}"


def _way_back(start: str, after: Mapping[str, list[str]]) -> list[str]:
    ways = [[start, one] for one in after[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        if way[-1] == start:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, one] for one in after.get(way[-1], ())]
    return []


def _escalation(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    tiers = keys_below(values, "tiers")
    for at, one in places_of(values, "escalate"):
        if not isinstance(one, dict):
            continue
        first, then = one.get("from"), one.get("to")
        if first == then and first is not None:
            yield (*at, "to"), "must differ from `from`"
        elif first in tiers and then in tiers and tiers.index(then) < tiers.index(first):
            yield (*at, "to"), f"must be a dearer tier than {plain(first)}; tiers stand cheapest first"
        unseen = [why for why in _items(one.get("when")) if why in IN_NO_LOG]
        if unseen and "ratio" not in one:
            yield at, f"needs ratio, such as ratio: 8%: no log shows {', '.join(unseen)}"


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _rewriting(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Broken answers are written anew by the tier of `reformat`, else by the cheapest one: there must be one."""
    for at, part in places_of(values, "post_process"):
        if isinstance(part, dict) and "validate" in part and "reformat" not in part and not keys_below(values, "tiers"):
            yield (*at, "validate"), "needs a tier that writes the answers anew; add one to tiers, or reformat"


def _limits(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for at, limit in places_of(values, "limits.*"):
        if isinstance(limit, dict) and not {key for key in limit if key != "over"}:
            yield at, "limits nothing; name requests_per_min, tokens_per_min, requests_per_day or tokens_per_day"
