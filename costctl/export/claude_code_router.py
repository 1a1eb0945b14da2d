"""claude-code-router 2: providers and fallbacks in `config.json`, and a custom router that asks our own decision.

Its fallbacks belong to scenarios and not to models, so each model of a lane is a scenario of its own, which `router.js`
sets: after a failure the others of its chain follow, and never the same one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.claude_code_parts import (
    asked,
    chain_of,
    lane_data,
    longest_ms,
    not_there,
    providers,
    reading,
    waiting,
)
from costctl.export.claude_code_schema import config_faults, router_faults
from costctl.export.decision import FILE as DECISION
from costctl.export.decision import decision_file
from costctl.export.litellm_lanes import group_of, kept_models
from costctl.export.orders import by_price
from costctl.export.reliability import default_lane
from costctl.export.resolved import Lane, Resolved
from costctl.export.text import commented, to_json

CONFIG, ROUTER, INSTALL = "config.json", "router.js", "install.sh"
VERIFIED = "@musistudio/claude-code-router 2.0.0"
_RUNTIME = Path(__file__).with_name("runtime")
_CODE, _INSTALLING = _RUNTIME / "claude_code_router.js", _RUNTIME / "claude_code_install.sh"
_BETWEEN = ","
_TRANSFORMERS = {"anthropic": "Anthropic", "openrouter": "openrouter", "deepseek": "deepseek", "groq": "groq",
                 "google": "gemini"}  # fmt: skip


def export(given: Resolved) -> Exported:
    """Configuration, router and decision; a policy without models of its own leaves nothing to route."""
    lanes = [lane for lane in given.lanes if lane.models]
    losses = told(given, _carried(given))
    if not lanes:
        return Exported({CONFIG: to_json({})}, losses)
    head = commented(header(given, "claude-code-router", VERIFIED), "//")
    data = json.dumps({lane.name: _lane(lane) for lane in lanes}, indent=2)
    code = _CODE.read_text("utf-8").replace("const LANES = {};", f"const LANES = {data};", 1)
    decision = decision_file(given.policy, given.policy_digest, given.content, given.book, given.router, given.version)
    files = {CONFIG: to_json(_config(given, lanes)), ROUTER: head + code, DECISION: decision}
    return Exported({**files, INSTALL: _INSTALLING.read_text("utf-8")}, losses)


def _lane(lane: Lane) -> dict[str, Any]:
    found = lane_data(lane, _BETWEEN)
    models = [{**one, "scenario": _scenario(lane, at)} for at, one in enumerate(found["models"])]
    return {**found, "models": models}


def _scenario(lane: Lane, at: int) -> str:
    """Of the model in this place of a lane; no name of a lane has a low line."""
    return f"{group_of(lane)}_{at + 1}" if at else group_of(lane)


def _config(given: Resolved, lanes: list[Lane]) -> dict[str, Any]:
    last = default_lane(given)
    assert last is not None
    tiers = [lane for lane in lanes if lane.is_tier] or lanes
    scenarios = {"default": last, "background": tiers[0], "think": tiers[-1]}
    asking = {name: (lane, kept_models(lane)[0][0]) for name, lane in scenarios.items()}
    asking |= {_scenario(lane, at): (lane, one) for lane in lanes for at, (one, _) in enumerate(kept_models(lane))}
    rests = {
        name: [one for one in chain_of(given, lane, _BETWEEN) if one != asked(model, _BETWEEN)]
        for name, (lane, model) in asking.items()
    }
    found: dict[str, Any] = {
        "HOST": "127.0.0.1", "PORT": 3456, "LOG": False,
        "Providers": providers([one for lane in lanes for one in lane.models], _transforming),
        "Router": {name: asked(kept_models(lane)[0][0], _BETWEEN) for name, lane in scenarios.items()},
        "fallback": {name: rest for name, rest in rests.items() if rest},
        "CUSTOM_ROUTER_PATH": "$HOME/.claude-code-router/router.js",
    }  # fmt: skip
    if (longest := longest_ms(given, lanes)) is not None:
        found["API_TIMEOUT_MS"] = longest
    return found


def _transforming(provider: str) -> dict[str, Any]:
    return {"transformer": {"use": [_TRANSFORMERS[provider]]}} if provider in _TRANSFORMERS else {}


def _carried(given: Resolved) -> dict[str, Carried]:
    exact_way = (
        f"router.js asks {DECISION}, which sees the request, its count of tokens, session and user, but no endpoint, "
        "team or app"
    )
    by_rules = approximated(exact_way)
    thinks = "a request that thinks keeps its own; after a fallback that of the first tier counts"
    own: dict[str, Carried] = {
        "tiers": expressed("models of providers, each with a scenario of its own for its fallbacks"),
        "specialists": expressed("models of providers, each with a scenario of its own for its fallbacks"),
        "tiers.models.logged": approximated("left to the router's scenarios: default, background, think"),
        "tiers.select: first": expressed("router.js takes the first model that can hold the request"),
        "tiers.select: cheapest": approximated("order by price of input; the policy prices each request"),
        "tiers.select: fastest": approximated("order of the policy: it does not go by latency"),
        "tiers.select: weights": approximated(
            "router.js draws for each request; after a failure the others follow in the order of the policy"
        ),
        "tiers.max_output_tokens": approximated(f"router.js lowers max_tokens to it; {thinks}"),
        "tiers.temperature": approximated(f"router.js sets it; {thinks}"),
        "tiers.context_tokens": approximated("by the router's own count of tokens"),
        "tiers.timeout_s": dropped(f"it stops no slow provider; {waiting(given)}"),
        "routing.default: logged": approximated("left to the router's scenarios: default, background, think"),
        "routing.rules": by_rules, "routing.matrix": by_rules, "routing.raise": by_rules, "routing.floors": by_rules,
        "routing.classifier": by_rules,
        "routing.raise.add_instruction": expressed("router.js adds it to the system prompt"),
        "routing.sticky": approximated("in the memory of its process; Claude Code names user and session"),
        "fallbacks": approximated("after any answer that is an error, also a wrong request; not after a slow one"),
        "retries": dropped("it tries each model once; Claude Code itself tries a failed request again"),
        "self_hosted": expressed("a provider of its own, at the address in the environment"),
    }  # fmt: skip
    return {**not_there(), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that it passes over, models that no provider has, seconds for milliseconds, files that are missing."""
    config = json.loads(files[CONFIG])
    if not config:
        return [f"{one}: there is nothing to route" for one in (ROUTER, DECISION, INSTALL) if one in files]
    wrong = [f"{one}: is missing" for one in (ROUTER, DECISION, INSTALL) if one not in files]
    return wrong + config_faults(config) + (router_faults(files[ROUTER], config) if ROUTER in files else [])


TARGET = Target("claude-code-router", "claude-code-router", VERIFIED, export, faults, reading, by_price)
