"""Conditions and durations of a policy in words."""

from __future__ import annotations

from collections.abc import Mapping

from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When

_UNITS = ((86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"))
_SIGNS: Mapping[str, str] = {">=": "at least", "<=": "at most", ">": "above", "<": "below", "=": "just"}


def condition(when: When) -> str:
    """A condition as a clause.

    >>> from decimal import Decimal
    >>> condition(Any_((Compare("input_tokens", ">", Decimal(2000)), Is("has_image", True))))
    '(input tokens above 2,000 or has image)'
    """
    match when:
        case All(parts):
            return f"({' and '.join(map(condition, parts))})" if len(parts) > 1 else "".join(map(condition, parts))
        case Any_(parts):
            return f"({' or '.join(map(condition, parts))})"
        case Not(part):
            return f"not {condition(part)}"
        case Is(field, value):
            return f"{'' if value else 'not '}{_words(field)}"
        case Compare(field, operator, value):
            return f"{_words(field)} {_SIGNS[operator]} {value:,f}"
        case OneOf(field, values):
            return f"{_words(field)} {' or '.join(values)}"
    raise AssertionError(when)


def duration(us: int) -> str:
    """Microseconds in the largest unit that leaves no fraction, at last in milliseconds.

    >>> duration(5_400_000_000), duration(500_000), duration(86_400_000_000)
    ('90 min', '500 ms', '1 d')
    """
    for size, name in _UNITS:
        if us and us % size == 0:
            return f"{us // size:,} {name}"
    return f"{us / 1000:g} ms"


def _words(field: str) -> str:
    return field.replace("_", " ")
