"""OpenAI's usage and costs: pages of its API and the CSV of its console. Each row is the sum of one bucket of time.

Costs are money by line item, without counts. Input includes what was read from and written to a cache; the counts of
text, audio and images do not (log-formats, 3 and 7.1).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.aggregates import bucket, count, flag
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns

_COUNTS = {
    "input_tokens": "input_tokens", "input_cached_tokens": "cache_read_tokens",
    "input_cache_write_tokens": "cache_write_tokens", "output_tokens": "output_tokens",
    "input_cached_audio_tokens": "cache_read_audio_tokens", "output_audio_tokens": "output_audio_tokens",
    "input_image_tokens": "input_image_tokens", "output_image_tokens": "output_image_tokens",
    "num_model_requests": "aggregate_request_count",
}  # fmt: skip
# What a row counts, besides how it is called: a later export of the same bucket may count more.
_MEASURES = frozenset(
    {*_COUNTS, "object", "input_uncached_tokens", "input_text_tokens", "output_text_tokens",
     "input_cached_text_tokens", "input_cached_image_tokens", "input_audio_tokens",
     "amount", "amount_value", "quantity"}
)  # fmt: skip
_TOKENS = ("input_tokens", "output_tokens", "input_uncached_tokens")
_PARTS = ("input_uncached_tokens", "input_cached_tokens", "input_cache_write_tokens")
_USAGE = "organization.usage."
_OTHER_KINDS = frozenset(
    {"images", "audio_speeches", "audio_transcriptions", "vector_stores", "code_interpreter_sessions", "moderations",
     "file_search_calls", "web_search_calls"}
)  # fmt: skip
_EMBEDDINGS = "organization.usage.embeddings.result"


def is_page(record: Record) -> bool:
    """A page of the API, one of its buckets, or a row of the console's CSV."""
    if {"start_time_iso", "end_time_iso"} <= record.keys():
        return "type" not in record  # another vendor's export
    if record.get("object") == "page" and isinstance(record.get("data"), list):
        return any(_is_bucket(item) for item in record["data"]) or not record["data"]
    return _is_bucket(record)


def _is_bucket(item: Any) -> bool:
    return isinstance(item, dict) and item.get("object") == "bucket" and _results(item) is not None


def _results(item: Record) -> list[Any] | None:
    """The rows of a bucket; the reference once called them `result`."""
    return next((item[name] for name in ("results", "result") if isinstance(item.get(name), list)), None)


def unwrap(record: Record) -> list[Outcome]:
    """The sums of a page, a bucket or a row."""
    if "start_time_iso" in record:
        return _sum(record)
    buckets = record.get("data", [record])
    found = [outcome for item in buckets if _is_bucket(item) for outcome in _bucket(item)]
    return found or [Ignored("page without buckets")]


def _bucket(item: Record) -> list[Outcome]:
    beside = {"start_time": item.get("start_time"), "end_time": item.get("end_time")}
    rows = [row for row in _results(item) or () if isinstance(row, dict)]
    return [outcome for row in rows for outcome in _sum(row | beside)] or [Ignored("bucket without requests")]


def _sum(row: Record) -> list[Outcome]:
    if "amount" in row or "amount_value" in row:
        return _cost(row)
    kind = str(row.get("object") or "").removeprefix(_USAGE).removesuffix(".result")
    if all(count(row.get(name)) is None for name in _TOKENS):
        has_requests = count(row.get("num_model_requests")) is not None
        if kind in _OTHER_KINDS:
            return [Ignored(f"usage of {kind.replace('_', ' ')}: not counted in tokens")]
        if not has_requests:
            return [Ignored("bucket without requests")]
    audio = [count(row.get(name)) for name in ("input_audio_tokens", "input_cached_audio_tokens")]
    found: Record = {ours: row.get(theirs) for theirs, ours in _COUNTS.items()}
    if count(found["input_tokens"]) is None:  # an export may have only its parts
        parts = [count(row.get(name)) for name in _PARTS]
        found["input_tokens"] = sum(value for value in parts if type(value) is int) if parts[0] is not None else None
    found.update(
        input_audio_tokens=sum(value for value in audio if type(value) is int) or None,
        started_at=count(row.get("start_time")), bucket_ends_at=count(row.get("end_time")), ts_basis="start",
        provider="openai", response_model=row.get("model"), user_id=row.get("user_id"), project=row.get("project_id"),
        api_key_id=row.get("api_key_id"),
        operation="embeddings" if row.get("object") == _EMBEDDINGS else "chat",
        service_tier="batch" if flag(row.get("batch")) else row.get("service_tier"),
    )  # fmt: skip
    return bucket(found, row, _MEASURES)


def _cost(row: Record) -> list[Outcome]:
    """The money of one line item; a row of the CSV is flat."""
    amount = row.get("amount")
    said = (
        amount
        if isinstance(amount, dict)
        else {"value": row.get("amount_value"), "currency": row.get("amount_currency")}
    )
    if said.get("value") in (None, ""):
        return [Ignored("bucket without costs")]
    item = row.get("line_item") or None
    found: Record = {
        "started_at": count(row.get("start_time")), "bucket_ends_at": count(row.get("end_time")), "ts_basis": "start",
        "provider": "openai", "project": row.get("project_id"), "api_key_id": row.get("api_key_id"), "tags": item,
        "response_model": _model_of(item), "logged_cost": said["value"], "logged_cost_kind": "billed",
        "logged_currency": str(said.get("currency") or "usd").upper(),
    }  # fmt: skip
    return bucket(found, row, _MEASURES)


def _model_of(item: Any) -> str | None:
    """The model of a line item: what stands before the class of token; an item of anything else has none.

    >>> _model_of("gpt-4o-2024-08-06, cached input"), _model_of("gpt-4o"), _model_of("web search tool calls")
    ('gpt-4o-2024-08-06', 'gpt-4o', None)
    """
    name = str(item or "").partition(",")[0].strip()
    return name if name and " " not in name else None


FORMATS = (
    LogFormat(
        name="openai_usage",
        title="OpenAI usage and costs (pages of the API, CSV of the console): sums, for audit only",
        signature=is_page,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        carries=("time", "cache", "cost"),
        are_sums=True,
    ),
)
