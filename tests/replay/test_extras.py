"""What a policy adds beside its calls: data sources and work on answers; worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from costctl.policy.load import parse_policy
from costctl.replay.draws import uniform
from costctl.replay.outputs import asking
from tests.replay.around import ASSUME, TIERS, Around, call, usd
from tests.replay.compare import SEED, Bench, book
from tests.replay.logs import Row, make_log, store_of

TO_A, TO_B = "routing: {default: A}\n", "routing: {default: B}\n"
SOURCES = (
    "data_sources: [{name: own, usd_per_call: 0, latency_ms: 20, hit_ratio: 70%}, "
    "{name: official, usd_per_call: 0.001, latency_ms: 300, hit_ratio: 80%}, "
    "{name: open_api, usd_per_call: 0.002, latency_ms: 600, hit_ratio: 100%}]\n"
)


def facts(number: int, **said: object) -> Row:
    return call(number, intent="external_facts", **said)


@pytest.mark.parametrize(
    ("first", "second", "cost", "latency_ms", "source"),
    [
        ("100%", "100%", "0", 1020.0, "own"), ("0%", "100%", "0.001", 1320.0, "official"),
        ("0%", "0%", "0.001", 1320.0, "no source had it"),
    ],
)  # fmt: skip
def test_a_source_is_asked_where_the_one_before_has_nothing(
    first: str, second: str, cost: str, latency_ms: float, source: str
) -> None:
    sources = SOURCES.replace("70%", first).replace("80%", second).partition(", {name: open_api")[0] + "]\n"
    found = Around(TIERS + TO_B + sources, [facts(0), call(1)])
    assert found.costs() == [usd("0.0135") + usd(cost), usd("0.0135")]
    assert [one["data_source"] for one in found.made] == [source, None]
    assert [one["policy_latency_ms"] for one in found.made] == [latency_ms, 1000.0]
    assert found.change("data_sources") == usd(cost)
    assert found.totals["data_source_miss_count"] == (source == "no source had it")
    assert "W247" in found.codes()


def test_each_source_answers_as_often_as_it_is_said_to() -> None:
    found = Around(TIERS + TO_B + SOURCES, [facts(number) for number in range(400)])
    own, official, open_api = found.rows("data_sources")
    assert own["call_count"] == 400
    assert abs(own["hit_count"] - 280) < 40
    assert official["call_count"] == 400 - own["hit_count"]
    assert open_api["call_count"] == official["call_count"] - official["hit_count"]
    assert open_api["hit_count"] == open_api["call_count"]
    assert (own["cost_usd"], official["cost_usd"]) == (0, official["call_count"] * usd("0.001"))
    asked = own["call_count"] + official["call_count"] + open_api["call_count"]
    assert found.totals["data_source_call_count"] == asked
    spent = official["call_count"] * usd("0.001") + open_api["call_count"] * usd("0.002")
    assert found.change("data_sources") == spent
    assert found.totals["policy_cost_usd"] == found.totals["baseline_cost_usd"] + spent


def test_the_draws_of_a_call_are_the_same_for_every_policy() -> None:
    rows = [facts(number) for number in range(60)]
    one = Around(TIERS + TO_B + SOURCES, rows)
    two = Around(TIERS + ASSUME + TO_A + "cache: {exact: {ttl: 1h}}\n" + SOURCES, rows)
    assert [made["data_source"] for made in one.made] == [made["data_source"] for made in two.made]
    with store_of(rows, book()) as store:
        key = Bench("draws", rows, store).calls.draw_key
    hits = uniform(SEED, key, "data source own") < 0.7
    assert [made["data_source"] == "own" for made in one.made] == hits.tolist()


def test_a_cache_hit_and_a_call_as_logged_ask_no_source() -> None:
    rows = [facts(0, prompt_key=1, temperature=0.0), facts(1, prompt_key=1, temperature=0.0), facts(2)]
    always = SOURCES.replace("usd_per_call: 0,", "usd_per_call: 1,")
    found = Around(TIERS + TO_B + "cache: {exact: {ttl: 1h, scope: []}}\n" + always, rows)
    assert found.made[1]["served_by"] == "exact_cache"
    assert found.costs()[1] == 0
    assert found.rows("data_sources")[0]["call_count"] == 2
    assert Around(TIERS + always, rows).rows("data_sources")[0]["call_count"] == 0


POST = "post_process: {reformat: {tier: A, when: {output_format: html}}, translate: {tier: C, when: {%s}}}\n"


def test_an_answer_is_read_and_written_again_by_the_tier_that_works_on_it() -> None:
    rows = [
        call(0, intent="html_answer", language="es"), call(1, language="en"), call(2, language="other"),
        call(3, response_format="json_object"), call(4, language="es"),
    ]  # fmt: skip
    found = Around(TIERS + TO_B + POST % "output_language_not: es", rows)
    own, reformat, translate = usd("0.0135"), usd("0.000075"), usd("0.00125")  # 100 and 100 tokens
    assert found.costs() == [own + reformat, own + translate, own, own, own]
    assert found.change("post_process") == reformat + translate
    assert found.totals["post_process_call_count"] == 2
    assert found.rows("extra_calls") == [
        {"name": "reformat", "model": "gpt-4o-mini", "call_count": 1, "input_tokens": 100, "cost_usd": reformat},
        {"name": "translate", "model": "gpt-4o", "call_count": 1, "input_tokens": 100, "cost_usd": translate},
    ]  # fmt: skip
    assert {"W248"} <= found.codes()


def test_work_on_an_answer_takes_as_long_as_its_model_does_in_the_log() -> None:
    """The log shows one latency of gpt-4o, a second, and none of gpt-4o-mini: a published one stands in."""
    rows = [call(number, language="en") for number in range(8)]
    found = Around(TIERS + TO_B + POST % "output_language: en", rows)
    assert {one["policy_latency_ms"] for one in found.made} == {2000.0}
    other = Around(TIERS + TO_B + POST.replace("html", "json") % "output_language: de", [
        call(number, response_format="json_schema") for number in range(8)
    ])  # fmt: skip
    assert {one["policy_latency_ms"] for one in other.made} == {1000 + 200 + 100 * 1000 / 160}
    assert other.status("policy_latency_ms_p50") == "replayed under assumption"
    assert [row["model"] for row in other.rows("latency_priors")] == ["openai/gpt-4o-mini"]


def test_what_is_worked_on_is_what_the_cap_of_the_tier_left() -> None:
    capped = TIERS.replace("models: logged", "models: logged, max_output_tokens: 40") + TO_B
    found = Around(capped + POST % "output_language: en", [call(0, language="en")])
    assert found.rows("extra_calls")[1]["input_tokens"] == 40


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("{output_language: es}", [0]), ("{output_language_not: es}", [1]), ("{not: {output_language: en}}", [0]),
        ("{output_format: json}", [2]), ("{output_format_not: json}", [3]), ("{endpoint: /chat}", [0, 1, 2, 3]),
        ("{any: [{output_language: en}, {output_format: html}]}", []),
    ],
)  # fmt: skip
def test_what_is_not_told_of_an_answer_fulfils_nothing(when: str, expected: list[int]) -> None:
    rows = [
        call(0, language="es"), call(1, language="en"), call(2, response_format="json_schema"),
        call(3, intent="html_answer"),
    ]  # fmt: skip
    text = f"version: 1\n{TIERS}post_process: {{reformat: {{tier: A, when: {when}}}}}\n"
    spec = parse_policy(text, "p").post_process
    assert spec is not None
    assert spec.reformat is not None
    with store_of(rows, book()) as store:
        assert Bench("asking", rows, store).calls.count == 4
        assert np.flatnonzero(asking(store, spec.reformat.when)).tolist() == expected


EVERYTHING = (
    "context: {max_history_turns: 1, summarise_over: 1k, summariser: A}\n"
    "compression: {ratio_kept: 0.37, min_input_tokens: 200, usd_per_million_tokens: 0.0201, ms_per_1k_tokens: 7}\n"
    "batch: {endpoints: [/simple, '/check*'], max_delay: 24h}\n"
    + SOURCES
    + "post_process: {reformat: {tier: A, when: {app: web}}, translate: {tier: C, when: {output_language: en}}}\n"
    "routing: {default: A, raise: [{name: up, when: {output_tokens: '>100'}, to: C, add_instruction: 'Say why.'}]}\n"
    "budgets: {usd_per_day: 0.3}\ncache: {exact: {ttl: 6h, scope: []}, prompt: {providers: auto}}\n"
    "retries: {max: 1, on: [error, server_error, timeout]}\nfallbacks: {C: [A]}\n"
)


@pytest.mark.parametrize("seed", range(4))
def test_the_rows_of_the_waterfall_sum_to_the_change_whatever_the_log(seed: int) -> None:
    rows = [row | {"intent": "external_facts"} if number % 5 == 0 else row for number, row in enumerate(make_log(seed))]
    found = Around(TIERS + ASSUME + EVERYTHING, rows)
    waterfall = found.rows("waterfall")
    total = sum((row["change_usd"] for row in waterfall), Decimal(0))
    assert total == found.totals["policy_cost_usd"] - found.totals["baseline_cost_usd"]
    assert sum(found.costs(), Decimal(0)) == found.totals["policy_cost_usd"]
    steps = {row["stage"]: row["price_change_usd"] + row["extra_cost_usd"] for row in found.rows("sent")}
    assert list(steps) == ["history", "compression", "instruction", "batch"]
    assert all(found.change(stage) == change for stage, change in steps.items())
    assert all(found.totals[name] for name in ("compressed_count", "instructed_count", "batched_count"))
    beside = sum(
        (row["cost_usd"] for table in ("extra_calls", "data_sources") for row in found.rows(table)), Decimal(0)
    )
    assert beside == sum((one["extra_cost_usd"] for one in found.made), Decimal(0))
    again = Around(TIERS + ASSUME + EVERYTHING, rows)
    assert again.report == found.report


@pytest.mark.parametrize("seed", range(3))
def test_keys_that_change_nothing_change_nothing(seed: int) -> None:
    rows = make_log(seed)
    routing = "routing: {default: A, sticky: session}\ncache: {prompt: {providers: auto}}\n"
    idle = (
        "context: {max_history_turns: 100000, summarise_over: 999M, summariser: A}\n"
        "compression: {ratio_kept: 1}\nbatch: {endpoints: [/nowhere], max_delay: 24h}\n"
    )
    plain, found = Around(TIERS + ASSUME + routing, rows), Around(TIERS + ASSUME + routing + idle, rows)
    assert found.costs() == plain.costs()
    assert [one["is_moved"] for one in found.made] == [one["is_moved"] for one in plain.made]
    assert [one["policy_latency_ms"] for one in found.made] == [one["policy_latency_ms"] for one in plain.made]
