"""Budgets and what follows once they were asked: fallbacks, escalations and lower tiers are counted over the cap."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replay.reports import A_USD, C_USD, TIERS, Reports, request, usd
from tests.replay.test_what_is_said import explained, said_of

# An answer of A is cut to 50 of its 100 tokens, so it escalates: 0.00018 and then 0.0035 on C.
ESCALATING = (
    TIERS.replace("[gpt-4o-mini]", "[gpt-4o-mini], max_output_tokens: 50")
    + "routing: {default: A}\nescalate: {from: A, to: C, when: [truncated], ratio: 0%}\n"
    "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
)


@pytest.mark.parametrize("over", ["refuse", "degrade"])
@pytest.mark.parametrize(
    ("caps", "title", "count", "reason"),
    [
        ("usd_per_request_max: 0.001", "usd_per_request_max", 2, "the call costs, with all its attempts, $0.00368"),
        ("usd_per_day: [{tier: C, max: 0.001}]", "usd_per_day tier C", 2,
         "$0.00368 used before, the call costs, with all its attempts, $0.00368"),
        ("usd_per_day: 0.004", "usd_per_day total", 1,
         "$0.00368 used before, the call costs, with all its attempts, $0.00368"),
    ],
)  # fmt: skip
def test_an_escalation_over_a_cap_is_counted(
    reports: Reports, over: str, caps: str, title: str, count: int, reason: str
) -> None:
    """Two calls of A let through, each $0.00368 in the end."""
    gate = "gates: [{gate: over_budget_count <= 0, level: warn}]\n"
    policy = f"{ESCALATING}budgets: {{{caps}, over: {over}}}\n{gate}"
    made = reports(policy, [request(0), request(1)])
    assert usd(made["totals"]["policy_cost_usd"]) == 2 * usd("0.00368")
    assert made["totals"]["over_budget_count"] == count
    (cap,) = made["tables"]["budgets"]
    assert (cap["cap"], cap["over_budget_count"], cap["refused_count"]) == (title, count, 0)
    calls, escalated = ("2 calls go", 2) if count == 2 else ("1 call goes", 1)
    assert said_of(made, "W307") == [
        f"{calls} over a cap by what follows once the caps were asked ({escalated} escalated); "
        "that cost <$0.01 more than the caps were asked for"
    ]
    (verdict,) = made["tables"]["gates"]
    assert verdict["verdict"] == "FAIL"
    (step,) = [one for one in explained(reports, "r1")["tables"]["steps"] if one["stage"] == "budgets"]
    assert step["decision"] == "over a cap in the end"
    assert step["reason"].endswith(reason)


def test_a_fallback_over_the_cap_of_its_tier_is_counted(reports: Reports) -> None:
    """A always times out; C has a dollar for no call, and answers both."""
    log = [request(number, latency_ms=1000, model="gpt-4o-mini") for number in range(40)]
    policy = (
        "tiers: {A: {models: [gpt-4o-mini], timeout_s: 0.5}, C: {models: [gpt-4o]}}\nrouting: {default: A}\n"
        "fallbacks: {A: [C]}\nbudgets: {usd_per_day: [{tier: C, max: 0.001}], over: refuse}\n"
        "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
    )
    made = reports(policy, log)
    total = made["totals"]
    assert (total["fallback_count"], total["over_budget_count"], total["refused_count"]) == (40, 40, 0)
    assert usd(total["policy_cost_usd"]) == 40 * C_USD
    (said,) = said_of(made, "W307")
    assert "40 calls go over a cap by what follows once the caps were asked (40 fell back)" in said


def test_a_call_taken_down_for_tokens_is_counted_where_it_is_over_all_the_same(reports: Reports) -> None:
    """1,100 tokens a call under 2,000: the second and third take as many one tier down."""
    policy = (
        f"{TIERS}routing: {{default: C}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"
        "budgets: {tokens_per_day: [{user: u1, max: 2000}], over: degrade}\n"
    )
    made = reports(policy, [request(number) for number in range(3)])
    assert (made["totals"]["degraded_count"], made["totals"]["over_budget_count"]) == (2, 2)
    (step,) = [one for one in explained(reports, "r2")["tables"]["steps"] if one["stage"] == "budgets"]
    assert step["decision"] == "down to tier B, over the cap there as well"
    assert said_of(made, "W307") == []


def test_what_escalates_after_a_budget_took_it_down_is_told_as_over(reports: Reports) -> None:
    """From C down to A, which fits the cap; then up to C again, which does not."""
    policy = ESCALATING.replace("default: A", "default: C") + "budgets: {usd_per_request_max: 0.0003}\n"
    made = reports(policy, [request(0)])
    assert (made["totals"]["degraded_count"], made["totals"]["over_budget_count"]) == (1, 1)
    steps: list[dict[str, Any]] = explained(reports, "r0")["tables"]["steps"]
    told = [one["decision"] for one in steps if one["stage"] == "budgets"]
    assert told == ["down to tier A", "over a cap in the end"]
    assert usd(steps[-1]["cost_usd"]) == A_USD - 50 * usd("0.0000006") + C_USD
