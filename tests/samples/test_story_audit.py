"""The audit of the story against what was planted in it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from costctl.report import Report
from tests.support import ROOT, audited, rows

LOG = ROOT / "sample_logs/story.jsonl.gz"
TRUTH = yaml.safe_load((ROOT / "sample_logs/story.truth.yaml").read_text("utf-8"))
SAME_CAUSE = {"tokens_per_request": "tokens per request"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return audited(tmp_path_factory.mktemp("audit"), LOG)


def test_the_total_is_exact(report: Report) -> None:
    assert report.totals["list_cost_usd"] == Decimal(TRUTH["list_cost_usd"])
    assert report.totals["priced_count"] == TRUTH["counts"]["priced_count"]
    assert report.totals["unpriced_count"] == TRUTH["counts"]["unpriced_count"]


@pytest.mark.parametrize("name", TRUTH["anatomy"])
def test_dollars_of_a_class_are_found_within_two_percent(report: Report, name: str) -> None:
    planted = Decimal(TRUTH["anatomy"][name]["list_cost_usd"])
    found = next(row["list_cost_usd"] for row in rows(report, "anatomy") if row["class"] == name)
    assert abs(found - planted) <= planted * Decimal("0.02")


def test_what_prompt_caching_would_have_saved_is_found_within_two_percent(report: Report) -> None:
    saved = Decimal(TRUTH["missed_caching_usd"])
    found = next(row for row in rows(report, "anatomy") if row["class"] == "prompt_cache_miss")
    assert abs(found["recoverable_usd"] - saved) <= saved * Decimal("0.02")
    assert "estimated from sessions" in found["note"]


@pytest.mark.parametrize("jump", TRUTH["jumps"], ids=lambda jump: f"{jump['date']} {jump['name']}")
def test_a_planted_jump_is_found_with_its_cause(report: Report, jump: dict[str, str]) -> None:
    """Under its own name, or under the model whose price did it."""
    date, names = str(jump["date"]), {jump["name"], jump.get("model", jump["name"])}
    found = [
        row
        for row in rows(report, "anomalies")
        if row["first_on"] <= date <= row["last_on"] and any(row["name"].endswith(name) for name in names)
    ]
    assert [row["cause"] for row in found] == [SAME_CAUSE.get(jump["cause"], jump["cause"])]


def test_no_jump_is_found_that_nobody_planted(report: Report, tmp_path: Path) -> None:
    names = {jump["name"] for jump in TRUTH["jumps"]} | {jump["model"] for jump in TRUTH["jumps"] if "model" in jump}
    # An app with one endpoint jumps when that endpoint does.
    names |= {"help-center", "sales-desk", "back-office"}
    assert [row["name"] for row in rows(report, "anomalies") if not row["name"].endswith(tuple(names))] == []


def test_no_near_repeat_is_found_that_nobody_planted(tmp_path: Path) -> None:
    assert TRUTH["not_planted"] == ["near_repeat"]
    found = audited(tmp_path, LOG, has_near_repeats=True, embedding="words")
    (row,) = (row for row in rows(found, "anatomy") if row["class"] == "near_repeat")
    assert (row["request_count"], row["list_cost_usd"]) == (0, 0)
