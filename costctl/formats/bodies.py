"""Bodies of the providers' APIs, told apart by their shape, in canonical and raw names.

Responses and Anthropic bodies share the names of their counts with opposite meaning; `object`
and `type` decide (log-formats, section 4).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.answers import OPENAI_OBJECTS, anthropic_answer, gemini_answer, openai_answer
from costctl.formats.base import Record

_GEMINI = ("usageMetadata", "candidates", "usage_metadata")


def is_openai(body: Any) -> bool:
    """A finished OpenAI answer: chat, Responses, legacy completion or embeddings."""
    if not isinstance(body, dict) or "results" in body:
        return False
    kind = body.get("object")
    return isinstance(kind, str) and kind in OPENAI_OBJECTS and (kind != "list" or "usage" in body)


def is_anthropic(body: Any) -> bool:
    """A finished Anthropic message."""
    return isinstance(body, dict) and body.get("type") == "message" and isinstance(body.get("usage"), dict)


def is_gemini(body: Any) -> bool:
    """A Gemini or Vertex answer."""
    return isinstance(body, dict) and any(name in body for name in _GEMINI)


def is_answer(body: Any) -> bool:
    """The finished answer of any provider."""
    return is_openai(body) or is_anthropic(body) or is_gemini(body)


def read_body(body: Record) -> Record:
    """What an answer or an error says; empty for anything else."""
    if is_openai(body):
        found = openai_answer(body)
    elif body.get("type") == "message" and ("usage" in body or isinstance(body.get("model"), str)):
        found = anthropic_answer(body)
    elif is_gemini(body):
        found = gemini_answer(body)
    else:
        found = {}
    if body.get("error") or body.get("type") == "error":
        found.update(error_of(body.get("error")))
    return found


def error_of(error: Any) -> Record:
    """The status and the class of a failure, from an error object or a word.

    >>> error_of({"type": None, "code": "server_error"}), error_of("ConnectTimeout")["error_type"]
    ({'status': 'error', 'error_type': 'server_error'}, 'ConnectTimeout')
    """
    kind: Any = "error"
    if isinstance(error, dict):
        names = (error.get(name) for name in ("type", "status", "code"))
        kind = next((name for name in names if isinstance(name, str | int) and name), "error")
    elif isinstance(error, str) and error.strip():
        # A word names a class; a sentence may quote the prompt and is not kept.
        word = error.partition(":")[0].strip()
        kind = word if len(word) <= 60 and " " not in word else "error"
    return {"status": "error", "error_type": str(kind)}


def read_request(body: Record) -> Record:
    """What a request body asks for."""
    tools, response_format = body.get("tools"), body.get("response_format")
    found = {
        "request_model": body.get("model"), "temperature": body.get("temperature"), "stream": body.get("stream"),
        "max_output_tokens": body.get("max_output_tokens", body.get("max_completion_tokens", body.get("max_tokens"))),
        "response_format": response_format.get("type") if isinstance(response_format, dict) else None,
        "tool_count": len(tools) if isinstance(tools, list) else None,
        "user_id": body.get("user") if isinstance(body.get("user"), str) else None,
        "messages": body.get("messages", body.get("input", body.get("prompt", body.get("contents")))),
        "system": body.get("system", body.get("instructions")),
    }  # fmt: skip
    if "contents" in body:
        _gemini_request(body, found)
    return found


def _gemini_request(body: Record, found: Record) -> None:
    """The parameters of a Gemini request, which lie in an object of their own."""
    config = next((body[name] for name in ("generationConfig", "generation_config", "config") if name in body), None)
    if isinstance(config, dict):
        found["temperature"] = config.get("temperature")
        found["max_output_tokens"] = config.get("maxOutputTokens", config.get("max_output_tokens"))
        mime = config.get("responseMimeType", config.get("response_mime_type"))
        found["response_format"] = "json_object" if mime == "application/json" else None
    system = body.get("systemInstruction", body.get("system_instruction"))
    if isinstance(system, dict) and "parts" in system:
        system = system["parts"]
    found["system"] = system or found["system"]
