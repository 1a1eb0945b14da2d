"""LangSmith runs: exports, API answers, bulk Parquet, and the bodies that its clients send.

Only runs of type `llm` and `embedding` are calls; the others roll up what is within them. A client
sends a run in two pieces, at its start and at its end, which are merged by id (log-formats, 7.13).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.conversation import answer_text, first, messages_of, opened, opened_object, tool_calls_of
from costctl.formats.placed import placed, whole
from costctl.formats.usage import read_usage

CALLS = {"llm": "chat", "embedding": "embeddings"}
_BATCHES = ("post", "patch", "runs")
_STARTED = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{1,6})Z([^.]+)$")
_MODELS = ("ls_model_name", "model_name", "model", "model_id")
_DETAILS = (
    ("cache_read_tokens", "input", ("cache_read", "cached_tokens")),
    ("cache_write_tokens", "input", ("cache_creation", "cache_write")),
    ("cache_write_5m_tokens", "input", ("ephemeral_5m_input_tokens",)),
    ("cache_write_1h_tokens", "input", ("ephemeral_1h_input_tokens",)),
    ("input_audio_tokens", "input", ("audio",)),
    ("reasoning_tokens", "output", ("reasoning", "reasoning_tokens")),
    ("output_audio_tokens", "output", ("audio",)),
)


def is_langsmith(record: Record) -> bool:
    """A run, the update of one, or a batch of them."""
    if any(_are_runs(record.get(name)) for name in _BATCHES):
        return True
    if "run_type" in record:
        return any(
            name in record for name in ("dotted_order", "trace_id", "parent_run_id", "session_name", "start_time")
        )
    return "dotted_order" in record and any(name in record for name in ("outputs", "end_time", "error"))


def _are_runs(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(item, dict) and ("run_type" in item or "dotted_order" in item) for item in value
    )


def unwrap(record: Record) -> list[Outcome]:
    """Every run of a record."""
    if "run_type" in record or "dotted_order" in record:
        return [_run(run) for run in _with_inner(record)]
    found: list[Outcome] = []
    for name in _BATCHES:
        for item in record.get(name) or ():
            found.append(_run(item) if isinstance(item, dict) else Rejected("a run that is no object"))
    return found or [Ignored("no run")]


def _with_inner(run: Record) -> Iterator[Record]:
    """A run and those within it, which some exports keep inside."""
    yield run
    inner = opened(run.get("child_runs"))
    for child in inner if isinstance(inner, list) else ():
        if isinstance(child, dict):
            yield from _with_inner(child)


def _run(run: Record) -> Outcome:
    kind = run.get("run_type")
    if kind is not None and kind not in CALLS:
        return Ignored(f"run: {kind}" if isinstance(kind, str) else "run of no type")
    order = _STARTED.search(run["dotted_order"]) if isinstance(run.get("dotted_order"), str) else None
    run_id = first(run.get("id"), order and order[8])
    if kind is None and run_id is None:
        return Ignored("the update of a run without its id")
    extra = opened_object(run.get("extra"))
    metadata, inputs = opened_object(extra.get("metadata")), opened_object(run.get("inputs"))
    # LangChain keeps the parameters apart; the wrappers of the providers' clients leave them in the inputs.
    asked, outputs = {**inputs, **opened_object(extra.get("invocation_params"))}, opened_object(run.get("outputs"))
    found: Record = {
        "request_id": run_id, "span_id": run_id, "dedupe_key": run_id, "parent_id": run.get("parent_run_id"),
        "trace_id": run.get("trace_id"), "is_part": True if kind is None else None,
        "started_at": first(run.get("start_time"), order and _iso(order)), "ended_at": run.get("end_time"),
        "provider": metadata.get("ls_provider"), "operation": CALLS.get(str(kind)),
        "request_model": first(asked.get("model"), asked.get("model_name"), _named(metadata)),
        "response_model": _served(outputs), "service_tier": service_tier(outputs.get("service_tier")),
        "temperature": first(asked.get("temperature"), metadata.get("ls_temperature")),
        "max_output_tokens": whole(first(asked.get("max_completion_tokens"), asked.get("max_tokens"),
                                         metadata.get("ls_max_tokens"))),
        "session_id": first(*(metadata.get(name) for name in ("session_id", "thread_id", "conversation_id"))),
        "user_id": first(metadata.get("user_id"), metadata.get("ls_user_id")),
        "project": first(run.get("session_name"), run.get("project_name")),
        "tags": opened(run.get("tags")), "tool_count": _count(asked.get("tools")),
    }  # fmt: skip
    _add_stream(found, run, asked)
    usage = _usage(run, metadata, outputs)
    error, status = run.get("error"), str(run.get("status")).lower()
    if error or status == "error":
        word = re.match(r"\s*([A-Za-z_.]{1,60})(?=[(:])", error) if isinstance(error, str) else None
        found.update(status="error", error_type=word[1].rsplit(".", 1)[-1] if word else "error")
        if not any(usage.get(name) for name in ("input_tokens", "output_tokens")):
            usage = {}
    found.update(usage)
    if kind == "embedding":
        found.setdefault("cache_read_tokens", 0)  # embeddings have no prompt cache
        if "input_tokens" in usage:
            found.setdefault("output_tokens", 0)
    if run.get("total_cost") not in {None, ""}:
        found.update(logged_cost=run["total_cost"], logged_currency="USD", logged_cost_kind="estimated")
    if inputs:
        found["messages"] = messages_of(inputs)
    if outputs:
        found.update(
            response_text=answer_text(outputs), tool_calls=tool_calls_of(outputs), finish_reason=_finish(outputs)
        )
    return found


def _iso(order: re.Match[str]) -> str:
    """The start that a dotted order holds."""
    year, month, day, hour, minute, second, fraction = order.groups()[:7]
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}Z"


def _named(metadata: Record) -> Any:
    return first(*(metadata.get(name) for name in _MODELS))


def _count(tools: Any) -> int | None:
    return len(tools) if isinstance(tools, list) else None


def _message(outputs: Record) -> Record:
    """The first generated message of a LangChain answer, taken out of its serialisation."""
    value: Any = outputs.get("generations")
    while isinstance(value, list) and value:
        value = value[0]
    message = (
        opened_object(value).get("message")
        if isinstance(value, dict)
        else first(outputs.get("message"), outputs.get("output"))
    )
    found = opened_object(message)
    return opened_object(found["kwargs"]) if "kwargs" in found else found


def _served(outputs: Record) -> Any:
    """The model that answered, where the answer names it."""
    said = opened_object(_message(outputs).get("response_metadata"))
    model = first(outputs.get("model"), _named(said), _named(opened_object(outputs.get("llm_output"))),
                  _named(opened_object(outputs.get("response_metadata"))))  # fmt: skip
    return model if isinstance(model, str) else None


def _finish(outputs: Record) -> Any:
    choices = outputs.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    said = opened_object(_message(outputs).get("response_metadata"))
    return first(
        choice.get("finish_reason"), outputs.get("stop_reason"), said.get("finish_reason"), said.get("stop_reason")
    )


def _add_stream(found: Record, run: Record, asked: Record) -> None:
    """When the first token came: a field of exports, an event in the bodies of clients."""
    arrived = run.get("first_token_time")
    events = opened(run.get("events"))
    for event in events if isinstance(events, list) and arrived in {None, ""} else ():
        if isinstance(event, dict) and event.get("name") == "new_token":
            arrived = event.get("time")
            break
    if arrived not in {None, ""}:
        found.update(first_token_at=arrived, stream=True)
    elif isinstance(asked.get("stream"), bool):
        found["stream"] = asked["stream"]


def _usage(run: Record, metadata: Record, outputs: Record) -> Record:
    """Raw counts: of the run's fields, else where the client or the provider left them."""
    message = _message(outputs)
    for said in (outputs.get("usage_metadata"), message.get("usage_metadata"), metadata.get("usage_metadata")):
        if isinstance(said, dict) and first(said.get("input_tokens"), said.get("output_tokens")) is not None:
            return _of_metadata(said, "input_token_details", "output_token_details")
    if any(whole(run.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")):
        counts = {"input_tokens": run.get("prompt_tokens"), "output_tokens": run.get("completion_tokens"),
                  "total_tokens": run.get("total_tokens"),
                  **{name: run.get(name) for name in ("prompt_token_details", "completion_token_details")}}  # fmt: skip
        return _of_metadata(counts, "prompt_token_details", "completion_token_details")
    llm_output = opened_object(outputs.get("llm_output"))
    for said in (outputs.get("usage"), llm_output.get("token_usage"), llm_output.get("usage"),
                 llm_output.get("tokenUsage"), opened_object(message.get("response_metadata")).get("token_usage"),
                 opened_object(message.get("response_metadata")).get("usage")):  # fmt: skip
        if isinstance(said, dict) and said:
            return placed(read_usage(_snake(said)))
    return {}


def _snake(said: Record) -> Record:
    """LangChain's JavaScript names its counts in camel case."""
    names = {"promptTokens": "prompt_tokens", "completionTokens": "completion_tokens", "totalTokens": "total_tokens"}
    return {names.get(name, name): value for name, value in said.items()}


def _of_metadata(said: Record, inner: str, outer: str) -> Record:
    details = {"input": opened_object(said.get(inner)), "output": opened_object(said.get(outer))}
    counts = {"input_tokens": said.get("input_tokens"), "output_tokens": said.get("output_tokens"),
              "total_tokens": said.get("total_tokens")}  # fmt: skip
    for ours, side, theirs in _DETAILS:
        counts[ours] = first(*(details[side].get(name) for name in theirs))
    return placed(counts)


FORMATS = (
    LogFormat(
        name="langsmith",
        title="LangSmith runs (exports, API answers, bodies of its clients)",
        signature=is_langsmith,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "session", "user"),
    ),
)
