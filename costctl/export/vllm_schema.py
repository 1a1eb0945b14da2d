"""The closed schema of what costctl writes for the vLLM semantic router.

Its own validator lets through a timeout of "36 parsecs" and 99 attempts, so values are judged here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from costctl.export.shape import (
    SECONDS,
    SHARE,
    VARIABLE,
    WHOLE,
    ByType,
    Choice,
    Flag,
    Items,
    Keys,
    Number,
    Shape,
    Text,
)
from costctl.policy.keys import unknown

_FEATURE = Keys(
    {
        "type": Choice(("exists", "count")),
        "source": ByType(
            "type",
            {
                "regex": Keys({"type": Text(), "pattern": Text()}),
                "message": Keys({"type": Text(), "role": Choice(("user",))}),
                "tool_definition": Keys({"type": Text()}),
                "image_content": Keys({"type": Text()}),
            },
        ),
    }
)
_NUMBER = Keys({}, dict.fromkeys(("gt", "gte", "lt", "lte"), Number()))
_FORM = Items(Keys({"name": Text(), "feature": _FEATURE}, {"predicate": _NUMBER}))
_SIGNALS = Keys(
    {},
    {
        "context": Items(Keys({"name": Text(), "min_tokens": Text("[0-9]+", "a number of tokens in quotes")})),
        "structure": _FORM, "conversation": _FORM,
        "metadata": Items(Keys({"name": Text(), "key": Text(), "predicate": Keys({"in": Items(Text())})})),
    },
)  # fmt: skip
_CACHE = Keys(
    {
        "enabled": Flag(), "mode": Choice(("exact", "semantic", "exact_then_semantic")),
        "scope": Choice(("user", "team", "global")), "ttl_seconds": WHOLE,
        "request_controls": Keys(
            {"enabled": Flag(), "header": Text(), "allowed": Items(Choice(("no-cache", "no-store", "bypass")))}
        ),
    },
    {"semantic": Keys({"similarity_threshold": SHARE})},
)  # fmt: skip
_PLUGINS = {
    "request_params": Keys({"default_max_tokens": WHOLE, "max_tokens_limit": WHOLE}),
    "system_prompt": Keys({"enabled": Flag(), "mode": Choice(("insert",)), "system_prompt": Text()}),
    "response_cache": _CACHE,
    "prompt_cache": Keys(
        {"enabled": Flag(), "ttl": Choice(("5m", "1h")), "on_unsupported": Choice(("skip", "reject"))}
    ),
}
_PLUGIN = ByType("type", {kind: Keys({"type": Text(), "configuration": one}) for kind, one in _PLUGINS.items()})


class _Tree(Shape):
    """A rule tree: groups of conditions, and references to signals."""

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        if isinstance(value, dict) and "operator" in value:
            group = Keys({"operator": Choice(("AND", "OR", "NOT")), "conditions": Items(_Tree(), least=0)})
            wrong = group.faults(value, at)
            is_not = value["operator"] == "NOT" and not wrong and len(value["conditions"]) != 1
            return [*wrong, *[f"{at}.conditions: NOT has just one"] * is_not]
        kinds = Choice(("context", "structure", "conversation", "metadata"))
        return Keys({"type": kinds, "name": Text()}).faults(value, at)


_DECISION = Keys(
    {
        "name": Text(), "priority": WHOLE, "rules": _Tree(),
        "modelRefs": Items(Keys({"model": Text(), "use_reasoning": Flag()})),
        "algorithm": Keys({"type": Choice(("static",))}),
    },
    {"plugins": Items(_PLUGIN)},
)  # fmt: skip
_FALLBACK = Keys(
    {
        "version": Choice((1,)), "enabled": Flag(), "max_attempts": Number(1, 20, is_whole=True),
        "retryable_status_codes": Items(Number(400, 599, is_whole=True)),
    },
    {
        "per_attempt_timeout": SECONDS, "total_timeout": SECONDS,
        "circuit_breaker": Keys({"consecutive_failures": WHOLE, "cooldown_period": SECONDS, "half_open_probes": WHOLE}),
    },
)  # fmt: skip
_BACKEND = Keys(
    {"name": Text(), "provider": Text(), "api_key_env": VARIABLE},
    {"base_url": Text(r"http://\$\{[A-Z0-9_]+\}/v1", "an address with a host such as ${NAME}")},
)
_CONFIG = Keys(
    {
        "version": Choice(("v0.3",)),
        "listeners": Items(
            Keys({"name": Text(), "address": Text(), "port": Number(1, 65_535, is_whole=True), "timeout": SECONDS})
        ),
        "providers": Keys(
            {
                "defaults": Keys({"model": Text()}),
                "models": Items(
                    Keys(
                        {"name": Text(), "provider_model_id": Text(), "backend_refs": Items(_BACKEND)},
                        {
                            "pricing": Keys(
                                {"currency": Choice(("USD",)), "prompt_per_1m": Number(), "completion_per_1m": Number()}
                            ),
                            "reliability": Keys({"retry_count": WHOLE, "retry_on": Text()}),
                        },
                    )
                ),
            }
        ),
        "routing": Keys(
            {
                "strategy": Choice(("priority",)),
                "modelCards": Items(Keys({"name": Text()}, {"context_window_size": WHOLE})),
                "decisions": Items(_DECISION),
            },
            {"signals": _SIGNALS, "fallback": _FALLBACK},
        ),
    },
    {
        "global": Keys(
            {
                "stores": Keys(
                    {
                        "response_cache": Keys(
                            {"enabled": Flag(), "backend_type": Choice(("memory", "redis")), "ttl_seconds": WHOLE},
                            {"max_entries": WHOLE},
                        )
                    }
                )
            }
        )
    },
)


def faults_of(config: Any) -> list[str]:
    """Everything that is wrong: keys and values, then names that nobody has, then what can never be reached."""
    wrong = _CONFIG.faults(config, "")
    return wrong or [*_references(config), *_order(config["routing"])]


def _references(config: dict[str, Any]) -> Iterator[str]:
    routing = config["routing"]
    models = {one["name"] for one in config["providers"]["models"]}
    default = config["providers"]["defaults"]["model"]
    if default not in models:
        yield f"providers.defaults.model: {default}: {unknown(default, sorted(models), 'model')}"
    yield from (f"routing.modelCards: {one} has no card" for one in sorted(models - _names(routing["modelCards"])))
    signals = {(family, one["name"]) for family, rules in routing.get("signals", {}).items() for one in rules}
    used: set[str] = set()
    for decision in routing["decisions"]:
        for ref in decision["modelRefs"]:
            used.add(ref["model"])
            if ref["model"] not in models:
                yield f"{decision['name']}: {ref['model']}: {unknown(ref['model'], sorted(models), 'model')}"
        for leaf in _leaves(decision["rules"]):
            if leaf not in signals:
                names = sorted(name for family, name in signals if family == leaf[0])
                yield f"{decision['name']}: {leaf[1]}: {unknown(leaf[1], names, f'{leaf[0]} signal')}"
    yield from (f"providers.models: no decision asks {one}" for one in sorted(models - used))
    for rules in routing.get("signals", {}).values():
        for one in rules:
            yield from _pattern_faults(one)


def _pattern_faults(signal: dict[str, Any]) -> Iterator[str]:
    """Patterns must be of the syntax that its engine takes: no looking around, no references back."""
    pattern = signal.get("feature", {}).get("source", {}).get("pattern")
    if pattern is not None and re.search(r"\(\?<?[=!]|\\[1-9]", pattern):
        yield f"{signal['name']}: its pattern looks around or back"
    if (signal.get("feature", {}).get("type") == "count") != ("predicate" in signal) and "feature" in signal:
        yield f"{signal['name']}: a predicate goes with count, and only with it"


def _order(routing: dict[str, Any]) -> Iterator[str]:
    """Priorities fall from decision to decision, and nothing stands behind one that always holds."""
    decisions = routing["decisions"]
    for one, two in pairwise(decisions):
        if one["priority"] <= two["priority"]:
            yield f"{two['name']}: its priority must be below that of {one['name']}"
        if one["rules"].get("conditions") == []:
            yield f"{two['name']}: can never be reached behind {one['name']}"
    names = [one["name"] for one in decisions]
    yield from (f"{one}: stands twice" for one in sorted({one for one in names if names.count(one) > 1}))
    fallback = routing.get("fallback", {})
    longest = max(len(one["modelRefs"]) for one in decisions)
    if fallback.get("max_attempts", longest) < longest:
        yield f"fallback.max_attempts: {longest} models stand in a decision"


def _names(items: list[dict[str, Any]]) -> set[str]:
    return {one["name"] for one in items}


def _leaves(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The family and name of each signal that a tree asks for."""
    if "operator" not in tree:
        yield tree["type"], tree["name"]
    for one in tree.get("conditions", []):
        yield from _leaves(one)
