"""Langfuse: traces with their observations (API, UI), and rows of observations (blob export, API, tables).

Only generations and embeddings are calls. The keys of `usageDetails` are disjoint, so the input
is the sum of all that say `input`; older keys with a dot name parts of it (log-formats, 7.7).
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from costctl.formats.base import (
    UNREADABLE,
    Ignored,
    LeftOutUsage,
    LogFormat,
    Outcome,
    Record,
    Rejected,
    identity_columns,
)
from costctl.formats.conversation import (
    answer_text,
    first,
    messages_of,
    opened,
    opened_object,
    system_of,
    tool_calls_of,
)
from costctl.formats.langfuse_events import events_of, is_event, told
from costctl.formats.placed import left_out_usage, placed, whole
from costctl.formats.span_records import call_within_call
from costctl.formats.usage import read_usage

CALLS = ("GENERATION", "EMBEDDING")
_TYPES = frozenset(
    {"GENERATION", "EMBEDDING", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "GUARDRAIL"}
)
_MARKS = frozenset(
    {"usageDetails", "usage_details", "costDetails", "cost_details", "modelParameters", "model_parameters",
     "provided_model_name", "parentObservationId", "parent_observation_id", "completionStartTime",
     "completion_start_time", "statusMessage", "status_message"}
)  # fmt: skip
# Counts by the names of the providers, as some senders hand them on.
_PLAIN = frozenset({"prompt_tokens", "completion_tokens", "promptTokens", "completionTokens"})
_INSIDE = ("prompt_details.", "prompt_tokens_details.", "input_details.", "input_tokens_details.",
           "completion_details.", "completion_tokens_details.", "output_details.",
           "output_tokens_details.")  # fmt: skip


def is_langfuse(record: Record) -> bool:
    """A trace with its observations, or one observation."""
    observations = record.get("observations")
    if isinstance(observations, list) and (isinstance(record.get("trace"), dict) or _are_observations(observations)):
        return True
    if events_of(record) is not None:
        return True
    kind = record.get("type")
    if not isinstance(kind, str) or kind.upper() not in _TYPES:
        return False
    return _said(record, "trace_id") is not None and not _MARKS.isdisjoint(record)


def _are_observations(items: list[Any]) -> bool:
    return bool(items) and all(
        isinstance(item, dict) and "type" in item and _said(item, "start_time") is not None for item in items
    )


def unwrap(record: Record) -> list[Outcome]:
    """Every observation of a trace, or the one of a row; those that call no model are ignored by type."""
    events = events_of(record)
    if events is not None:
        return _of_events(events)
    trace = record.get("trace")
    trace = trace if isinstance(trace, dict) else {}
    observations = record.get("observations", trace.get("observations"))
    if not isinstance(observations, list):
        return [_observation(record, {})] if "type" in record else [Ignored("a trace without observations")]
    outcomes = [_observation(item, trace or record) for item in observations]
    parents = {item.get("id"): _said(item, "parent_observation_id") for item in observations if isinstance(item, dict)}
    call_within_call(outcomes, parents)
    return outcomes or [Ignored("a trace without observations")]


def _of_events(events: list[Any]) -> list[Outcome]:
    """One outcome for each event: of an observation where it is first told, else ignored by its kind."""
    outcomes: list[Outcome] = [Rejected("an event that is none") for event in events if not is_event(event)]
    parents = {}
    for one in told(events):
        if one.observation is None:
            outcomes.append(Ignored(f"event: {one.kind}"))
            continue
        outcome = _observation(one.observation, one.trace)
        if one.is_update and isinstance(outcome, dict):
            outcome["is_part"] = True
        parents[one.observation.get("id")] = _said(one.observation, "parent_observation_id")
        outcomes.append(outcome)
    call_within_call(outcomes, parents)
    return outcomes


@cache
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _said(record: Record, name: str) -> Any:
    """A value under its name in snake case or in camel case."""
    value = record.get(name)
    if value is None or value == "":
        value = record.get(_camel(name))
    return None if value == "" else value


def _observation(item: Any, trace: Record) -> Outcome:
    if not isinstance(item, dict):
        return Rejected("an observation that is no object")
    kind = str(item.get("type") or "no type").upper()
    if kind not in CALLS:
        return Ignored(f"observation: {kind.lower()}", _left_out(item, trace))
    trace_id = first(_said(item, "trace_id"), trace.get("id"))
    found: Record = {
        "request_id": item.get("id"), "span_id": item.get("id"), "trace_id": trace_id,
        "parent_id": _said(item, "parent_observation_id"),
        "session_id": first(_said(item, "session_id"), _said(trace, "session_id")),
        "user_id": first(_said(item, "user_id"), _said(trace, "user_id")),
        "app": first(_said(item, "trace_name"), trace.get("name")),
        "tags": opened(first(item.get("tags"), trace.get("tags"))),
        "response_model": first(item.get("model"), _said(item, "provided_model_name")),
        "operation": "embeddings" if kind == "EMBEDDING" else "chat",
    }  # fmt: skip
    if found["request_id"] is not None:
        found["dedupe_key"] = f"{trace_id}:{found['request_id']}"
    _add_times(found, item)
    _add_parameters(found, item)
    usage = _usage(item)
    if str(item.get("level")).upper() == "ERROR":
        found.update(status="error", error_type="error")
        if not any(usage.get(name) for name in ("input_tokens", "output_tokens")):
            usage = {}
    found.update(usage)
    if kind == "EMBEDDING":
        found.setdefault("cache_read_tokens", 0)  # embeddings have no prompt cache
        if "input_tokens" in usage:
            found.setdefault("output_tokens", 0)
    _add_cost(found, item)
    asked, answered = opened(item.get("input")), opened(item.get("output"))
    found.update(
        messages=messages_of(asked), system=system_of(asked), response_text=answer_text(answered),
        tool_calls=tool_calls_of(answered) if isinstance(answered, dict | list) else None,
    )  # fmt: skip
    return found


def _left_out(item: Record, trace: Record) -> LeftOutUsage | None:
    """The tokens of an observation that is no call, such as an agent."""
    try:
        usage = _usage(item)
    except UNREADABLE:  # nobody asked for it
        return None
    ids = (first(_said(item, "trace_id"), trace.get("id")), item.get("id"), _said(item, "parent_observation_id"))
    return left_out_usage(ids, usage.get("input_tokens"), usage.get("output_tokens"))


def _add_times(found: Record, item: Record) -> None:
    """Instants only: durations are in seconds or in milliseconds, depending on who exported them."""
    ended, first_token = _said(item, "end_time"), _said(item, "completion_start_time")
    found.update(started_at=_said(item, "start_time"), ended_at=ended, first_token_at=first_token)
    if first_token is not None:
        found["stream"] = True
    if ended is None:
        found["latency"] = item.get("latency")


def _add_parameters(found: Record, item: Record) -> None:
    said = opened_object(_said(item, "model_parameters"))
    found["temperature"] = said.get("temperature")
    names = ("max_tokens", "maxTokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    limit = whole(first(*(said.get(name) for name in names)))
    found["max_output_tokens"] = limit if isinstance(limit, int) else None
    found["finish_reason"] = first(said.get("finishReason"), said.get("finish_reason"))
    request_model = first(said.get("request_model"), said.get("model"))
    found["request_model"] = request_model if isinstance(request_model, str) else None


def _usage(item: Record) -> Record:
    """Raw counts from the details, or from the three counts that every observation of old has."""
    details = opened_object(_said(item, "usage_details"))
    counts = {name: whole(value) for name, value in details.items() if value is not None}
    if not _PLAIN.isdisjoint(counts):
        return placed(read_usage(counts))
    if any("input" in name or "output" in name or name == "total" for name in counts):
        return _of_details(counts)
    legacy = opened_object(item.get("usage"))
    if legacy.get("unit") not in {None, "TOKENS"}:
        return {}
    given = first(
        legacy.get("input"), legacy.get("promptTokens"), _said(item, "prompt_tokens"), _said(item, "input_tokens"),
        _said(item, "input_usage"),
    )  # fmt: skip
    output = first(legacy.get("output"), legacy.get("completionTokens"), _said(item, "completion_tokens"),
                   _said(item, "output_tokens"), _said(item, "output_usage"))  # fmt: skip
    total = whole(first(legacy.get("total"), legacy.get("totalTokens"), _said(item, "total_tokens"),
                        _said(item, "total_usage")))  # fmt: skip
    if not any(whole(count) for count in (given, output, total)):
        return {}  # an observation without counts says 0 of all three
    return placed({"input_tokens": given, "output_tokens": output, "total_tokens": total})


def _of_details(counts: Record) -> Record:
    """Raw counts from keys that each name a part of their own, or with a dot a part of another.

    >>> _of_details({"input": 5, "input_cached_tokens": 3, "output": 2, "total": 10})["input_tokens"]
    8
    """
    if not all(type(value) is int for value in counts.values()):
        return {"input_tokens": counts.get("input"), "output_tokens": counts.get("output")}
    apart = {name: value for name, value in counts.items() if not name.startswith(_INSIDE)}
    given = [value for name, value in apart.items() if "input" in name]
    output = [value for name, value in apart.items() if "output" in name]
    found: Record = {}
    for name, value in counts.items():
        part = _part(name)
        if part:
            found[part] = found.get(part, 0) + value
    inputs, outputs, total = sum(given), sum(output), counts.get("total")
    plain = counts.get("input", 0) + counts.get("output", 0)
    if total is not None and total < inputs + outputs and total == plain:
        # A sender whose parts lie within the whole, whatever the keys say.
        inputs, outputs = counts.get("input", 0), counts.get("output", 0)
    elif total is not None and output and total > inputs + outputs and given and not found.get("reasoning_tokens"):
        # Thoughts that no key names (Gemini) are billed as output.
        found["reasoning_tokens"] = total - inputs - outputs
        outputs = total - inputs
    if given:
        found["input_tokens"] = inputs
    if output:
        found["output_tokens"] = outputs
    elif given and total == inputs:
        found["output_tokens"] = 0
    return found


@lru_cache(maxsize=1000)
def _part(name: str) -> str | None:
    """The bucket that a key names a part of."""
    word = name.lower()
    if "cache" in word:
        if "creation" in word or "write" in word:
            return ("cache_write_1h_tokens" if "1h" in word else "cache_write_5m_tokens" if "5m" in word
                    else "cache_write_tokens")  # fmt: skip
        return "cache_read_tokens"
    if "reasoning" in word or "thinking" in word or "thought" in word:
        return "reasoning_tokens"
    if "audio" in word:
        is_output = "output" in word or "completion" in word
        return "output_audio_tokens" if is_output else "input_audio_tokens"
    return None


def _add_cost(found: Record, item: Record) -> None:
    details = opened_object(_said(item, "cost_details"))
    cost = details.get("total")
    if cost is None and not ("costDetails" in item or "cost_details" in item):
        cost = first(_said(item, "total_cost"), _said(item, "calculated_total_cost"))
    if cost is not None:
        found.update(logged_cost=cost, logged_currency="USD", logged_cost_kind="estimated")


FORMATS = (
    LogFormat(
        name="langfuse",
        title="Langfuse traces and observations (JSON, JSONL, CSV or Parquet)",
        signature=is_langfuse,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "session", "user"),
    ),
)
