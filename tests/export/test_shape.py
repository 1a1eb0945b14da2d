"""Closed shapes: what they let through, and how they name what they do not."""

from __future__ import annotations

from typing import Any

import pytest

from costctl.export.shape import SECONDS, ByType, Choice, Flag, Items, Keys, Named, Number, Shape, Text

SHAPE = Keys(
    {"kind": Choice(("one", 2)), "limits": Named(Number(0, 1))},
    {"timeout": SECONDS, "on": Flag(), "names": Items(Text())},
)
RIGHT = {"kind": "one", "limits": {"a": 0.5}, "timeout": "18s", "on": True, "names": ["x"]}


def test_what_fits_has_no_fault() -> None:
    assert SHAPE.faults(RIGHT, "") == []
    assert SHAPE.faults({"kind": 2, "limits": {}}, "") == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"timout": "18s"}, "timout: unknown key, did you mean timeout?"),
        ({"timeout": "18 seconds"}, "timeout: must be a duration such as 18s or 500ms, not '18 seconds'"),
        ({"timeout": 18}, "timeout: must be a duration such as 18s or 500ms, not 18"),
        ({"limits": {"a": 5}}, "limits.a: must be a number from 0 to 1, not 5"),
        ({"limits": {"a": True}}, "limits.a: must be a number from 0 to 1, not true"),
        ({"names": [1]}, "names[0]: must be a text, not 1"),
        ({"names": []}, "names: must be a list of at least 1, not a list"),
        ({"on": "true"}, "on: must be true or false, not 'true'"),
        ({"kind": "on"}, "kind: must be one of one, 2, not 'on'; did you mean one?"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change: dict[str, Any], fault: str) -> None:
    assert SHAPE.faults({**RIGHT, **change}, "") == [fault]


def test_a_missing_key_is_named() -> None:
    assert SHAPE.faults({"limits": {}}, "a") == ["a.kind: is missing"]
    assert SHAPE.faults([], "") == ["the file: must be a mapping, not a list"]


def test_a_type_decides_the_shape() -> None:
    shape: Shape = ByType("type", {"end": Keys({"type": Text()}), "start": Keys({"type": Text(), "next": Text()})})
    assert shape.faults({"type": "end"}, "e") == []
    assert shape.faults({"type": "end", "next": "x"}, "e") == ["e.next: unknown key; known: type"]
    assert shape.faults({"type": "stop"}, "e")[0].startswith("e.type: must be one of end, start, not 'stop'")
