"""What may stand in the files for claude-code-router 3: its parser drops what it does not know without a word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from costctl.export.claude_code_schema import LANES, PROVIDER_KEYS, Maybe, models_of
from costctl.export.shape import NAME, WHOLE, ByType, Choice, Flag, Items, Keys, Named, Number, Shape, Text
from costctl.policy.keys import unknown

_BODY_MODEL = Choice(("request.body.model",))
_REFERENCE = Text(r"[a-z0-9-]+/\S+", "provider/model")
_COUNT = Number(0, 9_999, is_whole=True)
_PROVIDER = Keys(
    {**PROVIDER_KEYS, "type": Choice(("openai_chat_completions", "anthropic_messages", "gemini_generate_content"))}
)
_FALLBACK = Keys(
    {"mode": Choice(("off", "retry", "model-chain")), "models": Items(_REFERENCE, 0), "retryCount": _COUNT}
)
_SCRIPT = Keys(
    {
        "apiVersion": Choice((1,)), "language": Choice(("javascript",)),
        "file": Text(r"~/\S+/costctl-route\.js", "the path of costctl-route.js"),
        # Fewer are meant as seconds; the router takes no more.
        "timeoutMs": Number(100, 30_000, is_whole=True),
    }
)  # fmt: skip
_RULE_KEYS: Mapping[str, Shape] = {"id": NAME, "name": Text(), "enabled": Flag(), "type": Text()}
_CONDITION = Keys({"left": _BODY_MODEL, "operator": Choice(("not-contains",)), "right": Choice(("/",))})
_REWRITE = Keys({"key": _BODY_MODEL, "operation": Choice(("set",)), "value": _REFERENCE})
_BY_CONDITION: Mapping[str, Shape] = {"condition": _CONDITION, "rewrites": Items(_REWRITE), "fallback": _FALLBACK}
_RULE = ByType(
    "type", {"script": Keys({**_RULE_KEYS, "script": _SCRIPT}), "condition": Keys({**_RULE_KEYS, **_BY_CONDITION})}
)
_SEED = Keys(
    {
        "HOST": Choice(("127.0.0.1",)), "PORT": Number(1, 65_535, is_whole=True), "Providers": Items(_PROVIDER),
        "Router": Keys({"fallback": _FALLBACK, "rules": Items(_RULE)}),
    },
    {"API_TIMEOUT_MS": Number(1_000, 10**9, is_whole=True)},
)  # fmt: skip
_LANE = Keys(
    {
        "max_tokens": Maybe(WHOLE), "temperature": Maybe(Number(0, 2)), "retries": _COUNT,
        "models": Items(Keys({"name": Text(), "asked": _REFERENCE, "weight": Number()})), "chain": Items(_REFERENCE),
    }
)  # fmt: skip


def seed_faults(seed: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a `config.json`, each with its place."""
    wrong = _SEED.faults(seed, "")
    if wrong:
        return wrong
    script, *others = seed["Router"]["rules"]
    kinds = [one["type"] for one in (script, *others)]
    if kinds != ["script", "condition"]:
        return [f"Router.rules: must be the script and then the rule without it, not {', '.join(kinds)}"]
    (default,) = others
    off = [f"Router.rules.{one['id']}: is not enabled" for one in (script, default) if not one["enabled"]]
    known, asked = models_of(seed, "/"), [one["value"] for one in default["rewrites"]]
    place = f"Router.rules.{default['id']}"
    return [*off, *_of_chain(place, asked, known), *_of_fallback(place, default["fallback"], known)]


def script_faults(code: str, seed: Mapping[str, Any]) -> list[str]:
    """Lanes of the script that have a wrong shape, or ask for a model of no provider."""
    found = LANES.search(code)
    if found is None:
        return ["costctl-route.js: LANES is missing"]
    lanes = json.loads(found[1])
    wrong = Named(_LANE, 1).faults(lanes, "costctl-route.js")
    if wrong or _SEED.faults(seed, ""):
        return wrong
    known = models_of(seed, "/")
    for name, lane in lanes.items():
        asked = [one["asked"] for one in lane["models"]]
        place = f"costctl-route.js.{name}"
        wrong += [*_of_chain(place, asked, known), *_of_chain(f"{place}.chain", lane["chain"], known)]
        if lane["chain"][: len(asked)] != list(dict.fromkeys(asked)):
            wrong.append(f"{place}.chain: must begin with the models of the lane")
    return wrong


def _of_chain(place: str, chain: Sequence[str], known: Sequence[str]) -> list[str]:
    wrong = [f"{place}: {unknown(one, known, 'model')}" for one in chain if one not in known]
    return wrong + [f"{place}: asks {one} twice" for one in sorted(set(chain)) if chain.count(one) > 1]


def _of_fallback(place: str, fallback: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """A chain under another mode would not be asked, and a mode without what it needs does nothing."""
    mode, chain = fallback["mode"], fallback["models"]
    wrong = _of_chain(f"{place}.fallback", chain, known)
    if bool(chain) != (mode == "model-chain"):
        wrong.append(f"{place}.fallback.mode: model-chain goes with models, and nothing else does")
    if (fallback["retryCount"] > 0) != (mode == "retry"):
        wrong.append(f"{place}.fallback.retryCount: retry goes with a count, and nothing else does")
    return wrong
