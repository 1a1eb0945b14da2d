"""Every model that people compare resolves to one price, however it is spelled."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from costctl.prices.resolve import NO_REGION
from tests.prices.rows import priced, shipped
from tests.support import audited

SPELLINGS = {
    "openrouter/meta-llama/llama-3.1-8b-instruct": (
        "meta-llama/llama-3.1-8b-instruct",
        "openrouter/meta-llama/llama-3.1-8b-instruct",
        "meta-llama/Llama-3.1-8B-Instruct",
        "llama-3.1-8b-instruct",
        "Llama-3.1-8B",
    ),
    "openrouter/meta-llama/llama-3.1-70b-instruct": (
        "meta-llama/llama-3.1-70b-instruct",
        "openrouter/meta-llama/llama-3.1-70b-instruct",
        "Llama-3.1-70B-Instruct",
        "llama-3.1-70b",
    ),
    "openrouter/qwen/qwen-2.5-7b-instruct": (
        "qwen/qwen-2.5-7b-instruct",
        "openrouter/qwen/qwen-2.5-7b-instruct",
        "Qwen/Qwen2.5-7B-Instruct",
        "qwen2.5-7b",
    ),
    "openrouter/qwen/qwen-2.5-72b-instruct": (
        "qwen/qwen-2.5-72b-instruct",
        "openrouter/qwen/qwen-2.5-72b-instruct",
        "Qwen2.5-72B-Instruct",
        "qwen-2.5-72b",
    ),
    "openrouter/qwen/qwen-2.5-coder-32b-instruct": (
        "qwen/qwen-2.5-coder-32b-instruct",
        "openrouter/qwen/qwen-2.5-coder-32b-instruct",
        "Qwen2.5-Coder-32B-Instruct",
        "qwen2.5-coder-32b",
    ),
    "mistral/mistral-nemo": ("mistral-nemo", "mistralai/mistral-nemo", "mistral/mistral-nemo"),
    "mistral/mixtral-8x22b-instruct": ("open-mixtral-8x22b", "mistralai/mixtral-8x22b-instruct"),
    "openrouter/mistralai/mistral-nemo": (
        "openrouter/mistralai/mistral-nemo",
        "Mistral-Nemo-Instruct-2407",
    ),
    "openrouter/mistralai/mixtral-8x22b-instruct": (
        "openrouter/mistralai/mixtral-8x22b-instruct",
        "Mixtral-8x22B-Instruct-v0.1",
        "mixtral-8x22b",
    ),
    "anthropic/claude-3-5-haiku-latest": (
        "claude-3-5-haiku",
        "claude-3-5-haiku-20241022",
        "claude-3.5-haiku",
        "anthropic/claude-3-5-haiku",
        "Claude-3.5-Haiku",
    ),
    "openrouter/anthropic/claude-3.5-haiku": ("openrouter/anthropic/claude-3.5-haiku",),
    "anthropic/claude-3-5-sonnet": (
        "claude-3-5-sonnet",
        "claude-3-5-sonnet-20241022",
        "claude-3.5-sonnet",
        "anthropic/claude-3.5-sonnet",
    ),
    "openrouter/anthropic/claude-3.5-sonnet": ("openrouter/anthropic/claude-3.5-sonnet",),
    "openai/gpt-4-turbo": ("gpt-4-turbo", "gpt-4-turbo-2024-04-09", "openai/gpt-4-turbo", "GPT-4-Turbo"),
    "openai/o1-preview": ("o1-preview", "o1-preview-2024-09-12", "openai/o1-preview"),
    "openrouter/meta-llama/llama-3.1-8b-instruct:free": (
        "meta-llama/llama-3.1-8b-instruct:free",
        "openrouter/meta-llama/llama-3.1-8b-instruct:free",
    ),
    "openrouter/qwen/qwen-2.5-7b-instruct:free": (
        "qwen/qwen-2.5-7b-instruct:free",
        "openrouter/qwen/qwen-2.5-7b-instruct:free",
    ),
    "openrouter/mistralai/mistral-nemo:free": ("openrouter/mistralai/mistral-nemo:free", "mistralai/mistral-nemo:free"),
}


@pytest.mark.parametrize(("key", "name"), [(key, name) for key, names in SPELLINGS.items() for name in names])
def test_one_price_for_every_spelling(key: str, name: str) -> None:
    found = shipped().resolve(name)
    assert found.model_key == key, found
    assert shipped().rates([key])


@pytest.mark.parametrize(
    ("name", "provider", "key"),
    [
        ("openai/gpt-oss-120b", "groq", "groq/openai/gpt-oss-120b"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "groq", "groq/meta-llama/llama-4-scout-17b-16e-instruct"),
        ("openai/gpt-4o", "openrouter", "openrouter/openai/gpt-4o"),
        ("gpt-4o", "openrouter", "openrouter/openai/gpt-4o"),
        ("claude-sonnet-4-5", "openrouter", "openrouter/anthropic/claude-sonnet-4.5"),
        ("gpt-4o", "litellm_proxy", "openai/gpt-4o"),
        ("claude-sonnet-4-5", "Anthropic", "anthropic/claude-sonnet-4-5"),
        ("gpt-4o", "azure.ai.openai", "openai/gpt-4o"),
        ("anthropic/claude-sonnet-4.5:thinking", "openrouter", "openrouter/anthropic/claude-sonnet-4.5"),
    ],
)
def test_the_logged_provider_decides(name: str, provider: str, key: str) -> None:
    assert shipped().resolve(name, provider).model_key == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "aws/meta.llama3-3-70b-instruct-v1:0"),
    ],
)
@pytest.mark.parametrize("provider", [None, "anthropic", "bedrock"])
def test_an_id_of_bedrock_has_its_price_whoever_logs_it(name: str, key: str, provider: str | None) -> None:
    """Claude Code logs such ids as well, and names no provider or the maker; Google's list has them too."""
    assert shipped().resolve(name, provider).model_key == key


