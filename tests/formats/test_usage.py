"""Usage objects of odd shapes, each worked by hand: what is inside the input and what is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from costctl.formats.usage import anthropic_usage, gemini_usage, read_usage

GATEWAY = {"prompt_tokens": 1000, "completion_tokens": 5, "cache_read_input_tokens": 400}
WORKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    # The total says that Anthropic's names lie inside the prompt ...
    (
        {**GATEWAY, "cache_creation_input_tokens": 100, "total_tokens": 1005},
        {"input_tokens": 1000, "output_tokens": 5, "cache_read_tokens": 400, "cache_write_tokens": 100,
         "total_tokens": 1005},
    ),
    # ... or beside it.
    (
        {**GATEWAY, "cache_creation_input_tokens": 100, "total_tokens": 1505},
        {"input_tokens": 1500, "output_tokens": 5, "cache_read_tokens": 400, "cache_write_tokens": 100,
         "total_tokens": 1505},
    ),
    (
        {"prompt_tokens": 1200, "completion_tokens": 5, "prompt_tokens_details": {
            "cache_creation_tokens": 1000,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}}},
        {"input_tokens": 1200, "output_tokens": 5, "cache_write_tokens": 1000, "cache_write_5m_tokens": 400,
         "cache_write_1h_tokens": 600},
    ),
    # An Anthropic usage with a total is still Anthropic's: 10 + 100 written.
    (
        {"input_tokens": 10, "cache_creation_input_tokens": 100, "output_tokens": 5, "total_tokens": 115},
        {"input_tokens": 110, "output_tokens": 5, "cache_write_tokens": 100},
    ),
    # Everything was prompt: an empty completion is zero, not unknown.
    ({"prompt_tokens": 5, "total_tokens": 5}, {"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}),
    ({"prompt_tokens": 5, "total_tokens": 9}, {"input_tokens": 5, "total_tokens": 9}),
    ({"inputTokens": 5, "outputTokens": 6, "cacheDetails": 7}, {"input_tokens": 5, "output_tokens": 6}),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), WORKED)
def test_a_usage_object(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_usage(usage) == expected


@pytest.mark.parametrize("usage", [None, 5, "text", [1], True])
def test_what_is_no_usage_object_is_unknown(usage: Any) -> None:
    assert read_usage(usage) == anthropic_usage(usage) == gemini_usage(usage) == {}


def test_the_turns_of_an_anthropic_message_are_summed() -> None:
    compaction = {"type": "compaction", "input_tokens": 1000, "output_tokens": 200, "cache_creation_input_tokens": 50,
                  "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 0}}  # fmt: skip
    message = {"type": "message", "input_tokens": 100, "output_tokens": 50, "cache_creation_input_tokens": 0}
    advisor = {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 7000, "output_tokens": 900}
    outer = {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 3}
    assert anthropic_usage({**outer, "iterations": [compaction, advisor, message]}) == {
        "input_tokens": 1153, "output_tokens": 250, "cache_read_tokens": 3, "cache_write_tokens": 50,
        "cache_write_5m_tokens": 50, "cache_write_1h_tokens": 0,
    }  # fmt: skip
    assert anthropic_usage({**outer, "iterations": []})["input_tokens"] == 103


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"totalTokenCount": 0}, (0, 0)),
        ({}, (0, 0)),
        ({"totalTokenCount": 90}, (None, None)),  # what it is made of was left out
        ({"promptTokenCount": 9, "totalTokenCount": 9}, (9, 0)),
        ({"prompt_token_count": 9, "thoughts_token_count": 4, "tool_use_prompt_token_count": 2}, (11, 4)),
    ],
)
def test_gemini_leaves_out_what_is_zero(usage: dict[str, Any], expected: tuple[int | None, int | None]) -> None:
    found = gemini_usage(usage)
    assert (found.get("input_tokens"), found.get("output_tokens")) == expected


@pytest.mark.parametrize("kind", [float, str])
def test_counts_that_add_up_may_be_floats_or_texts(kind: type) -> None:
    """As tables and other languages write them; the buckets of Anthropic and Gemini are sums."""
    said = {"input_tokens": 3, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7, "output_tokens": 5}
    gemini = {"promptTokenCount": 50, "cachedContentTokenCount": 40, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}
    for usage in (said, gemini):
        odd = {name: kind(value) for name, value in usage.items()}
        counts = read_usage(usage)
        assert {name: int(float(value)) for name, value in read_usage(odd).items()} == counts
