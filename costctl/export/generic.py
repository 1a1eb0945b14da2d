"""The neutral export: the resolved policy as JSON, and its decision as one Python file that any application imports."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, expressed, told
from costctl.export.decision import FILE as DECISION
from costctl.export.decision import decision_file
from costctl.export.resolved import Resolved, neutral
from costctl.export.text import to_json
from costctl.policy.parts import PARTS

FILE = "costctl-policy.resolved.json"
LANE = {
    "name": str, "slug": str, "kind": str, "select": str, "weights": list, "models": list, "keeps_logged_model": bool,
    "max_output_tokens": int, "context_tokens": int, "temperature": float, "timeout_s": float,
}  # fmt: skip
DECIDED_LANE = frozenset((
    "name", "models", "select", "weights", "max_output_tokens", "context_tokens", "temperature", "timeout_s",
    "fallbacks",
))  # fmt: skip
_HELD = expressed(f"{FILE} holds it; whoever reads the file acts on it")
_DECIDED = expressed(f"{DECISION} decides it, {FILE} holds it")
_SENT = expressed(f"{DECISION} gives it with the decision, {FILE} holds it")
_SIZED = approximated(
    f"{DECISION} decides it from counts in the metadata; without them input is taken as characters / 4, and the answer "
    "as long as the request allows"
)
_BY_DECISION = (
    "tiers", "specialists", "tiers.models.logged", "routing.default: logged", "routing.rules", "routing.classifier",
    "routing.matrix", "routing.raise", "routing.floors",
)  # fmt: skip
_WITH_DECISION = (
    "tiers.select: first", "tiers.max_output_tokens", "tiers.temperature", "tiers.timeout_s",
    "routing.raise.add_instruction", "fallbacks",
)  # fmt: skip
_CARRIED: Mapping[str, Carried] = {
    **dict.fromkeys(PARTS, _HELD),
    **dict.fromkeys(_BY_DECISION, _DECIDED),
    **dict.fromkeys(_WITH_DECISION, _SENT),
    "tiers.context_tokens": _SIZED,
    "routing.sticky": expressed(f"{DECISION} keeps it for the sessions that it is handed: decide(..., Sessions())"),
}


def export(given: Resolved) -> Exported:
    """A JSON file, and a Python file of the standard library."""
    decision = decision_file(
        given.policy, given.policy_digest, given.content, given.book, given.router, given.version
    )  # fmt: skip
    return Exported({FILE: to_json(neutral(given)), DECISION: decision}, told(given, _CARRIED))


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that the neutral schema does not have, lanes that nobody has, and a decision over other lanes."""
    missing = [f"{name}: is missing" for name in (FILE, DECISION) if name not in files]
    if missing:
        return missing
    found = json.loads(files[FILE])
    listed = [lane.get("name") for lane in found["lanes"]]
    names = set(listed)
    wrong = [f"lanes[{lane.get('name')}].{key}: unknown" for lane in found["lanes"] for key in lane if key not in LANE]
    wrong += [f"default: no lane is called {found['default']}"] if found["default"] not in {*names, "logged"} else []
    for name, others in found["fallbacks"].items():
        wrong += [f"fallbacks.{name}: no lane is called {one}" for one in (name, *others) if one not in names]
    return wrong + decision_faults(files[DECISION], listed)


def decision_faults(text: str, lanes: list[str]) -> list[str]:
    """What is wrong with the text of a decision that is to choose between these lanes, in this order."""
    try:
        data = _data_of(text)
    except (SyntaxError, ValueError) as error:
        return [f"{DECISION}: {error}"]
    found = [lane.get("name") for lane in data["lanes"]]
    wrong = [] if found == lanes else [f"{DECISION}: decides between {found}, not {lanes}"]
    for lane in data["lanes"]:
        odd = sorted(DECIDED_LANE ^ lane.keys())
        wrong += [f"{DECISION}: lanes[{lane.get('name')}]: {', '.join(odd)}: unknown or missing"] if odd else []
    routing = data["routing"]
    ends = [one["to"] for part in ("rules", "raises") for one in routing[part]]
    ends += [*routing["matrix"].values(), *(one["at_least"] for one in routing["floors"])]
    known = {*lanes, "logged"}
    return wrong + [f"{DECISION}: no lane is called {one}" for one in dict.fromkeys(ends) if one not in known]


def _data_of(text: str) -> dict[str, Any]:
    """The data that a decision decides by.

    Raises:
        SyntaxError: the text is no Python.
        ValueError: it has no data, or nothing that decides by it.
    """
    names: set[str] = set()
    data: Any = None
    for node in ast.parse(text).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="_DATA"), value=ast.Call(args=[said])):
                data = json.loads(ast.literal_eval(said))
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    if not isinstance(data, dict) or not {"decide", "costctl_tier"} <= names:
        raise ValueError("decides nothing")
    return data


TARGET = Target(
    "json", "neutral JSON and a Python function", "no product: our own schema, version 1", export, faults
)  # fmt: skip
