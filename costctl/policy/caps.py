"""Caps per day, of dollars and of tokens, and for whom they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from costctl.policy import units
from costctl.policy.keys import Faults, refuse, unknown
from costctl.policy.units import shown

TOKEN_SCOPES = ("user_profile", "endpoint", "user", "team")
USD_SCOPES = ("tier", "endpoint", "user", "team", "user_profile")


@dataclass(frozen=True)
class UsdCap:
    """Dollars a day, for all requests (`total`, without a name) or for those of one name."""

    scope: Literal["total", "tier", "endpoint", "user", "team", "user_profile"]
    name: str | None
    max_usd: Decimal


@dataclass(frozen=True)
class TokenCap:
    """Tokens a day: of one endpoint, user or team, or of each user of a profile."""

    scope: Literal["user_profile", "endpoint", "user", "team"]
    name: str
    max_tokens: int


def _cap_parts(value: Any, scopes: tuple[str, ...], amount: Any, *, needs_scope: bool) -> tuple[str, str | None, Any]:
    """Scope, name and amount of one entry of a list of caps."""
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping such as {{{scopes[1]}: name, max: 100}}, not {shown(value)}")
    faults: Faults = [((key,), unknown(key, (*scopes, "max"))) for key in value if key not in {*scopes, "max"}]
    named = [key for key in value if key in scopes]
    if len(named) > 1 or (not named and needs_scope and not faults):
        faults.append(((), f"must name one of {', '.join(scopes)}"))
    faults += [
        ((key,), f"must be a text, not {shown(value[key])}")
        for key in named
        if not isinstance(value[key], str) or not value[key]
    ]
    found = None
    try:
        if "max" in value:
            found = amount(value["max"])
        else:
            faults.append((("max",), "is missing"))
    except ValueError as error:
        faults.append((("max",), str(error)))
    if faults:
        raise refuse(faults)
    scope = named[0] if named else "total"
    return scope, value.get(scope), found


def _token_cap(value: Any) -> TokenCap:
    scope, name, amount = _cap_parts(value, TOKEN_SCOPES, units.count_of_one, needs_scope=True)
    assert name is not None
    return TokenCap(scope, name, amount)  # type: ignore[arg-type]  # one of TOKEN_SCOPES


def _usd_cap(value: Any) -> UsdCap:
    return UsdCap(*_cap_parts(value, USD_SCOPES, units.usd, needs_scope=False))  # type: ignore[arg-type]


def _usd_caps(value: Any) -> Any:
    return value if isinstance(value, tuple) else ({"max": units.usd(value)},)


def _cap_schema(scopes: tuple[str, ...], amount: Mapping[str, Any], keys: int) -> dict[str, Any]:
    named = {scope: {"type": "string", "minLength": 1} for scope in scopes}
    return {
        "type": "object", "required": ["max"], "minProperties": keys, "maxProperties": 2,
        "additionalProperties": False, "properties": {**named, "max": dict(amount)},
    }  # fmt: skip


_USD = {"type": "number", "minimum": 0, "maximum": units.USD_MAX}
_TOKENS = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[kM]$"}]}
_USD_CAPS = {"anyOf": [_USD, {"type": "array", "items": _cap_schema(USD_SCOPES, _USD, 1)}]}

TokenCaps = tuple[
    Annotated[TokenCap, PlainValidator(_token_cap), WithJsonSchema(_cap_schema(TOKEN_SCOPES, _TOKENS, 2))], ...
]
UsdCaps = Annotated[
    tuple[Annotated[UsdCap, PlainValidator(_usd_cap)], ...], BeforeValidator(_usd_caps), WithJsonSchema(_USD_CAPS)
]
