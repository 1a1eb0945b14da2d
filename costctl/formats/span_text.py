"""The prompt and the answer of a span: one JSON text, or an attribute for each message and part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costctl.formats.base import Record
from costctl.formats.conversation import answer_text, first, messages_of, opened, parts_of, system_of, tool_calls_of

_PROMPTS = ("gen_ai.input.messages", "ai.prompt.messages", "gen_ai.prompt", "ai.prompt", "ai.values", "ai.value")
_SYSTEMS = ("gen_ai.system_instructions", "gen_ai.system_prompt")
_ANSWERS = ("gen_ai.output.messages", "gen_ai.completion")
_NUMBERED_PROMPTS = (("llm.input_messages.", "message."), ("gen_ai.prompt.", ""), ("llm.prompts.", "prompt."))
_NUMBERED_ANSWERS = (("llm.output_messages.", "message."), ("gen_ai.completion.", ""), ("llm.choices.", "completion."))
_TOOL_LISTS = ("gen_ai.tool.definitions", "gen_ai.request.tools", "ai.prompt.tools")
_NUMBERED_TOOLS = ("llm.tools.", "llm.request.functions.")
_NUMBERED = tuple(prefix for prefix, _ in (*_NUMBERED_PROMPTS, *_NUMBERED_ANSWERS)) + _NUMBERED_TOOLS
_EVENTS = ("gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.client.inference.operation.details")


def add_content(
    found: Record, said: Mapping[str, Any], events: Sequence[tuple[str, int | None, Record]]
) -> None:  # fmt: skip
    """Put prompt, system prompt, text of the answer and tools to what is known of a call."""
    for name, _, more in events:
        if name in _EVENTS:
            said = {**more, **said}
    numbered = [name for name in said if name.startswith(_NUMBERED)]
    tools = next((opened(said[name]) for name in _TOOL_LISTS if name in said), None)
    found["tool_count"] = len(tools) if isinstance(tools, list) else (_count(numbered, *_NUMBERED_TOOLS) or None)
    prompt = next((said[name] for name in _PROMPTS if said.get(name)), None)
    messages = messages_of(prompt) if prompt is not None else _numbered(said, numbered, _NUMBERED_PROMPTS)
    if messages is None and "input.value" in said:
        prompt = said["input.value"]
        messages = messages_of(prompt)
    found["messages"] = messages
    found["system"] = first(*(parts_of(said.get(name)) for name in _SYSTEMS), system_of(prompt))
    answer = next((opened(said[name]) for name in _ANSWERS if said.get(name)), None)
    if answer is None:
        answer = _numbered(said, numbered, _NUMBERED_ANSWERS)
    if answer is not None:
        found["response_text"], found["tool_calls"] = answer_text(answer), tool_calls_of(answer)
    elif "ai.response.text" in said or "ai.response.toolCalls" in said:
        calls = opened(said.get("ai.response.toolCalls"))
        found["response_text"] = said.get("ai.response.text")
        found["tool_calls"] = len(calls) if isinstance(calls, list) else 0
    elif "output.value" in said:
        body = opened(said["output.value"])
        found["response_text"] = answer_text(body)
        found["tool_calls"] = None if isinstance(body, str) else tool_calls_of(body)


def _count(names: Sequence[str], *prefixes: str) -> int:
    """How many elements a list has that is written as attributes `prefix.0...`, `prefix.1...`."""
    tails = [name[len(prefix) :] for prefix in prefixes for name in names if name.startswith(prefix)]
    return len({tail.split(".", 1)[0] for tail in tails})


def _numbered(said: Mapping[str, Any], names: Sequence[str], spellings: Sequence[tuple[str, str]]) -> Any:
    """Messages that are written as one attribute for each of their values."""
    for prefix, inner in spellings if names else ():
        own = [name for name in names if name.startswith(prefix)]
        if own:
            return _messages(said, own, prefix, inner) or None
    return None


def _messages(said: Mapping[str, Any], names: Sequence[str], prefix: str, inner: str) -> list[Record]:
    messages: dict[int, Record] = {}
    for name in names:
        value = said[name]
        number, _, place = name[len(prefix) :].partition(".")
        if not number.isdecimal() or not place:
            continue
        message = messages.setdefault(int(number), {"role": "user", "content": ""})
        place = place.removeprefix(inner)
        if place == "role":
            message["role"] = value
        elif place in {"content", "text"}:
            message["content"] = parts_of(value) if value is not None else ""
        elif place.startswith("contents."):
            part = place.removeprefix("contents.").partition(".")[2].removeprefix("message_content.")
            if part == "text" and isinstance(value, str):
                message["content"] = f"{message['content']}\n{value}" if message["content"] else value
            elif part.startswith("image"):
                message["content"] = [{"type": "image", "text": message["content"]}]
        elif place.startswith("tool_calls."):
            call = place.removeprefix("tool_calls.").partition(".")
            calls = message.setdefault("tool_calls", {})
            calls.setdefault(call[0], {})[call[2]] = value
    for message in messages.values():
        if "tool_calls" in message:
            message["tool_calls"] = list(message["tool_calls"].values())
    return [messages[number] for number in sorted(messages)]
