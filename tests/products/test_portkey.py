"""The Portkey gateway on loopback, with the exported configuration in the header of each request."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.export import portkey
from tests.products.installing import place_of
from tests.products.serving import Answer, free_port, post, served
from tests.products.story import MODELS, POLICY, given
from tests.products.upstream import Upstream, running_upstream

NAMES = {tier: model for model, tier in MODELS.items()}
SLACK_S = 0.5
HURRIED = re.sub(r"(?m)^(  [ABC]: .*)timeout_s: 60", r"\1timeout_s: 1", POLICY)
WEIGHTED = POLICY.replace(
    "A: {models: [openai/gpt-4o-mini],",
    "A: {models: [openai/gpt-4o-mini, openai/gpt-4.1-nano], select: weights, weights: [0.9, 0.1],",
)
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as one:
        yield one


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    start = place_of("portkey") / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    with served(["node", start, f"--port={port}", "--headless"], tmp_path_factory.mktemp("gateway"), port, "/", {}):
        yield port


@pytest.fixture
def ask(tmp_path: Path, gateway: int, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Sends a request with the headers that the exported module makes; only the address of the provider is ours."""
    upstream.reset()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")

    def asked(tier: str, policy: str = POLICY, **body: Any) -> Answer:
        for name, text in portkey.export(given(policy)).files.items():
            (tmp_path / name).write_text(text, "utf-8")
        spec = importlib.util.spec_from_file_location("costctl_portkey", tmp_path / portkey.MODULE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        headers = module.headers(tier)
        config = json.loads(headers["x-portkey-config"])
        for leaf in leaves(config):
            leaf["custom_host"] = upstream.url
        headers["x-portkey-config"] = json.dumps(config)
        request = {"model": "any", "messages": [{"role": "user", "content": "hola"}], **body}
        return post(gateway, "/v1/chat/completions", request, headers)

    return asked


def leaves(target: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The targets that are models."""
    if "targets" not in target:
        yield target
    for one in target.get("targets", ()):
        yield from leaves(one)


@pytest.mark.parametrize(("tier", "tokens", "temperature"), [("A", 400, 0.2), ("B", 1200, 0.5), ("C", 2500, 0.3)])
def test_a_tier_reaches_its_model_with_its_parameters(
    ask: Ask, upstream: Upstream, tier: str, tokens: int, temperature: float
) -> None:
    said = ask(tier, max_tokens=9, temperature=1)
    assert said.status == 200
    (seen,) = upstream.seen
    assert (seen.model, seen.body["max_tokens"], seen.body["temperature"]) == (NAMES[tier], tokens, temperature)
    assert seen.headers["authorization"] == "Bearer sk-loopback"


def test_a_tier_that_nobody_has_goes_to_the_default(ask: Ask, upstream: Upstream) -> None:
    assert ask("Z").status == 200
    assert upstream.models() == [NAMES["B"]]


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_errors_go_down_the_chain(ask: Ask, upstream: Upstream, status: int) -> None:
    upstream.fail(NAMES["C"], status)
    upstream.fail(NAMES["B"], status)
    said = ask("C")
    assert said.status == 200
    assert upstream.models() == [NAMES["C"], NAMES["B"], NAMES["A"]]
    assert said.headers["x-portkey-last-used-option-index"] == "config.targets[2].targets[2]"
    assert upstream.seen[-1].body["max_tokens"] == 400


def test_a_wrong_request_is_answered_as_it_is(ask: Ask, upstream: Upstream) -> None:
    upstream.fail(NAMES["C"], 400)
    assert ask("C").status == 400
    assert upstream.models() == [NAMES["C"]]


def test_a_slow_model_is_left_at_its_timeout(ask: Ask, upstream: Upstream) -> None:
    upstream.delay(NAMES["C"], 20)
    said = ask("C", HURRIED)
    assert said.status == 200
    assert upstream.models() == [NAMES["C"], NAMES["B"]]
    assert 1 <= said.took_s <= 1 + SLACK_S


def test_a_failure_is_tried_again_before_the_fallback(ask: Ask, upstream: Upstream) -> None:
    upstream.fail(NAMES["C"], 500)
    assert ask("C", POLICY + "retries: {max: 1}\n").status == 200
    assert upstream.models() == [NAMES["C"], NAMES["C"], NAMES["B"]]


def test_models_share_by_weight(ask: Ask, upstream: Upstream) -> None:
    for _ in range(60):
        assert ask("A", WEIGHTED).status == 200
    counts = Counter(upstream.models())
    assert set(counts) == {"gpt-4o-mini", "gpt-4.1-nano"}
    assert counts["gpt-4o-mini"] >= 40  # 54 expected, with a deviation of 2.3


def test_a_share_that_fails_falls_back(ask: Ask, upstream: Upstream) -> None:
    upstream.fail("gpt-4o-mini", 500)
    upstream.fail("gpt-4.1-nano", 500)
    policy = WEIGHTED.replace("fallbacks: {C: [B, A], B: [A]}", "fallbacks: {A: [B]}")
    assert ask("A", policy).status == 200
    assert upstream.models()[-1] == NAMES["B"]


def test_a_misspelt_key_is_taken_without_a_word_but_not_by_our_schema(gateway: int, upstream: Upstream) -> None:
    """Why the schema is there: this timeout is none."""
    upstream.reset()
    config = json.loads(portkey.export(given(HURRIED)).files[portkey.FILE])
    for leaf in leaves(config):
        leaf["request_timout"] = leaf.pop("request_timeout")
    files = {portkey.FILE: json.dumps(config), portkey.MODULE: ""}
    assert any("did you mean request_timeout?" in fault for fault in portkey.faults(files))
    for leaf in leaves(config):
        leaf |= {"custom_host": upstream.url, "api_key": "sk-loopback"}
    headers = {"x-portkey-config": json.dumps(config), "x-portkey-metadata": '{"costctl_tier": "C"}'}
    upstream.delay(NAMES["C"], 2)
    body = {"model": "any", "messages": [{"role": "user", "content": "hola"}]}
    assert post(gateway, "/v1/chat/completions", body, headers).took_s >= 2
