"""Azure OpenAI's diagnostic log of requests: when, how long, which deployment and how it ended. It has no counts.

Good for errors and latencies; the audit says that nothing of it can be priced (log-formats, 7.5).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.conversation import first, opened_object

_CATEGORIES = ("RequestResponse", "Audit", "Trace", "AzureOpenAIRequestUsage")
_CALLS = ("completion", "embedding", "response", "chat", "message", "image", "audio", "transcription")
# 100 ns since the year 1, as .NET counts; these lie between the years 1 and 1970.
_TICKS_BEFORE_1970 = 621_355_968_000_000_000
_TICKS_IN_A_MICROSECOND = 10


def is_diagnostic(record: Record) -> bool:
    """A row of the log of a Cognitive Services account."""
    place = record.get("resourceId")
    return (
        record.get("category") in _CATEGORIES
        and isinstance(place, str)
        and ("COGNITIVESERVICES" in place.upper() or "modelDeploymentName" in str(record.get("properties")))
    )


def unwrap(record: Record) -> Outcome:
    """One call of a deployment; of other categories and operations, what kind of row it is."""
    category, operation = record.get("category"), str(record.get("operationName") or "")
    if category != "RequestResponse":
        return Ignored(f"category {category}")
    said = opened_object(record.get("properties"))
    deployment, model = said.get("modelDeploymentName"), said.get("modelName")
    if not any(word in operation.lower() for word in _CALLS) or first(deployment, model) is None:
        return Ignored("operation that calls no model")
    started, ended = _instant_us(said.get("requestTime")), _instant_us(said.get("responseTime"))
    status = _status(record.get("resultSignature"))
    stream = said.get("streamType")
    found: Record = {
        "request_id": record.get("correlationId"), "provider": "azure", "request_model": deployment,
        "response_model": first(model, deployment), "region": record.get("location"), "http_status": status,
        # The row's own time is when it was written, at times days later.
        "started_at": first(started, record.get("time")), "ts_basis": "start" if started else "logged",
        "latency_ms": _positive(record.get("durationMs")), "ended_at": ended if started else None,
        "stream": "non" not in stream.lower() if isinstance(stream, str) and stream else None,
        "operation": "embeddings" if "embedding" in operation.lower() else "chat", "endpoint": operation,
        # A correlation id may stand for several calls.
        "dedupe_key": f"{record.get('correlationId')}:{operation}:{first(said.get('requestTime'), record.get('time'))}",
    }  # fmt: skip
    if status is not None and status >= 400:
        found.update(status="error", error_type=f"http_{status}")
    return found


def _instant_us(ticks: Any) -> int | None:
    """Microseconds since 1970.

    >>> _instant_us(638554975000000000)
    1719900700000000
    """
    if isinstance(ticks, str) and ticks.isdecimal():
        ticks = int(ticks)
    if not isinstance(ticks, int) or ticks <= _TICKS_BEFORE_1970:
        return None
    return (ticks - _TICKS_BEFORE_1970) // _TICKS_IN_A_MICROSECOND


def _positive(value: Any) -> Any:
    """A duration; Azure writes some below zero, which say nothing."""
    return value if not isinstance(value, int | float) or value >= 0 else None


def _status(signature: Any) -> int | None:
    text = str(signature)
    return int(text) if text.isdecimal() and len(text) == 3 else None


FORMATS = (
    LogFormat(
        name="azure_diagnostics",
        title="Azure OpenAI diagnostic log (no token counts: errors and latencies only)",
        signature=is_diagnostic,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "latency"),
        lacks=("tokens",),
    ),
)
