"""The names that rules may use: signals of a text, and what a request says beside its text."""

from __future__ import annotations

from typing import Any

import polars as pl

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

FEATURES: dict[str, Any] = {
    "language": pl.String, "register": pl.String, "intent": pl.String, "intent_tier": pl.String,
    "intent_cue": pl.String, "word_count": pl.Int64, "constraint_count": pl.Int64, "criticality_count": pl.Int64,
    "destination_count": pl.Int64, "source_count": pl.Int64, "maths_count": pl.Int64, "quantity_count": pl.Int64,
    "travel_days": pl.Int64, "slot_count": pl.Int64, "table_rows": pl.Int64, "choice_count": pl.Int64,
    "has_code": pl.Boolean,
}  # fmt: skip
"""Columns of `TierRules.features`: one row per text."""

NUMBERS = (
    *(name for name, kind in FEATURES.items() if kind == pl.Int64),
    "input_tokens", "output_tokens", "tool_count", "turn_count", "system_chars",
)  # fmt: skip
BOOLEANS = ("has_code", "has_image", "has_text")
TEXTS = (
    "intent", "intent_tier", "language", "register", "endpoint", "request_model", "response_format", "app",
)  # fmt: skip
