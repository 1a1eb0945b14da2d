"""Home-grown request/response wrappers around any provider's bodies, and bare bodies between them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.bodies import error_of, is_answer, read_body, read_request
from costctl.formats.sse import opened_body
from costctl.formats.urls import model_of_url, provider_of_url, split_url
from costctl.formats.usage import read_usage
from costctl.formats.usual import COLUMNS

PAIRS = (
    ("request", "response"),
    ("req", "res"),
    ("req", "resp"),
    ("input", "output"),
    ("prompt", "completion"),
)
_STARTS = ("startedDateTime", "started_at", "timestamp", "ts", "time", "start_time", "created_at")
_ENDS = ("ended_at", "end_time", "finished_at", "completed_at")
_STATUSES = ("status", "status_code", "statusCode", "http_status")
_SAME_NAMES = (
    "trace_id", "session_id", "user_id", "team", "app", "endpoint", "attempt", "tags", "user_profile", "project",
)  # fmt: skip
# What a wrapper says by the names that any log uses; of a body only the wrapper may know it.
_USUAL = {
    name: tuple(path[0] for path in COLUMNS[name] if len(path) == 1)
    for name in ("provider", "region", "caller", "api_key", "api_key_id", "logged_cost", "logged_currency")
}
_OF_A_FAILURE = frozenset({"error", "type", "request_id"})
# A plain `latency` names no unit: below this it is seconds, from it on milliseconds.
_SECONDS_BELOW = 100


def is_capture(record: Record) -> bool:
    """Whether a record wraps a request to a model and its answer, or is the body of a failure alone."""
    pair = _pair(record)
    if pair is None:
        return is_failure(record)
    asked, answered = pair
    body = _body(answered)
    if is_answer(body) or isinstance(body.get("usage"), dict):
        return True
    if not isinstance(_body(asked).get("model"), str) and model_of_url(_url(record, asked)) is None:
        return False
    if isinstance(body.get("error"), dict | str) or body.get("type") == "error":
        return True
    return any(name in answered for name in _STATUSES) or (not answered and bool(record.get("error")))


def is_failure(record: Record) -> bool:
    """Whether a record is the body of a failure and nothing else: any API answers so."""
    return record.keys() <= _OF_A_FAILURE and isinstance(record.get("error"), dict) and bool(record["error"])


def _pair(record: Record) -> tuple[Record, Record] | None:
    for asked, answered in PAIRS:
        one, other = record.get(asked), record.get(answered)
        if isinstance(one, str) and one.startswith("{"):
            one = _loaded(one)
        if not isinstance(one, dict):
            continue
        if isinstance(other, dict):
            return one, other
        if isinstance(other, str | list):
            return one, {"body": other}
        if other is None and answered in record and record.get("error"):  # the call never got an answer
            return one, {}
    return None


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _body(wrapper: Record) -> Record:
    """The body inside a wrapper: nested or direct."""
    recorded = wrapper.get("postData", wrapper.get("content"))
    if "body" not in wrapper and isinstance(recorded, dict) and "mimeType" in recorded:
        return opened_body(_text_of(recorded))
    return opened_body(wrapper.get("body", wrapper))


def _text_of(recorded: Record) -> Any:
    """The text of a body in an HTTP archive."""
    text = recorded.get("text")
    if recorded.get("encoding") != "base64" or not isinstance(text, str):
        return text
    try:
        return base64.b64decode(text).decode("utf-8", "replace")
    except binascii.Error:
        return None


def unwrap(record: Record) -> Outcome:
    """One capture, or one bare body, in canonical and raw names."""
    pair = None if is_answer(record) else _pair(record)
    if pair is None:
        if str(record.get("id")).startswith("modr-"):
            return Ignored("moderation")
        return (
            read_body(record)
            or _by_usage(record)
            or Rejected("neither an answer of a model nor a request with its response")
        )
    asked, answered = pair
    body = _body(answered)
    url = _url(record, asked)
    found = read_request(_body(asked))
    told = read_body(body) or _by_usage(body)
    found.update((name, value) for name, value in told.items() if value is not None)
    found["request_model"] = found["request_model"] or model_of_url(url)
    _add_outcome(found, record, answered, body)
    found["endpoint"] = split_url(url)[1] or None
    usual = {name: _plain(record, names) for name, names in _USUAL.items()}
    found["provider"] = provider_of_url(url) or usual.pop("provider") or found.get("provider")
    if found.get("logged_cost") is None:  # the body's own is what the provider charged
        found.update(logged_cost=usual["logged_cost"], logged_currency=usual["logged_currency"])
    found.update((name, usual[name]) for name in ("region", "caller", "api_key", "api_key_id") if usual[name])
    found["service_tier"] = _service_tier(found.get("service_tier"), record)
    around = _around(record, asked, answered)
    if found.get("stream") is True and found.get("started_at") and not around["is_timed"]:
        # The head of a stream bears a date of its beginning, later than the time that the answer itself says.
        around["started_at"] = around["ts_basis"] = None
    del around["is_timed"]
    found.update((name, value) for name, value in around.items() if value is not None)
    _add_identity(found, record)
    return found


def _by_usage(body: Record) -> Record:
    """What an answer of no kind that is known tells by its usage: images, transcriptions, Converse."""
    counts = read_usage(body.get("usage"))
    if not counts:
        return {}
    found: Record = {"request_id": body.get("id"), "response_model": body.get("model"), **counts}
    if body.get("created") is not None:
        found.update(started_at=body["created"], ts_basis="created")
    return found


def _add_outcome(found: Record, record: Record, answered: Record, body: Record) -> None:
    """HTTP status and failure, from the wrapper where the body does not say."""
    http_status = _http_status(answered) or _http_status(record)
    found["http_status"] = http_status
    if found.get("status") == "error":
        return
    if record.get("error") and not is_answer(body):
        found.update(error_of(record["error"]))
    elif (http_status or 200) >= 400:
        found.update(status="error", error_type="http_error")


def _http_status(holder: Record) -> int | None:
    for name in _STATUSES:
        value = holder.get(name)
        if isinstance(value, str) and len(value) == 3 and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 100 <= value <= 599:
            return value
    return None


def _add_identity(found: Record, record: Record) -> None:
    """The answer's own id names the attempt; the wrapper's id, which retries may share, joins them."""
    outer = record.get("request_id")
    if outer in (None, ""):
        return
    if found.get("trace_id") in (None, ""):
        found["trace_id"] = outer
    if found.get("request_id") in (None, ""):
        found["request_id"] = outer


def _url(record: Record, asked: Record) -> str:
    return str(asked.get("url") or record.get("url") or "")


def _some(holder: Record, names: tuple[str, ...]) -> Any:
    return next((holder[name] for name in names if holder.get(name)), None)


def _plain(holder: Record, names: tuple[str, ...]) -> Any:
    """The first of these members that is a text or a number."""
    return next((value for name in names if type(value := holder.get(name)) in (str, int, float) and value != ""), None)


def _service_tier(told: Any, record: Record) -> Any:
    """The tier that the answer tells is billed; but no body knows that it was sent in a batch."""
    said = service_tier(_plain(record, ("service_tier", "serviceTier")))
    return said if told is None or said == "batch" else told


def _around(record: Record, asked: Record, answered: Record) -> Record:
    """Times and ids that only the wrapper knows."""
    start = _some(record, _STARTS) or asked.get("timestamp")
    ended = _some(record, _ENDS)
    date = ended or answered.get("date")
    headers = answered.get("headers")
    if not start and not date and isinstance(headers, dict):
        date = {str(key).lower(): value for key, value in headers.items()}.get("date")
    around: Record = {name: record.get(name) for name in _SAME_NAMES}
    user = record.get("user")
    if around["user_id"] is None and isinstance(user, str):
        around["user_id"] = user
    around.update(
        started_at=start or date, ts_basis="start" if start else ("end" if date else None),
        ended_at=ended if start else None, is_timed=bool(start or ended),
        latency_ms=record.get("duration_ms", record.get("latency_ms", answered.get("duration_ms"))),
        latency_s=record.get("latency_s", record.get("duration_s")),
        time_to_first_token_ms=record.get("time_to_first_token_ms", record.get("ttft_ms")),
    )  # fmt: skip
    if "startedDateTime" in record:
        around["latency_ms"] = record.get("time")
    plain = record.get("latency")
    if around["latency_ms"] is None and around["latency_s"] is None and isinstance(plain, int | float):
        around["latency_s" if plain < _SECONDS_BELOW else "latency_ms"] = plain
    return around


FORMATS = (
    LogFormat(
        name="capture",
        title="request/response captures of OpenAI, Anthropic or Gemini calls (also streamed)",
        signature=is_capture,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "session"),
    ),
)
