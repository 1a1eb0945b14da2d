"""The exact cache against a slow oracle that looks back through everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.reuse import exact
from costctl.reuse.exact import exact_hits


def oracle(entries: list[tuple[int, int]], ttl: int, *, from_last_hit: bool) -> list[int]:
    """For each entry, the last miss of the same key, if it is still alive."""
    found: list[int] = []
    for position, (key, time) in enumerate(entries):
        same = [i for i in range(position) if entries[i][0] == key]
        misses = [i for i in same if found[i] == -1]
        renewed = same[-1:] if from_last_hit else misses[-1:]
        alive = [misses[-1] for i in renewed if time - entries[i][1] < ttl]
        found.append(alive[0] if alive else -1)
    return found


@pytest.mark.parametrize("lanes", [0, 2, 64])
@pytest.mark.parametrize("from_last_hit", [False, True])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40), st.integers(0, 20))
def test_it_agrees_with_the_oracle(lanes: int, from_last_hit: bool, steps: list[tuple[int, int]], ttl: int) -> None:
    time, entries = 0, []
    for key, step in steps:
        time += step
        entries.append((key, time))
    table = np.array(entries, dtype=np.int64).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "LANES_MIN", lanes)
        found = exact_hits(table[:, 0], table[:, 1], ttl, from_last_hit=from_last_hit)
    assert found.tolist() == oracle(entries, ttl, from_last_hit=from_last_hit)


def test_no_lifetime_no_hits() -> None:
    zeros = np.zeros(3, dtype=np.int64)
    assert exact_hits(zeros, zeros, 0).tolist() == [-1, -1, -1]
