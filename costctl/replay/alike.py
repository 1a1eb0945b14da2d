"""How many calls end alike under two policies: with the same model, the same kept answer, or with nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.policy.apart import Apart
from costctl.policy.schema import Policy
from costctl.replay.again import Main, knows_hits
from costctl.replay.notes import Replay
from costctl.replay.plan import FAILED, PROVIDER, REFUSED

_NOBODY = {REFUSED: -1, FAILED: -2}
_KEPT = -3
Int = NDArray[np.int64]


class _End(NamedTuple):
    """Where each call ends and how late, and whether the log tells enough for the caches of the policy."""

    place: Int
    latency_us: Int
    knows_hits: bool


class Alike:
    """Replays policies over the calls of a simulation, each once."""

    def __init__(self, main: Main) -> None:
        self._main = main
        self._models: dict[str, int] = {}
        self._known: list[tuple[Policy, _End]] = [(main.policy, self._end(main.policy, main.done))]

    def counts(self, parts: Iterable[tuple[str, Apart]]) -> dict[str, tuple[int, int]]:
        """Of each part how many calls end alike, of how many; not of a cache that this log does not let play."""
        found = {}
        for part, apart in parts:
            here, there = self._of(apart.written), self._of(apart.done)
            if part.startswith("cache.") and not (here.knows_hits and there.knows_hits):
                continue
            alike = here.place == there.place
            if apart.is_timed:
                alike &= here.latency_us == there.latency_us
            found[part] = (int(np.count_nonzero(alike)), len(alike))
        return found

    def _of(self, policy: Policy) -> _End:
        for other, end in self._known:
            if other == policy:
                return end
        done = self._main.replayed(self._main.done.calls, policy, self._main.book, self._main.known)
        self._known.append((policy, self._end(policy, done)))
        return self._known[-1][1]

    def _end(self, policy: Policy, done: Replay) -> _End:
        made = done.decisions
        names = [self._models.setdefault(name, len(self._models)) for name in done.lanes.models]
        place = np.asarray(names, dtype=np.int64)[done.lanes.take("model", made.lane)]
        place = np.where(made.is_cached, _KEPT - made.answered_by.astype(np.int64), place)
        for served_by, code in _NOBODY.items():
            place[made.served_by == served_by] = code
        assert set(np.unique(made.served_by[place >= 0]).tolist()) <= {PROVIDER}
        return _End(place, done.latency.policy_us, knows_hits(policy, done))
