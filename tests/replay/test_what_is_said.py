"""What a simulation says beside its figures, so that nobody reads too much into one."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.replay.reports import A_USD, C_USD, TIERS, Reports, request, usd

ROUTED = f"{TIERS}routing: {{default: A}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"


def codes(report: dict[str, Any]) -> set[str]:
    return {said["code"] for said in report["warnings"]}


@pytest.mark.parametrize(("percent", "least"), [(50, 5), (95, 59), (99, 299)])
def test_a_quantile_is_told_from_its_minimum_count_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], percent: int, least: int
) -> None:
    log, policy = tmp_path / "log.csv", tmp_path / "policy.yaml"
    policy.write_text("version: 1\n", "utf-8")
    for count in (least - 1, least):
        lines = [f"r{i},2026-03-02T10:{i // 60:02d}:{i % 60:02d}Z,gpt-4o,10,5,{100 + i}" for i in range(count)]
        log.write_text("id,timestamp,model,prompt_tokens,completion_tokens,latency_ms\n" + "\n".join(lines), "utf-8")
        where = ["--policy", str(policy), "--db", str(tmp_path / f"{count}.duckdb"), "--output", "json"]
        assert run(["simulate", str(log), *where]) == 0
        report = json.loads(capsys.readouterr().out)
        for name in (f"baseline_latency_ms_p{percent}", f"policy_latency_ms_p{percent}"):
            assert (name in report["totals"]) == (count == least)
            if count < least:
                why = report["provenance"]["not_computed"][name]
                assert why == f"not identifiable: p{percent} needs {least} latencies, there are {count}"


def test_explained_requests_say_why_the_cache_did_not_serve(
    reports: Reports, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = (
        f"{ROUTED}name: mine\ncache: {{exact: {{ttl: 24h, max_temperature: 0.3}}, exclude: ['endpoint:/private']}}\n"
    )
    requests = [
        request(0, temperature="0"), request(1, prompt_hash="q0", temperature="0"), request(2, prompt_hash=""),
        request(3, endpoint="/private", temperature="0"), request(4, temperature="0.9"),
    ]  # fmt: skip
    reports(policy, requests)

    def steps(name: str) -> list[tuple[str, str, str]]:
        found = run(["explain-request", name, "--db", str(reports.folder / "c.duckdb"), "--output", "json"])
        assert found == 0
        told = json.loads(capsys.readouterr().out)["tables"]["steps"]
        return [(step["stage"], step["decision"], step["reason"]) for step in told]

    assert steps("r0")[0][1].startswith("policy mine #")
    assert ("exact_cache", "not served", "no live entry") in steps("r0")
    assert ("exact_cache", "served from the cache", "same question as r0") in steps("r1")
    assert ("exact_cache", "not served", "kept out: the log has neither its text nor a key of it") in steps("r2")
    assert ("exact_cache", "not served", "kept out: excluded: endpoint:/private") in steps("r3")
    assert ("exact_cache", "not served", "kept out: its temperature is above 0.3") in steps("r4")


def test_an_explanation_may_ask_for_its_policy(reports: Reports, capsys: pytest.CaptureFixture[str]) -> None:
    reports(f"{ROUTED}name: mine\n", [request(0)])
    asked = ["explain-request", "r0", "--db", str(reports.folder / "c.duckdb"), "--policy", str(reports.policy)]
    assert run(asked) == 0
    assert "policy mine #" in capsys.readouterr().out
    reports.policy.write_text("version: 1\nname: other\n", "utf-8")
    assert run(asked) == 2
    told = capsys.readouterr().err
    assert "error[E426] the last simulation was of mine #" in told
    assert ", not of other #" in told
    assert "costctl simulate --policy" in told


def test_each_cap_says_what_it_stopped(reports: Reports) -> None:
    """$0.0035 each: the third is over $0.008 a day, the second of team a over $0.005; tokens stop nobody."""
    caps = "usd_per_day: [{max: 0.008}, {team: a, max: 0.005}], tokens_per_day: [{team: a, max: 1M}]"
    calls = [request(0, team="a"), request(1, team="a"), request(2), request(3)]

    def told(policy: str) -> list[tuple[Any, ...]]:
        report = reports(policy, calls)
        rows = [tuple(row.values()) for row in report["tables"]["budgets"]]
        assert {row[-1] for row in rows} <= {None}, "no tier is passed over"
        for at, name in enumerate(("degraded_count", "over_budget_count", "refused_count"), start=3):
            assert sum(row[at] for row in rows) == report["totals"][name]
        return rows

    assert told(f"budgets: {{{caps}, over: refuse}}\n") == [
        ("usd_per_day total", "$0.008", 1, 0, 0, 1, None), ("usd_per_day team a", "$0.005", 1, 0, 0, 1, None),
        ("tokens_per_day team a", "1,000,000 tokens", 0, 0, 0, 0, None),
    ]  # fmt: skip
    assert told("budgets: {usd_per_request_max: 0.001}\n") == [("usd_per_request_max", "$0.001", 4, 0, 4, 0, None)]
    assert told(f"{TIERS}routing: {{default: C}}\nbudgets: {{usd_per_request_max: 0.001}}\n") == [
        ("usd_per_request_max", "$0.001", 4, 4, 0, 0, None),
    ]  # fmt: skip
    reports(f"budgets: {{{caps}, over: refuse}}\n", calls)
    assert (
        "  tokens_per_day team a  1,000,000 tokens         0            0        0\n" in reports.said(output="table")[1]
    )
    assert told("name: none\n") == []


def test_hits_across_models_are_told_with_the_key_that_keeps_them_apart(reports: Reports) -> None:
    """r1 gets what gpt-4o wrote for r0 though it asks for gpt-4o-mini; with a tier for all nobody asks for another."""
    asked = [request(0), request(1, prompt_hash="q0", model="gpt-4o-mini"), request(2, prompt_hash="q0")]

    def across(policy: str) -> tuple[int, list[tuple[str, str]]]:
        report = reports(policy, asked)
        hits = round(report["totals"]["exact_hit_ratio"] * 3)
        return hits, [(one["message"], one["hint"]) for one in report["warnings"] if one["code"] == "W217"]

    assert across("cache: {exact: {ttl: 24h, scope: [team]}}\n") == (2, [(
        "1 of 2 hits of the exact cache get an answer of another model than they ask for",
        "one answer for each model that the log asks for: cache.exact.scope: [team, model]",
    )])  # fmt: skip
    assert across("cache: {exact: {ttl: 24h, scope: [team, model]}}\n") == (1, [])
    assert across(f"{ROUTED}cache: {{exact: {{ttl: 24h}}}}\n") == (2, [])


def test_above_one_nothing_is_similar_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, policy = tmp_path / "log.jsonl", tmp_path / "policy.yaml"
    asked = [
        {"id": f"r{i}", "timestamp": f"2026-03-02T00:0{i}:00Z", "model": "gpt-4o-mini",
         "messages": [{"role": "user", "content": "Where is my parcel?"}],
         "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
        for i in range(4)
    ]  # fmt: skip
    log.write_text("\n".join(map(json.dumps, asked)), "utf-8")
    hits = {}
    for threshold in ("1", "1.01", "2"):
        ttl = ", ttl: 24h" * (threshold != "2")  # what serves nothing keeps nothing
        policy.write_text(f"version: 1\ncache: {{semantic: {{serve_min: {threshold}{ttl}}}}}\n", "utf-8")
        where = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
        assert run(["simulate", str(log), *where]) == 0
        totals = json.loads(capsys.readouterr().out)["totals"]
        hits[threshold] = totals["semantic_hit_ratio"] * 4
        if threshold != "1":
            assert totals["policy_cost_usd"] == totals["baseline_cost_usd"]
    assert hits == {"1": 3, "1.01": 0, "2": 0}


def test_what_is_not_answered_is_no_saving_of_work(reports: Reports) -> None:
    policy = "budgets: {usd_per_request_max: 0.001, over: refuse}\n"
    report = reports(policy, [request(0), request(1)])
    totals = report["totals"]
    assert totals["unanswered_count"] == totals["refused_count"] == 2
    assert Decimal(totals["unanswered_saving_usd"]) == Decimal(totals["saving_usd"]) == Decimal("0.007")
    screen = reports.said(output="table")[1]
    assert "is of 2 calls that get no answer here" in screen
    assert "unanswered_count" not in reports("", [request(0)])["totals"]


def test_work_that_a_timeout_ends_is_said_to_be_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, policy = tmp_path / "log.csv", tmp_path / "policy.yaml"
    lines = [f"r{i},2026-03-02T10:{i:02d}:00Z,gpt-4o-mini,10,5,{1000 * (1 + i % 2)}" for i in range(60)]
    log.write_text("id,timestamp,model,prompt_tokens,completion_tokens,latency_ms\n" + "\n".join(lines), "utf-8")
    said = {}
    for billed in ("", "assume: {timed_out_is_billed: true}\n"):
        text = f"version: 1\ntiers: {{A: {{models: [gpt-4o-mini], timeout_s: 1.5}}}}\nrouting: {{default: A}}\n{billed}"
        policy.write_text(text, "utf-8")
        where = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
        assert run(["simulate", str(log), *where]) == 0
        report = json.loads(capsys.readouterr().out)
        said[billed != ""] = next((one for one in report["warnings"] if one["code"] == "W277"), None)
        assert report["totals"]["timeout_count"] == 30
    assert said[False]["message"].startswith("30 tries are ended by a timeout")
    assert said[True] is None


def test_an_outage_of_another_day_is_said_to_be_none(reports: Reports) -> None:
    outage = "scenarios: {outage: {provider: openai, from: '2027-01-01T00:00:00Z', for: 1h}}\n"
    (row,) = [
        row for row in reports(ROUTED + outage, [request(0)])["tables"]["scenarios"]
        if row["scenario"].startswith("outage")
    ]  # fmt: skip
    assert row["what"] == "no call of the log is in that time, so nothing happens"


def test_without_prompts_nothing_is_said_of_hits(reports: Reports) -> None:
    """A log that tells no prompt has no hit ratio, and no gate on one passes."""
    policy = "cache: {exact: {ttl: 24h}}\ngates: [{gate: 'exact_hit_ratio <= 0.5', level: warn}]\n"
    report = reports(policy, [request(number, prompt_hash="") for number in range(3)])
    why = report["provenance"]["not_computed"]
    assert "exact_hit_ratio" not in report["totals"]
    assert why["cache_hit_ratio"].startswith("not identifiable: no call of the log has a text")
    assert [row["verdict"] for row in report["tables"]["gates"]] == ["NOT RUN"]
    assert "cache hits" in reports.said(output="table")[1]
    some = reports(policy, [request(0, prompt_hash=""), request(1)])
    assert some["totals"]["exact_hit_ratio"] == 0


def test_engines_are_paid_back_with_what_it_took_to_set_them_up(reports: Reports) -> None:
    """$0.0245 saved in an hour less an engine's hour, against $100 for a cache and $10 for the engine."""
    engine = (
        "tiers: {A: {models: [self/own]}}\nassume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
        "self_hosted: [{name: self/own, accelerator: L4, usd_per_hour: 0.01, tokens_per_s: 1000, one_off_usd: 10}]\n"
        "routing: {default: A}\n"
    )
    both = "fixed_costs: [{name: redis, usd_per_month: 0, one_off_usd: 100}]\n"
    days = {}
    for name, more in (("engine", ""), ("both", both)):
        report = reports(engine + more, [request(number) for number in range(0, 60, 10)])
        days[name] = Decimal(report["totals"]["payback_days"])
        assert report["totals"]["net_saving_usd"] == report["totals"]["saving_usd"]
    assert abs(days["both"] - 11 * days["engine"]) <= Decimal("0.6")
    assert days["engine"] > 0


