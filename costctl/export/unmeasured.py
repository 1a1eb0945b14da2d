"""Why the agreement of an approximated part is not measured on the user's log."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from costctl.export.base import DECIDING, Loss, Target
from costctl.export.resolved import Resolved
from costctl.policy.parts import PARTS

NO_LOG = "name a log that has its prompts: --log LOG, or --measure"
_ASKED = "the caller names the tier, and no log says which one it will name"
_ANSWERS = "it changes what is answered, not who answers, and no log has the other answer"
_COUNTS = "the router counts tokens in a way of its own, which was not run on a log"
_LOGGED = "what the router takes instead depends on its own settings"
_FAILURES = "which failures the router counts, and how long it waits, was not run on a log"
_SPEND = "what the router counts as spent was not run on a log"
_CACHE = "its keys and similarities are made of texts by the product itself, which was not run on a log"
REASONS: Mapping[str, str] = {
    "tiers": _ASKED, "specialists": _ASKED, "tiers.models.logged": _LOGGED, "routing.default: logged": _LOGGED,
    "tiers.select: weights": "both draw by chance, and no two draws are alike",
    "tiers.max_output_tokens": _ANSWERS, "tiers.temperature": _ANSWERS, "tiers.context_tokens": _COUNTS,
    "routing.sticky": "it depends on how many processes the router runs and on what the caller sends of sessions",
    "tiers.timeout_s": _FAILURES, "fallbacks": _FAILURES, "retries": _FAILURES, "kill_switch": _FAILURES,
    **{part: _SPEND for part in PARTS if part.startswith("budgets.")}, "limits": _SPEND,
    "cache.exact": _CACHE, "cache.semantic": _CACHE,
    "cache.prompt": "what a provider keeps depends on where the router marks the prompt, which was not run on a log",
    "self_hosted": "the address of the engine says nothing of where calls go",
}  # fmt: skip
"""By part, where nothing else is known of a target."""


def measurable(target: Target, given: Resolved) -> frozenset[str]:
    """The parts of which a log could tell the agreement."""
    decides = target.reading is not None and target.reading(given) is not None
    return frozenset((*(DECIDING if decides else ()), *(target.apart(given) if target.apart is not None else ())))


def why_not(loss: Loss, parts: Collection[str]) -> str | None:
    """The reason, with the parts that are `measurable`; None for a part that is measured, or not approximated."""
    if loss.kind != "approximated" or loss.agreement is not None:
        return None
    if loss.part in parts:
        return NO_LOG
    return REASONS.get(loss.part, "it was not run on a log")
