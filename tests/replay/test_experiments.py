"""Experiments: units divided by a hash of their own, arms on one shared state, pairs on the whole log."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.prices.book import load_book
from costctl.replay.beside import Asked
from costctl.replay.draws import uniform
from costctl.replay.experiments import paired_interval
from costctl.replay.run import simulate
from tests.replay.compare import SEED, Bench
from tests.replay.policies import text_of
from tests.replay.reports import A_USD, ASSUME, B_USD, C_USD, Reports, request, simulated_policies, usd

TIERS = "tiers: {T: {models: [gpt-4o]}}\n"
ARMS = "{now: 50%, mini: {share: 50%, tiers: {T: {models: [gpt-4o-mini]}}}}"
HALF = f"""{TIERS}{ASSUME}routing: {{default: T}}
experiments: [{{name: mini, unit: user, arms: {ARMS}}}]
"""


def arm_of(user: str, name: str = "mini", edge: float = 0.5) -> str:
    """The definition once more: half of the MD5 of the text, a draw of the experiment's name, the shares as edges."""
    key = int.from_bytes(hashlib.md5(user.encode()).digest()[8:], "little")
    return "now" if float(uniform(7, np.array([key], dtype=np.uint64), name)[0]) < edge else "mini"


def models(reports: Reports, policy: str, requests: list[tuple[Any, ...]]) -> dict[str, str]:
    """The model that answers each request."""
    made = reports.folder / "made.jsonl"
    reports(policy, requests, "--decisions", str(made))
    return {(one := json.loads(line))["request_id"]: one["model"] for line in made.read_text("utf-8").splitlines()}


def users(count: int, each: int = 1) -> list[tuple[Any, ...]]:
    return [
        request(
            0, id=f"r{u}-{n}", user_id=f"u{u}", prompt_hash=f"q{u}-{n}",
            timestamp=f"2026-03-02T{n:02d}:{u % 60:02d}:{u // 60:02d}Z",
        )
        for u in range(count)
        for n in range(each)
    ]  # fmt: skip


def test_each_user_stays_in_the_arm_that_the_hash_gives(reports: Reports) -> None:
    served = models(reports, HALF, users(40, each=2))
    for name, model in served.items():
        user = name[1:].partition("-")[0]
        assert model == {"now": "openai/gpt-4o", "mini": "openai/gpt-4o-mini"}[arm_of(f"u{user}")], name
    assert 20 < sum(model == "openai/gpt-4o" for model in served.values()) < 60
    # Whatever else is in the log.
    fewer = models(reports, HALF, users(25))
    assert all(served[name] == model for name, model in fewer.items())


def test_arms_are_reported_on_their_own_units_and_sum_to_the_whole(reports: Reports) -> None:
    report = reports(HALF, users(40, each=2))
    now, mini = report["tables"]["arms"]
    count = sum(arm_of(f"u{number}") == "now" for number in range(40))
    assert (now["arm"], now["unit_count"], now["call_count"]) == ("now", count, 2 * count)
    assert (mini["arm"], mini["unit_count"], mini["call_count"]) == ("mini", 40 - count, 80 - 2 * count)
    assert usd(now["policy_cost_usd"]) == usd(now["baseline_cost_usd"]) == 2 * count * C_USD
    assert usd(mini["policy_cost_usd"]) == (80 - 2 * count) * A_USD
    assert mini["saving_ratio"] == 0.94
    assert usd(now["policy_cost_usd"]) + usd(mini["policy_cost_usd"]) == usd(report["totals"]["policy_cost_usd"])


def test_pairs_are_the_same_calls_under_every_arm(reports: Reports) -> None:
    """Every call costs 0.00329 less on the small model, so there is no doubt at all about the difference."""
    now, mini = reports(HALF, users(40))["tables"]["arms"]
    assert usd(now["whole_log_cost_usd"]) == 40 * C_USD
    assert usd(mini["whole_log_cost_usd"]) == 40 * A_USD
    assert now["paired_usd"] is None
    assert {usd(mini[f"paired_usd{end}"]) for end in ("", "_low", "_high")} == {A_USD - C_USD}


def test_few_units_have_a_difference_but_no_interval(reports: Reports) -> None:
    mini = reports(HALF, users(9))["tables"]["arms"][1]
    assert usd(mini["paired_usd"]) == A_USD - C_USD
    assert mini["paired_usd_low"] is None


