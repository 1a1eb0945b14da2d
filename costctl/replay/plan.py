"""What each stage with state brings to the walk: columns over the calls, and its rules in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from costctl.replay.calls import Code, Flag, Int, Small
from costctl.replay.kernel import (
    DEGRADED,
    ESCALATED,
    EXACT_CACHE,
    FAILED,
    FELL_BACK,
    KILLED,
    LIMITED,
    NONE,
    OVER_BUDGET,
    OVERSPENT,
    PROVIDER,
    QUEUED,
    REFRESHED,
    REFUSED,
    SEMANTIC_CACHE,
)
from costctl.reuse.neighbours import Graph
from costctl.reuse.semantic_cache import Ttls

if TYPE_CHECKING:
    from costctl.replay.chains import Attempting

SERVED_BY = ("provider", "exact_cache", "refused", "failed", "semantic_cache")
NO_ENTRY = NO_CAP = NONE
ANY_LANE = NONE


@dataclass(frozen=True)
class ExactCache:
    """Stage 2. `key` is dense from 0; below 0 a call is never looked up nor kept.

    `bar` says why, per call: its number in `bars`, 0 for one that is looked up.
    """

    key: Code
    is_kept: Flag
    ttl_us: int
    is_from_last_hit: bool = False
    capacity: int | None = None
    bar: Small | None = None
    bars: tuple[str, ...] = ()

    @property
    def is_blind(self) -> bool:
        """Whether no call has a key of its prompt (the first bar), so that nothing can be said of hits."""
        return self.bar is not None and len(self.bar) > 0 and bool((self.bar == 1).all())


@dataclass(frozen=True)
class SemanticCache:
    """Stage 3. `node` is dense from 0, the prompt within its scope; below 0 a call is never looked up nor kept.

    `guard` goes by node. `refresh_lane` answers what is at least `lowest_ppb` and below `serve_min_ppb` similar.
    """

    node: Code
    is_kept: Flag
    ttls: Ttls
    ttl_us: Int  # of what is kept at each call's time
    guard: Int
    graph: Graph
    serve_min_ppb: int
    lowest_ppb: int
    refresh_lane: int = 0


@dataclass(frozen=True)
class Cap:
    """One cap per UTC day. `unit` (per call) says whose counter it charges; -1 is not concerned.

    `limit` is picodollars or tokens; `lane` narrows it to one tier.
    """

    title: str
    unit: Code
    limit: int
    is_tokens: bool = False
    lane: int = ANY_LANE


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _dollars(pusd: int) -> str:
    return f"${_plain(Decimal(pusd).scaleb(-12))}"


@dataclass(frozen=True)
class Budgets:
    """Stage 5: what a policy says about budgets, in numbers."""

    caps: tuple[Cap, ...] = ()
    share_of_lane: tuple[tuple[int, int, int], ...] = ()  # (lane, over, under): share as an exact fraction
    request_max_pusd: int | None = None
    is_refusing: bool = False
    goes_below_floor: bool = False
    is_filtering: bool = False  # lanes over their caps are passed over, see `SpendFilter`

    @property
    def titles(self) -> tuple[str, ...]:
        """What `Decisions.cap` numbers: the caps, then that on one request, then that on a tier's share."""
        return (*(cap.title for cap in self.caps), "usd_per_request_max", "max_share_per_day")

    def limits(self, lane_names: Sequence[str]) -> tuple[str, ...]:
        """The limit of each of `titles` as people read it; shares by the names of their tiers."""
        caps = [f"{cap.limit:,} tokens" if cap.is_tokens else _dollars(cap.limit) for cap in self.caps]
        most = "none" if self.request_max_pusd is None else _dollars(self.request_max_pusd)
        shares = [
            f"{lane_names[lane]} {_plain(Decimal(over) * 100 / Decimal(under))}%"
            for lane, over, under in self.share_of_lane
        ]
        return (*caps, most, ", ".join(shares))

    @property
    def units(self) -> tuple[str, ...]:
        """What `Decisions.cap_used` counts for each of `titles`."""
        return (*("tokens" if cap.is_tokens else "usd" for cap in self.caps), "usd", "calls")

    @property
    def says_something(self) -> bool:
        """Whether there is any cap."""
        return bool(self.caps or self.share_of_lane or self.request_max_pusd is not None)


@dataclass(frozen=True)
class Plan:
    """The stages with state that a policy needs; `session` is that of sticky routing, -1 where there is none."""

    cache: ExactCache | None = None
    semantic: SemanticCache | None = None
    session: Code | None = None
    budgets: Budgets | None = None
    floor: Code | None = None
    attempts: Attempting | None = None

    @property
    def has_state(self) -> bool:
        """Whether the walk is needed at all."""
        return any(part is not None for part in (self.cache, self.semantic, self.session, self.budgets, self.attempts))


__all__ = [
    "ANY_LANE", "DEGRADED", "ESCALATED", "EXACT_CACHE", "FAILED", "FELL_BACK", "KILLED", "LIMITED", "NO_CAP",
    "NO_ENTRY", "OVERSPENT", "OVER_BUDGET", "PROVIDER", "QUEUED", "REFRESHED", "REFUSED", "SEMANTIC_CACHE", "SERVED_BY",
    "Budgets", "Cap", "ExactCache", "Plan", "SemanticCache",
]  # fmt: skip
