"""Policies as LiteLLM carries them out, beside the oracle: budgets as filters, failures counted, waits."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random

import pytest

from costctl.policy.as_litellm import Written, as_litellm
from costctl.policy.behaviour import CountedFailures, RequestCache, SpendFilter, SteppedRetries
from costctl.policy.load import parse_policy
from costctl.policy.schema import LOGGED, Policy
from costctl.replay.engine import walk
from costctl.replay.kernel import KILLED, LIMITED, REFUSED
from tests.replay.compare import Bench, differences
from tests.replay.policies import Maker, text_of
from tests.replay.test_oracle import decided

LOGS, POLICIES = 3, 12


def litellm_policies(seed: int, maker: Maker, count: int) -> list[Policy]:
    """Policies as LiteLLM carries them out, whatever the export would write of them."""
    rng, made = Random(f"litellm {seed}"), []
    while len(made) < count:
        said = maker.policy()
        if rng.random() < 0.6:  # caps that bite on lanes that have fallbacks
            lanes_max = rng.choice((0.01, 0.05, 0.2)) * maker.size.day_usd
            caps = [{"tier": name, "max": round(lanes_max * rng.random(), 6)} for name in said.get("fallbacks", ())]
            said["budgets"] = {"usd_per_day": caps}
        policy = parse_policy(text_of(said), "p")
        own = [one for one in (*policy.tiers, *policy.specialists) if LOGGED not in one.models]
        kept = [one for one in own if rng.random() < 0.9]
        is_whole = len(kept) == len(policy.tiers) + len(policy.specialists)
        if not kept or (policy.routing.classifier and not is_whole):  # a learned router needs the tiers of its models
            continue
        lanes = {one.name: tuple((model, None) for model in one.models) for one in kept}
        written = Written(lanes, rng.choice(kept).name, rng.random() < 0.5, rng.random() < 0.8)
        behaving = as_litellm(policy, written)[0]
        # LiteLLM keeps no limit of a provider; one part of it beside the limits of the policy is replayed, too.
        limits = policy.limits if rng.random() < 0.5 else behaving.limits
        made.append(behaving.model_copy(update={"limits": limits}))
    return made


def test_the_replay_agrees_with_its_oracle() -> None:
    """Every part bites somewhere, else agreement would say nothing."""
    seen: Counter[str] = Counter()
    benches = [Bench(seed) for seed in range(LOGS)]
    made_of = [(bench, Maker(f"litellm {seed}", bench.size()), seed) for seed, bench in enumerate(benches)]
    for bench, policy in [(bench, one) for bench, maker, seed in made_of
                          for one in litellm_policies(seed, maker, POLICIES)]:  # fmt: skip
        done = bench.engine(policy)
        found = list(differences(bench, policy, done))
        assert not found, (found[0], policy)
        made = done.decisions
        is_filter = isinstance(policy.budgets, SpendFilter)
        seen["refused"] += int((made.served_by == REFUSED).sum()) * is_filter
        seen["passed over"] += int(((made.cap >= 0) & (made.served_by == 0)).sum()) * is_filter
        seen["out"] += int(((made.notice & KILLED) > 0).sum()) * isinstance(policy.kill_switch, CountedFailures)
        seen["hits"] += int(made.is_cached.sum()) * isinstance(policy.cache.exact, RequestCache)
        seen["limited"] += int(((made.notice & LIMITED) > 0).sum()) * isinstance(policy.kill_switch, CountedFailures)
        seen["stepped"] += isinstance(policy.retries, SteppedRetries) and policy.retries.max_count > 0
    assert all(seen[name] for name in ("refused", "passed over", "out", "hits", "limited", "stepped")), seen


def test_the_engine_of_the_walk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As machine code the walk decides as in plain Python."""
    pytest.importorskip("numba")
    bench = Bench(1)
    for policy in litellm_policies(1, Maker("engines", bench.size()), 6):
        found = []
        for is_compiled in (False, True):
            monkeypatch.setattr("costctl.replay.run.walk", partial(walk, is_compiled=is_compiled))
            found.append(decided(bench.engine(policy).decisions))
        assert found[0] == found[1]
