"""Model names as logs spell them: prefixes, paths, ARNs and suffixes taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

PROVIDERS = {
    "gemini": "google", "vertex_ai": "google", "vertex": "google", "google_genai": "google", "google-vertex": "google",
    "gcp.vertex_ai": "google", "gcp.gemini": "google", "bedrock": "aws", "aws_bedrock": "aws", "aws.bedrock": "aws",
    "amazon": "aws", "azure_openai": "azure", "azure.ai.openai": "azure", "az.ai.openai": "azure", "xai": "x-ai", "grok": "x-ai",
    "mistralai": "mistral", "together_ai": "together", "togetherai": "together", "fireworks_ai": "fireworks", "moonshot": "moonshotai",
    "claude": "anthropic", "zhipu": "zhipuai",
}  # fmt: skip


class Named(NamedTuple):
    """A model name in parts; `refusal` says why a name can have no price."""

    model: str
    full: str
    provider: str | None
    refusal: str | None


def parse_name(text: str) -> Named:
    """Strip what is not the model.

    >>> parse_name("models/gemini-2.5-flash").model, parse_name("openai/gpt-4o")[0::2]
    ('gemini-2.5-flash', ('gpt-4o', 'openai'))
    >>> parse_name("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x").model
    'us.anthropic.claude-x'
    """
    name = text.strip()
    provider: str | None = None
    if name.startswith("arn:"):
        name, provider = name.rsplit("/", 1)[-1], "aws"
    if path := re.search(r"(?:publishers/[^/]+/)?models/([^/]+)$", name):
        provider = "google" if "publishers/" in name else provider
        name = path[1]
    if name.startswith("openrouter/"):
        name, provider = name.removeprefix("openrouter/"), "openrouter"
    full = name
    refusal = None
    if ":" in name and name.rsplit(":", 1)[1] in {"nitro", "floor"}:
        refusal = f"the route behind {name.rsplit(':', 1)[1]!r} sets the price; log the model that answered"
    if "/" in name and provider is None:
        prefix, rest = name.split("/", 1)
        provider, name = provider_alias(prefix), rest
    elif "/" in name:
        name = name.rsplit("/", 1)[-1]
    if full.endswith(":free"):
        provider = "openrouter"
    return Named(name, full, provider, refusal)


def provider_alias(name: str) -> str:
    """The provider's id for the names that logs use.

    >>> provider_alias("vertex_ai"), provider_alias("OpenAI")
    ('google', 'openai')
    """
    lower = name.strip().lower()
    return PROVIDERS.get(lower, lower)


def provider_of(name: str | None, providers: Mapping[str, Any]) -> str | None:
    """The known provider that a logged name means, or None."""
    if not name:
        return None
    alias = provider_alias(name)
    if alias in providers:
        return alias
    return next(
        (key for key, entry in providers.items() if matches(entry["provider_match"], name.lower())),
        None,
    )


def matches(clause: Any, text: str) -> bool:
    """Whether a match clause of the base data fits a lower-case name."""
    if not clause:
        return False
    ((kind, value),) = clause.items()
    if kind == "or":
        return any(matches(item, text) for item in value)
    if kind == "and":
        return all(matches(item, text) for item in value)
    tests = {
        "equals": lambda: text == value.lower(), "starts_with": lambda: text.startswith(value.lower()),
        "ends_with": lambda: text.endswith(value.lower()), "contains": lambda: value.lower() in text,
        "regex": lambda: re.search(value, text) is not None,
    }  # fmt: skip
    return bool(tests[kind]())
