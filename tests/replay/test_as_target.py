"""`simulate --as litellm`: each way in which the router differs changes a small log, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.replay.reports import A_USD, ASSUME, B_USD, C_USD, TIERS, Reports, request, usd
from tests.replay.test_attempt_keys import Simulated, an_hour_of, attempt
from tests.replay.test_keys import Simulated as Routed
from tests.replay.test_keys import tiers

AS = ("--as", "litellm-plugin")
TO_C = f"{TIERS}routing: {{default: C}}\n{ASSUME}"


@pytest.fixture
def reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reports:
    return Reports(tmp_path, capsys)


@pytest.fixture
def routed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Routed:
    return Routed(tmp_path, capsys)


@pytest.fixture
def simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulated:
    return Simulated(tmp_path, capsys)


def beside(report: dict[str, Any]) -> list[dict[str, Any]]:
    """As the target, as written, and the difference."""
    rows: list[dict[str, Any]] = report["tables"]["as_written"]
    assert [row["as"] for row in rows] == ["as LiteLLM", "as written", "difference"]
    return rows


# Budgets


def test_a_spent_tier_is_passed_over_and_its_fallback_answers(routed: Routed) -> None:
    """The policy takes the next lower tier before the cap is broken; LiteLLM asks the fallback after it was."""
    calls = [request(number) for number in range(5)]
    policy = f"{TO_C}fallbacks: {{C: [A]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.005}}]}}\n"
    assert tiers(routed(policy, calls)) == "CBBBB"
    assert tiers(routed(policy, calls, options=AS)) == "CCAAA"
    assert (routed.totals["fallback_count"], routed.totals["degraded_count"]) == (3, 0)


def test_what_a_spent_tier_saves_is_of_budgets_and_not_of_attempts(reports: Reports, routed: Routed) -> None:
    """Three of five calls find C spent and are answered by A at once: nothing failed, so attempts change nothing."""
    calls = [request(number) for number in range(5)]
    policy = f"{TO_C}fallbacks: {{C: [A]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.005}}]}}\n"
    rows = {row["stage"]: row for row in reports(policy, calls, *AS)["tables"]["waterfall"]}
    assert (rows["budgets"]["call_count"], usd(rows["budgets"]["change_usd"])) == (3, 3 * (A_USD - C_USD))
    assert (rows["attempts"]["call_count"], usd(rows["attempts"]["change_usd"])) == (0, 0)
    made = routed(policy, calls, options=AS)
    assert [one["is_passed_over"] for one in made] == [False, False, True, True, True]
    assert not any(one["is_killed"] for one in made)
    assert [(one["routed_tier"], one["entry_tier"]) for one in made] == [("C", "C")] * 2 + [("C", "A")] * 3
    assert [one["is_fallback"] for one in made] == [False, False, True, True, True]


def test_a_spent_tier_without_a_fallback_refuses(routed: Routed) -> None:
    calls = [request(number) for number in range(4)]
    policy = f"{TO_C}budgets: {{usd_per_day: [{{tier: C, max: 0.005}}]}}\n"
    assert tiers(routed(policy, calls)) == "CBBB"
    made = routed(policy, calls, options=AS)
    assert tiers(made) == "CCxx"
    assert made[3]["broken_cap"] == "usd_per_day tier C"
    assert routed.totals["refused_count"] == 2


def test_the_window_of_a_budget_is_of_24_hours_and_no_day(routed: Routed) -> None:
    times = ("2026-03-02T20:00:00Z", "2026-03-02T21:00:00Z", "2026-03-03T01:00:00Z", "2026-03-03T20:00:00Z")
    calls = [request(number, timestamp=time) for number, time in enumerate(times)]
    policy = f"{TO_C}budgets: {{usd_per_day: [{{tier: C, max: 0.003}}], over: refuse}}\n"
    assert tiers(routed(policy.replace("0.003", "0.004"), calls)) == "CxCx"
    assert tiers(routed(policy, calls, options=AS)) == "CxxC"


def test_the_cap_of_a_user_is_no_cap(routed: Routed) -> None:
    calls = [request(number) for number in range(3)]
    policy = f"{TO_C}budgets: {{usd_per_day: [{{user: u1, max: 0.005}}], over: refuse}}\n"
    assert tiers(routed(policy, calls)) == "Cxx"
    assert tiers(routed(policy, calls, options=AS)) == "CCC"


def test_the_cap_of_all_refuses_where_one_provider_has_all(routed: Routed) -> None:
    calls = [request(number) for number in range(3)]
    policy = f"{TO_C}fallbacks: {{C: [A]}}\nbudgets: {{usd_per_day: 0.003}}\n"
    assert tiers(routed(policy, calls, options=AS)) == "Cxx"
    other = policy.replace("gpt-4.1-mini", "mistral-medium-latest")
    assert tiers(routed(other, calls, options=AS)) == "CCC"


# Caches


def test_the_cache_is_one_for_all_and_keyed_by_the_parameters(routed: Routed) -> None:
    calls = [
        request(0, prompt_hash="q", user_id="u1"), request(1, prompt_hash="q", user_id="u2"),
        request(2, prompt_hash="q", user_id="u1", temperature=0.9), request(3, prompt_hash="q", temperature=0.9),
    ]  # fmt: skip
    policy = f"{TO_C}cache: {{exact: {{ttl: 1h, scope: [user], max_temperature: 0.5}}, exclude: ['endpoint:/x']}}\n"
    assert tiers(routed(policy, calls)) == "CCCC"
    assert tiers(routed(policy, calls, options=AS)) == "CcCc"


def test_no_hit_renews_the_time_and_nothing_leaves(routed: Routed) -> None:
    calls = [request(number * 2, prompt_hash="q") for number in range(4)]
    policy = f"{TO_C}cache: {{exact: {{ttl: 5m, ttl_from: last_hit, scope: []}}}}\n"
    assert tiers(routed(policy, calls)) == "Cccc"
    assert tiers(routed(policy, calls, options=AS)) == "CccC"
    others = [request(number, prompt_hash=hashed) for number, hashed in enumerate("pqpq")]
    small = policy.replace("scope: []", "scope: [], capacity: 1")
    assert tiers(routed(small, others)) == "CCCC"
    assert tiers(routed(small, others, options=AS)) == "CCcc"


# Attempts


@pytest.mark.parametrize(("cooldown", "attempts"), [("10m", [2, 2, 2, 1, 1]), ("2m", [2, 2, 2, 2, 2])])
def test_failures_are_counted_by_deployment_and_not_by_share(
    simulated: Simulated, cooldown: str, attempts: list[int]
) -> None:
    """A quarter of 12 calls is 3, so 2 failures are allowed; they are forgotten a cooldown after the first."""
    rows = [*an_hour_of("gpt-4o", ok=False), *an_hour_of("gpt-4o-mini", ok=True, first=200)]
    rows += [attempt(number, 50 + number, "gpt-4o-mini", prompt_tokens=2000) for number in range(1, 6)]
    policy = (
        "routing: {default: A, rules: [{name: long, when: {input_tokens: '>1500'}, to: C}]}\nfallbacks: {C: [A]}\n"
        f"kill_switch: {{error_ratio: 25%, window: 30m, min_requests: 12, cooldown: {cooldown}}}\n"
    )
    written = simulated(policy, rows)
    assert written["r001"]["is_passed_over"]  # the failures of the log count at their provider
    made = simulated(policy, rows, options=AS)
    asked = [made[f"r{number:03d}"] for number in range(1, 6)]
    assert [one["attempt_count"] for one in asked] == attempts
    assert [one["is_passed_over"] for one in asked] == [count == 1 for count in attempts]


def test_a_timeout_is_waited_for_again_and_again_before_a_fallback(simulated: Simulated) -> None:
    """Two tries of 2 s, a second after each, then A's second; the policy waits half a second once."""
    rows = [
        *an_hour_of("gpt-4o", ok=True, latency_ms=9000), *an_hour_of("gpt-4o-mini", ok=True, first=200),
        attempt(1, 50, "gpt-4.1-mini"),
    ]  # fmt: skip
    slow = "tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o], timeout_s: 2}}\n"
    policy = (
        "routing: {rules: [{name: r, when: {model: gpt-4.1-mini}, to: C}]}\nfallbacks: {C: [A]}\n"
        "retries: {max: 1, backoff_s: 0.5, on: [timeout]}\n"
    )
    assert simulated(policy, rows, tiers=slow)["r001"]["policy_latency_ms"] == 2000 + 500 + 2000 + 1000
    made = simulated(policy, rows, tiers=slow, options=AS)["r001"]
    assert made["policy_latency_ms"] == 2000 + 1000 + 2000 + 1000 + 1000
    assert (made["retry_count"], made["timeout_count"], made["is_fallback"]) == (1, 2, True)


