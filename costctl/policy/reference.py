"""Write `docs/policy.md`: every key of the policy file, what it takes and what it means.

The keys and what they take are those of the JSON Schema; what they mean stands in `meanings.yaml`, once for both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from costctl.policy.figures import METRICS
from costctl.policy.when import SHORT

MEANINGS_FILE = Path(__file__).with_name("meanings.yaml")
Schema = Mapping[str, Any]
Meanings = Mapping[str, Mapping[str, str]]

HEAD = """\
# The policy file

Every key of `policy.yaml`. `costctl init --from LOG` writes a commented one over your own models, and
`costctl policy check` names every mistake in one at once. `costctl policy schema -o policy.schema.json` writes the JSON
Schema by which editors complete and check the file; on its first line it then has
`# yaml-language-server: $schema=./policy.schema.json`.

Units stand in the key, or are written with the value: a duration is `24h` or `1h30m`, a share `45%` or `0.45`, a count
`8k` (8,000) or `5M`. Plain numbers and shares are rounded to nine decimals, tokens a second to three, dollars to
twelve; a price per million tokens has at most six. A key that is left out has no effect; an unknown one is refused.
Required keys are **bold**.

This page is made of the schema: `python -m costctl.policy.generate`.
"""
CONDITIONS = """\
All keys of one condition must hold. A number is compared: `'>2000'`, `'<=3'`, `8` is equal to 8. A text is one of a
list, and `/chat*` is all that begin so. `_not` after a key turns it round: `endpoint_not: /internal*`. What a request
does not say fulfils nothing.
"""
FIGURES = """\
## Figures of gates

What `gates:` and `costctl gate --fail-if` may bound: the totals of `costctl simulate --output json`. The
operators are `>=`, `<=`, `>` and `<`, of counts also `=`. A bound is a plain number in the unit of the figure's
name, or a share such as `40%`, a latency such as `3s` or `500ms`, a count or an amount of dollars such as `5k`
or `1.5M`. `costctl gate --compare-to` (not `gates:`) also knows `NAME_delta` and `NAME_growth_ratio`.
"""
_PATTERNS = {
    r"^(([0-9]+(\.[0-9]+)?(d|h|m|s|ms))+)$": "duration",
    r"^([0-9]+(\.[0-9]+)?%)$": "share",
    r"^([0-9]+(\.[0-9]+)?[kM])$": "count",
}


def meanings() -> Meanings:
    """By the name of a part and of its key, what the key means."""
    found: Meanings = yaml.safe_load(MEANINGS_FILE.read_text("utf-8"))
    return found


def described(schema: dict[str, Any], told: Meanings) -> dict[str, Any]:
    """The schema with the meaning of each key, as editors show it.

    Raises:
        KeyError: for a key that nobody has told the meaning of.
    """
    for name, part in {"Policy": schema, **schema["$defs"]}.items():
        known = {**told.get(name, {}), **(told["Condition"] if name == "OutputCondition" else {})}
        for key, value in part.get("properties", {}).items():
            if not key.endswith("_not"):
                value["description"] = known[_plain_name(key, name)]
    return schema


def _plain_name(key: str, part: str) -> str:
    """Both spellings of a counted signal have one meaning."""
    short = {column: name for name, column in SHORT.items()}
    return short.get(key, key) if part.endswith("Condition") else key


def reference_text(schema: Schema) -> str:
    """The content of the page."""
    lines = [HEAD]
    for title, part in _sections(schema):
        lines.append(f"## {title}\n")
        lines.append(f"{part['description'].partition(chr(10))[0]}\n")
        lines.append(_table(part["properties"], part.get("required", ())))
    condition, more = schema["$defs"]["Condition"], schema["$defs"]["OutputCondition"]
    lines.append(f"## when\n\n{CONDITIONS}")
    rest = {key: value for key, value in more["properties"].items() if key not in condition["properties"]}
    lines.append(_table({key: value for key, value in condition["properties"].items() if not key.endswith("_not")}, ()))
    lines.append("Of answers alone (`post_process`):\n")
    lines.append(_table({key: value for key, value in rest.items() if not key.endswith("_not")}, ()))
    lines += [FIGURES, ", ".join(f"`{name}`" for name in METRICS) + "."]
    return "\n".join(lines).rstrip() + "\n"


def _sections(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every part with keys, under the place where it stands in the file, in the order of the file."""
    yield "The file", schema
    seen = {"Condition", "OutputCondition", "Comparison"}
    waiting = list(schema["properties"].items())
    while waiting:
        place, value = waiting.pop(0)
        for name in _parts(value):
            if name in seen:
                continue
            seen.add(name)
            part = schema["$defs"][name]
            yield place, part
            waiting[:0] = [(f"{place}.{key}", inner) for key, inner in part["properties"].items()]


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for key, inner in value.items():
            if key != "description":
                yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _table(properties: Mapping[str, Schema], required: Collection[str]) -> str:
    rows = ["| key | takes | meaning |", "|---|---|---|"]
    for key, value in properties.items():
        shown = f"**`{key}`**" if key in required else f"`{key}`"
        rows.append(f"| {shown} | {_takes(value)} | {value['description']} |")
    return "\n".join(rows) + "\n"


def _takes(value: Schema) -> str:
    """What a key takes, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return {"Comparison": "comparison", "Condition": "condition", "OutputCondition": "condition"}.get(name, "keys")
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if "anyOf" in value:
        kinds = list(dict.fromkeys(map(_takes, value["anyOf"])))
        named = [kind for kind in kinds if kind in _PATTERNS.values()]
        kinds = [kind for kind in kinds if not (kind == "number" and named)]
        return " or ".join(kinds)
    kind = value.get("type")
    if kind == "array":
        inner = _takes(value["items"])
        return f"list of {'texts' if inner == 'text' else 'numbers' if inner == 'number' else inner}"
    if kind == "object":
        more = value.get("additionalProperties")
        return f"by name: {_takes(more)}" if isinstance(more, dict) else "keys"
    if "pattern" in value:
        return _PATTERNS.get(value["pattern"], "text")
    return {"boolean": "true, false", "string": "text", "integer": "number"}.get(str(kind), "number")
