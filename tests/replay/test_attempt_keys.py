"""Retries, timeouts, fallbacks, hedges, limits, kill switch, escalation: small logs, worked out by hand.

The logs leave nothing to chance: in the first hour every logged attempt of a model is the same.
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import write_log

COLUMNS = (
    "id", "timestamp", "model", "prompt_tokens", "completion_tokens", "prompt_hash", "status", "http_status",
    "latency_ms", "finish_reason", "temperature", "endpoint",
)  # fmt: skip
TIERS = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4.1-mini]}, C: {models: [gpt-4o]}}\n"
ASSUME = "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
# 1,000 tokens in and 100 out: gpt-4o-mini 0.15 / 0.60, gpt-4.1-mini 0.40 / 1.60, gpt-4o 2.50 / 10.00 a million.
COST = {"A": Decimal("0.00021"), "B": Decimal("0.00056"), "C": Decimal("0.0035")}


def attempt(number: int, minute: int, model: str, **said: Any) -> tuple[Any, ...]:
    """One logged attempt, by default answered after a second."""
    row = {
        "id": f"r{number:03d}", "timestamp": f"2026-03-02T00:{minute:02d}:{number % 60:02d}Z", "model": model,
        "prompt_tokens": 1000, "completion_tokens": 100, "prompt_hash": f"q{number}", "status": "ok",
        "http_status": 200, "latency_ms": 1000, "finish_reason": "stop", "temperature": "", "endpoint": "/chat",
    }  # fmt: skip
    return tuple((row | said)[name] for name in COLUMNS)


def failed(number: int, minute: int, model: str, status: int = 503, latency_ms: int = 200) -> tuple[Any, ...]:
    return attempt(
        number, minute, model, status="error", http_status=status, latency_ms=latency_ms, completion_tokens="",
        finish_reason="",
    )  # fmt: skip


def an_hour_of(model: str, *, ok: bool, latency_ms: int = 1000, first: int = 100) -> list[tuple[Any, ...]]:
    """Thirty attempts of a model in the first hour, and one success much later so that the model is known."""
    rows = [
        attempt(first + number, 50, model, latency_ms=latency_ms)
        if ok
        else failed(first + number, 50, model, latency_ms=latency_ms)
        for number in range(30)
    ]
    late = attempt(first + 31, 0, model, latency_ms=latency_ms, timestamp="2026-03-04T12:00:00Z")
    return [*rows, late]


class Simulated:
    """Decisions by request id, and the totals of the run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys
        self.report: dict[str, Any] = {}

    def __call__(
        self,
        policy: str,
        rows: list[tuple[Any, ...]],
        assume: str = ASSUME,
        tiers: str = TIERS,
        columns: tuple[str, ...] = COLUMNS,
        options: tuple[str, ...] = (),
    ) -> dict[str, dict[str, Any]]:
        log, file, made = (self._folder / name for name in ("log.csv", "policy.yaml", "made.jsonl"))
        write_log(log, [columns, *rows])
        file.write_text("version: 1\n" + tiers + assume + policy, "utf-8")
        arguments = [str(log), "--policy", str(file), "--decisions", str(made), "--output", "json"]
        assert run(["simulate", *arguments, *options, "--db", str(self._folder / "c.duckdb")]) == 0
        self.report = json.loads(self._capsys.readouterr().out)
        rows_of = (json.loads(line) for line in made.read_text("utf-8").splitlines())
        return {one["request_id"]: one for one in rows_of}

    def explained(self, request_id: str, *options: str) -> str:
        assert run(["explain-request", request_id, "--db", str(self._folder / "c.duckdb"), *options]) == 0
        return self._capsys.readouterr().out


@pytest.fixture
def simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulated:
    return Simulated(tmp_path, capsys)


ROUTE = "routing: {rules: [{name: mine, when: {model: gpt-4o}, to: A}]}\n"
ASKED = attempt(1, 5, "gpt-4o")


def cost(made: dict[str, Any]) -> Decimal:
    return Decimal(made["policy_cost_usd"])


def test_without_rules_about_attempts_a_moved_call_is_answered(simulated: Simulated) -> None:
    made = simulated(ROUTE, [ASKED, *an_hour_of("gpt-4o-mini", ok=False)])["r001"]
    assert (made["served_by"], made["tier"], cost(made)) == ("provider", "A", COST["A"])
    assert made["attempt_count"] is None


