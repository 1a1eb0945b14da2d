"""Any provider's usage object, in the house's words: input and output hold everything.

`input_tokens` includes cached reads and writes, `output_tokens` includes reasoning. A key that
the provider did not send is absent: unknown, not zero. Conventions: log-formats, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Usage = dict[str, Any]


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Raw token names of request.py from one usage object.

    >>> read_usage({"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 2})
    {'input_tokens': 13, 'output_tokens': 2, 'cache_read_tokens': 10}
    """
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage or "prompt_token_count" in usage:
        found = _gemini(usage)
    elif "inputTokens" in usage or "outputTokens" in usage:
        found = _bedrock(usage)
    elif "billed_units" in usage or "tokens" in usage:
        found = _cohere(usage)
    elif "prompt_tokens" in usage or "completion_tokens" in usage:
        found = _openai(usage, "prompt_tokens", "completion_tokens")
    elif "input_tokens_details" in usage or ("total_tokens" in usage and "cache_read_input_tokens" not in usage):
        found = _openai(usage, "input_tokens", "output_tokens")
    else:
        found = _anthropic(usage)
    return {name: value for name, value in found.items() if value is not None}


def _inner(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = usage.get(name)
        if isinstance(value, Mapping):
            return value
    return {}


def _sum(*values: Any) -> Any:
    """Sum of what is known; an odd value is handed on for the strict reader to refuse."""
    known = [value for value in values if value is not None]
    if not known or not all(type(value) is int for value in known):
        return known[0] if known else None
    return sum(known)


def _openai(usage: Mapping[str, Any], inputs: str, outputs: str) -> Usage:
    details = _inner(usage, f"{inputs}_details", "prompt_tokens_details")
    out_details = _inner(usage, f"{outputs}_details", "completion_tokens_details")
    beside = (usage.get(name) for name in ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"))
    cached = next((value for value in (details.get("cached_tokens"), *beside) if value is not None), None)
    output, reasoning = usage.get(outputs), out_details.get("reasoning_tokens")
    total, given = usage.get("total_tokens"), usage.get(inputs)
    # Some payloads (xAI) count reasoning beside the completion; the total tells.
    if (
        type(total) is int
        and type(given) is int
        and type(output) is int
        and type(reasoning) is int
        and reasoning
        and total == given + output + reasoning
    ):
        output += reasoning
    return {
        "input_tokens": given, "output_tokens": output, "cache_read_tokens": cached,
        "cache_write_tokens": details.get("cache_write_tokens"), "reasoning_tokens": reasoning,
        "input_audio_tokens": details.get("audio_tokens"), "output_audio_tokens": out_details.get("audio_tokens"),
        "total_tokens": total, "logged_cost": usage.get("cost") if not isinstance(usage.get("cost"), Mapping) else None,
        "web_searches": _inner(usage, "server_tool_use_details", "server_tool_use").get("web_search_requests"),
    }  # fmt: skip


def _anthropic(usage: Mapping[str, Any]) -> Usage:
    reads, writes = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    split = _inner(usage, "cache_creation")
    five, hour = split.get("ephemeral_5m_input_tokens"), split.get("ephemeral_1h_input_tokens")
    if writes is None:
        writes = _sum(five, hour)
    return {
        "input_tokens": _sum(usage.get("input_tokens"), reads, writes), "output_tokens": usage.get("output_tokens"),
        "cache_read_tokens": reads, "cache_write_tokens": writes,
        "cache_write_5m_tokens": five, "cache_write_1h_tokens": hour,
        "reasoning_tokens": _inner(usage, "output_tokens_details").get("thinking_tokens"),
        "web_searches": _inner(usage, "server_tool_use").get("web_search_requests"),
    }  # fmt: skip


def _gemini(usage: Mapping[str, Any]) -> Usage:
    def count(camel: str, snake: str) -> Any:
        return usage.get(camel, usage.get(snake))

    thoughts = count("thoughtsTokenCount", "thoughts_token_count")
    candidates = count("candidatesTokenCount", "candidates_token_count")
    return {
        "input_tokens": _sum(
            count("promptTokenCount", "prompt_token_count"),
            count("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
        ),
        # Gemini leaves out what is zero.
        "output_tokens": _sum(candidates or 0, thoughts or 0),
        "cache_read_tokens": count("cachedContentTokenCount", "cached_content_token_count") or 0,
        "reasoning_tokens": thoughts or 0,
        "input_audio_tokens": _modality(usage, "AUDIO", "promptTokensDetails", "prompt_tokens_details"),
        "cache_read_audio_tokens": _modality(usage, "AUDIO", "cacheTokensDetails", "cache_tokens_details"),
        "output_audio_tokens": _modality(usage, "AUDIO", "candidatesTokensDetails", "candidates_tokens_details"),
        "input_image_tokens": _modality(usage, "IMAGE", "promptTokensDetails", "prompt_tokens_details"),
        "output_image_tokens": _modality(usage, "IMAGE", "candidatesTokensDetails", "candidates_tokens_details"),
    }  # fmt: skip


def _modality(usage: Mapping[str, Any], wanted: str, *names: str) -> Any:
    for name in names:
        details = usage.get(name)
        if isinstance(details, list):
            return _sum(
                *(
                    item.get("tokenCount", item.get("token_count"))
                    for item in details
                    if isinstance(item, Mapping) and item.get("modality") == wanted
                )
            )
    return None


def _bedrock(usage: Mapping[str, Any]) -> Usage:
    reads = usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount"))
    writes = usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount"))
    hour = None
    for item in usage.get("cacheDetails") or ():
        if isinstance(item, Mapping) and item.get("ttl") == "1h":
            hour = item.get("inputTokens")
    return {
        "input_tokens": _sum(usage.get("inputTokens"), reads, writes), "output_tokens": usage.get("outputTokens"),
        "cache_read_tokens": reads, "cache_write_tokens": writes, "cache_write_1h_tokens": hour,
    }  # fmt: skip


def _cohere(usage: Mapping[str, Any]) -> Usage:
    # Billed units leave out what is not billed; cached tokens are a part of `tokens`, not of them.
    billed, counted = _inner(usage, "billed_units"), _inner(usage, "tokens")
    return {
        "input_tokens": (billed or counted).get("input_tokens"),
        "output_tokens": (billed or counted).get("output_tokens"),
        "cache_read_tokens": None if billed else usage.get("cached_tokens"),
    }
