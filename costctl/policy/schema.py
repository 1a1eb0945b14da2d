"""The policy as frozen values: what may stand in a policy file, with every default."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from costctl.policy.caps import TokenCaps, UsdCaps
from costctl.policy.keys import (
    CountOfOne,
    Named,
    Part,
    Ratio,
    Share,
    Table,
    Temperature,
    Text,
    Texts,
    Timeout,
    Usd,
    read_named,
)
from costctl.policy.results import Assume, Export, FixedCost, GateField, Scenarios
from costctl.policy.stages import (
    Batch,
    Cache,
    Compression,
    Context,
    DataSource,
    Escalate,
    Hedge,
    KillSwitch,
    Limit,
    PostProcess,
    Retries,
    SelfHosted,
)
from costctl.policy.units import shown
from costctl.policy.when import Condition

LOGGED = "logged"
"""In place of a tier or of models: the model that the log shows."""


def _models(value: Any) -> Any:
    if isinstance(value, str) and value != LOGGED:
        raise ValueError(f"must be a list such as [openai/gpt-4o], or logged, not {shown(value)}")
    return (value,) if isinstance(value, str) else value


Models = Annotated[
    Texts, Field(min_length=1), BeforeValidator(_models, json_schema_input_type=Literal["logged"] | tuple[Text, ...])
]
Select = Literal["first", "cheapest", "fastest", "weights"]


class TierSettings(Part):
    """The models of a tier, how one is chosen, and how it is called."""

    models: Models
    select: Select = "first"
    weights: tuple[Ratio, ...] = ()
    max_output_tokens: CountOfOne | None = None
    context_tokens: CountOfOne | None = None
    temperature: Temperature | None = None
    timeout_us: Timeout | None = Field(default=None, alias="timeout_s")


class Tier(TierSettings):
    """A named tier, or a named specialist."""

    hidden = frozenset({"name"})
    name: Text


class TierChange(Part):
    """The settings of a tier that one arm of an experiment changes; the others stay."""

    models: Models | None = None
    select: Select | None = None
    weights: tuple[Ratio, ...] | None = None
    max_output_tokens: CountOfOne | None = None
    context_tokens: CountOfOne | None = None
    temperature: Temperature | None = None
    timeout_us: Timeout | None = Field(default=None, alias="timeout_s")


class Rule(Part):
    """Where requests go for which the condition holds; the name is the routing reason."""

    name: Text
    when: Condition
    to: Text


class Raise(Part):
    """Requests that go to this tier if theirs is cheaper, with a line added to their instruction."""

    name: Text
    when: Condition
    to: Text
    add_instruction: Text | None = None


class Floor(Part):
    """Requests that no budget and no other rule sends below this tier."""

    name: Text
    when: Condition
    at_least: Text


class Classifier(Part):
    """A learned router, asked where no rule matches."""

    file: Text
    min_confidence: Share | None = None


class Routing(Part):
    """First matching rule, else the classifier, the intent, the default; then raises, floors, stickiness."""

    default: Text | None = None
    rules: tuple[Rule, ...] = ()
    classifier: Classifier | None = None
    matrix: Named[Text] = Table({})
    raises: tuple[Raise, ...] = Field(default=(), alias="raise")
    floors: tuple[Floor, ...] = ()
    sticky: Literal["session", "user"] | None = None


class Budgets(Part):
    """Caps per UTC day and per request, and what happens to requests above them."""

    max_share_per_day: Named[Share] = Table({})
    usd_per_day: UsdCaps = ()
    usd_per_request_max: Usd | None = None
    over: Literal["degrade", "refuse"] = "degrade"
    over_floor: bool = False
    tokens_per_day: TokenCaps = ()


class ArmSettings(Part):
    """The share of an arm, and what it changes."""

    share: Share
    tiers: Named[TierChange] = Table({})


class Arm(ArmSettings):
    """A named arm of an experiment."""

    hidden = frozenset({"name"})
    name: Text


def _as_is(value: Any) -> Any:
    return value


def _arm_body(value: Any) -> Any:
    return value if isinstance(value, dict) else {"share": value}


Tiers = Annotated[
    tuple[Tier, ...], PlainValidator(partial(read_named, Tier, _as_is), json_schema_input_type=dict[str, TierSettings])
]
Arms = Annotated[
    tuple[Arm, ...],
    PlainValidator(partial(read_named, Arm, _arm_body), json_schema_input_type=dict[str, Share | ArmSettings]),
]


class Experiment(Part):
    """Users or sessions divided over arms by a stable hash."""

    name: Text
    unit: Literal["user", "session"]
    arms: Arms


def _version(value: Any) -> Any:
    if type(value) is not int or value != 1:  # true equals 1
        raise ValueError(f"must be 1, not {shown(value)}")
    return value


class Policy(Part):
    """How requests are to be served; a policy that says nothing leaves the log as it is."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    name: Text = "policy"
    tiers: Tiers = ()
    specialists: Tiers = ()
    routing: Routing = Routing()
    budgets: Budgets = Budgets()
    limits: Named[Limit] = Table({})
    fallbacks: Named[Texts] = Table({})
    retries: Retries | None = None
    hedge: Hedge | None = None
    escalate: Escalate | None = None
    kill_switch: KillSwitch | None = None
    cache: Cache = Cache()
    context: Context | None = None
    compression: Compression | None = None
    data_sources: tuple[DataSource, ...] = ()
    batch: Batch | None = None
    self_hosted: tuple[SelfHosted, ...] = ()
    post_process: PostProcess | None = None
    experiments: tuple[Experiment, ...] = ()
    assume: Assume = Assume()
    fixed_costs: tuple[FixedCost, ...] = ()
    scenarios: Scenarios | None = None
    gates: tuple[GateField, ...] = ()
    export: Export | None = None
