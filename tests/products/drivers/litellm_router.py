"""LiteLLM's Router on the `config.yaml` of this folder, as its proxy makes one: a line for each call.

Question: `{"model": ..., "messages": [...], ...}` as `Router.acompletion` takes it. Answer: `{"model_id", "headers",
"text", "took_s"}`, or `{"error", "says", "took_s"}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# Whatever the library prints must not stand between the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, str(Path.cwd()))

import litellm  # noqa: E402  (after its output was turned away)
import yaml  # noqa: E402
from litellm import Router  # noqa: E402
from litellm.caching.caching import Cache  # noqa: E402


def router_of(config: dict[str, Any]) -> Router:
    """The router, and the cache that the proxy would set."""
    settings = dict(config.get("litellm_settings") or {})
    if settings.pop("cache", False):
        litellm.cache = Cache(**settings.pop("cache_params"))
    for name, value in settings.items():
        setattr(litellm, name, value)
    return Router(model_list=config["model_list"], **(config.get("router_settings") or {}))


async def answer_of(router: Router, call: dict[str, Any]) -> dict[str, Any]:
    """What a call gave, and how long it took."""
    begun = time.monotonic()
    try:
        found = await router.acompletion(**call)
    except Exception as error:
        return {"error": type(error).__name__, "says": str(error)[:500], "took_s": time.monotonic() - begun}
    hidden = found._hidden_params
    return {
        "model_id": hidden.get("model_id"), "headers": hidden.get("additional_headers") or {},
        "text": found.choices[0].message.content, "took_s": time.monotonic() - begun,
    }  # fmt: skip


async def main() -> None:
    """Answer until there are no more questions."""
    router = router_of(yaml.safe_load(Path("config.yaml").read_text("utf-8")))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        answer = await answer_of(router, json.loads(line))
        ANSWERS.write(json.dumps(answer, default=str) + "\n")
        ANSWERS.flush()


asyncio.run(main())
