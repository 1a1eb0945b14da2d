"""Home-grown request/response wrappers around any provider's bodies."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson

from costctl.formats.base import LogFormat, Record, Rejected, identity_columns
from costctl.formats.bodies import is_anthropic, is_gemini, is_openai, read_body, read_request
from costctl.formats.sse import is_sse, joined

PAIRS = (
    ("request", "response"),
    ("req", "res"),
    ("req", "resp"),
    ("input", "output"),
    ("prompt", "completion"),
)
HOSTS = {
    "api.openai.com": "openai", "api.anthropic.com": "anthropic", "openrouter.ai": "openrouter", "api.groq.com": "groq",
    "api.deepseek.com": "deepseek", "api.mistral.ai": "mistral", "generativelanguage.googleapis.com": "google",
    "api.x.ai": "x-ai", "api.together.xyz": "together",
}  # fmt: skip


def is_capture(record: Record) -> bool:
    """Whether a record wraps a request to a model and its answer."""
    pair = _pair(record)
    if pair is None:
        return False
    asked, answered = pair
    body = _body(answered)
    if is_openai(body) or is_anthropic(body) or is_gemini(body):
        return True
    return isinstance(_body(asked).get("model"), str) and (
        isinstance(body.get("error"), dict | str) or "status" in answered or body.get("type") == "error"
    )


def _pair(record: Record) -> tuple[Record, Record] | None:
    for asked, answered in PAIRS:
        one, other = record.get(asked), record.get(answered)
        if isinstance(one, dict) and isinstance(other, dict | str | list):
            return one, other if isinstance(other, dict) else {"body": other}
    return None


def _body(wrapper: Record) -> Record:
    """The body inside a wrapper: nested or direct; an object, JSON text, or recorded events."""
    body: Any = wrapper.get("body", wrapper)
    if isinstance(body, str):
        if is_sse(body):
            return joined(body)
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError:
            return {}
    if isinstance(body, list):  # a stream recorded as a list of chunks
        body = next(
            (
                item
                for item in reversed(body)
                if isinstance(item, dict) and ("usage" in item or "usageMetadata" in item)
            ),
            {},
        )
    return body if isinstance(body, dict) else {}


def unwrap(record: Record) -> Record | Rejected:
    """One capture in canonical and raw names."""
    pair = _pair(record)
    if pair is None:
        return Rejected("neither a request nor its response")
    asked, answered = pair
    request, body = _body(asked), _body(answered)
    found: Record = {**read_request(request)}
    said = read_body(body)
    found.update((name, value) for name, value in said.items() if value is not None)
    http_status = answered.get("status", answered.get("status_code", record.get("status_code")))
    found["http_status"] = http_status if isinstance(http_status, int) and not isinstance(http_status, bool) else None
    error = body.get("error") or (body if body.get("type") == "error" else None)
    if error or (found["http_status"] or 200) >= 400:
        found["status"] = "error"
        found["error_type"] = (
            error.get("type") or error.get("code") or error.get("status") if isinstance(error, dict) else "http_error"
        )
    url = str(asked.get("url") or record.get("url") or "")
    found["endpoint"] = urlsplit(url).path or None
    found["provider"] = provider_of_url(url) or found.get("provider")
    found.update((name, value) for name, value in _around(record, asked, answered).items() if value is not None)
    return found


def provider_of_url(url: str) -> str | None:
    """The provider behind a URL, where its host says so.

    >>> provider_of_url("https://x.openai.azure.com/openai/deployments/d"), provider_of_url("")
    ('azure', None)
    """
    host = urlsplit(url).hostname or ""
    if "azure" in host:
        return "azure"
    if host.endswith(".amazonaws.com"):
        return "aws"
    if host.endswith("aiplatform.googleapis.com"):
        return "google"
    return HOSTS.get(host)


def _around(record: Record, asked: Record, answered: Record) -> Record:
    """Times and ids that only the wrapper knows."""
    headers = answered.get("headers") if isinstance(answered.get("headers"), dict) else {}
    start = next(
        (
            record[key]
            for key in ("started_at", "timestamp", "ts", "time", "start_time", "created_at")
            if record.get(key)
        ),
        None,
    )
    start = start or asked.get("timestamp")
    date = answered.get("date") or {str(key).lower(): value for key, value in (headers or {}).items()}.get("date")
    around: Record = {
        "started_at": start or date, "ts_basis": "start" if start else ("end" if date else None),
        "latency_ms": record.get("duration_ms", record.get("latency_ms", answered.get("duration_ms"))),
    }  # fmt: skip
    names = (
        "request_id",
        "trace_id",
        "session_id",
        "user_id",
        "team",
        "app",
        "endpoint",
        "attempt",
        "tags",
        "user_profile",
        "project",
    )
    around.update((key, record.get(key)) for key in names)
    return around


FORMATS = (
    LogFormat(
        name="capture",
        title="request/response captures of OpenAI, Anthropic or Gemini calls (also streamed)",
        signature=is_capture,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache"),
    ),
)
