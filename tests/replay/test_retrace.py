"""The ways of calls told again: their parts sum to what the walk decided, whatever the policy."""

from __future__ import annotations

import numpy as np
import pytest

from costctl.errors import CostctlError
from costctl.replay.kernel import AS_LOGGED
from costctl.replay.plan import ESCALATED, FAILED, KILLED, LIMITED, PROVIDER, QUEUED
from costctl.replay.retrace import SOME_PROVIDER, ways_of
from tests.replay.compare import Bench
from tests.replay.policies import Maker


@pytest.mark.parametrize("seed", [3, 4])
def test_the_parts_of_every_way_sum_to_its_cost(seed: int) -> None:
    """Policies with limits, kill switch, fallbacks, hedges and escalation; who was passed over is hardly ever open."""
    bench = Bench(seed)
    maker, seen, marked, named = Maker(f"ways {seed}", bench.size()), 0, 0, 0
    while seen < 20:
        policy = maker.policy()
        policy["routing"].pop("classifier", None)
        try:
            done = bench.engine(policy)
        except CostctlError:
            continue
        made, plan = done.decisions, done.plan.attempts
        if plan is None or made.played is None or not plan.draws:
            continue
        seen += 1
        ways = ways_of(plan, done.calls, done.lanes, made, made.played)
        is_up = (made.notice & ESCALATED) > 0
        assert ((ways.first_pusd >= 0) == is_up).all()
        parts = ways.first_pusd + ways.escalation_pusd + ways.failed_pusd
        assert (parts[is_up] == made.played.cost_pusd[is_up]).all()
        assert (ways.failed_pusd >= -1).all()
        lost = (made.served_by == FAILED) & (made.played.cost_pusd != AS_LOGGED)
        assert (ways.failed_pusd[lost] == made.played.cost_pusd[lost]).all()
        told = np.array([*ways.texts, ""])
        held = (made.notice & KILLED > 0) | ((made.notice & LIMITED > 0) & (made.notice & QUEUED == 0))
        held &= (made.served_by == PROVIDER) | (made.served_by == FAILED)
        assert (told[ways.passed][held] != "").all()
        assert (told[ways.waited][(made.notice & QUEUED) > 0] != "").all()
        assert (told[ways.passed][made.notice & (KILLED | LIMITED) == 0] == "").all()
        marked += int(np.count_nonzero(held))
        named += int(np.count_nonzero(held & ~np.char.startswith(told[ways.passed], SOME_PROVIDER)))
    assert marked > 50
    assert named >= 0.95 * marked
