"""Switchyard's server on loopback, from the exported file; only the address of the provider is ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.export import switchyard
from tests.products.asking import Driver, driven
from tests.products.installing import python_of
from tests.products.serving import Answer, post
from tests.products.story import MODELS, POLICY, given
from tests.products.upstream import Upstream, running_upstream

NAMES = {tier: model for model, tier in MODELS.items()}
HURRIED = re.sub(r"(?m)^(  [ABC]: .*)timeout_s: 60", r"\1timeout_s: 1", POLICY)
WEIGHTED = POLICY.replace(
    "A: {models: [openai/gpt-4o-mini],",
    "A: {models: [openai/gpt-4o-mini, openai/gpt-4.1-nano], select: weights, weights: [0.9, 0.1],",
)
Start = Callable[..., Callable[..., Answer]]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    # The server hides the text of the key in what it answers: it must not be part of a model's name.
    env = {"OPENAI_API_KEY": "k-loopback-77"}
    folder = tmp_path_factory.mktemp("server")
    with driven(python_of("switchyard"), "switchyard_server.py", folder, env) as one:
        yield one


@pytest.fixture
def start(tmp_path: Path, server: Driver, upstream: Upstream) -> Start:
    """Starts a server from what a policy gives; then asks it for a route."""
    upstream.reset()

    def started(policy: str = POLICY) -> Callable[..., Answer]:
        path = tmp_path / switchyard.FILE
        text = switchyard.export(given(policy)).files[switchyard.FILE]
        path.write_text(text.replace("https://api.openai.com/v1", upstream.url), "utf-8")
        port = server.ask({"config": str(path)})["port"]

        def ask(model: str, **more: Any) -> Answer:
            body = {"model": model, "messages": [{"role": "user", "content": "hola"}], **more}
            return post(port, "/v1/chat/completions", body)

        return ask

    return started


@pytest.mark.parametrize(("tier", "tokens", "temperature"), [("A", 400, 0.2), ("B", 1200, 0.5), ("C", 2500, 0.3)])
def test_a_tier_reaches_its_model_with_its_parameters(
    start: Start, upstream: Upstream, tier: str, tokens: int, temperature: float
) -> None:
    assert start()(f"tier-{tier.lower()}").status == 200
    (seen,) = upstream.seen
    assert (seen.model, seen.body["max_tokens"], seen.body["temperature"]) == (NAMES[tier], tokens, temperature)
    assert seen.headers["authorization"] == "Bearer k-loopback-77"


def test_what_the_request_says_stays(start: Start, upstream: Upstream) -> None:
    """Why the loss report says approximated."""
    assert start()("tier-a", max_tokens=9_999).status == 200
    assert upstream.seen[0].body["max_tokens"] == 9_999


def test_a_slow_model_is_left_at_its_timeout(start: Start, upstream: Upstream) -> None:
    upstream.delay(NAMES["C"], 20)
    said = start(HURRIED)("tier-c")
    assert said.status == 504
    assert 1 <= said.took_s <= 1.5


def test_there_is_no_fallback_and_retries_are_those_of_the_policy(start: Start, upstream: Upstream) -> None:
    upstream.fail(NAMES["C"], 500)
    assert start()("tier-c").status == 500
    assert upstream.models() == [NAMES["C"]]
    upstream.seen.clear()
    assert start(POLICY + "retries: {max: 2}\n")("tier-c").status == 500
    assert upstream.models() == [NAMES["C"]] * 3


def test_models_share_by_weight(start: Start, upstream: Upstream) -> None:
    ask = start(WEIGHTED)
    for _ in range(60):
        assert ask("tier-a").status == 200
    counts = Counter(upstream.models())
    assert set(counts) <= {"gpt-4o-mini", "gpt-4.1-nano"}
    assert counts["gpt-4o-mini"] >= 40  # 54 expected, with a deviation of 2.3


def test_a_route_that_nobody_has_is_an_error(start: Start, upstream: Upstream) -> None:
    assert start()("tier-z").status >= 400
    assert upstream.models() == []


def test_it_refuses_a_key_that_it_does_not_know(tmp_path: Path, server: Driver) -> None:
    text = switchyard.export(given()).files[switchyard.FILE].replace("timeout_ms", "timout_ms", 1)
    path = tmp_path / "wrong.toml"
    path.write_text(text, "utf-8")
    assert "unknown field `timout_ms`" in server.ask({"config": str(path)})["error"]
    assert any("did you mean timeout_ms?" in fault for fault in switchyard.faults({switchyard.FILE: text}))
