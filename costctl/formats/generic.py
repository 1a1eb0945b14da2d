"""Any log with usual column names, or with the user's own mapping.

Cached tokens follow the name: `cached_*` and `*_details.cached_tokens` lie inside the input
count, `cache_read_input_tokens` and `cache_creation_*` beside it (log-formats, section 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

import orjson
import yaml

from costctl.errors import CostctlError
from costctl.formats.base import LogFormat, Path, Record, paths

_USAGE = ("usage", "response.usage", "token_usage", "usageMetadata", "usage_metadata", "tokens")
USAGE_KEYS = frozenset(name.split(".")[-1] for name in _USAGE)


def _usage(*names: str) -> tuple[Path, ...]:
    """Paths of a count at the top level and inside the usual usage objects."""
    return paths(*names, *(f"{outer}.{name}" for outer in _USAGE for name in names))


# Names in order of preference; what a log calls a thing is looked up in no other place.
COLUMNS: Mapping[str, tuple[Path, ...]] = {
    "request_id": paths("request_id", "requestId", "id", "req_id", "call_id", "uuid"),
    "trace_id": paths("trace_id", "traceId", "correlation_id"),
    "session_id": paths("session_id", "sessionId", "conversation_id", "conversationId", "thread_id", "chat_id"),
    "attempt": paths("attempt", "attempt_number", "retry", "try"),
    "is_fallback": paths("is_fallback", "fallback"),
    "started_at": paths(
        "started_at", "timestamp", "ts", "start_time", "startTime", "time", "created_at", "created",
        "createdAt", "request_time", "datetime", "date", "@timestamp", "logged_at", "requested_at", "event_time",
        "time_utc", "datetime_utc",
    ),
    "ended_at": paths("ended_at", "end_time", "endTime", "finished_at", "completed_at"),
    "replay_offset_ms": paths("replay_offset_ms", "offset_ms", "trace_offset_ms"),
    "latency_ms": paths(
        "latency_ms", "duration_ms", "durationMs", "latencyMs", "elapsed_ms", "latency_milliseconds",
        "response_time_ms", "total_time_ms",
    ),
    "latency_s": paths("latency_s", "duration_s", "elapsed_s", "latency_seconds", "duration_seconds"),
    "latency": paths("latency", "duration", "elapsed", "response_time"),  # in s or ms, by its size
    "time_to_first_token_ms": paths("time_to_first_token_ms", "ttft_ms", "ttftMs", "first_token_ms"),
    "time_to_first_token_s": paths("time_to_first_token_s", "ttft_s", "ttft", "time_to_first_token"),
    "provider": paths("provider", "vendor", "custom_llm_provider", "provider_name"),
    "request_model": paths(
        "request_model", "model", "requested_model", "model_requested", "model_name", "modelId", "deployment",
    ),
    "response_model": paths("response_model", "served_model", "model_served", "response.model", "model_version"),
    "endpoint": paths("endpoint", "route", "path", "url", "feature"),
    "operation": paths("operation", "operation_name", "call_type"),
    "service_tier": paths("service_tier", "serviceTier", "processing", "usage.service_tier"),
    "speed": paths("usage.speed", "response.usage.speed"),
    "region": paths("region", "location", "inference_geo", "usage.inference_geo"),
    "stream": paths("stream", "streamed", "is_streaming"),
    "logged_tier": paths("logged_tier", "tier", "router_tier"),
    "routing_reason": paths("routing_reason", "route_reason"),
    "data_source": paths("data_source", "source"),
    "app": paths("app", "application", "service", "app_name"),
    "caller": paths("caller", "agent", "agent_name", "component"),
    "user_id": paths("user_id", "userId", "user", "end_user", "customer_id"),
    "user_profile": paths("user_profile", "user_plan", "plan", "profile", "user_tier"),
    "team": paths("team", "team_id", "team_name", "department", "cost_center"),
    "project": paths("project", "project_id", "workspace", "run"),
    "api_key": paths("api_key", "apiKey"),
    "api_key_id": paths("api_key_id", "api_key_hash", "api_key_name", "key_alias"),
    "tags": paths("tags", "tag", "labels", "request_tags"),
    "input_tokens": _usage(
        "input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "tokens_in", "in_tokens", "promptTokenCount",
        "inputTokenCount", "ContextTokens", "tokens_prompt", "tokens_input", "prompt_token_count", "input_token_count",
        "tokens.input", "tokens.prompt", "n_prompt_tokens", "num_prompt_tokens", "total_input_tokens",
        "prompt_eval_count", "Input (w/o Cache Write)",  # Ollama; Cursor's table
    ),
    "cache_read_tokens": _usage(
        "cached_input_tokens", "cached_tokens", "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens", "cachedContentTokenCount", "cached_content_token_count", "tokens.cached",
        "cached_prompt_tokens", "num_cached_tokens",
        "cache_read_tokens", "cache_hit_tokens",
    ),
    "cache_write_tokens": _usage(
        "prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens", "cache_write_tokens",
    ),
    "cache_read_outside_tokens": _usage(
        "cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount", "Cache Read",
    ),
    "cache_write_outside_tokens": _usage(
        "cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_tokens",
        "Input (w/ Cache Write)",
    ),
    "cache_write_5m_tokens": _usage("cache_creation.ephemeral_5m_input_tokens", "cache_write_5m_tokens"),
    "cache_write_1h_tokens": _usage("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h_tokens"),
    "output_tokens": _usage(
        "output_tokens", "completion_tokens", "outputTokens", "completionTokens", "tokens_out", "out_tokens",
        "candidatesTokenCount", "outputTokenCount", "GeneratedTokens", "tokens_completion", "tokens_output",
        "candidates_token_count", "completion_token_count", "output_token_count", "tokens.output", "tokens.completion",
        "eval_count",
    ),
    "reasoning_tokens": _usage(
        "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "reasoning_tokens",
        "output_tokens_details.thinking_tokens",
    ),
    "reasoning_outside_tokens": _usage("thoughtsTokenCount", "thoughts_token_count"),  # Gemini counts beside the answer
    "input_audio_tokens": _usage(
        "input_audio_tokens", "prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens",
    ),
    "output_audio_tokens": _usage(
        "output_audio_tokens", "completion_tokens_details.audio_tokens", "output_tokens_details.audio_tokens",
    ),
    "total_tokens": _usage("total_tokens", "totalTokens", "totalTokenCount", "total_token_count"),
    "tool_calls": paths("tool_call_count", "tool_calls"),
    "web_searches": paths("web_searches", "web_search_requests", "usage.server_tool_use.web_search_requests"),
    "usage_source": paths("usage_source"),
    "temperature": paths("temperature", "params.temperature"),
    "max_output_tokens": paths("max_output_tokens", "max_tokens", "max_completion_tokens", "params.max_tokens"),
    "response_format": paths("response_format.type", "response_format"),
    "tool_count": paths("tool_count", "n_tools", "tools"),
    "status": paths("status", "outcome", "state", "success"),
    "http_status": paths("http_status", "status_code", "statusCode", "response_status", "response_code"),
    "error_type": paths("error_type", "error_code", "errorType", "error.type", "error"),
    "finish_reason": paths("finish_reason", "stop_reason", "finishReason"),
    "gateway_cache_hit": paths("gateway_cache_hit", "cache_hit"),
    "quality_score": paths("quality_score", "score", "quality", "rating"),
    "propensity": paths("propensity", "pscore", "propensity_score", "action_prob"),
    "logged_cost": paths(
        "logged_cost", "cost_usd", "cost", "total_cost", "response_cost", "spend", "usage.cost",
    ),
    "logged_currency": paths("logged_currency", "currency", "cost_currency"),
    "messages": paths("messages", "prompt", "request.messages", "input_text", "question", "query", "input"),
    "system": paths("system", "system_prompt"),
    "response_text": paths("response_text", "completion", "output_text", "answer", "response", "output"),
    "embedding": paths("embedding", "prompt_embedding", "embedding_vector", "input_embedding"),
    "prompt_sha256": paths("prompt_sha256", "prompt_hash"),
    "aggregate_request_count": (),  # of invoices: how many requests a row sums up; only by --map
    "prefix_blocks": paths("prefix_blocks", "hash_ids", "block_hashes"),
    "block_tokens": paths("block_tokens", "block_size"),
}  # fmt: skip

# A request names a model or counts tokens; one that only names a model must at least hold its
# text, its cost or its outcome, or it may be a row of some statistics.
COUNTS = ("input_tokens", "output_tokens")
NAMES = ("request_model", "response_model")
EVIDENCE = ("messages", "logged_cost", "status", "http_status", "error_type", "latency_ms")


@lru_cache(maxsize=4096)
def folded(key: str) -> str:
    """A key without its case, spaces, hyphens and underscores: people write one name in many ways.

    >>> folded("Input Tokens") == folded("input_tokens") == folded("inputTokens")
    True
    """
    return "".join(filter(str.isalnum, key)).lower()


def opened(value: Any) -> Any:
    """An object that a table holds as JSON text; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


