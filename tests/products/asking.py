"""A product's library in a process of its own: a line of JSON for each question, one for each answer."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DRIVERS = Path(__file__).with_name("drivers")


class Driver:
    """A running script of `drivers/`; what it writes elsewhere stands in `log`."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log

    def ask(self, question: Any) -> Any:
        """The answer to one question.

        Raises:
            AssertionError: with the end of its log, where the script ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self.log.read_text("utf-8", errors="replace")[-3000:]
        return json.loads(line)


@contextlib.contextmanager
def driven(python: Path, script: str, folder: Path, env: Mapping[str, str]) -> Iterator[Driver]:
    """The script run by this Python in `folder` until the block ends; `env` as in `serving.served`."""
    log = folder / "driver.log"
    full = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [python, DRIVERS / script], cwd=folder, env=full, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=errors,
        )  # fmt: skip
        try:
            yield Driver(process, log)
        finally:
            process.kill()
            process.communicate()
