"""RouteLLM's server and controller without their heavy parts: torch and its like are stood for by empty modules.

Question: `{"flags": [...]}` (answer: what the server makes of them), `{"router", "model", "prompts"}` (answer: how
many go to the strong and to the weak model), or `{"prompts", "share"}` (answer: what the exported script prints).
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
HEAVY = ("torch", "transformers", "datasets", "pandas", "litellm", "pandarallel", "sklearn", "sklearn.linear_model")
for name in HEAVY:
    module = types.ModuleType(name)
    module.__getattr__ = lambda attribute: type(attribute, (), {}) if attribute[0].isupper() else MagicMock()  # type: ignore[method-assign]
    sys.modules[name] = module
hub = types.ModuleType("huggingface_hub")
hub.PyTorchModelHubMixin, hub.hf_hub_download = type("PyTorchModelHubMixin", (), {}), MagicMock()  # type: ignore[attr-defined]
sys.modules["huggingface_hub"] = hub
torch = sys.modules["torch"]
torch.nn = types.SimpleNamespace(Module=type("Module", (), {}))  # type: ignore[attr-defined]
sys.path.insert(0, str(Path.cwd()))


def started(flags: list[str]) -> dict[str, Any]:
    """What the server takes from its command line."""
    sys.argv = ["openai_server", *flags]
    sys.modules.pop("routellm.openai_server", None)
    return vars(importlib.import_module("routellm.openai_server").args)


def split(router: str, model: str, prompts: list[str]) -> dict[str, int]:
    """How many prompts each side gets, by the name of the model that callers ask for."""
    controller = importlib.import_module("routellm.controller").Controller([router], "strong", "weak", config={})
    _, threshold = controller._parse_model_name(model)
    sides = [controller.route(prompt, router, threshold) for prompt in prompts]
    return {side: sides.count(side) for side in ("strong", "weak")}


def calibrated(prompts: list[str], share: float) -> str:
    """The model that the exported script prints for these prompts, scored by the random router."""
    Path("prompts.jsonl").write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts), "utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        importlib.import_module("calibrate").calibrated(["prompts.jsonl", "--share", str(share), "--router", "random"])
    return said.getvalue().strip()


for line in sys.stdin:
    asked = json.loads(line)
    if "flags" in asked:
        answer: Any = started(asked["flags"])
    elif "model" in asked:
        answer = split(asked["router"], asked["model"], asked["prompts"])
    else:
        answer = calibrated(asked["prompts"], asked["share"])
    ANSWERS.write(json.dumps(answer) + "\n")
    ANSWERS.flush()
