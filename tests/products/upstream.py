"""A provider on loopback: answers as OpenAI and Anthropic do, keeps whole requests, and fails when it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

INPUT_TOKENS, OUTPUT_TOKENS = 1_000, 100
"""What every answer says that it used, whatever was asked."""
DIMENSIONS = 64


class Seen(NamedTuple):
    """One request as it came; `headers` by lower-case name, `at_s` by a monotonic clock."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at_s: float

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model"))


class Fault(NamedTuple):
    """What happens instead of an answer: a status with a body, or an answer that comes late."""

    status: int = 200
    delay_s: float = 0.0
    error: dict[str, Any] | None = None


class Upstream:
    """What the server saw and how it behaves; `url` ends in `/v1`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self._faults: dict[str, Fault] = {}
        self._stopping = threading.Event()

    def fail(self, model: str, status: int, message: str = "told to fail", code: str | None = None) -> None:
        """Answer requests for this model with an error of this status."""
        error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
        self._faults[model] = Fault(status, error=error)

    def delay(self, model: str, seconds: float) -> None:
        """Answer requests for this model so late."""
        self._faults[model] = Fault(delay_s=seconds)

    def reset(self) -> None:
        """Forget what was seen, and fail no more."""
        self.seen.clear()
        self._faults.clear()

    def models(self) -> list[str]:
        """The models asked for since the last `reset`, in the order of the requests."""
        return [one.model for one in self.seen]

    def stop(self) -> None:
        """Wake whoever waits for a late answer."""
        self._stopping.set()

    def answer(self, seen: Seen) -> tuple[int, dict[str, Any]]:
        """Status and body for a request; keeps it, and takes its time where told to."""
        self.seen.append(seen)
        fault = self._faults.get(seen.model, Fault())
        if fault.delay_s:
            self._stopping.wait(fault.delay_s)
        if fault.error is not None:
            return fault.status, fault.error
        if seen.path.endswith("/embeddings"):
            return 200, _embeddings(seen.body)
        return 200, _message(seen.body) if seen.path.endswith("/messages") else _completion(seen.body, len(self.seen))


def _completion(body: dict[str, Any], number: int) -> dict[str, Any]:
    model = str(body.get("model"))
    return {
        "id": f"chatcmpl-{number}", "object": "chat.completion", "created": int(time.time()), "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": f"answer {number} of {model}"},
             "finish_reason": "stop"}
        ],
        "usage": {
            "prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS,
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        },
    }  # fmt: skip


def _message(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": str(body.get("model")),
        "content": [{"type": "text", "text": f"answer of {body.get('model')}"}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }  # fmt: skip


def vector_of(text: str) -> list[float]:
    """A unit vector of the words of a text: equal words, equal vector."""
    found = [0.0] * DIMENSIONS
    for word, count in Counter(re.findall(r"\w+", text.lower())).items():
        digest = hashlib.sha256(word.encode()).digest()
        found[digest[0] % DIMENSIONS] += count if digest[1] % 2 else -count
    length = math.sqrt(sum(one * one for one in found)) or 1.0
    return [one / length for one in found]


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body.get("input")
    data = [
        {"object": "embedding", "index": at, "embedding": vector_of(str(text))}
        for at, text in enumerate(texts if isinstance(texts, list) else [texts])
    ]
    usage = {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS}
    return {"object": "list", "model": body.get("model"), "data": data, "usage": usage}


def _events(body: dict[str, Any]) -> Iterator[str]:
    """A completion as server-sent events."""
    choice = body["choices"][0]
    chunk = {**body, "object": "chat.completion.chunk"}
    del chunk["usage"]
    for delta, reason in ((choice["message"], None), ({}, "stop")):
        yield json.dumps({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    yield json.dumps({**chunk, "choices": [], "usage": body["usage"]})
    yield "[DONE]"


def _message_events(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A message of Anthropic as its events."""
    text = body["content"][0]["text"]
    yield "message_start", {"message": {**body, "content": [], "stop_reason": None}}
    yield "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}
    yield "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}
    yield "content_block_stop", {"index": 0}
    yield "message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": body["usage"]}
    yield "message_stop", {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, answer = self.server.upstream.answer(Seen(self.path.partition("?")[0], headers, body, time.monotonic()))
        with contextlib.suppress(ConnectionError):  # who asked may have stopped waiting
            if status == 200 and body.get("stream"):
                self._stream(answer)
            else:
                self._send(status, "application/json", json.dumps(answer).encode())

    def do_GET(self) -> None:
        self._send(200, "application/json", b'{"object": "list", "data": []}')

    def _stream(self, answer: dict[str, Any]) -> None:
        if answer.get("type") == "message":
            lines = [
                f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n"
                for name, more in _message_events(answer)
            ]
        else:
            lines = [f"data: {one}\n\n" for one in _events(answer)]
        self._send(200, "text/event-stream", "".join(lines).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: tests look at `Upstream.seen`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    upstream: Upstream

    def handle_error(self, *_: Any) -> None:
        """Who hung up was served enough."""


@contextlib.contextmanager
def running_upstream() -> Iterator[Upstream]:
    """The server on a port of its own, on loopback only, until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.upstream = Upstream(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.upstream
    finally:
        server.upstream.stop()
        server.shutdown()
        server.server_close()
        thread.join()
