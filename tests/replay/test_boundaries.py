"""Caps and limits that are met to the last token and picodollar: what equals a limit is not above it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from costctl.replay.plan import LIMITED, OVER_BUDGET, SERVED_BY
from tests.replay.compare import Bench, differences
from tests.replay.test_readings import bench_of

# 1,000 tokens in at 2.50 USD and 100 out at 10 USD a million: 0.0035 USD each.
CALL = {"started_at": datetime(2026, 3, 2, 8, 0, 10)}
POLICY: dict[str, Any] = {
    "version": 1, "assume": {"output_tokens_ratio": 1, "input_tokens_ratio": 1}, "tiers": {"A": {"models": "logged"}},
    "routing": {"default": "A"},
}  # fmt: skip


def seen(bench: Bench, policy: dict[str, Any], notice: int) -> list[bool]:
    """For which calls the engine gives the notice; the oracle agrees in everything."""
    assert not list(differences(bench, policy))
    return ((bench.engine(policy).decisions.notice & notice) > 0).tolist()


@pytest.mark.parametrize(
    ("cap", "over"),
    [
        ({"usd_per_day": 0.007}, [False, False, True]),
        ({"usd_per_day": 0.006999}, [False, True, True]),
        ({"usd_per_request_max": 0.0035}, [False, False, False]),
        ({"usd_per_request_max": 0.003499}, [True, True, True]),
        ({"tokens_per_day": [{"endpoint": "/chat", "max": 2200}]}, [False, False, True]),
        ({"tokens_per_day": [{"endpoint": "/chat", "max": 2199}]}, [False, True, True]),
    ],
)
def test_a_cap_may_be_used_up(cap: dict[str, Any], over: list[bool]) -> None:
    """Three equal calls under a cap for exactly two of them, or for a little less; over budget they are served."""
    bench = bench_of(*({**CALL, "endpoint": "/chat"} for _ in range(3)))
    assert seen(bench, {**POLICY, "budgets": cap}, OVER_BUDGET) == over


@pytest.mark.parametrize(
    ("limit", "limited"),
    [
        ({"tokens_per_min": 2200}, [False, False, True]),
        ({"tokens_per_min": 2199}, [False, True, True]),
        ({"tokens_per_day": 2200}, [False, False, True]),
        ({"tokens_per_day": 2199}, [False, True, True]),
        ({"requests_per_min": 2}, [False, False, True]),
        ({"requests_per_day": 2}, [False, False, True]),
        ({"tokens_per_min": 1}, [False, True, True]),  # larger than the limit: it goes through where it is the first
    ],
)
def test_a_limit_may_be_used_up(limit: dict[str, Any], limited: list[bool]) -> None:
    """Three equal calls in one minute at a provider that lets exactly two through, or one token less."""
    bench = bench_of(CALL, CALL, CALL)
    policy = {**POLICY, "limits": {"openai": {**limit, "over": "error"}}}
    assert seen(bench, policy, LIMITED) == limited
    served = [SERVED_BY[code] for code in bench.engine(policy).decisions.served_by]
    assert served == ["failed" if one else "provider" for one in limited]


def test_a_provider_is_back_exactly_after_the_cooldown() -> None:
    """It goes out at 8:00 with a failed call; at 8:19 the next one is passed over, at 8:20 the next is served."""
    failed = {"status": "error", "http_status": 500, "output_tokens": None}
    times = [datetime(2026, 3, 2, 8, minute) for minute in (0, 19, 20)]
    bench = bench_of({**failed, "started_at": times[0]}, {"started_at": times[1]}, {"started_at": times[2]})
    switch = {"error_ratio": "100%", "window": "5m", "cooldown": "20m"}
    policy = {**POLICY, "kill_switch": switch}
    assert not list(differences(bench, policy))
    served = [SERVED_BY[code] for code in bench.engine(policy).decisions.served_by]
    assert served == ["provider", "failed", "provider"]


@pytest.mark.parametrize(("second", "is_out"), [(4, True), (5, False)])
def test_a_failure_exactly_as_old_as_the_window_is_gone(second: int, is_out: bool) -> None:
    """Two failed calls take a provider out if both lie within five minutes: 8:00 and 8:04, but not 8:00 and 8:05."""
    failed = {"status": "error", "http_status": 500, "output_tokens": None}
    times = [datetime(2026, 3, 2, 8, minute) for minute in (0, second, 6)]
    bench = bench_of(*({**failed, "started_at": at} for at in times[:2]), {"started_at": times[2]})
    switch = {"error_ratio": "100%", "window": "5m", "min_requests": 2, "cooldown": "20m"}
    policy = {**POLICY, "kill_switch": switch}
    assert not list(differences(bench, policy))
    assert SERVED_BY[bench.engine(policy).decisions.served_by[2]] == ("failed" if is_out else "provider")
