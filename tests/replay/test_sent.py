"""What a policy sends in place of what the log shows: compression, instructions, batches; worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costctl.prices.published import read_data
from costctl.replay.sent import batch_window_us
from tests.replay.around import ASSUME, TIERS, Around, call, usd

COMPRESSION = (
    "compression: {ratio_kept: 0.5, min_input_tokens: 4k, usd_per_million_tokens: 0.02, ms_per_1k_tokens: 30}\n"
)
TO_A, TO_B = "routing: {default: A}\n", "routing: {default: B}\n"


def test_a_prompt_is_compressed_from_its_least_size_on() -> None:
    found = Around(TIERS + ASSUME + TO_A + COMPRESSION, [call(0), call(1, tokens=3999), call(2, tokens=4001)])
    # 2,500 x 0.15 + 100 x 0.60 and 5,000 x 0.02 for the compressor; the second is sent whole; 4,001 / 2 rounds up.
    assert found.costs() == [
        usd("0.000435") + usd("0.0001"), usd("0.00065985"),
        usd("0.00030015") + usd("0.00006") + usd("0.00008002"),
    ]  # fmt: skip
    assert [one["sent_input_tokens"] for one in found.made] == [2500, 3999, 2001]
    assert found.totals["compressed_count"] == 2
    # 2,500 and 2,000 tokens less at 0.15, and the compressor.
    assert found.change("compression") == usd("-0.000675") + usd("0.00018002")
    # Routing is priced with the prompts as they were: 13,000 tokens at 0.15 and not 2.50, 300 at 0.60 and not 10.
    assert found.change("route") == usd("-0.03055") - usd("0.00282")
    assert found.status("policy_cost_usd") == "replayed under assumption"
    assert "W242" in found.codes()


def test_the_cached_prefix_of_a_call_on_its_own_model_is_not_compressed() -> None:
    cached = call(0, input_uncached_tokens=4000, cache_read_tokens=1000)
    found = Around(TIERS + TO_B + COMPRESSION, [cached, call(1, input_uncached_tokens=3000, cache_read_tokens=2000)])
    # 2,000 x 2.5 + 1,000 x 1.25 + 100 x 10, and 4,000 x 0.02.
    assert found.costs() == [usd("0.00725") + usd("0.00008"), usd("0.011")]
    assert [one["is_moved"] for one in found.made] == [True, False]
    assert [one["cache_read_tokens"] for one in found.made] == [1000, 2000]


def test_a_call_that_no_rule_takes_from_the_log_is_sent_as_it_was() -> None:
    found = Around(TIERS + COMPRESSION, [call(0)])
    assert found.costs() == [usd("0.0135")]
    assert found.totals["compressed_count"] == 0


def test_a_shorter_prompt_falls_below_a_context_cliff() -> None:
    """Above 200,000 tokens all of a request costs twice as much, so dollars must not be scaled."""
    policy = "tiers: {A: {models: [claude-sonnet-4-5]}}\n" + ASSUME + TO_A + "compression: {ratio_kept: 0.5}\n"
    found = Around(policy, [call(0, tokens=300_000, request_model="gpt-4.1", model="gpt-4.1")])
    assert found.costs() == [usd("0.4515")]  # 150,000 x 3 + 100 x 15
    assert found.change("compression") == usd("0.4515") - usd("1.80225")  # 300,000 x 6 + 100 x 22.5


def test_a_compressed_prompt_may_fit_a_tier_that_was_too_small() -> None:
    small = "tiers: {A: {models: [gpt-4o-mini], context_tokens: 3k}, C: {models: [gpt-4o]}}\n" + ASSUME + TO_A
    assert [one["tier"] for one in Around(small, [call(0)]).made] == ["C"]
    assert [one["tier"] for one in Around(small + COMPRESSION, [call(0)]).made] == ["A"]


def test_the_compressor_takes_time() -> None:
    rows = [call(number, tokens=5000 if number % 2 else 100) for number in range(20)]
    found = Around(TIERS + TO_B + COMPRESSION, rows)
    assert [one["policy_latency_ms"] for one in found.made[:2]] == [1000.0, 1150.0]
    assert found.status("policy_latency_ms_p50") == "replayed under assumption"


def test_what_the_compressor_costs_is_charged_to_no_budget() -> None:
    dear = COMPRESSION.replace("0.02", "1000")
    found = Around(TIERS + ASSUME + TO_A + dear + "budgets: {usd_per_day: 0.000435}\n", [call(0)])
    assert found.totals["over_budget_count"] == 0
    assert found.costs() == [usd("5.000435")]


def test_an_instruction_is_added_to_the_calls_that_its_raise_brought_up() -> None:
    text = "Do not invent; use only the data given."  # 39 characters: 10 tokens
    raises = f"{{name: up, when: {{endpoint: /lead}}, to: C, add_instruction: {text!r}}}"
    policy = TIERS + ASSUME + f"routing: {{default: A, raise: [{raises}]}}\n"
    found = Around(policy, [call(0), call(1, endpoint="/lead")])
    assert [one["sent_input_tokens"] for one in found.made] == [5000, 5010]
    assert found.costs() == [usd("0.00081"), usd("0.013525")]  # 5,010 x 2.5 + 100 x 10
    assert found.change("instruction") == usd("0.000025")
    assert found.totals["instructed_count"] == 1
    assert "W243" in found.codes()
    down = Around(policy + "budgets: {usd_per_request_max: 0.001}\n", [call(1, endpoint="/lead")])
    assert down.costs() == [usd("0.0008115")], "it stays with the call on a lower tier"


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ("{endpoints: [/nightly], max_delay: 24h}", [True, True, False]),
        ("{endpoints: ['/n*'], max_delay: 2d}", [True, True, False]),
        ("{endpoints: [/nightly], max_delay: 23h}", [False, False, False]),
        ("{endpoints: [/other], max_delay: 24h}", [False, False, False]),
    ],
)
def test_calls_that_may_wait_are_batched_where_a_batch_is_answered_in_time(batch: str, expected: list[bool]) -> None:
    rules = "routing: {default: A, rules: [{name: own, when: {user_id: u2}, to: B}]}\n"
    rows = [call(0, endpoint="/nightly"), call(1, endpoint="/nightly", user_id="u2"), call(2, user_id="u2")]
    found = Around(TIERS + ASSUME + rules + f"batch: {batch}\n", rows)
    assert [bool(one["is_batched"]) for one in found.made] == expected
    assert found.totals["batched_count"] == sum(expected)
    half = Decimal(1) / 2
    full = [usd("0.00081"), usd("0.0135"), usd("0.0135")]
    costs = [cost * half if is_batched else cost for cost, is_batched in zip(full, expected, strict=True)]
    assert found.costs() == costs
    assert found.change("batch") == sum(costs, Decimal(0)) - sum(full, Decimal(0))
    assert [one["policy_latency_ms"] is None for one in found.made[1:]] == expected[1:]
    assert ("W245" in found.codes()) == ("W226" in found.codes()) == any(expected)
    assert ("W246" in found.codes()) == ("23h" in batch)
    assert ("W274" in found.codes()) == any(expected), "in March no price of a batch was published"


def test_a_published_price_of_a_batch_is_taken() -> None:
    policy = "tiers: {A: {models: [claude-sonnet-4-5]}}\nbatch: {endpoints: [/chat], max_delay: 24h}\n" + ASSUME + TO_A
    late = call(0)["started_at"].replace(month=11)
    found = Around(policy, [call(0, started_at=late)])
    assert found.costs() == [usd("0.00825")]  # 5,000 x 1.50 + 100 x 7.50
    assert "W274" not in found.codes()


def test_a_seller_without_a_batch_api_answers_at_once() -> None:
    policy = "tiers: {A: {models: [deepseek-chat]}}\n" + ASSUME + TO_A + "batch: {endpoints: [/chat], max_delay: 7d}\n"
    found = Around(policy, [call(0)])
    assert found.totals["batched_count"] == 0
    assert "W246" in found.codes()


def test_a_call_that_was_batched_in_the_log_keeps_its_price() -> None:
    logged = call(0, service_tier="batch")
    found = Around(TIERS + TO_B + "batch: {endpoints: [/chat], max_delay: 24h}\n", [logged])
    assert found.costs() == [usd("0.00675")]
    assert found.totals["batched_count"] == 0


def test_every_batch_window_has_its_source() -> None:
    data = read_data("batch.yaml")
    assert {entry["source"] for entry in data["windows"].values()} == set(data["sources"])
    assert all(type(entry["hours"]) is int and entry["hours"] > 0 for entry in data["windows"].values())
    known = {
        key: batch_window_us(key)
        for key in (
            "openai/gpt-4.1",
            "openai/gpt-4.1@azure:eu",
            "anthropic/claude@aws",
            "google/x@20250101",
            "self/llama",
        )
    }
    assert [key for key, window_us in known.items() if window_us is None] == ["anthropic/claude@aws", "self/llama"]


def test_all_steps_stand_in_their_order() -> None:
    raises = "{name: up, when: {endpoint: /chat}, to: C, add_instruction: '1234'}"
    policy = TIERS.replace("gpt-4o]", "gpt-4o], max_output_tokens: 40")
    policy += ASSUME + f"routing: {{default: A, raise: [{raises}]}}\n" + COMPRESSION
    found = Around(policy + "batch: {endpoints: [/chat], max_delay: 24h}\n", [call(0)])
    assert [(row["stage"], row["input_tokens_after"], row["price_change_usd"]) for row in found.rows("sent")] == [
        ("compression", 2500, usd("-0.00625")), ("instruction", 2501, usd("0.0000025")),
        ("batch", 2501, usd("-0.00362625")),
    ]  # fmt: skip
    assert found.change("context") == usd("-0.0003")  # 60 tokens at 5 a million, the price of the batch
    assert found.costs() == [usd("0.00725250") / 2 - usd("0.0003") + usd("0.0001")]