# What it drops


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("limits", "limits: {openai: {requests_per_min: 1, requests_per_day: 2, over: error}}\n"),
        ("compression", "compression: {ratio_kept: 0.5}\n"),
        ("batch", "batch: {endpoints: [/chat], max_delay: 24h}\n"),
        ("experiments", "experiments: [{name: e, unit: user, arms: {a: 1%, b: {share: 99%, tiers: "
         "{C: {models: [gpt-4o-mini]}}}}}]\n"),
        ("budgets.usd_per_request_max", "budgets: {usd_per_request_max: 0.001, over: refuse}\n"),
        ("budgets.tokens_per_day", "budgets: {tokens_per_day: [{endpoint: /chat, max: 2k}], over: refuse}\n"),
        ("escalate", "escalate: {from: A, to: C, when: [low_score], ratio: 100%}\n"),
    ],
)  # fmt: skip
def test_what_it_drops_is_named_and_gone(reports: Reports, part: str, said: str) -> None:
    """The policy as the target is what it is without the part; as it is written it is not."""
    calls = [request(number) for number in range(6)]
    base = TO_C.replace("default: C", "default: A") if part in {"escalate", "limits"} else TO_C
    report = reports(base + said, calls, *AS)
    told = {row["part"]: row["how"] for row in report["tables"]["as_target"]}
    assert told[part] == "dropped"
    here, there, _ = beside(report)
    plain = reports(base, calls)["totals"]
    assert (here["policy_cost_usd"], here["failed_count"]) == (plain["policy_cost_usd"], 0)
    assert (here["policy_cost_usd"], here["failed_count"]) != (there["policy_cost_usd"], there["failed_count"])