def test_calls_without_a_unit_are_in_the_first_arm_and_counted(reports: Reports) -> None:
    requests = [*users(12), request(0, id="nobody", user_id="")]
    report = reports(HALF, requests)
    (said,) = [one["message"] for one in report["warnings"] if one["code"] == "W223"]
    assert said == "1 call names no user: counted in the arm now"
    assert models(reports, HALF, requests)["nobody"] == "openai/gpt-4o"
    assert sum(row["call_count"] for row in report["tables"]["arms"]) == 13
    assert sum(row["unit_count"] for row in report["tables"]["arms"]) == 12


def test_sessions_may_be_the_unit(reports: Reports) -> None:
    requests = [request(number, session_id=f"s{number % 7}") for number in range(28)]
    served = models(reports, HALF.replace("unit: user", "unit: session"), requests)
    for number in range(28):
        expected = {"now": "openai/gpt-4o", "mini": "openai/gpt-4o-mini"}[arm_of(f"s{number % 7}")]
        assert served[f"r{number}"] == expected


def test_arms_share_caches_and_budgets(reports: Reports) -> None:
    """A repeat of another arm's question is a hit, and the cap of the day is one for both arms."""
    first, second = (next(f"u{n}" for n in range(99) if arm_of(f"u{n}") == arm) for arm in ("now", "mini"))
    repeat = [request(0, user_id=first, prompt_hash="same"), request(1, user_id=second, prompt_hash="same")]
    report = reports(HALF + "cache: {exact: {ttl: 1h, scope: []}}\n", repeat)
    assert report["totals"]["exact_hit_ratio"] == 0.5
    capped = [request(0, user_id=first), request(1, user_id=second), request(2, user_id=second)]
    totals = reports(HALF + "budgets: {usd_per_day: 0.0038, over: refuse}\n", capped)["totals"]
    assert (totals["refused_count"], usd(totals["policy_cost_usd"])) == (1, C_USD + A_USD)


def test_two_experiments_divide_independently_and_the_later_one_has_its_way(reports: Reports) -> None:
    other = "arms: {now: 50%, mini: {share: 50%, tiers: {T: {models: [gpt-4.1-mini]}}}}"
    both = f"{HALF.rstrip()[:-1]}, {{name: other, unit: user, {other}}}]\n"
    served = models(reports, both, users(60))
    for name, model in served.items():
        user = f"u{name[1:].partition('-')[0]}"
        expected = "openai/gpt-4o-mini" if arm_of(user) == "mini" else "openai/gpt-4o"
        assert model == ("openai/gpt-4.1-mini" if arm_of(user, "other") == "mini" else expected)
    table = reports(both, users(60))["tables"]["arms"]
    assert [(row["experiment"], row["arm"]) for row in table] == [
        ("mini", "now"), ("mini", "mini"), ("other", "now"), ("other", "mini"),
    ]  # fmt: skip
    assert usd(table[3]["whole_log_cost_usd"]) == 60 * B_USD


def test_shares_are_edges(reports: Reports) -> None:
    served = models(reports, HALF.replace("now: 50%", "now: 80%").replace("share: 50%", "share: 20%"), users(50))
    for name, model in served.items():
        expected = arm_of(f"u{name[1:].partition('-')[0]}", edge=0.8)
        assert model == {"now": "openai/gpt-4o", "mini": "openai/gpt-4o-mini"}[expected]


def test_an_arm_may_change_caps_and_the_choice_of_models(reports: Reports) -> None:
    change = "T: {models: [gpt-4.1-mini, gpt-4o-mini], select: cheapest, max_output_tokens: 50}"
    served = reports(HALF.replace("T: {models: [gpt-4o-mini]}", change), users(20))["tables"]["arms"][1]
    assert usd(served["whole_log_cost_usd"]) == 20 * (A_USD - Decimal("0.00003"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("T: {weights: [1]}", "in this arm: select: weights and weights go together"),
        ("T: {select: weights, weights: [1, 2]}", "in this arm: needs 1 weight, one for each model"),
        ("T: {models: [logged, gpt-4o]}", "in this arm: logged stands alone"),
    ],
)
def test_an_arm_must_leave_a_tier_a_tier(change: str, message: str) -> None:
    with pytest.raises(CostctlError) as caught:
        parse_policy("version: 1\n" + HALF.replace("T: {models: [gpt-4o-mini]}", change), "p.yaml")
    assert message in " ".join(map(str, caught.value.problems))


def test_an_arm_with_fewer_models_than_weights_is_refused() -> None:
    weighted = "tiers: {T: {models: [gpt-4o, gpt-4.1], select: weights, weights: [1, 1]}}\n"
    with pytest.raises(CostctlError) as caught:
        parse_policy("version: 1\n" + HALF.replace(TIERS, weighted), "p.yaml")
    assert "needs 1 weight, one for each model" in str(caught.value.problems[0])
    fixed = HALF.replace(TIERS, weighted).replace("[gpt-4o-mini]", "[gpt-4o-mini], select: first")
    assert parse_policy("version: 1\n" + fixed, "p.yaml").experiments


