"""What is told of prices: that they are assumed, from when they are, and why there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.prices.estimate import Volume, estimate
from costctl.prices.models import models
from costctl.prices.quantities import parse_at
from costctl.report import Report
from tests.support import audited, rows

CALL = {"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}


def log(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def said(report: Report, code: str) -> list[str]:
    return [warning.message for warning in report.warnings if warning.code == code]


def test_prices_of_before_the_price_set_are_told(tmp_path: Path) -> None:
    """The price set is of 2026-11-09 and does not say since when GPT-4o costs what it does."""
    path = log(
        tmp_path, *({**CALL, "timestamp": f"{day}T10:00:00Z"} for day in ("2024-07-01", "2024-06-01", "2026-06-01"))
    )
    (message,) = said(audited(tmp_path, path), "W224")
    assert message.startswith("2 requests are priced as of 2024-06-01 or later at the first price")
    assert "holds: openai/gpt-4o; the model" in message
    rates = tmp_path / "rates.yaml"
    rates.write_text("models: {gpt-4o: {input: 1, output: 2}}\n", "utf-8")
    assert not said(audited(tmp_path, path, prices=rates), "W224")


@pytest.mark.parametrize("name", ["as_of", "priced_at"])
def test_a_day_that_was_asked_for_is_told_alike(tmp_path: Path, name: str) -> None:
    path = log(tmp_path, CALL)
    assert not said(audited(tmp_path, path), "W224")
    assert said(audited(tmp_path, path, **{name: parse_at("2026-10-01")}), "W224")


def test_models_of_a_past_day_are_told_as_estimates_are() -> None:
    at = parse_at("2021-03-01")
    (message,) = said(models(search="gpt-4o-mini", at=at), "W224")
    assert said(estimate(("openai/gpt-4o-mini",), volume=Volume(1, 1), at=at), "W224") == [message]
    assert not said(models(search="gpt-4o-mini"), "W224")


def test_assumed_prices_of_sums_are_told(tmp_path: Path) -> None:
    """OpenAI's usage by service tier: nobody publishes GPT-4o's priority price."""
    row = {"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 100,
           "num_model_requests": 2, "model": "gpt-5", "service_tier": "priority"}  # fmt: skip
    bucket = {"object": "bucket", "start_time": 1781136000, "end_time": 1781222400, "results": [row]}
    path = log(tmp_path, {"object": "page", "data": [bucket], "has_more": False, "next_page": None})
    (message,) = said(audited(tmp_path, path), "W210")
    assert message.startswith("1 sum over requests of a service tier without a published price")


def test_each_reason_of_an_unpriced_model_is_named(tmp_path: Path) -> None:
    lacking = [{**CALL, "input_tokens": None}, {**CALL, "output_tokens": None}, {**CALL, "output_tokens": None}]
    report = audited(tmp_path, log(tmp_path, *({**one, "id": str(n)} for n, one in enumerate(lacking))))
    (row,) = rows(report, "unpriced")
    assert row["reason"] == "the log counts no output tokens (2), the log counts no input tokens (1)"
    assert row["request_count"] == 3


def test_an_estimate_says_of_how_many_models_it_shows_the_arithmetic() -> None:
    assert said(estimate((), volume=Volume(1, 1), list_name="2026-01"), "W305") == [
        "the arithmetic of the 3 cheapest of 11 models is shown"
    ]
    assert not said(estimate(("gpt-4o",), volume=Volume(1, 1)), "W305")