def test_retries_then_no_answer(simulated: Simulated) -> None:
    """Three tries of 200 ms, waits of 500 and 1,000 ms; nobody is paid and nobody answers."""
    policy = ROUTE + "retries: {max: 2, backoff_s: 0.5, on: [server_error]}\n"
    made = simulated(policy, [ASKED, *an_hour_of("gpt-4o-mini", ok=False, latency_ms=200)])["r001"]
    assert (made["served_by"], made["attempt_count"], made["retry_count"]) == ("failed", 3, 2)
    assert cost(made) == 0
    assert made["policy_latency_ms"] is None
    totals = simulated.report["totals"]
    assert (totals["retry_count"], totals["policy_failed_count"], totals["baseline_failed_count"]) == (2, 31, 30)
    (said,) = [one["message"] for one in simulated.report["warnings"] if one["code"] == "W271"]
    assert "1 of them had one in the log" in said
    assert "every attempt failed" in simulated.explained("r001")
    by_tier = {row["tier"]: row for row in simulated.report["tables"]["by_tier"]}
    assert by_tier["no answer"]["call_count"] == 1


def test_only_named_failures_are_retried(simulated: Simulated) -> None:
    policy = ROUTE + "retries: {max: 2, on: [rate_limit]}\n"
    made = simulated(policy, [ASKED, *an_hour_of("gpt-4o-mini", ok=False)])["r001"]
    assert (made["attempt_count"], made["retry_count"]) == (1, 0)


def test_fallback_goes_down_its_list(simulated: Simulated) -> None:
    """A fails after 200 ms, B is not known and answers, so the latency is not known; with C it takes 200 + 1,000 ms."""
    rows = [ASKED, *an_hour_of("gpt-4o-mini", ok=False, latency_ms=200), *an_hour_of("gpt-4o", ok=True, first=200)]
    made = simulated(ROUTE + "fallbacks: {A: [C, B]}\n", rows)["r001"]
    assert (made["entry_tier"], made["tier"], made["is_fallback"]) == ("A", "C", True)
    assert (cost(made), made["policy_latency_ms"]) == (COST["C"], 1200)
    assert "falls back to tier C" in simulated.explained("r001")
    made = simulated(ROUTE + "fallbacks: {A: [B, C]}\n", rows)["r001"]
    assert (made["tier"], cost(made), made["policy_latency_ms"]) == ("B", COST["B"], None)
    waterfall = {row["stage"]: Decimal(row["change_usd"]) for row in simulated.report["tables"]["waterfall"]}
    assert waterfall["attempts"] >= COST["B"] - COST["A"]


@pytest.mark.parametrize(("context", "tier"), [("2k", "small"), ("1k", "C")])
def test_a_fallback_that_cannot_hold_the_call_is_passed_over(simulated: Simulated, context: str, tier: str) -> None:
    rows = [ASKED, *an_hour_of("gpt-4o-mini", ok=False), *an_hour_of("gpt-4o", ok=True, first=200)]
    policy = (
        f"specialists: {{small: {{models: [gpt-4.1-mini], context_tokens: {context}}}}}\nfallbacks: {{A: [small, C]}}\n"
    )
    assert simulated(ROUTE + policy, rows)["r001"]["tier"] == tier


def test_timeout_cuts_the_logged_attempt(simulated: Simulated) -> None:
    """On its own model the first attempt is the logged one: 5 s, cut after 2, then A answers in a second."""
    rows = [attempt(1, 5, "gpt-4o", latency_ms=5000), *an_hour_of("gpt-4o-mini", ok=True)]
    policy = (
        "routing: {rules: [{name: mine, when: {model: gpt-4o}, to: slow}]}\n"
        "specialists: {slow: {models: [gpt-4o], timeout_s: 2}}\nfallbacks: {slow: [A]}\n"
    )
    made = simulated(policy, rows)["r001"]
    assert (made["tier"], made["timeout_count"], made["policy_latency_ms"]) == ("A", 1, 3000)
    assert cost(made) == COST["A"]
    made = simulated(policy, rows, ASSUME.replace("}", ", timed_out_is_billed: true}"))["r001"]
    assert cost(made) == COST["A"] + COST["C"]
    rows[0] = attempt(1, 5, "gpt-4o", latency_ms=1500)
    made = simulated(policy, rows)["r001"]
    assert (made["tier"], made["timeout_count"], made["policy_latency_ms"]) == ("slow", 0, 1500)
    assert cost(made) == COST["C"]


