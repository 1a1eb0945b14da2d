"""The exported `costctl_langcache.py` of this folder with the official client, before a service on loopback.

Question: `{"prompt", "answer", "facts", "temperature"}`; answer: `{"found", "bodies", "keys"}`. Or `{"model",
"fields"}`; answer: `{"kept"}`, the fields that a model of the client keeps.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from langcache import models

sys.path.insert(0, str(Path.cwd()))
SEEN: list[tuple[dict[str, Any], str]] = []


class Service(BaseHTTPRequestHandler):
    """Finds no equal prompt, and for every other search one entry of similarity 0.85."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        SEEN.append((body, self.headers["authorization"]))
        entry = {"id": "1", "prompt": "p", "response": "kept", "attributes": {}, "similarity": 0.85,
                 "searchStrategy": "semantic"}  # fmt: skip
        is_search = self.path.endswith("/search")
        data = [] if body.get("searchStrategies") == ["exact"] else [entry]
        text = json.dumps({"data": data} if is_search else {"entryId": "1"}).encode()
        self.send_response(200 if is_search else 201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Silent."""


def called(given: dict[str, Any]) -> dict[str, Any]:
    """What one look-up and one answer to keep send, and what the look-up found."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {"LANGCACHE_SERVER_URL": f"http://127.0.0.1:{server.server_port}", "LANGCACHE_CACHE_ID": "c",
                   "LANGCACHE_API_KEY": "loopback"}  # fmt: skip
    import costctl_langcache as module

    with module.client() as service:
        found = module.find(service, given["prompt"], given["facts"], given["temperature"])
        module.keep(service, given["prompt"], given["answer"], given["facts"], given["temperature"])
    server.shutdown()
    return {"found": found, "bodies": [body for body, _ in SEEN], "keys": [key for _, key in SEEN]}


for line in sys.stdin:
    asked = json.loads(line)
    if "model" in asked:
        found = getattr(models, asked["model"])(**asked["fields"])
        answer = {"kept": sorted(name for name in asked["fields"] if getattr(found, name, None) is not None)}
    else:
        answer = called(asked)
    print(json.dumps(answer), flush=True)
