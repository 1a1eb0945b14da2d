"""From parsed records to raw columns: where each value of a format lies, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costctl.formats.base import LogFormat, Record
from costctl.formats.generic import folded, opened, take
from costctl.formats.usual import USAGE_KEYS

Values = list[Any]
RawColumns = dict[str, Values]
Ways = dict[frozenset[str], list[tuple[str, list[tuple[str, ...]]]]]
"""By the keys of a batch's records: the columns with those of their paths that begin with one of the keys."""
_FOLDED_USAGE = frozenset(map(folded, USAGE_KEYS))  # a table may hold these as JSON text


def raw_columns(records: Sequence[Record], log_format: LogFormat, ways: Ways) -> RawColumns:
    """The format's columns, each as a list as long as the batch; absent ones are left out.

    Only paths that occur in the batch are walked, so a long list of synonyms costs nothing and
    a key that appears late in a file is still seen. `ways` remembers between batches of one format
    which paths those can be: to look for all of them took 5 % of an audit.
    """
    batch = _Batch(records, is_loose=log_format.name == "generic")
    columns: RawColumns = {}
    for name, alternatives in batch.ways(log_format, ways):
        values: Values | None = None
        for path in dict.fromkeys(map(batch.spelled, alternatives)):
            found = batch.along(path)
            if found is None:
                continue
            if values is None:
                values = found
            elif None in values:
                values = [other if one is None else one for one, other in zip(values, found, strict=True)]
        if values is not None and any(value is not None for value in values):
            columns[name] = values
    for name, value in log_format.constants.items():
        columns[name] = [value if one is None else one for one in columns.get(name, [None] * len(records))]
    return columns


class _Batch:
    """Values along paths through many records; each inner object is looked up once.

    A loose batch also finds keys that are spelled otherwise than its format spells them.
    """

    def __init__(self, records: Sequence[Record], *, is_loose: bool) -> None:
        self._is_loose = is_loose
        self._spellings: dict[tuple[str, ...], dict[str, str]] = {}
        self._values: dict[tuple[str, ...], Sequence[Any]] = {(): records}
        # Columns of a level whose objects all have the same keys in the same order.
        self._equal: dict[tuple[str, ...], dict[str, Values] | None] = {}
        self._keys: dict[tuple[str, ...], frozenset[str]] = {}
        self._look_into((), records)

    def ways(self, log_format: LogFormat, known: Ways) -> list[tuple[str, list[tuple[str, ...]]]]:
        """The columns that records with these keys may have, and where."""
        keys = self._keys[()]
        found = known.get(keys)
        if found is None:
            possible = (
                (name, [path for path in paths if self.spelled(path[:1])[0] in keys])
                for name, paths in log_format.columns.items()
            )
            found = known[keys] = [(name, paths) for name, paths in possible if paths]
        return found

    def spelled(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The path as the keys of this batch spell it."""
        if not self._is_loose:
            return path
        outer: tuple[str, ...] = ()
        for key in path:
            if outer not in self._values:
                self._look_into(outer, self.along(outer) or ())
            present = self._keys[outer]
            if outer not in self._spellings:
                self._spellings[outer] = {folded(other): other for other in sorted(map(str, present), reverse=True)}
            outer = (*outer, key if key in present else self._spellings[outer].get(folded(key), key))
        return outer

    def along(self, path: tuple[str, ...]) -> Values | None:
        """The value of each record at a path, or None where no record has its last key."""
        outer, key = path[:-1], path[-1]
        if outer not in self._values:
            self._look_into(outer, self.along(outer) or ())
        if key not in self._keys[outer]:
            return None
        equal = self._equal[outer]
        if equal is not None:
            return equal[key]
        if not outer:
            return [record.get(key) for record in self._values[()]]
        return [
            value.get(key) if type(value) is dict else take(value, (key,)) if type(value) is list else None
            for value in self._values[outer]
        ]

    def _look_into(self, outer: tuple[str, ...], values: Sequence[Any]) -> None:
        if self._is_loose and outer and folded(outer[-1]) in _FOLDED_USAGE and str in set(map(type, values)):
            values = [opened(value) for value in values]
        self._values[outer] = values
        equal = self._equal[outer] = _transposed(values)
        self._keys[outer] = _all_keys(values) if equal is None else frozenset(equal)


def _transposed(values: Sequence[Any]) -> dict[str, Values] | None:
    """Columns by key, where every value is an object with the same keys; what most logs are."""
    if set(map(type, values)) != {dict} or len(set(map(tuple, values))) != 1:
        return None
    return dict(zip(values[0], map(list, zip(*map(dict.values, values), strict=True)), strict=True))


def _all_keys(values: Sequence[Any]) -> frozenset[str]:
    found: set[str] = set()
    for value in values:
        if type(value) is dict:
            found.update(value)
        elif type(value) is list:
            found.update(map(str, range(len(value))))
    return frozenset(found)
