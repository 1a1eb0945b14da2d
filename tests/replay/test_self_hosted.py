"""Engines of one's own: hours, shares and break-even worked out by hand; their place in the report."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import write_log

COLUMNS = (
    "id", "timestamp", "model", "prompt_tokens", "completion_tokens", "endpoint", "prompt_hash", "status", "latency_ms",
)  # fmt: skip
ASSUME = "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
# 10 tokens/s in 2 sequences: 5 tokens/s each, 200 ms a token; $3.60 / 36,000 tokens = $0.0001 a token at full load.
L4 = (
    "{name: self/llama-3.1-8b, engine: vllm, accelerator: L4, usd_per_hour: 3.6, tokens_per_s: 10, max_num_seqs: 2, "
    "quantization: awq, quality_ratio: 0.97, one_off_usd: 25}"
)
# 40 tokens/s in one sequence on each of 2: 25 ms a token; $7.20 / 144,000 tokens = $0.00005 a token at full load.
TPU = "{name: self/tpu, engine: jetstream, accelerator: TPU v5e, count: 2, usd_per_hour: 7.2, tokens_per_s: 40}"
TWO = f"self_hosted: [{L4}, {TPU}]\n"


def call(number: int, when: str, output: int, **said: Any) -> tuple[Any, ...]:
    """One call of gpt-4o of 1,000 tokens in; it costs $0.0025 and $0.00001 for each token out."""
    row = {
        "id": f"r{number}", "timestamp": f"2026-03-02T{when}Z", "model": "gpt-4o", "prompt_tokens": 1000,
        "completion_tokens": output, "endpoint": "/chat", "prompt_hash": f"q{number}", "status": "ok", "latency_ms": "",
    }  # fmt: skip
    return tuple((row | said)[name] for name in COLUMNS)


class Simulated:
    """The report of one simulation, its decisions in `made`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.made: dict[str, dict[str, Any]] = {}

    def __call__(self, policy: str, calls: list[tuple[Any, ...]], *more: str) -> dict[str, Any]:
        log, file, made = (self.folder / name for name in ("log.csv", "policy.yaml", "made.jsonl"))
        write_log(log, [COLUMNS, *calls])
        file.write_text("version: 1\n" + policy, "utf-8")
        arguments = [str(log), "--policy", str(file), "--decisions", str(made), "--output", "json", *more]
        assert run(["simulate", *arguments, "--db", str(self.folder / "c.duckdb")]) == 0
        report: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        self.made = {one["request_id"]: one for one in map(json.loads, made.read_text("utf-8").splitlines())}
        return report


@pytest.fixture
def simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulated:
    return Simulated(tmp_path, capsys)


def engines(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in report["tables"]["self_hosted"]}


def change(report: dict[str, Any], stage: str) -> Decimal:
    return next(Decimal(row["change_usd"]) for row in report["tables"]["waterfall"] if row["stage"] == stage)


def codes(report: dict[str, Any]) -> set[str]:
    return {warning["code"] for warning in report["warnings"]}


