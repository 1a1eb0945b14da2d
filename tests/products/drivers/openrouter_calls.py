"""Sends what it is asked to with the SDK of OpenRouter to the address in UPSTREAM, and validates with its models."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from openrouter import OpenRouter, components, operations

MODELS = {
    "chat": components.ChatRequest, "provider": components.ProviderPreferences, "key": operations.CreateKeysRequestBody,
}  # fmt: skip


def answer(client: OpenRouter, question: dict[str, Any]) -> Any:
    """The fields that a model keeps, or what the call said."""
    if "validate" in question:
        found = MODELS[question["validate"]].model_validate(question["fields"])
        return json.loads(found.model_dump_json(by_alias=True, exclude_unset=True))
    try:
        if "slug" in question:
            client.presets.create_presets_chat_completions(**question)
        elif "limit" in question:
            client.api_keys.create(**question)
        else:
            return client.chat.send(**question).model
    except Exception as error:  # the upstream is no OpenRouter; what it was sent is what counts
        return type(error).__name__
    return None


def main() -> None:
    """One line of JSON for each question."""
    with OpenRouter(api_key="sk-loopback", server_url=os.environ["UPSTREAM"]) as client:
        for line in sys.stdin:
            print(json.dumps(answer(client, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
