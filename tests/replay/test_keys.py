"""Every key of a policy that is accepted does something: small logs, decisions worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import write_log

COLUMNS = (
    "id", "timestamp", "model", "endpoint", "user_id", "user_profile", "team", "session_id", "prompt_tokens",
    "completion_tokens", "prompt_hash", "temperature", "latency_ms",
)  # fmt: skip
ASSUME = "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
TIERS = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4.1-mini]}, C: {models: [gpt-4o]}}\n"


def request(number: int, **said: Any) -> tuple[Any, ...]:
    """One request of gpt-4o, a minute after the one before, 1,000 tokens in and 100 out."""
    row = {
        "id": f"r{number}", "timestamp": f"2026-03-02T00:{number:02d}:00Z", "model": "gpt-4o", "endpoint": "/chat",
        "user_id": "u1", "user_profile": "free", "team": "web", "session_id": "", "prompt_tokens": 1000,
        "completion_tokens": 100, "prompt_hash": f"q{number}", "temperature": "", "latency_ms": "",
    }  # fmt: skip
    return tuple((row | said)[name] for name in COLUMNS)


class Simulated:
    """The decisions of one simulation of requests under a policy."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys
        self.totals: dict[str, Any] = {}

    def __call__(
        self, policy: str, requests: list[tuple[Any, ...]], *, code: int = 0, options: tuple[str, ...] = ()
    ) -> list[dict[str, Any]]:
        log, file, made = (self._folder / name for name in ("log.csv", "policy.yaml", "made.jsonl"))
        write_log(log, [COLUMNS, *requests])
        file.write_text("version: 1\n" + policy, "utf-8")
        arguments = [str(log), "--policy", str(file), "--decisions", str(made), "--output", "json"]
        assert run(["simulate", *arguments, *options, "--db", str(self._folder / "c.duckdb")]) == code
        self.totals = json.loads(self._capsys.readouterr().out)["totals"]
        return [json.loads(line) for line in made.read_text("utf-8").splitlines()]


@pytest.fixture
def simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulated:
    return Simulated(tmp_path, capsys)


def tiers(made: list[dict[str, Any]]) -> str:
    """The tier of each call, in order; c a cache hit, x refused, - as logged."""
    letter = {"exact_cache": "c", "refused": "x"}
    return "".join(letter.get(one["served_by"], {"logged": "-"}.get(one["tier"], one["tier"])) for one in made)


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ("{default: A}", "AAAA"),
        ("{default: logged}", "----"),
        ("{}", "----"),
        ("{rules: [{name: r, when: {endpoint: /lead}, to: B}]}", "-B--"),
        ("{default: A, rules: [{name: r, when: {input_tokens: '>1500'}, to: C}]}", "AACA"),
        (
            "{default: A, rules: [{name: r, when: {endpoint: '/l*'}, to: B}, {name: s, when: {user_id: u1}, to: A}]}",
            "ABAA",
        ),
        ("{default: A, rules: [{name: r, when: {any: [{endpoint: /lead}, {user_id: u2}]}, to: C}]}", "ACAC"),
        ("{default: A, rules: [{name: r, when: {not: {endpoint: /chat}}, to: C}]}", "ACAA"),
        ("{default: A, raise: [{name: r, when: {user_id: u2}, to: B}]}", "AAAB"),
        ("{default: C, raise: [{name: r, when: {user_id: u2}, to: B}]}", "CCCC"),
        ("{default: A, floors: [{name: r, when: {endpoint: /lead}, at_least: C}]}", "ACAA"),
        ("{default: A, sticky: session, rules: [{name: r, when: {endpoint: /lead}, to: C}]}", "ACCA"),
        ("{default: A, sticky: user, rules: [{name: r, when: {endpoint: /lead}, to: C}]}", "ACCA"),
    ],
)
def test_routing(simulated: Simulated, routing: str, expected: str) -> None:
    requests = [
        request(0),
        request(1, endpoint="/lead", session_id="s1"),
        request(2, prompt_tokens=2000, session_id="s1"),
        request(3, user_id="u2"),
    ]
    assert tiers(simulated(f"{TIERS}{ASSUME}routing: {routing}\n", requests)) == expected


