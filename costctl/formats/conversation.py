"""Prompts and answers as tracing tools write them, brought to the messages that `content` reads.

Tools hold the same conversation as objects or as JSON text, as a list or inside an object, with
roles and parts of their own. Only lengths and hashes of what comes out of here are kept.
"""

from __future__ import annotations

from typing import Any

import orjson

from costctl.formats.base import Record

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "HumanMessage": "user", "AIMessage": "assistant",
          "SystemMessage": "system", "ToolMessage": "tool", "AIMessageChunk": "assistant"}  # fmt: skip
_OPENING = frozenset("{[")
_HOLDERS = ("messages", "input", "prompt", "prompts", "contents", "inputs", "question", "query", "text")
_ANSWERS = ("choices", "output", "content", "generations", "message", "text", "completion", "answer", "candidates")
_ANSWERS_AND_PARTS = (*_ANSWERS, "parts")


def opened(value: Any) -> Any:
    """The object or list that a text holds as JSON; anything else as it is.

    >>> opened('[1]'), opened('[not JSON'), opened(None)
    ([1], '[not JSON', None)
    """
    if type(value) is not str or (value[:1] not in _OPENING and value[:99].lstrip()[:1] not in _OPENING):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def opened_object(value: Any) -> Record:
    """An object, also from its JSON text or from a table's list of keys and values; else an empty one.

    >>> opened_object('{"a": 1}'), opened_object([{"key": "a", "value": 1}]), opened_object(3)
    ({'a': 1}, {'a': 1}, {})
    """
    if value is None:
        return {}
    value = opened(value)
    if isinstance(value, dict):
        return value
    pairs = value if isinstance(value, list) else []
    if pairs and all(isinstance(item, dict) and item.keys() == {"key", "value"} for item in pairs):
        return {str(item["key"]): item["value"] for item in pairs}
    return {}


def first(*values: Any) -> Any:
    """The first value that says something.

    >>> first(None, "", 0, 1)
    0
    """
    for value in values:
        if value is not None and value != "":
            return value
    return None


def messages_of(value: Any, depth: int = 4) -> Any:
    """Chat messages or a plain text, from whatever holds them; None where nothing does."""
    value = opened(value)
    if isinstance(value, dict):
        if "role" in value or "kwargs" in value or _kind_role(value):
            return [_message(value)]
        held = next((value[name] for name in _HOLDERS if value.get(name)), None) if depth else None
        return messages_of(held, depth - 1) if held is not None else (_dumped(value) if value else None)
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], list):  # a batch of one conversation
            return messages_of(value[0], depth - 1) if depth else None
        return [_message(item) for item in value] or None
    return value if isinstance(value, str) and value else None


def system_of(value: Any) -> Any:
    """The system prompt that lies beside the messages of a request."""
    value = opened(value)
    if isinstance(value, dict):
        return first(value.get("system"), value.get("instructions"), value.get("system_instructions"))
    return None


def parts_of(value: Any) -> Any:
    """Content parts, their text under the name `text`.

    >>> parts_of([{"type": "text", "content": "Hi"}])
    [{'type': 'text', 'text': 'Hi'}]
    """
    value = opened(value)
    if not isinstance(value, list):
        return value
    return [
        {"type": "text", "text": part["content"]}
        if isinstance(part, dict) and isinstance(part.get("content"), str) and "text" not in part
        and part.get("type") in {"text", "reasoning", None}
        else part
        for part in value
    ]  # fmt: skip


def answer_text(value: Any, depth: int = 5) -> str | None:
    """The text of an answer, wherever it lies; what asks for a tool counts by its whole content."""
    value = opened(value)
    if isinstance(value, str):
        return value or None
    if isinstance(value, dict) and type(value.get("content")) is str and value["content"]:
        return answer_text(value["content"], depth - 1)
    if isinstance(value, list):
        if len(value) == 1:
            return answer_text(value[0], depth - 1) if depth else None
        texts = [answer_text(item, depth - 1) for item in value] if depth else []
        return "\n".join(text for text in texts if text) or None
    if not isinstance(value, dict) or not depth:
        return None
    if "kwargs" in value:
        value = opened_object(value["kwargs"])
    if "parts" in value:
        return answer_text(parts_of(value["parts"]), depth - 1)
    for name in _ANSWERS:
        inner = value.get(name)
        if inner:
            text = answer_text(inner, depth - 1)
            if text:
                return text
    return None


def tool_calls_of(value: Any, depth: int = 5) -> int | None:
    """How many tools an answer asks for; None where no answer is to be seen."""
    value = opened(value)
    if isinstance(value, list):
        counts = [tool_calls_of(item, depth - 1) for item in value] if depth else []
        known = [count for count in counts if count is not None]
        return sum(known) if known else None
    if not isinstance(value, dict) or not depth:
        return None
    if type(value.get("content")) is str and not value.get("tool_calls") and "additional_kwargs" not in value:
        return 0
    if value.get("type") in {"tool_use", "tool_call", "function_call"} or "functionCall" in value:
        return 1
    if "kwargs" in value:
        value = opened_object(value["kwargs"])
    calls = first(value.get("tool_calls"), opened_object(value.get("additional_kwargs")).get("tool_calls"))
    if isinstance(calls, list) and calls:
        return len(calls)
    found = 0
    for name in _ANSWERS_AND_PARTS:
        inner = value.get(name)
        if inner and type(inner) is not str:
            found += tool_calls_of(inner, depth - 1) or 0
    return found


def _message(item: Any) -> Any:
    """One message with the usual roles and parts."""
    if not isinstance(item, dict) or (type(item.get("content")) is str and type(item.get("role")) is str):
        return item
    if "kwargs" in item:  # LangChain's serialisation
        names = item.get("id")
        item = {"type": names[-1] if isinstance(names, list) and names else None, **opened_object(item["kwargs"])}
    inner = item.get("message")
    if isinstance(inner, dict) and "role" not in item:  # OpenInference
        item = inner
    role = item.get("role") or _kind_role(item)
    found = dict(item)
    if role:
        found["role"] = _ROLES.get(role, role) if isinstance(role, str) else role
    if "parts" in item:
        found["content"] = parts_of(item["parts"])
    elif isinstance(item.get("content"), list):
        found["content"] = parts_of(item["content"])
    return found


def _kind_role(item: Record) -> str | None:
    kind = item.get("type")
    return _ROLES.get(kind) or (kind if kind in {"system", "tool"} else None) if isinstance(kind, str) else None


def _dumped(value: Record) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
