"""Conditions as lists, made into functions of what is known of a request."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from costctl.export.runtime.words import caseless

_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip


def holds_when(when: list[Any]) -> Callable[[dict[str, Any]], bool]:
    """The test that a condition stands for; an unknown number or text fulfils nothing, an unknown fact is not so.

    `["all"|"any", parts]`, `["not", part]`, `["is", field, true]`, `["compare", field, ">=", 3]`,
    `["one_of", field, texts, beginnings]`, `["like", field, texts, pattern, also if unknown, if known]`.
    """
    kind = when[0]
    if kind in {"all", "any"}:
        parts = [holds_when(part) for part in when[1]]
        every = all if kind == "all" else any
        return lambda known: every(part(known) for part in parts)
    if kind == "not":
        part = holds_when(when[1])
        return lambda known: not part(known)
    field = when[1]
    if kind == "is":
        wanted = when[2]
        return lambda known: bool(known.get(field)) is wanted
    if kind == "compare":
        return _compared(field, _SIGNS[when[2]], when[3])
    if kind == "one_of":
        return _one_of(field, frozenset(when[2]), tuple(when[3]))
    return _like(field, frozenset(when[2]), when[3], when[4], when[5])


def _compared(field: str, sign: Callable[[Any, Any], bool], limit: float) -> Callable[[dict[str, Any]], bool]:
    def holds(known: dict[str, Any]) -> bool:
        value = known.get(field)
        return value is not None and sign(value, limit)

    return holds


def _one_of(field: str, texts: frozenset[str], beginnings: tuple[str, ...]) -> Callable[[dict[str, Any]], bool]:
    def holds(known: dict[str, Any]) -> bool:
        value = known.get(field)
        return value is not None and (value in texts or value.startswith(beginnings))

    return holds


def _like(
    field: str,
    texts: frozenset[str],
    pattern: str,
    if_unknown: bool,
    if_known: bool,
) -> Callable[[dict[str, Any]], bool]:
    compiled = re.compile(pattern) if pattern else None

    def holds(known: dict[str, Any]) -> bool:
        value = known.get(field)
        if value is None:
            return if_unknown
        return if_known or value in texts or (compiled is not None and bool(compiled.match(caseless(value))))

    return holds


def fields_of(when: list[Any]) -> set[str]:
    """The fields that a condition asks for."""
    if when[0] in {"all", "any"}:
        return {field for part in when[1] for field in fields_of(part)}
    return fields_of(when[1]) if when[0] == "not" else {when[1]}
