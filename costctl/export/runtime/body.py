"""What a request says: its text as the audit reads it, its parameters, and what is told beside it.

The twin of `costctl.formats.content` and of `read_request`, for bodies as OpenAI and Anthropic take them.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

_SYSTEM_ROLES = frozenset(("system", "developer"))
_TOOL_ROLES = frozenset(("tool", "function"))
_IMAGE_PARTS = frozenset(("image", "image_url", "input_image", "inline_data", "inlineData"))
# How people write "nothing" in a field.
_NOTHING = frozenset(("", "none", "null", "nan", "n/a", "<na>", "nat", "undefined"))
_CHARS_PER_TOKEN = 4
_ALIASES = {"user": "user_id", "session": "session_id"}
_TEXTS = (
    "endpoint", "request_model", "model", "provider", "app", "caller", "user_id", "user_profile", "team", "project",
    "operation", "region", "service_tier", "response_format", "logged_tier", "session_id",
)  # fmt: skip
_COUNTS = (
    "input_tokens", "sent_input_tokens", "output_tokens", "tool_count", "turn_count", "max_output_tokens",
    "prompt_chars", "system_chars", "history_chars", "tool_chars", "user_chars",
)  # fmt: skip
# What may be told beside a request; all else is read from its text, and nobody may claim it.
_BESIDE = frozenset((*_TEXTS, *_COUNTS, "temperature", "stream", "has_image"))
_LARGEST = 2**63


class Request:
    """A request as `known` fields (None where it does not say), the text of the user, and what was estimated."""

    def __init__(self, body: Any, metadata: dict[str, Any] | None = None) -> None:
        body = body if isinstance(body, dict) else {}
        messages = body.get("messages", body.get("input", body.get("prompt")))
        system = body.get("system", body.get("instructions"))
        self.known: dict[str, Any] = {}
        self.text: str | None = None
        self.estimated: list[str] = []
        if messages or system:
            self._read(messages, system)
        tools, form = body.get("tools"), body.get("response_format")
        self.known.update(
            request_model=body.get("model"), temperature=body.get("temperature"), stream=body.get("stream"),
            max_output_tokens=body.get("max_output_tokens", body.get("max_completion_tokens", body.get("max_tokens"))),
            response_format=form.get("type") if isinstance(form, dict) else None,
            tool_count=len(tools) if isinstance(tools, list) else None,
            user_id=body.get("user") if isinstance(body.get("user"), str) else None,
        )  # fmt: skip
        for name, value in (metadata or {}).items():
            field = _ALIASES.get(name, name)
            if value is not None and field in _BESIDE:
                self.known[field] = value
        self._settle(tools)

    def _read(self, messages: Any, system: Any) -> None:
        """Lengths, turns and images of the prompt, and the last message of the user."""
        system_text = _flat(system)[0] if system else ""
        total, tool_chars, turns, has_image, user = len(system_text), 0, 0, False, ""
        for message in _listed(messages):
            role, text, image = _turn(message)
            total += len(text)
            if role == "user":
                turns, user = turns + 1, text
            elif role in _SYSTEM_ROLES:
                system_text = f"{system_text}\n{text}" if system_text else text
                continue
            elif role in _TOOL_ROLES:
                tool_chars += len(text)
            has_image = has_image or image
        self.text = _whole(user)
        self.known.update(
            prompt_chars=total, system_chars=len(system_text), tool_chars=tool_chars, user_chars=len(user),
            history_chars=total - len(system_text) - tool_chars - len(user), turn_count=turns, has_image=has_image,
        )  # fmt: skip

    def _settle(self, tools: Any) -> None:
        """Fields as their kinds; the size of the input is estimated where nobody counted it."""
        known = self.known
        for name in _TEXTS:
            known[name] = _text_of(known.get(name))
        for name in _COUNTS:
            known[name] = _count_of(known.get(name))
        known["temperature"] = _number_of(known.get("temperature"))
        for name in ("stream", "has_image"):
            known[name] = known[name] if isinstance(known.get(name), bool) else None
        known["model"] = known["model"] or known["request_model"]
        if known["input_tokens"] is None and known["prompt_chars"] is not None:
            chars = known["prompt_chars"] + (len(_dumped(tools)) if isinstance(tools, list) else 0)
            known["input_tokens"] = max(1, chars // _CHARS_PER_TOKEN)
            self.estimated.append("input_tokens")


def _text_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value) if _number_of(value) is not None else None
    return value if isinstance(value, str) and value.strip().lower() not in _NOTHING else None


def _number_of(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -_LARGEST < value < _LARGEST else None  # nor what is no number, or endless


def _count_of(value: Any) -> int | None:
    found = _number_of(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def _listed(messages: Any) -> list[Any]:
    """The messages; a bare text is one of the user."""
    if isinstance(messages, list):
        return messages
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [messages] if isinstance(messages, dict) else []


def _turn(message: Any) -> tuple[str, str, bool]:
    """Role and text of one message, and whether it carries an image."""
    if not isinstance(message, dict):
        return "user", _flat(message)[0], False
    role = message.get("role") or message.get("type") or "user"
    content = message.get("content")
    if content is None:
        content = message.get("parts") or message.get("text") or message.get("output")
    text, image = _flat(content)
    calls = message.get("tool_calls")
    if calls:
        text += "\n" + _dumped(calls)
    if role == "user" and isinstance(content, list) and _is_tool_result(content):
        role = "tool"
    return str(role), text, image


def _is_tool_result(content: list[Any]) -> bool:
    return bool(content) and all(isinstance(part, dict) and part.get("type") == "tool_result" for part in content)


def _flat(content: Any) -> tuple[str, bool]:
    """Text of a content value and whether it carries an image."""
    if isinstance(content, str):
        return _normalised(content), False
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return _text_of(content) or "", False
    texts, has_image = [], False
    for part in content:
        if isinstance(part, str):
            texts.append(_normalised(part))
        elif isinstance(part, dict):
            kind = part.get("type")
            has_image = has_image or (isinstance(kind, str) and kind in _IMAGE_PARTS)
            has_image = has_image or not _IMAGE_PARTS.isdisjoint(part)
            text = part.get("text")
            # Images, tool calls and results count by their whole content.
            texts.append(_normalised(text) if isinstance(text, str) else _dumped(part))
    return "\n".join(texts), has_image


def _whole(text: str) -> str:
    """The text, with half a character (a lone surrogate) as a question mark: no such text can be encoded."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _normalised(text: str) -> str:
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _dumped(value: Any) -> str:
    """JSON without blanks, keys in order; nothing of what is nested too deep or is no JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)
    except (RecursionError, TypeError, ValueError):
        return ""
