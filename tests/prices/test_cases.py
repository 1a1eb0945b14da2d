"""The price traps measured on other libraries, priced through the real join.

The first number of a test's id is the row of the collection, in its order; each row stands as
usage, moment and the dollars worked out by hand from the providers' price pages.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from costctl.formats.values import CACHED_EXCEED
from tests.prices.rows import canonical, priced

SONNET = "claude-sonnet-4-5"
BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0"


class Case(NamedTuple):
    """10,000 tokens in and 1,000 out where a case says nothing else."""

    id: str
    usd: str
    model: str
    row: dict[str, Any]


def case(name: str, usd: str, model: str, fresh: int = 10_000, out: int = 1_000, **row: Any) -> Case:
    return Case(name, usd, model, {"input_uncached_tokens": fresh, "output_tokens": out, **row})


def at(*parts: int) -> datetime:
    return datetime(*parts)


CACHED = {"cache_read_tokens": 100_000, "cache_write_5m_tokens": 10_000, "cache_write_1h_tokens": 5_000}
HIT = {"cache_read_tokens": 8_000}

CASES = (
    case("01-every-bucket", "0.1053", SONNET, 100, 500, **CACHED),
    case("02-cached-inside-input", "0.045", "gpt-5", 20_000, cache_read_tokens=80_000),
    case("03-reasoning-inside-output", "0.05125", "gpt-5", 1_000, 5_000, reasoning_tokens=4_000),
    case("04-at-the-cliff", "0.29", "gemini-2.5-pro", 200_000, 4_000, reasoning_tokens=3_000),
    case("04-over-the-cliff", "0.5600025", "gemini-2.5-pro", 200_001, 4_000, reasoning_tokens=3_000),
    case("05-cached-counts-for-the-cliff", "0.19", "gemini-2.5-pro", 50_000, cache_read_tokens=200_000),
    case("06-reads-alone-cross-the-cliff", "0.1785", SONNET, 1_000, cache_read_tokens=250_000),
    case("07-surcharge-still-there", "1.5285", "claude-sonnet-4-6", 251_000, started_at=at(2026, 3, 1)),
    case("07-surcharge-ended", "0.768", "claude-sonnet-4-6", 251_000, started_at=at(2026, 4, 1)),
    case("08-before-the-cut", "0.14", "o3", started_at=at(2025, 6, 1)),
    case("08-after-the-cut", "0.028", "o3", started_at=at(2025, 6, 15)),
    case("09-before-the-cut", "0.08", "gpt-5.6-sol", started_at=at(2026, 8, 17)),
    case("09-after-the-cut", "0.06", "gpt-5.6-sol", started_at=at(2026, 9, 1)),
    case("10-openai-cache-write", "0.068", "gpt-5.6-sol", 2_000, cache_write_other_tokens=8_000),
    case("11-fable-reads-at-a-fortieth", "0.11", "claude-fable-5-1", 5_000, cache_read_tokens=40_000),
    case("11-fable-with-a-dot", "0.11", "claude-fable-5.1", 5_000, cache_read_tokens=40_000),
    case("11-opus-reads-at-a-twentieth", "0.053", "claude-opus-5-5", 5_750, cache_read_tokens=50_000),
    case("11-sonnet-reads-at-a-twentieth", "0.0265", "claude-sonnet-5-5", 5_750, cache_read_tokens=50_000),
    case("12-at-the-cliff", "0.0105", "claude-haiku-5-5", 100_000),
    case("12-over-the-cliff", "0.0525005", "claude-haiku-5-5", 100_001),
    case("13-standard", "1.5225", "gpt-5.4", 300_000),
    case("13-batch", "0.76125", "gpt-5.4", 300_000, service_tier="batch"),
    case("14-batch-with-writes", "0.05265", SONNET, 100, 500, **CACHED, service_tier="batch"),
    case(
        "14-batch-before-the-base-has-it",
        "0.05265",
        SONNET,
        100,
        500,
        **CACHED,
        service_tier="batch",
        started_at=at(2026, 6, 1),
    ),
    case(
        "15-batch-before-the-base-has-it",
        "0.105",
        "gpt-4o-mini",
        1_000_000,
        100_000,
        service_tier="batch",
        started_at=at(2026, 6, 1),
    ),
    case(
        "16-flex-before-the-base-has-it",
        "1.4",
        "o3",
        1_000_000,
        100_000,
        service_tier="flex",
        started_at=at(2026, 6, 1),
    ),
    case("17-fast-mode", "0.45", "claude-opus-4-6", service_tier="fast"),
    case("18-inference-in-the-us", "0.0825", "claude-opus-4-6", region="us"),
    case("19-peak", "0.0022", "deepseek-chat", 2_000, **HIT, started_at=at(2025, 8, 1, 9)),
    case("19-off-peak", "0.0011", "deepseek-chat", 2_000, **HIT, started_at=at(2025, 8, 1, 17)),
    case("20-before-16-utc", "0.0022", "deepseek-chat", 2_000, **HIT, started_at=at(2025, 9, 5, 15)),
    case("20-after-16-utc", "0.00336", "deepseek-chat", 2_000, **HIT, started_at=at(2025, 9, 5, 17)),
    case("21-the-discount-is-dead", "0.001204", "deepseek-chat", 2_000, **HIT, started_at=at(2025, 10, 15, 17)),
    case("23-saturday", "0.858", "deepseek-v4-pro", 1_000_000, 100_000, started_at=at(2026, 10, 17, 8)),
    case("23-friday", "1.716", "deepseek-v4-pro", 1_000_000, 100_000, started_at=at(2026, 10, 16, 8)),
    case("26-web-searches", "0.075", SONNET, web_searches=3),
    case(
        "27-audio-in-and-out",
        "0.08325",
        "gpt-4o-audio-preview",
        1_500,
        700,
        input_audio_tokens=1_000,
        output_audio_tokens=500,
    ),
    case("28-audio-in", "0.01265", "gemini-2.5-flash", 10_500, input_audio_tokens=10_000),
    case("31-bedrock-bare", "0.0495", BEDROCK, provider="aws.bedrock"),
    case("32-bedrock-us", "0.0495", f"us.{BEDROCK}", provider="aws"),
    case("32-bedrock-eu", "0.0495", f"eu.{BEDROCK}", provider="aws"),
    case("32-bedrock-jp", "0.0495", f"jp.{BEDROCK}", provider="aws"),
    case("32-bedrock-global", "0.045", f"global.{BEDROCK}", provider="aws"),
    case("33-vertex-region", "0.0495", "claude-sonnet-4-5@20250929", provider="vertex_ai", region="us-east5"),
    case("33-vertex-global", "0.045", "claude-sonnet-4-5@20250929", provider="vertex_ai", region="global"),
    case("33-vertex-not-said", "0.045", "claude-sonnet-4-5@20250929", provider="vertex_ai", region="not_available"),
    case("33-vertex-unknown", "0.045", "claude-sonnet-4-5@20250929", provider="vertex_ai", region="Unknown"),
    case("33-vertex-by-prefix", "0.0495", "vertex_ai/claude-sonnet-4-5@20250929", region="us-east5"),
    case("34-azure-eu-column", "0.0385", "gpt-4o", provider="azure", region="eu"),
    case("34-azure-eu-prefix", "0.0385", "azure/eu/gpt-4o-2024-08-06"),
    case("35-dearer-snapshot", "0.065", "gpt-4o-2024-05-13"),
    case("36-opus-4", "0.225", "claude-opus-4-20250514"),
    case("36-sonnet-4", "0.045", "claude-sonnet-4-20250514"),
    case("36-opus-4.1", "0.225", "claude-opus-4-1-20250805"),
    case("37-sonnet-3.5", "0.045", "claude-3-5-sonnet"),
    case("37-haiku-3.5", "0.012", "claude-3-5-haiku"),
    case("37-sonnet-3.7", "0.045", "claude-3-7-sonnet"),
    case("37-opus-3", "0.225", "claude-3-opus"),
    case("37-gemini-1.5-pro", "0.0175", "gemini-1.5-pro"),
    case("37-gemini-1.5-flash", "0.00105", "gemini-1.5-flash"),
    case("37-gemini-2.0-flash", "0.0014", "gemini-2.0-flash"),
    case("37-gpt-4-0314", "0.36", "gpt-4-0314"),
    case("37-gpt-4.5-preview", "0.9", "gpt-4.5-preview"),
    case("37-chatgpt-4o-latest", "0.065", "chatgpt-4o-latest"),
    case("37-grok-3", "0.045", "grok-3"),
    case("37-grok-4", "0.045", "grok-4"),
    case("38-o1-preview", "0.21", "o1-preview"),
    case("38-o1-mini", "0.0154", "o1-mini"),
    case("39-openrouter-sonnet", "0.045", "openrouter/anthropic/claude-sonnet-4.5"),
    case("39-openrouter-gemini", "0.0225", "openrouter/google/gemini-2.5-pro"),
    case("43-openai-prefix", "0.035", "openai/gpt-4o"),
    case("43-azure-prefix", "0.035", "azure/gpt-4o"),
    case("43-anthropic-prefix", "0.045", "anthropic/claude-sonnet-4-5"),
    case("44-capital-letters", "0.035", "GPT-4o"),
    case("45-models-path", "0.0055", "models/gemini-2.5-flash"),
    case("45-vertex-path", "0.0055", "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash"),
    case(
        "45-vertex-path-with-region",
        "0.0495",
        "projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929",
    ),
    case("45-bedrock-profile", "0.0495", f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{BEDROCK}"),
    case("45-bedrock-model", "0.0495", f"arn:aws:bedrock:us-east-1::foundation-model/{BEDROCK}"),
    case("46-fine-tuned-mini", "0.0042", "ft:gpt-4o-mini-2024-07-18:org::id"),
    case("46-fine-tuned-mini-undated", "0.0042", "ft:gpt-4o-mini:org::id"),
    case("46-fine-tuned-4o", "0.0525", "ft:gpt-4o-2024-08-06:org::id"),
    case("47-claude-instant", "0.02181", "claude-instant-1"),
    case("47-claude-instant-1.2", "0.02181", "claude-instant-1.2"),
)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    found = priced([{"request_model": item.model, **item.row} for item in CASES])
    return {item.id: row for item, row in zip(CASES, found, strict=True)}


@pytest.mark.parametrize("item", CASES, ids=lambda item: item.id)
def test_case(item: Case, results: dict[str, dict[str, Any]]) -> None:
    found = results[item.id]
    assert (found["list_cost_usd"], found["price_status"]) == (Decimal(item.usd), "priced"), found["price_reason"]


@pytest.mark.parametrize(
    ("item", "is_assumed"),
    [
        ("13-batch", False),
        ("14-batch-with-writes", False),
        ("14-batch-before-the-base-has-it", True),
        ("15-batch-before-the-base-has-it", True),
        ("16-flex-before-the-base-has-it", True),
        ("17-fast-mode", False),
    ],
)
def test_a_half_price_that_nobody_published_is_marked(item: str, is_assumed: bool, results: Any) -> None:
    assert results[item]["is_price_assumed"] is is_assumed


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("11-fable-with-a-dot", "list price of anthropic"),
        ("18-inference-in-the-us", "regional price us"),
        ("31-bedrock-bare", "family of regional.anthropic.claude-sonnet-4-5"),  # a guess: in-region price
        ("33-vertex-region", "regional price us-east5"),
        ("34-azure-eu-prefix", "azure sells it at the price of openai; regional price eu"),
        ("43-azure-prefix", "azure sells it at the price of openai"),
    ],
)
def test_the_reason_says_which_price(item: str, said: str, results: Any) -> None:
    assert said in results[item]["price_reason"]


def one_usage(usage: dict[str, Any], **said: Any) -> dict[str, Any]:
    (row,) = canonical([usage], **said).rows.to_dicts()
    return priced([{name: value for name, value in row.items() if value is not None}])[0]


def test_22_deepseek_with_only_hits_and_misses() -> None:
    usage = {
        "prompt_tokens": 10_000,
        "prompt_cache_hit_tokens": 8_000,
        "prompt_cache_miss_tokens": 2_000,
        "completion_tokens": 1_000,
    }
    found = one_usage(usage, request_model="deepseek-chat", started_at="2025-08-01T09:00:00Z")
    assert found["list_cost_usd"] == Decimal("0.0022")


def test_24_writes_without_a_split_are_billed_for_five_minutes() -> None:
    """The whole total is billed: 31,490 as said and 152,967 at the 5-minute price.

    The collection does not give the other counts of this row; reads and output below make up
    what is left of its $0.8029 at the prices of Sonnet 5.5 (writes 2.50, reads 0.10, output 10).
    """
    usage = {
        "input_tokens": 0,
        "cache_creation_input_tokens": 184_457,
        "cache_read_input_tokens": 417_575,
        "cache_creation": {"ephemeral_5m_input_tokens": 31_490, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 30_000,
    }
    found = one_usage(usage, request_model="claude-sonnet-5-5")
    assert found["cache_write_5m_tokens"] == 184_457
    assert found["cache_write_cost_usd"] == Decimal("0.4611425")
    assert found["list_cost_usd"] == Decimal("0.8029")


def test_25_more_cached_than_there_is_input_is_refused() -> None:
    batch = canonical(
        [{"prompt_tokens": 1_000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 5_000}}]
    )
    assert batch.rows.height == 0
    assert batch.rejected == {0: CACHED_EXCEED}


def test_29_tool_use_prompt_is_input() -> None:
    usage = {"promptTokenCount": 5_000, "toolUsePromptTokenCount": 1_000, "candidatesTokenCount": 500}
    assert one_usage(usage, request_model="gemini-2.5-flash")["list_cost_usd"] == Decimal("0.00305")


def test_30_reasoning_beside_the_completion() -> None:
    usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 200,
        "total_tokens": 4_200,
        "completion_tokens_details": {"reasoning_tokens": 3_000},
    }
    assert one_usage(usage, request_model="grok-4")["list_cost_usd"] == Decimal("0.051")


UNPRICED = (
    ("40", "gpt-9", None, "no price for 'gpt-9'"),
    ("40", "o7", None, "no price for 'o7'"),
    ("40", "claude-opus-9", None, "no price for 'claude-opus-9'"),
    ("40", "gemini-9-pro", None, "no price for 'gemini-9-pro'"),
    ("40", "anthropic/claude-opus-9", "anthropic", "no price for 'claude-opus-9'"),
    ("42", "gpt-4o:nitro", None, "the route behind ':nitro' sets the price; log the model that answered"),
    (
        "42",
        "openai/gpt-4o:nitro",
        "openrouter",
        "the route behind ':nitro' sets the price; log the model that answered",
    ),
    (
        "42",
        "openai/gpt-4o:online",
        "openrouter",
        "':online' adds a fee for searching that the log does not state; give own rates",
    ),
    ("46", "ft:nobody-knows", None, "no price for 'ft:nobody-knows'"),
    ("46", "ft:nobody-knows:org::id", "openai", "no price for 'ft:nobody-knows:org::id'"),
    ("--", "llama3", "ollama", "runs on own machines, which have no list price; give own rates"),
    ("--", "hosted_vllm/llama-3.1-8b-instruct", None, "runs on own machines, which have no list price; give own rates"),
    ("--", "self/llama-3.1-8b", None, "runs on own machines, which have no list price; give own rates"),
    ("--", "llama-3.1-8b", "self-hosted", "runs on own machines, which have no list price; give own rates"),
    ("--", "whisper-1", "openai", "openai/whisper-1 is listed without a price per token"),
    ("--", "gpt-4o", "github-copilot", "github-copilot/gpt-4o is listed without a price per token"),
    ("--", "nonsense:free", None, "no price for 'nonsense:free'"),
    ("--", None, "openai", "the log names no model"),
)


def test_40_42_an_unknown_price_is_unpriced_and_never_zero() -> None:
    rows = [
        {"request_model": model, "provider": provider, "input_uncached_tokens": 10_000, "output_tokens": 1_000}
        for _, model, provider, _ in UNPRICED
    ]
    found = priced(rows)
    assert [(row["price_status"], row["list_cost_usd"], row["price_reason"]) for row in found] == [
        ("unpriced", None, reason) for *_, reason in UNPRICED
    ]


@pytest.mark.parametrize(
    "model",
    [
        "deepseek-r1:free",
        "deepseek/deepseek-r1:free",
        "openrouter/deepseek/deepseek-r1:free",
        "anthropic/claude-sonnet-4.5:free",  # no entry of its own: the suffix states the price
    ],
)
def test_41_the_suffix_free_is_a_true_zero(model: str) -> None:
    (found,) = priced([{"request_model": model, "input_uncached_tokens": 10_000, "output_tokens": 1_000}])
    assert (found["price_status"], found["list_cost_usd"]) == ("free", 0)


DEEPSEEK_HISTORY = (
    # 2,000 missed, 8,000 hit, 1,000 out
    ("deepseek-chat", at(2025, 2, 8, 15, 59), "0.000672"),  # introductory 0.14 / 0.014 / 0.28
    ("deepseek-chat", at(2025, 2, 8, 16), "0.0022"),
    ("deepseek-chat", at(2025, 2, 10, 17), "0.0022"),  # no off-peak hours before 2025-02-26
    ("deepseek-reasoner", at(2025, 6, 2, 9), "0.00441"),  # 0.55 / 0.14 / 2.19
    ("deepseek-reasoner", at(2025, 6, 2, 17), "0.0011"),  # 0.135 / 0.035 / 0.55
    ("deepseek-chat", at(2026, 4, 23, 23), "0.001204"),
    ("deepseek-chat", at(2026, 4, 24), "0.0005824"),  # an alias of V4 Flash: 0.14 / 0.0028 / 0.28
    ("deepseek-v4-pro", at(2026, 8, 16, 8), "0.001769"),  # before the hours: 0.435 / 0.003625 / 0.87
    ("deepseek-v4-pro", at(2026, 8, 22, 8), "0.006952"),  # a Saturday when peak was every day
    ("deepseek-v4-pro", at(2026, 8, 29, 8), "0.003476"),  # weekends are off-peak since 2026-08-23
    ("deepseek-v4-flash", at(2026, 9, 10, 3, 59), "0.002312"),  # Thursday, peak: 0.44 / 0.014 / 1.32
    ("deepseek-v4-flash", at(2026, 9, 10, 4), "0.000924"),  # V4.1, off-peak: 0.15 / 0.003 / 0.6
)


def test_deepseek_prices_by_the_day_and_the_hour() -> None:
    rows = [
        {"request_model": model, "started_at": when, "input_uncached_tokens": 2_000, "output_tokens": 1_000, **HIT}
        for model, when, _ in DEEPSEEK_HISTORY
    ]
    assert [row["list_cost_usd"] for row in priced(rows)] == [Decimal(usd) for *_, usd in DEEPSEEK_HISTORY]
