"""LiteLLM's Router on the `config.yaml` of a folder, as its proxy makes one: a line for each question.

`{"folder": ...}` makes the router anew, and is answered with null.

Question: `{"model": ..., "messages": [...], ...}` as `Router.acompletion` takes it, or a list of them, some at a time.
Answer: `{"model_id", "text", "took_s"}`, or `{"error", "says", "took_s"}`, or a list of them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# Whatever the library prints must not stand between the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import litellm  # noqa: E402  (after its output was turned away)
import yaml  # noqa: E402
from litellm import Router  # noqa: E402
from litellm.caching.caching import Cache  # noqa: E402


def resolved(value: Any) -> Any:
    """The variables that a configuration names."""
    if isinstance(value, dict):
        return {key: resolved(one) for key, one in value.items()}
    if isinstance(value, list):
        return [resolved(one) for one in value]
    return os.environ.get(value[11:]) if isinstance(value, str) and value.startswith("os.environ/") else value


def plugin_of(folder: Path, path: str) -> Any:
    """The object of a file of the folder that a dotted path names."""
    module, _, name = path.rpartition(".")
    spec = importlib.util.spec_from_file_location(module, folder / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return getattr(made, name)


def router_of(folder: Path) -> Router:
    """The router, with the cache and the classifier that the proxy would set, and nothing of an earlier one."""
    config = resolved(yaml.safe_load((folder / "config.yaml").read_text("utf-8")))
    settings = config.get("litellm_settings") or {}
    litellm.logging_callback_manager._reset_all_callbacks()
    litellm.cache = Cache(**settings["cache_params"]) if settings.get("cache") else None
    for entry in config["model_list"]:
        auto = entry["litellm_params"].get("complexity_router_config") or {}
        if "classifier_plugin" in auto:
            auto["classifier_plugin"] = plugin_of(folder, auto["classifier_plugin"])
    more = config.get("router_settings") or {}
    return Router(model_list=config["model_list"], cache_responses=litellm.cache is not None, **more)


async def answer_of(router: Router, call: dict[str, Any]) -> dict[str, Any]:
    """What a call gave, and how long it took."""
    begun = time.monotonic()
    try:
        found = await router.acompletion(**call)
    except Exception as error:
        return {"error": type(error).__name__, "says": str(error)[:500], "took_s": time.monotonic() - begun}
    text, took_s = found.choices[0].message.content, time.monotonic() - begun
    return {"model_id": found._hidden_params.get("model_id"), "text": text, "took_s": took_s}


async def answers_of(router: Router, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each call gave, sixteen at a time."""
    places = asyncio.Semaphore(16)

    async def one(call: dict[str, Any]) -> dict[str, Any]:
        async with places:
            return await answer_of(router, call)

    return await asyncio.gather(*map(one, calls))


async def main() -> None:
    """Answer until there are no more questions."""
    router = None
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        answer: Any = None
        if "folder" in asked:
            router = router_of(Path(asked["folder"]))
        else:
            assert router is not None
            answer = await (answers_of if isinstance(asked, list) else answer_of)(router, asked)
        ANSWERS.write(json.dumps(answer, default=str) + "\n")
        ANSWERS.flush()


asyncio.run(main())
