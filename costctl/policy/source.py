"""Strict YAML 1.2 to plain values, and the place of each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from costctl.errors import CostctlError, Problem
from costctl.policy.units import plain

Place = tuple[str | int, ...]
"""The way to a value: keys and list positions from the top."""

DEEPEST = 32
QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events from C
HINT = "a policy is a YAML mapping that begins with `version: 1`"

# Numbers as in JSON; anything longer, and every other notation of YAML 1.1, is text.
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?")
WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass
class Source:
    """What a file says: dict, tuple, str, int, Decimal and bool, with a mark for each place.

    `broken` holds the places whose value could not be read, so that nobody complains twice.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    marks: dict[Place, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)

    def add(self, place: Place, message: str, mark: tuple[int, int] | None = None) -> None:
        """Keep a problem at a mark, by default that of the nearest place which the file holds."""
        ways = (place[:end] for end in range(len(place), -1, -1))
        line, column = mark or next((self.marks[way] for way in ways if way in self.marks), (1, 1))
        self.problems.append(Problem(self.name, line, column, key_of(place), message))

    def is_broken(self, place: Place) -> bool:
        """Whether the value here, or one that holds it, could not be read."""
        return any(place[:end] in self.broken for end in range(len(place) + 1))


def key_of(place: Place) -> str:
    """A place as people write it.

    >>> key_of(("routing", "rules", 0, "to"))
    'routing.rules[0].to'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{plain(part)}" for part in place).removeprefix(".")


def read_source(text: str, name: str) -> Source:
    """The values of a YAML text; faults that leave it readable are in `problems`.

    Raises:
        CostctlError: E400 where it is not YAML, or not a mapping.
    """
    source = Source(name)
    try:
        return _read(Source(name), text, QUICK)
    except (yaml.YAMLError, ValueError, OverflowError, _UnreadableError):
        pass  # in the words and places of one parser, whatever this machine has
    try:
        return _read(source, text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else None
        raise _unreadable(source, f"not YAML: {error.problem or error.context}", where) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _unreadable(source, "not YAML: holds a character that may not stand in a text file", where) from error
    except (ValueError, OverflowError) as error:  # the parser's own, of an escape or a version out of range
        raise _unreadable(source, "not YAML: an escaped character or a version number is out of range") from error
    except _UnreadableError as error:
        raise _unreadable(source, str(error.args[0]), error.args[1]) from error


def _read(source: Source, text: str, loader: Any) -> Source:
    _Reader(source, text, loader).read()
    return source


def _unreadable(source: Source, message: str, mark: tuple[int, int] | None = None) -> CostctlError:
    source.add((), message, mark)
    problems = tuple(sorted(source.problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
    told = next(problem for problem in problems if problem.message == message)
    return CostctlError("E400", f"cannot read the policy: {told}", HINT, problems=problems)


class _UnreadableError(Exception):
    """A message and its mark."""


class _Reader:
    """Takes the events of the parser apart; recursion ends at `DEEPEST`."""

    def __init__(self, source: Source, text: str, loader: Any) -> None:
        self._source = source
        self._events: Iterator[Any] = yaml.parse(text, Loader=loader)

    def read(self) -> None:
        next(self._events)  # the stream starts
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise _UnreadableError("holds nothing", None)
        event = next(self._events)
        self._source.marks[()] = _mark(event)
        if not isinstance(event, yaml.MappingStartEvent):
            raise _UnreadableError("is not a mapping of keys", _mark(event))
        self._source.values = self._value(event, ())
        next(self._events)  # the document ends
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            self._source.add((), "a second document; a policy is one", _mark(after))
            for _ in self._events:  # it must be YAML to its end
                pass

    def _value(self, event: Any, place: Place) -> Any:
        if isinstance(event, yaml.AliasEvent):
            self._break(place, f"aliases (*{event.anchor}) are not read; write the value again", event)
            return None
        if event.anchor is not None:
            self._source.add(place, f"anchors (&{event.anchor}) are not read; write the value where it is used",
                             _mark(event))  # fmt: skip
        if event.tag is not None:
            self._source.add(place, "tags (!) are not read; write the plain value", _mark(event))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        if len(place) >= DEEPEST:
            raise _UnreadableError(f"nested deeper than {DEEPEST} levels", _mark(event))
        return self._mapping(place) if isinstance(event, yaml.MappingStartEvent) else self._sequence(place)

    def _sequence(self, place: Place) -> tuple[Any, ...]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*place, len(items))
            self._source.marks.setdefault(here, _mark(event))
            items.append(self._value(event, here))
        return tuple(items)

    def _mapping(self, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, place)
            here: Place = (*place, key) if key is not None else place
            if key is None or key in found:
                if key is not None:
                    self._source.add(here, "stands twice; one of the two would be lost", _mark(event))
                self._skip(next(self._events))  # what stands in a value that is not used is no news
                continue
            self._source.marks.setdefault(here, _mark(event))
            found[key] = self._value(next(self._events), here)
        return found

    def _key(self, event: Any, place: Place) -> str | None:
        """The text of a key; None, told as a problem, for what cannot be one."""
        if not isinstance(event, yaml.ScalarEvent):
            self._source.add(place, "a key must be a text", _mark(event))
            self._skip(event)
            return None
        text = str(event.value)
        if event.anchor is not None or event.tag is not None:
            self._source.add((*place, text), "anchors and tags are not read", _mark(event))
        if text == "<<" and not event.style:
            self._source.add(
                (*place, text), "merge keys are not read; write the keys where they are used", _mark(event)
            )
            return None
        if SURROGATE.search(text):
            self._source.add(place, "a key holds half a character", _mark(event))
            return None
        return text

    def _skip(self, event: Any) -> None:
        """Pass all of the node that begins here."""
        depth = int(isinstance(event, yaml.CollectionStartEvent))
        while depth:
            event = next(self._events)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)

    def _scalar(self, event: Any, place: Place) -> Any:
        text = str(event.value)
        if SURROGATE.search(text):
            self._break(place, "holds half a character", event)
            return ""
        if event.style:
            return text
        if INTEGER.fullmatch(text):
            return int(text)
        if NUMBER.fullmatch(text):
            return Decimal(text)
        value = WORDS.get(text, text)
        if value is None:
            self._break(place, "has no value; write one, or take the key out", event, is_at_value=False)
        return value

    def _break(self, place: Place, message: str, event: Any, *, is_at_value: bool = True) -> None:
        self._source.add(place, message, _mark(event) if is_at_value else None)
        self._source.broken.add(place)


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
