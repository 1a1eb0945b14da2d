"""The exact cache against a slow oracle that looks back through everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costctl.reuse.exact import exact_hits


def oracle(entries: list[tuple[int, int]], ttl: int) -> list[int | None]:
    """For each entry, the last miss of the same key, if it is still alive."""
    found: list[int | None] = []
    for position, (key, time) in enumerate(entries):
        misses = [i for i in range(position) if entries[i][0] == key and found[i] is None]
        alive = [i for i in misses[-1:] if time - entries[i][1] < ttl]
        found.append(alive[0] if alive else None)
    return found


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40), st.integers(0, 20))
def test_it_agrees_with_the_oracle(steps: list[tuple[int, int]], ttl: int) -> None:
    time, entries = 0, []
    for key, step in steps:
        time += step
        entries.append((key, time))
    assert list(exact_hits(entries, ttl)) == oracle(entries, ttl)


def test_no_lifetime_no_hits() -> None:
    assert list(exact_hits([(1, 0), (1, 0), (1, 5)], 0)) == [None, None, None]
