"""What is kept of the text of a request: keyed hashes and lengths, never the text.

Hashes are keyed with a random key of the workspace, because the plain hash of a short prompt
can be guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson

SYSTEM_TEXTS_MAX = 1000


# Derived facts of one prompt, in the order of the columns; the last one, the text of the user,
# feeds the tier rules and is then dropped.
COLUMNS = (
    "prompt_key", "system_key", "prompt_chars", "system_chars", "history_chars", "tool_chars", "user_chars",
    "turn_count", "has_image",
)  # fmt: skip
_Count: TypeAlias = int | None
Content: TypeAlias = tuple[
    _Count, _Count, _Count, _Count, _Count, _Count, _Count, _Count, bool | None, str | None
]  # fmt: skip
NO_CONTENT: Content = (None, None, None, None, None, None, None, None, None, None)
_SYSTEM_ROLES = frozenset({"system", "developer"})
_TOOL_ROLES = frozenset({"tool", "function"})
_TOOL_RESULTS = frozenset({"toolResult", "functionResponse", "function_response"})  # Converse, Gemini
# What tools write in place of a text that they do not keep: no prompt, or each would repeat the others.
_REDACTED = re.compile(
    r"(?:content[-_ ])?redacted(?:[-_ ]by[-_ ]litellm)?"
    r"|[\[<({]+(?:content[-_ ])?(?:redacted|hidden|masked|removed|filtered|omitted|not[-_ ]logged)[\])}>]+"
    r"|\*{3,}|x{4,}",
    re.IGNORECASE,
)
REDACTED_CHARS = 40
_IMAGE_PARTS = frozenset({"image", "image_url", "input_image", "inline_data", "inlineData"})


class ContentReader:
    """Reads prompts and answers under one hash key, remembering long texts that repeat."""

    def __init__(self, key: bytes) -> None:
        self._keyed = blake2b(key=key, digest_size=8)  # copied for each text, so that the key goes in once
        self._system_keys: dict[str, int] = {}

    def hash(self, text: str) -> int:
        """Keyed 64-bit hash; among 50 million texts two meet by chance once in 15,000 logs."""
        hasher = self._keyed.copy()
        hasher.update(text.encode("utf-8", "surrogatepass"))
        return int.from_bytes(hasher.digest(), "big")

    def read(self, messages: Any, system: Any) -> Content:
        """The facts of a prompt given as chat messages, content parts or plain text."""
        if not messages and not system:
            return NO_CONTENT
        parts: list[str] = []
        system_text = flat(system)[0] if system else ""
        if system_text:
            parts.append(self._system_part(system_text))
        total_chars = len(system_text)
        tool_chars = turn_count = 0
        has_image = False
        user_text = ""
        for message in listed(messages):
            # By far the commonest message is decided here: this loop is the warmest of the house.
            if (
                type(message) is dict
                and type(text := message.get("content")) is str
                and type(role := message.get("role")) is str
                and "tool_calls" not in message
            ):
                image = False
                text = text.strip()
                if not text.isascii():
                    text = normalised(text)
            else:
                role, text, image = turn(message)
            total_chars += len(text)
            if role == "user":
                turn_count += 1
                user_text = text
            elif role in _SYSTEM_ROLES:
                system_text = f"{system_text}\n{text}" if system_text else text
                parts.append(self._system_part(text))
                continue
            elif role in _TOOL_ROLES:
                tool_chars += len(text)
            if image:
                has_image = True
            parts.append(f"{role}\0{text}")
        if len(user_text) <= REDACTED_CHARS and _REDACTED.fullmatch(user_text):
            return NO_CONTENT
        system_chars, user_chars = len(system_text), len(user_text)
        return (
            self.hash("\x1e".join(parts)),
            self._system_key(system_text) if system_text else None,
            total_chars,
            system_chars,
            total_chars - system_chars - tool_chars - user_chars,
            tool_chars,
            user_chars,
            turn_count,
            has_image,
            user_text,
        )

    def _system_part(self, text: str) -> str:
        """A system prompt by its key: long, and the same in most requests, it is hashed only once."""
        return f"system\0{self._system_key(text)}"

    def _system_key(self, text: str) -> int:
        known = self._system_keys.get(text)
        if known is None:
            if len(self._system_keys) >= SYSTEM_TEXTS_MAX:
                self._system_keys.clear()
            known = self._system_keys[text] = self.hash(text)
        return known


def normalised(text: str) -> str:
    """One spelling for texts that a person would call the same: NFC, no outer blanks."""
    text = text.strip()
    # The letters of Latin-1 have one spelling, and to encode them is four times as fast as to look at each.
    if text.isascii() or len(text.encode("latin-1", "ignore")) == len(text) or unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", text)


def listed(messages: Any) -> Sequence[Any]:
    """The messages; a bare text is one of the user."""
    if isinstance(messages, list):
        return messages
    if isinstance(messages, str):
        return ({"role": "user", "content": messages},)
    return (messages,) if isinstance(messages, dict) else ()


def turn(message: Any) -> tuple[str, str, bool]:
    """Role and text of one message, and whether it carries an image."""
    if not isinstance(message, dict):
        return "user", flat(message)[0], False
    role = message.get("role") or message.get("type") or "user"
    content = message.get("content")
    if content is None:
        content = message.get("parts") or message.get("text") or message.get("output")
    text, image = flat(content)
    calls = message.get("tool_calls")
    if calls:
        text += "\n" + orjson.dumps(calls, option=orjson.OPT_SORT_KEYS, default=str).decode()
    if role == "user" and isinstance(content, list) and _is_tool_result(content):
        role = "tool"
    return str(role), text, image


def _is_tool_result(content: list[Any]) -> bool:
    return bool(content) and all(
        isinstance(part, dict) and (part.get("type") == "tool_result" or not _TOOL_RESULTS.isdisjoint(part))
        for part in content
    )


def flat(content: Any) -> tuple[str, bool]:
    """Text of a content value and whether it carries an image."""
    if isinstance(content, str):
        return normalised(content), False
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return "" if content is None else str(content), False
    texts: list[str] = []
    has_image = False
    for part in content:
        if isinstance(part, str):
            texts.append(normalised(part))
            continue
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        has_image = has_image or (type(kind) is str and kind in _IMAGE_PARTS) or not _IMAGE_PARTS.isdisjoint(part)
        text = part.get("text")
        if isinstance(text, str):
            texts.append(normalised(text))
        else:  # images, tool calls and results count by their whole content
            texts.append(orjson.dumps(part, option=orjson.OPT_SORT_KEYS, default=str).decode())
    return "\n".join(texts), has_image
