"""Costs that others recorded for real calls, reproduced to the last digit through a whole audit."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.report import Report
from costctl.store import open_store
from tests.support import SHARED, audited, needs_shared

pytestmark = [needs_shared, pytest.mark.shared]
DEEPSEEK = SHARED / "data" / "deepseek_swe_calls" / "calls.jsonl.gz"
TAU2 = SHARED / "data" / "tau2_agent_calls" / "calls.jsonl.gz"
OWN_RATES = "models: {deepseek-chat: {input: 0.28, cache_read: 0.028, output: 0.42}}\n"


def compared(folder: Path) -> list[tuple[Any, ...]]:
    """Per model: calls, calls whose recorded cost is ours to twelve digits, the sum of ours."""
    with open_store(folder / "workspace" / "costctl.duckdb", read_only=True) as store:
        return store.query(
            "SELECT request_model, count(*), count(*) FILTER (logged_cost = list_cost_usd), sum(list_cost_usd) "
            "FROM request GROUP BY ALL ORDER BY ALL"
        )


def sums(report: Report) -> tuple[Any, ...]:
    return report.totals["request_count"], report.totals["list_cost_usd"], report.totals["logged_cost_usd"]


@pytest.mark.parametrize("rates", [None, OWN_RATES], ids=["list prices of those days", "own rates"])
def test_long_agent_sessions_on_deepseek(tmp_path: Path, rates: str | None) -> None:
    own = None
    if rates:
        own = tmp_path / "rates.yaml"
        own.write_text(rates, "utf-8")
    report = audited(tmp_path, DEEPSEEK, prices=own)
    total = Decimal("6.214612992")
    assert sums(report) == (7_514, total, total)
    assert compared(tmp_path) == [("deepseek-chat", 7_514, 7_514, total)]


def test_without_the_cache_discount_the_same_sessions_cost_eight_times_as_much(tmp_path: Path) -> None:
    """165,368,991 prompt tokens x 0.28 + 1,632,854 completion tokens x 0.42 per million."""
    own = tmp_path / "rates.yaml"
    own.write_text("models: {deepseek-chat: {input: 0.28, output: 0.42}}\n", "utf-8")
    report = audited(tmp_path, DEEPSEEK, prices=own)
    assert report.totals["list_cost_usd"] == Decimal("46.98911616")


def test_customer_service_agents_on_four_models(tmp_path: Path) -> None:
    """All at the list prices of the day of the call; cached input at 0.5, 1.25 and 0.25 as listed."""
    report = audited(tmp_path, TAU2)
    total = Decimal("33.0713045")
    assert sums(report) == (5_262, total, total)
    assert compared(tmp_path) == [
        ("claude-sonnet-4-5-20250929", 467, 467, Decimal("14.443248")),
        ("gpt-4.1", 3_840, 3_840, Decimal("12.989798")),
        ("gpt-4o", 480, 480, Decimal("3.3476275")),
        ("gpt-5.4", 475, 475, Decimal("2.290631")),
    ]


def test_the_same_calls_at_another_days_list(tmp_path: Path) -> None:
    """No price of these models changed in between, so the bill is the same."""
    report = audited(tmp_path, TAU2, as_of=datetime(2026, 10, 14))
    assert report.totals["list_cost_usd"] == Decimal("33.0713045")
