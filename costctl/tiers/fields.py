"""The names that rules may use: signals of a text, and what a request says beside its text."""

from __future__ import annotations

COUNT_OF: dict[str, str] = {
    "constraints": "constraint_count",
    "criticality": "criticality_count",
    "destinations": "destination_count",
    "sources": "source_count",
    "maths": "maths_count",
    "quantities": "quantity_count",
}
"""Counted signals, and the column that holds the number of their distinct cues."""

SIGNALS = (
    *COUNT_OF, "chilean", "travel", "legal", "programming", "document", "question", "own_matter", "wish",
    "existing_text", "slots",
)  # fmt: skip

FEATURES: dict[str, str] = {
    "language": "String", "register": "String", "intent": "String", "intent_tier": "String",
    "intent_cue": "String", "word_count": "Int64", "constraint_count": "Int64", "criticality_count": "Int64",
    "destination_count": "Int64", "source_count": "Int64", "maths_count": "Int64", "quantity_count": "Int64",
    "travel_days": "Int64", "slot_count": "Int64", "table_rows": "Int64", "choice_count": "Int64",
    "has_code": "Boolean", "contains_personal_data": "Boolean", "text_signals": "Int64",
}  # fmt: skip
"""Columns of `TierRules.features` and their Polars types: one row per text. By name, so that whoever only
checks rules does not import Polars."""

PACKED: dict[str, int] = {
    "word_count": 13, "constraint_count": 5, "criticality_count": 4, "destination_count": 5, "source_count": 4,
    "maths_count": 4, "quantity_count": 6, "travel_days": 7, "slot_count": 4, "table_rows": 6, "choice_count": 3,
    "has_code": 1, "contains_personal_data": 1,
}  # fmt: skip
"""What `text_signals` holds, from the lowest bit on: signal and its bits. A larger count is cut to the most
that fits. One column instead of thirteen, because each costs a hundredth of an audit."""


def unpacked_sql(name: str) -> str:
    """The SQL of one signal in `text_signals`; NULL where a request has no text."""
    shift = 0
    for other, bits in PACKED.items():
        if other == name:
            return f"((text_signals >> {shift}) & {2**bits - 1})"
        shift += bits
    raise KeyError(name)


NUMBERS = (
    *(name for name, kind in FEATURES.items() if kind == "Int64" and name != "text_signals"),
    "input_tokens", "output_tokens", "tool_count", "turn_count", "system_chars",
)  # fmt: skip
BOOLEANS = ("has_code", "has_image", "has_text", "contains_personal_data")
TEXTS = (
    "intent", "intent_tier", "language", "register", "endpoint", "request_model", "response_format", "app",
)  # fmt: skip
