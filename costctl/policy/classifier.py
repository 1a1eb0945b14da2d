"""The learned router that a policy names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from costctl.policy.schema import Policy

if TYPE_CHECKING:
    from costctl.tiers.learned import Router


def load_classifier(policy: Policy, path: Path) -> Router | None:
    """The router of `routing.classifier`, whose file stands relative to that of the policy; None without the key.

    Raises:
        CostctlError: E450, E451 as `load_router`.
    """
    if policy.routing.classifier is None:
        return None
    from costctl.tiers.router_file import load_router  # noqa: PLC0415  (numpy)

    return load_router(path.parent / policy.routing.classifier.file)