def test_a_hedge_takes_the_first_answer_and_pays_both(simulated: Simulated) -> None:
    """The logged attempt takes 5 s; the second begins after 1 s and takes 1 s, like all others of the hour."""
    rows = [attempt(1, 5, "gpt-4o", latency_ms=5000), *an_hour_of("gpt-4o", ok=True)]
    policy = "routing: {rules: [{name: mine, when: {input_tokens: '>0'}, to: C}]}\nhedge: {tier: C, after_s: 1}\n"
    made = simulated(policy, rows)["r001"]
    assert made["hedge_count"] in (0, 1)
    assert (made["hedge_count"], made["policy_latency_ms"], cost(made)) == (1, 2000, 2 * COST["C"])
    assert simulated.report["totals"]["hedge_count"] == 1


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("queue", [("A", 0), ("A", 0), ("A", 57_000), ("A", 56_000), ("A", 115_000)]),
        ("fallback", [("A", 0), ("A", 0), ("B", 0), ("B", 0), ("B", 0)]),
        ("error", [("A", 0), ("A", 0), (None, 0), (None, 0), (None, 0)]),
    ],
)
def test_a_limit_of_two_a_minute(simulated: Simulated, over: str, expected: list[tuple[str | None, float]]) -> None:
    """Five calls within one minute, at seconds 1 to 5; two may go to openai each minute, B is of another provider."""
    rows = [attempt(number, 5, "gpt-4o") for number in range(1, 6)]
    policy = (
        "routing: {default: first}\n"
        "specialists: {first: {models: [gpt-4o-mini]}, other: {models: [mistral/mistral-medium-latest]}}\n"
        f"fallbacks: {{first: [other]}}\nlimits: {{openai: {{requests_per_min: 2, over: {over}}}}}\n"
    )
    made = simulated(policy, rows)
    names = {"first": "A", "other": "B"}
    found = [(names[one["tier"]] if one["served_by"] == "provider" else None, one["wait_ms"]) for one in made.values()]
    assert found == expected
    assert simulated.report["totals"]["limited_count"] == 3
    assert simulated.report["totals"]["queued_count"] == (3 if over == "queue" else 0)


def test_a_limit_on_tokens_and_days(simulated: Simulated) -> None:
    """1,100 tokens a call: two fit into 2,500 a minute, three into a day of 3,500."""
    rows = [attempt(number, 5, "gpt-4o") for number in range(1, 6)]
    policy = "routing: {default: A}\nlimits: {openai: {tokens_per_min: 2500, tokens_per_day: 3500}}\n"
    waits = [one["wait_ms"] for one in simulated(policy, rows).values()]
    day_ms = 86_400_000 - 300_000
    assert waits == [0, 0, 57_000, day_ms - 4_000, day_ms - 5_000]


def test_what_failed_calls_cost_is_told_to_stay(simulated: Simulated) -> None:
    """A failure that was billed all the same is moved nowhere: its dollars are in both columns."""
    simulated("routing: {default: A}\n", [ASKED, attempt(2, 6, "gpt-4o", status="error", prompt_tokens=10**6)])
    (said,) = [one["message"] for one in simulated.report["warnings"] if one["code"] == "W203"]
    assert said.startswith("1 call failed in the log, so no other model is tried: left as the log has them; $2.50 of")
    steps = json.loads(simulated.explained("r002", "--output", "json"))["tables"]["steps"]
    told = [(one["decision"], one["reason"]) for one in steps if one["stage"] == "route"]
    assert told[1] == ("tier logged", "not tier A: it failed in the log, so it is not moved")


def test_a_limit_of_a_provider_that_nobody_uses_is_said(simulated: Simulated) -> None:
    simulated("routing: {default: A}\nlimits: {mistral: {requests_per_min: 2}}\n", [ASKED])
    told = [one for one in simulated.report["warnings"] if one["code"] == "W237"]
    assert [(one["message"][:33], one["hint"]) for one in told] == [("limits: nothing is called mistral", "")]


