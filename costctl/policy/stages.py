"""The parts of the policy below routing and budgets: caches, providers, attempts, batch, answers.

Where the name of an attribute differs from the key in the file, it adds the unit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from costctl.policy import units
from costctl.policy.keys import (
    Count,
    CountOfOne,
    Duration,
    Faults,
    Milliseconds,
    MillisecondsPer1k,
    Months,
    Number,
    Part,
    Price,
    Ratio,
    Seconds,
    Share,
    Speed,
    Text,
    Texts,
    Threshold,
    Tries,
    Usd,
    UsdOfCall,
    read_unique,
    refuse,
    unknown,
)
from costctl.policy.units import shown
from costctl.policy.when import TEXTS, OutputCondition

_TEXT_SCHEMA = {"type": "string", "minLength": 1}


class Limit(Part):
    """What a provider lets through, and what happens to the rest."""

    requests_per_min: CountOfOne | None = None
    tokens_per_min: CountOfOne | None = None
    requests_per_day: CountOfOne | None = None
    tokens_per_day: CountOfOne | None = None
    over: Literal["queue", "fallback", "error"] = "queue"


class Retries(Part):
    """How often a failed attempt is made again, and after which faults."""

    max_count: Tries = Field(alias="max")
    backoff_us: Seconds = Field(default=0, alias="backoff_s")
    on: Annotated[
        tuple[Literal["timeout", "rate_limit", "server_error", "error"], ...],
        Field(min_length=1),
        AfterValidator(read_unique),
    ] = ("timeout", "rate_limit", "server_error")


class Hedge(Part):
    """A second call to this tier when the first has not answered in time."""

    tier: Text
    after_us: Seconds = Field(alias="after_s")


class Escalate(Part):
    """A dearer call when the answer of the cheap one is not good enough.

    `ratio` is used only where the log has no evidence of how often that is.
    """

    from_tier: Text = Field(alias="from")
    to: Text
    when: Annotated[
        tuple[Literal["error", "refusal", "truncated", "no_evidence", "low_score", "wrong_register"], ...],
        Field(min_length=1),
        AfterValidator(read_unique),
    ]
    ratio: Share | None = None


class KillSwitch(Part):
    """Takes a provider out for a while when too many of its answers are errors."""

    error_ratio: Share
    window_us: Duration = Field(alias="window")
    min_requests: CountOfOne = 1
    cooldown_us: Duration = Field(alias="cooldown")


class ExactCache(Part):
    """Answers kept for equal prompts."""

    ttl_us: Duration = Field(alias="ttl")
    ttl_from: Literal["insert", "last_hit"] = "insert"
    scope: Annotated[
        tuple[Literal["endpoint", "team", "user", "app", "model", "user_profile", "session"], ...],
        AfterValidator(read_unique),
    ] = ("app",)
    capacity: CountOfOne | None = None
    max_temperature: Number | None = None


class SeasonTtl(Part):
    """A time to live, in these months (1 to 12) or in all that no earlier entry names."""

    months: Annotated[Months, Field(min_length=1)] | None = None
    ttl_us: Duration = Field(alias="ttl")


def _seasons(value: Any) -> Any:
    if isinstance(value, tuple):
        return value
    units.duration_us(value)
    return ({"ttl": value},)


SLOTS = ("origin", "destination", "interests", "duration_days", "budget")
"""Parts of a travel request that are read from its text."""


EXACT_ONLY = ("session",)
"""Parts of a scope of equal prompts that no key of near prompts can name."""


def _key_part(text: str) -> str:
    if text in TEXTS or text in SLOTS:
        return text
    known = (*TEXTS, *SLOTS)
    if text in EXACT_ONLY:
        raise ValueError(f"{text} is a part of cache.exact.scope only; known here: {', '.join(known)}")
    raise ValueError(unknown(text, known, "key part"))


NOT_KEPT = (SeasonTtl.model_validate({"ttl": "0s"}),)


class SemanticCache(Part):
    """Answers kept for near prompts; between the two thresholds a cheap tier refreshes them."""

    serve_min: Threshold
    refresh_min: Share | None = None
    refresh_tier: Text | None = None
    ttls: Annotated[
        tuple[SeasonTtl, ...],
        Field(min_length=1),
        BeforeValidator(_seasons, json_schema_input_type=Duration | tuple[SeasonTtl, ...]),
    ] = Field(default=NOT_KEPT, alias="ttl")
    """Needed where anything can be served: a threshold above 1 serves nothing."""
    key: Annotated[tuple[Annotated[str, AfterValidator(_key_part)], ...], AfterValidator(read_unique)] = ()
    guard: Literal["strict"] = "strict"


def _providers(value: Any) -> Any:
    if isinstance(value, str) and value in {"auto", "none"}:
        return value
    if not isinstance(value, tuple):
        raise ValueError(f"must be auto, none or a list of providers, not {shown(value)}")
    wrong: Faults = [
        ((at,), f"must be the name of a provider, not {shown(one)}")
        for at, one in enumerate(value)
        if not isinstance(one, str) or not one or one in value[:at]
    ]
    if wrong:
        raise refuse(wrong)
    return value


class PromptCache(Part):
    """Prompt caching of the providers: where it is on, and where requests must ask for it."""

    providers: Annotated[
        Literal["auto", "none"] | tuple[str, ...],
        PlainValidator(_providers),
        WithJsonSchema({"anyOf": [{"enum": ["auto", "none"]}, {"type": "array", "items": _TEXT_SCHEMA}]}),
    ] = "auto"
    opt_in: Texts = ()


def _excluded(text: str) -> str:
    field, _, value = text.partition(":")
    if text == "personal_data" or (field in TEXTS and value and "*" not in value[:-1]):
        return text
    if value and field not in TEXTS:
        raise ValueError(unknown(field, TEXTS, "field"))
    raise ValueError(f"must be personal_data or a field and its text such as endpoint:/chat, not {shown(text)}")


class Cache(Part):
    """What is answered without a full call, and which requests never are."""

    exact: ExactCache | None = None
    semantic: SemanticCache | None = None
    prompt: PromptCache | None = None
    exclude: Annotated[tuple[Annotated[str, AfterValidator(_excluded)], ...], AfterValidator(read_unique)] = ()


class Context(Part):
    """How much of a conversation is sent."""

    max_history_turns: CountOfOne | None = None
    summarise_over_tokens: CountOfOne | None = Field(default=None, alias="summarise_over")
    summariser: Text | None = None


class Compression(Part):
    """Prompts made shorter before they are sent."""

    ratio_kept: Share
    min_input_tokens: Count = 0
    usd_per_million_tokens: Price = Decimal(0)
    us_per_1k_tokens: MillisecondsPer1k = Field(default=0, alias="ms_per_1k_tokens")


class DataSource(Part):
    """Where facts come from, in the order of the list."""

    name: Text
    usd_per_call: UsdOfCall = Decimal(0)
    latency_us: Milliseconds = Field(default=0, alias="latency_ms")
    hit_ratio: Share


class Batch(Part):
    """Endpoints whose requests may wait for batch prices."""

    endpoints: Annotated[Texts, Field(min_length=1)]
    max_delay_us: Duration = Field(alias="max_delay")


Engine = Literal[
    "vllm", "sglang", "tensorrt-llm", "tgi", "llama.cpp", "ollama", "lmdeploy", "mlx", "exllamav2", "aphrodite",
    "triton", "jetstream", "neuron", "openvino", "other",
]  # fmt: skip


class SelfHosted(Part):
    """A model on accelerators of one's own."""

    name: Text
    engine: Engine | None = None
    accelerator: Text | None = None
    count: CountOfOne = 1
    usd_per_hour: Usd
    tokens_per_s: Speed
    max_num_seqs: CountOfOne = 1
    quantization: Literal["none", "gptq", "awq", "gguf"] = "none"
    quality_ratio: Ratio | None = None
    one_off_usd: Usd = Decimal(0)


class PostCall(Part):
    """A cheap call that works on the answer, where the condition holds."""

    tier: Text
    when: OutputCondition


class Validation(Part):
    """What an answer may hold."""

    allowed_tags: Texts | None = None
    no_contacts: bool = False
    forbidden_links: Texts = ()


class PostProcess(Part):
    """What happens to an answer before it is shown."""

    reformat: PostCall | None = None
    translate: PostCall | None = None
    validation: Validation | None = Field(default=None, alias="validate")
