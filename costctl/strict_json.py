"""JSON as the standard has it, for files that people hand to us."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def strict_json(text: str, parse_float: Callable[[str], Any] = float) -> Any:
    """The value of a text; no number beyond the finite ones, and no key that stands twice in an object.

    Raises:
        ValueError: with what is wrong.

    >>> strict_json('{"a": 1}')
    {'a': 1}
    """
    try:
        return json.loads(text, parse_float=parse_float, parse_constant=_refuse_constant, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