def test_the_kill_switch_takes_a_provider_out(simulated: Simulated) -> None:
    """Every call to A fails. After the third the provider is out for ten minutes: calls go to B without a try."""
    rows = [attempt(number, number, "gpt-4.1-mini") for number in range(1, 16)]
    rows += an_hour_of("gpt-4o-mini", ok=False) + an_hour_of("gpt-4.1-mini", ok=True, first=200)
    policy = (
        "routing: {rules: [{name: mine, when: {model: gpt-4.1-mini}, to: A}]}\n"
        "specialists: {other: {models: [mistral/mistral-medium-latest]}}\nfallbacks: {A: [other]}\n"
        "kill_switch: {error_ratio: 100%, window: 15m, min_requests: 3, cooldown: 10m}\n"
    )
    made = simulated(policy, rows)
    passed = [made[f"r{number:03d}"]["is_passed_over"] for number in range(1, 16)]
    assert passed == [False] * 3 + [True] * 9 + [False] * 3
    assert {made[f"r{number:03d}"]["tier"] for number in range(1, 16)} == {"other"}
    why = "kill switch, 100% errors in 15 min, of 3 requests at least: out for 10 min"
    assert made["r003"]["passed_over"] is None
    assert made["r004"]["passed_over"] == f"openai: {why}"
    assert told(simulated, "r004")[0] == ("openai is passed over", why, None)


def test_an_answer_escalates_as_often_as_the_policy_says(simulated: Simulated) -> None:
    """Both calls are billed, their latencies add up."""
    rows = [ASKED, *an_hour_of("gpt-4o-mini", ok=True), *an_hour_of("gpt-4o", ok=True, first=200)]
    policy = ROUTE + "escalate: {from: A, to: C, when: [low_score], ratio: 100%}\n"
    made = simulated(policy, rows)["r001"]
    assert (made["tier"], made["is_escalated"]) == ("C", True)
    assert (cost(made), made["policy_latency_ms"]) == (COST["A"] + COST["C"], 2000)
    assumed = "assumed: 32 calls escalate by the policy's ratio of 100.0%, of 32 answers that the log does not judge"
    assert assumptions(simulated) == [assumed]
    made = simulated(policy.replace("100%", "0%"), rows)["r001"]
    assert (made["tier"], made["is_escalated"], cost(made)) == ("A", False, COST["A"])
    assert assumptions(simulated) == [assumed.replace("32 calls", "0 calls").replace("100", "0")]


def assumptions(simulated: Simulated) -> list[str]:
    """What is said of the ratio by which answers escalate."""
    return [one["message"] for one in simulated.report["warnings"] if one["code"] == "W272"]


def test_a_ratio_that_decides_nothing_is_no_assumption(simulated: Simulated) -> None:
    """The log says of every answer of gpt-4o-mini how it ended; of one it does not, and of that the ratio speaks."""
    rows = [attempt(number, 5, "gpt-4o-mini", finish_reason="length" if number == 1 else "stop") for number in (1, 2)]
    rows.append(attempt(3, 6, "gpt-4o-mini", finish_reason=""))
    policy = "routing: {default: A}\nescalate: {from: A, to: C, when: [truncated], ratio: 100%}\n"
    made = simulated(policy, rows[:2])
    assert [made[name]["escalation_reason"] for name in ("r001", "r002")] == [
        "the log shows its answer truncated", None,
    ]  # fmt: skip
    assert assumptions(simulated) == []
    assert simulated(policy, rows)["r003"]["escalation_reason"] == "drawn as often as the policy says: assumed"
    assert assumptions(simulated) == [
        "assumed: 1 call escalates by the policy's ratio of 100.0%, of 1 answer that the log does not judge"
    ]


def told(simulated: Simulated, request_id: str) -> list[tuple[Any, ...]]:
    """The steps of a call from its route on, with what each costs."""
    found = json.loads(simulated.explained(request_id, "--output", "json"))["tables"]["steps"]
    at = max(number for number, step in enumerate(found) if step["stage"] == "route")
    return [
        (step["decision"], step["reason"], None if step["cost_usd"] is None else Decimal(step["cost_usd"]))
        for step in found[at + 1 : -1]
    ]