_FOLDED: Mapping[str, tuple[Path, ...]] = {
    name: tuple(dict.fromkeys(tuple(map(folded, path)) for path in COLUMNS[name]))
    for name in (*COUNTS, *NAMES, *EVIDENCE)
}


def _looks_like_request(record: Record) -> bool:
    plain = _plain(record)
    return _says(plain, COUNTS) or (_says(plain, NAMES) and _says(plain, EVIDENCE))


def _says(plain: Record, names: Sequence[str]) -> bool:
    return any(take(plain, path) is not None for name in names for path in _FOLDED[name])


def is_counted(record: Record) -> bool:
    """Whether a record counts tokens under a usual name."""
    return _says(_plain(record), COUNTS)


def is_whole(record: Record) -> bool:
    """Whether it names a model as well."""
    plain = _plain(record)
    return _says(plain, COUNTS) and _says(plain, NAMES)


def _plain(value: Any, depth: int = 3) -> Any:
    """The objects of a record with folded keys; of two keys that fold to one, the first."""
    if not isinstance(value, dict) or not depth:
        return value
    plain: Record = {}
    for key, inner in value.items():
        plain.setdefault(folded(str(key)), _plain(opened(inner) if key in USAGE_KEYS else inner, depth - 1))
    return plain


def take(record: Any, path: Path) -> Any:
    """The value at a path, or None; numbers index lists."""
    for key in path:
        if isinstance(record, dict):
            record = record.get(key)
        elif isinstance(record, list) and key.isdecimal() and int(key) < len(record):
            record = record[int(key)]
        else:
            return None
    return record


