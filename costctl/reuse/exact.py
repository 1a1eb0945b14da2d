"""The exact cache over a log: a dictionary with a time to live, counted from insertion.

A hit does not renew the entry: whether the old answer is still right is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def exact_hits(entries: Iterable[tuple[int, int]], ttl_us: int) -> Iterator[int | None]:
    """For each (key, time in µs) in time order: the position of the entry that answers it.

    `None` is a miss, which inserts. An entry lives while `time - inserted < ttl_us`.

    >>> list(exact_hits([(7, 0), (7, 5), (8, 6), (7, 10), (7, 12)], ttl_us=10))
    [None, 0, None, None, 3]
    """
    inserted: dict[int, tuple[int, int]] = {}
    for position, (key, time_us) in enumerate(entries):
        entry = inserted.get(key)
        if entry is not None and time_us - entry[0] < ttl_us:
            yield entry[1]
        else:
            inserted[key] = (time_us, position)
            yield None