@pytest.mark.parametrize(
    ("name", "provider", "key"),
    [
        ("deepseek-r1-distill-llama-70b", None, "groq/deepseek-r1-distill-llama-70b"),
        ("deepseek/deepseek-r1-distill-llama-8b", None, "openrouter/deepseek/deepseek-r1-distill-llama-8b"),
        ("DeepSeek-R1-Distill-Llama-8B", "deepseek", "openrouter/deepseek-r1-distill-llama-8b"),
        ("deepseek-r1-distill-nobody-1b", None, None),
        ("deepseek-r1", None, "deepseek/deepseek-reasoner"),
    ],
)
def test_a_distilled_model_has_not_the_price_of_its_teacher(name: str, provider: str | None, key: str | None) -> None:
    """An open model of 8 billion parameters was priced as DeepSeek R1, whose name it begins with."""
    assert shipped().resolve(name, provider).model_key == key


def test_how_sure_a_resolution_is() -> None:
    book = shipped()
    assert [book.resolve(name).how for name in ("gpt-4o", "gpt-4o-2024-08-06", "Llama-3.1-8B", "gpt-9")] == [
        "exact", "alias", "family", "unpriced",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "provider", "key", "reason"),
    [
        ("Haiku 3.5", None, "anthropic/claude-3-5-haiku-latest", "short for claude-3-5-haiku; "),
        ("anthropic/haiku-3.5", None, "anthropic/claude-3-5-haiku-latest", "short for claude-3-5-haiku; "),
        ("haiku-3.5", "acme", "anthropic/claude-3-5-haiku-latest", "(acme has no price of its own)"),
        ("qwen2.5-coder", None, "openrouter/qwen/qwen-2.5-coder-32b-instruct", "short for qwen/qwen-2.5-coder-32b"),
        ("qwen2.5-coder", "ollama", None, "runs on own machines"),
        ("ollama/qwen2.5-coder", None, None, "runs on own machines"),
    ],
)
def test_a_short_name_means_the_same_in_a_log_and_on_the_command_line(
    name: str, provider: str | None, key: str | None, reason: str
) -> None:
    """`prices show` and `audit` ask the same book; a log may name who answered as well."""
    found = shipped().resolve(name, provider)
    assert found.model_key == key
    assert reason in found.reason
    assert found.how == ("short name" if key else "unpriced")
    (row,) = priced([{"request_model": name, "provider": provider, "input_uncached_tokens": 1, "output_tokens": 1}])
    assert row["price_key"] == key


def test_a_price_taken_from_elsewhere_says_so() -> None:
    found = shipped().resolve("gpt-4o", "groq")
    assert found.reason == "the model's own id; list price of openai (groq has no price of its own)"
    found = shipped().resolve("Llama-3.1-8B", "acme")
    assert found.reason.endswith("list price of openrouter (acme has no price of its own)")


@pytest.mark.parametrize("name", ["claude-opus", "gpt", "mistral", "llama", "qwen", "o", "deepseek-v9", "claude"])
def test_half_a_name_is_no_model(name: str) -> None:
    assert shipped().resolve(name).model_key is None


def test_near_names() -> None:
    assert "openai/gpt-4o" in shipped().near("gpt-4oo")
    assert shipped().near("zzzzzzzz") == []
    assert shipped().near("nobody") == []  # cobuddy has four of its letters, and nothing to do with it


def test_who_sells_a_model() -> None:
    assert {"openai", "azure", "openrouter"} <= set(shipped().sellers("gpt-4o"))
    assert "github-copilot" not in shipped().sellers("gpt-4o")  # listed there without a price
    assert shipped().sellers("gpt-9") == []


@pytest.mark.parametrize(
    ("name", "region", "key"),
    [
        ("claude-sonnet-4-5", None, "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/claude-sonnet-4.5", None, "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "eu-west-1", "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5", "global", "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-3-haiku", None, "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("Llama-3.1-8B-Instruct", None, "aws/meta.llama3-1-8b-instruct-v1:0"),
        ("nova-pro", None, "aws/amazon.nova-pro-v1:0"),
        ("gpt-4o", None, "openai/gpt-4o"),
    ],
)
def test_a_short_name_on_bedrock_has_its_price(name: str, region: str | None, key: str) -> None:
    """What AWS sells has AWS's price; where it costs less globally, what is assumed is said, but not of a whole id."""
    found = shipped().resolve(name, "bedrock", region)
    assert found.model_key == key
    assert found.reason.endswith(NO_REGION) is (region is None and "sonnet" in name)
    whole = shipped().resolve("anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", region)
    assert NO_REGION not in whole.reason


def test_an_assumed_region_is_told_once_with_its_count(tmp_path: Path) -> None:
    """100,000 tokens at the $3.30 of a region, not at the $3 of the maker."""
    log = tmp_path / "log.csv"
    line = "2026-06-01T10:00:00Z,bedrock,claude-sonnet-4-5,100000,0"
    log.write_text(f"ts,provider,model,input_tokens,output_tokens\n{line}\n{line}\n", "utf-8")
    report = audited(tmp_path, log)
    assert report.totals["list_cost_usd"] == Decimal("0.66")
    (told,) = [one.message for one in report.warnings if one.code == "W306"]
    assert told.startswith("2 rows name")
    log.write_text(log.read_text("utf-8").replace("bedrock,", "anthropic,"), "utf-8")
    assert "W306" not in {one.code for one in audited(tmp_path, log).warnings}