def test_two_engines_by_hand(simulated: Simulated) -> None:
    """Ten hours of $3.60 are shared over 300 tokens, of $7.20 x 2 over 700, idle or not."""
    policy = (
        f"tiers: {{A: {{models: [self/llama-3.1-8b]}}}}\nspecialists: {{far: {{models: [self/tpu]}}}}\n{ASSUME}{TWO}"
        "routing: {default: A, rules: [{name: far, when: {endpoint: /far}, to: far}]}\n"
    )
    calls = [
        call(0, "00:00:00", 100), call(1, "00:00:00", 100), call(2, "00:00:05", 99), call(3, "05:00:00", 1),
        call(4, "05:00:00", 699, endpoint="/far"), call(5, "10:00:00", 1, endpoint="/far"),
    ]  # fmt: skip
    report = simulated(policy, calls)
    # $36 x 100 / 300, x 99 / 300, x 1 / 300; $144 x 699 / 700 and x 1 / 700, whose remainders differ.
    assert [simulated.made[f"r{number}"]["policy_cost_usd"] for number in range(6)] == [
        "12.000000000000", "12.000000000000", "11.880000000000", "0.120000000000",
        "143.794285714286", "0.205714285714",
    ]  # fmt: skip
    assert report["totals"]["policy_cost_usd"] == report["totals"]["self_hosted_cost_usd"] == "180.000000000000"
    assert report["totals"]["one_off_cost_usd"] == "25.000000000000"
    assert report["provenance"]["status"]["policy_cost_usd"] == "replayed under assumption"
    # At full load: 300 x $0.0001 + 700 x $0.00005 = $0.065; all of the rest is idle capacity.
    assert change(report, "route") == Decimal("0.065") - Decimal(report["totals"]["baseline_cost_usd"])
    assert change(report, "self_hosted") == Decimal("179.935")
    own, tpu = engines(report)["self/llama-3.1-8b"], engines(report)["self/tpu"]
    assert [own[name] for name in ("engine", "accelerator", "accelerator_count", "quantization", "call_count")] == [
        "vllm", "L4", 1, "awq", 4,
    ]  # fmt: skip
    assert (own["input_tokens"], own["output_tokens"], own["billed_hours"]) == (4000, 300, "10")
    assert own["busy_ratio"] == pytest.approx(300 / 360_000)
    assert tpu["busy_ratio"] == pytest.approx(700 / 2_880_000)
    assert (own["cost_usd"], own["full_load_cost_usd"], own["idle_cost_usd"]) == (
        "36.000000000000", "0.030000000000", "35.970000000000",
    )  # fmt: skip
    assert (own["per_million_output_usd"], own["full_load_per_million_output_usd"]) == (
        "120000.000000000000", "100.000000000000",
    )  # fmt: skip
    # r0 and r1 hold both places until 00:00:20; r2 comes at 00:00:05 and waits 15 s, then writes 19.8 s.
    assert [simulated.made[f"r{number}"]["policy_latency_ms"] for number in range(6)] == [
        20_000, 20_000, 34_800, 200, 17_475, 25,
    ]  # fmt: skip
    assert (own["queue_ms_p50"], own["queue_ms_p95"]) == ("0.0", "12750.0")  # between 0, 0, 0 and 15 s
    assert report["provenance"]["status"]["policy_latency_ms_p50"] == "replayed under assumption"
    assert report["totals"]["policy_latency_ms_p50"] == "18737.5"


def test_budgets_and_the_cheapest_go_by_the_price_of_full_load(simulated: Simulated) -> None:
    """Before the load is known 100 tokens are $0.01 on the engine, $0.00021 on gpt-4o-mini, $0.0035 on gpt-4o."""
    tiers = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4o, self/llama-3.1-8b], select: cheapest}}\n"
    calls = [call(0, "00:00:00", 10), call(1, "00:01:00", 1000), call(2, "01:00:00", 10)]
    report = simulated(f"{tiers}{ASSUME}{TWO}routing: {{default: B}}\n", calls)
    # 10 tokens: $0.001 beside $0.0026; 1,000: $0.1 beside $0.0125.
    assert [simulated.made[f"r{number}"]["model"] for number in range(3)] == [
        "self/llama-3.1-8b", "openai/gpt-4o", "self/llama-3.1-8b",
    ]  # fmt: skip
    assert "W261" in codes(report)  # nothing comes to self/tpu
    tables = report["tables"]
    (of_tiers,) = [row for row in tables["by_tier"] if row["tier"] == "idle engines"]
    (of_models,) = [row for row in tables["by_model"] if row["model"] == "self/tpu"]
    assert of_tiers["policy_cost_usd"] == of_models["policy_cost_usd"] != "0.000000000000"
    for name in ("by_tier", "by_model"):
        spent = sum(Decimal(row["policy_cost_usd"]) for row in tables[name])
        assert spent == Decimal(report["totals"]["policy_cost_usd"])
    only = f"tiers: {{A: {{models: [gpt-4o-mini]}}, B: {{models: [self/llama-3.1-8b]}}}}\n{ASSUME}{TWO}"
    simulated(f"{only}routing: {{default: B}}\nbudgets: {{usd_per_request_max: 0.01}}\n", calls)
    assert [simulated.made[f"r{number}"]["tier"] for number in range(3)] == ["B", "A", "B"]


