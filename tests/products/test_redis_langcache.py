"""The exported module with the official client of LangCache before a service of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.export import langcache
from tests.export.test_caches import FACTS
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE
from tests.products.asking import driven
from tests.products.installing import python_of


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What went over the wire for one look-up and one answer kept, and what the module made of it."""
    folder = tmp_path_factory.mktemp("langcache")
    for path, text in langcache.export(given(EXAMPLE)).files.items():
        (folder / path).write_text(text, "utf-8")
    with driven(python_of("redis-langcache"), "langcache_calls.py", folder, {}) as driver:
        found: dict[str, Any] = driver.ask({"prompt": "hola", "answer": "buenas", "facts": FACTS, "temperature": 0.1})
    return found


def test_the_client_sends_what_the_policy_says(asked: dict[str, Any]) -> None:
    search, kept = asked["bodies"]
    assert search == {
        "prompt": "hola", "similarityThreshold": 0.8, "searchStrategies": ["exact", "semantic"], "attributes": FACTS,
        "maxResults": 1,
    }  # fmt: skip
    assert kept == {"prompt": "hola", "response": "buenas", "attributes": FACTS, "ttlMillis": 86_400_000}
    assert asked["keys"] == ["Bearer loopback", "Bearer loopback"]


def test_an_answer_between_the_thresholds_is_to_be_written_anew(asked: dict[str, Any]) -> None:
    assert asked["found"] == ["kept", True]  # the service says 0.85


def test_every_parameter_is_a_field_of_the_client(tmp_path: Path) -> None:
    """Its models drop fields that they do not know; none of ours is dropped."""
    parameters = json.loads(langcache.export(given(EXAMPLE)).files["langcache.json"])
    assert set(parameters["search"]) == {"search_strategies", "max_results", "similarity_threshold"}
    (tmp_path / "x").mkdir()
    with driven(python_of("redis-langcache"), "langcache_calls.py", tmp_path / "x", {}) as driver:
        same = driver.ask({"model": "SearchRequest", "fields": {"prompt": "p", **parameters["search"]}})
        misspelt = driver.ask({"model": "SearchRequest", "fields": {"prompt": "p", "similarity_treshold": 0.9}})
    assert same["kept"] == sorted({"prompt", *parameters["search"]})
    assert misspelt["kept"] == ["prompt"]
