"""What the values of logs may be: the largest counts, and how "nothing" is written."""

from __future__ import annotations

# DECIMAL(9,0) x DECIMAL(18,6) stays exact in 64 bits; no request has a billion tokens.
TOKENS_MAX = 999_999_999
COUNT_MAX = 2**31 - 1
DURATION_MS_MAX = 366 * 86_400_000  # no request takes longer than a year
# A hundred years: in microseconds still far below 64 bits, as the instants up to 2200 are.
OFFSET_MS_MAX = 36_525 * 86_400_000
# How logs write "nothing" as text; for names and ids just these spellings, for the rest any case.
NULLS = frozenset({"", "none", "null", "nan", "n/a", "<na>", "nat", "undefined"})
NULL_TEXTS = frozenset({*NULLS, *(text.upper() for text in NULLS), "None", "Null", "NaN", "NaT", "Undefined"})
ZONELESS = "time_zone"  # among the values that could not be read: the zone of times that name none
# Why a record is refused whose parts are more than the whole, and how it is read where they are no parts.
CACHED_EXCEED = "cached tokens exceed input_tokens (if they lie beside it: --cached-in-input no)"
REASONING_EXCEED = (
    "reasoning_tokens exceed output_tokens (if they lie beside them: --map reasoning_outside_tokens=COLUMN)"
)