def test_each_step_of_a_call_names_its_own_tier_and_cost(simulated: Simulated) -> None:
    """C gives no answer, A's is cut to 50 of 100 tokens, so B is asked; the second call escalates in vain."""
    rows = [ASKED, attempt(2, 6, "gpt-4o"), *an_hour_of("gpt-4o-mini", ok=True)]
    rows += [*an_hour_of("gpt-4o", ok=False, first=200), *an_hour_of("gpt-4.1-mini", ok=True, first=300)]
    tiers = TIERS.replace("C: {models: [gpt-4o]}", "C: {models: [mistral/mistral-medium-latest]}")
    tiers = tiers.replace("A: {models: [gpt-4o-mini]}", "A: {models: [gpt-4o-mini], max_output_tokens: 50}")
    policy = (
        "specialists: {down: {models: [gpt-4o], timeout_s: 0.1}}\nrouting: {default: down}\nfallbacks: {down: [A]}\n"
        "escalate: {from: A, to: B, when: [truncated]}\nassume: {output_tokens_ratio: 1, timed_out_is_billed: true}\n"
    )
    made = simulated(policy, rows, assume="", tiers=tiers)["r001"]
    cut = Decimal("0.00018")
    assert (made["first_answer_tier"], made["first_answer_model"], made["escalated_to"]) == (
        "A", "openai/gpt-4o-mini", "B",
    )  # fmt: skip
    assert told(simulated, "r001") == [
        ("1 timeout", "3 attempts in all", COST["C"]),
        ("falls back to tier A", "tier down gave no answer", None),
        ("tier A answers first", "by openai/gpt-4o-mini", cut),
        ("escalates to tier B", "the tier's cap cuts its answer", None),
        ("answered by openai/gpt-4.1-mini", "another model; takes 2,100 ms in all", COST["B"]),
    ]
    assert cost(made) == COST["C"] + cut + COST["B"]
    simulated(policy, [row for row in rows if row[2] != "gpt-4.1-mini" or row[6] != "ok"]
              + an_hour_of("gpt-4.1-mini", ok=False, first=300), assume="", tiers=tiers)  # fmt: skip
    assert told(simulated, "r001")[1:] == [
        ("falls back to tier A", "tier down gave no answer", None),
        ("escalates to tier B", "the tier's cap cuts its answer; gives no answer, so the first stands", None),
        ("the answer is cut to 50 tokens", "cap of tier A; 100 in the log", None),
        ("answered by openai/gpt-4o-mini", "another model; takes 2,100 ms in all", cut),
    ]


def test_whose_limit_holds_a_call_is_told(simulated: Simulated) -> None:
    """Two calls a minute at openai; the third waits 56 s, is passed on, or gets no answer, though nobody was asked."""
    rows = [attempt(number, 5, "gpt-4o") for number in (1, 2, 4)]
    policy = "routing: {default: A}\nlimits: {openai: {requests_per_min: 2, over: queue}}\n"
    assert simulated(policy, rows)["r004"]["waited_for"] == "openai: limit of 2 requests per min"
    assert told(simulated, "r004")[0] == ("waits 56,000 ms for openai", "limit of 2 requests per min", None)
    for over in ("fallback", "error"):
        made = simulated(policy.replace("queue", over), rows)
        assert {name: made[name]["passed_over"] for name in made} == {
            "r001": None, "r002": None, "r004": "openai: limit of 2 requests per min",
        }  # fmt: skip
        assert told(simulated, "r004") == [
            ("openai is passed over", "limit of 2 requests per min", None),
            ("no answer", "nobody was asked", Decimal(0)),
        ]  # fmt: skip


def test_an_answer_that_the_cap_cuts_escalates(simulated: Simulated) -> None:
    """50 of 100 tokens on the capped tier, then all of them on C."""
    rows = [ASKED, *an_hour_of("gpt-4o-mini", ok=True), *an_hour_of("gpt-4o", ok=True, first=200)]
    policy = (
        "routing: {rules: [{name: mine, when: {model: gpt-4o}, to: A}]}\n"
        "escalate: {from: A, to: C, when: [truncated], ratio: 0%}\n"
    )
    assert not simulated(policy, rows)["r001"]["is_escalated"]
    capped = TIERS.replace("A: {models: [gpt-4o-mini]}", "A: {models: [gpt-4o-mini], max_output_tokens: 50}")
    made = simulated(policy, rows, tiers=capped)["r001"]
    assert made["is_escalated"]
    assert cost(made) == Decimal("0.00018") + COST["C"]