def test_a_tier_of_several_models_takes_the_first_or_the_cheapest_that_fits(simulated: Simulated) -> None:
    requests = [request(0), request(1, model="gpt-4.1", prompt_tokens=200_000)]
    several = "{A: {models: [gpt-4o, gpt-4.1-mini, gpt-4o-mini]%s}}"
    first = simulated(f"tiers: {several % ''}\n{ASSUME}routing: {{default: A}}\n", requests)
    assert [one["model"] for one in first] == ["openai/gpt-4o", "openai/gpt-4.1-mini"]
    cheapest = simulated(f"tiers: {several % ', select: cheapest'}\n{ASSUME}routing: {{default: A}}\n", requests)
    assert [one["model"] for one in cheapest] == ["openai/gpt-4o-mini", "openai/gpt-4.1-mini"]


def test_weights_divide_the_calls_of_a_tier_the_same_way_each_time(simulated: Simulated) -> None:
    requests = [request(number) for number in range(40)]
    policy = "tiers: {A: {models: [gpt-4o-mini, gpt-4.1-mini], select: weights, weights: [3, 1]}}\n"
    policy += f"{ASSUME}routing: {{default: A}}\n"
    first = [one["model"] for one in simulated(policy, requests)]
    assert 20 <= first.count("openai/gpt-4o-mini") <= 38
    assert [one["model"] for one in simulated(policy, requests[:20])] == first[:20]


def test_a_call_that_does_not_fit_goes_one_tier_up(simulated: Simulated) -> None:
    small = "tiers: {A: {models: [gpt-4o-mini], context_tokens: 1k}, C: {models: [gpt-4o]}}\n"
    made = simulated(f"{small}{ASSUME}routing: {{default: A}}\n", [request(0), request(1, prompt_tokens=800)])
    assert tiers(made) == "CA"


def test_an_output_cap_shortens_the_answer_also_of_the_logged_model(simulated: Simulated) -> None:
    capped = "tiers: {A: {models: [gpt-4o], max_output_tokens: 40}}\nrouting: {default: A}\n"
    (made,) = simulated(capped, [request(0)])
    assert (made["output_tokens"], made["baseline_cost_usd"], made["policy_cost_usd"]) == (
        40, "0.003500000000", "0.002900000000",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("assume", "policy_cost_usd"),
    [
        ("{output_tokens_ratio: 1, input_tokens_ratio: 1}", "0.000210000000"),  # 1000 x 0.15 + 100 x 0.60
        ("{output_tokens_ratio: 2, input_tokens_ratio: 1}", "0.000270000000"),
        ("{output_tokens_ratio: 1, input_tokens_ratio: 1.1}", "0.000225000000"),
        ("{output_tokens_ratio: {openai/gpt-4o-mini: 3}, input_tokens_ratio: 1}", "0.000330000000"),
        ("{output_tokens_ratio: {gpt-4o-mini: 3}, input_tokens_ratio: {gpt-4o-mini-2024-07-18: 1}}", "0.000330000000"),
    ],
)
def test_assumed_ratios(simulated: Simulated, assume: str, policy_cost_usd: str) -> None:
    (made,) = simulated(f"{TIERS}assume: {assume}\nrouting: {{default: A}}\n", [request(0)])
    assert made["policy_cost_usd"] == policy_cost_usd
    assert "saving_ratio_low" not in simulated.totals


def test_without_an_assumption_the_saving_is_a_range(simulated: Simulated) -> None:
    simulated(f"{TIERS}routing: {{default: B}}\n", [request(0)])
    low, high = (float(simulated.totals[f"saving_ratio_{end}"]) for end in ("low", "high"))
    assert low < simulated.totals["saving_ratio"] < high


@pytest.mark.parametrize(
    ("exact", "expected"),
    [
        ("{ttl: 1h}", "-ccccc-"),
        ("{ttl: 150s}", "-cc-cc-"),
        ("{ttl: 150s, ttl_from: last_hit}", "-ccccc-"),
        ("{ttl: 0s}", "-------"),
        ("{ttl: 1h, scope: [user]}", "-c-ccc-"),
        ("{ttl: 1h, scope: [endpoint]}", "-cc-cc-"),
        ("{ttl: 1h, max_temperature: 0.3}", "-----c-"),
    ],
)
def test_the_exact_cache(simulated: Simulated, exact: str, expected: str) -> None:
    same = {"prompt_hash": "same"}
    requests = [
        request(0, **same), request(1, **same), request(2, user_id="u2", **same), request(3, endpoint="/faq", **same),
        request(4, temperature=0.2, **same), request(5, temperature=0.1, **same), request(6),
    ]  # fmt: skip
    assert tiers(simulated(f"cache: {{exact: {exact}}}\n", requests)) == expected


