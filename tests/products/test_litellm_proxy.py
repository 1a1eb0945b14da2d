"""The proxy of LiteLLM on loopback, started with the exported files alone."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from costctl.export.litellm import PLUGIN_TARGET
from tests.products.installing import python_of
from tests.products.serving import Answer, free_port, post, served
from tests.products.story import MODELS, POLICY, Told, given, story
from tests.products.upstream import Upstream, running_upstream

NAMES = {tier: model for model, tier in MODELS.items()}
KEY = "sk-loopback"
MORE = "cache: {exact: {ttl: 3s}}\nbudgets: {usd_per_day: [{tier: C, max: 0.006}]}\n"
HURRIED = POLICY.replace("[openai/gpt-4o], max_output_tokens: 2500, temperature: 0.3, timeout_s: 60",
                         "[openai/gpt-4o], max_output_tokens: 2500, temperature: 0.3, timeout_s: 2")  # fmt: skip
ASKED = {"A": "hola", "C": "analiza los pros"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as one:
        yield one


def written(folder: Path, policy: str) -> Path:
    """The exported files in a folder."""
    for name, text in PLUGIN_TARGET.export(given(policy)).files.items():
        (folder / name).write_text(text, "utf-8")
    return folder / "config.yaml"


def environment(upstream: Upstream) -> dict[str, str]:
    """All that the exported configuration asks of it."""
    return {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": upstream.url,
        "LITELLM_CACHE_TYPE": "local", "LITELLM_MASTER_KEY": KEY, "NO_PROXY": "*",
    }  # fmt: skip


def command(*arguments: str) -> list[str]:
    """The proxy's own command."""
    return [str(python_of("litellm-proxy").with_name("litellm")), "--config", "config.yaml", *arguments]


@contextlib.contextmanager
def proxy(folder: Path, upstream: Upstream, policy: str) -> Iterator[int]:
    """The port of a proxy that serves the policy."""
    written(folder, policy)
    upstream.reset()
    port = free_port()
    start = command("--host", "127.0.0.1", "--port", str(port))
    with served(start, folder, port, "/health/liveliness", environment(upstream)):
        ask(port, "A", content="warm up")
        upstream.reset()
        yield port


def ask(port: int, tier: str, content: str | None = None, **more: Any) -> Answer:
    """A call that the policy sends to this tier."""
    body = {"model": "auto", "messages": [{"role": "user", "content": content or ASKED[tier]}], **more}
    return post(port, "/v1/chat/completions", body, {"Authorization": f"Bearer {KEY}"}, 120)


def test_all_models_of_the_file_are_there(tmp_path: Path, upstream: Upstream) -> None:
    """LiteLLM drops what it does not understand and calls the rest valid: only the count tells."""
    config = written(tmp_path, POLICY + MORE)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment(upstream)}
    done = subprocess.run(
        command("--validate_config"), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert "is not a valid argument" not in said
    counts = re.findall(r"\((\d+) models?\)", said)
    assert counts == [str(len(yaml.safe_load(config.read_text("utf-8"))["model_list"]))], said[-2000:]


def test_the_proxy_decides_as_the_simulation_and_falls_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> None:
    told = story(tmp_path_factory.mktemp("story"), 500)
    with proxy(tmp_path, upstream, POLICY) as port:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: decided(port, one), told))
        assert [one.status for one in answers] == [200] * 500
        assert [one.headers["x-litellm-model-id"] for one in answers] == [f"tier-{one.tier.lower()}-1" for one in told]
        tiers = [one.headers["x-litellm-complexity-router-tier"] for one in answers]
        assert tiers == [one.tier for one in told]
        upstream.reset()
        upstream.fail(NAMES["C"], 500)
        upstream.fail(NAMES["B"], 429)
        assert ask(port, "C").headers["x-litellm-model-id"] == "tier-a-1"
        assert upstream.models() == [NAMES[one] for one in "CBA"]
        seen = len(upstream.seen)
        assert post(port, "/v1/chat/completions", {"model": "auto"}, {"Authorization": "Bearer no"}).status >= 400
        assert len(upstream.seen) == seen  # the master key is asked for


def decided(port: int, one: Told) -> Answer:
    body = {"model": "auto", "messages": one.messages, "metadata": one.beside}
    return post(port, "/v1/chat/completions", body, {"Authorization": f"Bearer {KEY}"}, 120)


def test_timeouts_cache_and_budget(tmp_path: Path, upstream: Upstream) -> None:
    """A slow tier costs its timeout, an equal call is answered once, and a tier over its budget gives way to B."""
    with proxy(tmp_path, upstream, HURRIED + MORE) as port:
        first = ask(port, "A").body["choices"][0]["message"]["content"]
        time.sleep(0.5)  # it is kept beside the answer
        assert ask(port, "A").body["choices"][0]["message"]["content"] == first
        assert len(upstream.seen) == 1
        time.sleep(3)
        assert ask(port, "A").body["choices"][0]["message"]["content"] != first
        upstream.reset()
        upstream.delay(NAMES["C"], 8)
        slow = ask(port, "C", content="analiza otra cosa")
        assert slow.headers["x-litellm-model-id"] == "tier-b-1"
        assert 2 <= slow.took_s <= 2.5
        upstream.reset()
        found = []
        for number in range(5):  # each costs $0.0035 of the $0.006
            found.append(ask(port, "C", content=f"analiza el caso {number}").headers["x-litellm-model-id"])
            time.sleep(0.3)  # spend is counted beside the calls
        assert found[:2] == ["tier-c-1", "tier-c-1"]
        assert found[-2:] == ["tier-b-1", "tier-b-1"]
