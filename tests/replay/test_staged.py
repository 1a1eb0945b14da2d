"""The roadmap: each row adds a lever, and the last one is the policy itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costctl.policy.load import parse_policy
from costctl.prices.book import load_book
from costctl.replay.beside import Asked
from costctl.replay.run import simulate
from tests.replay.compare import Bench
from tests.replay.policies import text_of
from tests.replay.reports import A_USD, ASSUME, C_USD, TIERS, Reports, request, simulated_policies, usd

# 50 of the 100 output tokens are cut, each 0.6 dollars a million.
SHORT = A_USD - Decimal("0.00003")
POLICY = f"""tiers: {{A: {{models: [gpt-4o-mini], max_output_tokens: 50}}}}
{ASSUME}routing: {{default: A}}
cache: {{exact: {{ttl: 1h}}}}
"""


def rows(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(row["lever"], usd(row["policy_cost_usd"]), row["what"]) for row in report["tables"]["staged"]]


def test_levers_are_added_one_after_another(reports: Reports) -> None:
    """Four calls of which two are repeats: half of the cost goes to the cache, the rest moves, then answers are cut."""
    requests = [request(number, prompt_hash=key) for number, key in enumerate("aabb")]
    report = reports(POLICY, requests, "--staged")
    skipped = "not in the policy"
    assert rows(report) == [
        ("exact cache", 2 * C_USD, ""), ("+ routing", 2 * A_USD, ""), ("+ semantic cache", 2 * A_USD, skipped),
        ("+ prompt caching and the rest", 2 * SHORT, "output caps"),
    ]  # fmt: skip
    table = report["tables"]["staged"]
    assert [row["saving_ratio"] for row in table[:2]] == [0.5, 0.97]
    assert [usd(row["added_usd"]) for row in table] == [2 * C_USD, 2 * (C_USD - A_USD), 0, 2 * (A_USD - SHORT)]
    assert [(row["claimed_low_ratio"], row["claimed_high_ratio"]) for row in table] == [
        (0.15, 0.25), (0.35, 0.45), (0.5, 0.65), (0.6, 0.8),
    ]  # fmt: skip
    assert table[-1]["policy_cost_usd"] == report["totals"]["policy_cost_usd"]


def test_a_lever_that_the_policy_lacks_saves_nothing(reports: Reports) -> None:
    report = reports("budgets: {usd_per_request_max: 0.001, over: refuse}\n", [request(0), request(1)], "--staged")
    assert rows(report)[:2] == [
        ("exact cache", 2 * C_USD, "not in the policy"),
        ("+ routing", 2 * C_USD, "not in the policy"),
    ]
    assert rows(report)[3] == ("+ prompt caching and the rest", 0, "budgets")


def test_the_last_row_says_of_which_stage_most_of_it_is(reports: Reports) -> None:
    """The second of two calls goes from gpt-4o at 0.35 down to 0.056 by a cap; no prompt cache has a part in it."""
    requests = [request(number, prompt_tokens=100_000, completion_tokens=10_000) for number in range(2)]
    capped = f"{TIERS}{ASSUME}routing: {{default: C}}\nbudgets: {{usd_per_day: 0.5}}\ncache: {{prompt: {{}}}}\n"
    report = reports(capped, requests, "--staged")
    assert rows(report)[3][2] == "prompt caches, budgets; largest in the waterfall: budgets -$0.29"
    assert rows(report)[1][2] == ""


def test_the_bill_of_an_engine_is_told_where_it_stands(reports: Reports) -> None:
    """Two minutes at an hour's price of 60: two dollars, used or not."""
    engine = "self_hosted: [{name: own, usd_per_hour: 60, tokens_per_s: 1000}]\nspecialists: {own: {models: [own]}}\n"
    report = reports(f"{ASSUME}{engine}routing: {{default: own}}\n", [request(0), request(2)], "--staged")
    assert rows(report)[1][2] == "with the bill of engines of one's own, $2.00"


def test_without_being_asked_there_is_no_roadmap(reports: Reports) -> None:
    assert "staged" not in reports(POLICY, [request(0)])["tables"]


def test_the_screen_marks_the_claims(reports: Reports) -> None:
    reports.write(POLICY, [request(0)])
    screen = reports.said("--staged", output="table")[1]
    assert "claims" in screen
    assert "ROADMAP" in screen
    assert all(len(line) <= 80 for line in screen.splitlines())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_policy_the_roadmap_ends_at_its_cost(seed: int) -> None:
    """Asserted in the code too; here over policies that use every key."""
    bench = Bench(seed)
    for made, _ in simulated_policies(bench, str(seed), 3):
        report = simulate(bench.store, parse_policy(text_of(made), "p"), load_book(), 7, asked=Asked(is_staged=True))
        table = list(report.tables["staged"].dicts())
        assert table[-1]["policy_cost_usd"] == report.totals["policy_cost_usd"]
        assert sum(Decimal(str(row["added_usd"])) for row in table) == report.totals["saving_usd"]
