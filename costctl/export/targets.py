"""The routers that costctl writes configurations for: one file each, and a line here."""

from __future__ import annotations

from collections.abc import Sequence

from costctl.errors import CostctlError, Problem
from costctl.export import (
    bifrost,
    claude_code_router,
    claude_code_router_v3,
    cloudflare,
    envoy,
    generic,
    gptcache,
    langcache,
    litellm,
    openrouter,
    portkey,
    routellm,
    runbook,
    switchyard,
    vllm_semantic_router,
)
from costctl.export.base import Exported, Target
from costctl.export.resolved import Resolved
from costctl.policy.keys import unknown

TARGETS: tuple[Target, ...] = (
    litellm.NATIVE, litellm.PLUGIN_TARGET, portkey.TARGET, claude_code_router.TARGET,
    claude_code_router_v3.TARGET, openrouter.TARGET, vllm_semantic_router.TARGET,
    routellm.TARGET, gptcache.TARGET, langcache.TARGET,
    cloudflare.TARGET, envoy.TARGET, bifrost.TARGET, switchyard.TARGET,
    generic.TARGET, runbook.TARGET,
)  # fmt: skip


def target_of(name: str) -> Target:
    """The target of that name.

    Raises:
        CostctlError: E471 for a name that no target has.
    """
    for target in TARGETS:
        if target.name == name:
            return target
    raise CostctlError("E471", f"{name}: {unknown(name, (target.name for target in TARGETS), 'target')}")


def exported(given: Resolved, names: Sequence[str]) -> list[tuple[Target, Exported]]:
    """The files and losses of each target, in the order of the names.

    Raises:
        CostctlError: E471 as `target_of`, E474 where a target has no room for a value of the policy.
    """
    made = []
    for target in map(target_of, names):
        found = target.export(given)
        wrong = target.faults(found.files)
        if wrong:
            raise CostctlError(
                "E474", f"{target.name} takes no such value: {wrong[0]}",
                "change the policy there, or leave this target out of export.targets", problems=tuple(
                    Problem(target.name, None, None, "", one) for one in wrong
                ) if len(wrong) > 1 else (),
            )  # fmt: skip
        made.append((target, found))
    return made
