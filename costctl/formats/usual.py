"""The usual names of what a log tells, in any of the places where logs tell it.

Cached tokens follow the name: `cached_*` and `*_details.cached_tokens` lie inside the input
count, `cache_read_input_tokens` and `cache_creation_*` beside it (log-formats, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping

from costctl.formats.base import Path, paths

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
    "aggregate_request_count": (),  # how many requests a row sums up; only by --map
    "prefix_blocks": paths("prefix_blocks", "hash_ids", "block_hashes"),
    "block_tokens": paths("block_tokens", "block_size"),
}  # fmt: skip
