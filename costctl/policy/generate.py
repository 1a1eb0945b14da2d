"""Write `schema.json`, by which editors complete and check a policy file, and the page of `docs/` about it.

Run as `python -m costctl.policy.generate [FILE [PAGE]]`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from costctl.policy.load import SCHEMA_FILE
from costctl.policy.reference import described, meanings, reference_text
from costctl.policy.schema import Policy
from costctl.policy.when import COMPARISON_SCHEMA, OUTPUT_TEXTS, when_schema

PAGE_FILE = Path(__file__).parents[2] / "docs" / "policy.md"


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, from the models."""
    schema: dict[str, Any] = _plain(Policy.model_json_schema(by_alias=True, schema_generator=_WithoutDefaults))
    schema["$defs"] |= {
        "Comparison": COMPARISON_SCHEMA,
        "Condition": when_schema((), "Condition"),
        "OutputCondition": when_schema(OUTPUT_TEXTS, "OutputCondition"),
    }
    schema["$defs"] = dict(sorted(schema["$defs"].items()))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "costctl/policy.schema.json"}
    return described(head | schema | {"title": "A costctl policy"}, meanings())


def schema_text() -> str:
    """The content of the file."""
    return json.dumps(policy_schema(), indent=1, ensure_ascii=False) + "\n"


class _WithoutDefaults(GenerateJsonSchema):
    """Defaults stand in the models only; half of them have no form in JSON."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def _plain(node: Any) -> Any:
    """The same without titles, which only repeat names, without null, which no file may hold, with real references."""
    if isinstance(node, list):
        return [_plain(item) for item in node if item != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    if "x-ref" in node:
        return {"$ref": f"#/$defs/{node['x-ref']}"}
    if "anyOf" in node and len(kinds := [kind for kind in node["anyOf"] if kind != {"type": "null"}]) == 1:
        return _plain({**kinds[0], **{key: value for key, value in node.items() if key != "anyOf"}})
    return {
        key: {name: _plain(item) for name, item in value.items()} if key in {"properties", "$defs"} else _plain(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }


def page_text() -> str:
    """The content of the page."""
    return reference_text(policy_schema())


if __name__ == "__main__":
    targets = (*map(Path, sys.argv[1:]), *(SCHEMA_FILE, PAGE_FILE)[len(sys.argv) - 1 :])
    for target, text in zip(targets, (schema_text(), page_text()), strict=True):
        target.write_text(text, "utf-8")
        sys.stdout.write(f"wrote {target.name}\n")