FORMAT = LogFormat(
    name="generic",
    title="any JSONL, CSV or Parquet with usual column names, or with --map",
    signature=_looks_like_request,
    columns=COLUMNS,
    carries=("text", "time", "latency", "cache", "cost", "session", "user"),
)


# In a mapping these mean a count or a model; as columns of a log `input` and `output` are texts.
SHORT_NAMES = {
    "input": "input_tokens", "prompt": "input_tokens", "output": "output_tokens", "completion": "output_tokens",
    "cached": "cache_read_tokens", "price": "logged_cost", "when": "started_at", "model_id": "request_model",
    "id": "request_id", "customer": "user_id",
}  # fmt: skip


def _is_anything(_: Record) -> bool:
    return True


def mapped(columns: Mapping[str, tuple[Path, ...]]) -> LogFormat:
    """The generic format with the user's own paths in place of the usual ones."""
    return replace(FORMAT, columns={**COLUMNS, **columns}, signature=_is_anything)


def parse_mapping(text: str) -> tuple[str, str]:
    """`field=column` of --map, the field checked; `a|b` names two columns, the first that is filled wins.

    Raises:
        CostctlError: E130 with the nearest field.
    """
    name, separator, place = text.partition("=")
    if separator and place and name in COLUMNS:
        return name, place
    near = _usual_name_of(name) or next(iter(get_close_matches(name, COLUMNS, n=1, cutoff=0.5)), None)
    hint = f"did you mean {near}=...?" if near else f"fields: {', '.join(COLUMNS)}"
    raise CostctlError("E130", f"--map {text}: not field=column with a known field", hint)


def _usual_name_of(name: str) -> str | None:
    """The field that a usual column name, or a short word of people, stands for.

    >>> _usual_name_of("timestamp"), _usual_name_of("input"), _usual_name_of("colour")
    ('started_at', 'input_tokens', None)
    """
    if name.lower() in SHORT_NAMES:
        return SHORT_NAMES[name.lower()]
    return next((field for field, places in COLUMNS.items() if any(".".join(p) == name for p in places)), None)


def read_mapping(texts: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """All of --map: `field=column` texts and YAML files of `field: column`, later ones winning.

    Raises:
        CostctlError: E130 for an unknown field, E131 for a file that is no mapping.
    """
    pairs: list[tuple[str, str]] = []
    for text in texts:
        if "=" in text:
            pairs.append(parse_mapping(text))
        else:
            pairs += [parse_mapping(f"{name}={place}") for name, place in _mapping_file(text).items()]
    return {name: tuple(map(read_path, re.split(r"(?<!\\)\|", place))) for name, place in pairs}


def read_path(text: str) -> Path:
    r"""A dotted path of a mapping; a dot or a bar that is part of a name stands behind a backslash.

    >>> read_path("usage.in"), read_path(r"usage\.in.n")
    (('usage', 'in'), ('usage.in', 'n'))
    """
    return tuple(re.sub(r"\\([.|])", r"\1", key) for key in re.split(r"(?<!\\)\.", text))


def written_path(path: Path) -> str:
    r"""A path as a mapping names it.

    >>> written_path(("usage.in", "n"))
    'usage\\.in.n'
    """
    return ".".join(re.sub(r"([.|])", r"\\\1", key) for key in path)


def _mapping_file(name: str) -> dict[str, str]:
    try:
        content = yaml.safe_load(FilePath(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise CostctlError("E131", f"--map {name}: neither field=column nor a file we can read", reason) from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise CostctlError("E131", f"{name} is no mapping of fields to columns", "write one `field: column` a line")
    return {str(field): place for field, place in content.items()}
