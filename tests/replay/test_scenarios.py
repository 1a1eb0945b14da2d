"""The log under stress: more volume and other prices, exactly, and without touching a main figure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from costctl.policy.load import parse_policy
from costctl.prices.book import load_book
from costctl.replay.calls import load_calls
from costctl.replay.candidates import PriceDays
from costctl.replay.denser import denser
from costctl.replay.run import replay_calls, simulate
from tests.replay.compare import SEED, Bench
from tests.replay.policies import text_of
from tests.replay.reports import A_USD, ASSUME, B_USD, C_USD, TIERS, Reports, request, simulated_policies, usd

TO_C = f"{TIERS}{ASSUME}routing: {{default: C}}\n"


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["scenario"]: row for row in report["tables"]["scenarios"]}


def test_twice_the_volume_meets_the_caps_twice_as_soon(reports: Reports) -> None:
    """Four calls of 0.0035 under a cap of 0.0151: alone they fit; of eight, one goes down to B and three to A."""
    policy = f"{TO_C}budgets: {{usd_per_day: 0.0151}}\nscenarios: {{volume_ratio: 2}}\n"
    found = rows(reports(policy, [request(number) for number in range(4)]))
    assert list(found) == ["as logged", "volume x 2"]
    before, after = found.values()
    assert (before["call_count"], before["degraded_count"], usd(before["policy_cost_usd"])) == (4, 0, 4 * C_USD)
    assert (after["call_count"], after["degraded_count"]) == (8, 4)
    assert usd(after["baseline_cost_usd"]) == 8 * C_USD
    assert usd(after["policy_cost_usd"]) == 4 * C_USD + B_USD + 3 * A_USD
    assert usd(after["saving_usd"]) == 4 * C_USD - B_USD - 3 * A_USD
    assert [before["over_budget_count"], after["over_budget_count"]] == [0, 1]


def test_caches_gain_nothing_from_volume(reports: Reports) -> None:
    requests = [request(number, prompt_hash=key) for number, key in enumerate("aab")]
    found = rows(reports("cache: {exact: {ttl: 1h}}\nscenarios: {volume_ratio: 3}\n", requests))
    assert [row["cache_hit_ratio"] for row in found.values()] == [1 / 3, 1 / 3]
    assert usd(found["volume x 3"]["policy_cost_usd"]) == 6 * C_USD


def test_copies_compete_for_a_cache_of_limited_capacity(reports: Reports) -> None:
    """With room for one answer, the copy of a pushes a out before it is asked again."""
    requests = [request(number, prompt_hash="a") for number in range(2)]
    found = rows(reports("cache: {exact: {ttl: 1h, capacity: 1}}\nscenarios: {volume_ratio: 2}\n", requests))
    assert [row["cache_hit_ratio"] for row in found.values()] == [0.5, 0.0]


def test_a_user_asks_more_but_a_session_is_another_one(reports: Reports) -> None:
    """A cap of one user counts all copies; a session that went up to C takes no copy with it."""
    capped = f"{TO_C}budgets: {{usd_per_day: [{{user: u1, max: 0.0038}}]}}\nscenarios: {{volume_ratio: 2}}\n"
    found = rows(reports(capped, [request(0)]))
    assert usd(found["volume x 2"]["policy_cost_usd"]) == C_USD + A_USD
    rules = "rules: [{name: l, when: {endpoint: /lead}, to: C}]"
    sticky = f"{TIERS}{ASSUME}routing: {{default: A, sticky: session, {rules}}}\n"
    requests = [request(0, session_id="s", endpoint="/lead"), request(1, session_id="s")]
    found = rows(reports(sticky + "scenarios: {volume_ratio: 2}\n", requests))
    assert usd(found["volume x 2"]["policy_cost_usd"]) == 4 * C_USD


def test_a_part_of_a_volume_is_drawn_by_call(reports: Reports) -> None:
    requests = [
        request(0, id=f"r{n}", prompt_hash=f"q{n}", timestamp=f"2026-03-02T{n // 60:02d}:{n % 60:02d}:00Z")
        for n in range(400)
    ]
    report = reports(f"{TO_C}scenarios: {{volume_ratio: 1.5}}\n", requests)
    row = rows(report)["volume x 1.5"]
    assert 560 < row["call_count"] < 640
    assert usd(row["baseline_cost_usd"]) == row["call_count"] * C_USD
    assert rows(reports(f"{TO_C}scenarios: {{volume_ratio: 1.5}}\n", requests)) == rows(report)


def test_other_prices_hold_in_the_log_and_in_the_policy(reports: Reports) -> None:
    """gpt-4o twice as dear, gpt-4o-mini at a third: 1,000 x 0.05 + 100 x 0.2 dollars a million."""
    policy = f"{TIERS}{ASSUME}routing: {{default: A, rules: [{{name: l, when: {{endpoint: /lead}}, to: C}}]}}\n"
    prices = "scenarios: {price_ratio: {gpt-4o: 2, openai/gpt-4o-mini: 0.333333333}}\n"
    report = reports(policy + prices, [request(0), request(1, endpoint="/lead")])
    row = rows(report)["other prices"]
    assert usd(row["baseline_cost_usd"]) == 4 * C_USD
    assert usd(row["policy_cost_usd"]) == 2 * C_USD + Decimal("0.00007")
    assert row["what"] == "openai/gpt-4o x 2, openai/gpt-4o-mini x 0.333333333"
    assert usd(report["totals"]["policy_cost_usd"]) == C_USD + A_USD


def test_a_dearer_model_meets_a_cap_sooner_and_is_no_longer_the_cheapest(reports: Reports) -> None:
    tiers = "tiers: {A: {models: [gpt-4o-mini, gpt-4.1-mini], select: cheapest}, C: {models: [gpt-4o]}}\n"
    policy = f"{tiers}{ASSUME}routing: {{default: A}}\nscenarios: {{price_ratio: {{gpt-4o-mini: 10}}}}\n"
    assert usd(rows(reports(policy, [request(0)]))["other prices"]["policy_cost_usd"]) == B_USD
    capped = f"{TO_C}budgets: {{usd_per_day: 0.008}}\nscenarios: {{price_ratio: {{gpt-4o: 2}}}}\n"
    found = rows(reports(capped, [request(0), request(1)]))
    assert [row["degraded_count"] for row in found.values()] == [0, 1]


def test_the_cost_of_reading_a_prompt_cache_changes_too(reports: Reports) -> None:
    """What the session left on gpt-4o-mini is read at twice the price as well."""
    policy = f"tiers: {{A: {{models: [gpt-4o-mini]}}}}\n{ASSUME}routing: {{default: A}}\ncache: {{prompt: {{}}}}\n"
    requests = [request(number, session_id="s", prompt_tokens=2048 + 200 * number) for number in range(3)]
    report = reports(policy + "scenarios: {price_ratio: {gpt-4o-mini: 2}}\n", requests)
    assert report["totals"]["prompt_cache_read_ratio"] > 0.3
    row = rows(report)["other prices"]
    assert usd(row["policy_cost_usd"]) == 2 * usd(report["totals"]["policy_cost_usd"])


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        ("{gpt-4oo: 2}", "did you mean"),
        ("{gpt-4o: 2, openai/gpt-4o: 3}", "it is openai/gpt-4o, which scenarios.price_ratio.gpt-4o names already"),
    ],
)
def test_a_model_that_prices_do_not_know_is_refused(reports: Reports, ratios: str, message: str) -> None:
    reports.write(f"{TO_C}scenarios: {{price_ratio: {ratios}}}\n", [request(0)])
    code, _, err = reports.said()
    assert code == 2
    assert "error[E401]" in err
    assert message in err


@pytest.mark.parametrize("ratio", ["101", "0.5"])
def test_a_volume_beyond_reason_is_refused_in_the_policy(reports: Reports, ratio: str) -> None:
    reports.write(f"{TO_C}scenarios: {{volume_ratio: {ratio}}}\n", [request(0)])
    assert f"must be 1 to 100 times the log, not {ratio}" in reports.said()[2]


@pytest.mark.parametrize("seed", range(4))
def test_no_stress_changes_nothing_and_stress_no_main_figure(seed: int) -> None:
    """Over policies that use every key: volume x 1 and prices x 1 give the main figures back."""
    bench = Bench(seed)
    for policy, plain in simulated_policies(bench, str(seed), 2):
        text = text_of(policy)
        stressed = f'{text[:-1]}, "scenarios": {{"volume_ratio": 1, "price_ratio": {{"openai/gpt-4o": 1}}}}}}'
        report = simulate(bench.store, parse_policy(stressed, "p"), load_book(), SEED)
        assert report.totals == plain.totals
        told = [row[1:-1] for row in report.tables["scenarios"].rows]
        assert told[0] == told[1] == told[2]
        assert load_calls(bench.store).baseline_pusd.tolist() == bench.calls.baseline_pusd.tolist()


def test_copies_are_priced_as_the_calls_they_are_copies_of() -> None:
    """The prices that are taken over are those that pricing the copies would have given."""
    bench = Bench(3)
    ((made, _),) = simulated_policies(bench, "3", 1)
    policy = parse_policy(text_of(made), "p")
    replay_calls(bench.store, bench.calls, policy, load_book(), SEED, PriceDays(), bench.known)
    with denser(bench.store, bench.calls, bench.known, Decimal("2.5"), SEED) as (calls, known):
        anew: dict[Any, Any] = {}
        replay_calls(bench.store, calls, policy, load_book(), SEED, PriceDays(), anew)
        for name, one in anew.items():
            assert np.array_equal(one.cost_pusd, known[name].cost_pusd), name
            assert np.array_equal(one.is_known, known[name].is_known), name
    assert bench.store.scalar("SELECT count(*) FROM replay_call") == bench.calls.count
