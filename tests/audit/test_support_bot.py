"""A real week, to the last digit: every figure of its expected.json."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from costctl.report import Report
from tests.support import SHARED, audited, needs_shared, rows

FOLDER = SHARED / "data" / "support_bot"
pytestmark = [needs_shared, pytest.mark.shared]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return audited(
        tmp_path_factory.mktemp("bot"), FOLDER / "requests.jsonl.gz", by=("app", "status", "token_class"), threads=2
    )


def test_counts(report: Report) -> None:
    total = report.totals
    assert total["request_count"] == 26_565
    assert total["call_count"] == 26_112
    assert total["error_count"] == 470
    assert total["unknown_usage_count"] == 423
    assert total["records_read_count"] == total["accepted_count"] == 26_565
    assert total["merged_count"] == total["ignored_count"] == total["rejected_count"] == 0


def test_tokens_and_money(report: Report) -> None:
    total = report.totals
    assert total["input_tokens"] == 189_165_941
    assert total["output_tokens"] == 4_795_921
    assert total["cache_read_tokens"] == 45_334_784
    assert total["list_cost_usd"] == Decimal("433.299769950000")
    assert total["failed_list_cost_usd"] == Decimal("0.801276450000")


def test_every_recorded_cost_is_reproduced(report: Report) -> None:
    compared = rows(report, "reconciliation")
    assert sum(row["request_count"] for row in compared) == 5_262
    assert sum(row["differing_count"] for row in compared) == 0
    assert {row["difference_usd"] for row in compared} == {Decimal(0)}
    assert {row["explanation"] for row in compared} == {"equal to the last digit"}


def test_exact_repeats_and_their_danger(report: Report) -> None:
    repeats = next(row for row in rows(report, "anatomy") if row["class"] == "exact_repeat")
    assert repeats["request_count"] == 3_332
    assert "1,506 of 3,332" in repeats["note"]
    assert "may not be safe to serve" in repeats["note"]


def test_conversations_that_never_asked_for_caching(report: Report) -> None:
    """Sonnet's conversations show no cached token; the four other models with terms show some and are left out."""
    missed = next(row for row in rows(report, "anatomy") if row["class"] == "prompt_cache_miss")
    assert missed["request_count"] == 1_343
    assert missed["list_cost_usd"] == Decimal("52.717032")
    assert missed["recoverable_usd"] == Decimal("11.23540845")
    assert "estimated from sessions" in missed["note"]
    assert "4 models with cached tokens left out" in missed["note"]


def test_every_breakdown_sums_to_the_total(report: Report) -> None:
    for name, table in report.tables.items():
        if name.startswith("by_") or name in {"anatomy", "daily", "provider_share"}:
            costs = [row["list_cost_usd"] for row in table.dicts() if row["list_cost_usd"] is not None]
            assert sum(costs, Decimal(0)) == report.totals["list_cost_usd"], name
            if "request_count" in table.columns and name != "anatomy":
                assert sum(row["request_count"] for row in table.dicts()) == 26_565, name


def test_at_most_one_jump_that_nobody_planted(report: Report) -> None:
    assert len(report.tables["anomalies"].rows) <= 1


def test_repeats_of_two_apps(tmp_path, report: Report) -> None:
    """Concierge and triage alone: 1,980 of 20,833 repeat within 24 h of insertion."""
    import gzip

    kept = tmp_path / "two.jsonl"
    with gzip.open(FOLDER / "requests.jsonl.gz") as source, kept.open("wb") as target:
        for line in source:
            row = json.loads(line)
            if row["app"] in {"concierge_chat", "ticket_triage"} and row["status"] == "ok":
                target.write(line)
    part = audited(tmp_path, kept)
    assert part.totals["request_count"] == 20_833
    repeats = next(row for row in rows(part, "anatomy") if row["class"] == "exact_repeat")
    assert repeats["request_count"] == 1_980
