"""Batch files: requests in one file, answers in another, joined by the `custom_id` that the user chose.

All of it has the batch price, whatever tier the body names. An answer's own time is when it was
worked on, not when it was asked. A line that only asks is no request of its own: it lends what was asked
to the answer with its id (audit/questions.sql). The job
sums up what its answers count, and is never added to them.
"""

from __future__ import annotations

from typing import Any

from costctl.formats.aggregates import bucket
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.bodies import error_of, read_body, read_request
from costctl.formats.usage import read_usage


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def is_openai_batch(record: Record) -> bool:
    """A line of the input, output or error file of a batch in OpenAI's shape, or the job."""
    if record.get("object") == "batch":
        return "request_counts" in record or "input_file_id" in record
    if "custom_id" not in record:
        return False
    if "response" in record:
        return isinstance(record["response"], dict) or record["response"] is None
    return isinstance(record.get("body"), dict) or "error" in record


def is_anthropic_batch(record: Record) -> bool:
    """A line of the requests or the results of a message batch."""
    return "custom_id" in record and (
        isinstance(_object(record.get("result")).get("type"), str) or isinstance(record.get("params"), dict)
    )


def _question(record: Record, body: Record, endpoint: Any, provider: str) -> Record:
    """What a line of an input file asks, waiting for its answer."""
    found = read_request(body)
    found.update(asked_key=str(record["custom_id"]), is_part=True, endpoint=endpoint, provider=provider)
    return found


def _answer(record: Record, body: Record, key: Any) -> Record:
    found: Record = {name: value for name, value in read_body(body).items() if value is not None}
    found.update(
        asked_key=str(record["custom_id"]), dedupe_key=f"{record['custom_id']}:{key}" if key else None,
        service_tier="batch",
    )  # fmt: skip
    found["request_id"] = found.get("request_id") or record.get("id") or key
    return found


def _job(record: Record) -> Outcome | list[Outcome]:
    """The sums of a job, where it tells them."""
    counts = read_usage(record.get("usage"))
    if not counts.get("input_tokens"):
        return Ignored("batch job: its answers are counted")
    counts.pop("total_tokens", None)
    done = _object(record.get("request_counts")).get("completed")
    found = counts | {
        "started_at": record.get("created_at"), "bucket_ends_at": record.get("completed_at"), "ts_basis": "start",
        "provider": "openai", "response_model": record.get("model"), "service_tier": "batch",
        "endpoint": record.get("endpoint"), "aggregate_request_count": done,
    }  # fmt: skip
    return bucket(found, {"id": record.get("id")}, ())


def unwrap_openai(record: Record) -> Outcome | list[Outcome]:
    """One line of an input, output or error file, or the job."""
    if record.get("object") == "batch":
        return _job(record)
    if "response" not in record and isinstance(record.get("body"), dict):
        return _question(record, record["body"], record.get("url"), "openai")
    response = _object(record.get("response"))
    body = _object(response.get("body"))
    found = _answer(record, body, record.get("id") or response.get("request_id") or body.get("id"))
    found.setdefault("provider", "openai")
    status = response.get("status_code")
    if isinstance(status, int):
        found["http_status"] = status
    if record.get("error") and found.get("status") != "error":
        found.update(error_of(record["error"]))
    elif isinstance(status, int) and status >= 400 and "error_type" not in found:
        found.update(status="error", error_type="http_error")
    return found


def unwrap_anthropic(record: Record) -> Outcome:
    """One line of the requests or the results."""
    if "result" not in record:
        return _question(record, record["params"], "/v1/messages", "anthropic")
    result = _object(record.get("result"))
    kind, body = result.get("type"), _object(result.get("message"))
    found = _answer(record, body, body.get("id") or kind)
    found["provider"] = "anthropic"
    if kind == "errored":
        error = _object(result.get("error"))
        found.update(error_of(error.get("error") or error or "error"))
    elif kind == "canceled":
        found.update(status="cancelled", error_type="canceled")
    elif kind == "expired":
        found.update(status="error", error_type="expired")
    elif not body:
        return Rejected("a result of a message batch without its message")
    return found


FORMATS = (
    LogFormat(
        name="openai_batch",
        title="OpenAI batch files (input, output and errors; also of Azure and compatible vendors)",
        signature=is_openai_batch,
        unwrap=unwrap_openai,
        unfolds=True,
        columns=identity_columns(),
        carries=("text", "time", "cache"),
    ),
    LogFormat(
        name="anthropic_batch",
        title="Anthropic message batches (requests and results)",
        signature=is_anthropic_batch,
        unwrap=unwrap_anthropic,
        columns=identity_columns(),
        carries=("text", "cache"),
    ),
)
