"""Small cases in which two readings of the definition differ, each with the one that the words say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.replay.compare import Bench, differences, paid
from tests.replay.logs import Row

AS_IT_IS = {"output_tokens_ratio": 1, "input_tokens_ratio": 1}


def bench_of(*rows: Row) -> Bench:
    """A log of these calls; what a row does not say is ordinary."""
    made = []
    for line, row in enumerate(rows, start=1):
        full = {
            "request_id": f"r{line}", "started_at": datetime(2026, 3, 2, 8, line), "request_model": "gpt-4o",
            "input_uncached_tokens": 1000, "output_tokens": 100, "status": "ok", "usage_source": "provider",
            "file_id": 1, "source_line": line, **row,
        }  # fmt: skip
        made.append({**full, "model": full["request_model"], "input_tokens": full["input_uncached_tokens"]})
    return Bench("by hand", rows=made)


def lanes(bench: Bench, policy: dict[str, Any]) -> list[str]:
    done = bench.engine({"version": 1, "assume": AS_IT_IS, **policy})
    return [done.lanes.names[lane] for lane in done.decisions.lane]


def agrees(bench: Bench, policy: dict[str, Any]) -> bool:
    return not list(differences(bench, {"version": 1, "assume": AS_IT_IS, **policy}))


def test_the_cheapest_model_is_the_one_that_costs_least_after_the_cap() -> None:
    """1,000 tokens in; out 20 of gpt-4.1 or 2,000 of haiku, which is cheaper once both are cut to one token."""
    bench = bench_of({"output_tokens": 2000, "request_model": "gpt-4"})
    models = ["openai/gpt-4.1", "anthropic/claude-3-5-haiku-latest"]
    tier = {"models": models, "select": "cheapest", "max_output_tokens": 1}
    assume = {**AS_IT_IS, "output_tokens_ratio": {models[0]: 0.01, models[1]: 1}}
    policy = {"assume": assume, "tiers": {"A": tier}, "routing": {"default": "A"}}
    assert paid(bench.engine({"version": 1, **policy})).tolist() == [804 * 10**6]
    assert agrees(bench, policy)


def test_the_window_of_the_logged_model_is_not_asked_where_the_tier_has_a_limit_too() -> None:
    """The log shows gpt-4 with 9,000 + 100 tokens, more than its listed window of 8,192."""
    bench = bench_of({"input_uncached_tokens": 9000, "request_model": "gpt-4"})
    tier = {"models": ["openai/gpt-4"], "context_tokens": "16k"}
    policy = {"tiers": {"A": tier}, "routing": {"default": "A"}}
    assert lanes(bench, policy) == ["A"]
    assert agrees(bench, policy)


def test_a_cap_on_tokens_counts_input_as_it_is_on_the_lane() -> None:
    """A tokeniser that needs twice as many tokens: 2,000 + 100 on the lane, 1,000 in the log."""
    bench = bench_of({"endpoint": "/chat"})
    policy = {
        "tiers": {"A": {"models": ["openai/gpt-4o-mini"]}}, "routing": {"default": "A"},
        "assume": {**AS_IT_IS, "input_tokens_ratio": 2},
        "budgets": {"over": "refuse", "tokens_per_day": [{"endpoint": "/chat", "max": 1500}]},
    }  # fmt: skip
    assert agrees(bench, policy)


def test_the_first_call_of_a_session_is_the_earliest_also_in_a_log_without_dates() -> None:
    """The ids stand in the other order; the second session repeats the first one's opening words."""
    talk = {"prompt_key": 5, "turn_count": 1, "started_at": None, "session_id": "s"}
    bench = bench_of(
        {**talk, "request_id": "z", "replay_offset_ms": 0},
        {**talk, "request_id": "a", "replay_offset_ms": 1000},
        {**talk, "request_id": "b", "replay_offset_ms": 2000, "session_id": "other"},
    )
    policy = {"cache": {"exact": {"ttl": "1h", "scope": []}}}
    assert bench.engine({"version": 1, **policy}).decisions.answered_by.tolist() == [-1, -1, 0]
    assert agrees(bench, policy)


def test_a_model_that_is_too_small_does_not_hold_a_call_because_an_unknown_one_would() -> None:
    """gpt-4 cannot hold the call; of o3, which can, nothing says how much it would answer."""
    rows = ({"input_uncached_tokens": 20_000}, {"request_model": "o3"})
    tier = {"models": ["openai/gpt-4", "openai/o3"], "context_tokens": "100k"}
    assume = {**AS_IT_IS, "output_tokens_ratio": {"openai/gpt-4": 1}}
    policy = {"tiers": {"A": tier}, "routing": {"default": "A"}, "assume": assume}
    assert lanes(bench_of(*rows), policy)[0] == "logged"


@pytest.mark.parametrize(
    ("budget", "refused"),
    [
        ({"tokens_per_day": [{"endpoint": "/chat", "max": 2200}]}, [0, 0, 2]),
        ({"tokens_per_day": [{"endpoint": "/chat", "max": 2199}]}, [0, 2, 0]),
        ({"usd_per_day": 0.007}, [0, 0, 2]),
        ({"usd_per_day": 0.006999999999}, [0, 2, 2]),
        ({"usd_per_request_max": 0.0035}, [0, 0, 0]),
        ({"usd_per_request_max": 0.003499999999}, [2, 2, 2]),
    ],
)
def test_a_cap_that_is_reached_is_not_broken(budget: dict[str, Any], refused: list[int]) -> None:
    """Three calls of 1,000 + 100 tokens, 0.0035 dollars each, the last of them with one token more or less."""
    last = 101 if refused != [0, 2, 0] else 99
    if "usd_per_request_max" in budget:
        last = 100
    call = {"endpoint": "/chat"}
    bench = bench_of(call, call, {**call, "output_tokens": last})
    policy = {"budgets": {"over": "refuse", **budget}}
    assert bench.engine({"version": 1, **policy}).decisions.served_by.tolist() == refused
    assert agrees(bench, policy)


@pytest.mark.parametrize(("input_tokens", "lane"), [(1900, "A"), (1901, "logged")])
@pytest.mark.parametrize("models", ["logged", ["openai/gpt-4o"], ["openai/gpt-4o-mini"]])
def test_a_context_that_is_just_filled_holds_the_call(models: Any, input_tokens: int, lane: str) -> None:
    """The cap of 100 tokens counts, not the 500 of the log."""
    bench = bench_of({"input_uncached_tokens": input_tokens, "output_tokens": 500})
    tier = {"models": models, "context_tokens": 2000, "max_output_tokens": 100}
    policy = {"tiers": {"A": tier}, "routing": {"default": "A"}}
    assert lanes(bench, policy) == [lane]
    assert agrees(bench, policy)


def test_an_unbilled_failure_of_an_unpriced_model_leaves_its_call_priced() -> None:
    """The first attempt failed on a model without a price and cost nothing; the second one has the call's price."""
    failed = {
        "request_model": "ft:nobody-knows", "status": "error", "output_tokens": None, "input_uncached_tokens": None,
        "usage_source": "missing",
    }  # fmt: skip
    bench = bench_of({"trace_id": "t", **failed}, {"trace_id": "t"}, failed)
    policy = {"tiers": {"A": {"models": ["gpt-4o-mini"]}}, "routing": {"default": "A"}}
    assert lanes(bench, policy) == ["A", "logged"]
    assert agrees(bench, policy)
