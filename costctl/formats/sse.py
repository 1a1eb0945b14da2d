"""Server-sent events put together again into the answer they streamed."""

from __future__ import annotations

from typing import Any

import orjson

from costctl.formats.base import Record


def is_sse(text: str) -> bool:
    """Whether a recorded body is a stream of events."""
    return text.lstrip().startswith(("data:", "event:"))


def joined(text: str) -> Record:
    """One body out of a stream: the last counts win, nothing is summed (log-formats, 6)."""
    body: Record = {}
    for line in text.splitlines():
        if not line.startswith("data:") or line[5:].strip() in {"", "[DONE]"}:
            continue
        try:
            event = orjson.loads(line[5:])
        except orjson.JSONDecodeError:
            continue  # a stream cut in the middle of an event: what came before still counts
        if isinstance(event, dict):
            body = _with(body, event)
    return body


def _with(body: Record, event: Record) -> Record:
    kind = event.get("type")
    if isinstance(event.get("response"), dict):  # OpenAI Responses: the last event holds it all
        return dict(event["response"])
    if kind == "message_start" and isinstance(event.get("message"), dict):
        return dict(event["message"])
    if kind == "message_delta":
        usage = {
            **body.get("usage", {}),
            **{k: v for k, v in (event.get("usage") or {}).items() if v is not None},
        }
        return {
            **body,
            "usage": usage,
            "stop_reason": (event.get("delta") or {}).get("stop_reason"),
        }
    if event.get("object") in {"chat.completion.chunk", "text_completion"}:
        return _chunk(body, event)
    if "usageMetadata" in event:
        return {**body, **event}
    return body


def _chunk(body: Record, event: Record) -> Record:
    joined_body = {
        **event,
        "object": "chat.completion" if event["object"].endswith("chunk") else event["object"],
    }
    joined_body["usage"] = event.get("usage") or body.get("usage")
    choices: Any = event.get("choices")
    finished = choices and isinstance(choices[0], dict) and choices[0].get("finish_reason")
    joined_body["choices"] = [{"finish_reason": finished}] if finished else body.get("choices", [])
    for key in ("id", "created", "model", "service_tier"):
        joined_body[key] = event.get(key) or body.get(key)
    return joined_body
