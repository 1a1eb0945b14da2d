"""What may stand in the files for claude-code-router: it takes misspelt keys and unknown models without a word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from costctl.export.shape import NAME, WHOLE, Choice, Flag, Items, Keys, Named, Number, Shape, Text
from costctl.policy.keys import unknown

_ASKED = Text(r"[a-z0-9-]+,\S+", "provider,model")
PROVIDER_KEYS: Mapping[str, Shape] = {
    "name": NAME, "models": Items(Text(r"\S+", "a model")),
    "api_key": Text(r"\$[A-Z][A-Z0-9_]*", "a reference such as $NAME"),
    "api_base_url": Text(r"https://[^\s$]+|\$\{[A-Z][A-Z0-9_]*\}/\S+", "https://... or ${NAME}/..."),
}  # fmt: skip
_PROVIDER = Keys(
    PROVIDER_KEYS,
    {"transformer": Keys({"use": Items(Choice(("Anthropic", "openrouter", "deepseek", "groq", "gemini")))})},
)  # fmt: skip
_CONFIG = Keys(
    {
        "HOST": Choice(("127.0.0.1",)), "PORT": Number(1, 65_535, is_whole=True), "LOG": Flag(),
        "Providers": Items(_PROVIDER), "Router": Keys(dict.fromkeys(("default", "background", "think"), _ASKED)),
        "fallback": Named(Items(_ASKED)), "CUSTOM_ROUTER_PATH": Text(r"\$HOME/\S+/router\.js", "the path of router.js"),
    },
    # Fewer are meant as seconds.
    {"API_TIMEOUT_MS": Number(1_000, 10**9, is_whole=True)},
)  # fmt: skip
LANES = re.compile(r"(?ms)^const LANES = (\{.*?^\});$")


class Maybe(Shape):
    """A value of this shape, or none."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        return [] if value is None else self._shape.faults(value, at)


_LANE = Keys(
    {
        "max_tokens": Maybe(WHOLE), "temperature": Maybe(Number(0, 2)),
        "models": Items(Keys({"name": Text(), "asked": _ASKED, "weight": Number(), "scenario": NAME})),
    }
)  # fmt: skip


def config_faults(config: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a `config.json`, each with its place."""
    wrong = _CONFIG.faults(config, "")
    if wrong:
        return wrong
    known = models_of(config)
    wrong = [f"Router.{name}: {unknown(one, known, 'model')}"
             for name, one in config["Router"].items() if one not in known]  # fmt: skip
    for name, chain in config["fallback"].items():
        wrong += [f"fallback.{name}: {unknown(one, known, 'model')}" for one in chain if one not in known]
        wrong += [f"fallback.{name}: asks {one} twice" for one in sorted(set(chain)) if chain.count(one) > 1]
    return wrong


def router_faults(code: str, config: Mapping[str, Any]) -> list[str]:
    """Lanes of the router that have a wrong shape, a model of no provider, or fallbacks that no lane has."""
    found = LANES.search(code)
    if found is None:
        return ["router.js: LANES is missing"]
    lanes = json.loads(found[1])
    wrong = Named(_LANE, 1).faults(lanes, "router.js")
    if wrong or _CONFIG.faults(config, ""):
        return wrong
    known = models_of(config)
    asked = [(name, one["asked"]) for name, lane in lanes.items() for one in lane["models"]]
    wrong = [f"router.js.{name}: {unknown(one, known, 'model')}" for name, one in asked if one not in known]
    asking = {one["scenario"]: one["asked"] for lane in lanes.values() for one in lane["models"]}
    scenarios = {*asking, *config["Router"]}
    every = {**config["Router"], **asking}
    wrong += [f"fallback.{name}: asks {one} again, which has failed"
              for name, one in every.items() if one in config["fallback"].get(name, ())]  # fmt: skip
    return wrong + [f"fallback.{one}: {unknown(one, scenarios, 'scenario')}"
                    for one in config["fallback"] if one not in scenarios]  # fmt: skip


def models_of(config: Mapping[str, Any], between: str = ",") -> list[str]:
    """Every model of the providers, as the router is asked for it."""

    def each() -> Iterator[str]:
        for provider in config["Providers"]:
            yield from (f"{provider['name']}{between}{one}" for one in provider["models"])

    return list(each())
