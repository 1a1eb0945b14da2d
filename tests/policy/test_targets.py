"""What LiteLLM leaves of a policy."""

from __future__ import annotations

from typing import get_args

import pytest

from costctl.errors import CostctlError
from costctl.policy.as_litellm import Written, as_litellm
from costctl.policy.behaviour import CountedFailures, RequestCache, SpendFilter, SteppedRetries
from costctl.policy.load import parse_policy
from costctl.policy.parts import PARTS
from costctl.policy.results import Target
from costctl.policy.schema import Policy
from costctl.policy.targets import LITELLM, NATIVE_DROPPED, NOT_SIMULATED, SIMULATED, Change, simulated_target
from tests.policy.example import EXAMPLE

POLICY = """version: 1
tiers: {A: {models: [gpt-4o-mini]}, B: {models: logged}, C: {models: [gpt-4o, gpt-4.1], select: fastest}}
specialists: {code: {models: [gpt-4.1-mini]}}
routing: {rules: [{name: r, when: {has_code: true}, to: code}], matrix: {faq: B}, sticky: session,
  raise: [{name: s, when: {external_facts: true}, to: C, add_instruction: Be exact.}]}
fallbacks: {C: [B, A]}
retries: {max: 2, backoff_s: 1.5}
hedge: {tier: A, after_s: 2}
kill_switch: {error_ratio: 20%, window: 15m, min_requests: 20, cooldown: 10m}
compression: {ratio_kept: 0.5}
budgets: {usd_per_request_max: 0.1, usd_per_day: [{max: 9}, {tier: C, max: 3}, {user: u, max: 1}, {tier: A, max: 0}]}
cache: {exact: {ttl: 1h, scope: [user], max_temperature: 0.3, capacity: 9}, exclude: [personal_data]}
"""
LANES = {"A": (("gpt-4o-mini", None),), "C": (("gpt-4o", None), ("gpt-4.1", None)), "code": (("gpt-4.1-mini", None),)}


def left(text: str = POLICY, *, one: bool = False, plugin: bool = True) -> tuple[Policy, dict[str, list[str]]]:
    policy = parse_policy(text, "p")
    made, changes = as_litellm(policy, Written(LANES, "A", one, plugin))
    told: dict[str, list[str]] = {}
    for change in changes:
        told.setdefault(change.part, []).append(change.how)
    return made, told


def test_each_part_that_is_lost_or_done_in_another_way_is_told_in_the_order_of_the_file() -> None:
    made, told = left()
    assert list(told) == [part for part in PARTS if part in told]
    assert [part for part, how in told.items() if how == ["dropped"]] == [
        "routing.raise.add_instruction", "budgets.usd_per_day: total", "budgets.usd_per_day: other",
        "budgets.usd_per_request_max", "hedge", "cache.exclude", "compression",
    ]  # fmt: skip
    assert told["retries"] == ["as it does", "not simulated"]
    assert (made.hedge, made.compression, made.cache.exclude, made.budgets.usd_per_request_max) == (
        None,
        None,
        (),
        None,
    )
    assert made.routing.raises[0].add_instruction is None


def test_what_it_does_in_its_own_way_is_a_part_of_its_own_kind() -> None:
    made, _ = left()
    assert isinstance(made.budgets, SpendFilter)
    assert [(cap.scope, cap.name) for cap in made.budgets.usd_per_day] == [("tier", "C")]
    exact = made.cache.exact
    assert isinstance(exact, RequestCache)
    assert (exact.scope, exact.max_temperature, exact.capacity) == ((), None, None)
    assert isinstance(made.kill_switch, CountedFailures)
    assert (made.kill_switch.failures_max, made.kill_switch.cooldown_us) == (3, 600_000_000)
    retries = made.retries
    assert isinstance(retries, SteppedRetries)
    assert [retries.wait_us(number, 1) for number in (1, 2, 3, 4, 9)] == [2_000_000] * 3 + [4_000_000, 8_000_000]
    assert retries.wait_us(1, 2) == 0


def test_a_lane_without_models_of_its_own_is_answered_by_the_last_resort() -> None:
    made, told = left()
    assert [(tier.name, tier.models, tier.select) for tier in made.tiers] == [
        ("A", ("gpt-4o-mini",), "first"), ("B", ("gpt-4o-mini",), "first"), ("C", ("gpt-4o", "gpt-4.1"), "first"),
    ]  # fmt: skip
    assert (made.routing.default, dict(made.fallbacks)) == ("A", {"C": ("A",)})
    assert told["tiers.models.logged"] == ["as it does"]
    with pytest.raises(CostctlError, match="nothing for LiteLLM to send to"):
        as_litellm(parse_policy(POLICY, "p"), Written({}, None, False, True))


def test_nothing_is_left_of_what_it_lacks() -> None:
    made, _ = as_litellm(parse_policy(EXAMPLE, "p"), Written({"A": (("gpt-4o-mini", None),)}, "A", False, True))
    plain = Policy(version=1)
    for name in ("limits", "hedge", "escalate", "context", "compression", "data_sources", "batch", "post_process"):
        assert getattr(made, name) == getattr(plain, name), name
    assert made.experiments == ()
    assert made.budgets.max_share_per_day == plain.budgets.max_share_per_day


def test_the_budget_of_the_only_provider_is_that_of_all() -> None:
    made, told = left(one=True)
    assert [cap.scope for cap in made.budgets.usd_per_day] == ["total", "tier"]
    assert told["budgets.usd_per_day: total"] == ["as it does"]


def test_its_own_scorer_carries_less() -> None:
    made, told = left(plugin=False)
    assert (made.routing.rules, made.routing.raises, made.routing.sticky) == ((), (), None)
    assert all(told[part] == ["dropped"] for part in NATIVE_DROPPED if part in told)
    assert {"specialists", "routing.raise", "routing.sticky"} < told.keys()
    assert told["routing.matrix"] == ["not simulated"]


def test_a_policy_that_it_carries_whole_stays_as_it_is() -> None:
    policy = parse_policy("version: 1\ntiers: {A: {models: [gpt-4o-mini]}}\nrouting: {default: A}\n", "p")
    assert as_litellm(policy, Written(LANES, "A", True, True)) == (policy, ())


def test_every_target_is_simulated_or_says_why_not() -> None:
    assert {*SIMULATED, *NOT_SIMULATED} == set(get_args(Target))
    assert not set(SIMULATED) & NOT_SIMULATED.keys()
    for name in NOT_SIMULATED:
        with pytest.raises(CostctlError) as caught:
            simulated_target(name)
        assert caught.value.code == "E477"
        assert NOT_SIMULATED[name] in caught.value.message
    with pytest.raises(CostctlError, match="did you mean litellm"):
        simulated_target("litelm")


def test_the_record_speaks_only_of_parts_that_there_are() -> None:
    for said in (LITELLM.dropped, LITELLM.does, LITELLM.beyond, NATIVE_DROPPED):
        assert said.keys() <= PARTS.keys()
    assert not LITELLM.dropped.keys() & {*LITELLM.does, *LITELLM.beyond}
    assert Change._fields == ("part", "instead", "how")
