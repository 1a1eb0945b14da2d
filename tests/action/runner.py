"""A runner for our composite action: its shell steps in order, as GitHub runs them, and an API on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
_EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")


class Done(NamedTuple):
    """What became of a job."""

    code: int
    outputs: dict[str, str]
    summary: str
    log: str
    steps: list[str]  # names of the steps that ran
    folder: Path  # where the files of the action stand


def run_action(repository: Path, runner: Path, inputs: dict[str, str], context: dict[str, str], api: str = "") -> Done:
    """Run the steps in a repository; `context` has the values of `github.*`.

    A step without `if: always()` is left out after a failure; the first failure is the code of the job.
    """
    runner.mkdir(exist_ok=True)
    values = {f"github.{name}": value for name, value in context.items()} | {"github.action_path": str(ROOT)}
    for name, spec in ACTION["inputs"].items():
        values[f"inputs.{name}"] = inputs.get(name, _filled(str(spec.get("default", "")), values))
    assert set(inputs) <= set(ACTION["inputs"])
    files = {name: runner / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
    for file in files.values():
        file.write_text("", "utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "COSTCTL_"))},
        **{name: str(file) for name, file in files.items()}, "RUNNER_TEMP": str(runner), "GITHUB_API_URL": api,
        "GITHUB_GRAPHQL_URL": f"{api}/graphql", "GITHUB_REPOSITORY": "owner/name",
        "PATH": f"{_commands(runner)}:{os.environ['PATH']}",
    }  # fmt: skip
    code, log, ran = 0, "", []
    for step in ACTION["runs"]["steps"]:
        assert step.get("if", "always()") == "always()"
        if "run" not in step or (code and "if" not in step):
            continue
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "values reach a shell by its environment alone"
        given = {name: _filled(text, values) for name, text in step.get("env", {}).items()}
        script = runner / "step.sh"
        script.write_text(step["run"], "utf-8")
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(words, cwd=repository, env=environment | given, capture_output=True, text=True)
        ran.append(step["name"])
        log += done.stdout + done.stderr
        code = code or done.returncode
        for line in files["GITHUB_OUTPUT"].read_text("utf-8").splitlines():
            name, _, value = line.partition("=")
            values[f"steps.{step['id']}.outputs.{name}"] = value
        files["GITHUB_OUTPUT"].write_text("", "utf-8")
    outputs = {name: _filled(spec["value"], values) for name, spec in ACTION["outputs"].items()}
    summary = files["GITHUB_STEP_SUMMARY"].read_text("utf-8")
    return Done(code, outputs, summary, log, ran, Path(outputs["folder"]))


def _filled(text: str, values: dict[str, str]) -> str:
    """The text with its expressions replaced; a value that is not there is empty, as on GitHub."""
    return _EXPRESSION.sub(lambda found: values.get(found[1], ""), text)


def _commands(runner: Path) -> Path:
    """A folder with the costctl of this checkout."""
    folder = runner / "bin"
    folder.mkdir(exist_ok=True)
    for name, words in (("costctl", "-m costctl"), ("python3", "")):
        file = folder / name
        file.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" {words} "$@"\n', "utf-8")
        file.chmod(0o755)
    return folder


class Api:
    """The comments of pull request 7, and what was asked."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses, self.comments, self.hidden = refuses, [], []  # type: int, list[dict[str, Any]], list[str]
        self.tokens: set[str | None] = set()

    def answer(self, method: str, path: str, sent: Any) -> tuple[int, Any]:
        if self.refuses and method != "GET":
            return self.refuses, {}
        place, _, asked = path.partition("?")
        if place == "/graphql":
            self.hidden.append(sent["variables"]["id"])
            return 200, {"data": {}}
        if place == "/repos/owner/name/issues/7/comments":
            if method == "GET":
                page = int(asked.rpartition("page=")[2])
                return 200, self.comments[(page - 1) * 100 : page * 100]
            number = len(self.comments)
            self.comments.append({"id": number, "node_id": f"node-{number}", "body": sent["body"]})
            return 201, self.comments[-1]
        found = re.fullmatch(r"/repos/owner/name/issues/comments/(\d+)", place)
        if method == "PATCH" and found:
            self.comments[int(found[1])]["body"] = sent["body"]
            return 200, self.comments[int(found[1])]
        return 404, {}


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The address of the API while it is served on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(size)) if size else None
            api.tokens.add(self.headers.get("Authorization"))
            code, answer = api.answer(self.command, self.path, sent)
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _any

        def log_message(self, *_: object) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
