"""Weave calls: ops with their inputs, output and a summary of what was used, by model (log-formats, 7.13).

The summary of an op also holds what the ops within it used, so of ops around one another only the
innermost that counts tokens is a request; the audit drops the others by their parents.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import error_of
from costctl.formats.conversation import answer_text, first, messages_of, opened_object, system_of, tool_calls_of
from costctl.formats.placed import placed
from costctl.formats.usage import read_usage


def is_weave(record: Record) -> bool:
    """A call."""
    return (
        "op_name" in record
        and "started_at" in record
        and any(name in record for name in ("summary", "inputs", "output"))
    )


def unwrap(record: Record) -> Outcome:
    """A call of a model; other ops are ignored."""
    summary = opened_object(record.get("summary"))
    inputs, output = opened_object(record.get("inputs")), opened_object(record.get("output"))
    used = {name: value for name, value in opened_object(summary.get("usage")).items() if isinstance(value, dict)}
    own = read_usage(output.get("usage")) if isinstance(output.get("usage"), dict) else {}
    if not own and not (len(used) == 1 and _is_one_request(next(iter(used.values())))):
        return _failed_call(record, inputs) or Ignored("op: not of a model" if not used else "op: a sum of others")
    model = next(iter(used)) if len(used) == 1 else None
    found = _common(record, inputs)
    summed = _of_summary(used[model]) if model is not None else {}
    if own and all(own.get(name) == summed.get(name) for name in ("input_tokens", "output_tokens")):
        own = summed | own  # of one call, so each knows parts that the other may not
    found.update(placed(own or summed))
    found["response_model"] = first(_text(output.get("model")), model)
    found["tool_calls"], found["response_text"] = tool_calls_of(output), answer_text(output)
    costs = [value for value in opened_object(opened_object(summary.get("weave")).get("costs")).values()
             if isinstance(value, dict)]  # fmt: skip
    if len(costs) == 1:
        parts = (costs[0].get("prompt_tokens_total_cost"), costs[0].get("completion_tokens_total_cost"))
        if all(isinstance(part, int | float) for part in parts):
            cost = sum((Decimal(repr(part)) for part in parts), Decimal(0))
            found.update(logged_cost=cost, logged_currency="USD", logged_cost_kind="estimated")
    return found


def _failed_call(record: Record, inputs: Record) -> Record | None:
    """A call of a provider's API that failed: it has a model and an exception, and no counts."""
    name = str(record.get("op_name"))
    is_api = any(word in name for word in ("completions", "messages", "generate_content", "responses", "embeddings"))
    if not (record.get("exception") and isinstance(inputs.get("model"), str) and is_api):
        return None
    return _common(record, inputs)


def _is_one_request(used: Record) -> bool:
    return used.get("requests") in {None, 1} and bool(read_usage(used))


def _of_summary(used: Record) -> Record:
    return read_usage({name: value for name, value in used.items() if name != "requests"})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _common(record: Record, inputs: Record) -> Record:
    """Everything but what the answer says."""
    call_id, trace_id = record.get("id"), record.get("trace_id")
    op = str(record.get("op_name")).rsplit("/", 1)[-1].split(":", 1)[0]
    attributes = opened_object(record.get("attributes"))
    found: Record = {
        "request_id": call_id, "span_id": call_id, "parent_id": record.get("parent_id"), "trace_id": trace_id,
        "started_at": record.get("started_at"), "ended_at": record.get("ended_at"),
        "session_id": record.get("thread_id"), "user_id": first(attributes.get("user_id"), record.get("wb_user_id")),
        "project": record.get("project_id"), "provider": op.split(".", 1)[0] if "." in op else None,
        "request_model": _text(inputs.get("model")), "operation": "embeddings" if "embed" in op.lower() else "chat",
        "temperature": inputs.get("temperature"), "stream": inputs.get("stream"),
        "max_output_tokens": first(inputs.get("max_completion_tokens"), inputs.get("max_tokens")),
        "messages": messages_of(inputs), "system": system_of(inputs),
    }  # fmt: skip
    if not isinstance(found["stream"], bool):
        found["stream"] = None
    if call_id is not None:
        found["dedupe_key"] = f"{trace_id}:{call_id}"
    if record.get("exception"):
        found.update(error_of(record["exception"]))
    return found


FORMATS = (
    LogFormat(
        name="weave",
        title="Weave calls (JSON or JSONL)",
        signature=is_weave,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "session", "user"),
    ),
)
