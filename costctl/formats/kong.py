"""Kong's AI gateway: one JSON record of a logging plugin per request, the model's part under `ai`.

Each AI plugin of a request (the proxy, a judge) may have called a model of its own and then is a call of its own.
Counts are those of the OpenAI shape; older versions spell `prompt_token`. A cost of 0 means that Kong was given no
price. What a Claude model read from its cache is not logged (log-formats, 7.12).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.bodies import read_body, read_request
from costctl.formats.conversation import first, opened_object
from costctl.formats.placed import whole
from costctl.formats.sse import opened_body
from costctl.formats.usage import read_usage

_META = frozenset({"request_model", "response_model", "provider_name"})
_OLD_NAMES = (("prompt_tokens", "prompt_token"), ("completion_tokens", "completion_token"))
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
           "cache_write_1h_tokens", "reasoning_tokens", "total_tokens")  # fmt: skip
_OF_THE_BODY = ("messages", "system", "response_text", "temperature", "max_output_tokens", "response_format",
                "tool_count", "tool_calls", "finish_reason")  # fmt: skip


def is_kong(record: Record) -> bool:
    """A record with the log of an AI plugin."""
    return bool(_plugins(record))


def _plugins(record: Record) -> list[tuple[str, Record]]:
    """The parts of a record that name a model, by plugin; old versions have one part without a plugin's name."""
    logged = record.get("ai")
    if not isinstance(logged, dict):
        return []
    if _names_model(logged):
        return [("", logged)]
    return [(name, part) for name, part in logged.items() if isinstance(part, dict) and _names_model(part)]


def _names_model(part: Record) -> bool:
    meta = part.get("meta")
    return isinstance(meta, dict) and not _META.isdisjoint(meta)


def unwrap(record: Record) -> list[Outcome]:
    """The model calls of one request."""
    plugins = _plugins(record)
    if not plugins:
        return [Ignored("request without a model")]
    around = _around(record)
    return [around | _call(part, name, around) for name, part in plugins]


def _around(record: Record) -> Record:
    """What the gateway itself knows of the request."""
    asked, answered, latencies, consumer, route = (
        opened_object(record.get(name)) for name in ("request", "response", "latencies", "consumer", "route")
    )
    return {
        "request_id": first(asked.get("id"), record.get("request_id")), "started_at": record.get("started_at"),
        "latency_ms": latencies.get("request"), "http_status": answered.get("status"),
        "endpoint": first(route.get("name"), asked.get("uri")), "project": record.get("workspace_name"),
        "user_id": first(consumer.get("username"), consumer.get("custom_id"), consumer.get("id")),
        "usage_source": "gateway",
    }  # fmt: skip


def _call(part: Record, plugin: str, around: Record) -> Record:
    meta, usage, payload = (opened_object(part.get(name)) for name in ("meta", "usage", "payload"))
    mode = meta.get("request_mode")
    is_stream = mode in {"stream", "streaming"} if isinstance(mode, str) else None
    found = {
        "provider": meta.get("provider_name"), "request_model": meta.get("request_model"),
        "response_model": first(meta.get("response_model"), meta.get("request_model")), "stream": is_stream,
        "caller": plugin if plugin not in {"", "proxy"} else None,
        # Of an answer in one piece Kong writes its whole time here.
        "time_to_first_token_ms": usage.get("time_to_first_token") if is_stream else None,
    }  # fmt: skip
    if around["latency_ms"] is None or plugin not in {"", "proxy"}:
        found["latency_ms"] = first(meta.get("llm_latency"), around["latency_ms"])
    if around["request_id"] is not None:
        found["dedupe_key"] = f"{around['request_id']}:{plugin}"
    bodies = _bodies(payload)
    found.update((name, bodies[name]) for name in _OF_THE_BODY if bodies.get(name) is not None)
    found.update(_counts(usage))
    if bodies.get("input_tokens") is not None:  # an answer that was logged knows more: Kong leaves out cached tokens
        found.update((name, bodies.get(name)) for name in _TOKENS)
    found.update(_targets(part.get("tried_targets")))
    cache = opened_object(part.get("cache"))
    if isinstance(cache.get("cache_status"), str):
        found["gateway_cache_hit"] = cache["cache_status"].lower() == "hit"
    status = around["http_status"]
    if isinstance(status, int) and status >= 400:
        found["error_type"] = first(bodies.get("error_type"), f"http_{status}")
        if not (found.get("input_tokens") or found.get("output_tokens")):
            found["input_tokens"] = found["output_tokens"] = None  # refused before anyone counted
    return found


def _bodies(payload: Record) -> Record:
    asked, answered = (
        opened_body(first(payload.get(name), payload.get(f"{name}_body"))) for name in ("request", "response")
    )
    found = read_request(asked)
    found.update((name, value) for name, value in read_body(answered).items() if value is not None)
    return found


def _counts(usage: Record) -> Record:
    spelled = {name: whole(value) for name, value in usage.items()}
    for ours, old in _OLD_NAMES:
        spelled.setdefault(ours, spelled.get(old))
    cost = spelled.pop("cost", None)
    found: Record = read_usage(spelled) if spelled["prompt_tokens"] is not None else {}
    if cost:
        found.update(logged_cost=cost, logged_currency="USD", logged_cost_kind="estimated")
    return found


def _targets(tried: Any) -> Record:
    """Which try of the gateway answered, and whether it was another model's than the first."""
    targets = [target for target in tried if isinstance(target, dict)] if isinstance(tried, list) else []
    if len(targets) < 2:
        return {}
    models = [(target.get("provider"), target.get("model")) for target in targets]
    return {"attempt": len(targets), "is_fallback": models[0] != models[-1] or None}


FORMATS = (
    LogFormat(
        name="kong",
        title="Kong AI gateway (records of its logging plugins)",
        signature=is_kong,
        unwrap=unwrap,
        unfolds=True,
        columns=identity_columns(),
        carries=("text", "time", "latency", "cache", "cost", "user"),
    ),
)
