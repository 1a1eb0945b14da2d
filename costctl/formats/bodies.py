"""Answers of the providers' APIs, told apart by their shape, in canonical and raw names.

Responses and Anthropic bodies share the names of their counts with opposite meaning; `object`
and `type` decide (log-formats, section 4).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Record
from costctl.formats.usage import read_usage

OPENAI_STATES = {"failed": "error", "incomplete": "incomplete", "cancelled": "cancelled"}
OPENAI_OBJECTS = {
    "chat.completion": "chat", "response": "chat", "text_completion": "text_completion", "list": "embeddings",
}  # fmt: skip


def is_openai(body: Any) -> bool:
    """A finished OpenAI answer: chat, Responses, legacy completion or embeddings."""
    if not isinstance(body, dict) or "results" in body:
        return False
    return body.get("object") in OPENAI_OBJECTS and (body.get("object") != "list" or "usage" in body)


def is_anthropic(body: Any) -> bool:
    """A finished Anthropic message."""
    return isinstance(body, dict) and body.get("type") == "message" and isinstance(body.get("usage"), dict)


def is_gemini(body: Any) -> bool:
    """A Gemini or Vertex answer."""
    return isinstance(body, dict) and ("usageMetadata" in body or "candidates" in body or "usage_metadata" in body)


def read_body(body: Record) -> Record:
    """What an answer says; empty for anything that is no answer."""
    if is_openai(body):
        return openai_body(body)
    if is_anthropic(body):
        return anthropic_body(body)
    if is_gemini(body):
        return gemini_body(body)
    return {}


def openai_body(body: Record) -> Record:
    """A chat completion, Responses object, legacy completion or embeddings list."""
    usage = body.get("usage")
    found: Record = read_usage(usage) if isinstance(usage, dict) else {}
    choices = body.get("choices")
    choice: Record = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    said, produced = choice.get("message"), body.get("output")
    message: Record = said if isinstance(said, dict) else {}
    output: list[Any] = produced if isinstance(produced, list) else []
    calls = message.get("tool_calls") or [
        item for item in output if isinstance(item, dict) and item.get("type") == "function_call"
    ]
    status = body.get("status")
    found.update(
        request_id=body.get("id"), response_model=body.get("model"),
        started_at=body.get("created", body.get("created_at")), ts_basis="created",
        operation=OPENAI_OBJECTS.get(str(body.get("object"))), service_tier=_tier(body.get("service_tier")),
        finish_reason=choice.get("finish_reason") or (status if isinstance(status, str) else None),
        tool_calls=len(calls) if choice or output else None,
        response_text=message.get("content") if message else choice.get("text"),
        status=OPENAI_STATES.get(status) if isinstance(status, str) else None,
        provider="openai",
    )  # fmt: skip
    if found["started_at"] is None:
        found.pop("ts_basis")
    return found


def _tier(value: Any) -> Any:
    return "standard" if value in {"default", "auto", "standard", "on_demand"} else value


def anthropic_body(body: Record) -> Record:
    """An Anthropic message; it carries no time of its own."""
    usage = body["usage"]
    found: Record = read_usage(usage)
    content = body.get("content") if isinstance(body.get("content"), list) else []
    blocks = [block for block in content or [] if isinstance(block, dict)]
    found.update(
        request_id=body.get("id"), response_model=body.get("model"), operation="chat", provider="anthropic",
        service_tier="fast" if usage.get("speed") == "fast" else _tier(usage.get("service_tier")),
        region=usage.get("inference_geo") if usage.get("inference_geo") not in {"not_available", "global"} else None,
        finish_reason=body.get("stop_reason"), tool_calls=sum(block.get("type") == "tool_use" for block in blocks),
        response_text="\n".join(str(block["text"]) for block in blocks if "text" in block) or None,
    )  # fmt: skip
    return found


def gemini_body(body: Record) -> Record:
    """A Gemini or Vertex answer."""
    usage = body.get("usageMetadata", body.get("usage_metadata"))
    found: Record = read_usage(usage) if isinstance(usage, dict) else {}
    candidates = body.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates and isinstance(candidates[0], dict) else {}
    found.update(
        request_id=body.get("responseId"), response_model=body.get("modelVersion"), started_at=body.get("createTime"),
        operation="chat", provider="google", finish_reason=first.get("finishReason"),
    )  # fmt: skip
    return found


def read_request(body: Record) -> Record:
    """What a request body asks for."""
    tools = body.get("tools")
    response_format = body.get("response_format")
    return {
        "request_model": body.get("model"), "temperature": body.get("temperature"), "stream": body.get("stream"),
        "max_output_tokens": body.get("max_output_tokens", body.get("max_completion_tokens", body.get("max_tokens"))),
        "response_format": response_format.get("type") if isinstance(response_format, dict) else None,
        "tool_count": len(tools) if isinstance(tools, list) else None,
        "user_id": body.get("user") if isinstance(body.get("user"), str) else None,
        "messages": body.get("messages", body.get("input", body.get("prompt", body.get("contents")))),
        "system": body.get("system", body.get("instructions")),
    }  # fmt: skip
