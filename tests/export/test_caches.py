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
    "app": "web", "endpoint": "/chat", "team": "t", "intent": "faq", "origin": "a", "destination": "b",
    "interests": "c", "duration_days": "3", "budget": "1",
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


def test_each_cache_has_its_own_ttl() -> None:
    year = list(range(1, 13))
    assert parameters(EXACT)["exact"]["ttls"] == [{"months": year, "ttl_millis": 7_200_000}]
    # Exact answers live 24 h, near ones 24 h in January and February and else 72 h.
    found = parameters(EXAMPLE)
    assert found["exact"]["ttls"] == [{"months": year, "ttl_millis": 86_400_000}]
    assert found["semantic"]["ttls"] == [
        {"months": [1, 2], "ttl_millis": 86_400_000},
        {"months": list(range(3, 13)), "ttl_millis": 259_200_000},
    ]


def test_a_threshold_that_serves_nothing_is_not_asked() -> None:
    text = "version: 1\ncache: {exact: {ttl: 2h}, semantic: {serve_min: 1.5, ttl: 2h}}\n"
    assert "semantic" not in parameters(text)
    assert langcache.faults(langcache.export(given(text)).files) == []


@pytest.mark.parametrize(
    ("prompt", "facts", "temperature", "asked"),
    [
        ("hola", FACTS, 0.3, ["exact", "semantic"]),
        ("hola", FACTS, 0.4, ["semantic"]),  # the temperature is a condition of equal prompts alone
        ("hola", FACTS, None, ["semantic"]),  # 1 where nothing is said
        ("hola", {**FACTS, "team": ""}, 0.1, ["exact", "semantic"]),
        ("hola", dict.fromkeys(FACTS), 0.1, ["exact", "semantic"]),
        ("write to me@example.com", FACTS, 0.1, []),
    ],
)
def test_which_caches_are_asked(prompt: str, facts: Any, temperature: Any, asked: list[str]) -> None:
    assert langcache_client.caches_of(prompt, facts, temperature, parameters(EXAMPLE)) == asked


def test_what_the_caller_must_give_is_told() -> None:
    told = {loss.part: loss.says for loss in langcache.export(given(EXAMPLE)).losses}
    for wanted in ("endpoint, team as facts", "the temperature of the tier", "the first turn of a conversation only"):
        assert wanted in told["cache.exact"]
    assert "app, intent, origin, destination, interests, duration_days, budget as facts" in told["cache.semantic"]


def test_a_named_field_is_left_out() -> None:
    found = parameters(EXACT.replace("scope: []}", "scope: []}, exclude: ['endpoint:/private*']"))
    assert langcache_client.caches_of("p", {"endpoint": "/private/x"}, None, found) == []
    assert langcache_client.caches_of("p", {"endpoint": "/public"}, None, found) == ["exact"]
    assert langcache_client.caches_of("p", {"endpoint": None}, None, found) == ["exact"]


def test_a_fact_that_the_caller_forgets_is_no_fact_that_is_not_there() -> None:
    # Else a caller that never tells the team is answered across teams without a word.
    facts = {name: text for name, text in FACTS.items() if name not in {"team", "budget"}}
    with pytest.raises(ValueError, match="facts must name team, budget; say None where a request has none"):
        langcache_client.caches_of("hola", facts, 0.1, parameters(EXAMPLE))


