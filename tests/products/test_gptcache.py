"""The exported configuration in the real GPTCache, with vectors of an upstream on loopback: hits at two thresholds."""

from __future__ import annotations

from pathlib import Path

import pytest

from costctl.export import gptcache
from tests.export.test_targets import given
from tests.products.asking import driven
from tests.products.installing import place_of, python_of
from tests.products.upstream import running_upstream, vector_of

FIRST = "one two three four five six"
NEAR = "one two three four five seven"


def models_asked(text: str, folder: Path, prompts: list[tuple[str, str]]) -> list[str]:
    """The models that the upstream is asked for answers, when these prompts are asked one after another."""
    (folder / "gptcache.yaml").write_text(text, "utf-8")
    with running_upstream() as upstream:
        # It installs what it misses by the first pip of the PATH; nothing is missing in its own place.
        env = {
            "PATH": str(place_of("gptcache") / "bin"),
            "OPENAI_API_KEY": "sk-loopback",
            "OPENAI_API_BASE": upstream.url,
        }
        with driven(python_of("gptcache"), "gptcache_calls.py", folder, env) as driver:
            for model, prompt in prompts:
                driver.ask({"model": model, "prompt": prompt})
        return [one.model for one in upstream.seen if one.path.endswith("/chat/completions")]


def config(least: str) -> str:
    """What is exported for a semantic cache that serves from this similarity on."""
    policy = given(f"version: 1\ncache: {{semantic: {{serve_min: {least}, ttl: 72h}}}}\n")
    return gptcache.export(policy).files["gptcache.yaml"]


def test_the_threshold_is_the_cosine(tmp_path: Path) -> None:
    cosine = sum(a * b for a, b in zip(vector_of(FIRST), vector_of(NEAR), strict=True))
    assert 0.81 < cosine < 0.89
    asked = [("small", FIRST), ("small", NEAR)]
    for name, text, count in (
        ("below", config("0.80"), 1),
        ("above", config("0.90"), 2),
        # The product's own distance would serve what the policy does not.
        ("its own", config("0.90").replace("max_distance: 2.0", "max_distance: 4.0"), 1),
    ):
        (tmp_path / name).mkdir()
        assert len(models_asked(text, tmp_path / name, asked)) == count, name


def test_the_key_is_the_text_alone(tmp_path: Path) -> None:
    """The loss says it: a request of one tier is answered from the answer of another one."""
    assert models_asked(config("0.90"), tmp_path, [("small", FIRST), ("large", FIRST)]) == ["small"]


@pytest.mark.parametrize(("second", "count"), [(FIRST, 1), (NEAR, 2)])
def test_an_exact_cache_serves_equal_texts_only(tmp_path: Path, second: str, count: int) -> None:
    text = gptcache.export(given("version: 1\ncache: {exact: {ttl: 2h}}\n")).files["gptcache.yaml"]
    assert len(models_asked(text, tmp_path, [("small", FIRST), ("small", second)])) == count
