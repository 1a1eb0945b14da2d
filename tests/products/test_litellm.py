"""The Router of LiteLLM's library on loopback, from the exported files alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.export.litellm import NATIVE, PLUGIN_TARGET
from costctl.export.litellm_native import lane_of, native_of
from tests.products.asking import Driver, driven
from tests.products.installing import python_of
from tests.products.story import MODELS, POLICY, Told, given, story
from tests.products.upstream import Upstream, running_upstream

NAMES = {tier: model for model, tier in MODELS.items()}
SLACK_S = 0.5
TIMEOUTS_S = {"A": 1, "B": 1.5, "C": 2}
HURRIED = re.sub(r"(?m)^(  ([ABC]): .*)timeout_s: 60", lambda one: f"{one[1]}timeout_s: {TIMEOUTS_S[one[2]]}", POLICY)
ASKED = {
    "A": "hola",
    "B": "cuéntame algo de la Patagonia por favor, sin apuro, lo que quieras",
    "C": "analiza los pros",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as one:
        yield one


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Driver]:
    """One process for all tests of this module: the library takes seconds to start."""
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": "sk-loopback", "OPENAI_BASE_URL": upstream.url,
        "LITELLM_CACHE_TYPE": "local",
    }  # fmt: skip
    with driven(python_of("litellm"), "litellm_router.py", tmp_path_factory.mktemp("driver"), env) as one:
        yield one


Start = Callable[..., Driver]


@pytest.fixture
def start(tmp_path: Path, driver: Driver, upstream: Upstream) -> Start:
    """Makes the router from the files that a policy gives, and forgets what the upstream saw."""

    def made(policy: str = POLICY, *, is_plugin: bool = True) -> Driver:
        upstream.reset()
        for name, text in (PLUGIN_TARGET if is_plugin else NATIVE).export(given(policy)).files.items():
            (tmp_path / name).write_text(text, "utf-8")
        assert driver.ask({"folder": str(tmp_path)}) is None
        return driver

    return made


def asked(tier: str, **more: Any) -> dict[str, Any]:
    """A call that the policy sends to this tier."""
    return {"model": "auto", "messages": [{"role": "user", "content": ASKED[tier]}], **more}


def warm(router: Driver, upstream: Upstream) -> None:
    """The first calls of a router load what it needs, which is not the time that is looked at."""
    router.ask([asked(tier) for tier in "ABC"])
    upstream.reset()


def call_of(one: Told) -> dict[str, Any]:
    return {"model": "auto", "messages": one.messages, "metadata": one.beside}


SCORER_ALIKE = 377
"""Of 500 calls of the story."""


def tiers_of(answers: list[dict[str, Any]]) -> list[str | None]:
    """The tier of the model that gave each answer."""
    return [MODELS.get(str(one.get("text")).rpartition(" ")[2]) for one in answers]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    return story(tmp_path_factory.mktemp("story"), 500)


def test_the_plugin_decides_as_the_simulation(start: Start, upstream: Upstream, told: list[Told]) -> None:
    """500 calls of the story log, each in the tier that the simulation routes it to."""
    router = start()
    answers = tiers_of(router.ask([call_of(one) for one in told]))
    differ = [(one.tier, found) for one, found in zip(told, answers, strict=True) if one.tier != found]
    assert not differ
    assert min(Counter(answers).values()) >= 20  # all three tiers were asked
    assert Counter(upstream.models()) == Counter(NAMES[one.tier] for one in told)


def test_the_scorer_is_ours_and_its_agreement_is_measured(start: Start, upstream: Upstream, told: list[Told]) -> None:
    """In native mode LiteLLM decides as `litellm_native` does; how often that is the simulation's tier is measured."""
    native = native_of(given())
    ours = [lane_of(native, last_text(one)) for one in told]
    router = start(is_plugin=False)
    theirs = tiers_of(router.ask([call_of(one) for one in told]))
    assert theirs == ours
    assert sum(one.tier == found for one, found in zip(told, theirs, strict=True)) == SCORER_ALIKE
    assert set(theirs) == set("ABC")


def last_text(one: Told) -> str:
    return next(str(turn["content"]) for turn in reversed(one.messages) if turn["role"] == "user")


def test_limits_and_temperature_of_the_tier_arrive(start: Start, upstream: Upstream) -> None:
    router = start()
    for tier in "ABC":
        assert tiers_of([router.ask(asked(tier))]) == [tier]
    assert [(one.body["max_tokens"], one.body["temperature"]) for one in upstream.seen] == [
        (400, 0.2), (1200, 0.5), (2500, 0.3)
    ]  # fmt: skip
    # What the tier says stands in place of what the request says.
    router.ask(asked("A", max_tokens=4_000, temperature=0.9))
    assert (upstream.seen[-1].body["max_tokens"], upstream.seen[-1].body["temperature"]) == (400, 0.2)
    known = {"model", "messages", "max_tokens", "temperature", "extra_body"}
    assert all(set(one.body) <= known for one in upstream.seen)  # no setting went to the provider by mistake


