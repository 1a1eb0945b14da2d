"""claude-code-router 3 as a target: a seed with two rules, a script for each lane's chain, and the server beside it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from costctl.export import claude_code_router_v3 as target
from costctl.export.decision import decision_data
from costctl.export.runtime.deciding import Decider, Sessions
from costctl.export.runtime.decision_server import Decisions, server_on
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE
from tests.products.serving import post

STICKY = """version: 1
tiers:
  A: {models: [gpt-4o-mini], max_output_tokens: 100}
  C: {models: [gpt-4o]}
routing: {default: A, rules: [{name: code, when: {has_code: true}, to: C}], sticky: session}
retries: {max: 2, on: [timeout]}
"""


def test_the_script_has_the_chain_of_each_lane() -> None:
    files = target.export(given(EXAMPLE)).files
    code = files["costctl-route.js"]
    lanes = json.loads(code.partition("const LANES = ")[2].partition("\n};")[0] + "\n}")
    assert lanes["C"]["chain"] == [
        "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-3-5-haiku-latest",
        "openrouter/meta-llama/llama-3.1-8b-instruct",
    ]  # fmt: skip
    seed = json.loads(files["config.json"])
    script, default = seed["Router"]["rules"]
    assert script["script"]["file"] == "~/.claude-code-router/costctl-route.js"
    assert (default["condition"]["operator"], default["condition"]["right"]) == ("not-contains", "/")
    assert next(one["type"] for one in seed["Providers"] if one["name"] == "anthropic") == "anthropic_messages"


def test_a_lane_without_a_chain_tries_again() -> None:
    files = target.export(given(STICKY)).files
    fallback = json.loads(files["config.json"])["Router"]["rules"][1]["fallback"]
    assert fallback == {"mode": "retry", "models": [], "retryCount": 2}
    assert '"retries": 2' in files["costctl-route.js"]


@pytest.mark.parametrize("missing", ["costctl-route.js", "costctl_route.py", "costctl_serve.py", "install.sh"])
def test_a_file_that_is_missing_is_named(missing: str) -> None:
    files = dict(target.export(given(STICKY)).files)
    del files[missing]
    assert target.faults(files) == [f"{missing}: is missing"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    for name, text in target.export(given(STICKY)).files.items():
        (tmp_path / "made" / name).write_text(text, "utf-8")
    (tmp_path / ".claude-code-router").mkdir()
    return tmp_path


def installed(home: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run(["sh", home / "made" / "install.sh"], env=env, capture_output=True, text=True, check=False)


def test_installing_keeps_what_was_there(home: Path) -> None:
    place = home / ".claude-code-router"
    (place / "config.json").write_text("{}", "utf-8")
    assert installed(home).returncode == 0
    assert (place / "config.json.before-costctl").read_text("utf-8") == "{}"
    assert {one.name for one in place.iterdir()} >= {"config.json", "costctl-route.js", "costctl_serve.py"}


def test_a_database_that_is_there_is_named_for_the_seed_would_not_be_read(home: Path) -> None:
    (home / ".claude-code-router" / "config.sqlite").write_bytes(b"")
    done = installed(home)
    assert (done.returncode, "the seed is not read" in done.stderr) == (1, True)
    assert not (home / ".claude-code-router" / "config.json").exists()


class Route:
    """What `costctl_route.py` offers, of this policy."""

    Sessions = Sessions

    def __init__(self) -> None:
        one = given(STICKY)
        self.decide = Decider(decision_data(one.policy, one.content, one.book)).decide


@pytest.fixture
def port() -> Iterator[int]:
    server = server_on(0, Decisions(Route()))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_server_decides_and_keeps_the_tier_of_a_session(port: int) -> None:
    def tier(text: str, session: str) -> object:
        body = {"messages": [{"role": "user", "content": text}]}
        return post(port, "/decide", {"body": body, "metadata": {"session_id": session}}).body["tier"]

    assert [tier("hola", "s"), tier("```python\nprint(1)\n```", "s"), tier("hola", "s"), tier("hola", "t")] == list(
        "ACCA"
    )


def test_what_is_no_request_is_refused_and_nothing_of_it_is_told(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert post(port, "/decide", ["secret"]).status == 400
    assert post(port, "/other", {"body": {}}).status == 404
    assert post(port, "/decide", {"body": {}}, {"content-type": "text/plain"}).status == 404
    assert post(port, "/decide", {"body": {"a": "x" * 1_200_000}}).status == 413
    assert capfd.readouterr() == ("", "")
