"""Switchyard's server on loopback from a file: starts one for a question with `config`, and says its port."""

from __future__ import annotations

import json
import sys
from typing import Any

from switchyard_rust.server import Server, ServerConfigError


def main() -> None:
    """One line of JSON for each question."""
    running: Any = None
    for line in sys.stdin:
        if running is not None:
            running.close()
        try:
            running = Server(json.loads(line)["config"])
            said: dict[str, Any] = {"port": running.port}
        except ServerConfigError as error:
            running, said = None, {"error": str(error)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
