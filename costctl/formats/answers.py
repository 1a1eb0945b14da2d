"""What the answer of each provider's API says, in canonical and raw names."""

from __future__ import annotations

import re
from typing import Any

from costctl.formats.base import Record
from costctl.formats.usage import anthropic_usage, gemini_usage, read_usage

OPENAI_STATES = {"failed": "error", "incomplete": "incomplete", "cancelled": "cancelled"}
OPENAI_OBJECTS = {
    "chat.completion": "chat", "response": "chat", "text_completion": "text_completion", "list": "embeddings",
}  # fmt: skip
_TIERS = {
    "default": "standard", "auto": "standard", "on_demand": "standard", "on_demand_priority": "priority",
    "on_demand_flex": "flex", "provisioned_throughput": "provisioned",
}  # fmt: skip
_GLOBAL = ("not_available", "global")
# Many vendors answer in the shape of OpenAI; these names are used by their makers' own endpoints.
_OWN_NAMES = {
    "openai": r"(?:ft:)?(?:gpt-(?!oss)|chatgpt|o\d|text-|davinci|babbage|dall-e|tts-|whisper|omni-|codex|sora)",
    "deepseek": r"deepseek-(?:chat|reasoner|coder)$", "x-ai": r"grok-", "perplexity": r"sonar", "google": r"gemini-",
    "mistral": r"mistral-(?:tiny|small|medium|large|embed|saba)|(?:magi|code|dev)stral-|pixtral-|ministral-",
    "moonshotai": r"kimi-|moonshot-", "anthropic": r"claude-", "zai": r"glm-", "minimax": r"minimax-",
    "cohere": r"command-",
}  # fmt: skip
_VENDORS = tuple((vendor, re.compile(names)) for vendor, names in _OWN_NAMES.items())


def service_tier(value: Any) -> Any:
    """A provider's name of a service tier in the house's words.

    >>> service_tier("default"), service_tier("ON_DEMAND_FLEX"), service_tier("batch")
    ('standard', 'flex', 'batch')
    """
    return _TIERS.get(value.lower(), value) if type(value) is str else value


def vendor_of(model: Any) -> str | None:
    """Whose own API answers in OpenAI's shape under this name; None where many sell the model.

    >>> vendor_of("gpt-4o-2024-08-06"), vendor_of("deepseek-chat"), vendor_of("llama-3.3-70b-versatile")
    ('openai', 'deepseek', None)
    """
    if not isinstance(model, str):
        return None
    name = model.lower()
    return next((vendor for vendor, names in _VENDORS if names.match(name)), None)


def region_of(usage: Record) -> Any:
    """Where an Anthropic message was served, when that was asked for."""
    place = usage.get("inference_geo")
    return None if place in _GLOBAL else place


def body_key(answer_id: Any, created: Any) -> str | None:
    """Identity of an answer: its own id, with its time where small servers use an id again."""
    if not isinstance(answer_id, str | int) or not answer_id:
        return None
    return f"{answer_id}:{created}" if created else str(answer_id)


def _objects(value: Any) -> list[Record]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(parts: list[Record]) -> str | None:
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str)) or None


def openai_answer(body: Record) -> Record:
    """A chat completion, Responses object, legacy completion or embeddings list."""
    found: Record = read_usage(body.get("usage"))
    kind, status = body["object"], body.get("status")
    created = body.get("created", body.get("created_at"))
    found.update(
        request_id=body.get("id"), dedupe_key=body_key(body.get("id"), created), response_model=body.get("model"),
        operation=OPENAI_OBJECTS.get(kind), service_tier=service_tier(body.get("service_tier")),
        provider=vendor_of(body.get("model")),
    )  # fmt: skip
    if created is not None:
        found["started_at"], found["ts_basis"] = created, "created"
    if isinstance(status, str):
        found["status"] = OPENAI_STATES.get(status)
    if kind == "response":
        _responses(body, found)
    elif kind == "list":
        found.setdefault("cache_read_tokens", 0)  # embeddings have no prompt cache
    else:
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict):
            said = choice.get("message")
            message: Record = said if isinstance(said, dict) else {}
            calls = message.get("tool_calls")
            found["finish_reason"] = choice.get("finish_reason")
            found["tool_calls"] = len(calls) if isinstance(calls, list) else 0
            found["response_text"] = message.get("content") if message else choice.get("text")
    return found


def _responses(body: Record, found: Record) -> None:
    """The facts of a Responses object that lie in its output items."""
    output = _objects(body.get("output"))
    found["finish_reason"] = body.get("status")
    if not output:
        return
    found["tool_calls"] = sum(item.get("type") == "function_call" for item in output)
    searches = sum(_is_search(item) for item in output)
    if searches:
        found.setdefault("web_searches", searches)
    found["response_text"] = _text([part for item in output for part in _objects(item.get("content"))])


def _is_search(item: Record) -> bool:
    """A billed web search; opening a page or looking for words in it is not billed."""
    if item.get("type") != "web_search_call" or item.get("status") == "failed":
        return False
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type", "search") == "search"


def anthropic_answer(body: Record) -> Record:
    """An Anthropic message; it carries no time of its own."""
    usage = body.get("usage")
    found: Record = anthropic_usage(usage)
    blocks = _objects(body.get("content"))
    found.update(
        request_id=body.get("id"), dedupe_key=body_key(body.get("id"), None), response_model=body.get("model"),
        operation="chat", provider="anthropic", finish_reason=body.get("stop_reason"),
        tool_calls=sum(block.get("type") == "tool_use" for block in blocks), response_text=_text(blocks),
    )  # fmt: skip
    if body.get("status") == "incomplete":  # a stream that broke off
        found["status"] = "incomplete"
    if isinstance(usage, dict):
        found["service_tier"] = "fast" if usage.get("speed") == "fast" else service_tier(usage.get("service_tier"))
        found["region"] = region_of(usage)
    return found


def gemini_answer(body: Record) -> Record:
    """A Gemini or Vertex answer; a Python dump of it writes its names in snake case."""

    def said(camel: str, snake: str) -> Any:
        value = body.get(camel)
        return body.get(snake) if value is None else value

    usage = said("usageMetadata", "usage_metadata")
    found: Record = gemini_usage(usage)
    response_id, created = said("responseId", "response_id"), said("createTime", "create_time")
    found.update(
        request_id=response_id, dedupe_key=body_key(response_id, None), started_at=created,
        response_model=said("modelVersion", "model_version"), operation="chat", provider="google",
        service_tier=_gemini_tier(body, usage),
    )  # fmt: skip
    candidates = _objects(body.get("candidates"))
    feedback = said("promptFeedback", "prompt_feedback")
    if not candidates and isinstance(feedback, dict):  # the prompt was refused
        found["finish_reason"] = feedback.get("blockReason", feedback.get("block_reason"))
    if candidates:
        content = candidates[0].get("content")
        parts = _objects(content.get("parts")) if isinstance(content, dict) else []
        found["finish_reason"] = candidates[0].get("finishReason", candidates[0].get("finish_reason"))
        found["tool_calls"] = sum("functionCall" in part or "function_call" in part for part in parts)
        found["response_text"] = _text([part for part in parts if not part.get("thought")])
    return found


def _gemini_tier(body: Record, usage: Any) -> Any:
    inner = usage if isinstance(usage, dict) else {}
    for holder in (inner, body):
        for name in ("trafficType", "traffic_type", "serviceTier", "service_tier"):
            value = holder.get(name)
            if isinstance(value, str):
                return service_tier(value)
    return None
