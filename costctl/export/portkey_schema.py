"""What may stand in a configuration of the Portkey gateway: it takes misspelt keys and lost names without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costctl.export.shape import NAME, WHOLE, Choice, Items, Keys, Number, Shape, Text
from costctl.policy.keys import unknown

TIER_KEY = "metadata.costctl_tier"
LEAST_MS, MOST_MS = 100, 24 * 3_600_000
"""Fewer milliseconds than this are meant as seconds."""
ATTEMPTS_MAX = 5
_SECRET = Text(r"\$\{[A-Z][A-Z0-9_]*\}", "a reference such as ${NAME}")
_CODE = Number(400, 599, is_whole=True)
_PARAMS = Keys({"model": Text()}, {"max_tokens": WHOLE, "temperature": Number(0, 2)})
_MODEL = Keys(
    {
        "name": NAME, "override_params": _PARAMS,
        "provider": Choice(
            ("openai", "anthropic", "google", "cohere", "groq", "openrouter", "deepseek", "cerebras", "x-ai",
             "mistral-ai", "together-ai", "fireworks-ai", "moonshot", "perplexity-ai", "novita-ai", "z-ai", "bedrock",
             "azure-openai")
        ),
    },
    {
        "api_key": _SECRET, "custom_host": _SECRET, "aws_access_key_id": _SECRET, "aws_secret_access_key": _SECRET,
        "aws_region": _SECRET, "resource_name": _SECRET, "deployment_id": Text(), "api_version": _SECRET,
        "retry": Keys({"attempts": Number(1, ATTEMPTS_MAX, is_whole=True), "on_status_codes": Items(_CODE)}),
        "request_timeout": Number(LEAST_MS, MOST_MS, is_whole=True), "weight": Number(0, 10**6),
    },
)  # fmt: skip
_SHARED = Keys({"name": NAME, "strategy": Keys({"mode": Choice(("loadbalance",))}), "targets": Items(_MODEL, 2)})


@dataclass(frozen=True)
class _Asked(Shape):
    """One model, or several that share."""

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        return (_SHARED if isinstance(value, dict) and "targets" in value else _MODEL).faults(value, at)


_CHAIN = Keys(
    {
        "name": NAME, "targets": Items(_Asked()),
        "strategy": Keys({"mode": Choice(("fallback",)), "on_status_codes": Items(_CODE)}),
    }
)  # fmt: skip
_CONDITION = Keys({"query": Keys({TIER_KEY: Keys({"$eq": Text()})}), "then": NAME})
_SHAPE = Keys(
    {
        "strategy": Keys({"mode": Choice(("conditional",)), "conditions": Items(_CONDITION), "default": NAME}),
        "targets": Items(_CHAIN),
    }
)


def config_faults(config: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a configuration, each with its place."""
    return _SHAPE.faults(config, "") or [*_names(config), *_chains(config["targets"])]


def _names(config: Mapping[str, Any]) -> list[str]:
    """Every chain is entered by one condition, and every condition enters one."""
    strategy = config["strategy"]
    names = [one["name"] for one in config["targets"]]
    taken = [one["then"] for one in strategy["conditions"]]
    asked = [one["query"][TIER_KEY]["$eq"] for one in strategy["conditions"]]
    wrong = [f"strategy.conditions[{at}].then: {unknown(one, names, 'target')}"
             for at, one in enumerate(taken) if one not in names]  # fmt: skip
    if strategy["default"] not in names:
        wrong.append(f"strategy.default: {unknown(strategy['default'], names, 'target')}")
    wrong += [f"targets: {one}: no condition leads there" for one in names if one not in taken]
    wrong += [f"targets: {one}: stands twice" for one in sorted({one for one in names if names.count(one) > 1})]
    return wrong + [f"strategy.conditions: {one}: stands twice" for one in sorted({
        one for one in asked if asked.count(one) > 1})]  # fmt: skip


def _chains(chains: list[dict[str, Any]]) -> list[str]:
    """A chain begins with its own models, asks none twice, and each model has the same settings in every chain."""
    wrong: list[str] = []
    known: dict[str, Any] = {}
    for chain in chains:
        asked = [one["name"] for one in chain["targets"]]
        if asked[0].rpartition("-")[0] != chain["name"]:
            wrong.append(f"targets.{chain['name']}: must begin with a model of its own, not {asked[0]}")
        wrong += [f"targets.{chain['name']}: asks {one} twice" for one in sorted(set(asked)) if asked.count(one) > 1]
        for one in chain["targets"]:
            if known.setdefault(one["name"], one) != one:
                wrong.append(f"targets.{chain['name']}.{one['name']}: differs from the one of that name before it")
            wrong += [f"targets.{one['name']}.{leaf['name']}.weight: is missing"
                      for leaf in one.get("targets", ()) if "weight" not in leaf]  # fmt: skip
    return wrong
