"""What a replay may never change: nothing without a policy, nothing by what comes later, nothing by threads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from costctl.replay.calls import load_calls
from costctl.store import open_store
from tests.replay.compare import Bench, book, paid
from tests.replay.logs import Row, make_log, store_of
from tests.replay.oracle import ordered
from tests.replay.oracle_terms import PICO
from tests.replay.policies import Maker
from tests.support import ROOT, SHARED, audited

EMPTY: dict[str, Any] = {"version": 1}
HUGE = 10**12
HUGE_USD = 10**9  # as much as a policy may name
NO_OP: dict[str, Any] = {
    "version": 1,
    "tiers": {"A": {"models": "logged"}, "B": {"models": "logged", "max_output_tokens": HUGE}},
    "specialists": {"own": {"models": "logged", "context_tokens": HUGE}},
    "routing": {
        "default": "logged", "matrix": {"faq": "A", "lead": "own"}, "sticky": "session",
        "rules": [{"name": "long", "when": {"input_tokens": ">1k"}, "to": "A"}],
        "raise": [{"name": "up", "when": {"output_tokens": ">100"}, "to": "B"}],
        "floors": [{"name": "floor", "when": {"team": "sales"}, "at_least": "B"}],
    },
    "budgets": {
        "max_share_per_day": {"B": "100%"}, "usd_per_request_max": HUGE_USD, "over": "refuse",
        "usd_per_day": [
            {"max": HUGE_USD}, {"tier": "A", "max": HUGE_USD}, {"user_profile": "free", "max": HUGE_USD},
        ],
        "tokens_per_day": [{"endpoint": "/chat", "max": HUGE}],
    },
    "cache": {"exact": {"ttl": "0s", "ttl_from": "last_hit", "capacity": 3, "scope": []}},
}  # fmt: skip
DECIDED = ("lane", "routed_lane", "served_by", "answered_by", "notice", "cap")
SEEDS = range(8)


@cache
def bench_of(seed: int) -> Bench:
    """The log of a seed, which no test changes."""
    return Bench(seed)


def assert_nothing_changes(bench: Bench, policy: dict[str, Any]) -> int:
    """Each call is as it was; what all of them cost, in picodollars."""
    done = bench.engine(policy)
    assert paid(done).tolist() == done.calls.baseline_pusd.tolist()
    assert not done.decisions.served_by.any()
    assert (done.decisions.cap == -1).all()
    assert (done.decisions.notice == 0).all()
    listed = bench.store.scalar("SELECT coalesce(sum(list_cost_usd), 0) FROM request")
    whole = sum(paid(done).tolist())
    assert whole == int(listed * PICO)
    return whole


def decided(bench: Bench, policy: dict[str, Any], count: int | None = None) -> dict[str, list[int]]:
    """The decisions on the first calls, with what they cost."""
    done = bench.engine(policy)
    columns = {name: getattr(done.decisions, name) for name in DECIDED} | {"cost": paid(done)}
    return {name: column[:count].tolist() for name, column in columns.items()}


@pytest.mark.parametrize("policy", [EMPTY, NO_OP], ids=["empty", "no-op"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_policy_without_effect_gives_back_the_log(seed: int, policy: dict[str, Any]) -> None:
    assert_nothing_changes(bench_of(seed), policy)


@pytest.mark.parametrize("log", ["story", "support_bot"])
def test_a_policy_without_effect_gives_back_a_real_log(log: str, tmp_path: Path) -> None:
    place = {
        "story": ROOT / "sample_logs" / "story.jsonl.gz",
        "support_bot": SHARED / "data" / "support_bot" / "requests.jsonl.gz",
    }[log]
    if not place.is_file():
        pytest.skip("the real data sets are not beside this checkout")
    report = audited(tmp_path, place)
    with open_store(tmp_path / "workspace" / "costctl.duckdb", threads=1) as store:
        bench = Bench(log, rows=[], store=store)
        for policy in (EMPTY, NO_OP):
            whole = assert_nothing_changes(bench, policy)
            assert Decimal(whole) / PICO == report.totals["list_cost_usd"]


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 23])  # the last one has offsets, no dates
def test_what_comes_later_decides_nothing(seed: int) -> None:
    """The first calls of a log are decided as if the others were not there.

    All but attempts: how a model behaves, and which is the fastest, is learned from the whole log.
    """
    bench = Bench(seed)
    maker = Maker(f"prefix {seed}", bench.size())
    policies = [undrawn(maker.policy()) for _ in range(6)]
    whole = [decided(bench, policy) for policy in policies]
    calls = ordered(bench.priced, bench.members)
    for count in (len(calls) // 5, len(calls) // 2, len(calls) - 7):
        early = prefix(bench, [call.identity for call in calls[:count]])
        for policy, all_made in zip(policies, whole, strict=True):
            first = {name: column[:count] for name, column in all_made.items()}
            assert decided(early, policy, count) == first, policy


def undrawn(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy without what is drawn from the log's attempts."""
    drawn = {"retries", "fallbacks", "hedge", "escalate", "limits", "kill_switch"}
    left = {key: value for key, value in policy.items() if key not in drawn}
    for lanes in (left["tiers"], left.get("specialists", {})):
        for lane in lanes.values():
            lane.pop("timeout_s", None)
            if lane.get("select") == "fastest":
                del lane["select"]
    return left


def prefix(bench: Bench, answering: Sequence[tuple[int, int]]) -> Bench:
    """The log of these calls only, each with all its attempts."""
    call_of = {(one["file_id"], one["source_line"]): one for one in bench.members}

    def name(place: tuple[int, int]) -> tuple[Any, ...]:
        one = call_of.get(place)
        return place if one is None else (one["trace_id"], one["prompt"], one["call_number"])

    kept = {name(place) for place in answering}
    rows: list[Row] = [row for row in bench.rows if name((row["file_id"], row["source_line"])) in kept]
    return Bench("prefix", rows=rows, prompts=bench.log.prompts)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cache_that_keeps_nothing_answers_nothing(seed: int) -> None:
    bench = bench_of(seed)
    for since in ("insert", "last_hit"):
        policy = {"version": 1, "cache": {"exact": {"ttl": "0s", "ttl_from": since, "scope": []}}}
        assert not bench.engine(policy).decisions.served_by.any()
        with_hits = {"version": 1, "cache": {"exact": {"ttl": "2d", "ttl_from": since, "scope": []}}}
        assert bench.engine(with_hits).decisions.served_by.any()


@pytest.mark.parametrize("seed", [0, 3])
def test_the_number_of_threads_decides_nothing(seed: int, tmp_path: Path) -> None:
    rows = make_log(seed)
    maker = Maker(f"threads {seed}", Bench(seed, rows).size())
    policies = [maker.policy() for _ in range(5)]
    with store_of(rows, book(), tmp_path / "log.duckdb"):
        pass
    found = []
    for threads in (1, 2, 4):
        copy = Path(shutil.copy(tmp_path / "log.duckdb", tmp_path / f"with_{threads}.duckdb"))
        with open_store(copy, threads=threads) as store:
            bench = Bench(seed, rows, store)
            assert load_calls(store).count == bench.calls.count
            found.append([decided(bench, policy) for policy in policies])
    assert found[0] == found[1] == found[2]
