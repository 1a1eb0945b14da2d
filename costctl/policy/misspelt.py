"""Keys that are nearly known ones: what stands below them is read as if they were written right.

Otherwise a mistake below a misspelt key shows only when the key is mended, and everything that names
what the key holds, such as tiers, is called unknown too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from costctl.policy.keys import Faults, nearest_of
from costctl.policy.schema import Policy
from costctl.policy.source import Place


class Spelling:
    """The values of a file with its misspelt keys set right, and the way back to what the file says."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.policy: Policy | None = None
        """None where the form of these values is wrong too."""
        self.faults: Faults = []
        """All that is wrong with the form of the file, at the places of the file."""
        self.misspelt: set[Place] = set()
        self._written: dict[Place, str] = {}
        found = self._read()
        while sum(self._mend(place, message) for place, message in found):
            found = self._read()
        self.faults += [(self.as_written(place), message) for place, message in found]

    def as_written(self, place: Place) -> Place:
        """A place in the file itself."""
        return tuple(self._written.get(place[: at + 1], part) for at, part in enumerate(place))

    def _read(self) -> Faults:
        try:
            self.policy = Policy.model_validate(self.values)
        except ValidationError as error:
            return [(one["loc"], one["msg"]) for one in error.errors(include_url=False)]
        return []

    def _mend(self, place: Place, message: str) -> bool:
        """Write the key that is meant here, if something stands below and the mapping has it not yet; whether it is so.

        Of a single value nobody is sure whose it is.
        """
        name, mapping = nearest_of(message), _at(self.values, place[:-1])
        if name is None or not isinstance(mapping, dict) or name in mapping:
            return False
        if not isinstance(mapping.get(place[-1]), dict | tuple):
            return False
        written = self.as_written(place)
        self.faults.append((written, message))
        self.misspelt.add(written)
        self._written[(*place[:-1], name)] = str(written[-1])
        self.values = _renamed(self.values, place, name)
        return True


def _at(value: Any, place: Iterable[str | int]) -> Any:
    for part in place:
        is_item = isinstance(value, tuple) and isinstance(part, int) and part < len(value)
        if not is_item and not (isinstance(value, dict) and part in value):
            return None
        value = value[part]
    return value


def _renamed(value: Any, place: Place, name: str) -> Any:
    """A copy in which the last key of a place is another, at the same turn of its mapping."""
    first, rest = place[0], place[1:]
    if isinstance(value, Mapping):
        return {
            (name if key == first and not rest else key): (
                _renamed(item, rest, name) if key == first and rest else item
            )
            for key, item in value.items()
        }
    return tuple(_renamed(item, rest, name) if at == first else item for at, item in enumerate(value))
