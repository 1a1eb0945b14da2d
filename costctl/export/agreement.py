"""The agreement of exports with the policy, as it stands in their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from costctl.export.base import DECIDING, Agreement, Exported, Target

Measured = Mapping[str, Mapping[str, Agreement]]
"""By target and part of the policy; `ALL` are all calls."""
ALL = "routing"


def with_agreement(made: Sequence[tuple[Target, Exported]], found: Measured) -> list[tuple[Target, Exported]]:
    """The exports with what was measured of each part."""
    return [
        (target, replace(one, losses=tuple(
            loss._replace(agreement=_of_part(found.get(target.name, {}), loss.part)) for loss in one.losses
        ), agreement=found.get(target.name, {}).get(ALL)))
        for target, one in made
    ]  # fmt: skip


def _of_part(found: Mapping[str, Agreement], part: str) -> Agreement | None:
    """Of a part that decides no call of a measured log: no calls, which is not the same as not measured."""
    return found.get(part, Agreement(0, 0) if ALL in found and part in DECIDING else None)
