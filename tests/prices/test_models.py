"""The table of models, the facts beside prices, and the published tables as they circulated."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from costctl.errors import CostctlError
from costctl.prices.models import load_facts, models
from costctl.prices.published import load_claims, load_published, published_names
from costctl.report import Report
from tests.prices.rows import shipped

JANUARY = {
    "o1": ("15", "60", 200_000),
    "claude-opus": ("15", "75", 200_000),
    "gpt-4o": ("2.5", "10", 128_000),
    "claude-sonnet": ("3", "15", 200_000),
    "gemini-1.5-pro": ("1.25", "5", 1_000_000),
    "groq-llama-3-70b": ("0.59", "0.79", 128_000),
    "together-mixtral-8x22b": ("0.90", "0.90", 64_000),
    "claude-haiku": ("0.25", "1.25", 200_000),
    "gpt-4o-mini": ("0.15", "0.60", 128_000),
    "deepseek-v3": ("0.14", "0.28", 64_000),
    "gemini-flash": ("0.075", "0.30", 1_000_000),
}
SEPTEMBER = {
    "deepseek-r1-distill-llama-8b": ("0.05", "0.05"),
    "llama-3.2-90b-vision": ("5", "16"),
    "qwen2.5-coder-32b": ("0.06", "0.20"),
}


def rows(report: Report) -> dict[str, dict[str, object]]:
    return {str(row["model"]): row for row in report.tables["models"].dicts()}


def test_the_published_table_of_january_2026() -> None:
    table = load_published("2026-01")
    assert table.published_on == date(2026, 1, 1)
    assert table.source == "published table of January 2026, as circulated"
    found = {row.id: (row.input_usd_per_million, row.output_usd_per_million, row.context_tokens) for row in table.rows}
    assert found == {
        name: (Decimal(price), Decimal(output), window) for name, (price, output, window) in JANUARY.items()
    }
    groq = table.find("llama3-70b-8192")
    assert groq is not None
    assert groq.speed_tokens_per_s == 300


def test_the_published_table_of_september_2025() -> None:
    table = load_published("2025-09")
    assert table.published_on == date(2025, 9, 1)
    found = {row.id: (row.input_usd_per_million, row.output_usd_per_million) for row in table.rows}
    assert found == {name: (Decimal(price), Decimal(output)) for name, (price, output) in SEPTEMBER.items()}


def test_rows_that_are_no_list_prices_are_marked_with_the_reason() -> None:
    standing = {row.id: row.standing for name in published_names() for row in load_published(name).rows}
    assert {name for name, value in standing.items() if value == "list"} == {
        "o1", "gpt-4o", "claude-sonnet", "groq-llama-3-70b", "gpt-4o-mini",
    }  # fmt: skip
    assert standing["claude-haiku"] == "other_model"
    assert standing["deepseek-v3"] == standing["gemini-1.5-pro"] == "former_list"
    assert standing["llama-3.2-90b-vision"] == "unverified"
    for name in published_names():
        assert all(row.note for row in load_published(name).rows if row.standing != "list")
    haiku = load_published("2026-01").find("claude-haiku")
    assert haiku is not None
    assert haiku.note == "The list price of Claude 3 Haiku; 3.5 lists 0.80/4 and 4.5 lists 1/5."


@pytest.mark.parametrize(
    ("row", "model", "at"),
    [
        ("o1", "o1", "2026-01-01"),
        ("gpt-4o", "gpt-4o", "2026-01-01"),
        ("claude-sonnet", "claude-sonnet-4-5", "2026-01-01"),
        ("gpt-4o-mini", "gpt-4o-mini", "2026-01-01"),
        ("claude-haiku", "claude-3-haiku", "2026-01-01"),
        ("claude-opus", "claude-opus-4-1", "2026-01-01"),
        ("gemini-1.5-pro", "gemini-1.5-pro", "2025-01-01"),
        ("gemini-flash", "gemini-1.5-flash", "2025-01-01"),
        ("deepseek-v3", "deepseek-chat", "2025-02-01"),
    ],
)
def test_what_the_notes_say_is_in_the_price_book(row: str, model: str, at: str) -> None:
    published = load_published("2026-01").find(row)
    key = shipped().resolve(model).model_key
    assert published is not None
    assert key is not None
    rate = shipped().rate_at(key, datetime.fromisoformat(at))
    assert rate is not None
    assert (rate.prices["input"], rate.prices["output"]) == (
        published.input_usd_per_million,
        published.output_usd_per_million,
    )


def test_an_unknown_table_names_the_known_ones() -> None:
    with pytest.raises(CostctlError) as caught:
        load_published("2031-01")
    assert (caught.value.code, caught.value.hint) == ("E211", "use one of: list, 2025-09, 2026-01")


def test_claims_are_claims() -> None:
    claims = {claim.id: claim for claim in load_claims()}
    memory, quality = claims["int8_memory"], claims["int8_quality"]
    assert (memory.low_ratio, quality.low_ratio) == (Decimal("0.50"), Decimal("0.99"))
    assert all(claim.who and claim.note and claim.low_ratio <= claim.high_ratio for claim in claims.values())


@pytest.mark.parametrize(
    "name",
    [
        "Llama-3.1 8B", "llama-3.1-8b-instruct", "meta-llama/llama-3.1-8b-instruct",
        "openrouter/meta-llama/llama-3.1-8b-instruct:free", "Llama-3.1 70B", "meta-llama/llama-3.1-70b-instruct",
        "Qwen2.5 7B", "qwen/qwen-2.5-7b-instruct:free", "Qwen2.5-72B", "qwen/qwen-2.5-72b-instruct", "Qwen2.5-Coder",
        "Mistral-Nemo", "mistralai/mistral-nemo:free", "mistral-nemo-12b", "Mixtral 8x22B", "mixtral-8x22b",
        "mistralai/mixtral-8x22b-instruct", "Haiku-3.5", "claude-3-5-haiku-20241022", "Sonnet-3.5",
        "anthropic/claude-3.5-sonnet", "GPT-4 Turbo", "gpt-4-turbo", "o1-preview", "openai/o1-preview",
    ],
)  # fmt: skip
def test_every_model_that_people_name_has_a_price(name: str) -> None:
    found = shipped().resolve(name)
    assert found.model_key is not None, found.reason
    assert shipped().rates([found.model_key])


def test_a_name_without_price_has_a_reason() -> None:
    assert shipped().resolve("gpt-9").reason == "no price for 'gpt-9'"


def test_the_table_is_cheapest_first_and_unpriced_last() -> None:
    report = models(book=shipped())
    prices = [row["input_usd_per_million"] for row in report.tables["models"].dicts()]
    known = [price for price in prices if isinstance(price, Decimal)]
    assert known == sorted(known)
    assert prices[: len(known)] == known
    assert report.totals["model_count"] == len(load_facts()) == len(prices)
    assert report.totals["unpriced_count"] == 0


def test_facts_are_shown_with_their_standing() -> None:
    row = rows(models(book=shipped()))["gpt-4o"]
    assert (row["context_tokens"], row["quality_ratio"]) == (128_000, Decimal("0.887"))
    assert (row["input_usd_per_million"], row["output_usd_per_million"]) == (Decimal("2.5"), Decimal("10"))
    assert row["facts"] == "context: vendor; output limit: vendor; quality: vendor; speed: claim; first token: claim"


def test_filters_and_what_they_leave_out() -> None:
    assert set(rows(models(search="haiku", book=shipped()))) == {
        "claude-3-haiku", "claude-3-5-haiku", "claude-haiku-4-5",
    }  # fmt: skip
    assert {row["provider"] for row in rows(models(provider="OpenAI", book=shipped())).values()} == {"openai"}
    wide = models(min_context_tokens=1_000_000, book=shipped())
    assert set(rows(wide)) == {"gemini-1.5-flash", "gemini-1.5-pro"}
    assert [warning.code for warning in wide.warnings] == ["W215"]  # some have no known window
    cheap = models(max_input_usd_per_million=Decimal("0.10"), book=shipped())
    assert all(row["input_usd_per_million"] <= Decimal("0.10") for row in rows(cheap).values())  # type: ignore[operator]


def test_every_model_of_the_book_on_demand() -> None:
    every = models(every=True, book=shipped())
    assert every.totals["model_count"] > 2_000
    assert every.totals["unpriced_count"] > 0  # priced by the hour of audio or the page


def test_names_without_case_and_punctuation() -> None:
    assert shipped().resolve("sonnet 3.5").model_key == shipped().resolve("claude-3-5-sonnet").model_key
    for entry in load_facts():
        for name in (entry.model, entry.name, *entry.aliases):
            assert shipped().resolve(name).model_key is not None, name
