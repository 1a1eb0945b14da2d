"""Closed shapes of configuration files: which keys may stand where, and what their values may be.

Products accept misspelt keys and wrong units without a word, so each target describes what it writes by these.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from costctl.policy.keys import choice, unknown
from costctl.policy.units import shown


class Shape(ABC):
    """What a value may be."""

    @abstractmethod
    def faults(self, value: Any, at: str) -> list[str]:
        """Everything that is wrong with the value at this place, each with its place."""


@dataclass(frozen=True)
class Text(Shape):
    """A text that the pattern matches as a whole; `says` tells people what the pattern wants."""

    pattern: str = r"(?s).+"
    says: str = "a text"

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        is_one = isinstance(value, str) and re.fullmatch(self.pattern, value) is not None
        return [] if is_one else [f"{at}: must be {self.says}, not {shown(value)}"]


@dataclass(frozen=True)
class Number(Shape):
    """A number within limits; whole where `is_whole`."""

    least: float = 0
    most: float = 10**15
    is_whole: bool = False

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        is_number = isinstance(value, int if self.is_whole else int | float) and not isinstance(value, bool)
        if is_number and self.least <= value <= self.most:
            return []
        what = "a whole number" if self.is_whole else "a number"
        return [f"{at}: must be {what} from {self.least:g} to {self.most:g}, not {shown(value)}"]


@dataclass(frozen=True)
class Flag(Shape):
    """True or false."""

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        return [] if isinstance(value, bool) else [f"{at}: must be true or false, not {shown(value)}"]


@dataclass(frozen=True)
class Choice(Shape):
    """One of these texts or numbers."""

    values: tuple[Any, ...]

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        is_one = any(value == one and type(value) is type(one) for one in self.values)
        return [] if is_one else [f"{at}: {choice(value, map(str, self.values))}"]


@dataclass(frozen=True)
class Items(Shape):
    """A list of at least so many values of one shape."""

    each: Shape
    least: int = 1

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        if not isinstance(value, list) or len(value) < self.least:
            return [f"{at}: must be a list of at least {self.least}, not {shown(value)}"]
        return [fault for number, one in enumerate(value) for fault in self.each.faults(one, f"{at}[{number}]")]


@dataclass(frozen=True)
class Named(Shape):
    """A mapping from any names to values of one shape."""

    each: Shape
    least: int = 0

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        if not isinstance(value, dict) or len(value) < self.least:
            return [f"{at}: must be a mapping from names, not {shown(value)}"]
        return [fault for name, one in value.items() for fault in self.each.faults(one, f"{at}.{name}")]


@dataclass(frozen=True)
class Keys(Shape):
    """A mapping with these keys and no others."""

    needed: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        if not isinstance(value, dict):
            return [f"{at or 'the file'}: must be a mapping, not {shown(value)}"]
        known = {**self.needed, **self.optional}
        before = f"{at}." if at else ""
        wrong = [f"{before}{key}: is missing" for key in self.needed if key not in value]
        for key, one in value.items():
            place = f"{before}{key}"
            wrong += known[key].faults(one, place) if key in known else [f"{place}: {unknown(str(key), known)}"]
        return wrong


@dataclass(frozen=True)
class ByType(Shape):
    """A mapping whose shape its own value at `key` decides."""

    key: str
    shapes: Mapping[str, Keys]

    def faults(self, value: Any, at: str) -> list[str]:
        """See `Shape`."""
        kind = value.get(self.key) if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in self.shapes:
            return [f"{at}.{self.key}: {choice(kind, self.shapes)}"]
        return self.shapes[kind].faults(value, at)


WHOLE = Number(1, is_whole=True)
SHARE = Number(0, 1)
NAME = Text(r"[a-z0-9][a-z0-9_-]*", "a name of lower-case letters, digits and dashes")
SECONDS = Text(r"[0-9]+(\.[0-9]+)?s|[0-9]+ms", "a duration such as 18s or 500ms")
VARIABLE = Text(r"[A-Z][A-Z0-9_]*", "the name of an environment variable")