def test_the_interval_is_that_of_whole_units() -> None:
    """Ten users of 40 calls each differ by user only: the error is that of ten numbers, not of 400."""
    by_user = np.arange(10) * 1000 - 4500
    difference, groups = np.repeat(by_user, 40), np.repeat(np.arange(10), 40)
    mean, low, high = paired_interval(difference, groups, 7, "x")
    assert mean == 0
    assert low is not None
    assert high is not None
    standard_error = by_user.std() / 10**0.5
    assert 3.4 < (high - low) / standard_error < 4.4  # 2 x 1.96 for many resamples
    shuffled = np.random.default_rng(1).permutation(400)
    assert paired_interval(difference[shuffled], groups[shuffled], 7, "x") == (mean, low, high)
    # Calls as if each were a user of its own give an interval that is far too narrow.
    _, narrow_low, narrow_high = paired_interval(difference, np.arange(400), 7, "x")
    assert narrow_high is not None
    assert narrow_low is not None
    assert (narrow_high - narrow_low) < (high - low) / 4


def test_sums_beyond_64_bits_are_exact() -> None:
    difference = np.full(40, 2**61, dtype=np.int64)
    assert paired_interval(difference, np.arange(40), 7, "x") == (2**61, 2**61, 2**61)


@pytest.mark.parametrize("seed", range(3))
def test_an_arm_that_changes_nothing_changes_nothing(seed: int) -> None:
    """Over policies that use every key: lanes picked by arm are the policy's own, and the roadmap still ends at it."""
    bench = Bench(seed)
    ((policy, plain),) = simulated_policies(bench, str(seed), 1)
    tier = next(iter(policy["tiers"]))
    same = {"models": policy["tiers"][tier]["models"]}
    policy["experiments"] = [
        {"name": "e", "unit": "user", "arms": {"a": 0.3, "b": {"share": 0.7, "tiers": {tier: same}}}}
    ]
    report = simulate(bench.store, parse_policy(text_of(policy), "p"), load_book(), SEED, asked=Asked(is_staged=True))
    assert report.totals == plain.totals
    assert report.tables["by_tier"] == plain.tables["by_tier"]
    rows = list(report.tables["arms"].dicts())
    assert {row["paired_usd"] for row in rows} <= {None, Decimal(0)}
    assert sum(Decimal(str(row["policy_cost_usd"])) for row in rows) == report.totals["policy_cost_usd"]


def test_the_screen_shows_the_arms(reports: Reports, tmp_path: Path) -> None:
    reports.write(HALF, users(20))
    screen = reports.said(output="table")[1]
    assert "EXPERIMENTS" in screen
    assert "-$0.003290" in screen
    assert all(len(line) <= 80 for line in screen.splitlines())


def test_decisions_bear_the_arms_their_probability_and_the_hash_of_the_user(reports: Reports) -> None:
    """What is needed to weigh a log by its policy; a call without a unit is in the first arm for certain."""
    second = "{name: by session, unit: session, arms: {x: 25%, y: 75%}}"
    policy = HALF.replace(f"arms: {ARMS}}}]", f"arms: {ARMS}}}, {second}]")
    made = reports.folder / "made.jsonl"
    reports(policy, [*users(40), request(59, id="nobody", user_id="")], "--decisions", str(made))
    told = {(one := json.loads(line))["request_id"]: one for line in made.read_text("utf-8").splitlines()}
    for number in range(40):
        one = told[f"r{number}-0"]
        user = f"u{number}"
        assert one["experiment_arms"] == f"mini: {arm_of(user)}, by session: x"
        assert Decimal(str(one["arm_propensity"])) == Decimal("0.5"), "no session, so x for certain"
        assert one["user_hash"] == hashlib.sha256(f"costctl user:{user}".encode()).hexdigest()[:16]
        assert user not in {value for key, value in one.items() if key != "request_id"}
    nobody = told["nobody"]
    assert (nobody["experiment_arms"], nobody["arm_propensity"]) == ("mini: now, by session: x", 1)
    assert (nobody["user_hash"], nobody["logged_propensity"]) == (None, None)
    reports(TIERS, [request(0)], "--decisions", str(made))
    alone = json.loads(made.read_text("utf-8"))
    assert (alone["experiment_arms"], alone["arm_propensity"]) == (None, None)
