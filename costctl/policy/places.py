"""The places of a policy file that a pattern such as `routing.rules.*.to` names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from costctl.policy.source import Place


def places_of(values: Any, pattern: str) -> Iterator[tuple[Place, Any]]:
    """The places that a pattern names, with their values; for `?`, with their keys."""
    return _walk(values, pattern.split("."), ())


def _walk(value: Any, parts: list[str], at: Place) -> Iterator[tuple[Place, Any]]:
    if not parts:
        yield at, value
    elif parts[0] == "?":
        yield from (((*at, key), key) for key in (value if isinstance(value, dict) else ()))
    elif parts[0] == "*":
        items: Iterable[tuple[str | int, Any]] = value.items() if isinstance(value, dict) else ()
        for key, item in enumerate(value) if isinstance(value, tuple) else items:
            yield from _walk(item, parts[1:], (*at, key))
    elif isinstance(value, dict) and parts[0] in value:
        yield from _walk(value[parts[0]], parts[1:], (*at, parts[0]))


def keys_below(values: Mapping[str, Any], key: str) -> list[str]:
    """The keys of the mapping below a key of the file; none where it is no mapping."""
    found = values.get(key)
    return list(found) if isinstance(found, dict) else []
