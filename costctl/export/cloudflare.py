"""Cloudflare AI Gateway: a dynamic route as the API takes it, a graph of elements that ends at a model's answer.

The caller says the tier in the metadata of the request. A tier is its daily budgets, then its models one after another,
then those of its fallbacks; each tier has elements of its own, so that no chain runs into another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, told
from costctl.export.cloudflare_schema import RETRIES_MAX, TIMEOUT_MAX_MS, TIMEOUT_MIN_MS, faults_of
from costctl.export.orders import as_listed
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.text import exact, to_json
from costctl.policy.caps import UsdCap
from costctl.policy.parts import PARTS

FILE = "route.json"
VERIFIED = "cloudflare 5.9.0 (typed models of the API; the service is hosted)"
TIER_KEY = "metadata.costctl_tier"
DAY_S = 86_400
"""An element must have a timeout; where the policy has none it is ten minutes."""
# As the gateway spells the providers whose names differ from those of the price list.
_PROVIDERS = {"google": "google-ai-studio", "x-ai": "grok", "aws": "aws-bedrock", "azure": "azure-openai",
              "self": "custom-self", "cloudflare": "workers-ai"}  # fmt: skip
_NAMED = {"endpoint": "metadata.endpoint", "user": "metadata.user_id", "team": "metadata.team",
          "user_profile": "metadata.user_profile"}  # fmt: skip


class _Graph:
    """Collects elements under ids that count up."""

    def __init__(self, given: Resolved) -> None:
        self.elements: list[dict[str, Any]] = []
        self._given = given

    def add(self, name: str, kind: str, outputs: Mapping[str, str], properties: dict[str, Any] | None = None) -> str:
        """One element; its id."""
        found: dict[str, Any] = {"id": name, "type": kind}
        if properties is not None:
            found["properties"] = properties
        found["outputs"] = {output: {"elementId": to} for output, to in outputs.items()}
        self.elements.append(found)
        return name

    def lane(self, lane: Lane) -> str:
        """The chain of a lane from its end to its budgets; the id to go to."""
        to = "end"
        chain = self._given.chain(lane.name)
        for other in reversed(chain):
            to = self._models(lane, other, to)
        return to

    def _models(self, lane: Lane, other: Lane, after: str) -> str:
        """The models of one lane within the chain of another, with what comes when all of them fail."""
        at = f"{lane.slug}-via-{other.slug}" if other is not lane else lane.slug
        ids = [f"{at}-model-{number + 1}" for number in range(len(other.models))]
        for number in reversed(range(len(ids))):
            fallback = ids[number + 1] if number + 1 < len(ids) else after
            self._model(ids[number], other, other.models[number], fallback)
        first = ids[0] if ids else after
        if other.settings.select == "weights" and len(ids) > 1 and not other.has_logged:
            first = self._split(at, other, ids)
        for at_cap, cap in enumerate(_caps(self._given, other), 1):
            properties = {"key": TIER_KEY, "limit": exact(cap.max_usd), "limitType": "cost", "window": DAY_S}
            first = self.add(f"{at}-budget-{at_cap}", "rate", {"success": first, "fallback": after}, properties)
        return first

    def _model(self, name: str, lane: Lane, model: Model, fallback: str) -> None:
        timeout_us, retries = lane.settings.timeout_us, self._given.policy.retries
        properties = {
            "provider": _PROVIDERS.get(model.provider, model.provider), "model": model.model,
            "retries": min(retries.max_count, RETRIES_MAX) if retries else 0,
            "timeout": TIMEOUT_MAX_MS if timeout_us is None else _timeout_ms(timeout_us),
        }  # fmt: skip
        self.add(name, "model", {"success": "end", "fallback": fallback}, properties)

    def _split(self, at: str, lane: Lane, ids: list[str]) -> str:
        """One draw for each model but the last, of what is left by those before it; in whole percents."""
        weights, to = lane.settings.weights, ids[-1]
        for number in reversed(range(len(ids) - 1)):
            share = 100 * weights[number] / sum(weights[number:])
            percent = min(max(int(share + Decimal("0.5")), 1), 99)
            to = self.add(f"{at}-split-{number + 1}", "percentage", {f"{percent}%": ids[number], "else": to})
        return to


def _timeout_ms(timeout_us: int) -> int:
    """As near as the gateway takes it."""
    return min(max(timeout_us // 1000, TIMEOUT_MIN_MS), TIMEOUT_MAX_MS)


def _caps(given: Resolved, lane: Lane) -> list[UsdCap]:
    return [cap for cap in given.policy.budgets.usd_per_day if cap.scope == "tier" and cap.name == lane.name]


def export(given: Resolved) -> Exported:
    """One route; without lanes that name models there is nothing to route."""
    lanes = [lane for lane in given.lanes if lane.models]
    if not lanes:
        return Exported({FILE: to_json({})}, told(given, _carried(given)))
    graph = _Graph(given)
    last = next((lane for lane in lanes if lane.name == given.policy.routing.default), lanes[-1])
    entries = {lane.name: graph.lane(lane) for lane in lanes}
    to = entries[last.name]
    for lane in reversed(lanes):
        conditions = {TIER_KEY: {"$eq": lane.name}}
        to = graph.add(
            f"is-{lane.slug}", "conditional", {"true": entries[lane.name], "false": to}, {"conditions": conditions}
        )
    for at, cap in reversed(list(enumerate(_outer(given), 1))):
        to = _outer_cap(graph, at, cap, to)
    graph.add("start", "start", {"next": to})
    graph.add("end", "end", {})
    return Exported(
        {FILE: to_json({"name": _slug(given), "elements": graph.elements[::-1]})}, told(given, _carried(given))
    )


def _slug(given: Resolved) -> str:
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in given.policy.name.lower())
    return plain.strip("-") or "policy"


def _outer(given: Resolved) -> list[UsdCap]:
    """Budgets that are not of a tier."""
    return [cap for cap in given.policy.budgets.usd_per_day if cap.scope != "tier"]


def _outer_cap(graph: _Graph, at: int, cap: UsdCap, to: str) -> str:
    """A budget before all tiers: over it the route ends without an answer; of one name only where it is said."""
    key = "metadata.costctl_all" if cap.scope == "total" else _NAMED[cap.scope]
    properties = {"key": key, "limit": exact(cap.max_usd), "limitType": "cost", "window": DAY_S}
    rate = graph.add(f"budget-{at}", "rate", {"success": to, "fallback": "end"}, properties)
    if cap.scope == "total":
        return rate
    conditions = {"conditions": {key: {"$eq": cap.name}}}
    return graph.add(f"is-budget-{at}", "conditional", {"true": rate, "false": to}, conditions)


def _carried(given: Resolved) -> dict[str, Carried]:
    by_caller = dropped(
        "it does not classify: the caller must send cf-aig-metadata with costctl_tier (costctl_route.py, json)"
    )
    sent = dropped("a route sets no parameters: the caller must send it (costctl_route.py tells it)")
    usage = dropped("a rate element of limitType count holds requests back, not tokens: add one by hand")
    gateway = dropped("the gateway's own cache is set beside the route (cf-aig-cache-ttl), for equal requests only")
    always = approximated("always the first model: order them in the policy as you want them asked")
    looks = dropped("it has no such step: let the application do it before or after the call")
    timeouts_us = [lane.settings.timeout_us for lane in given.lanes if lane.settings.timeout_us is not None]
    waits = expressed("timeout of each model element, in milliseconds")
    if any(_timeout_ms(one) * 1000 != one for one in timeouts_us):
        waits = approximated(f"{waits.says}; whole ones from {TIMEOUT_MIN_MS} to {TIMEOUT_MAX_MS:,}")
    retries = given.policy.retries
    most = f"; at most {RETRIES_MAX}" if retries and retries.max_count > RETRIES_MAX else ""
    over = "a lower tier answers" if given.policy.budgets.over == "degrade" else "the policy refuses"
    own: dict[str, Carried] = {
        "tiers": approximated("one branch a tier, taken by metadata costctl_tier that the caller sends"),
        "specialists": approximated("one branch a specialist, taken by metadata costctl_tier that the caller sends"),
        "tiers.models.logged": dropped("it cannot keep the model asked for: send such requests past the route"),
        "tiers.select: first": expressed("model elements one behind the other"),
        "tiers.select: weights": approximated("percentage elements, in whole percents and drawn anew for each request"),
        "tiers.select: cheapest": always, "tiers.select: fastest": always,
        "tiers.max_output_tokens": sent, "tiers.temperature": sent,
        "tiers.context_tokens": dropped("it counts no tokens: costctl_route.py moves what does not fit"),
        "tiers.timeout_s": waits,
        "routing.default: logged": dropped("a request without a known tier goes to the last branch"),
        "budgets.usd_per_day: tier": approximated(
            f"a rate element of limitType cost in a window of a day, no UTC day; over it {over}, "
            "here it goes to the fallbacks; what falls back from another tier is counted for that one"
        ),
        "budgets.usd_per_day: total": approximated(
            "a rate element before all tiers, keyed by metadata costctl_all that the caller must send with one value; "
            "over it there is no answer instead of a cheaper tier"
        ),
        "budgets.usd_per_day: other": approximated(
            "a rate element keyed by the metadata that the caller must send; over it there is no answer"
        ),
        "budgets.max_share_per_day": dropped("it counts no shares: cap dollars a tier instead"),
        "budgets.usd_per_request_max": dropped("it knows no cost before the answer: let the caller check it"),
        "budgets.tokens_per_day": usage, "limits": usage,
        "fallbacks": expressed("the models of the chain follow by output fallback"),
        "retries": approximated(f"retries of each model element, after any error and with its own pauses{most}"),
        "kill_switch": dropped("it has none: each request tries the broken model first, within its timeout"),
        "cache.exact": gateway, "cache.semantic": gateway,
        "cache.prompt": dropped("prompt caching is the provider's: ask for it in the request"),
        "experiments": dropped("a percentage element draws anew for each request and keeps no user in an arm"),
        "self_hosted": approximated("a custom provider custom-self, whose address is set in the gateway"),
    }  # fmt: skip
    routed = [part for part in PARTS if part.startswith("routing.") and part not in own]
    return {**dict.fromkeys(PARTS, looks), **dict.fromkeys(routed, by_caller), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Elements and keys that the API does not have, wrong units, ids that nobody has, ways in a circle."""
    found = json.loads(files[FILE])
    return faults_of(found, TIER_KEY) if found else []


TARGET = Target("cloudflare", "Cloudflare AI Gateway", VERIFIED, export, faults, apart=as_listed, is_closed=True)
