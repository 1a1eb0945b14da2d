"""What a target makes of a policy, as its export here writes it."""

from __future__ import annotations

from costctl.export.litellm_config import total_provider
from costctl.export.litellm_lanes import written
from costctl.export.resolved import Resolved
from costctl.policy.as_litellm import as_litellm
from costctl.policy.schema import Policy
from costctl.policy.targets import SIMULATED, Change


def carried_out(given: Resolved, name: str) -> tuple[Policy, tuple[Change, ...]]:
    """The policy as the target of that name, one of `SIMULATED`, carries it out, and each difference.

    Raises:
        CostctlError: E478 as `as_litellm`.
    """
    assert name in SIMULATED
    has_one_provider = total_provider(given) is not None
    return as_litellm(
        given.policy, written(given, is_plugin=name == "litellm-plugin", has_one_provider=has_one_provider)
    )
