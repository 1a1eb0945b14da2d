"""The script for claude-code-router 3 in that router's own sandbox, and the exported server that it asks.

The gateway itself needs a newer Node and a package that no registry has, so its parser of the seed is not run here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.export import claude_code_router_v3 as target
from tests.products.asking import DRIVERS
from tests.products.installing import place_of
from tests.products.serving import free_port, served
from tests.products.story import MODELS, given, story

NAMES = {tier: f"openai/{model}" for model, tier in MODELS.items()}


class Sandbox:
    """The worker of the router with the exported script."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, asked: Any) -> dict[str, Any]:
        """What the worker answers to one line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def route(self, body: dict[str, Any], tokens: int | None) -> dict[str, Any]:
        """The route of a request whose tokens the router estimates so."""
        summary = {"hasImage": False, "lastUserText": "", "messageCount": 1, "systemText": "", "toolNames": []}
        asked = {
            "body": body, "headers": {}, "method": "POST", "model": body["model"], "summary": summary,
            "tokenCount": tokens, "url": "/v1/messages",
        }  # fmt: skip
        return self.ask({"input": asked})


@contextlib.contextmanager
def sandbox(folder: Path, port: int) -> Iterator[Sandbox]:
    """The sandbox, which finds the server at this port."""
    package = place_of("claude-code-router-v3") / "node_modules" / "@musistudio" / "claude-code-router"
    worker = package / "dist" / "main" / "route-script-worker.js"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSTCTL_PORT": str(port)}
    command = ["node", DRIVERS / "route_script.mjs", worker, folder / target.SCRIPT]
    process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Sandbox(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder, port = tmp_path_factory.mktemp("home"), free_port()
    for name, text in target.export(given()).files.items():
        (folder / name).write_text(text, "utf-8")
    env = {"COSTCTL_PORT": str(port)}
    with served([sys.executable, folder / target.SERVER], folder, port, "/health", env), sandbox(folder, port) as one:
        yield one


def body_of(text: str, **more: Any) -> dict[str, Any]:
    """A request as Claude Code sends it."""
    return {"model": "claude-sonnet-4", "max_tokens": 32_000, "messages": [{"role": "user", "content": text}], **more}


def test_the_router_takes_the_script(router: Sandbox) -> None:
    assert router.ask({"validate": True})["status"] == "ok"


def test_model_settings_and_chain_come_back_at_once(router: Sandbox) -> None:
    said = router.route(body_of("analiza los pros"), 5)
    assert said["result"] == {
        "model": NAMES["C"],
        "rewrites": [
            {"key": "request.body.max_tokens", "operation": "set", "value": 2500},
            {"key": "request.body.temperature", "operation": "set", "value": 0.3},
        ],
        "fallback": {"mode": "model-chain", "models": [NAMES["B"], NAMES["A"]], "retryCount": 0},
    }


def test_a_smaller_limit_stays_and_one_that_thinks_keeps_its_own(router: Sandbox) -> None:
    assert router.route(body_of("hola", max_tokens=9), 5)["result"]["rewrites"][0]["value"] == 9
    assert router.route(body_of("hola", thinking={"type": "enabled"}), 5)["result"]["rewrites"] == []


def test_who_names_a_provider_gets_it(router: Sandbox) -> None:
    assert router.route(body_of("hola") | {"model": "openai/gpt-4o"}, 5)["result"] is None


def test_a_request_too_long_for_the_sandbox_is_decided_by_its_last_message(router: Sandbox) -> None:
    history = [{"role": "user", "content": "ñ" * 400_000}, {"role": "assistant", "content": "x"}]
    long = body_of("hola")
    long["messages"] = [*history, *long["messages"]]
    assert router.route(long, 5)["result"]["model"] == NAMES["A"]
    assert router.route(long, 2_501)["result"]["model"] == NAMES["C"]


def test_without_the_server_the_script_fails_and_the_next_rule_decides(router: Sandbox, tmp_path: Path) -> None:
    del router  # its files are the same; no server is at this port
    for name, text in target.export(given()).files.items():
        (tmp_path / name).write_text(text, "utf-8")
    with sandbox(tmp_path, free_port()) as alone:
        said = alone.route(body_of("hola"), 5)
    assert (said["status"], said["result"]) == ("error", None)


def test_it_decides_as_the_simulation_does(router: Sandbox, tmp_path: Path) -> None:
    """On the story, told only what a request to the router tells: text and count of tokens."""
    calls = story(tmp_path, 500)
    agreed = 0
    for one in calls:
        said = router.route({"messages": one.messages, "model": "claude-sonnet-4"}, one.beside.get("input_tokens"))
        agreed += said["result"]["model"] == NAMES[one.tier]
    assert agreed == 500