def test_the_least_recently_used_entry_leaves_a_full_cache(simulated: Simulated) -> None:
    requests = [request(number, prompt_hash=key) for number, key in enumerate("abacba")]
    assert tiers(simulated("cache: {exact: {ttl: 1h, capacity: 2}}\n", requests)) == "--c---"
    assert tiers(simulated("cache: {exact: {ttl: 1h, capacity: 3}}\n", requests)) == "--c-cc"


def test_what_is_excluded_is_not_cached(simulated: Simulated) -> None:
    requests = [
        request(number, prompt_hash="same", endpoint=where) for number, where in enumerate(("/a", "/a", "/b", "/b"))
    ]
    cached = "cache: {exact: {ttl: 1h, scope: [endpoint]}, exclude: ['endpoint:/a']}\n"
    assert tiers(simulated(cached, requests)) == "---c"


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ("{usd_per_day: 0.0076}", "CCBA"),  # each 0.0035 on C, 0.00056 on B, 0.00021 on A
        ("{usd_per_day: 0.0071, over: refuse}", "CCxx"),
        ("{usd_per_day: [{tier: C, max: 0.004}]}", "CBBB"),
        ("{usd_per_day: [{user: u2, max: 0.001}]}", "CCCB"),
        ("{usd_per_day: [{endpoint: /lead, max: 0.001}]}", "CBCC"),
        ("{usd_per_day: [{team: web, max: 0.0036}]}", "CAAA"),
        ("{usd_per_request_max: 0.0005}", "AAAA"),
        ("{usd_per_request_max: 0.001}", "BBBB"),
        ("{tokens_per_day: [{user_profile: free, max: 2500}]}", "CCBC"),
        ("{tokens_per_day: [{endpoint: /lead, max: 100}]}", "CBCC"),
        ("{tokens_per_day: [{endpoint: /lead, max: 100}], over: refuse}", "CxCC"),
    ],
)
def test_budgets(simulated: Simulated, budgets: str, expected: str) -> None:
    requests = [request(0), request(1, endpoint="/lead"), request(2), request(3, user_id="u2")]
    policy = f"{TIERS}{ASSUME}routing: {{default: C}}\nbudgets: {budgets}\n"
    assert tiers(simulated(policy, requests)) == expected


def test_no_budget_goes_below_a_floor_unless_told(simulated: Simulated) -> None:
    floor = "routing: {default: C, floors: [{name: f, when: {endpoint: /chat}, at_least: B}]}\n"
    assert tiers(simulated(f"{TIERS}{ASSUME}{floor}budgets: {{usd_per_request_max: 0.0001}}\n", [request(0)])) == "B"
    assert simulated.totals["over_budget_count"] == 1
    told = f"{TIERS}{ASSUME}{floor}budgets: {{usd_per_request_max: 0.0001, over_floor: true}}\n"
    assert tiers(simulated(told, [request(0)])) == "A"


def test_a_share_is_capped_from_the_hundred_and_first_call_of_the_day(simulated: Simulated) -> None:
    requests = [
        request(
            0,
            id=f"r{number}",
            timestamp=f"2026-03-02T{number // 60:02d}:{number % 60:02d}:00Z",
            prompt_hash=f"q{number}",
        )
        for number in range(210)
    ]
    made = tiers(
        simulated(f"{TIERS}{ASSUME}routing: {{default: C}}\nbudgets: {{max_share_per_day: {{C: 50%}}}}\n", requests)
    )
    # The 101st would be 101 of 101 and the 201st 101 of 201, above half; the 202nd is 101 of 202.
    assert made == "C" * 100 + "B" * 100 + "BCBCBCBCBC"


def test_budgets_begin_anew_each_day(simulated: Simulated) -> None:
    requests = [request(0), request(1), request(2, timestamp="2026-03-03T00:00:00Z")]
    assert (
        tiers(simulated(f"{TIERS}{ASSUME}routing: {{default: C}}\nbudgets: {{usd_per_day: 0.004}}\n", requests))
        == "CAC"
    )


def test_a_specialist_is_no_tier(simulated: Simulated) -> None:
    """Neither stickiness nor a budget moves a call that a rule sent to a specialist."""
    policy = (
        f"{TIERS}specialists: {{local: {{models: [gpt-4.1]}}}}\n{ASSUME}"
        "routing: {default: A, sticky: session, rules: [{name: l, when: {endpoint: /lead}, to: local}]}\n"
        "budgets: {usd_per_request_max: 0.001}\n"
    )
    made = simulated(policy, [request(0, endpoint="/lead", session_id="s"), request(1, session_id="s")])
    assert [one["tier"] for one in made] == ["local", "A"]
    assert simulated.totals["over_budget_count"] == 1
