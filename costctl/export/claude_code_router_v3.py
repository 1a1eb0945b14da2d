"""claude-code-router 3: a seed for its database, and a rule whose script asks our own decision.

Its scripts run in a sandbox that starts no program, so the decision is a server on loopback beside it. A script sets
model, settings and fallbacks of one request at once, so no lane needs a scenario.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.claude_code_parts import chain_of, lane_data, longest_ms, not_there, providers, reading, waiting
from costctl.export.claude_code_schema_v3 import script_faults, seed_faults
from costctl.export.decision import FILE as DECISION
from costctl.export.decision import decision_file
from costctl.export.orders import by_price
from costctl.export.reliability import default_lane
from costctl.export.resolved import Lane, Resolved
from costctl.export.text import commented, to_json

SEED, SCRIPT, SERVER, INSTALL = "config.json", "costctl-route.js", "costctl_serve.py", "install.sh"
VERIFIED = "@musistudio/claude-code-router 3.1.1 (its sandbox for scripts; the gateway itself was not run)"
SCRIPT_MS = 2_000
_RUNTIME = Path(__file__).with_name("runtime")
_BETWEEN = "/"
_MODEL = "request.body.model"
_PROTOCOLS = {"anthropic": "anthropic_messages", "google": "gemini_generate_content"}


def export(given: Resolved) -> Exported:
    """Seed, script, decision and its server; a policy without models of its own leaves nothing to route."""
    lanes = [lane for lane in given.lanes if lane.models]
    losses = told(given, _carried(given))
    if not lanes:
        return Exported({SEED: to_json({})}, losses)
    head = commented(header(given, "claude-code-router 3", VERIFIED), "//")
    data = json.dumps({lane.name: _lane(given, lane) for lane in lanes}, indent=2)
    code = _code("claude_code_route.js").replace("const LANES = {};", f"const LANES = {data};", 1)
    decision = decision_file(given.policy, given.policy_digest, given.content, given.book, given.router, given.version)
    files = {SEED: to_json(_seed(given, lanes)), SCRIPT: head + code, DECISION: decision}
    return Exported({**files, SERVER: _code("decision_server.py"), INSTALL: _code("claude_code_seed.sh")}, losses)


def _code(name: str) -> str:
    return (_RUNTIME / name).read_text("utf-8")


def _retries(given: Resolved) -> int:
    return given.policy.retries.max_count if given.policy.retries is not None else 0


def _lane(given: Resolved, lane: Lane) -> dict[str, Any]:
    return {**lane_data(lane, _BETWEEN), "chain": chain_of(given, lane, _BETWEEN), "retries": _retries(given)}


def _seed(given: Resolved, lanes: list[Lane]) -> dict[str, Any]:
    last = default_lane(given)
    assert last is not None
    chain = chain_of(given, last, _BETWEEN)
    found: dict[str, Any] = {
        "HOST": "127.0.0.1", "PORT": 3456,
        "Providers": providers([one for lane in lanes for one in lane.models], _protocol),
        "Router": {
            "fallback": {"mode": "off", "models": [], "retryCount": 0},
            "rules": [
                {
                    "id": "costctl-route", "name": "costctl", "type": "script", "enabled": True,
                    "script": {
                        "apiVersion": 1, "language": "javascript", "file": f"~/.claude-code-router/{SCRIPT}",
                        "timeoutMs": SCRIPT_MS,
                    },
                },
                {
                    "id": "costctl-default", "name": "costctl without its server", "type": "condition",
                    "enabled": True, "condition": {"left": _MODEL, "operator": "not-contains", "right": _BETWEEN},
                    "rewrites": [{"key": _MODEL, "operation": "set", "value": chain[0]}],
                    "fallback": _fallback(chain[1:], _retries(given)),
                },
            ],
        },
    }  # fmt: skip
    if (longest := longest_ms(given, lanes)) is not None:
        found["API_TIMEOUT_MS"] = longest
    return found


def _fallback(rest: list[str], retries: int) -> dict[str, Any]:
    if rest:
        return {"mode": "model-chain", "models": rest, "retryCount": 0}
    return {"mode": "retry" if retries else "off", "models": [], "retryCount": retries}


def _protocol(provider: str) -> dict[str, Any]:
    return {"type": _PROTOCOLS.get(provider, "openai_chat_completions")}


def _carried(given: Resolved) -> dict[str, Carried]:
    by_rules = approximated(
        f"{SCRIPT} asks {DECISION} through {SERVER}, which must run beside the router; it sees the request, the "
        "router's estimate of its tokens, session and user, but no endpoint, team or app; of requests above 200 KB the "
        "last message and how long the rest is"
    )
    logged = approximated("without a decision the default lane takes it, unless the request names provider/model")
    thinks = "a request that thinks keeps its own; after a fallback that of the first tier counts"
    chained = any(given.policy.fallbacks.values())
    own: dict[str, Carried] = {
        "tiers": expressed("a model of a provider each, which the script names with the chain of its lane"),
        "specialists": expressed("a model of a provider each, which the script names with the chain of its lane"),
        "tiers.models.logged": logged, "routing.default: logged": logged,
        "tiers.select: first": expressed("the script takes the first model that can hold the request"),
        "tiers.select: cheapest": approximated("order by price of input; the policy prices each request"),
        "tiers.select: fastest": approximated("order of the policy: it does not go by latency"),
        "tiers.select: weights": approximated(
            "the script draws for each request; after a failure the others follow in the order of the policy"
        ),
        "tiers.max_output_tokens": approximated(f"the script lowers max_tokens to it; {thinks}"),
        "tiers.temperature": approximated(f"the script sets it; {thinks}"),
        "tiers.context_tokens": approximated("by the router's own estimate of tokens"),
        "tiers.timeout_s": dropped(f"there is none for a tier; {waiting(given)}"),
        "routing.rules": by_rules, "routing.matrix": by_rules, "routing.raise": by_rules, "routing.floors": by_rules,
        "routing.classifier": by_rules,
        "routing.raise.add_instruction": expressed("the script adds it to the system prompt"),
        "routing.sticky": approximated(f"in the memory of {SERVER}; Claude Code names user and session"),
        "fallbacks": approximated("fallback model-chain of each request; which failures lead to it was not run"),
        "retries": approximated(
            "fallback retry, where the lane has no other models: a request is tried again or goes on, not both"
        ) if chained else approximated("fallback retry with that many tries, after its own kinds of failure and waits"),
        "self_hosted": expressed("a provider of its own, at the address in the environment"),
    }  # fmt: skip
    return {**not_there(), **own}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that it passes over, models that no provider has, seconds for milliseconds, files that are missing."""
    seed = json.loads(files[SEED])
    others = (SCRIPT, DECISION, SERVER, INSTALL)
    if not seed:
        return [f"{one}: there is nothing to route" for one in others if one in files]
    wrong = [f"{one}: is missing" for one in others if one not in files]
    return wrong + seed_faults(seed) + (script_faults(files[SCRIPT], seed) if SCRIPT in files else [])


TARGET = Target("claude-code-router-v3", "claude-code-router 3", VERIFIED, export, faults, reading, by_price)
