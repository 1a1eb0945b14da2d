"""Anthropic's sums of a day by model, key, workspace and terms: the CSVs of its console, the reports of its API.

Cached tokens lie beside the input; requests are not counted (log-formats, 7.2). Costs have a row for each kind of
token: dollars in the console's CSV, which shows models by their names for people, and cents in the cost report.
"""

from __future__ import annotations

import re
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


_COST_MEASURES = frozenset({"cost_usd", "list_price_usd"})
_DISPLAYED = re.compile(r"claude (?:(?P<family>[a-z]+) (?P<version>[\d.]+)|(?P<old>[\d.]+) (?P<of>[a-z]+))")


def is_cost_row(record: Record) -> bool:
    """A row of the console's export of costs."""
    return {"usage_date_utc", "cost_usd"} <= record.keys() and not {"token_type", "cost_type"}.isdisjoint(record)


def unwrap_cost_row(record: Record) -> list[Outcome]:
    """The money of one row: a day, model, key and kind of token."""
    if record["cost_usd"] in (None, ""):
        return [Ignored("row without a cost")]
    kinds = [record.get(name) for name in ("cost_type", "token_type")]
    found: Record = {
        "started_at": record["usage_date_utc"], "ts_basis": "start", "provider": "anthropic",
        "response_model": _model_of(record.get("model")), "project": record.get("workspace"),
        "api_key_id": record.get("api_key"), "region": region_of(record),
        "service_tier": "batch" if "batch" in str(record.get("usage_type")).lower() else None,
        "tags": ", ".join(kind for kind in kinds if isinstance(kind, str) and kind) or None,
        "logged_cost": record["cost_usd"], "logged_currency": "USD", "logged_cost_kind": "billed",
    }  # fmt: skip
    return bucket(found, record, _COST_MEASURES)


def _model_of(name: Any) -> str | None:
    """The id of a model that the console shows by its name for people; None where it shows none.

    >>> _model_of("Claude Sonnet 4.5"), _model_of("Claude Haiku 3.5"), _model_of("Claude Opus 4 (1M)"), _model_of("")
    ('claude-sonnet-4-5', 'claude-3-5-haiku', 'claude-opus-4', None)
    """
    plain = str(name or "").partition("(")[0].strip().lower()
    found = _DISPLAYED.fullmatch(plain)
    if found is None:
        return plain.replace(" ", "-").replace(".", "-") or None
    family, version = found["family"] or found["of"], (found["version"] or found["old"]).replace(".", "-")
    # Until version 3 the number stood before the family.
    return f"claude-{version}-{family}" if version[:1] in "123" else f"claude-{family}-{version}"


_REPORTED = {
    "uncached_input_tokens": "input_tokens", "cache_read_input_tokens": "cache_read_tokens",
    "output_tokens": "output_tokens",
}  # fmt: skip
_OF_A_DAY = {
    "input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_tokens",
    "cache_creation": "cache_write_tokens",
}  # fmt: skip
_SPLIT = {
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}  # fmt: skip
_MEASURES = frozenset({*_REPORTED, "cache_creation", "server_tool_use", "amount"})


def is_report(record: Record) -> bool:
    """A page of the usage or the cost report, one of its buckets, or a day of a user of Claude Code."""
    if isinstance(record.get("model_breakdown"), list) and "core_metrics" in record:
        return True
    if isinstance(record.get("data"), list) and "has_more" in record:
        return any(_is_bucket(item) for item in record["data"])
    return _is_bucket(record)


def _is_bucket(item: Any) -> bool:
    return (
        isinstance(item, dict) and {"starting_at", "ending_at"} <= item.keys() and isinstance(item.get("results"), list)
    )


def unwrap_report(record: Record) -> list[Outcome]:
    """The sums of a page, a bucket or a day."""
    if "model_breakdown" in record:
        rows = [row for row in record["model_breakdown"] if isinstance(row, dict)]
        return [outcome for row in rows for outcome in _of_a_day(record, row)] or [Ignored("day without a model")]
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


def _of_a_day(record: Record, row: Record) -> list[Outcome]:
    """What one user of Claude Code used of one model on a day."""
    actor, tokens, cost = (one if isinstance(one, dict) else {} for one in (
        record.get("actor"), row.get("tokens"), row.get("estimated_cost")))  # fmt: skip
    found: Record = {ours: tokens.get(theirs) for theirs, ours in _OF_A_DAY.items()} | {
        "started_at": record.get("date"), "ts_basis": "start", "provider": "anthropic", "operation": "chat",
        "app": "claude-code", "response_model": row.get("model"), "user_id": actor.get("email_address"),
        "api_key_id": actor.get("api_key_name"),
    }  # fmt: skip
    if "amount" in cost:
        found.update(logged_cost=_dollars(cost["amount"]), logged_cost_kind="estimated",
                     logged_currency=cost.get("currency"))  # fmt: skip
    names = {name: record.get(name) for name in ("date", "actor", "organization_id", "terminal_type", "customer_type")}
    return bucket(found, names | {"model": row.get("model")}, ())


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
        are_sums=True,
    ),
    LogFormat(
        name="anthropic_costs",
        title="Anthropic console cost CSV: sums of money, for audit and reconciliation",
        signature=is_cost_row,
        unwrap=unwrap_cost_row,
        unfolds=True,
        columns=identity_columns(),
        carries=("time", "cost"),
        lacks=("tokens",),
        are_sums=True,
    ),
    LogFormat(
        name="anthropic_report",
        title="Anthropic usage, cost and Claude Code reports (pages of the API): sums, for audit only",
        signature=is_report,
        unwrap=unwrap_report,
        unfolds=True,
        columns=identity_columns(),
        cached_in_input=False,
        carries=("time", "cache", "cost"),
        are_sums=True,
    ),
)
