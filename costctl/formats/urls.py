"""What the URL of a call says: the provider, the model, the route."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

HOSTS = {
    "api.openai.com": "openai", "api.anthropic.com": "anthropic", "openrouter.ai": "openrouter", "api.groq.com": "groq",
    "api.deepseek.com": "deepseek", "api.mistral.ai": "mistral", "generativelanguage.googleapis.com": "google",
    "api.x.ai": "x-ai", "api.together.xyz": "together",
}  # fmt: skip
_MODEL_IN_URL = re.compile(r"/(?:deployments|models|model)/([^/:?]+)")


def model_of_url(url: str) -> str | None:
    """The model or deployment that a URL names.

    >>> model_of_url("https://x.openai.azure.com/openai/deployments/mini/chat/completions?api-version=1")
    'mini'
    >>> model_of_url("https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse")
    'amazon.nova-lite-v1:0'
    """
    found = _MODEL_IN_URL.search(url)
    return unquote(found[1]) if found else None


def provider_of_url(url: str) -> str | None:
    """The provider behind a URL, where its host says so.

    >>> provider_of_url("https://x.openai.azure.com/openai/deployments/d"), provider_of_url("")
    ('azure', None)
    """
    host = split_url(url)[0]
    if "azure" in host:
        return "azure"
    if host.endswith(".amazonaws.com"):
        return "aws"
    if host.endswith("aiplatform.googleapis.com"):
        return "google"
    return HOSTS.get(host)


def split_url(url: str) -> tuple[str, str]:
    """Host and path; both empty for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.hostname or "", parts.path
