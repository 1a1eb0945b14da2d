"""The agreement of exports with the policy, as it stands in their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from costctl.export.base import DECIDING, Agreement, Exported, Target
from costctl.export.resolved import Resolved
from costctl.export.unmeasured import measurable, why_not

Measured = Mapping[str, Mapping[str, Agreement]]
"""By target and part of the policy; `ALL` are all calls."""
ALL = "routing"


def with_agreement(
    given: Resolved, made: Sequence[tuple[Target, Exported]], found: Measured
) -> list[tuple[Target, Exported]]:
    """The exports with what was measured of each part, or why it was not."""

    def told(target: Target, one: Exported) -> Exported:
        known, parts = found.get(target.name, {}), measurable(target, given)
        agreed = [loss._replace(agreement=_of_part(known, loss.part)) for loss in one.losses]
        losses = tuple(loss._replace(not_measured=why_not(loss, parts)) for loss in agreed)
        return replace(one, losses=losses, agreement=known.get(ALL))

    return [(target, told(target, one)) for target, one in made]


def _of_part(found: Mapping[str, Agreement], part: str) -> Agreement | None:
    """Of a part that decides no call of a measured log: no calls, which is not the same as not measured."""
    return found.get(part, Agreement(0, 0) if ALL in found and part in DECIDING else None)