def test_prompt_caches_of_calls_that_stay_are_told_to_be_unknown(reports: Reports) -> None:
    """Nothing moves and the log says nothing of cached tokens: the key has no effect, and that is told."""

    def told(policy: str) -> list[str]:
        said = reports(policy, [request(0, session_id="s"), request(1, session_id="s")])["warnings"]
        return [one["message"][:39] for one in said if one["code"] == "W279"]

    assert told("cache: {prompt: {}}\n") == ["2 calls stay on the logged model, and t"]
    assert told(f"{ROUTED}cache: {{prompt: {{}}}}\n") == []
    assert told("cache: {exact: {ttl: 1h}}\n") == []


def test_a_call_without_a_price_or_a_time_says_why_no_cache_keeps_it(
    reports: Reports, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same question twice: a model without a list price, and calls without a time, meet no stage."""
    calls = [request(number, prompt_hash="same", model="nobody/knows") for number in range(2)]
    calls += [request(number, prompt_hash="same", timestamp="", prompt_tokens=10**5) for number in (2, 3)]
    calls.append(request(4))
    report = reports("cache: {exact: {ttl: 24h}}\n", calls)
    for name, why in (("r1", "what it costs is not known"), ("r3", "it has no time")):
        assert run(["explain-request", name, "--db", str(reports.folder / "c.duckdb"), "--output", "json"]) == 0
        steps = json.loads(capsys.readouterr().out)["tables"]["steps"]
        (step,) = [one for one in steps if one["stage"] == "exact_cache"]
        assert (step["decision"], step["reason"]) == ("not served", f"takes no part: {why}")
    said = {one["code"]: one["message"] for one in report["warnings"]}
    assert "2 calls have no list price, so they meet no cache and no budget" in said["W201"]
    assert said["W202"].endswith("; $0.50 of the policy's cost is theirs")


def explained(reports: Reports, name: str) -> dict[str, Any]:
    assert run(["explain-request", name, "--db", str(reports.folder / "c.duckdb"), "--output", "json"]) == 0
    found: dict[str, Any] = json.loads(reports.out())
    return found


def test_the_costs_of_the_steps_sum_to_the_last(reports: Reports) -> None:
    """A compressor beside each call, an engine that idles, and a cache: every dollar stands in one row."""
    policy = (
        f"{ROUTED}compression: {{ratio_kept: 0.5, usd_per_million_tokens: 1}}\n"
        "cache: {exact: {ttl: 24h}}\nself_hosted: [{name: own/m, usd_per_hour: 1, tokens_per_s: 1000}]\n"
        "specialists: {own: {models: [own/m]}}\n"
    )
    report = reports(policy, [request(0), request(1, prompt_hash="q0"), request(2, completion_tokens=300)])
    spent = Decimal(0)
    for number in range(3):
        told = explained(reports, f"r{number}")
        steps = told["tables"]["steps"]
        parts = {step["stage"]: usd(step["cost_usd"]) for step in steps[:-1] if step["cost_usd"] is not None}
        total = usd(steps[-1]["cost_usd"])
        assert (steps[-1]["stage"], sum(parts.values())) == ("total", total)
        assert total == usd(told["totals"]["policy_cost_usd"])
        if number != 1:
            assert parts["beside"] == Decimal("0.001"), "1,000 tokens through the compressor"
        spent += total
    assert spent == usd(report["totals"]["policy_cost_usd"])
    assert usd(explained(reports, "r0")["totals"]["baseline_cost_usd"]) == C_USD


def test_a_cap_is_told_with_its_limit_and_whose_it_is(reports: Reports) -> None:
    policy = (
        f"{TIERS}routing: {{default: C}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"
        "budgets: {usd_per_day: [{user: u1, max: 0.0035}]}\n"
    )
    reports(policy, [request(number) for number in range(3)])
    (step,) = [one for one in explained(reports, "r2")["tables"]["steps"] if one["stage"] == "budgets"]
    owner = hashlib.sha256(b"costctl user:u1").hexdigest()[:16]
    assert step["decision"] == "down to tier A, over the cap there as well"
    # r0 on tier C takes all of it, r1 on tier A counts, too.
    used = "$0.00371 used before, the call would cost $0.0035"
    assert step["reason"] == f"over usd_per_day user u1, which is $0.0035; {used}; user {owner}"
    assert usd(explained(reports, "r2")["totals"]["policy_cost_usd"]) == A_USD


def test_a_cap_on_tokens_is_not_kept_by_a_lower_tier(reports: Reports) -> None:
    """1,100 tokens a call under a cap of 2,000: the second and third go down a tier, over the cap all the same."""
    policy = (
        f"{TIERS}routing: {{default: C}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"
        "budgets: {tokens_per_day: [{user: u1, max: 2000}], over: degrade}\n"
    )
    calls = [request(number) for number in range(3)]
    (said,) = [one for one in reports(policy, calls)["warnings"] if one["code"] == "W299"]
    assert said["message"] == (
        "2 calls are served over tokens_per_day user u1, with 2,200 tokens: a lower tier takes the same tokens"
    )
    refusing = reports(policy.replace("degrade", "refuse"), calls)
    assert not [one for one in refusing["warnings"] if one["code"] == "W299"]


@pytest.mark.parametrize(
    ("budget", "count", "reason"),
    [
        ("tokens_per_day: [{user: u1, max: 2000}]", 2,
         "over tokens_per_day user u1, which is 2,000 tokens; 1,100 tokens used before, 1,100 of the call"),
        ("usd_per_request_max: 0.001", 2, "over usd_per_request_max, which is $0.001; the call would cost $0.0035"),
        ("max_share_per_day: {C: 0.5}", 101, "over max_share_per_day, which is C 50%; the tier had 100 calls that day"),
    ],
)  # fmt: skip
def test_what_was_used_of_each_kind_of_cap_is_told(reports: Reports, budget: str, count: int, reason: str) -> None:
    policy = (
        f"{TIERS}routing: {{default: C}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"
        f"budgets: {{{budget}}}\n"
    )
    times = [f"2026-03-02T{10 + number // 60}:{number % 60:02}:00Z" for number in range(count)]
    reports(policy, [request(number, timestamp=time) for number, time in enumerate(times)])
    (step,) = [one for one in explained(reports, f"r{count - 1}")["tables"]["steps"] if one["stage"] == "budgets"]
    assert step["reason"].partition("; user ")[0] == reason


def test_what_has_no_price_or_no_answer_says_so(reports: Reports) -> None:
    reports(ROUTED, [request(0), request(1, model="nobody/knows")])
    steps = explained(reports, "r1")["tables"]["steps"]
    assert steps[1]["reason"].endswith("; no price for 'knows'")
    moved = [one["reason"] for one in steps if one["decision"] == "tier logged"]
    assert moved == ["is not moved: no price for 'knows'"]
    assert (steps[-1]["stage"], steps[-1]["decision"], steps[-1]["cost_usd"]) == ("total", "no cost is known", None)


def said_of(report: dict[str, Any], code: str) -> list[str]:
    return [one["message"] for one in report["warnings"] if one["code"] == code]


@pytest.mark.parametrize(
    ("tier", "where", "why", "to"),
    [
        ("tiers: {A: {models: [gpt-4o-mini], context_tokens: 500}, C: {models: [gpt-4o]}}\n", "A",
         "and its context_tokens are 500; each goes to the next tier that can hold it, else stays as logged", "C"),
        ("tiers: {C: {models: [gpt-4o]}}\nspecialists: {old: {models: [gpt-4]}}\n", "old",
         "more than the window of gpt-4; each stays as logged", "logged"),
    ],
)  # fmt: skip
def test_a_tier_that_nothing_fits_is_told_with_the_cause(
    reports: Reports, tier: str, where: str, why: str, to: str
) -> None:
    """1,000 tokens and an answer of 100 or 90 where 500 fit; 9,000 where the window has 8,192."""
    policy = f"{tier}routing: {{default: {where}}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"
    tokens = 1000 if where == "A" else 9000
    calls = [request(0, prompt_tokens=tokens), request(1, prompt_tokens=tokens, completion_tokens=90)]
    assert said_of(reports(policy, calls), "W228") == [
        f"nothing that the rules send to {where} fits there (2 calls): the smallest needs {tokens + 90:,} tokens "
        f"with its answer, {why}"
    ]
    steps = [one for one in explained(reports, "r1")["tables"]["steps"] if one["stage"] == "route"]
    assert [(one["decision"], one["reason"]) for one in steps] == [
        (f"tier {where}", "default"), (f"tier {to}", f"not tier {where}: its tier cannot hold it"),
    ]  # fmt: skip
    assert said_of(reports(policy, [*calls, request(2, prompt_tokens=100)]), "W228") == []


def test_one_cause_is_told_why_a_call_is_not_where_the_rules_send_it(reports: Reports) -> None:
    """The first call needs C, which its session keeps; the others have no counts, or no time."""
    policy = (
        f"{TIERS}routing: {{default: A, sticky: session, "
        "rules: [{name: big, when: {input_tokens: '>1500'}, to: C}]}\n"
        "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
    )
    calls = [
        request(0, prompt_tokens=2000, session_id="s"), request(1, session_id="s"),
        request(3, completion_tokens=""), request(4, timestamp=""),
    ]  # fmt: skip
    reports(policy, calls)
    causes = {
        "r1": ("tier C", "routing.sticky: an earlier call of its session or user was served there"),
        "r3": ("tier logged", "is not moved: the log counts no output tokens"),
        "r4": ("tier logged", "not tier A: it has no time, so it is not moved"),
    }
    for name, cause in causes.items():
        steps = [one for one in explained(reports, name)["tables"]["steps"] if one["stage"] == "route"]
        assert [(one["decision"], one["reason"]) for one in steps][1:] == [cause], name


def test_answers_that_a_cap_cuts_are_counted_and_judged_by_nobody(reports: Reports) -> None:
    policy = (
        "tiers: {A: {models: [gpt-4o-mini], max_output_tokens: 50}}\nassume: {output_tokens_ratio: 1, "
        "input_tokens_ratio: 1}\nrouting: {default: A}\n"
    )
    calls = [request(0), request(1, completion_tokens=50)]
    scores = reports.scores('{"request_id": "r0", "model": "gpt-4o-mini", "score": 1}\n')
    report = reports(policy, calls, "--scores", scores)
    (said,) = said_of(report, "W229")
    assert said.startswith("1 answer is cut by max_output_tokens (A 1): what is left may serve nobody")
    assert report["provenance"]["not_computed"]["policy_quality_mean"] == (
        "no evidence: no score of a whole answer of the model that serves; "
        "1 answer is cut by max_output_tokens, and no score is of such"
    )
    steps = {one["stage"]: one for one in explained(reports, "r0")["tables"]["steps"]}
    assert (steps["output_cap"]["decision"], steps["output_cap"]["reason"]) == (
        "the answer is cut to 50 tokens", "cap of tier A; 100 in the log",
    )  # fmt: skip
    assert "output_cap" not in {one["stage"] for one in explained(reports, "r1")["tables"]["steps"]}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((99,), "on 1 of 1 day C serves more than 10%; 99 of its 99 calls there came before"),
        ((120, 50), "on 2 of 2 days C serves more than 10%; 150 of its 150 calls there came before"),
        ((1100,), None),  # a tenth of them
    ],
)
def test_what_a_share_does_not_cap_is_told(reports: Reports, counts: tuple[int, ...], told: str | None) -> None:
    """The first hundred calls of each day go to C, whatever its share."""
    policy = (
        f"{TIERS}routing: {{default: C}}\nassume: {{output_tokens_ratio: 1, input_tokens_ratio: 1}}\n"
        "budgets: {max_share_per_day: {C: 10%}}\n"
    )
    calls = [
        request(1000 * day + number, timestamp=f"2026-03-0{2 + day}T{number // 60:02}:{number % 60:02}:00Z")
        for day, count in enumerate(counts)
        for number in range(count)
    ]
    begin = "max_share_per_day counts from the 101st call of a UTC day on: "
    assert said_of(reports(policy, calls), "W227") == ([] if told is None else [begin + told])


def test_refused_calls_are_one_amount_beside_an_engine_that_idles(reports: Reports) -> None:
    """Nobody asks the engine, so its hour is spread over all calls; a refused call cost $0.35 in the log."""
    policy = (
        "specialists: {own: {models: [own/m]}}\nself_hosted: [{name: own/m, usd_per_hour: 1, tokens_per_s: 1000}]\n"
        "routing: {default: logged, rules: [{name: r, when: {endpoint: /none}, to: own}]}\n"
        "budgets: {usd_per_day: 0.35, over: refuse}\nassume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
    )
    calls = [request(number, prompt_tokens=100_000, completion_tokens=10_000) for number in (0, 30, 59)]
    report = reports(policy, calls)
    assert report["totals"]["refused_count"] == 2
    assert usd(report["totals"]["self_hosted_idle_cost_usd"]) > 0
    assert usd(report["totals"]["unanswered_saving_usd"]) == Decimal("0.7")
    (said,) = said_of(report, "W209")
    assert said == "2 calls are refused: the $0.70 that they cost in the log counts as saved"


def test_one_off_costs_are_told_where_they_are_not_paid_back(reports: Reports) -> None:
    policy = "fixed_costs: [{name: redis, usd_per_month: 60, one_off_usd: 120}]\n"
    report = reports(policy, [request(0), request(59)])
    assert usd(report["totals"]["one_off_cost_usd"]) == 120
    assert "; $120.00 one-off costs come on top\n" in reports.said(output="table")[1]


def test_why_latencies_have_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A compressor of 1 ms a token beside each call is neither as logged nor a hit."""
    log, policy = tmp_path / "log.csv", tmp_path / "policy.yaml"
    lines = [f"r{i},2026-03-02T10:{i:02d}:00Z,gpt-4o,1000,5,100" for i in range(10)]
    log.write_text("id,timestamp,model,prompt_tokens,completion_tokens,latency_ms\n" + "\n".join(lines), "utf-8")
    tiers = "version: 1\ntiers: {A: {models: [gpt-4o]}}\nrouting: {default: A}\n"
    compressed = f"{tiers}compression: {{ratio_kept: 0.5, ms_per_1k_tokens: 1000}}\n"
    said = {}
    for text in (tiers, compressed):
        policy.write_text(text, "utf-8")
        where = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
        assert run(["simulate", str(log), *where]) == 0
        said[text] = json.loads(capsys.readouterr().out)["provenance"]["not_computed"]["policy_latency_ms_interval"]
    assert said[tiers] == "not estimated: each is as logged, or of a hit"
    assert said[compressed] == (
        "not estimated: each is as logged, or of a hit, with work beside it that takes what the policy says: compressor"
    )


def test_a_log_that_costs_nothing_is_simulated_and_says_so(reports: Reports) -> None:
    """Answers of no tokens: no saving is a share of $0, so none is told, and a gate on it is not passed."""
    reports.write(f"{ROUTED}gates: [{{gate: 'saving_ratio >= 0', level: warn}}]\n", [])
    line = '{"timestamp": "2026-03-01T10:00:0%dZ", "model": "gpt-4o", "prompt_tokens": 0, "completion_tokens": 0}\n'
    reports.log = reports.folder / "free.jsonl"
    reports.log.write_text("".join(line % second for second in range(5)), "utf-8")
    policy = reports.policy.read_text("utf-8").replace("assume:", "# assume:")  # so that the cost has a range
    for text in (reports.policy.read_text("utf-8"), policy):
        reports.policy.write_text(text, "utf-8")
        code, out, err = reports.said()
        assert code == 0, err
        report = json.loads(out)
        assert (report["totals"]["call_count"], Decimal(report["totals"]["policy_cost_usd"])) == (5, 0)
        assert not [name for name in report["totals"] if name.startswith("saving_ratio")]
        why = "not identifiable: the calls of the log cost $0, so no saving is a share of it"
        assert report["provenance"]["not_computed"]["saving_ratio"] == why
        (gate,) = report["tables"]["gates"]
        assert (gate["verdict"], gate["reason"]) == ("NOT RUN", why)
        code, out, err = reports.said(output="table")
        assert code == 0, err
        assert "log costs $0" in out
    assert "range" in out
