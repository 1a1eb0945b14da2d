"""Starting a product that serves on loopback, and asking it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a server said; `headers` by lower-case name, `took_s` until the last byte."""

    status: int
    headers: dict[str, str]
    body: Any
    took_s: float


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def post(port: int, path: str, body: Any, headers: Mapping[str, str] | None = None, timeout_s: float = 60) -> Answer:
    """Send JSON to a server on loopback; the body of the answer is JSON where it can be read so, else text."""
    return _ask(port, "POST", path, json.dumps(body), headers, timeout_s)


def get(port: int, path: str, headers: Mapping[str, str] | None = None, timeout_s: float = 60) -> Answer:
    """Ask a server on loopback."""
    return _ask(port, "GET", path, None, headers, timeout_s)


def _ask(
    port: int, method: str, path: str, body: str | None, headers: Mapping[str, str] | None, timeout_s: float
) -> Answer:
    begun = time.monotonic()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)) as connection:
        connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
        found = connection.getresponse()
        text = found.read().decode()
        took_s = time.monotonic() - begun
        told = {name.lower(): value for name, value in found.getheaders()}
    try:
        return Answer(found.status, told, json.loads(text), took_s)
    except ValueError:
        return Answer(found.status, told, text, took_s)


@contextlib.contextmanager
def served(
    command: Sequence[str | Path],
    folder: Path,
    port: int,
    ready_path: str,
    env: Mapping[str, str],
    within_s: float = 120,
) -> Iterator[Path]:
    """A server started in `folder`, from its first good answer to GET `ready_path` until the block ends.

    Gives the file of its log. `env` is all of its environment but PATH and HOME, which is `folder`.

    Raises:
        AssertionError: with the end of its log, where it does not come up.
    """  # fmt: skip
    log = folder / "server.log"
    full = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(one) for one in command], cwd=folder, env=full, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
        try:
            _await(process, port, ready_path, log, within_s)
            yield log
        finally:
            _end(process)


def _await(process: subprocess.Popen[bytes], port: int, path: str, log: Path, within_s: float) -> None:
    end = time.monotonic() + within_s
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if get(port, path, timeout_s=2).status < 500:
                return
        time.sleep(0.1)
    raise AssertionError(f"did not come up: {log.read_text('utf-8', errors='replace')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it started."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
        break
