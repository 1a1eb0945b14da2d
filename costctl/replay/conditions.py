"""Conditions of a policy as SQL over `replay_call`; every value travels as a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When
from costctl.tiers.fields import PACKED, unpacked_sql

# Fields of `when` that are no columns of their own.
COLUMN_OF: Mapping[str, str] = {
    "model": "coalesce(response_model, request_model)",
    "user": "user_id",
    "external_facts": "(intent = 'external_facts')",
    "has_text": "(text_signals IS NOT NULL)",
    **{name: f"({unpacked_sql(name)} = 1)" if PACKED[name] == 1 else unpacked_sql(name) for name in PACKED},
}

PERSONAL_DATA = "personal data"
# Whatever the policy, no cache of answers looks at any other call: what bars one, and the condition without it.
REUSABLE: Mapping[str, str] = {
    "the log has neither its text nor a key of it": "prompt_key IS NOT NULL",
    "a later turn whose history is not in the log": "NOT is_later_turn",
    PERSONAL_DATA: f"NOT coalesce({COLUMN_OF['contains_personal_data']}, false)",
}


class Conditions:
    """SQL texts of conditions, and the parameters that they all share."""

    def __init__(self, more: Mapping[str, str] | None = None) -> None:
        """`more` has the SQL of further fields."""
        self.params: dict[str, Any] = {}
        self._columns = {**COLUMN_OF, **(more or {})}

    def value(self, value: Any) -> str:
        """A parameter that holds the value."""
        name = f"v{len(self.params)}"
        self.params[name] = value
        return f"${name}"

    def sql(self, when: When) -> str:
        """A boolean expression, never NULL: an unknown number or text fulfils nothing, an unknown fact is not so."""
        match when:
            case All(parts):
                return f"({' AND '.join(map(self.sql, parts))})" if parts else "true"
            case Any_(parts):
                return f"({' OR '.join(map(self.sql, parts))})" if parts else "false"
            case Not(part):
                return f"(NOT {self.sql(part)})"
            case Is(field, wanted):
                return f"(coalesce({self._column(field)}, false) = {'true' if wanted else 'false'})"
            case Compare(field, operator, number):
                limit = f"CAST({self.value(str(number))} AS DECIMAL(38,6))"
                return f"coalesce({self._column(field)} {operator} {limit}, false)"
            case OneOf(field, values):
                return f"coalesce({' OR '.join(self._equals(self._column(field), text) for text in values)}, false)"
        raise AssertionError(when)

    def equals(self, field: str, text: str) -> str:
        """Whether a text field is this, or begins with it where it ends in `*`; never NULL."""
        return f"coalesce({self._equals(self._column(field), text)}, false)"

    def _equals(self, column: str, text: str) -> str:
        if text.endswith("*"):
            return f"starts_with({column}, {self.value(text[:-1])})"
        return f"{column} = {self.value(text)}"

    def _column(self, field: str) -> str:
        return self._columns.get(field, f'"{field}"')
