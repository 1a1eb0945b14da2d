"""What a log carries, and what each command can therefore do: conditions on a request, as data."""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """Something that a request may carry; `sql` says of one request whether it does, `fields` what gives it."""

    name: str
    sql: str
    fields: str


class Feature(NamedTuple):
    """Something that a command can do with requests that carry all of `needs`; `of_sums`: with sums, too."""

    command: str
    name: str
    needs: tuple[str, ...]
    of_sums: bool = False


FACTS = (
    Fact("model", "coalesce(response_model, request_model) IS NOT NULL", "request_model"),
    Fact("tokens", "input_uncached_tokens IS NOT NULL AND output_tokens IS NOT NULL", "input_tokens, output_tokens"),
    Fact("date", "started_at IS NOT NULL", "started_at"),
    Fact("order", "started_at IS NOT NULL OR replay_offset_ms IS NOT NULL", "started_at or replay_offset_ms"),
    Fact("latency", "latency_ms IS NOT NULL", "latency_ms"),
    Fact("first token", "time_to_first_token_ms IS NOT NULL", "time_to_first_token_ms"),
    Fact("cached tokens", "cache_read_tokens IS NOT NULL", "cache_read_tokens"),
    Fact("cost", "logged_cost IS NOT NULL", "logged_cost"),
    Fact("prompt", "prompt_key IS NOT NULL", "messages or prompt_sha256"),
    Fact("prompt text", "prompt_chars IS NOT NULL", "messages"),
    Fact("answer text", "response_chars IS NOT NULL", "response_text"),
    Fact("request id", "request_id IS NOT NULL", "request_id"),
    Fact("session", "session_id IS NOT NULL", "session_id"),
    Fact("user", "user_id IS NOT NULL", "user_id"),
    Fact("user profile", "user_profile IS NOT NULL", "user_profile"),
    Fact("team", "team IS NOT NULL", "team"),
    Fact("endpoint or app", "endpoint IS NOT NULL OR app IS NOT NULL", "endpoint"),
    Fact("score", "quality_score IS NOT NULL", "quality_score"),
    Fact("prefix", "session_id IS NOT NULL OR prefix_blocks IS NOT NULL OR prompt_chars IS NOT NULL",
         "session_id, prefix_blocks or messages"),
)  # fmt: skip
FEATURES = (
    Feature("audit", "spend by model", ("model", "tokens"), True),
    Feature("audit", "spend by day, prices of the day", ("model", "tokens", "date"), True),
    Feature("audit", "cached tokens at their price", ("model", "tokens", "cached tokens"), True),
    Feature("audit", "spend by endpoint", ("endpoint or app",)),
    Feature("audit", "spend by user", ("user",), True),
    Feature("audit", "latency", ("latency",)),
    Feature("audit", "logged cost beside list cost", ("model", "tokens", "cost"), True),
    Feature("audit", "exact repeats", ("model", "prompt", "date")),
    Feature("audit", "near repeats", ("model", "prompt text", "date")),
    Feature("audit", "missed prompt caching", ("tokens", "cached tokens", "order", "prefix")),
    Feature("audit", "tiers by what was asked", ("prompt text",)),
    Feature("simulate", "replay in order", ("model", "tokens", "order")),
    Feature("simulate", "exact cache", ("prompt", "order")),
    Feature("simulate", "semantic cache", ("prompt text", "order")),
    Feature("simulate", "prompt caches", ("tokens", "order", "prefix")),
    Feature("simulate", "latency", ("order", "latency")),
    Feature("simulate", "budgets by day", ("tokens", "date")),
    Feature("simulate", "stickiness, history", ("session", "order")),
    Feature("simulate", "arms by user", ("user", "order")),
    Feature("simulate", "quality", ("score", "order")),
    Feature("simulate", "--scores, --probes", ("request id", "order")),
    Feature("reconcile", "by day and model", ("model", "tokens", "date"), True),
)  # fmt: skip
