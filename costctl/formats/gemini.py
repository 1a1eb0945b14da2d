"""Gemini and Vertex answers: bare, recorded with their method, of batch jobs, and as Vertex logs them to BigQuery.

Missing counts mean 0 here, thoughts are counted beside the candidates (log-formats, 7.3).
"""

from __future__ import annotations

from typing import Any

import orjson

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.bodies import error_of, is_answer, is_gemini, read_body, read_request
from costctl.formats.conversation import opened
from costctl.formats.sse import opened_body
from costctl.formats.urls import model_of_url

_RECORDED = ("generateContent", "generateContentStream", "streamGenerateContent")
_UNCOUNTED = ("countTokens", "embedContent", "batchEmbedContents", "computeTokens")


def is_gemini_record(record: Record) -> bool:
    """A bare answer, or one recorded with its method or by a batch job."""
    if is_gemini(record):
        return True
    answered = record.get("response")
    if record.get("method") in (*_RECORDED, *_UNCOUNTED):
        return "response" in record
    return _is_batched(record) and (
        (isinstance(answered, dict) and is_gemini(answered))
        or (answered in (None, {}) and _failure(record) is not None)
    )


def _is_batched(record: Record) -> bool:
    """A line of a batch job: of Gemini's (a key), of Vertex's (its request and when it was processed)."""
    return "processed_time" in record or ("key" in record and ("response" in record or "error" in record))


def unwrap(record: Record) -> Outcome:
    """One answer in canonical and raw names."""
    if is_gemini(record):
        return read_body(record)
    method = record.get("method")
    if method in _UNCOUNTED:
        return Ignored(f"{method}: no counts in its answer")
    if _is_batched(record):
        return _batched(record)
    body = opened_body(record.get("response", record))
    return read_body(body) or Rejected("neither an answer of Gemini nor an error")


def _failure(record: Record) -> Any:
    """What the line of a batch says of a failure: an object, or a text that is not empty."""
    return record.get("error") or record.get("status") or None


def _batched(record: Record) -> Record:
    asked = record.get("request")
    found = read_request(asked) if isinstance(asked, dict) else {}
    body = opened_body(record.get("response"))
    found.update((name, value) for name, value in read_body(body).items() if value is not None)
    failure = _failure(record)
    if failure is not None and not is_answer(body):
        found.update(error_of(failure))
    found.update(service_tier="batch", provider="google", operation="chat")
    if found.get("started_at") is None and record.get("processed_time"):
        found.update(started_at=record["processed_time"], ts_basis="end")
    return found


def is_vertex_log(record: Record) -> bool:
    """A row of the table into which Vertex logs requests and responses; whole bodies came later."""
    return "logging_time" in record and ("full_response" in record or "response_payload" in record)


def unwrap_vertex_log(record: Record) -> Outcome:
    """One logged call; the body says whose model it was."""
    asked = _opened(record.get("full_request")) or _first(record.get("request_payload"))
    body = opened_body(record.get("full_response")) or opened_body(_pieces(record.get("response_payload")))
    found = read_request(asked)
    found.update((name, value) for name, value in read_body(body).items() if value is not None)
    request_id = record.get("request_id")
    key = None if request_id is None else f"{request_id}:{record['logging_time']}"
    model = record.get("model") or record.get("deployed_model_id") or model_of_url(str(record.get("endpoint")))
    if isinstance(model, str):
        model = model.rpartition("/models/")[2]
    method = record.get("api_method")
    found.update(
        request_id=found.get("request_id") or request_id, dedupe_key=key, started_at=record["logging_time"],
        ts_basis="logged", endpoint=method, provider=found.get("provider") or "google",
        request_model=model or found.get("request_model"), region=_region(record.get("endpoint")),
        stream=str(method).lower().startswith("stream") if method else None,
    )  # fmt: skip
    return found


def _opened(value: Any) -> Record:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def _first(payload: Any) -> Record:
    """The one request of a list of JSON texts."""
    pieces = _pieces(opened(payload))
    return pieces[0] if isinstance(pieces, list) and pieces else {}


def _pieces(payload: Any) -> Any:
    """The answer as a list of JSON texts, also where a table holds it as a text."""
    payload = opened(payload)
    return [_opened(piece) for piece in payload] if isinstance(payload, list) else payload


def _region(endpoint: Any) -> str | None:
    """The location in the name of an endpoint.

    >>> _region("projects/p/locations/europe-west4/endpoints/1")
    'europe-west4'
    """
    parts = str(endpoint).split("/")
    return parts[parts.index("locations") + 1] if "locations" in parts[:-1] else None


FORMATS = (
    LogFormat(
        name="vertex_log",
        title="Vertex AI request-response logs (BigQuery exports)",
        signature=is_vertex_log,
        unwrap=unwrap_vertex_log,
        columns=identity_columns(),
        carries=("text", "time", "cache"),
    ),
    LogFormat(
        name="gemini",
        title="Gemini and Vertex answers (bare, recorded, or of batch jobs)",
        signature=is_gemini_record,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "cache"),
    ),
)
