"""What targets that only cache share: they carry no other part of a policy."""

from __future__ import annotations

from collections.abc import Mapping

from costctl.export.base import Carried, dropped
from costctl.policy.parts import PARTS
from costctl.policy.stages import SeasonTtl


def only_cached(product: str, own: Mapping[str, Carried]) -> dict[str, Carried]:
    """Every part: those of `own`, and that the router beside the cache must do the others."""
    says = f"{product} only caches: let a router before or behind it do this, such as the target litellm-plugin"
    return {**dict.fromkeys(PARTS, dropped(says)), **own}


def shortest_s(ttls: tuple[SeasonTtl, ...]) -> int:
    """The shortest time to live of all seasons, in whole seconds, at least one."""
    return max(min(one.ttl_us for one in ttls) // 1_000_000, 1)