def test_how_often_answers_escalate_must_come_from_somewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, file = tmp_path / "log.csv", tmp_path / "policy.yaml"
    with log.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([COLUMNS, ASKED])
    file.write_text(
        "version: 1\n" + TIERS + ASSUME + ROUTE + "escalate: {from: A, to: C, when: [truncated]}\n", "utf-8"
    )
    assert run(["simulate", str(log), "--policy", str(file), "--db", str(tmp_path / "c.duckdb")]) == 2
    assert "E416" in capsys.readouterr().err


def test_the_log_says_how_often_answers_are_cut(simulated: Simulated) -> None:
    """All thirty answers of gpt-4o-mini ended for length, so every call escalates; on its own model by what it says."""
    cut = [attempt(100 + number, 50, "gpt-4o-mini", finish_reason="length") for number in range(30)]
    policy = "routing: {default: A}\nescalate: {from: A, to: C, when: [truncated]}\n"
    made = simulated(policy, [ASKED, attempt(2, 6, "gpt-4o-mini"), *cut])
    assert made["r001"]["is_escalated"]
    assert not made["r002"]["is_escalated"]
    assert made["r100"]["is_escalated"]


def test_fastest_is_the_model_that_answered_soonest(simulated: Simulated) -> None:
    rows = [
        ASKED, *an_hour_of("gpt-4o-mini", ok=True, latency_ms=900),
        *an_hour_of("gpt-4.1-mini", ok=True, latency_ms=300, first=200),
    ]  # fmt: skip
    policy = "specialists: {quick: {models: [gpt-4o-mini, gpt-4.1-mini], select: fastest}}\nrouting: {default: quick}\n"
    assert simulated(policy, rows)["r001"]["model"] == "openai/gpt-4.1-mini"


def test_the_temperature_of_a_tier_decides_what_is_kept(simulated: Simulated) -> None:
    """The log asks at 0.9; a tier that asks at 0.1 makes the answers fit to be kept."""
    rows = [attempt(number, number, "gpt-4o", temperature=0.9, prompt_hash="same") for number in (1, 2)]
    cache = "cache: {exact: {ttl: 24h, max_temperature: 0.3}}\nrouting: {default: cool}\n"
    cool = "specialists: {cool: {models: [gpt-4o-mini], temperature: 0.1}}\n"
    assert simulated(cache + cool, rows)["r002"]["served_by"] == "exact_cache"
    assert simulated(cache + cool.replace("0.1", "0.8"), rows)["r002"]["served_by"] == "provider"
    assert simulated(cache + cool.replace(", temperature: 0.1", ""), rows)["r002"]["served_by"] == "provider"


@pytest.mark.parametrize(("fallbacks", "failed_count"), [("", 5), ("fallbacks: {A: [other]}\n", 0)])
def test_an_outage_is_a_scenario_of_its_own(simulated: Simulated, fallbacks: str, failed_count: int) -> None:
    """Five calls within the outage of openai and one after it; those left as logged fail too."""
    rows = [attempt(number, 5, "gpt-4o") for number in range(1, 6)] + [attempt(9, 30, "gpt-4o")]
    policy = (
        "routing: {default: A}\nspecialists: {other: {models: [mistral/mistral-medium-latest]}}\n"
        + fallbacks
        + "scenarios: {outage: {provider: openai, from: '2026-03-02T00:00Z', for: 10m}}\n"
    )
    made = simulated(policy, rows)
    assert {one["tier"] for one in made.values()} == {"A"}
    told = {row["scenario"]: row for row in simulated.report["tables"]["scenarios"]}
    assert told["as logged"]["failed_count"] == 0
    assert told["outage of openai"]["failed_count"] == failed_count
    assert "5 logged calls went there in that time, 5 of the policy's" in told["outage of openai"]["what"]
    assert Decimal(told["as logged"]["policy_cost_usd"]) == 6 * COST["A"]
    spent = Decimal(told["outage of openai"]["policy_cost_usd"])
    assert spent == COST["A"] if failed_count else spent > 6 * COST["A"]
    simulated(policy.replace("{default: A}", "{default: logged}"), rows)
    told = {row["scenario"]: row for row in simulated.report["tables"]["scenarios"]}
    assert told["outage of openai"]["failed_count"] == 5


