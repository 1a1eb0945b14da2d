"""Anthropic's sums of a day by model, key, workspace and terms: the token CSV of its console, the reports of its API.

Cached tokens lie beside the input; requests are not counted (log-formats, 7.2). The cost report is money in cents.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from costctl.formats.aggregates import bucket
from costctl.formats.answers import region_of
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns

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


_REPORTED = {
    "uncached_input_tokens": "input_tokens", "cache_read_input_tokens": "cache_read_tokens",
    "output_tokens": "output_tokens",
}  # fmt: skip
_SPLIT = {
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}  # fmt: skip
_MEASURES = frozenset({*_REPORTED, "cache_creation", "server_tool_use", "amount"})


def is_report(record: Record) -> bool:
    """A page of the usage or the cost report, or one of its buckets."""
    if isinstance(record.get("data"), list) and "has_more" in record:
        return any(_is_bucket(item) for item in record["data"])
    return _is_bucket(record)


def _is_bucket(item: Any) -> bool:
    return (
        isinstance(item, dict) and {"starting_at", "ending_at"} <= item.keys() and isinstance(item.get("results"), list)
    )


def unwrap_report(record: Record) -> list[Outcome]:
    """The sums of a page or a bucket."""
    found: list[Outcome] = []
    for item in record.get("data", [record]):
        if _is_bucket(item):
            beside = {"starting_at": item["starting_at"], "ending_at": item["ending_at"]}
            rows = [row for row in item["results"] if isinstance(row, dict)]
            found += [outcome for row in rows for outcome in _reported(row | beside)]
    return found or [Ignored("bucket without requests")]


def _reported(row: Record) -> list[Outcome]:
    found: Record = {
        "started_at": row["starting_at"], "bucket_ends_at": row["ending_at"], "ts_basis": "start",
        "provider": "anthropic", "response_model": row.get("model"), "project": row.get("workspace_id"),
        "api_key_id": row.get("api_key_id"), "service_tier": row.get("service_tier"), "region": region_of(row),
        "context_from_tokens": _LONG_FROM_TOKENS if _is_long(row.get("context_window")) else None,
    }  # fmt: skip
    if "amount" in row:
        found.update(
            logged_cost=_dollars(row["amount"]), logged_cost_kind="billed", tags=row.get("description"),
            logged_currency=row.get("currency"),
        )  # fmt: skip
        return bucket(found, row, _MEASURES)
    split, tools = row.get("cache_creation"), row.get("server_tool_use")
    found.update({ours: row.get(theirs) for theirs, ours in _REPORTED.items()})
    found.update({ours: split.get(theirs) for theirs, ours in _SPLIT.items()} if isinstance(split, dict) else {})
    found.update(operation="chat", web_searches=tools.get("web_search_requests") if isinstance(tools, dict) else None)
    return bucket(found, row, _MEASURES)


def _dollars(cents: Any) -> Any:
    """An amount in cents as dollars, exactly; what is no amount is handed on to be refused.

    >>> _dollars("123.78912"), _dollars("x")
    ('1.2378912', 'x')
    """
    try:
        return f"{Decimal(str(cents)).scaleb(-2):f}"
    except InvalidOperation:
        return cents


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
    LogFormat(
        name="anthropic_report",
        title="Anthropic usage and cost reports (pages of the API): sums, for audit only",
        signature=is_report,
        unwrap=unwrap_report,
        unfolds=True,
        columns=identity_columns(),
        cached_in_input=False,
        carries=("time", "cache", "cost"),
    ),
)
