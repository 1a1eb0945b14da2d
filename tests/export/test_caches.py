"""Caches as targets: thresholds, times to live, scopes, and what is left out."""

from __future__ import annotations

import datetime
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from costctl.export import gptcache, langcache
from costctl.export.runtime import langcache_client
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE

EXACT = "version: 1\ncache: {exact: {ttl: 2h, scope: []}}\n"
FACTS = {
    "endpoint": "/chat", "team": "t", "intent": "faq", "origin": "a", "destination": "b", "interests": "c",
    "duration_days": "3", "budget": "1",
}  # fmt: skip


def parameters(text: str) -> dict[str, Any]:
    """What is exported for LangCache."""
    found: dict[str, Any] = json.loads(langcache.export(given(text)).files["langcache.json"])
    return found


def test_gptcache_takes_the_cosine_of_the_policy() -> None:
    config = yaml.safe_load(gptcache.export(given(EXAMPLE)).files["gptcache.yaml"])
    assert (config["evaluation"], config["evaluation_config"]) == ("distance", {"max_distance": 2.0})
    assert config["config"]["similarity_threshold"] == 0.9
    assert config["storage_config"]["eviction_params"] == {"max_size": 100_000, "eviction": "LRU"}


def test_gptcache_of_equal_prompts_reads_every_message() -> None:
    config = yaml.safe_load(gptcache.export(given(EXACT)).files["gptcache.yaml"])
    assert (config["evaluation"], config["pre_function"]) == ("exact", "all_content")
    assert config["config"]["similarity_threshold"] == 1.0


@pytest.mark.parametrize("target", [gptcache.TARGET, langcache.TARGET])
def test_without_a_cache_nothing_is_started(target: Any) -> None:
    (text,) = target.export(given("version: 1\n")).files.values()
    assert yaml.safe_load(text) == {}


def test_every_month_has_the_shorter_ttl_of_both_caches() -> None:
    assert parameters(EXACT)["ttls"] == [{"months": list(range(1, 13)), "ttl_millis": 7_200_000}]
    # Exact answers live 24 h, near ones 24 h in January and February and else 72 h.
    assert parameters(EXAMPLE)["ttls"] == [{"months": list(range(1, 13)), "ttl_millis": 86_400_000}]
    near = "version: 1\ncache: {semantic: {serve_min: 0.9, ttl: [{months: [1, 2], ttl: 24h}, {ttl: 72h}]}}\n"
    assert parameters(near)["ttls"] == [
        {"months": [1, 2], "ttl_millis": 86_400_000},
        {"months": list(range(3, 13)), "ttl_millis": 259_200_000},
    ]


def test_an_entry_has_the_ttl_of_its_month_and_the_scope_as_attributes() -> None:
    found = langcache_client.entry_of("p", "a", FACTS, parameters(EXAMPLE), datetime.date(2026, 1, 31))
    assert found == {"prompt": "p", "response": "a", "attributes": FACTS, "ttl_millis": 86_400_000}


@pytest.mark.parametrize(
    ("prompt", "facts", "temperature", "is_out"),
    [
        ("hola", FACTS, 0.3, False),
        ("hola", FACTS, 0.4, True),
        ("hola", FACTS, None, True),  # 1 where nothing is said
        ("hola", {**FACTS, "team": ""}, 0.1, True),
        ("write to me@example.com", FACTS, 0.1, True),
    ],
)
def test_what_the_policy_leaves_out_is_left_out(prompt: str, facts: Any, temperature: Any, is_out: bool) -> None:
    assert langcache_client.is_left_out(prompt, facts, temperature, parameters(EXAMPLE)) is is_out


def test_a_named_field_is_left_out() -> None:
    found = parameters(EXACT.replace("scope: []}", "scope: []}, exclude: ['endpoint:/private*']"))
    assert langcache_client.is_left_out("p", {"endpoint": "/private/x"}, None, found)
    assert not langcache_client.is_left_out("p", {"endpoint": "/public"}, None, found)


class Service:
    """Stands for the client: answers with one entry of this similarity, and keeps what it was asked."""

    def __init__(self, similarity: float, strategy: str = "semantic") -> None:
        self.asked: list[dict[str, Any]] = []
        self._entry = SimpleNamespace(response="kept", similarity=similarity, search_strategy=strategy)

    def search(self, **asked: Any) -> Any:
        self.asked.append(asked)
        return SimpleNamespace(data=[self._entry])

    def set(self, **asked: Any) -> None:
        self.asked.append(asked)


def test_a_near_answer_below_serve_min_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langcache_client, "parameters", lambda: parameters(EXAMPLE))
    assert langcache_client.find(Service(0.95), "p", FACTS, 0) == ("kept", False)
    assert langcache_client.find(Service(0.85), "p", FACTS, 0) == ("kept", True)
    assert langcache_client.find(Service(0.85, "exact"), "p", FACTS, 0) == ("kept", False)
    service = Service(0.95)
    assert langcache_client.find(service, "p", FACTS, 1) == (None, False)
    assert not langcache_client.keep(service, "p", "a", FACTS, 1)
    assert service.asked == []
    assert langcache_client.keep(service, "p", "a", FACTS, 0)
    assert service.asked[0]["response"] == "a"


def test_the_module_needs_nothing_of_ours() -> None:
    text = langcache.export(given(EXAMPLE)).files["costctl_langcache.py"]
    module = ModuleType("costctl_langcache")
    exec(compile(text, "costctl_langcache.py", "exec"), module.__dict__)
    assert callable(module.find)
    assert "costctl." not in text.partition('"""')[2]
