"""A sweep says what each of its policies would have said alone."""

from __future__ import annotations

import pytest

from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.replay.beside import Asked
from costctl.replay.run import simulate
from costctl.replay.sweep import read_grid
from tests.replay.compare import SEED, book
from tests.replay.logs import make_log, store_of

POLICY = """version: 1
tiers: {A: {models: [gpt-4o-mini], max_output_tokens: 60}, B: {models: [gpt-4o]}}
routing: {default: B, rules: [{name: r, when: {input_tokens: '<300'}, to: A}], sticky: session}
budgets: {max_share_per_day: {B: 40%}, usd_per_day: 0.2}
cache: {exact: {ttl: TTL, scope: [], capacity: CAPACITY, ttl_from: SINCE}}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
"""


def policy_of(ttl: str, capacity: str, since: str):
    return parse_policy(POLICY.replace("TTL", ttl).replace("CAPACITY", capacity).replace("SINCE", since), "p")


@pytest.mark.parametrize("since", ["insert", "last_hit"])
def test_each_row_is_the_result_of_its_own_policy(since: str) -> None:
    store = store_of(make_log(3), book())
    ttls, capacities = ("0s", "30m", "6h", "2d"), ("1", "3", "1k")
    grid = read_grid([f"cache.exact.ttl={','.join(ttls)}", f"cache.exact.capacity={','.join(capacities)}"])
    report = simulate(store, policy_of("1h", "20", since), book(), SEED, asked=Asked(grid=grid))
    rows = {(row["ttl"], row["capacity"]): row for row in report.tables["sweep"].dicts()}
    assert len(rows) == 12
    for ttl in ttls:
        for capacity in capacities:
            alone = simulate(store, policy_of(ttl, capacity, since), book(), SEED).totals
            row = rows[ttl, capacity]
            assert row["exact_hit_ratio"] == alone["exact_hit_ratio"]
            assert row["policy_cost_usd"] == alone["policy_cost_usd"]
            assert row["saving_ratio"] == alone["saving_ratio"]
    assert len({row["policy_cost_usd"] for row in rows.values()}) > 4
    assert rows["0s", "1k"]["exact_hit_ratio"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cache.exact.tll=1h", "did you mean cache.exact.ttl"),
        ("cache.exact.ttl=1x", "1x"),
        ("cache.exact.capacity=0", "0"),
        ("budgets.usd_per_day=3", "unknown key"),
    ],
)
def test_what_cannot_be_swept_is_refused(text: str, said: str) -> None:
    with pytest.raises(CostctlError, match=said) as caught:
        read_grid([text])
    assert caught.value.code == "E434"


def test_a_sweep_needs_an_exact_cache() -> None:
    store = store_of(make_log(3), book())
    with pytest.raises(CostctlError, match="no cache"):
        simulate(
            store, parse_policy("version: 1\n", "p"), book(), SEED, asked=Asked(grid=read_grid(["cache.exact.ttl=1h"]))
        )
