"""How much fuller a semantic cache will be than in the window from which its wrong answers are told.

A cache that still fills answers more requests every day, wrongly too. Where the entries are a sample of like traffic,
a request meets a wrong nearest entry at most so many times more often as there are more entries: with n entries of
which the nearest decides, the chance at a similarity is n·f·F^(n-1), and grows by less than n does. So wrong answers
per request grow by at most `entries`. Per hit they grow less, because right hits become more as well: the
hits are counted, so their growth with the entries is read from the log itself (a power law through the part before
the window and the window), and only what the entries grow beyond it is added.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np

from costctl.reuse import semantic_kernel as kernel
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, Served, ttl_of

GROWN_MIN = 1.1  # from less growth than that no power is read


class Growth(NamedTuple):
    """From the middle of the window to the middle of as many next requests, as factors of at least 1."""

    entries: float = 1.0  # of the live entries: wrong answers per request grow at most so
    wrong_odds: float = 1.0  # of wrong to right hits


def growth(requests: Requests, policy: SemanticPolicy, served: Served, start: int) -> Growth:
    """What is to come after a window that begins at `start`, if as much is kept as in it."""
    count = requests.count
    if count <= start:
        return Growth()
    times = requests.visits.times_us
    is_entry = (served.outcome != kernel.SERVED) & requests.is_kept & (requests.visits.node >= 0)
    kept_at = np.flatnonzero(is_entry)
    if not len(kept_at):
        return Growth()
    ttls = ttl_of(times[kept_at], policy.ttls)
    ends_at = np.sort(np.searchsorted(times, times[kept_at] + ttls, side="left"))
    place = np.arange(count)
    live = np.searchsorted(kept_at, place, side="left") - np.searchsorted(ends_at, place, side="right")
    half_us = int(times[-1] - times[start]) // 2
    middle_us = int(times[-1]) + half_us
    still = int(np.count_nonzero(times[kept_at] + ttls > middle_us))
    new = int(np.count_nonzero(kept_at >= start)) / 2 * min(1.0, int(ttls[-1]) / half_us if half_us else 1.0)
    now, then, before = float(live[start:].mean()), still + new, float(live[:start].mean()) if start else 0.0
    if policy.capacity is not None:
        most = float(policy.capacity)
        now, then, before = min(now, most), min(then, most), min(before, most)
    entries = max(1.0, then / now) if now else 1.0
    is_hit = (served.outcome == kernel.SERVED) & ~served.is_own_prompt
    power = _power(is_hit, start, now, before)
    return Growth(entries, float(entries ** (1 - power)))


def _power(is_hit: np.ndarray, start: int, now: float, before: float) -> float:
    """With which power of the entries the hits have grown, from 0 to 1; 0 where the log does not show it."""
    if not start or before <= 0 or now < GROWN_MIN * before:
        return 0.0
    earlier, later = float(is_hit[:start].mean()), float(is_hit[start:].mean())
    if earlier <= 0 or later <= earlier:
        return 0.0
    return min(1.0, log(later / earlier) / log(now / before))


def odds_times(share: float, factor: float) -> float:
    """The share whose odds are so many times those of `share`.

    >>> odds_times(0.25, 3), odds_times(1.0, 3)
    (0.5, 1.0)
    """
    return share * factor / (share * factor + 1 - share) if share < 1 else 1.0
