"""Conditions of the policy: a frozen tree, read from the mapping after `when:`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, TypeAlias

from pydantic import PlainValidator, WithJsonSchema

from costctl.policy import units
from costctl.policy.keys import Faults, refuse, unknown
from costctl.policy.source import Place
from costctl.policy.units import shown
from costctl.tiers import fields

NUMBERS: tuple[str, ...] = tuple(dict.fromkeys((
    *fields.NUMBERS, "input_tokens", "output_tokens", "tool_count", "turn_count", "max_output_tokens", "prompt_chars",
    "temperature",
)))  # fmt: skip
BOOLEANS: tuple[str, ...] = tuple(dict.fromkeys((
    *fields.BOOLEANS, "has_image", "stream", "contains_personal_data", "has_code", "external_facts",
)))  # fmt: skip
TEXTS: tuple[str, ...] = (
    "endpoint", "intent", "register", "language", "tier", "logged_tier", "request_model", "model", "provider", "app",
    "caller", "user_id", "user_profile", "team", "project", "operation", "region", "service_tier", "response_format",
)  # fmt: skip
OUTPUT_TEXTS = ("output_format", "output_language")
"""What a request asks of its answer; known only where answers are worked on."""
SHORT: Mapping[str, str] = fields.COUNT_OF
"""The short name of a counted signal -> its field: `destinations` is `destination_count`."""

GROUPS = ("any", "all")


@dataclass(frozen=True)
class All:
    """Every part holds."""

    parts: tuple[When, ...]


@dataclass(frozen=True)
class Any_:  # noqa: N801  (typing has the plain name)
    """At least one part holds."""

    parts: tuple[When, ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: When


@dataclass(frozen=True)
class Compare:
    """A number stands in this relation (one of `units.OPERATORS`) to the value."""

    field: str
    operator: str
    value: Decimal


@dataclass(frozen=True)
class OneOf:
    """A text is one of these; a value that ends in * stands for all texts that begin so."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Is:
    """A fact is so, or is not."""

    field: str
    value: bool


When: TypeAlias = All | Any_ | Not | Compare | OneOf | Is


def read_when(value: Any, more_texts: tuple[str, ...] = ()) -> When:
    """The condition that a mapping says; a single condition stands without an `All` around it."""
    if isinstance(value, All | Any_ | Not | Compare | OneOf | Is):
        return value
    reader = _Reader((*TEXTS, *more_texts))
    found = reader.mapping(value, ())
    if reader.faults or found is None:
        raise refuse(reader.faults, "when")
    return found


class _Reader:
    """Collects the faults of one condition."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.faults: Faults = []
        self._texts = texts
        self._known = (*NUMBERS, *SHORT, *BOOLEANS, *texts, *GROUPS, "not")

    def mapping(self, value: Any, at: Place) -> When | None:
        if not isinstance(value, dict):
            return self._fault(at, f"must be a mapping of conditions, not {shown(value)}")
        if not value:
            return self._fault(at, "must hold at least one condition")
        return _joined([self._one(key, item, (*at, key)) for key, item in value.items()])

    def _one(self, key: str, value: Any, at: Place) -> When | None:
        if key in GROUPS:
            return self._group(key, value, at)
        if key == "not":
            return _not(self.mapping(value, at))
        if key.endswith("_not") and self._is_field(key.removesuffix("_not")):
            return _not(self._field(key.removesuffix("_not"), value, at))
        if self._is_field(key):
            return self._field(key, value, at)
        return self._fault(at, unknown(key, self._known, "field"))

    def _group(self, key: str, value: Any, at: Place) -> When | None:
        if not isinstance(value, tuple) or not value:
            return self._fault(at, f"must be a list of conditions, not {shown(value) if value else 'empty'}")
        parts = [part for at_item, item in enumerate(value) if (part := self.mapping(item, (*at, at_item)))]
        return Any_(tuple(parts)) if key == "any" else All(tuple(parts))

    def _is_field(self, key: str) -> bool:
        return key in NUMBERS or key in BOOLEANS or key in self._texts or key in SHORT

    def _field(self, key: str, value: Any, at: Place) -> When | None:
        if key in BOOLEANS:
            if isinstance(value, bool):
                return Is(key, value)
            return self._fault(at, f"must be true or false, not {shown(value)}")
        if key in self._texts:
            return self._text(key, value, at)
        try:
            return Compare(SHORT.get(key, key), *units.comparison(value))
        except ValueError as error:
            return self._fault(at, str(error))

    def _text(self, key: str, value: Any, at: Place) -> When | None:
        values = value if isinstance(value, tuple) else (value,)
        count = len(self.faults)
        if not values:
            self._fault(at, "must not be empty")
        for number, text in enumerate(values):
            place = (*at, number) if isinstance(value, tuple) else at
            if not isinstance(text, str):
                quotes = "" if isinstance(text, dict | tuple) else "; write it in quotes"
                self._fault(place, f"must be a text or a list of texts, not {shown(text)}{quotes}")
            elif not text:
                self._fault(place, "must not be empty")
            elif "*" in text[:-1]:
                self._fault(place, "may hold * at its end only")
        return OneOf(key, values) if len(self.faults) == count else None

    def _fault(self, at: Place, message: str) -> When | None:
        self.faults.append((at, message))
        return None


def _joined(parts: Iterable[When | None]) -> When | None:
    found = tuple(part for part in parts if part is not None)
    return found[0] if len(found) == 1 else All(found)


def _not(part: When | None) -> When | None:
    return None if part is None else Not(part)


def when_schema(more_texts: tuple[str, ...], name: str) -> dict[str, Any]:
    """The JSON Schema of a condition, which refers to itself as `name`."""
    own = {"$ref": f"#/$defs/{name}"}
    text = {"type": "string", "minLength": 1}
    kinds: dict[str, dict[str, Any]] = {
        **{key: {"$ref": "#/$defs/Comparison"} for key in (*NUMBERS, *SHORT)},
        **{key: {"type": "boolean"} for key in BOOLEANS},
        **{key: {"anyOf": [text, {"type": "array", "minItems": 1, "items": text}]} for key in (*TEXTS, *more_texts)},
    }
    groups = {key: {"type": "array", "minItems": 1, "items": own} for key in GROUPS}
    return {
        "type": "object", "minProperties": 1, "additionalProperties": False,
        "properties": {**kinds, **{f"{key}_not": kind for key, kind in kinds.items()}, **groups, "not": own},
    }  # fmt: skip


COMPARISON_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^(>=|<=|>|<|=)\s*[0-9]+(\.[0-9]+)?[kM]?$"},
    ]
}

# References that `generate` turns into real ones; the generator of the models knows only its own.
Condition = Annotated[When, PlainValidator(read_when), WithJsonSchema({"x-ref": "Condition"})]
OutputCondition = Annotated[
    When, PlainValidator(partial(read_when, more_texts=OUTPUT_TEXTS)), WithJsonSchema({"x-ref": "OutputCondition"})
]
