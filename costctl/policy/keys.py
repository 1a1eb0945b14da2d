"""What the keys of the policy are made of: the strict base model, its words, values with units."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from costctl.policy import units
from costctl.policy.source import Place
from costctl.policy.units import shown

Faults = list[tuple[Place, str]]
"""What is wrong below one value: the way from there, and the message."""

T = TypeVar("T", bound=Hashable)
P = TypeVar("P", bound="Part")


def refuse(faults: Faults, title: str = "policy") -> ValidationError:
    """The error by which a validator tells several faults at once."""
    return ValidationError.from_exception_data(title, [_init(place, message) for place, message in faults])


MEANT = ", did you mean "
LISTED = "unknown key; known: "


def unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    """The message for a name that is not known, with the nearest one that is.

    >>> unknown("serve_mim", ["serve_min", "guard"])
    'unknown key, did you mean serve_min?'
    """
    names = list(known)
    near = get_close_matches(name, names, n=1)
    return f"unknown {what}" + (f"{MEANT}{near[0]}?" if near else f"; known: {', '.join(names)}")


def nearest_of(message: str) -> str | None:
    """The name that a message of `unknown` takes to be meant.

    >>> nearest_of("unknown key, did you mean serve_min?"), nearest_of("must be a text")
    ('serve_min', None)
    """
    _, _, name = message.rpartition(MEANT)
    return name.removesuffix("?") if message.startswith("unknown ") and MEANT in message else None


def choice(value: Any, known: Iterable[str]) -> str:
    """The message for a value that is none of the known ones.

    >>> choice("cheapst", ["first", "cheapest"])
    "must be one of first, cheapest, not 'cheapst'; did you mean cheapest?"
    """
    names = list(known)
    near = get_close_matches(value, names, n=1) if isinstance(value, str) else []
    ending = f"; did you mean {near[0]}?" if near else ""
    return f"must be {'' if len(names) == 1 else 'one of '}{', '.join(names)}, not {shown(value)}{ending}"


class Part(BaseModel):
    """One mapping of the policy: strict, frozen, without unknown keys, and in our words."""

    # Built when first needed: the whole policy holds the validators of its parts, each by itself took 50 ms more.
    model_config = ConfigDict(defer_build=True, strict=True, frozen=True, extra="forbid")
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that are filled from the key before the mapping, not from a key in it."""

    @model_validator(mode="wrap")
    @classmethod
    def _told(cls: type[P], value: Any, handler: ModelWrapValidatorHandler[P]) -> P:
        try:
            return handler(value)
        except ValidationError as error:
            found = [one for one in error.errors(include_url=False) if not _is_echo(one)]
            faults = [(one["loc"], _message(cls, one)) for one in found]
            raise refuse(list(_listed_once(faults)), cls.__name__) from None

    @classmethod
    def keys(cls) -> list[str]:
        """The keys that a file may hold."""
        return [field.alias or name for name, field in cls.model_fields.items() if name not in cls.hidden]


def _listed_once(faults: Faults) -> Iterator[tuple[Place, str]]:
    """The faults of one mapping, the list of its keys only with the first of its own that nothing is near to."""
    is_listed = False
    for place, message in faults:
        if len(place) == 1 and message.startswith(LISTED):
            yield place, "unknown key; known as above" if is_listed else message
            is_listed = True
        else:
            yield place, message


def _init(place: Place, message: str) -> InitErrorDetails:
    kind = PydanticCustomError("policy", "{message}", {"message": message})
    return InitErrorDetails(type=kind, loc=place, input=None)


