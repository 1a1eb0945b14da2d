"""NVIDIA Switchyard: `routes.toml` with a route for each tier, which the caller asks for by the name of its model.

A client holds the timeout and the retries, so each lane has one for each of its providers.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.litellm_lanes import group_of, kept_models
from costctl.export.orders import by_price
from costctl.export.reliability import key_of
from costctl.export.resolved import Lane, Model, Resolved
from costctl.export.shape import NAME, VARIABLE, WHOLE, Choice, Items, Keys, Named, Number, Shape, Text
from costctl.export.text import commented, exact
from costctl.policy.keys import unknown
from costctl.policy.parts import PARTS

FILE = "routes.toml"
VERIFIED = "nemo-switchyard 0.3.0"
LEAST_MS = 100
"""Fewer milliseconds than this are meant as seconds."""
_ADDRESSES = {
    "openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com",
    "openrouter": "https://openrouter.ai/api/v1", "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1", "mistral": "https://api.mistral.ai/v1",
    "x-ai": "https://api.x.ai/v1", "together": "https://api.together.xyz/v1",
    "cerebras": "https://api.cerebras.ai/v1", "google": "https://generativelanguage.googleapis.com/v1beta/openai",
}  # fmt: skip
_CLIENT = Keys(
    {
        "format": Choice(("openai_chat", "anthropic_messages")), "base_url": Text(r"https?://\S+", "an address"),
        "api_key_env": VARIABLE, "max_retries": Number(0, 100, is_whole=True),
    },
    {"timeout_ms": Number(LEAST_MS, 86_400_000, is_whole=True)},
)  # fmt: skip
_TARGET = Keys(
    {"id": Text(), "llm_client": NAME},
    {"extra_body": Keys(optional={"max_tokens": WHOLE, "temperature": Number(0, 2)})},
)
_ROUTES: Mapping[str, Keys] = {
    "passthrough": Keys({"id": NAME, "type": Text(), "target": NAME}),
    "random": Keys({"id": NAME, "type": Text(), "targets": Items(NAME, 2), "weights": Items(Number(0), 2)}),
}


class _Route(Shape):
    """A route of one target, or of several by weight."""

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        kind = value.get("type") if isinstance(value, dict) else None
        return [*Choice(tuple(_ROUTES)).faults(kind, f"{at}.type")] or _ROUTES[str(kind)].faults(value, at)


def export(given: Resolved) -> Exported:
    """One file; a policy without models that it can reach leaves only a note."""
    head = commented(header(given, "Switchyard", VERIFIED))
    config = _config(given)
    if not config["routes"]:
        note = commented(["No tier has a model that Switchyard can reach: there is nothing to route."])
        return Exported({FILE: head + note}, told(given, _carried(given)))
    asked = ", ".join(route["id"] for route in config["routes"].values())
    note = commented([f"Callers ask for one of these models: {asked}"])
    return Exported({FILE: head + note + _toml(config)}, told(given, _carried(given)))


def _config(given: Resolved) -> dict[str, Any]:
    found: dict[str, Any] = {"schema_version": 1, "llm_clients": {}, "targets": {}, "routes": {}}
    for lane in given.lanes:
        models = [(model, weight) for model, weight in kept_models(lane) if model.provider in _ADDRESSES]
        names = [f"{group_of(lane)}-{number}" for number in range(1, len(models) + 1)]
        shares = [weight for _, weight in models if weight is not None]
        is_shared = len(models) > 1 and len(shares) == len(models)
        for name, (model, _) in list(zip(names, models, strict=True))[: None if is_shared else 1]:
            client = f"{group_of(lane)}-{model.provider}"
            found["llm_clients"][client] = _client(given, lane, model)
            found["targets"][name] = _target(lane, model, client)
        if is_shared:
            route: dict[str, Any] = {"type": "random", "targets": names, "weights": [exact(one) for one in shares]}
        else:
            route = {"type": "passthrough", "target": names[0]} if names else {}
        if route:
            found["routes"][group_of(lane)] = {"id": group_of(lane), **route}
    return found


def _client(given: Resolved, lane: Lane, model: Model) -> dict[str, Any]:
    retries, timeout_us = given.policy.retries, lane.settings.timeout_us
    found: dict[str, Any] = {
        "format": "anthropic_messages" if model.provider == "anthropic" else "openai_chat",
        "base_url": _ADDRESSES[model.provider], "api_key_env": key_of(model),
        "max_retries": 0 if retries is None else min(retries.max_count, 100),
    }  # fmt: skip
    return found if timeout_us is None else {**found, "timeout_ms": max(timeout_us // 1000, LEAST_MS)}


def _target(lane: Lane, model: Model, client: str) -> dict[str, Any]:
    tier = lane.settings
    body: dict[str, Any] = {} if tier.max_output_tokens is None else {"max_tokens": tier.max_output_tokens}
    if tier.temperature is not None:
        body["temperature"] = exact(tier.temperature)
    return {"id": model.model, "llm_client": client, **({"extra_body": body} if body else {})}


def _toml(config: Mapping[str, Any]) -> str:
    """A table for each client, target and route; JSON writes texts, numbers and lists as TOML reads them."""
    lines = [f"schema_version = {config['schema_version']}"]
    for group in ("llm_clients", "targets", "routes"):
        for name, table in config[group].items():
            lines += ["", f"[{group}.{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def _carried(given: Resolved) -> dict[str, Carried]:
    left = sorted({one.name for lane in given.lanes for one in lane.models if one.provider not in _ADDRESSES})
    unreached = f"; not written, as their address is not known: {', '.join(left)}" if left else ""
    lanes = approximated(f"a route each, which the caller asks for by name{unreached}")
    by_caller = dropped("its own routers judge by a model; costctl_route.py (target json) tells the route to ask for")
    proxy = dropped("it has no such step: put the target litellm-plugin in its place, or before it")
    always = approximated("always the first model; the others are not written")
    short = any(lane.settings.timeout_us and lane.settings.timeout_us // 1000 < LEAST_MS for lane in given.lanes)
    least = f", at least {LEAST_MS} ms" if short else ""
    retried = given.policy.retries is not None and given.policy.retries.max_count > 0
    timeout = f"timeout_ms of a client for each tier{least}"
    gaps = "extra_body fills it in where the request does not say; a request may ask for more"
    own: dict[str, Carried] = {
        "tiers": lanes, "specialists": lanes,
        "tiers.models.logged": dropped("it has no route for it: send such requests past it"),
        "tiers.select: first": dropped("only the first model: it asks no other when that one fails"),
        "tiers.select: cheapest": always, "tiers.select: fastest": always,
        "tiers.select: weights": expressed("a route of type random with the weights, drawn for each request"),
        "tiers.max_output_tokens": approximated(gaps), "tiers.temperature": approximated(gaps),
        "tiers.context_tokens": dropped("it counts no tokens: costctl_route.py moves what does not fit"),
        "tiers.timeout_s": (
            approximated(f"{timeout}, for all tries together") if retried or short else expressed(timeout)
        ),
        "routing.default: logged": dropped("it has no default: a model that no route has is an error"),
        "fallbacks": dropped("it has no chain: the caller must ask for the route of the next tier when one fails"),
        "retries": approximated("max_retries of each client, after faults and with pauses of its own choice"),
        "self_hosted": dropped("add a client with the engine's address by hand"),
    }  # fmt: skip
    routed = [part for part in PARTS if part.startswith("routing.") and part not in own]
    return {**dict.fromkeys(PARTS, proxy), **dict.fromkeys(routed, by_caller), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that it does not have, seconds for milliseconds, names of clients and targets that nobody has."""
    try:
        config = tomllib.loads(files[FILE])
    except tomllib.TOMLDecodeError as error:
        return [f"{FILE}: no TOML: {error}"]
    if not config:
        return []
    shape = Keys(
        {"schema_version": Choice((1,)), "llm_clients": Named(_CLIENT, 1), "targets": Named(_TARGET, 1),
         "routes": Named(_Route(), 1)}
    )  # fmt: skip
    return shape.faults(config, "") or _crossed(config)


def _crossed(config: Mapping[str, Any]) -> list[str]:
    clients, targets, routes = config["llm_clients"], config["targets"], config["routes"]
    wrong = [f"targets.{name}.llm_client: {unknown(one['llm_client'], clients, 'client')}"
             for name, one in targets.items() if one["llm_client"] not in clients]  # fmt: skip
    used: list[str] = []
    for name, route in routes.items():
        asked = route.get("targets") or [route["target"]]
        used += asked
        wrong += [f"routes.{name}: {unknown(one, targets, 'target')}" for one in asked if one not in targets]
        wrong += [f"routes.{name}: {one} is of another tier" for one in asked if one.rpartition("-")[0] != name]
        if "weights" in route and len(route["weights"]) != len(asked):
            wrong.append(f"routes.{name}.weights: {len(route['weights'])} for {len(asked)} targets")
        wrong += [] if route["id"] == name else [f"routes.{name}.id: must be {name}"]
    wrong += [f"targets.{one}: no route asks for it" for one in targets if one not in used]
    return wrong


TARGET = Target("switchyard", "NVIDIA Switchyard", VERIFIED, export, faults, apart=by_price)