@pytest.mark.parametrize("part", ["compression: {ratio_kept: 0.5}\n", "batch: {endpoints: [/chat], max_delay: 24h}\n"])
def test_its_cost_is_shown_beside_that_of_the_policy(reports: Reports, part: str) -> None:
    calls = [request(number) for number in range(6)]
    here, there, change = beside(report := reports(TO_C + part, calls, *AS))
    written = reports(TO_C + part, calls)["totals"]
    assert there["policy_cost_usd"] == written["policy_cost_usd"]
    assert there["saving_usd"] == written["saving_usd"]
    assert here["policy_cost_usd"] == report["totals"]["policy_cost_usd"]
    assert usd(here["policy_cost_usd"]) == 6 * C_USD
    assert usd(change["policy_cost_usd"]) == usd(here["policy_cost_usd"]) - usd(there["policy_cost_usd"]) > 0
    assert usd(change["saving_usd"]) == -usd(change["policy_cost_usd"])


def test_a_request_names_no_other_model(routed: Routed) -> None:
    """What the policy leaves as logged goes to the highest tier."""
    calls = [request(0, model="gpt-4.1-mini")]
    assert tiers(routed(f"{TIERS}{ASSUME}", calls)) == "-"
    assert tiers(routed(f"{TIERS}{ASSUME}", calls, options=AS)) == "C"


