"""A dynamic route of this folder's `route.json` before the official client of Cloudflare.

Question: `{"elements": [...]}` or `{}` for those of the file. Answer: `{"wrong"}`, what its typed models refuse, and
`{"body"}`, what the client sends to make the route.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cloudflare import Cloudflare
from cloudflare.types.ai_gateway.dynamic_routing_get_response import Element
from pydantic import TypeAdapter, ValidationError

SEEN: list[dict[str, Any]] = []


class Api(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    def do_POST(self) -> None:
        SEEN.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        text = b'{"success": true, "result": {}}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Silent."""


def refused(elements: list[dict[str, Any]]) -> list[str]:
    """The ids of elements that no typed model takes."""
    adapter = TypeAdapter(Element)
    wrong = []
    for one in elements:
        try:
            adapter.validate_python(one)
        except ValidationError:
            wrong.append(one["id"])
    return wrong


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Cloudflare(api_token="loopback", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
route = json.loads(Path("route.json").read_text("utf-8"))
for line in sys.stdin:
    elements = json.loads(line).get("elements") or route["elements"]
    client.ai_gateway.dynamic_routing.create("gateway", account_id="account", name=route["name"], elements=elements)
    print(json.dumps({"wrong": refused(elements), "body": SEEN[-1]}), flush=True)
