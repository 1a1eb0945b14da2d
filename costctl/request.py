"""The canonical request: one row per attempt, its columns declared once, as data.

Usage is held in disjoint buckets that may be unknown: `None` is never zero. Formats fill the
columns of kind `said` (what the log says), `read` derives the others. Names follow the
OpenTelemetry GenAI conventions for usage and FOCUS for cost.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["said", "read", "text", "tier"]


class Column(NamedTuple):
    """A column of the canonical request: DuckDB type, who fills it, what it means."""

    name: str
    type: str
    kind: Kind
    meaning: str


COLUMNS: tuple[Column, ...] = (
    # identity
    Column("request_id", "VARCHAR", "said", "id of the attempt, as the log names it"),
    Column("trace_id", "VARCHAR", "said", "joins the attempts of one call"),
    Column("session_id", "VARCHAR", "said", "conversation or agent session"),
    Column("attempt", "INTEGER", "said", "1 for the first try"),
    Column("is_fallback", "BOOLEAN", "said", "the attempt went to another model after a failure"),
    # time
    Column("started_at", "TIMESTAMP", "said", "start of the attempt, UTC"),
    Column("replay_offset_ms", "BIGINT", "said", "order without a date"),
    Column("ts_basis", "VARCHAR", "said", "start | end | logged | created | offset"),
    Column("latency_ms", "DOUBLE", "said", "whole duration"),
    Column("time_to_first_token_ms", "DOUBLE", "said", "only where the call streamed"),
    # routing
    Column("provider", "VARCHAR", "said", "who was called: openai, anthropic, aws, ..."),
    Column("request_model", "VARCHAR", "said", "model asked for"),
    Column("response_model", "VARCHAR", "said", "model that answered"),
    Column("endpoint", "VARCHAR", "said", "route of the user's application or of the API"),
    Column("operation", "VARCHAR", "said", "chat | text_completion | embeddings | ..."),
    Column("service_tier", "VARCHAR", "said", "standard | batch | flex | priority | fast"),
    Column("region", "VARCHAR", "said", "where it was served"),
    Column("stream", "BOOLEAN", "said", "the answer was streamed"),
    Column("logged_tier", "VARCHAR", "said", "tier that the log claims"),
    Column("routing_reason", "VARCHAR", "said", "why the user's router chose this model"),
    Column("data_source", "VARCHAR", "said", "where the facts of the answer came from"),
    # who
    Column("app", "VARCHAR", "said", "application or feature"),
    Column("caller", "VARCHAR", "said", "agent, simulator, job: who inside the app called"),
    Column("user_id", "VARCHAR", "said", "end user"),
    Column("user_profile", "VARCHAR", "said", "plan or class of the user"),
    Column("team", "VARCHAR", "said", "team"),
    Column("project", "VARCHAR", "said", "project or workspace"),
    Column("api_key_id", "VARCHAR", "said", "a hash or the name of the key, never the key"),
    Column("tags", "VARCHAR", "said", "tags, joined with commas, sorted"),
    # usage, disjoint buckets
    Column("input_uncached_tokens", "BIGINT", "read", "input at the full price"),
    Column("cache_read_tokens", "BIGINT", "read", "input read from the provider's prompt cache"),
    Column("cache_write_5m_tokens", "BIGINT", "read", "input written to a 5-minute cache"),
    Column("cache_write_1h_tokens", "BIGINT", "read", "input written to a 1-hour cache"),
    Column("cache_write_other_tokens", "BIGINT", "read", "writes whose TTL is not stated"),
    Column("output_tokens", "BIGINT", "read", "output, reasoning included"),
    Column("reasoning_tokens", "BIGINT", "said", "the part of output that is reasoning"),
    Column("input_audio_tokens", "BIGINT", "said", "the part of input that is audio"),
    Column("cache_read_audio_tokens", "BIGINT", "said", "the part of cache reads that is audio"),
    Column("output_audio_tokens", "BIGINT", "said", "the part of output that is audio"),
    Column("input_image_tokens", "BIGINT", "said", "the part of input that is images"),
    Column("output_image_tokens", "BIGINT", "said", "the part of output that is images"),
    Column("tool_calls", "INTEGER", "said", "tools that the answer asked for"),
    Column("web_searches", "INTEGER", "said", "searches billed by call"),
    Column("usage_source", "VARCHAR", "read", "provider | gateway | estimated | missing"),
    Column("is_cache_unknown", "BOOLEAN", "read", "the log does not say what was cached"),
    Column(
        "total_fault", "VARCHAR", "read", "how the log's own total of tokens breaks its convention: formats/totals.py"
    ),
    # parameters
    Column("temperature", "DOUBLE", "said", "sampling temperature"),
    Column("max_output_tokens", "BIGINT", "said", "limit asked for"),
    Column("response_format", "VARCHAR", "said", "text | json_object | json_schema"),
    Column("tool_count", "INTEGER", "said", "tools offered to the model"),
    # outcome
    Column("status", "VARCHAR", "read", "ok | error | cancelled | incomplete | unknown (the log's word tells neither)"),
    Column("http_status", "INTEGER", "said", "HTTP status"),
    Column("error_type", "VARCHAR", "said", "class of the failure"),
    Column("finish_reason", "VARCHAR", "said", "why the answer ended"),
    Column("gateway_cache_hit", "BOOLEAN", "said", "answered by the gateway's response cache"),
    Column("quality_score", "DOUBLE", "said", "score of the answer, as logged"),
    Column("propensity", "DOUBLE", "said", "chance, above 0 to 1, with which the log's router chose this model"),
    # money, as the log says it
    Column("logged_cost", "DECIMAL(18,12)", "said", "cost in logged_currency"),
    Column("logged_currency", "VARCHAR", "said", "ISO 4217; USD where the log is silent"),
    Column("logged_cost_kind", "VARCHAR", "said", "billed | estimated | list"),
    # sums over many requests, from usage APIs and consoles: they stand apart (audit/aggregates)
    Column("is_aggregate", "BOOLEAN", "said", "the row is the sum over the requests of a bucket of time"),
    Column("aggregate_request_count", "BIGINT", "said", "requests of the bucket, where the export counts them"),
    Column("bucket_ends_at", "TIMESTAMP", "said", "end of the bucket, where the export says it"),
    Column("context_from_tokens", "BIGINT", "said", "input that each request of the bucket has at least"),
    # content, derived; the text itself is not stored
    Column("prompt_key", "UBIGINT", "text", "keyed 64-bit hash of the normalised prompt"),
    Column("system_key", "UBIGINT", "text", "keyed 64-bit hash of the system prompt"),
    Column("response_chars", "BIGINT", "text", "characters of the answer"),
    Column("prompt_chars", "BIGINT", "text", "characters of the whole prompt"),
    Column("system_chars", "BIGINT", "text", "characters of the system prompt"),
    Column("history_chars", "BIGINT", "text", "characters of earlier turns"),
    Column("tool_chars", "BIGINT", "text", "characters of tool results"),
    Column("user_chars", "BIGINT", "text", "characters of the last user message"),
    Column("turn_count", "INTEGER", "text", "user messages in the prompt"),
    Column("has_image", "BOOLEAN", "text", "the prompt carries an image"),
    Column("prefix_blocks", "BIGINT[]", "said", "ids of the prompt's blocks; each names the whole prefix it ends"),
    Column("block_tokens", "INTEGER", "said", "tokens of such a block; the last one of a prompt may hold fewer"),
    # tier: what the rules read and what they decided
    Column("language", "VARCHAR", "tier", "en | es | other, of the last user message"),
    Column("register", "VARCHAR", "tier", "es-CL where the wording is Chilean"),
    Column("intent", "VARCHAR", "tier", "intent by the tier rules"),
    Column("text_signals", "UBIGINT", "tier", "signals of the text, packed: costctl/tiers/fields.py"),
    Column("tier", "VARCHAR", "tier", "A | B | C by the tier rules"),
    Column("tier_reason", "VARCHAR", "tier", "the rule that decided, with its cue"),
)

NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
# What the tier rules work out: no log is asked for it, however it names its own columns.
FROM_TEXT: tuple[str, ...] = ("intent", "language", "register")

# What a format may say besides the columns of kind `said`; read and then dropped.
RAW_EXTRAS: tuple[str, ...] = (
    "ended_at",  # gives latency_ms where the log has only two instants
    "latency_s",  # seconds instead of milliseconds
    "latency",  # one or the other, as the size of the values tells
    "time_to_first_token_s",
    "first_token_at",
    "input_tokens",  # as counted by the format, see LogFormat.cached_in_input
    "cache_read_tokens",
    "cache_write_tokens",  # total of all writes
    "cache_read_outside_tokens",  # the same two where the log counts them beside the input,
    "cache_write_outside_tokens",  # whatever the format's own convention
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",  # as counted by the format, see LogFormat.reasoning_in_output
    "reasoning_outside_tokens",  # reasoning that the log counts beside the output
    "total_tokens",  # only checks the convention
    "speed",  # Anthropic's usage names its fast tier so
    "status",
    "usage_source",
    "api_key",  # hashed at once
    "messages",  # list of chat messages, or text
    "system",  # system prompt beside the messages
    "response_text",
    "embedding",  # of the last user message, as a list of numbers; read again by `--embedding log`, never kept here
    "prompt_sha256",  # hash of the normalised prompt where the log has no text
    "dedupe_key",  # the format's own identity of a record
    "replay_key",  # a sidechain row whose key a main row carries is a replay
    "is_sidechain",
    "span_id",  # the record's own id within its trace, and the id of the one around it:
    "parent_id",  # of two that are one call the audit counts one (audit/spans.sql)
    "producer",  # who wrote the record: two producers may tell of one call
    "is_part",  # no record of its own: it completes the others of its dedupe_key
    "asked_key",  # joins a request in a file of its own (`is_part`) to its answer
    "forked_from",  # the session whose requests this file may repeat (equal `replay_key`); its own where there is none
)

# What the ingest adds to each row of kind `said`, before anything is dropped.
SOURCE_COLUMNS: tuple[Column, ...] = (
    Column("file_id", "INTEGER", "read", "which file"),
    Column("source_line", "BIGINT", "read", "line, row or element, from 1; of formats that unfold, the piece"),
    Column("dedupe_key", "VARCHAR", "read", "identity of the record within its format"),
    Column("replay_key", "VARCHAR", "read", "see RAW_EXTRAS"),
    Column("is_sidechain", "BOOLEAN", "read", "see RAW_EXTRAS"),
    Column("span_id", "VARCHAR", "read", "see RAW_EXTRAS"),
    Column("parent_id", "VARCHAR", "read", "see RAW_EXTRAS"),
    Column("producer", "VARCHAR", "read", "see RAW_EXTRAS"),
    Column("is_part", "BOOLEAN", "read", "see RAW_EXTRAS"),
    Column("forked_from", "VARCHAR", "read", "see RAW_EXTRAS"),
    Column("asked_key", "VARCHAR", "read", "see RAW_EXTRAS"),
)

TAG_LIST = """list_sort(list_distinct([trim(one) FOR one IN coalesce(
    CASE WHEN tags LIKE '[%' THEN TRY_CAST(tags AS VARCHAR[]) WHEN tags NOT LIKE '{%' THEN string_split(tags, ',') END,
    [tags]) IF trim(one) <> '']))"""
"""The tags of a request, each once and sorted; an object of labels is one tag."""

OF_TIME = frozenset({"day", "hour"})
"""Dimensions whose values have an order of their own."""

DIMENSIONS: dict[str, str] = {
    "model": "model",
    "provider": "provider",
    "endpoint": "endpoint",
    "app": "app",
    "caller": "caller",
    "user": "user_id",
    "user_profile": "user_profile",
    "team": "team",
    "project": "project",
    "api_key": "api_key_id",
    "tag": f"nullif(array_to_string({TAG_LIST}, ','), '')",
    "session": "session_id",
    "day": "strftime(started_at, '%Y-%m-%d')",
    "hour": "strftime(started_at, '%Y-%m-%d %H:00')",
    "tier": "tier",
    "intent": "intent",
    "language": "language",
    "status": "status",
    "service_tier": "service_tier",
    "region": "region",
}
