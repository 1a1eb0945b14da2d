"""OpenRouter: what a request of each tier says (`requests.json`), the same as presets, and daily limits of keys.

It has no configuration of its own: the application takes the fragment of the tier that `costctl_route.py` tells, or
asks for the model `@preset/SLUG`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, told
from costctl.export.litellm_lanes import group_of, kept_models
from costctl.export.orders import by_price
from costctl.export.resolved import Lane, Model, Resolved, plain
from costctl.export.shape import NAME, WHOLE, Choice, Flag, Items, Keys, Named, Number, Text
from costctl.export.text import exact, to_json
from costctl.policy.parts import PARTS

REQUESTS, PRESETS, KEYS = "requests.json", "presets.json", "keys.json"
VERIFIED = "openrouter 1.3.84 (SDK; the service itself is hosted)"
_SLUG = Text(r"[a-z0-9._-]+/[A-Za-z0-9._:-]+", "a model such as openai/gpt-4o")
_FRAGMENT = Keys(
    {
        "models": Items(_SLUG),
        "provider": Keys({"allow_fallbacks": Flag()}, {"sort": Choice(("price", "latency"))}),
    },
    {"max_tokens": WHOLE, "temperature": Number(0, 2)},
)  # fmt: skip
_PRESETS = Items(Keys({"slug": NAME, "body": _FRAGMENT}), least=0)
_KEYS = Items(Keys({"name": Text(), "limit": Number(0, 10**9), "limit_reset": Choice(("daily",))}), least=0)


def export(given: Resolved) -> Exported:
    """Three files; lanes without a model that OpenRouter may have are left out."""
    lanes = {lane.name: one for lane in given.lanes if (one := _fragment(given, lane))["models"]}
    slugs = {lane.name: group_of(lane) for lane in given.lanes}
    presets = [{"slug": f"{_policy(given)}-{slugs[name]}", "body": one} for name, one in lanes.items()]
    files = {REQUESTS: to_json(lanes), PRESETS: to_json(presets), KEYS: to_json(_keys(given))}
    return Exported(files, told(given, _carried(given)))


def _policy(given: Resolved) -> str:
    return re.sub(r"[^a-z0-9]+", "-", given.policy.name.lower()).strip("-") or "policy"


def _fragment(given: Resolved, lane: Lane) -> dict[str, Any]:
    tier = lane.settings
    chain = [model for other in given.chain(lane.name) for model, _ in kept_models(other) if model.engine is None]
    provider: dict[str, Any] = {"allow_fallbacks": True}
    if tier.select in {"cheapest", "fastest"}:
        provider["sort"] = "price" if tier.select == "cheapest" else "latency"
    own = any(model.engine is None for model in lane.models)
    found: dict[str, Any] = {
        "models": list(dict.fromkeys(_named(given, one)[0] for one in chain)) if own else [], "provider": provider,
    }  # fmt: skip
    if tier.max_output_tokens is not None:
        found["max_tokens"] = tier.max_output_tokens
    if tier.temperature is not None:
        found["temperature"] = exact(tier.temperature)
    return found


def _named(given: Resolved, model: Model) -> tuple[str, bool]:
    """The model as OpenRouter calls it, and whether its price list has it."""
    if model.provider == "openrouter":
        return model.model, True
    asked = f"{model.provider}/{model.model}"
    there = {one.removeprefix("openrouter/") for one in given.book.model_keys() if one.startswith("openrouter/")}
    if asked in there:
        return asked, True
    # It writes 3.5 where others write 3-5, and names the latest one without saying so.
    wanted = plain(asked.removesuffix("-latest"))
    found = min((one for one in there if plain(one) == wanted), default=None)
    return (found, True) if found else (re.sub(r"[^A-Za-z0-9._:/-]", "-", asked), False)


def _keys(given: Resolved) -> list[dict[str, Any]]:
    """A key for each daily budget: whoever is capped must call with the key of that name."""
    return [
        {
            "name": " ".join(f"costctl {cap.scope} {cap.name or ''}".split()), "limit": exact(cap.max_usd),
            "limit_reset": "daily",
        }
        for cap in given.policy.budgets.usd_per_day
    ]  # fmt: skip


def _carried(given: Resolved) -> dict[str, Carried]:
    lost = sorted({
        one.name for lane in given.lanes for one in lane.models if one.engine is None and not _named(given, one)[1]
    })  # fmt: skip
    unsure = f"; not in its price list, so look these up: {', '.join(lost)}" if lost else ""
    by_caller = dropped(
        "it does not classify: the application takes the fragment of the tier that costctl_route.py (target json) tells"
    )
    chain = f"a fragment and a preset each, with the models in order{unsure}"
    lanes = approximated(chain) if lost else expressed(chain)
    one_key = "; counted by key and UTC day, and over it a request is refused, not sent to a cheaper tier"
    looks = dropped("it has no such step: let the application do it before or after the call")
    cache = dropped("it has no cache of answers: put one before it, such as the target gptcache")
    own: dict[str, Carried] = {
        "tiers": lanes,
        "specialists": lanes,
        "tiers.models.logged": dropped("it cannot keep the model asked for: send such requests without a fragment"),
        "tiers.select: first": expressed("models in order: the next is asked when one fails"),
        "tiers.select: cheapest": approximated(
            "order by price of input, and provider.sort price among the providers of a model"
        ),
        "tiers.select: fastest": approximated(
            "order of the policy, and provider.sort latency among the providers of a model"
        ),
        "tiers.select: weights": dropped("it draws no models: always the first; draw in the application"),
        "tiers.max_output_tokens": approximated("max_tokens of the fragment, which a fallback keeps"),
        "tiers.temperature": approximated("temperature of the fragment, which a fallback keeps"),
        "tiers.context_tokens": dropped("a request that is too long is an error, after which the next model is asked"),
        "tiers.timeout_s": dropped("it stops no slow provider: set the timeout of the client, such as timeout_ms"),
        "routing.default: logged": dropped("send such requests without a fragment"),
        "fallbacks": approximated("the models of the chain in order, after any error"),
        "retries": dropped("it asks other providers of a model instead: set retries in the client"),
        "kill_switch": approximated("it passes over providers that fail, by a rule of its own"),
        "budgets.usd_per_day: total": approximated(f"limit of a key in {KEYS}{one_key}"),
        "budgets.usd_per_day: tier": approximated(f"limit of a key in {KEYS}, which the tier must call with{one_key}"),
        "budgets.usd_per_day: other": approximated(f"limit of a key in {KEYS}, which each must call with{one_key}"),
        "budgets.usd_per_request_max": dropped("max_price caps dollars a token: check the cost before the call"),
        "budgets.max_share_per_day": dropped("it counts no shares: watch them in its activity, or cap dollars"),
        "budgets.tokens_per_day": dropped("its limits are dollars: set those of a key instead"),
        "limits": dropped("its providers have limits of their own; hold requests back in the application"),
        "cache.exact": cache, "cache.semantic": cache,
        "cache.prompt": dropped("ask for it in the request: it passes cache_control on"),
        "self_hosted": dropped("it reaches no engine of your own: send such requests past it"),
    }  # fmt: skip
    routed = [part for part in PARTS if part.startswith("routing.") and part not in own]
    return {**dict.fromkeys(PARTS, looks), **dict.fromkeys(routed, by_caller), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that the SDK drops without a word, models twice in a chain, presets that differ from the requests."""
    wrong = [f"{one}: is missing" for one in (REQUESTS, PRESETS, KEYS) if one not in files]
    if wrong:
        return wrong
    lanes, presets, keys = (json.loads(files[one]) for one in (REQUESTS, PRESETS, KEYS))
    wrong = [*Named(_FRAGMENT).faults(lanes, REQUESTS), *_PRESETS.faults(presets, PRESETS), *_KEYS.faults(keys, KEYS)]
    if wrong:
        return wrong
    for name, one in lanes.items():
        models = one["models"]
        wrong += [f"{REQUESTS}.{name}.models: {each} stands twice"
                  for each in sorted(set(models)) if models.count(each) > 1]  # fmt: skip
    if [one["body"] for one in presets] != list(lanes.values()):
        wrong.append(f"{PRESETS}: must have the fragments of {REQUESTS} in their order")
    for what, names in ((PRESETS, [one["slug"] for one in presets]), (KEYS, [one["name"] for one in keys])):
        wrong += [f"{what}: {one} stands twice" for one in sorted(set(names)) if names.count(one) > 1]
    return wrong


TARGET = Target("openrouter", "OpenRouter", VERIFIED, export, faults, apart=by_price, is_closed=True)
