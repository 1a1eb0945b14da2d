"""Model names as logs spell them: prefixes, paths, ARNs and suffixes taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

PROVIDERS = {
    "gemini": "google", "vertex_ai": "google", "vertex": "google", "google_genai": "google", "google-vertex": "google",
    "gcp.vertex_ai": "google", "gcp.gemini": "google", "bedrock": "aws", "aws_bedrock": "aws", "aws.bedrock": "aws",
    "amazon": "aws", "bedrock_converse": "aws", "azure_openai": "azure", "azure_ai": "azure",
    "azure.ai.openai": "azure", "az.ai.openai": "azure", "az.ai.inference": "azure", "azure.ai.inference": "azure",
    "xai": "x-ai", "grok": "x-ai", "mistralai": "mistral", "mistral_ai": "mistral", "together_ai": "together",
    "togetherai": "together", "fireworks_ai": "fireworks", "moonshot": "moonshotai", "claude": "anthropic",
    "zhipu": "zhipuai",
}  # fmt: skip
SELF_HOSTED = frozenset(
    {"vllm", "hosted_vllm", "ollama", "ollama_chat", "lm_studio", "lmstudio", "llamafile", "llamacpp", "tgi", "sglang",
     "xinference", "local", "localhost", "self", "self_hosted", "self-hosted", "selfhosted", "on_prem", "on-prem",
     "onprem"}
)  # fmt: skip
ROUTES = {
    "nitro": "the route behind ':nitro' sets the price; log the model that answered",
    "floor": "the route behind ':floor' sets the price; log the model that answered",
    "online": "':online' adds a fee for searching that the log does not state; give own rates",
}
# An id of Bedrock: a maker and its model with a point between them, behind where it may run.
_OF_BEDROCK = re.compile(
    r"(?:(?:us|eu|apac|au|jp|ca|sa|us-gov|global)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|stability|"
    r"writer|luma|qwen|openai|twelvelabs|moonshot|minimax)\.[a-z][a-z0-9.-]*(?::\d+[a-z]?)*"
)
_BEDROCK_MAKER = re.compile(r"^(?:[a-z-]+\.)?[a-z0-9]+\.(?=[a-z])")
SELF_HOSTED_REASON = "runs on own machines, which have no list price; give own rates"


class Named(NamedTuple):
    """A model name in parts; `refusal` says why a name can have no price."""

    model: str
    full: str
    provider: str | None
    refusal: str | None
    region: str | None = None


def parse_name(text: str) -> Named:
    """Strip what is not the model.

    >>> parse_name("models/gemini-2.5-flash").model, parse_name("openai/gpt-4o").provider
    ('gemini-2.5-flash', 'openai')
    >>> parse_name("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x").model
    'us.anthropic.claude-x'
    >>> parse_name("azure/eu/gpt-4o").region
    'eu'
    >>> parse_name("us.anthropic.claude-sonnet-4-5-20250929-v1:0").provider
    'aws'
    """
    name = text.strip()
    provider: str | None = None
    region: str | None = None
    if name.startswith("arn:"):
        name, provider = name.rsplit("/", 1)[-1], "aws"
    if path := re.search(r"(?:locations/([^/]+)/)?(?:publishers/[^/]+/)?models/([^/]+)$", name):
        provider = "google" if "publishers/" in name else provider
        region, name = path[1], path[2]
    if name.startswith("openrouter/"):
        name, provider = name.removeprefix("openrouter/"), "openrouter"
    full = name
    if "/" in name and provider is None:
        prefix, name = name.split("/", 1)
        provider = provider_alias(prefix)
        if provider == "azure" and "/" in name:
            region, name = name.split("/", 1)
    elif "/" in name:
        name = name.rsplit("/", 1)[-1]
    if provider is None and is_of_bedrock(name):
        provider = "aws"
    refusal = ROUTES.get(full.rpartition(":")[2]) if ":" in full else None
    if full.endswith(":free"):
        provider = "openrouter"
    if provider in SELF_HOSTED:
        refusal = SELF_HOSTED_REASON
    return Named(name, full, provider, refusal, region)


def is_of_bedrock(name: str) -> bool:
    """Whether it is an id of Bedrock, which says by itself where it runs: `us.`, `global.`, or in the region asked."""
    return _OF_BEDROCK.fullmatch(name.lower()) is not None


def short_of_bedrock(name: str) -> str:
    """What is left of an id of Bedrock, or of a name of its model, without region, maker, date and version.

    >>> short_of_bedrock("regional.anthropic.claude-sonnet-4-5-20250929-v1:0"), short_of_bedrock("claude-sonnet-4.5")
    ('claudesonnet45', 'claudesonnet45')
    >>> short_of_bedrock("meta.llama3-1-8b-instruct-v1:0"), short_of_bedrock("meta-llama/Llama-3.1-8B-Instruct")
    ('llama318b', 'llama318b')
    """
    found = _BEDROCK_MAKER.sub("", name.strip().lower().rsplit("/", 1)[-1])
    return plain_name(re.sub(r"(-\d{8})?(-v?\d:\d+|-v\d)?$", "", found).removesuffix("-latest"))


def spellings(named: Named, provider: str) -> list[str]:
    """The lower-case names under which a provider may list the model, the fullest first.

    >>> spellings(parse_name("anthropic/claude-opus-5.5"), "anthropic")
    ['anthropic/claude-opus-5.5', 'claude-opus-5.5', 'claude-opus-5-5']
    """
    names = [named.full, named.model]
    if provider == "anthropic":
        names.append(named.model.replace(".", "-"))
    if named.model.startswith("ft:"):
        names.append(":".join(named.model.split(":")[:2]))  # without organisation, suffix and id
    # OpenRouter's variants of one model; what costs otherwise is refused by ROUTES.
    names += [
        name.rpartition(":")[0] for name in names if name.endswith((":thinking", ":beta", ":extended", ":exacto"))
    ]
    return list(dict.fromkeys(name.lower() for name in names))


def plain_name(name: str) -> str:
    """A model name without case, vendor path, punctuation and the word "instruct".

    >>> plain_name("meta-llama/Llama-3.1 8B Instruct"), plain_name("GPT-4o_mini:free")
    ('llama318b', 'gpt4omini:free')
    """
    tail = name.strip().lower().rsplit("/", 1)[-1].replace("instruct", "")
    return re.sub(r"[^a-z0-9:]", "", tail)


def as_sold(model: str, provider: str) -> str:
    """The model as logs name it: the prefix tells that a name such as deepseek/... is OpenRouter's own id.

    >>> as_sold("deepseek/deepseek-r1", "openrouter"), as_sold("gpt-4o", "openai")
    ('openrouter/deepseek/deepseek-r1', 'gpt-4o')
    """
    return f"openrouter/{model}" if provider == "openrouter" else model


@cache
def plain_tail(name: str) -> str:
    """An open model's name without maker, punctuation, and the words that every instruct model has.

    >>> plain_tail("mistralai/Mistral-Nemo-Instruct-2407"), plain_tail("Qwen2.5-7B-Instruct")
    ('mistralnemo', 'qwen257b')
    >>> plain_tail("Meta-Llama-3.1-8B-Instruct-Turbo"), plain_tail("mixtral-8x22b-instruct-v0.1")
    ('llama318b', 'mixtral8x22b')
    """
    tail = name.strip().lower().rsplit("/", 1)[-1]
    tail = re.sub(r"-(instruct|chat|it)(-(v?\d+(\.\d+)?|turbo|fp8|bf16|hf))*$", "", tail)
    return re.sub(r"[^a-z0-9:]", "", tail.removeprefix("meta-"))


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
    lower = name.strip().lower()
    return next((key for key, entry in providers.items() if matches(entry["provider_match"], lower)), None)


def matches(clause: Any, text: str) -> bool:
    """Whether a match clause of the base data fits a lower-case name."""
    if not clause:
        return False
    ((kind, value),) = clause.items()
    match kind:
        case "or":
            return any(matches(item, text) for item in value)
        case "and":
            return all(matches(item, text) for item in value)
        case "equals":
            return text == str(value).lower()
        case "starts_with":
            return text.startswith(str(value).lower())
        case "ends_with":
            return text.endswith(str(value).lower())
        case "contains":
            return str(value).lower() in text
        case "regex":
            return re.search(str(value), text) is not None
    raise AssertionError(f"unknown match clause: {kind}")


def equals_any(clause: Any, text: str) -> bool:
    """Whether a match clause lists exactly this lower-case name."""
    if not clause:
        return False
    ((kind, value),) = clause.items()
    if kind == "or":
        return any(equals_any(item, text) for item in value)
    return kind == "equals" and text == str(value).lower()