def _is_echo(one: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items are wrong."""
    return one["type"] == "too_short" and bool(one["input"])


def _message(part: type[Part], error: ErrorDetails) -> str:
    """What people read for one of the validator's errors."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    match kind:
        case "policy":
            return str(context["message"])
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            return unknown(str(error["loc"][-1]), part.keys())
        case "missing":
            return "is missing"
        case "literal_error":
            expected = str(context["expected"])
            return choice(value, re.findall(r"'([^']*)'", expected) or [expected])
        case "string_type":
            is_scalar = not isinstance(value, dict | tuple)
            return f"must be a text, not {shown(value)}" + ("; write it in quotes" if is_scalar else "")
        case "bool_type":
            return f"must be true or false, not {shown(value)}"
        case "int_type":
            return f"must be a whole number, not {shown(value)}"
        case "tuple_type":
            return f"must be a list such as [one, two], not {shown(value)}"
        case "too_short" | "string_too_short":
            return "must not be empty"
        case "greater_than_equal":
            return f"must be at least {context['ge']}, not {shown(value)}"
        case "less_than_equal":
            return f"must be at most {context['le']}, not {shown(value)}"
        case _:  # a model, a mapping
            return f"must be a mapping, not {shown(value)}"


class Table(Mapping[str, T]):
    """A mapping that cannot change, so that policies can be compared and hashed."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, T]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> T:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"Table({self._items!r})"


def read_named(part: type[P], body: Callable[[Any], Any], value: Any) -> tuple[P, ...]:
    """The parts of a mapping from names, in its order, each with its name as field `name`."""
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping from names, not {shown(value)}")
    parts: list[P] = []
    faults: Faults = []
    for name, item in value.items():
        content = body(item)
        if not name.strip():
            faults.append(((name,), "a name must not be empty"))
        elif not isinstance(content, dict):
            faults.append(((name,), f"must be a mapping, not {shown(item)}"))
        elif "name" in content:
            faults.append(((name, "name"), unknown("name", part.keys())))
        else:
            try:
                parts.append(part.model_validate({**content, "name": name}))
            except ValidationError as error:
                faults += [((name, *one["loc"]), str(one["ctx"]["message"])) for one in error.errors()]
    if faults:
        raise refuse(faults, part.__name__)
    return tuple(parts)


def read_unique(values: tuple[T, ...]) -> tuple[T, ...]:
    """The same list, refused where a value stands in it twice."""
    twice: Faults = [((at,), "stands twice in this list") for at, one in enumerate(values) if one in values[:at]]
    if twice:
        raise refuse(twice)
    return values


def _pattern(*patterns: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^({'|'.join(patterns)})$"}


_AMOUNT = r"[0-9]+(\.[0-9]+)?"
_FROM_ZERO = {"type": "number", "minimum": 0}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0, "maximum": units.NUMBER_MAX}
_SPEED = {"type": "number", "minimum": float(units.SPEED_MIN), "maximum": units.NUMBER_MAX}
_COUNT = _pattern(f"{_AMOUNT}[kM]")

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], AfterValidator(read_unique)]
Count = Annotated[
    int, PlainValidator(units.count), WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, _COUNT]})
]
CountOfOne = Annotated[
    int, PlainValidator(units.count_of_one), WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _COUNT]})
]
Number = Annotated[Decimal, PlainValidator(units.number), WithJsonSchema(_FROM_ZERO | {"maximum": units.NUMBER_MAX})]
Temperature = Annotated[
    Decimal, PlainValidator(units.temperature), WithJsonSchema(_FROM_ZERO | {"maximum": units.TEMPERATURE_MAX})
]
Ratio = Annotated[Decimal, PlainValidator(units.ratio), WithJsonSchema(_POSITIVE)]
Factor = Annotated[Decimal, PlainValidator(units.factor), WithJsonSchema(_POSITIVE | {"maximum": units.FACTOR_MAX})]
Speed = Annotated[Decimal, PlainValidator(units.speed), WithJsonSchema(_SPEED)]
Usd = Annotated[Decimal, PlainValidator(units.usd), WithJsonSchema(_FROM_ZERO | {"maximum": units.USD_MAX})]
Price = Annotated[Decimal, PlainValidator(units.price), WithJsonSchema(_FROM_ZERO | {"maximum": units.PRICE_MAX})]
UsdOfCall = Annotated[
    Decimal, PlainValidator(units.usd_of_call), WithJsonSchema(_FROM_ZERO | {"maximum": units.PRICE_MAX})
]
Tries = Annotated[
    int,
    PlainValidator(units.retries),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": units.RETRIES_MAX}),
]
Share = Annotated[
    Decimal,
    PlainValidator(units.share),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _pattern(f"{_AMOUNT}%")]}),
]
Threshold = Annotated[
    Decimal,
    PlainValidator(units.threshold),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 2}, _pattern(f"{_AMOUNT}%")]}),
]
Duration = Annotated[int, PlainValidator(units.duration_us), WithJsonSchema(_pattern(f"({_AMOUNT}(d|h|m|s|ms))+"))]
Seconds = Annotated[int, PlainValidator(units.seconds_us), WithJsonSchema(_FROM_ZERO)]
Timeout = Annotated[
    int,
    PlainValidator(units.timeout_us),
    WithJsonSchema({"type": "number", "minimum": float(units.TIMEOUT_MIN_S), "maximum": units.TIMEOUT_MAX_S}),
]
Milliseconds = Annotated[int, PlainValidator(units.milliseconds_us), WithJsonSchema(_FROM_ZERO)]
MillisecondsPer1k = Annotated[
    int,
    PlainValidator(units.milliseconds_per_1k_us),
    WithJsonSchema(_FROM_ZERO | {"maximum": units.MS_PER_1K_MAX}),
]
Months = Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], AfterValidator(read_unique)]
Named = Annotated[Mapping[str, T], AfterValidator(Table)]
"""A mapping from names of the user's, such as intents or tiers."""
