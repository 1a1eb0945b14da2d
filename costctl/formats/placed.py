"""Counts of tracing tools, which state no convention: what lies inside what is told by the counts themselves."""

from __future__ import annotations

from typing import Any

from costctl.formats.base import LeftOutUsage, Record
from costctl.formats.values import TOKENS_MAX

_READ, _WRITE, _SPLIT = "cache_read_tokens", "cache_write_tokens", ("cache_write_5m_tokens", "cache_write_1h_tokens")


def whole(value: Any) -> Any:
    """A count as an int where it is one, also from text or a float; anything odd is handed on to be refused.

    >>> whole("12"), whole(3.0), whole(2.5), whole(None)
    (12, 3, 2.5, None)
    """
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def left_out_usage(ids: tuple[Any, Any, Any], given: Any, answered: Any) -> LeftOutUsage | None:
    """What a span counts that is no call; None where it counts nothing. `ids` are those of trace, span and parent.

    >>> left_out_usage(("t", "s", None), "5", 0).input_tokens, left_out_usage(("t", "s", None), None, 0)
    (5, None)
    """
    read, written = (
        count if type(count) is int and 0 <= count <= TOKENS_MAX else None for count in map(whole, (given, answered))
    )
    if not read and not written:
        return None
    trace, span, parent = (str(one) if isinstance(one, str | int) else None for one in ids)
    return LeftOutUsage(trace, span, parent, read, written)


def placed(usage: Record) -> Record:
    """Raw counts of one request, with cached tokens and reasoning named as beside where they must be.

    The total decides where there is one: input + output holds all, or cached tokens or reasoning
    come on top. Without a total what is larger than its whole lies beside it.

    >>> placed({"input_tokens": 3, "output_tokens": 5, "cache_read_tokens": 10})
    {'input_tokens': 3, 'output_tokens': 5, 'cache_read_outside_tokens': 10}
    >>> placed({"input_tokens": 9, "output_tokens": 5, "reasoning_tokens": 4, "total_tokens": 18})
    {'input_tokens': 9, 'output_tokens': 5, 'total_tokens': 18, 'reasoning_outside_tokens': 4}
    """
    found = {name: value for name, value in usage.items() if value is not None}
    if set(map(type, found.values())) - {int}:
        found = {name: whole(value) for name, value in found.items()}
        if set(map(type, found.values())) - {int}:
            return found
    given, output, total = found.get("input_tokens"), found.get("output_tokens"), found.get("total_tokens")
    cached, reasoning = _cached(found), found.get("reasoning_tokens", 0)
    if given is None or not (cached or reasoning):
        return found
    is_cached_beside, is_reasoning_beside = cached > given, output is not None and reasoning > output
    if total is not None and total > given + (output or 0):
        rest = total - given - (output or 0)
        is_cached_beside = is_cached_beside or (cached > 0 and rest in {cached, cached + reasoning})
        is_reasoning_beside = is_reasoning_beside or (reasoning > 0 and rest in {reasoning, cached + reasoning})
    if is_cached_beside:
        for name in (_READ, _WRITE):
            if name in found:
                found[f"{name.removesuffix('_tokens')}_outside_tokens"] = found.pop(name)
    if is_reasoning_beside:
        found["reasoning_outside_tokens"] = found.pop("reasoning_tokens")
    return found


def _cached(found: Record) -> int:
    """Cached reads and writes; a split alone counts as the writes."""
    if _WRITE not in found:
        split = sum(found.get(name, 0) for name in _SPLIT)
        if split:
            found[_WRITE] = split
    return int(found.get(_READ, 0)) + int(found.get(_WRITE, 0))
