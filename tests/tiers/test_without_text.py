"""Requests whose text the log does not hold are tiered by their numbers, endpoint and model."""

from __future__ import annotations

import pytest

from tests.tiers.deciding import bare


@pytest.mark.parametrize(
    ("request_", "tier", "reason"),
    [
        ({"input_tokens": 500, "output_tokens": 60}, "A", "no text: short input and output"),
        ({"input_tokens": 500, "output_tokens": 61}, "B", "no text: medium input or output"),
        ({"input_tokens": 501, "output_tokens": 10}, "B", "no text: medium input or output"),
        ({"input_tokens": 100}, "B", "no text: medium input or output"),  # unknown output is not short
        ({"input_tokens": 2000, "output_tokens": 1}, "C", "no text: long input"),
        ({"input_tokens": 100, "output_tokens": 10, "tool_count": 2}, "B", "no text: tools offered"),
        ({"input_tokens": 100, "output_tokens": 10, "tool_count": 0}, "A", "no text: short input and output"),
        ({"input_tokens": 100, "output_tokens": 10, "has_image": True}, "C", "image"),
        ({"input_tokens": 100, "output_tokens": 10, "endpoint": "/api/Lead"}, "B", "no text: sales"),
        ({"input_tokens": 900, "output_tokens": 10, "endpoint": "/lead/new"}, "C", "no text: sales and a long input"),
        ({"input_tokens": 100, "endpoint": "/v1/embeddings"}, "A", "no text: embeddings or moderation"),
        ({"input_tokens": 100, "request_model": "openai/o3-mini"}, "C", "no text: reasoning model"),
        ({"input_tokens": 100, "output_tokens": 9, "request_model": "gpt-4o"}, "A", "no text: short input and output"),
        ({}, "B", "no text and no token counts"),
    ],
)
def test_bare_request(request_, tier, reason):
    assert bare(**request_) == (tier, None, reason)
