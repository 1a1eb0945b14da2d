"""The exported module with the official client of LangCache before a service of ours."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.export import langcache
from costctl.export.runtime import langcache_client
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
    exact, near, *kept = asked["bodies"]
    equal, alike = exact.pop("attributes"), near.pop("attributes")
    assert exact == {"prompt": "hola", "searchStrategies": ["exact"], "maxResults": 1}
    assert near == {"prompt": "hola", "similarityThreshold": 0.8, "searchStrategies": ["semantic"], "maxResults": 1}
    assert set(equal) == set(alike) == {"costctl"} and equal != alike
    assert kept[0].pop("ttlMillis") == 86_400_000
    assert kept[1].pop("ttlMillis") in {86_400_000, 259_200_000}  # by the month of the test
    assert kept == [{"prompt": "hola", "response": "buenas", "attributes": one} for one in (equal, alike)]
    assert asked["keys"] == ["Bearer loopback"] * 4


def test_an_answer_between_the_thresholds_is_to_be_written_anew(asked: dict[str, Any]) -> None:
    assert asked["found"] == ["kept", True]  # the service says 0.85


def test_every_parameter_is_a_field_of_the_client(tmp_path: Path) -> None:
    """Its models drop fields that they do not know; none of ours is dropped."""
    parameters = json.loads(langcache.export(given(EXAMPLE)).files["langcache.json"])
    search = langcache_client.search_of("semantic", "p", FACTS, None, parameters)
    entry = langcache_client.entry_of("exact", "p", "a", FACTS, None, parameters, datetime.date(2026, 1, 1))
    (tmp_path / "x").mkdir()
    with driven(python_of("redis-langcache"), "langcache_calls.py", tmp_path / "x", {}) as driver:
        same = driver.ask({"model": "SearchRequest", "fields": search})
        put = driver.ask({"model": "SetRequest", "fields": entry})
        misspelt = driver.ask({"model": "SearchRequest", "fields": {"prompt": "p", "similarity_treshold": 0.9}})
    assert (same["kept"], put["kept"]) == (sorted(search), sorted(entry))
    assert misspelt["kept"] == ["prompt"]
