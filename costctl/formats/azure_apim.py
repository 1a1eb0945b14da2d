"""Azure API Management in front of models: its gateway log with bodies, and its log of language models with counts.

A call may stand in both, and in the first with the bodies of both sides: its correlation id makes it one. The log of
language models has a row with the counts and, for long texts, rows that carry on its messages. Counts are OpenAI's:
the input holds cached tokens, which only bodies tell (log-formats, 7.5).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import error_of, is_answer, read_body, read_request
from costctl.formats.conversation import answer_text, first, messages_of, opened_object
from costctl.formats.sse import opened_body
from costctl.formats.urls import model_of_url, split_url


def is_gateway_log(record: Record) -> bool:
    """A row of either log, as a resource log or as a table of Log Analytics."""
    if "deploymentName" in record or "DeploymentName" in record:
        return not {"CorrelationId", "correlationId"}.isdisjoint(record)
    if record.get("category") in {"GatewayLogs", "GatewayLlmLogs"}:
        return "resourceId" in record
    if "CorrelationId" in record and ("TimeGenerated" in record or "TimeGenerated [UTC]" in record):
        return "BackendResponseBody" in record or "ApimSubscriptionId" in record
    return False


def unwrap(record: Record) -> Outcome:
    """One row: a call with its bodies, a call with its counts, or what is neither."""
    row = _flat(record)
    if "deploymentName" in row:
        return _counted(row)
    return _with_bodies(row)


def _flat(record: Record) -> Record:
    """Either spelling of a row as one object: the properties of a resource log beside what lies around them."""
    row = {_lower_first(name): value for name, value in record.items()}
    inner = opened_object(row.get("properties"))
    return row | {_lower_first(name): value for name, value in inner.items()}


def _lower_first(name: str) -> str:
    """A column in the spelling of resource logs; the portal adds the zone to a time.

    >>> _lower_first("TimeGenerated [UTC]"), _lower_first("promptTokens")
    ('timeGenerated', 'promptTokens')
    """
    return (name[:1].lower() + name[1:]).removesuffix(" [UTC]")


def _common(row: Record) -> Record:
    key = row.get("correlationId")
    return {
        "request_id": key, "dedupe_key": key,
        "started_at": _instant(first(row.get("time"), row.get("timeGenerated"))),
        "ts_basis": "logged", "provider": "azure", "usage_source": "gateway", "region": first(row.get("location"),
        row.get("region")),
    }  # fmt: skip


def _instant(said: Any) -> Any:
    """A time, also as the portal writes it in its exports; anything else as it is.

    >>> _instant("7/2/2024, 6:31:31.446 PM"), _instant("2024-07-02T18:31:31Z")
    (datetime.datetime(2024, 7, 2, 18, 31, 31, 446000), '2024-07-02T18:31:31Z')
    """
    if not isinstance(said, str) or not said.endswith((" AM", " PM")):
        return said
    for shape in ("%m/%d/%Y, %I:%M:%S.%f %p", "%m/%d/%Y, %I:%M:%S %p"):
        with suppress(ValueError):
            return datetime.strptime(said, shape)  # noqa: DTZ007  (the column's name says UTC)
    return said


def _counted(row: Record) -> Outcome:
    """A row of the log of language models."""
    if first(row["deploymentName"]) is None:
        return Ignored("further piece of a message")
    found = _common(row)
    found.update(
        request_model=row["deploymentName"], response_model=first(row.get("modelName"), row["deploymentName"]),
        input_tokens=row.get("promptTokens"), output_tokens=row.get("completionTokens"),
        total_tokens=row.get("totalTokens"), stream=row.get("isStreamCompletion"),
        messages=messages_of(row.get("requestMessages")), response_text=answer_text(row.get("responseMessages")),
    )  # fmt: skip
    return found


def _with_bodies(row: Record) -> Outcome:
    """A row of the gateway log: the answer as the backend gave it, or as the client got it."""
    url = str(first(row.get("backendUrl"), row.get("url"), ""))
    answers = [opened_body(row.get(name)) for name in ("backendResponseBody", "responseBody")]
    answer = next((body for body in answers if body), {})
    asked = next((body for body in (opened_body(row.get(name)) for name in ("backendRequestBody", "requestBody"))
                  if body), {})  # fmt: skip
    model = first(asked.get("model"), model_of_url(url))
    if model is None and not is_answer(answer):
        return Ignored("call of another API")
    found = read_request(asked)
    found.update((name, value) for name, value in read_body(answer).items() if value is not None)
    found.update(_common(row) | {"usage_source": "provider"})
    status = first(row.get("responseCode"), row.get("backendResponseCode"))
    found.update(
        request_model=first(found.get("request_model"), model), endpoint=split_url(url)[1] or None,
        latency_ms=first(row.get("totalTime"), row.get("durationMs")), http_status=status,
        team=row.get("apimSubscriptionId"), project=row.get("productId"),
        gateway_cache_hit=True if row.get("cache") == "hit" else None,
    )  # fmt: skip
    if isinstance(status, int) and status >= 400:
        found.update(error_of(answer.get("error")) if answer.get("error") else {"error_type": f"http_{status}"})
        found["status"] = "error"
    return found


FORMATS = (
    LogFormat(
        name="azure_apim",
        title="Azure API Management (gateway log with bodies, log of language models)",
        signature=is_gateway_log,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache"),
    ),
)
