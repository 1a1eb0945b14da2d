"""The token CSV of Anthropic's console: the sums of a day by model, key, workspace and terms.

Cached tokens lie beside the input; requests are not counted (log-formats, 7.2).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.aggregates import bucket
from costctl.formats.answers import region_of
from costctl.formats.base import LogFormat, Outcome, Record, identity_columns

_COUNTS = {
    "usage_input_tokens_no_cache": "input_tokens", "usage_input_tokens_cache_read": "cache_read_tokens",
    "usage_input_tokens_cache_write": "cache_write_tokens",  # of older files, not split
    "usage_input_tokens_cache_write_5m": "cache_write_5m_tokens",
    "usage_input_tokens_cache_write_1h": "cache_write_1h_tokens",
    "usage_output_tokens": "output_tokens", "web_search_count": "web_searches",
}  # fmt: skip
_LONG_FROM_TOKENS = 200_001


def is_row(record: Record) -> bool:
    """A row of the export."""
    return {"usage_date_utc", "usage_input_tokens_no_cache"} <= record.keys()


def unwrap(record: Record) -> list[Outcome]:
    """The sum of one row."""
    kind, speed = (str(record.get(name) or "").strip().lower() for name in ("usage_type", "speed"))
    found: Record = {ours: record.get(theirs) for theirs, ours in _COUNTS.items()}
    found.update(
        started_at=record["usage_date_utc"], ts_basis="start", provider="anthropic", operation="chat",
        response_model=record.get("model_version"), project=record.get("workspace"),
        api_key_id=record.get("api_key"),
        service_tier="fast" if speed == "fast" else kind or None, region=region_of(record),
        context_from_tokens=_LONG_FROM_TOKENS if _is_long(record.get("context_window")) else None,
    )  # fmt: skip
    return bucket(found, record, _COUNTS)


def _is_long(window: Any) -> bool:
    """Whether prompts are above the step of the price, as in `> 200k` or `200k - 1M`.

    >>> _is_long("≤ 200k"), _is_long("> 200k"), _is_long("200k - 1M")
    (False, True, True)
    """
    text = str(window or "").lower()
    return "1m" in text or ">" in text


FORMATS = (
    LogFormat(
        name="anthropic_console",
        title="Anthropic console token CSV: sums, for audit only",
        signature=is_row,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        cached_in_input=False,
        carries=("time", "cache"),
    ),
)
