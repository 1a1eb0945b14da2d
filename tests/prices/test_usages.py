"""Real usage objects of providers, read, normalised and priced, against the prices their source expects.

Every pair of a usage object and a provider with a price either agrees to the last digit or is
named below. Two kinds are named: the source read fewer fields than the usage has (proved by
pricing what the source read: that must agree), and the source had another price.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import pytest

from tests.prices.rows import canonical, priced
from tests.support import SHARED, needs_shared

pytestmark = [needs_shared, pytest.mark.shared]
DATA = SHARED / "data" / "genai_prices_usages" / "usages.jsonl.gz"
# The last day on which every price cut that the source does not know yet was still to come.
SNAPSHOT = datetime(2026, 7, 29)

# (model, provider, flavour of the source's reader) -> how many, and why its price is not ours.
INPUT_ONLY = "the embeddings reader takes the input of a chat answer and nothing else"
OTHER_API = "this reader is for another API: it misses or overcharges cached tokens, and misses web searches"
NO_AUDIO = "the reader has no price for audio and takes it as text"
STALE = "the alias had moved to the newer model before that day (base: dated rates)"
NO_CLIFF = "Sonnet 4.5 costs 6/22.5 above 200,000 tokens on Google too; the source had no such tier"
NOT_ZERO = "an entry without any price: the source says 0, we say unpriced"

READ_LESS: dict[tuple[str, str], tuple[int, str]] = {
    ("azure", "embeddings"): (88, INPUT_ONLY),
    ("openai", "embeddings"): (88, INPUT_ONLY),
    ("azure", "anthropic"): (13, OTHER_API),
    ("aws", "anthropic"): (2, OTHER_API),
    ("azure", "responses"): (10, OTHER_API),
    ("azure", "chat"): (1, OTHER_API),
}
OTHER_PRICE: dict[tuple[str, str, str], tuple[int, str]] = {
    ("mistral-medium-latest", "mistral", "default"): (18, STALE),
    ("mistral-small-latest", "mistral", "default"): (1, STALE),
    ("claude-sonnet-4-5-20250929", "google", "anthropic"): (2, NO_CLIFF),
    ("qwen-3-coder-480b", "cerebras", "chat"): (2, NOT_ZERO),
    ("gpt-4o-audio-preview-2024-12-17", "azure", "chat"): (2, NO_AUDIO),
    ("gpt-4o-audio-preview-2024-12-17", "openai", "chat"): (2, NO_AUDIO),
}


class Pair(NamedTuple):
    """One usage object at one provider: what the source expects, what it read, and what we say."""

    line: int
    model: str
    provider: str
    flavour: str
    expected: Decimal
    read: dict[str, int]
    ours: Decimal | None
    reason: str


def usages() -> list[dict[str, Any]]:
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def raw_usage(row: dict[str, Any]) -> dict[str, Any]:
    body = row["body"]
    return next(body[key] for key in ("usage", "usageMetadata", "meta") if key in body)


@cache
def pairs() -> tuple[Pair, ...]:
    rows = usages()
    batch = canonical([raw_usage(row) for row in rows])
    read = {row["source_line"]: {k: v for k, v in row.items() if v is not None} for row in batch.rows.to_dicts()}
    cases = [
        (line, row["model"], extractor, extracted["usage"])
        for line, row in enumerate(rows, 1)
        for extracted in row["extracted"]
        for extractor in extracted["extractors"]
        if "input_price" in extractor
    ]
    results = priced(
        [{**read[line], "provider": given["provider_id"], "request_model": model} for line, model, given, _ in cases],
        as_of=SNAPSHOT,
    )
    return tuple(
        Pair(
            line,
            model,
            given["provider_id"],
            given["api_flavor"],
            _expected(given),
            usage,
            result["list_cost_usd"],
            result["price_reason"],
        )
        for (line, model, given, usage), result in zip(cases, results, strict=True)
    )


def _expected(given: dict[str, str]) -> Decimal:
    """`total_price` stands where fees come on top of input and output."""
    return Decimal(given.get("total_price") or Decimal(given["input_price"]) + Decimal(given["output_price"]))


def different() -> list[Pair]:
    return [pair for pair in pairs() if pair.ours != pair.expected]


def test_every_usage_object_is_read_or_refused_for_a_reason() -> None:
    rows = usages()
    batch = canonical([raw_usage(row) for row in rows])
    assert len(rows) == 788
    assert batch.rows.height + len(batch.rejected) == 788
    assert batch.rejected == {}


def test_every_difference_has_its_reason() -> None:
    assert len(pairs()) == 1751
    unexplained = [
        pair
        for pair in different()
        if (pair.model, pair.provider, pair.flavour) not in OTHER_PRICE
        and (pair.provider, pair.flavour) not in READ_LESS
    ]
    assert unexplained == []
    counts = Counter((pair.model, pair.provider, pair.flavour) for pair in different())
    assert {key: counts[key] for key in OTHER_PRICE} == {key: count for key, (count, _) in OTHER_PRICE.items()}
    readers = Counter(
        (provider, flavour)
        for model, provider, flavour in counts.elements()
        if (model, provider, flavour) not in OTHER_PRICE
    )
    assert readers == {key: count for key, (count, _) in READ_LESS.items()}


def test_where_the_source_read_less_its_price_is_ours_for_what_it_read() -> None:
    less = [pair for pair in different() if (pair.model, pair.provider, pair.flavour) not in OTHER_PRICE]
    rows = [
        {
            "provider": pair.provider,
            "request_model": pair.model,
            "input_uncached_tokens": pair.read["input_tokens"] - pair.read.get("cache_read_tokens", 0),
            "cache_read_tokens": pair.read.get("cache_read_tokens", 0),
            "output_tokens": pair.read.get("output_tokens", 0),
        }
        for pair in less
    ]
    again = priced(rows, as_of=SNAPSHOT)
    assert [(pair.line, row["list_cost_usd"]) for pair, row in zip(less, again, strict=True)] == [
        (pair.line, pair.expected) for pair in less
    ]


def test_an_entry_without_a_price_is_unpriced_and_not_free() -> None:
    cerebras = [pair for pair in different() if pair.provider == "cerebras"]
    assert [(pair.ours, pair.expected) for pair in cerebras] == [(None, 0), (None, 0)]
    assert {pair.reason for pair in cerebras} == {"cerebras/qwen-3-coder-480b is listed without a price per token"}


# What the source took for each of its wrong prices: USD per million of all input and all output tokens.
ITS_RATES = {
    "mistral-medium-latest": ("0.4", "2"),  # Medium 3; the alias had moved on
    "mistral-small-latest": ("0.1", "0.3"),  # Small 3.2; likewise
    "claude-sonnet-4-5-20250929": ("3", "15"),  # without the cliff at 200,000 tokens
    "gpt-4o-audio-preview-2024-12-17": ("2.5", "10"),  # audio as if it were text
    "qwen-3-coder-480b": ("0", "0"),  # no price at all
}


def test_each_of_the_27_other_prices_is_the_error_that_is_named() -> None:
    """One by one: the source's figure is its own reading at the rates above, and its reading shows the error."""
    others = [pair for pair in different() if (pair.model, pair.provider, pair.flavour) in OTHER_PRICE]
    assert len(others) == 27
    for pair in others:
        per_input, per_output = map(Decimal, ITS_RATES[pair.model])
        tokens, answer = pair.read["input_tokens"], pair.read["output_tokens"]
        assert pair.expected == (tokens * per_input + answer * per_output) / 10**6, pair
        reason = OTHER_PRICE[pair.model, pair.provider, pair.flavour][1]
        if reason == NO_CLIFF:
            assert tokens > 200_000, pair
            assert pair.ours == (tokens * 6 + answer * Decimal("22.5")) / 10**6, pair
        elif reason == NO_AUDIO:
            assert pair.read["input_audio_tokens"] > 0, pair
        if reason != NOT_ZERO:
            assert pair.ours is not None, pair
            assert pair.ours > pair.expected, pair
