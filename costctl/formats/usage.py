"""Any provider's usage object, in the house's words: input and output hold everything.

`input_tokens` includes cached reads and writes, `output_tokens` includes reasoning. A key that
the provider did not send is absent: unknown, not zero. Conventions: log-formats, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costctl.formats.placed import whole

Usage = dict[str, Any]
_ANTHROPIC_KEYS = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"})
_ITERATED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_CACHED_BESIDE = ("cache_read_input_tokens", "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
_SPLIT_BESIDE = ("cache_creation_token_details", "cache_creation")
# Keys beside the usual ones of the OpenAI shape, that gateways add.
_SPARE_KEYS = frozenset({"cache_creation_tokens", "cache_creation_input_tokens", *_SPLIT_BESIDE})
_MODALITY_NUMBERS = {"IMAGE": 2, "AUDIO": 4}  # Vertex may write its enums as numbers
_GEMINI_KEYS = (
    "promptTokenCount", "prompt_token_count", "candidatesTokenCount", "candidates_token_count",
    "responseTokenCount", "response_token_count",
    "thoughtsTokenCount", "thoughts_token_count", "toolUsePromptTokenCount", "tool_use_prompt_token_count",
)  # fmt: skip


def read_usage(usage: Any) -> Usage:
    """Raw token names of request.py from one usage object; empty for what is no object.

    >>> read_usage({"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 2})
    {'input_tokens': 13, 'output_tokens': 2, 'cache_read_tokens': 10}
    """
    if not isinstance(usage, Mapping):
        return {}
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage or "prompt_token_count" in usage:
        found = _gemini(usage)
    elif "inputTokens" in usage or "outputTokens" in usage:
        found = _bedrock(usage)
    elif "billed_units" in usage or "tokens" in usage:
        found = _cohere(usage)
    elif "prompt_tokens" in usage or "completion_tokens" in usage:
        found = _openai(usage, "prompt_tokens", "completion_tokens")
    elif "input_tokens_details" in usage or ("total_tokens" in usage and _ANTHROPIC_KEYS.isdisjoint(usage)):
        found = _openai(usage, "input_tokens", "output_tokens")
    else:
        found = _anthropic(usage)
    return _known(found)


def anthropic_usage(usage: Any) -> Usage:
    """The usage of an Anthropic message: cached tokens beside the input, all turns on the server billed.

    >>> anthropic_usage({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5})
    {'input_tokens': 3, 'output_tokens': 2}
    """
    if not isinstance(usage, Mapping):
        return {}
    iterations = usage.get("iterations")
    if iterations and isinstance(iterations, list):
        usage = _of_all_iterations(usage, iterations)
    return _known(_anthropic(usage))


def gemini_usage(usage: Any) -> Usage:
    """The usage of a Gemini answer, where a count that is left out is zero.

    A total that nothing explains says that counts are missing; then they are unknown.

    >>> gemini_usage({"totalTokenCount": 0})["input_tokens"], gemini_usage({"totalTokenCount": 7})
    (0, {})
    """
    if not isinstance(usage, Mapping):
        return {}
    if any(name in usage for name in _GEMINI_KEYS):
        return _known(_gemini(usage))
    return {} if usage.get("totalTokenCount", usage.get("total_token_count")) else _known(_gemini({}))


def _known(found: Usage) -> Usage:
    return {name: value for name, value in found.items() if value is not None}


def _inner(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = usage.get(name)
        if type(value) is dict or isinstance(value, Mapping):  # the first test is ten times as quick
            return value
    return {}


def _sum(*values: Any) -> Any:
    """Sum of what is known; an odd value is handed on for the strict reader to refuse."""
    total: int | None = None
    for value in values:
        if value is None:
            continue
        if type(value) is not int:
            return _sum_of_odd(values)
        total = value if total is None else total + value
    return total


def _sum_of_odd(values: Sequence[Any]) -> Any:
    """The same of counts of which some are texts or floats, as tables and other languages write them."""
    known = [whole(value) for value in values if value is not None]
    return sum(known) if all(type(value) is int for value in known) else known[0]


def _openai(usage: Mapping[str, Any], inputs: str, outputs: str) -> Usage:
    details = _inner(usage, f"{inputs}_details", "prompt_tokens_details")
    out_details = _inner(usage, f"{outputs}_details", "completion_tokens_details")
    cached, written = details.get("cached_tokens"), details.get("cache_write_tokens")
    split: Mapping[str, Any] = {}
    if cached is None or not _SPARE_KEYS.isdisjoint(details) or not _SPARE_KEYS.isdisjoint(usage):
        cached = _first(cached, *(usage.get(name) for name in _CACHED_BESIDE))
        written = _first(written, details.get("cache_creation_tokens"), usage.get("cache_creation_input_tokens"))
        split = _inner(details, "cache_creation_token_details") or _inner(usage, *_SPLIT_BESIDE)
    output, reasoning = usage.get(outputs), out_details.get("reasoning_tokens")
    total, given = usage.get("total_tokens"), usage.get(inputs)
    if type(total) is int and type(given) is int and total != given + (output if type(output) is int else 0):
        given, output = _told_by_total(usage, total, given, output, reasoning)
    elif output is None and total is not None and total == given:
        output = 0  # nothing was produced: an empty completion, an embedding
    cost = usage.get("cost")
    return {
        "input_tokens": given, "output_tokens": output, "cache_read_tokens": cached,
        "cache_write_tokens": written, "reasoning_tokens": reasoning,
        "cache_write_5m_tokens": split.get("ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": split.get("ephemeral_1h_input_tokens"),
        "input_audio_tokens": details.get("audio_tokens"), "output_audio_tokens": out_details.get("audio_tokens"),
        "total_tokens": total, "logged_cost": None if isinstance(cost, Mapping) else cost,
        "web_searches": _inner(usage, "server_tool_use_details", "server_tool_use").get("web_search_requests"),
    }  # fmt: skip


def _told_by_total(usage: Mapping[str, Any], total: int, given: int, output: Any, reasoning: Any) -> tuple[int, Any]:
    """Input and output where the total says that a part of them was counted beside."""
    if type(output) is not int:
        return given, output
    # Some payloads (xAI) count reasoning beside the completion.
    if type(reasoning) is int and total == given + output + reasoning:
        return given, output + reasoning
    # Anthropic's names inside this shape lie inside the prompt (LiteLLM), unless the total says beside.
    beside = _sum(usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens"))
    if type(beside) is int and total == given + beside + output:
        return given + beside, output
    return given, output


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


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


def _of_all_iterations(usage: Mapping[str, Any], iterations: list[Any]) -> Usage:
    """A message of several turns on the server bills them all; the outer counts leave out compaction.

    A turn of another model (an advisor) has that model's price and cannot be counted here.
    """
    turns = [turn for turn in iterations if isinstance(turn, Mapping) and turn.get("type") != "advisor_message"]
    found = dict(usage)
    for name in _ITERATED:
        value = _sum(*(turn.get(name) for turn in turns))
        if value is not None:
            found[name] = value
    splits = [_inner(turn, "cache_creation") for turn in turns]
    if any(splits):
        names = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        found["cache_creation"] = {name: _sum(*(split.get(name) for split in splits)) for name in names}
    return found


def _gemini(usage: Mapping[str, Any]) -> Usage:
    def count(camel: str, snake: str) -> Any:
        return usage.get(camel, usage.get(snake))

    thoughts = count("thoughtsTokenCount", "thoughts_token_count")
    candidates = count("candidatesTokenCount", "candidates_token_count")
    if candidates is None:  # as a live session names it
        candidates = count("responseTokenCount", "response_token_count")
    return {
        # Gemini leaves out what is zero.
        "input_tokens": _sum(
            _or_zero(count("promptTokenCount", "prompt_token_count")),
            count("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
        ),
        "output_tokens": _sum(_or_zero(candidates), _or_zero(thoughts)),
        "cache_read_tokens": count("cachedContentTokenCount", "cached_content_token_count") or 0,
        "reasoning_tokens": thoughts or 0,
        "input_audio_tokens": _modality(usage, "AUDIO", "promptTokensDetails", "prompt_tokens_details"),
        "cache_read_audio_tokens": _modality(usage, "AUDIO", "cacheTokensDetails", "cache_tokens_details"),
        "output_audio_tokens": _modality(usage, "AUDIO", "candidatesTokensDetails", "candidates_tokens_details"),
        "input_image_tokens": _modality(usage, "IMAGE", "promptTokensDetails", "prompt_tokens_details"),
        "output_image_tokens": _modality(usage, "IMAGE", "candidatesTokensDetails", "candidates_tokens_details"),
    }  # fmt: skip


def _or_zero(value: Any) -> Any:
    return 0 if value is None else value


def _modality(usage: Mapping[str, Any], wanted: str, *names: str) -> Any:
    for name in names:
        details = usage.get(name)
        if isinstance(details, list):
            return _sum(
                *(
                    item.get("tokenCount", item.get("token_count"))
                    for item in details
                    if isinstance(item, Mapping) and item.get("modality") in (wanted, _MODALITY_NUMBERS[wanted])
                )
            )
    return None


def _bedrock(usage: Mapping[str, Any]) -> Usage:
    reads = usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount"))
    writes = usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount"))
    hour = None
    details = usage.get("cacheDetails")
    for item in details if isinstance(details, list) else ():
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
