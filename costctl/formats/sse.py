"""A streamed answer put together again, from the text of its events or from a list of them.

The last counts win, nothing is summed (log-formats, 6). A failure inside a stream of status 200
is kept as the `error` of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from costctl.formats.base import Record

_STARTS = ("data:", "event:", "id:", "retry:", ":")
EVENT = "__event__"  # under which an event of a file lies that is the text of a stream
_KEPT = ("id", "created", "model", "service_tier")


def is_sse(text: str) -> bool:
    """Whether a recorded body is a stream of events; it may start with a comment."""
    return text.lstrip().startswith(_STARTS)


def opened_body(body: Any) -> Record:
    """A recorded body: an object, JSON text, the text of a stream, or its events; empty for anything else."""
    if isinstance(body, str):
        if is_sse(body):
            return joined(body)
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError:
            return {}
    if isinstance(body, list):  # a stream recorded as a list of events or chunks
        return joined_events(body)
    return body if isinstance(body, dict) else {}


def joined(text: str) -> Record:
    """One body out of the text of a stream."""
    events: list[Any] = []
    for line in text.split("\n"):
        if not line.startswith("data:") or line[5:].strip() in {"", "[DONE]"}:
            continue
        try:
            events.append(orjson.loads(line[5:]))
        except orjson.JSONDecodeError:
            continue  # a stream cut in the middle of an event: what came before still counts
    return joined_events(events)


def joined_events(events: Iterable[Any]) -> Record:
    """One body out of the events or chunks of a stream; what is no event is passed over."""
    stream = _Stream()
    for event in events:
        if isinstance(event, dict):
            stream.add(event)
    return stream.answer()


class _Stream:
    """What is known of an answer after some of its events."""

    def __init__(self) -> None:
        self._body: Record = {}
        self._error: Any = None
        self._texts: list[str] = []
        self._parts: list[Any] = []
        self._calls: set[Any] = set()
        self._finish: Any = None
        self._is_open = False  # an Anthropic message that has begun and not ended
        self._is_counted = True  # no message of which only the beginning has told counts

    def add(self, event: Record) -> None:
        """Take one event of any provider."""
        kind, body = event.get("type"), self._body
        if event.get("error") or kind == "error":
            self._error = event.get("error") or {"code": event.get("code"), "message": event.get("message")}
        elif isinstance(event.get("response"), dict):  # OpenAI Responses: the last event holds it all
            self._body = dict(event["response"])
        elif kind == "message_start" and isinstance(event.get("message"), dict):
            self._body = dict(event["message"])
            self._is_open = self._body.get("stop_reason") is None
            self._is_counted = not self._is_open
        elif kind == "message_stop":
            self._is_open = False
        elif kind == "message_delta":
            _merge(body, "usage", event.get("usage"))
            self._is_counted = self._is_counted or isinstance(event.get("usage"), dict)
            delta = event.get("delta")
            if isinstance(delta, dict) and delta.get("stop_reason") is not None:
                body["stop_reason"] = delta["stop_reason"]
                self._is_open = False
        elif kind in ("content_block_start", "content_block_delta"):
            self._block(event)
        elif event.get("object") in ("chat.completion.chunk", "text_completion"):
            self._chunk(event)
        elif "usageMetadata" in event or "usage_metadata" in event or "candidates" in event:
            self._gemini(event)
        elif event.get("object") == "chat.completion" or kind == "message":  # a whole answer in a list of one
            self._body = dict(event)

    def _block(self, event: Record) -> None:
        block, delta = event.get("content_block"), event.get("delta")
        if isinstance(block, dict) and block.get("type") == "tool_use":
            self._calls.add(str(event.get("index")))
        if isinstance(delta, dict) and isinstance(delta.get("text"), str):
            self._texts.append(delta["text"])

    def _gemini(self, event: Record) -> None:
        """A chunk of a Gemini stream: its counts are all so far, its parts are what came since."""
        body, candidates = self._body, event.get("candidates")
        earlier = body.get("candidates")
        body.update((name, value) for name, value in event.items() if value is not None)
        candidate = candidates[0] if isinstance(candidates, list) and candidates else None
        if isinstance(candidate, dict):
            content = candidate.get("content")
            parts = content.get("parts") if isinstance(content, dict) else None
            self._parts += parts if isinstance(parts, list) else []
            self._finish = candidate.get("finishReason", candidate.get("finish_reason")) or self._finish
            body["candidates"] = [{"content": {"parts": self._parts}, "finishReason": self._finish}]
        elif earlier is not None:
            body["candidates"] = earlier

    def _chunk(self, event: Record) -> None:
        body, kind = self._body, event["object"]
        body["object"] = "chat.completion" if kind == "chat.completion.chunk" else kind
        for key in _KEPT:
            if event.get(key):
                body[key] = event[key]
        groq = event.get("x_groq")
        usage = event.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
        if usage:
            body["usage"] = usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta")
        text = delta.get("content") if isinstance(delta, dict) else choice.get("text")
        if isinstance(text, str):
            self._texts.append(text)
        calls = delta.get("tool_calls") if isinstance(delta, dict) else None
        if isinstance(calls, list):
            self._calls.update(str(call.get("index")) for call in calls if isinstance(call, dict))

    def answer(self) -> Record:
        """The body that the stream carried."""
        body, text = self._body, "".join(self._texts)
        kind = body.get("object")
        if kind == "chat.completion" and "choices" not in body:
            message: Record = {"content": text or None, "tool_calls": [{}] * len(self._calls)}
            body["choices"] = [{"finish_reason": self._finish, "message": message}]
        elif kind == "text_completion" and "choices" not in body:
            body["choices"] = [{"finish_reason": self._finish, "text": text or None}]
        elif body.get("type") == "message" and not body.get("content"):
            blocks: list[Record] = [{"type": "tool_use"}] * len(self._calls)
            body["content"] = [{"type": "text", "text": text}, *blocks] if text else blocks
        if not self._is_counted and isinstance(body.get("usage"), dict):
            # The beginning counts a token or a few of an answer that went on: what was written in all is not known.
            body["usage"] = {name: value for name, value in body["usage"].items() if name != "output_tokens"}
        if self._is_open:
            body["status"] = (
                "incomplete"  # nobody knows whether the answer went on: its counts are those of the beginning
            )
        if self._error:
            body["error"] = self._error
        return body


def _merge(body: Record, name: str, new: Any) -> None:
    """Overwrite the known members of an inner object with those that are known now."""
    if isinstance(new, dict):
        old = body.get(name)
        known = {key: value for key, value in new.items() if value is not None}
        body[name] = {**old, **known} if isinstance(old, dict) else known
