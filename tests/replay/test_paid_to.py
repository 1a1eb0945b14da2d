"""BY MODEL: a call counts at the model that answers it, its dollars at the models that they are paid for."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.replay.reports import ASSUME, TIERS, Reports, request, usd
from tests.replay.test_keys import COLUMNS

MINI, BIG = "openai/gpt-4o-mini", "openai/gpt-4o"
# 100,000 tokens in and 10,000 out: 0.15 / 0.60 and 2.50 / 10.00 a million.
MINI_USD, BIG_USD = Decimal("0.021"), Decimal("0.35")
LARGE = {"prompt_tokens": 100_000, "completion_tokens": 10_000}


@pytest.fixture()
def calls(reports: Reports) -> Reports:
    """Sixty calls, half of each model; one answer of gpt-4o-mini is cut short."""
    reports.write("", [])
    with reports.log.open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target)
        rows.writerow([*COLUMNS, "finish_reason"])
        for number in range(60):
            model = "gpt-4o-mini" if number < 30 else "gpt-4o"
            ending = "length" if number == 0 else "stop"
            rows.writerow([*request(number, model=model, **LARGE), ending])
    return reports


def by_model(reports: Reports, policy: str) -> dict[str, tuple[int, Decimal]]:
    reports.policy.write_text(f"version: 1\n{TIERS}{ASSUME}{policy}", "utf-8")
    report = by_json(reports)
    rows = report["tables"]["by_model"]
    assert sum(usd(row["policy_cost_usd"]) for row in rows) == usd(report["totals"]["policy_cost_usd"])
    return {row["model"]: (row["policy_call_count"], usd(row["policy_cost_usd"])) for row in rows}


def by_json(reports: Reports) -> dict[str, Any]:
    code, out, err = reports.said()
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_first_try_is_paid_at_the_model_that_was_tried(calls: Reports) -> None:
    """All go to the small model; those whose answer is cut (1 of its 30 in the log) go to the large one, too."""
    found = by_model(calls, "routing: {default: A}\nescalate: {from: A, to: C, when: [truncated]}\n")
    count = by_json(calls)["totals"]["escalated_count"]
    assert count > 0
    assert found == {MINI: (60 - count, 60 * MINI_USD), BIG: (count, count * BIG_USD)}


def test_a_failed_try_is_paid_where_it_failed(calls: Reports) -> None:
    """Answers of gpt-4o take longer than its tier waits: paid for, and paid again at the next tier."""
    tiers = TIERS.replace("C: {models: [gpt-4o]}", "C: {models: [gpt-4o], timeout_s: 0.001}")
    with calls.log.open(encoding="utf-8", newline="") as source:
        header, *rows = csv.reader(source)
    with calls.log.open("w", encoding="utf-8", newline="") as target:
        at = header.index("latency_ms")
        csv.writer(target).writerows([header, *([*row[:at], "1000", *row[at + 1 :]] for row in rows)])
    calls.policy.write_text(
        f"version: 1\n{tiers}assume: {{output_tokens_ratio: 1, input_tokens_ratio: 1, timed_out_is_billed: true}}\n"
        "routing: {default: C}\nfallbacks: {C: [A]}\n", "utf-8",
    )  # fmt: skip
    rows_told = {row["model"]: row for row in by_json(calls)["tables"]["by_model"]}
    assert usd(rows_told[BIG]["policy_cost_usd"]) == 60 * BIG_USD
    assert (rows_told[MINI]["policy_call_count"], usd(rows_told[MINI]["policy_cost_usd"])) == (60, 60 * MINI_USD)


def test_work_beside_the_calls_is_paid_at_its_own_model(calls: Reports) -> None:
    """Translations by tier A read and write 10,000 tokens: $0.0015 + $0.006 each; a compressor is no model."""
    work = (
        "post_process: {translate: {tier: A, when: {endpoint: /chat}}}\n"
        "compression: {ratio_kept: 0.5, usd_per_million_tokens: 1}\n"
    )
    found = by_model(calls, f"routing: {{default: C}}\n{work}")
    assert found[MINI] == (0, 60 * Decimal("0.0075"))
    assert found[BIG] == (60, 60 * (BIG_USD - Decimal("0.125")))  # 50,000 tokens fewer are sent
    assert found["compressor"] == (0, 60 * Decimal("0.1"))
