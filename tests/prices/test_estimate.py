"""What N tokens cost: the published questions, the arithmetic, mixes, and what is refused."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from costctl.errors import CostctlError
from costctl.prices.estimate import Volume, estimate
from costctl.prices.quantities import parse_at, parse_count, parse_mix, plain_usd
from costctl.render.people import to_terminal
from costctl.report import Report
from tests.prices.rows import shipped

TEN_AND_FIVE = Volume(10_000_000, 5_000_000)
MILLION_REQUESTS = Volume.of_requests(1_000_000, input_tokens=1_000, output_tokens=1_000)


def costs(report: Report) -> dict[str, Any]:
    return {str(row["model"]): row["list_cost_usd"] for row in report.tables["estimate"].dicts()}


def test_the_table_of_september_2025() -> None:
    """10M in and 5M out: (10 + 5) x 0.05; 10 x 5 + 5 x 16; 10 x 0.06 + 5 x 0.20."""
    models = ["deepseek-r1-distill-llama-8b", "llama-3.2-90b-vision", "qwen2.5-coder-32b"]
    report = estimate(models, volume=TEN_AND_FIVE, list_name="2025-09")
    assert costs(report) == dict(zip(models, map(Decimal, ("0.75", "130.00", "1.60")), strict=True))
    assert report.totals["cheapest_cost_usd"] == Decimal("0.75")
    assert report.totals["dearest_cost_usd"] == Decimal("130.00")
    assert report.provenance["status"] == {"cheapest_cost_usd": "exact", "dearest_cost_usd": "exact"}


def test_every_spelling_of_a_published_row() -> None:
    names = ["deepseek/deepseek-r1-distill-llama-8b", "Llama-3.2-90B-Vision-Instruct", "Qwen2.5-Coder-32B-Instruct"]
    report = estimate(names, volume=TEN_AND_FIVE, list_name="2025-09")
    assert list(costs(report).values()) == [Decimal("0.75"), Decimal("130"), Decimal("1.6")]


def test_a_million_requests_on_the_table_of_january_2026() -> None:
    """1,000 M in x 2.5 + 1,000 M out x 10 = 12,500; with 70 % on Haiku: 30 % of that is 3,750,
    and 700 M x 0.25 + 700 M x 1.25 = 1,050."""
    alone = estimate(["gpt-4o"], volume=MILLION_REQUESTS, list_name="2026-01")
    assert alone.totals["list_cost_usd"] == Decimal("12500")
    mixed = estimate(["gpt-4o"], volume=MILLION_REQUESTS, mix={"claude-haiku": Decimal("0.7")}, list_name="2026-01")
    assert mixed.totals["list_cost_usd"] == Decimal("4800")
    assert mixed.totals["first_model_cost_usd"] == Decimal("12500")
    assert mixed.totals["saving_usd"] == Decimal("7700")
    assert mixed.totals["saving_ratio"] == Decimal("0.616")
    assert [(row["model"], row["request_count"], row["list_cost_usd"]) for row in mixed.tables["mix"].dicts()] == [
        ("gpt-4o", 300_000, Decimal("3750")),
        ("claude-haiku", 700_000, Decimal("1050")),
    ]


def test_the_arithmetic_is_shown() -> None:
    report = estimate(["gpt-4o"], volume=MILLION_REQUESTS, list_name="2026-01")
    assert [row["arithmetic"] for row in report.tables["arithmetic"].dicts()] == [
        "1,000,000,000 input tokens x $2.50 per million = $2,500.00",
        "1,000,000,000 output tokens x $10.00 per million = $10,000.00",
        "input $2,500.00 + output $10,000.00 = $12,500.00",
    ]
    small = estimate(["deepseek-r1-distill-llama-8b"], volume=Volume(1, 3), list_name="2025-09")
    assert [row["arithmetic"] for row in small.tables["arithmetic"].dicts()] == [
        "1 input token x $0.05 per million = $0.00000005",
        "3 output tokens x $0.05 per million = $0.00000015",
        "input $0.00000005 + output $0.00000015 = $0.0000002",
    ]


def test_a_row_that_is_no_list_price_warns() -> None:
    report = estimate(["gpt-4o", "claude-haiku"], volume=TEN_AND_FIVE, list_name="2026-01")
    warned = [warning.message for warning in report.warnings if warning.code == "W213"]
    assert len(warned) == 1
    assert "Claude Haiku" in warned[0]
    assert "The list price of Claude 3 Haiku" in warned[0]


def test_list_prices_with_cached_input() -> None:
    """GPT-5: 80 of 100 thousand cached: 20,000 x 1.25 + 80,000 x 0.125 + 1,000 x 10 per million."""
    report = estimate(["gpt-5"], volume=Volume(100_000, 1_000, 80_000))
    assert report.totals["list_cost_usd"] == Decimal("0.045")
    assert [row["part"] for row in report.tables["arithmetic"].dicts()] == ["input", "cached input", "output", "total"]


def test_the_size_of_a_request_decides_the_long_context_price() -> None:
    """Gemini 2.5 Pro costs 1.25 up to 200,000 tokens and 2.50 above, for the whole request."""
    below = estimate(["gemini-2.5-pro"], volume=Volume.of_requests(10, input_tokens=200_000, output_tokens=0))
    above = estimate(["gemini-2.5-pro"], volume=Volume.of_requests(10, input_tokens=200_001, output_tokens=0))
    assert below.totals["list_cost_usd"] == Decimal("2.5")
    assert above.totals["list_cost_usd"] == Decimal("5.000025")
    unknown = estimate(["gemini-2.5-pro"], volume=Volume(2_000_010, 0))
    assert [warning.code for warning in unknown.warnings] == ["W211"]


def test_the_hour_and_the_service_tier() -> None:
    volume = Volume(1_000_000, 0)
    peak = estimate(["deepseek-v4-pro"], volume=volume, at=datetime(2026, 10, 16, 8))
    saturday = estimate(["deepseek-v4-pro"], volume=volume, at=datetime(2026, 10, 17, 8))
    assert (peak.totals["list_cost_usd"], saturday.totals["list_cost_usd"]) == (Decimal("1.32"), Decimal("0.66"))
    assert [warning.code for warning in peak.warnings] == ["W212"]
    batch = estimate(["gpt-4o"], volume=volume, service_tier="batch", at=datetime(2026, 11, 1))
    assert batch.totals["list_cost_usd"] == Decimal("1.25")


def test_an_unpriced_model_keeps_its_row_without_dollars() -> None:
    report = estimate(["gpt-4o", "gpt-9"], volume=TEN_AND_FIVE)
    assert costs(report) == {"gpt-4o": Decimal("75"), "gpt-9": None}
    (unpriced,) = report.tables["unpriced"].dicts()
    assert unpriced["reason"] == "no price for 'gpt-9'"
    assert "openai/gpt-5" in str(unpriced["near"])
    assert "W201" in [warning.code for warning in report.warnings]
    nothing = estimate(["gpt-9"], volume=TEN_AND_FIVE)
    assert "list_cost_usd" not in nothing.totals
    assert nothing.provenance["not_computed"] == {"list_cost_usd": "no model of the question has a price"}


def test_a_free_model_costs_nothing_and_says_so() -> None:
    report = estimate(["openrouter/qwen/qwen-2.5-7b-instruct:free"], volume=TEN_AND_FIVE)
    (row,) = report.tables["estimate"].dicts()
    assert (row["list_cost_usd"], row["price_status"]) == (0, "free")


def test_without_models_all_known_ones_are_compared_cheapest_first() -> None:
    report = estimate([], volume=TEN_AND_FIVE, list_name="2026-01")
    found = [cost for cost in costs(report).values() if cost is not None]
    assert len(found) == 11
    assert found == sorted(found)
    listed = estimate([], volume=TEN_AND_FIVE)
    assert listed.totals["unpriced_count"] == 0


def test_one_request_and_many_agree() -> None:
    report = estimate(["gpt-4o"], volume=MILLION_REQUESTS, book=shipped())
    (row,) = report.tables["estimate"].dicts()
    assert row["request_cost_usd"] == Decimal("0.0125")
    assert report.totals["request_count"] == 1_000_000


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: Volume(10, 0, 11), "E214"),
        (lambda: Volume.of_requests(0, input_tokens=1, output_tokens=1), "E210"),
        (lambda: estimate(["gpt-4o"], volume=TEN_AND_FIVE, list_name="2031-01"), "E211"),
        (lambda: estimate(["gpt-4o"], volume=TEN_AND_FIVE, list_name="2026-01", at=datetime(2026, 1, 1)), "E213"),
        (lambda: estimate(["gpt-4o"], volume=TEN_AND_FIVE, list_name="2026-01", service_tier="batch"), "E213"),
        (lambda: estimate(["o1"], volume=TEN_AND_FIVE, mix={"gpt-4o": Decimal("1.2")}), "E212"),
        (lambda: estimate([], volume=TEN_AND_FIVE, mix={"gpt-4o": Decimal("0.5")}), "E212"),
        (lambda: parse_count("1.5"), "E210"),
        (lambda: parse_count("-3"), "E210"),
        (lambda: parse_count("2000T"), "E210"),
        (lambda: parse_mix(["o1"]), "E212"),
        (lambda: parse_mix(["o1=0%"]), "E212"),
        (lambda: parse_mix(["o1=10%", "o1=20%"]), "E212"),
        (lambda: parse_at("yesterday"), "E213"),
    ],
)
def test_refusals(call: Any, code: str) -> None:
    with pytest.raises(CostctlError) as caught:
        call()
    assert caught.value.code == code
    assert caught.value.exit_code == 2


def test_quantities() -> None:
    assert [parse_count(text) for text in ("10M", "1_000", "2,500", "0.5k", "3T")] == [
        10_000_000, 1_000, 2_500, 500, 3 * 10**12,
    ]  # fmt: skip
    assert parse_at("2026-01-31T14:00:00+02:00") == datetime(2026, 1, 31, 12)
    assert parse_at("2026-01-31") == datetime(2026, 1, 31)
    assert plain_usd(Decimal("0.00000005")) == "$0.00000005"


def test_shares_take_whole_requests_and_lose_none() -> None:
    volume = Volume.of_requests(10, input_tokens=3, output_tokens=2)
    report = estimate(["gpt-4o"], volume=volume, mix={"o1": Decimal("0.333")}, list_name="2026-01")
    assert [row["request_count"] for row in report.tables["mix"].dicts()] == [7, 3]


def test_a_price_without_a_first_day_is_not_taken_for_the_past_in_silence() -> None:
    """The first price of gpt-4o in the set has no beginning; a later price of o3 has one."""
    early = estimate(["gpt-4o", "o3"], volume=TEN_AND_FIVE, at=datetime(2023, 1, 1))
    (said,) = [warning for warning in early.warnings if warning.code == "W224"]
    assert "openai/gpt-4o, openai/o3" in said.message
    assert "2023-01-01" in said.message
    later = estimate(["o3"], volume=TEN_AND_FIVE, at=datetime(2026, 1, 1))
    today = estimate(["gpt-4o"], volume=TEN_AND_FIVE)
    assert "W224" not in [warning.code for warning in (*later.warnings, *today.warnings)]


def test_the_cost_of_one_request_is_shown_with_all_its_digits() -> None:
    assert "$0.012500" in to_terminal(estimate(["gpt-4o"], volume=MILLION_REQUESTS))
