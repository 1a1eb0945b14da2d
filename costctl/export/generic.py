"""The neutral export: the resolved policy as JSON, which any application or gateway can read."""

from __future__ import annotations

import json
from collections.abc import Mapping

from costctl.export.base import Carried, Exported, Target, expressed, told
from costctl.export.resolved import Resolved, neutral
from costctl.export.text import to_json
from costctl.policy.parts import PARTS

FILE = "costctl-policy.resolved.json"
LANE = {
    "name": str, "slug": str, "kind": str, "select": str, "weights": list, "models": list, "keeps_logged_model": bool,
    "max_output_tokens": int, "context_tokens": int, "temperature": float, "timeout_s": float,
}  # fmt: skip
_CARRIED: Mapping[str, Carried] = {
    part: expressed(f"{FILE} holds it; whoever reads the file acts on it") for part in PARTS
}


def export(given: Resolved) -> Exported:
    """One JSON file."""
    return Exported({FILE: to_json(neutral(given))}, told(given, _CARRIED))


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that the neutral schema does not have, and lanes that nobody has."""
    found = json.loads(files[FILE])
    names = {lane.get("name") for lane in found["lanes"]}
    wrong = [f"lanes[{lane.get('name')}].{key}: unknown" for lane in found["lanes"] for key in lane if key not in LANE]
    wrong += [f"default: no lane is called {found['default']}"] if found["default"] not in {*names, "logged"} else []
    for name, others in found["fallbacks"].items():
        wrong += [f"fallbacks.{name}: no lane is called {one}" for one in (name, *others) if one not in names]
    return wrong


TARGET = Target("json", "neutral JSON", "no product: our own schema, version 1", export, faults)
