"""OpenRouter's own SDK before an upstream of ours: its models keep what is exported, and it goes out whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from costctl.export import openrouter
from tests.export.test_targets import MORE, given
from tests.policy.example import EXAMPLE
from tests.products.asking import Driver, driven
from tests.products.installing import python_of
from tests.products.upstream import Upstream, running_upstream

MESSAGES = [{"role": "user", "content": "hola"}]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as one:
        yield one


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Driver]:
    env = {"UPSTREAM": upstream.url}
    with driven(python_of("openrouter"), "openrouter_calls.py", tmp_path_factory.mktemp("sdk"), env) as one:
        yield one


def exported(policy: str, name: str) -> Any:
    return json.loads(openrouter.export(given(policy)).files[name])


@pytest.mark.parametrize("policy", [EXAMPLE, MORE], ids=["example", "more"])
def test_the_models_of_the_sdk_keep_every_field(sdk: Driver, policy: str) -> None:
    """They drop what they do not know or understand without a word."""
    for fragment in exported(policy, openrouter.REQUESTS).values():
        whole = {**fragment, "messages": MESSAGES}
        assert sdk.ask({"validate": "chat", "fields": whole}) == whole
        assert sdk.ask({"validate": "provider", "fields": fragment["provider"]}) == fragment["provider"]
    for key in exported(policy, openrouter.KEYS):
        assert sdk.ask({"validate": "key", "fields": key}) == key


def test_a_misspelt_key_is_dropped_by_the_sdk_and_caught_by_our_schema(sdk: Driver) -> None:
    assert sdk.ask({"validate": "provider", "fields": {"sortt": "price"}}) == {}
    files = dict(openrouter.export(given(MORE)).files)
    files[openrouter.REQUESTS] = files[openrouter.REQUESTS].replace('"sort"', '"sortt"')
    assert any("did you mean sort?" in fault for fault in openrouter.faults(files))


@pytest.mark.parametrize("tier", ["A", "B", "C"])
def test_a_request_of_a_tier_goes_out_whole(sdk: Driver, upstream: Upstream, tier: str) -> None:
    upstream.reset()
    fragment = exported(EXAMPLE, openrouter.REQUESTS)[tier]
    sdk.ask({**fragment, "messages": MESSAGES})
    (seen,) = upstream.seen
    assert {name: seen.body.get(name) for name in fragment} == fragment
    assert seen.body["messages"] == MESSAGES
    assert seen.headers["authorization"] == "Bearer sk-loopback"


def test_the_chain_goes_from_a_tier_to_its_fallbacks() -> None:
    assert exported(EXAMPLE, openrouter.REQUESTS)["C"]["models"] == [
        "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-3.5-haiku", "meta-llama/llama-3.1-8b-instruct",
    ]  # fmt: skip


def test_presets_and_keys_go_out_whole(sdk: Driver, upstream: Upstream) -> None:
    upstream.reset()
    (preset, *_), (key, *_) = exported(EXAMPLE, openrouter.PRESETS), exported(EXAMPLE, openrouter.KEYS)
    sdk.ask({"slug": preset["slug"], **preset["body"], "messages": MESSAGES})
    sdk.ask(key)
    made, limited = upstream.seen
    assert made.path == f"/v1/presets/{preset['slug']}/chat/completions"
    assert {name: made.body.get(name) for name in preset["body"]} == preset["body"]
    assert (limited.path, limited.body) == ("/v1/keys", key)