def test_the_head_says_what_idle_engines_cost(simulated: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    """Two hours: nothing comes to $3.60 x 2 and $7.20 x 2 x 2 of engines; two of three calls move to gpt-4o-mini."""
    policy = f"tiers: {{A: {{models: [gpt-4o-mini]}}, B: {{models: [gpt-4o]}}}}\n{ASSUME}{TWO}"
    calls = [call(0, "00:00:00", 1000), call(1, "01:00:00", 1000), call(2, "02:00:00", 1000, endpoint="/dear")]
    report = simulated(
        f"{policy}routing: {{default: A, rules: [{{name: dear, when: {{endpoint: /dear}}, to: B}}]}}\n", calls
    )
    # gpt-4o $0.0125, gpt-4o-mini $0.00075: 2 x $0.01175 saved, $36 more for engines that stand idle.
    totals = report["totals"]
    assert (totals["self_hosted_cost_usd"], totals["self_hosted_idle_cost_usd"]) == ("36.000000000000",) * 2
    assert totals["saving_usd"] == "-35.976500000000"
    assert [row["idle_cost_usd"] for row in report["tables"]["self_hosted"]] == ["7.200000000000", "28.800000000000"]
    where = ["--policy", str(simulated.folder / "policy.yaml"), "--db", str(simulated.folder / "c.duckdb")]
    line = "of that cost $36.00 is idle engine time; without it: saves $0.02"
    for output in ("table", "github-comment"):
        assert run(["simulate", str(simulated.folder / "log.csv"), *where, "--output", output]) == 0
        assert line in capsys.readouterr().out.replace("\\", ""), output
    # An engine that writes without a pause has next to none.
    only = f"tiers: {{A: {{models: [self/llama-3.1-8b]}}}}\n{ASSUME}self_hosted: [{L4}]\nrouting: {{default: A}}\n"
    busy = simulated(only, [call(0, "00:00:00", 36_000), call(1, "01:00:00", 36_000)])
    assert busy["totals"]["self_hosted_cost_usd"] == "7.200000000000"
    assert busy["totals"]["self_hosted_idle_cost_usd"] == "0.000000000000"


def test_the_price_of_full_load_is_rounded_up_to_a_picodollar(simulated: Simulated) -> None:
    """$1 / (7 x 3,600) a token is $0.0000396825396825...; the hour itself costs $1."""
    policy = (
        f"tiers: {{A: {{models: [self/x]}}}}\n{ASSUME}routing: {{default: A}}\n"
        "self_hosted: [{name: self/x, usd_per_hour: 1, tokens_per_s: 7}]\n"
    )
    report = simulated(policy, [call(0, "00:00:00", 1), call(1, "01:00:00", 2)])
    (own,) = engines(report).values()
    assert own["full_load_cost_usd"] == "0.000119047620"  # 3 x 39,682,540
    assert own["cost_usd"] == "1.000000000000"
    # A third and two thirds of 10^12: remainders 1/3 and 2/3, so the second takes what is left over.
    assert [simulated.made[f"r{number}"]["policy_cost_usd"] for number in range(2)] == [
        "0.333333333333", "0.666666666667",
    ]  # fmt: skip


def test_an_engine_that_has_too_much_to_do_is_paid_until_it_is_done(simulated: Simulated) -> None:
    """7,200 tokens at 10 tokens/s are 720 s of work in a log of 60 s: 3.60 x 720 / 3,600."""
    policy = f"tiers: {{A: {{models: [self/llama-3.1-8b]}}}}\n{ASSUME}self_hosted: [{L4}]\nrouting: {{default: A}}\n"
    report = simulated(policy, [call(0, "00:00:00", 3600), call(1, "00:01:00", 3600)])
    (own,) = engines(report).values()
    assert (own["cost_usd"], own["billed_hours"], own["busy_ratio"]) == ("0.720000000000", "0.2", 1.0)
    assert change(report, "self_hosted") == 0
    assert "W262" in codes(report)
    assert any("12 would do" in warning["message"] for warning in report["warnings"])


def test_break_even_beside_the_cheapest_model_bought_by_tokens(simulated: Simulated) -> None:
    """An hour of $0.36 beside 1,000 calls of gpt-4o-mini at 1,000 x 0.15 + 100 x 0.60 per million: $0.21."""
    engine = "{name: self/x, usd_per_hour: %s, tokens_per_s: %s, max_num_seqs: 8}"
    tiers = "tiers: {A: {models: [self/x]}, B: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}\n"
    calls = [call(number, f"00:{number * 3 // 50:02d}:{number * 3 % 50:02d}", 100) for number in range(999)]
    calls.append(call(999, "01:00:00", 100))

    def told(usd_per_hour: float, tokens_per_s: float) -> dict[str, Any]:
        hosted = f"self_hosted: [{engine % (usd_per_hour, tokens_per_s)}]\n"
        (own,) = engines(simulated(f"{tiers}{ASSUME}{hosted}routing: {{default: A}}\n", calls)).values()
        assert (own["compared_with"], own["compared_cost_usd"]) == ("gpt-4o-mini", "0.210000000000")
        return dict(own)

    assert told(0.105, 500)["break_even_load_ratio"] == 0.5
    assert told(0.42, 500)["break_even_load_ratio"] == 2.0
    # 100,000 tokens an hour; twice as many are more than 50 tokens/s x 3,600 s.
    never = told(0.42, 50)
    assert never["break_even_load_ratio"] is None
    assert "never: at full load too it costs more than gpt-4o-mini" in never["what"]


def test_without_another_model_it_stands_beside_the_log(simulated: Simulated) -> None:
    policy = f"tiers: {{A: {{models: [self/llama-3.1-8b]}}}}\n{ASSUME}self_hosted: [{L4}]\nrouting: {{default: A}}\n"
    report = simulated(policy, [call(0, "00:00:00", 100), call(1, "10:00:00", 100)])
    (own,) = engines(report).values()
    assert (own["compared_with"], own["compared_cost_usd"]) == ("the logged models", "0.007000000000")
    assert [row["reference"] for row in report["tables"]["references"]] == [
        "policy", "best_single_model", "random_at_equal_cost", "oracle", "all on self/llama-3.1-8b",
    ]  # fmt: skip
    assert {row["cost_usd"] for row in report["tables"]["references"] if row["cost_usd"]} == {"36.000000000000"}


@pytest.mark.parametrize(
    ("said", "quality", "code"),
    [
        ("quantization: none", "no evidence", None),
        ("quantization: gptq", "no evidence", "W265"),
        ("quantization: gguf, quality_ratio: 0.9", "x 0.9 stated by the policy", "W264"),
    ],
)
def test_quality_is_what_the_policy_states_and_in_no_score(
    simulated: Simulated, said: str, quality: str, code: str | None
) -> None:
    policy = (
        f"tiers: {{A: {{models: [self/x]}}}}\n{ASSUME}routing: {{default: A}}\n"
        f"self_hosted: [{{name: self/x, usd_per_hour: 1, tokens_per_s: 9, {said}}}]\n"
    )
    report = simulated(policy, [call(0, "00:00:00", 1), call(1, "01:00:00", 2)])
    (row,) = report["tables"]["quality"]
    assert (row["scored_model"], row["scored_count"], row["mean_score"]) == ("self/x", 0, None)
    assert row["scored_in"] == f"nowhere: {quality}"
    assert codes(report) & {"W264", "W265"} == ({code} if code else set())
    (own,) = engines(report).values()
    assert quality in own["what"]


def test_an_engine_is_paid_for_though_no_call_comes_to_it(simulated: Simulated) -> None:
    """An hour of $3.60 and two of $7.20, shared equally over the two calls with a price."""
    calls = [call(0, "00:00:00", 100), call(1, "00:30:00", 100, model="ft:nobody-knows"), call(2, "01:00:00", 100)]
    report = simulated(f"tiers: {{A: {{models: [gpt-4o]}}}}\n{ASSUME}{TWO}routing: {{default: A}}\n", calls)
    assert change(report, "self_hosted") == 18
    assert [simulated.made[f"r{number}"]["policy_cost_usd"] for number in (0, 2)] == ["9.003500000000"] * 2
    assert Decimal(simulated.made["r1"]["policy_cost_usd"] or 0) == 0
    assert {row["call_count"] for row in report["tables"]["self_hosted"]} == {0}
    # Without routing no call can come to it, so nobody needs it.
    none = simulated(f"tiers: {{A: {{models: [gpt-4o]}}}}\n{TWO}", calls)
    assert none["totals"]["saving_usd"] == "0.000000000000"
    assert "self_hosted" not in none["tables"]
    assert report["totals"]["saving_without_routing_usd"] == "0.000000000000"


def test_the_boundary_of_thinking_holds_for_an_engine_too(simulated: Simulated, tmp_path: Path) -> None:
    """What a model that thinks would write for one that does not is not identifiable, unless the policy says it."""
    policy = (
        "tiers: {A: {models: [self/gpt-oss-20b]}}\nrouting: {default: A}\n"
        "self_hosted: [{name: self/gpt-oss-20b, usd_per_hour: 1, tokens_per_s: 9}]\n"
    )
    calls = [call(0, "00:00:00", 1), call(1, "01:00:00", 2)]
    with pytest.raises(AssertionError):
        simulated(policy, calls)
    report = simulated(f"{policy}assume: {{output_tokens_ratio: {{self/gpt-oss-20b: 3}}}}\n", calls)
    (own,) = engines(report).values()
    assert own["output_tokens"] == 9


def test_answers_have_the_length_that_is_measured_of_the_model(simulated: Simulated) -> None:
    """508 tokens of llama-3.1-8b for 404 of gpt-4o: 404 become 508; a cap cuts them, and the time with them."""
    policy = f"tiers: {{A: {{models: [self/llama-3.1-8b]%s}}}}\nself_hosted: [{L4}]\nrouting: {{default: A}}\n"
    report = simulated(policy % "", [call(0, "00:00:00", 404)])
    assert engines(report)["self/llama-3.1-8b"]["output_tokens"] == 508
    assert report["totals"]["policy_cost_usd_low"] == report["totals"]["policy_cost_usd_high"]
    simulated(policy % ", max_output_tokens: 50", [call(0, "00:00:00", 404)])
    assert (simulated.made["r0"]["output_tokens"], simulated.made["r0"]["policy_latency_ms"]) == (50, 10_000)


def test_an_answer_that_escalates_is_work_too(simulated: Simulated) -> None:
    """All calls go to the engine and then to gpt-4o: both are paid, and the call takes as long as both."""
    tiers = "tiers: {A: {models: [self/llama-3.1-8b]}, B: {models: [gpt-4o]}}\n"
    policy = (
        f"{tiers}{ASSUME}self_hosted: [{L4}]\nrouting: {{default: A}}\n"
        "escalate: {from: A, to: B, when: [refusal], ratio: 100%}\n"
    )
    report = simulated(policy, [call(0, "00:00:00", 100), call(1, "01:00:00", 100)])
    (own,) = engines(report).values()
    assert (own["call_count"], own["output_tokens"], own["cost_usd"]) == (2, 200, "3.600000000000")
    assert report["totals"]["policy_cost_usd"] == "3.607000000000"  # and twice $0.0035
    assert report["totals"]["escalated_count"] == 2
    assert change(report, "self_hosted") == Decimal("3.6") - Decimal("0.02")


def test_a_turn_before_the_engine_puts_its_arrival_off(simulated: Simulated) -> None:
    """What falls back comes to the engine when the attempt has failed, after 1 s; there two at a time are in line."""
    policy = (
        f"tiers: {{A: {{models: [self/x]}}, B: {{models: [gpt-4o-mini]}}}}\n{ASSUME}fallbacks: {{B: [A]}}\n"
        "routing: {rules: [{name: b, when: {endpoint: /chat}, to: B}]}\n"
        "self_hosted: [{name: self/x, usd_per_hour: 1, tokens_per_s: 1000}]\n"
    )
    calls = [call(number, f"00:{number // 2:02d}:00", 10, latency_ms=500) for number in range(20)]
    failed = {"model": "gpt-4o-mini", "endpoint": "/other", "latency_ms": 1000}
    calls += [call(20 + number, f"00:{number // 2:02d}:30", 10, **failed, status="error") for number in range(99)]
    calls.append(call(200, "00:50:00", 10, **failed))
    simulated(policy, calls)
    fell = [one for one in simulated.made.values() if one["is_fallback"]]
    assert len(fell) >= 16
    assert {one["policy_latency_ms"] for one in fell} == {1010, 1020}
    assert {one["tier"] for one in fell} == {"A"}


def test_work_on_answers_by_an_engine_is_its_work_too(simulated: Simulated) -> None:
    """Each answer is translated: as many tokens again, once it is there."""
    policy = (
        f"tiers: {{A: {{models: [self/llama-3.1-8b]}}}}\n{ASSUME}self_hosted: [{L4}]\nrouting: {{default: A}}\n"
        "post_process: {translate: {tier: A, when: {not: {endpoint: /none}}}}\n"
    )
    report = simulated(policy, [call(0, "00:00:00", 10), call(1, "01:00:00", 20)])
    (own,) = engines(report).values()
    # 10 tokens take 2 s and 20 take 4 s, twice.
    assert (own["call_count"], own["output_tokens"], own["cost_usd"]) == (2, 60, "3.600000000000")
    assert [simulated.made[f"r{number}"]["policy_latency_ms"] for number in range(2)] == [4000, 8000]
    assert [simulated.made[f"r{number}"]["policy_cost_usd"] for number in range(2)] == [
        "1.200000000000", "2.400000000000",
    ]  # fmt: skip
    assert "not identifiable: some of its work is beside the calls" in own["what"]


def test_retries_and_limits_leave_an_engine_its_time(simulated: Simulated) -> None:
    """An engine always answers, in its own time, also where attempts are played; a limit's wait comes before it."""
    policy = (
        f"tiers: {{A: {{models: [self/llama-3.1-8b], timeout_s: 1}}}}\n{ASSUME}self_hosted: [{L4}]\n"
        "routing: {default: A}\nretries: {max: 1, backoff_s: 1, on: [timeout]}\n"
        "limits: {self: {requests_per_min: 1, over: queue}}\n"
    )
    report = simulated(policy, [call(0, "00:00:00", 10), call(1, "00:00:00", 10), call(2, "01:00:00", 5)])
    assert [simulated.made[f"r{number}"]["policy_latency_ms"] for number in range(3)] == [2000, 62_000, 1000]
    assert report["totals"]["timeout_count"] == 0
    assert any(w["code"] == "W266" and "2 calls" in w["message"] for w in report["warnings"])
    assert "needs 5 latencies, there are 3" in report["provenance"]["not_computed"]["policy_latency_ms_p50"]


def test_staged_and_more_volume_keep_the_hours(simulated: Simulated) -> None:
    """The roadmap ends at the policy; twice the calls in the same hours cost the same hours."""
    policy = (
        f"tiers: {{A: {{models: [self/llama-3.1-8b]}}}}\n{ASSUME}self_hosted: [{L4}]\nrouting: {{default: A}}\n"
        "scenarios: {volume_ratio: 2}\n"
    )
    report = simulated(policy, [call(0, "00:00:00", 100), call(1, "01:00:00", 100)], "--staged")
    assert [row["policy_cost_usd"] for row in report["tables"]["scenarios"]] == ["3.600000000000"] * 2
    assert report["tables"]["staged"][-1]["policy_cost_usd"] == "3.600000000000"


def test_an_unknown_name_is_still_refused(simulated: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    policy = f"tiers: {{A: {{models: [self/other]}}}}\nself_hosted: [{L4}]\nrouting: {{default: A}}\n"
    with pytest.raises(AssertionError):
        simulated(policy, [call(0, "00:00:00", 100)])
    err = capsys.readouterr().err
    assert "E401" in err
    assert "tiers.A.models[0]: runs on own machines" in err
    assert "describe its engine under self_hosted" in " ".join(err.split())
