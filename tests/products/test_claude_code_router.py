"""claude-code-router on loopback, from the exported files alone; only the address of the provider is ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.export import claude_code_router as target
from tests.products.installing import place_of
from tests.products.serving import Answer, free_port, post, served
from tests.products.story import MODELS, POLICY, given, story
from tests.products.upstream import Upstream, running_upstream

NAMES = {tier: model for model, tier in MODELS.items()}
ASKED = {
    "A": "hola",
    "B": "cuéntame algo de la Patagonia por favor, sin apuro, lo que quieras",
    "C": "analiza los pros",
}
FACTS = "add_instruction: 'Only the facts given.', to: C}"
INSTRUCTED = POLICY.replace("when: {external_facts: true}, to: C}", f"when: {{external_facts: true}}, {FACTS}")
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as one:
        yield one


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[int]:
    home, port = tmp_path_factory.mktemp("home"), free_port()
    write(home, upstream, port, POLICY)
    yield from started(home, port)


def write(home: Path, upstream: Upstream, port: int, policy: str) -> None:
    """The exported files where the router looks for them."""
    made = home / "made"
    made.mkdir()
    for name, text in target.export(given(policy)).files.items():
        (made / name).write_text(text, "utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    subprocess.run(["sh", made / target.INSTALL], check=True, env=env)
    place = home / ".claude-code-router" / target.CONFIG
    config = json.loads(place.read_text("utf-8"))
    for provider in config["Providers"]:
        provider["api_base_url"] = f"{upstream.url}/chat/completions"
    place.write_text(json.dumps({**config, "PORT": port}), "utf-8")


def started(home: Path, port: int) -> Iterator[int]:
    cli = place_of("claude-code-router") / "node_modules" / "@musistudio" / "claude-code-router" / "dist" / "cli.js"
    env = {"OPENAI_API_KEY": "sk-loopback", "COSTCTL_PYTHON": sys.executable}
    with served(["node", cli, "start"], home, port, "/health", env):
        yield port


@pytest.fixture
def ask(router: int, upstream: Upstream) -> Ask:
    upstream.reset()

    def asked(text: str, port: int = router, **more: Any) -> Answer:
        body = {"model": "claude-sonnet-4", "max_tokens": 32_000, "messages": [{"role": "user", "content": text}]}
        return post(port, "/v1/messages", {**body, **more})

    return asked


@pytest.mark.parametrize(("tier", "tokens", "temperature"), [("A", 400, 0.2), ("B", 1200, 0.5), ("C", 2500, 0.3)])
def test_a_tier_reaches_its_model_with_its_parameters(
    ask: Ask, upstream: Upstream, tier: str, tokens: int, temperature: float
) -> None:
    said = ask(ASKED[tier], temperature=1)
    assert said.status == 200, said.body
    (seen,) = upstream.seen
    assert (seen.model, seen.body["max_tokens"], seen.body["temperature"]) == (NAMES[tier], tokens, temperature)
    assert seen.headers["authorization"] == "Bearer sk-loopback"


def test_a_smaller_limit_of_the_request_stays(ask: Ask, upstream: Upstream) -> None:
    assert ask(ASKED["C"], max_tokens=9).status == 200
    assert upstream.seen[0].body["max_tokens"] == 9


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize(("tier", "chain"), [("C", "CBA"), ("B", "BA")])
def test_each_tier_has_fallbacks_of_its_own(ask: Ask, upstream: Upstream, tier: str, chain: str, status: int) -> None:
    for failing in chain[:-1]:
        upstream.fail(NAMES[failing], status)
    said = ask(ASKED[tier])
    assert (said.status, said.body["model"]) == (200, NAMES["A"])
    assert upstream.models() == [NAMES[one] for one in chain]


def test_without_fallbacks_the_error_is_the_answer(ask: Ask, upstream: Upstream) -> None:
    upstream.fail(NAMES["A"], 500)
    assert ask(ASKED["A"]).status == 500
    assert upstream.models() == [NAMES["A"]]


def test_who_names_a_model_gets_it(ask: Ask, upstream: Upstream) -> None:
    assert ask(ASKED["A"], model="openai,gpt-4o").status == 200
    assert upstream.models() == ["gpt-4o"]


def test_long_requests_go_where_the_rule_says(ask: Ask, upstream: Upstream) -> None:
    assert ask("hola " * 3_000).status == 200
    assert upstream.models() == [NAMES["C"]]


def test_an_instruction_reaches_the_system_prompt(tmp_path: Path, upstream: Upstream, ask: Ask) -> None:
    port = free_port()
    write(tmp_path, upstream, port, INSTRUCTED)
    for one in started(tmp_path, port):
        assert ask("¿qué tiempo hace hoy en Santiago?", port=one, system="Be brief.").status == 200
        messages = upstream.seen[-1].body["messages"]
        assert upstream.models() == [NAMES["C"]]
        assert "Only the facts given." in json.dumps(messages)


def test_without_python_its_scenarios_decide(tmp_path: Path, upstream: Upstream, ask: Ask) -> None:
    port = free_port()
    write(tmp_path, upstream, port, POLICY)
    cli = place_of("claude-code-router") / "node_modules" / "@musistudio" / "claude-code-router" / "dist" / "cli.js"
    env = {"OPENAI_API_KEY": "k-loopback", "COSTCTL_PYTHON": "/nowhere/python3"}
    with served(["node", cli, "start"], tmp_path, port, "/health", env):
        assert ask(ASKED["C"], port=port).status == 200
        assert ask(ASKED["C"], port=port, model="claude-haiku-4").status == 200
    assert upstream.models() == [NAMES["B"], NAMES["A"]]


def test_it_decides_as_the_simulation_does(tmp_path: Path) -> None:
    """Under node on the story, told only what a request to the router tells: text and count of tokens."""
    for name, text in target.export(given()).files.items():
        (tmp_path / name).write_text(text, "utf-8")
    calls = story(tmp_path, 500)
    lines = [
        json.dumps({"body": {"messages": one.messages, "model": "claude-sonnet-4"},
                    "tokenCount": one.beside.get("input_tokens")}) for one in calls
    ]  # fmt: skip
    script = """
      const route = require("./router.js");
      (async () => {
        for await (const line of require("readline").createInterface({ input: process.stdin }))
          console.log(await route(JSON.parse(line)));
        process.exit(0);
      })();
    """
    done = subprocess.run(
        ["node", "-e", script], cwd=tmp_path, input="\n".join(lines), text=True, capture_output=True, check=True,
        env={"PATH": os.environ["PATH"], "COSTCTL_PYTHON": sys.executable},
    )  # fmt: skip
    tiers = [MODELS.get(one.partition(",")[2]) for one in done.stdout.split()]
    assert tiers == [one.tier for one in calls]
