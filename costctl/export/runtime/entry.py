"""The ways in: an object for LiteLLM's router, and a command."""

from __future__ import annotations

import json
import sys
from typing import Any

from costctl.export.runtime.deciding import Decider, Sessions

# What LiteLLM's proxy knows of a key: nobody who holds it can say otherwise in the metadata of a request.
_VOUCHED = {
    "user_api_key_user_id": "user_id", "user_api_key_team_id": "team", "user_api_key_team_alias": "team",
}  # fmt: skip


def _vouched(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata, with what the proxy knows in place of what the request claims."""
    known = {field: metadata[name] for name, field in _VOUCHED.items() if metadata.get(name)}
    named = {"user": "user_id", "session": "session_id"}
    return {**{key: value for key, value in metadata.items() if named.get(key, key) not in known}, **known}


class TierPlugin:
    """LiteLLM's `classifier_plugin`: the name of the tier of a request."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._sessions = Sessions() if decider.sticky else None

    async def classify(self, context: Any) -> str:
        """The tier, from `context.structured_messages` and `context.metadata`."""
        metadata = getattr(context, "metadata", None)
        metadata = _vouched(metadata) if isinstance(metadata, dict) else {}
        body = {"messages": getattr(context, "structured_messages", None), "model": metadata.get("request_model")}
        found: str = self._decider.decide(body, metadata, self._sessions)["tier"]
        return found


def main(decider: Decider) -> int:
    """Read one body from the standard input, write its decision; `{"body": ..., "metadata": ...}` tells more."""
    try:
        given = json.load(sys.stdin)
    except ValueError as error:
        sys.stderr.write(f"not a JSON body: {error}\n")
        return 2
    wrapped = isinstance(given, dict) and isinstance(given.get("body"), dict)
    body, metadata = (given["body"], given.get("metadata")) if wrapped else (given, None)
    found = decider.decide(body, metadata if isinstance(metadata, dict) else None)
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    return 0