@pytest.mark.parametrize("status", [500, 429, 401, 503])
def test_errors_fall_back_in_order(start: Start, upstream: Upstream, status: int) -> None:
    router = start()
    upstream.fail(NAMES["C"], status)
    assert tiers_of([router.ask(asked("C"))]) == ["B"]
    assert upstream.models() == [NAMES["C"], NAMES["B"]]  # tried once each
    upstream.fail(NAMES["B"], status)
    assert tiers_of([router.ask(asked("C"))]) == ["A"]
    assert upstream.models()[2:] == [NAMES["C"], NAMES["B"], NAMES["A"]]
    assert (upstream.seen[-1].body["max_tokens"], upstream.seen[-1].body["temperature"]) == (400, 0.2)
    # As the loss report says: after a fallback the request's own settings count.
    router.ask(asked("C", max_tokens=4_000, temperature=0.9))
    assert (upstream.seen[-3].body["max_tokens"], upstream.seen[-3].body["temperature"]) == (2500, 0.3)
    assert (upstream.seen[-1].body["max_tokens"], upstream.seen[-1].body["temperature"]) == (4_000, 0.9)


def test_a_slow_tier_costs_its_timeout_and_no_more(start: Start, upstream: Upstream) -> None:
    router = start(HURRIED)
    warm(router, upstream)
    upstream.delay(NAMES["C"], 8)
    said = router.ask(asked("C"))
    assert tiers_of([said]) == ["B"]
    assert 2 <= said["took_s"] <= 2 + SLACK_S
    upstream.delay(NAMES["B"], 8)
    said = router.ask(asked("C"))
    assert tiers_of([said]) == ["A"]
    assert 3.5 <= said["took_s"] <= 3.5 + 2 * SLACK_S
    assert upstream.models() == [NAMES[one] for one in "CBCBA"]


def test_a_tier_over_its_budget_gives_way(start: Start, upstream: Upstream) -> None:
    """C may spend what two of its calls cost (1,000 tokens in, 100 out: $0.0035); then B answers."""
    policy = POLICY + "budgets: {usd_per_day: [{tier: C, max: 0.006}]}\n"
    router = start(policy)
    found = []
    for _ in range(5):
        found += tiers_of([router.ask(asked("C"))])
        router.ask(asked("A"))  # spend is counted beside the calls
    assert found[:2] == ["C", "C"]
    assert found[-2:] == ["B", "B"]


def test_a_failing_model_is_passed_over(start: Start, upstream: Upstream) -> None:
    """A fifth of 20 calls: three failures are let pass, after the fourth it is not asked for the cooldown."""
    policy = POLICY + "kill_switch: {error_ratio: 20%, window: 15m, min_requests: 20, cooldown: 10m}\n"
    router = start(policy)
    upstream.fail(NAMES["C"], 500)
    assert tiers_of([router.ask(asked("C")) for _ in range(8)]) == ["B"] * 8
    assert upstream.models().count(NAMES["C"]) == 4


def test_without_a_kill_switch_nothing_is_passed_over(start: Start, upstream: Upstream) -> None:
    router = start()
    upstream.fail(NAMES["C"], 500)
    assert tiers_of([router.ask(asked("C")) for _ in range(8)]) == ["B"] * 8
    assert upstream.models().count(NAMES["C"]) == 8


def test_a_timeout_is_not_multiplied_by_retries_for_errors(start: Start, upstream: Upstream) -> None:
    policy = HURRIED + "retries: {max: 2, on: [server_error]}\n"
    router = start(policy)
    warm(router, upstream)
    upstream.delay(NAMES["C"], 8)
    said = router.ask(asked("C"))
    assert tiers_of([said]) == ["B"]
    assert 2 <= said["took_s"] <= 2 + SLACK_S
    upstream.reset()
    upstream.fail(NAMES["C"], 500)
    assert tiers_of([router.ask(asked("C"))]) == ["B"]
    assert upstream.models() == [NAMES["C"]] * 3 + [NAMES["B"]]


def test_models_of_a_tier_are_asked_in_order_or_by_weight(start: Start, upstream: Upstream) -> None:
    policy = POLICY.replace("{models: [openai/gpt-4o]", "{models: [openai/gpt-4o, openai/gpt-4.1]")
    router = start(policy)
    said = router.ask([asked("C")] * 12)
    assert {answer["model_id"] for answer in said} == {"tier-c-1"}
    upstream.fail("gpt-4o", 500)
    assert router.ask(asked("C"))["model_id"] == "tier-c-2"
    weighed = policy.replace("openai/gpt-4.1]", "openai/gpt-4.1], select: weights, weights: [0.75, 0.25]")
    router = start(weighed)
    share = Counter(answer["model_id"] for answer in router.ask([asked("C")] * 200))["tier-c-1"] / 200
    assert 0.6 < share < 0.9  # 0.75 and five standard deviations


def test_what_a_tier_cannot_hold_goes_higher(start: Start, upstream: Upstream) -> None:
    policy = POLICY.replace("max_output_tokens: 400,", "max_output_tokens: 400, context_tokens: 1k,")
    long = [{"role": "system", "content": "word " * 1_500}, {"role": "user", "content": ASKED["A"]}]
    router = start(policy)
    assert tiers_of([router.ask(asked("A")), router.ask(asked("A", messages=long))]) == ["A", "B"]
    router = start(policy, is_plugin=False)
    assert tiers_of([router.ask(asked("A")), router.ask(asked("A", messages=long))]) == ["A", "B"]


def test_a_request_for_a_tier_by_name_is_not_decided(start: Start, upstream: Upstream) -> None:
    router = start()
    assert tiers_of([router.ask(asked("A", model="tier-c"))]) == ["C"]
    assert (upstream.seen[0].body["max_tokens"], upstream.seen[0].body["temperature"]) == (2500, 0.3)
