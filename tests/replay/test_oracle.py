"""The replay beside its oracle: the same decisions and the same picodollars, on many logs and policies.

Each log meets 30 policies; COSTCTL_EXHAUSTIVE=1 takes 300 logs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np
import pytest

from costctl.replay.engine import Decisions, walk
from costctl.replay.kernel import HEDGES, RETRIES, TIMEOUTS
from tests.replay.compare import Bench, book, differences, paid
from tests.replay.logs import make_log, store_of
from tests.replay.policies import STAGES, Maker, text_of, without
from tests.support import IS_EXHAUSTIVE

LOGS = 300 if IS_EXHAUSTIVE else 8
POLICIES = 30


def test_every_stage_changes_many_decisions() -> None:
    """The policies bite: each stage changes 5 % of the decisions in at least 20 % of the runs.

    The longest of these tests, so it stands first. A stage that has bitten in so many is not asked of the rest.
    """
    runs, bites = 3 * (POLICIES // 2), Counter(dict.fromkeys(STAGES, 0))
    for seed in range(3):
        bench = Bench(seed)
        maker = Maker(str(seed), bench.size())
        for _ in range(POLICIES // 2):
            policy = maker.policy()
            whole = made(bench, policy)
            for stage in STAGES:
                left = without(policy, stage) if IS_EXHAUSTIVE or bites[stage] < 0.2 * runs else None
                if left is not None:
                    changed = sum(one != other for one, other in zip(whole, made(bench, left), strict=True))
                    bites[stage] += changed >= 0.05 * len(whole)
    ratios = {stage: bites[stage] / runs for stage in STAGES}
    assert min(ratios.values()) >= 0.2, ratios


@pytest.mark.parametrize("seed", range(LOGS))
def test_the_replay_agrees_with_its_oracle(seed: int) -> None:
    bench = Bench(seed)
    maker = Maker(str(seed), bench.size())
    wrong = []
    for number in range(POLICIES):
        policy = maker.policy()
        found = list(differences(bench, policy))
        if found:
            at, what, engine, oracle = found[0]
            wrong.append(f"policy {number}, call {at}, {what}: {engine} is not {oracle}; {text_of(policy)}")
    assert not wrong, f"{len(wrong)} of {POLICIES} policies differ on log {seed}; the first: {wrong[0]}"


@pytest.mark.parametrize("engine", ["compiled", "chunks"])
def test_the_engine_of_the_walk_changes_nothing(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As machine code, and in chunks of 13 calls, the walk decides as in one run of plain Python."""
    if engine == "compiled":
        pytest.importorskip("numba")
    for seed in range(4):
        bench = Bench(seed)
        maker = Maker(f"engines {seed}", bench.size())
        for _ in range(8):
            policy = maker.policy()
            with monkeypatch.context() as patch:
                patch.setattr("costctl.replay.run.walk", partial(walk, is_compiled=False))
                plain = decided(bench.engine(policy).decisions)
                if engine == "compiled":
                    patch.setattr("costctl.replay.run.walk", partial(walk, is_compiled=True))
                else:
                    patch.setattr("costctl.replay.engine.CHUNK_CALLS", 13)
                other = decided(bench.engine(policy).decisions)
            assert plain == other, text_of(policy)


def made(bench: Bench, policy: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What is decided for each call, and what it costs."""
    done = bench.engine(policy)
    told = done.decisions
    columns = [told.lane, told.served_by, told.answered_by, told.notice, paid(done)]
    for field in (RETRIES, HEDGES, TIMEOUTS):
        columns.append(told.played.count(field) if told.played else np.zeros_like(told.answered_by))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def decided(told: Decisions) -> dict[str, Any]:
    """Every column of the decisions as a list."""
    parts = (told, *([told.played] if told.played else []))
    columns = {one.name: getattr(part, one.name) for part in parts for one in fields(part) if one.name != "played"}
    return {name: list(column) for name, column in columns.items()}


def test_what_a_log_answers_is_kept_until_the_log_is_written() -> None:
    store = store_of(make_log(0)[:20], book())
    ask = "SELECT count(*) AS n, sum(input_tokens) AS tokens FROM request"
    first = store.numpy(ask)
    first["n"][0] = -1  # theirs alone
    assert store.numpy(ask)["n"][0] == store.scalar("SELECT count(*) FROM request") == 20
    store.execute("DELETE FROM request WHERE source_line = 1")
    assert store.numpy(ask)["n"][0] == store.scalar("SELECT count(*) FROM request") == 19
    store.execute("CREATE TABLE other AS SELECT 1 AS n")
    assert store.scalar("SELECT max(o.n) FROM request r JOIN other o ON true") == 1
    store.execute("UPDATE other SET n = 2")
    assert store.scalar("SELECT max(o.n) FROM request r JOIN other o ON true") == 2
