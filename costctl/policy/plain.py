"""A policy as plain data: what an application needs to carry it out without our code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from costctl.policy.schema import Policy

# Only a simulation reads these.
LEFT_OUT = frozenset({"assume", "fixed_costs", "scenarios", "gates", "export"})


def plain_policy(policy: Policy) -> dict[str, Any]:
    """Every key that differs from its default, by the names of our model; times in microseconds, decimals as texts.

    A condition is a mapping with its `kind` (all, any, not, compare, one_of, is).
    """
    return {name: value for name, value in _plain(policy).items() if name not in LEFT_OUT}


def plain_digest(policy: Policy) -> str:
    """Of what routers carry out: spelling, comments, gates and whatever else no exported file holds leave it alone.

    Assumptions count, because decisions estimate the answer's length by them and agreements are measured with them.
    """
    meant = [plain_policy(policy), _plain(policy.assume)]
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        said = {
            name: getattr(value, name) for name, field in type(value).model_fields.items()
            if getattr(value, name) != field.get_default(call_default_factory=True)
        }  # fmt: skip
        return {name: _plain(item) for name, item in said.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"kind": _KINDS.get(type(value).__name__, type(value).__name__.lower())} | {
            one.name: _plain(getattr(value, one.name)) for one in fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return f"{value:f}" if isinstance(value, Decimal) else value


_KINDS = {"Any_": "any", "OneOf": "one_of"}