def test_its_own_scorer_has_no_floors(routed: Routed) -> None:
    calls = [request(0)]
    policy = f"{TIERS}{ASSUME}routing: {{default: A, floors: [{{name: f, when: {{endpoint: /chat}}, at_least: B}}]}}\n"
    assert tiers(routed(policy, calls, options=AS)) == "B"
    assert tiers(routed(policy, calls, options=("--as", "litellm"))) == "A"


# The report


def test_the_screen_says_as_whom_and_what_is_not_simulated(reports: Reports) -> None:
    reports.write(f"{TO_C}retries: {{max: 1}}\nhedge: {{tier: C, after_s: 1}}\n", [request(0)])
    code, out, _ = reports.said(*AS, output="table")
    text = " ".join(out.split())
    assert code == 0
    assert "AS litellm-plugin seed 7" in text
    assert "AS litellm-plugin: what it does instead" in text
    assert "hedge dropped: no second call runs beside a slow one" in text
    assert "retries not simulated: up to 0.75 s more of each wait by chance" in text
    assert "BESIDE IT" in text
    reports(TO_C, [request(0)], *AS)
    assert reports.said(*AS, output="table")[1].count("it does all that this policy says") == 1


def test_the_provenance_and_the_decisions_name_the_target(reports: Reports) -> None:
    report = reports(TO_C, [request(0)], *AS)
    assert report["provenance"]["as_target"] == "litellm-plugin"
    assert "as_target" not in reports(TO_C, [request(0)])["provenance"]
    reports(TO_C, [request(0)], *AS)
    assert run(["explain-request", "r0", "--db", str(reports.folder / "c.duckdb")]) == 0
    assert "as litellm-plugin" in " ".join(reports.out().split())


def test_explain_says_that_a_tier_was_passed_over(reports: Reports) -> None:
    policy = f"{TO_C}fallbacks: {{C: [B]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.001}}]}}\n"
    report = reports(policy, [request(0), request(1)], *AS)
    assert usd(report["totals"]["policy_cost_usd"]) == C_USD + B_USD
    assert run(["explain-request", "r1", "--db", str(reports.folder / "c.duckdb")]) == 0
    said = " ".join(reports.out().split())
    assert "its tier is passed over" in said
    assert "$0.0035 used before" in said


@pytest.mark.parametrize(("name", "code"), [("litelm", "E476"), ("portkey", "E477"), ("gptcache", "E477")])
def test_other_targets_are_refused_before_any_work(reports: Reports, name: str, code: str) -> None:
    reports.write(TO_C, [request(0)])
    found, _, err = reports.said("--as", name)
    assert (found, f"error[{code}]" in err) == (2, True)
    assert not (reports.folder / "c.duckdb").exists()


def test_a_policy_that_sends_nothing_is_refused(reports: Reports) -> None:
    reports.write("tiers: {A: {models: logged}}\n", [request(0)])
    code, _, err = reports.said(*AS)
    assert (code, "error[E478]" in err) == (2, True)


def test_a_profile_gives_the_same_bytes_as_its_log(reports: Reports, tmp_path: Path) -> None:
    policy = (
        f"{TO_C}fallbacks: {{C: [B]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.006}}]}}\n"
        "cache: {exact: {ttl: 1h, scope: [user]}}\nretries: {max: 1}\n"
    )
    calls = [request(number, prompt_hash=f"q{number % 4}", user_id=f"u{number}", temperature=number % 2)
             for number in range(12)]  # fmt: skip
    whole = reports(policy, calls, *AS)
    profile = str(tmp_path / "profile.parquet")
    assert run(["profile", str(reports.log), "-o", profile, "--db", str(tmp_path / "p.duckdb")]) == 0
    reports.out()
    where = ["--policy", str(reports.policy), "--db", str(tmp_path / "q.duckdb"), "--output", "json"]
    assert run(["simulate", profile, *where, *AS]) == 0
    carried = json.loads(reports.out())
    assert carried["totals"] == whole["totals"]
    assert carried["tables"]["as_written"] == whole["tables"]["as_written"]
    assert whole["totals"]["cache_hit_ratio"] > 0
