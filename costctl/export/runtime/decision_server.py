"""The decision of costctl_route.py for programs on this machine: `POST /decide` with a body and what lies beside it."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = 4147
_MOST_BYTES = 1_000_000


class Decisions:
    """Decides one request at a time, so that the tier of a session is that of its last request."""

    def __init__(self, route: Any) -> None:
        self._route = route
        self._sessions = route.Sessions()
        self._lock = threading.Lock()

    def decide(self, asked: Any) -> dict[str, Any]:
        """The decision for `{"body": ..., "metadata": ...}`.

        Raises:
            ValueError: for anything else.
        """
        if not isinstance(asked, dict) or not isinstance(asked.get("body"), dict):
            raise ValueError("not a body with what lies beside it")
        metadata = asked.get("metadata")
        with self._lock:
            found: dict[str, Any] = self._route.decide(
                asked["body"], metadata if isinstance(metadata, dict) else None, self._sessions
            )
        return found


def server_on(port: int, decisions: Decisions) -> ThreadingHTTPServer:
    """A server on loopback alone; it keeps and prints nothing of a request."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """Say at /health that it is there."""
            is_known = self.path == "/health"
            self._answer(200 if is_known else 404, {"status": "ok"} if is_known else {"error": "POST /decide"})

        def do_POST(self) -> None:
            """Answer with the decision, 400 for what is no request, 413 for one that is too long."""
            length = self.headers.get("content-length") or ""
            left = int(length) if length.isdecimal() else 0
            said = b""
            # All of it is read: who is still sending would not see the answer.
            while left:
                part = self.rfile.read(min(left, 65_536))
                said += part if len(said) <= _MOST_BYTES else b""
                left = left - len(part) if part else 0
            if self.path != "/decide" or self.headers.get_content_type() != "application/json":
                self._answer(404, {"error": "POST /decide takes application/json"})
            elif len(said) > _MOST_BYTES:
                self._answer(413, {"error": f"more than {_MOST_BYTES} bytes"})
            else:
                try:
                    self._answer(200, decisions.decide(json.loads(said)))
                except ValueError:
                    self._answer(400, {"error": "not a body with what lies beside it"})

        def _answer(self, status: int, found: dict[str, Any]) -> None:
            said = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (as http.server names it)
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve at COSTCTL_PORT until somebody ends it."""
    sys.path.insert(0, str(Path(__file__).parent))
    decisions = Decisions(importlib.import_module("costctl_route"))
    server_on(int(os.environ.get("COSTCTL_PORT") or PORT), decisions).serve_forever()


if __name__ == "__main__":
    main()