@pytest.mark.parametrize(
    "rules",
    [
        "", "routing: {default: A}\n", "routing: {default: A}\nretries: {max: 1, backoff_s: 1, on: [server_error]}\n",
        "routing: {default: A}\nkill_switch: {error_ratio: 40%, window: 15m, min_requests: 2, cooldown: 2m}\n"
        "fallbacks: {A: [C]}\n",
        "routing: {rules: [{name: odd, when: {endpoint: /b}, to: A}]}\n"
        "limits: {openai: {requests_per_min: 1, over: queue}}\n"
        "kill_switch: {error_ratio: 40%, window: 15m, min_requests: 2, cooldown: 2m}\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "when", ["provider: openai, from: '2020-01-01T00:00Z'", "provider: groq, from: '2026-03-02T00:00Z'"]
)
def test_an_outage_that_no_call_meets_changes_nothing(simulated: Simulated, rules: str, when: str) -> None:
    """Its row is that of the log as it is, also the latency: nothing is drawn that would not be drawn without it."""
    rows = [
        attempt(n, n // 8, ("gpt-4o", "gpt-4o-mini")[n % 2], latency_ms=100 * n, endpoint=("/a", "/b")[n // 2 % 2])
        for n in range(130)
    ]
    rows += [
        attempt(200 + n, 2 * n, "gpt-4o-mini", status="error", http_status=500, latency_ms=90_000) for n in range(20)
    ]
    simulated(f"{rules}scenarios: {{outage: {{{when}, for: 1d}}}}\n", rows)
    as_logged, outage = simulated.report["tables"]["scenarios"]
    assert as_logged["latency_ms_p95"] is not None
    assert {**outage, "scenario": "as logged", "what": ""} == as_logged


def test_a_provider_that_nobody_calls_is_said_to_be_none(simulated: Simulated) -> None:
    outage = "scenarios: {outage: {provider: cohere, from: '2026-03-02T00:00Z', for: 10m}}\n"
    simulated("routing: {default: A}\n" + outage, [attempt(1, 1, "gpt-4o")])
    told = {row["scenario"]: row for row in simulated.report["tables"]["scenarios"]}
    assert "no model of the log or the policy is of that provider" in told["outage of cohere"]["what"]


def test_an_outage_tells_what_it_saves_by_answering_nobody(simulated: Simulated) -> None:
    """Two of three calls are lost, and what they cost in the log is no gain."""
    rows = [attempt(number, 5 * number, "gpt-4o") for number in range(1, 4)]
    simulated("scenarios: {outage: {provider: openai, from: '2026-03-02T00:00Z', for: 12m}}\n", rows)
    as_logged, outage = simulated.report["tables"]["scenarios"]
    assert (as_logged["unanswered_count"], outage["unanswered_count"]) == (0, 2)
    assert Decimal(outage["unanswered_saving_usd"]) == Decimal(outage["saving_usd"]) == 2 * COST["C"]
    assert "of the saving is of 2 calls without an answer that had one in the log" in outage["what"]


def test_an_arm_has_its_own_timeout_and_temperature(simulated: Simulated) -> None:
    """Twelve users in two arms: one cuts its calls after two seconds, the other lets them end."""
    rows = [
        attempt(number, number, "gpt-4o", latency_ms=5000, endpoint=f"u{number}", temperature=0.9, prompt_hash="same")
        for number in range(1, 13)
    ]
    policy = (
        "routing: {default: C}\ncache: {exact: {ttl: 24h, max_temperature: 0.3}}\n"
        "experiments: [{name: e, unit: user, arms: {plain: 50%, other: {share: 50%, tiers: {C: CHANGE}}}}]\n"
    )
    with_users = [(*row, f"user {number}") for number, row in enumerate(rows)]
    made = simulated(policy.replace("CHANGE", "{timeout_s: 2}"), with_users, columns=(*COLUMNS, "user_id"))
    timeouts = [one["timeout_count"] for one in made.values()]
    assert set(timeouts) == {0, 1}
    assert {one["served_by"] for one in made.values()} == {"provider", "failed"}
    made = simulated(policy.replace("CHANGE", "{temperature: 0.1}"), with_users, columns=(*COLUMNS, "user_id"))
    by = [one["served_by"] for one in made.values()]
    assert by.count("exact_cache") == timeouts.count(1) - 1