class Service:
    """LangCache as its documentation has it: an entry is found by its prompt and all attributes that are asked for.

    Texts are near where their first words are equal, with `similarity`. As the service, it refuses an attribute of no
    text and one with a comma, and never finds one with a slash.
    """

    def __init__(self, similarity: float = 0.95) -> None:
        self.kept: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self._similarity = similarity

    def search(self, **asked: Any) -> Any:
        assert all(text and "," not in text for text in asked["attributes"].values())
        self.asked.append(asked)
        (kind,) = asked["search_strategies"]
        found = [
            SimpleNamespace(response=one["response"], similarity=self._score(one["prompt"], asked["prompt"]))
            for one in reversed(self.kept)
            if asked["attributes"].items() <= one["attributes"].items()
            and not any("/" in text for text in asked["attributes"].values())
            and (kind == "semantic" or one["prompt"] == asked["prompt"])
        ]
        least = asked.get("similarity_threshold", 0)
        return SimpleNamespace(data=[one for one in found if one.similarity >= least][: asked["max_results"]])

    def set(self, **asked: Any) -> None:
        self.kept.append(asked)

    def _score(self, one: str, other: str) -> float:
        if one == other:
            return 1.0
        return self._similarity if one.split()[0] == other.split()[0] else 0.0


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module with the parameters of the example."""
    monkeypatch.setattr(langcache_client, "parameters", lambda: parameters(EXAMPLE))


NONE = dict.fromkeys(FACTS)
CHAT = {**NONE, "endpoint": "/chat"}


@pytest.mark.parametrize(
    ("asked", "facts", "temperature", "answer"),
    [
        # As the simulation: a part that is not there is equal to one that is not there, and to nothing else.
        ("hola amigos", CHAT, 0.2, "kept"),
        ("hola amigos", {**CHAT, "budget": "900"}, 0.2, "kept"),  # key parts are no scope of equal prompts
        ("hola amigos", {**CHAT, "team": "sales"}, 0.9, "kept"),  # and its scope none of near ones
        ("hola gente", {**CHAT, "team": "sales"}, 0.9, "kept"),
        ("hola gente", {**CHAT, "budget": "900"}, 0.2, None),
        ("hola gente", {**CHAT, "app": "other"}, 0.2, None),
        ("adios", CHAT, 0.2, None),
    ],
)
def test_what_is_kept_is_found_as_in_the_simulation(
    example: None, asked: str, facts: Any, temperature: float, answer: str | None
) -> None:
    service = Service()
    assert langcache_client.keep(service, "hola amigos", "kept", CHAT, 0.2)
    assert [one["ttl_millis"] for one in service.kept[:1]] == [86_400_000]
    assert langcache_client.find(service, asked, facts, temperature) == (answer, False)


def test_other_instructions_are_another_question(example: None) -> None:
    service = Service()
    langcache_client.keep(service, "hola", "kept", CHAT, 0.2, "Be brief.")
    assert langcache_client.find(service, "hola", CHAT, 0.2, "Be brief.") == ("kept", False)
    assert langcache_client.find(service, "hola", CHAT, 0.2) == (None, False)


def test_a_near_answer_below_serve_min_is_written_anew(example: None) -> None:
    for similarity, found in ((0.95, ("kept", False)), (0.85, ("kept", True)), (0.75, (None, False))):
        service = Service(similarity)
        langcache_client.keep(service, "hola amigos", "kept", FACTS, 0)
        assert langcache_client.find(service, "hola gente", FACTS, 0) == found


def test_what_is_left_out_is_neither_asked_nor_told(example: None) -> None:
    service = Service()
    assert not langcache_client.keep(service, "me@example.com", "a", FACTS, 0)
    assert langcache_client.find(service, "me@example.com", FACTS, 0) == (None, False)
    assert service.kept == service.asked == []


def test_an_entry_of_january_has_the_ttl_of_january() -> None:
    def ttl(month: int) -> Any:
        day = datetime.date(2026, month, 28)
        entry = langcache_client.entry_of("semantic", "p", "a", FACTS, None, parameters(EXAMPLE), day)
        return entry["ttl_millis"]

    assert (ttl(1), ttl(3)) == (86_400_000, 259_200_000)


def test_the_module_needs_nothing_of_ours() -> None:
    text = langcache.export(given(EXAMPLE)).files["costctl_langcache.py"]
    module = ModuleType("costctl_langcache")
    exec(compile(text, "costctl_langcache.py", "exec"), module.__dict__)
    assert callable(module.find)
    assert "costctl." not in text.partition('"""')[2]
