"""The parts of the policy about its results: what is assumed, fixed costs, stress, gates, exports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from costctl.policy import units
from costctl.policy.keys import (
    Duration,
    Factor,
    Faults,
    Named,
    Part,
    Ratio,
    Share,
    Speed,
    Table,
    Text,
    Texts,
    Usd,
    read_unique,
    refuse,
)
from costctl.policy.units import shown

GATE = re.compile(r"([a-z][a-z0-9_.]*)\s*(>=|<=|>|<|=)\s*(-?[0-9]{1,15}(?:\.[0-9]{1,12})?)(%|k|M|ms|s)?")
# By unit: the figures that have it, and how many of their own one of it is.
_BOUND_UNITS: Mapping[str, tuple[tuple[str, ...], Decimal]] = {
    "%": (("_ratio", "_mean"), Decimal("0.01")), "k": (("_count", "_usd"), Decimal(1_000)),
    "M": (("_count", "_usd"), Decimal(1_000_000)), "ms": (("_ms",), Decimal(1)), "s": (("_ms",), Decimal(1_000)),
}  # fmt: skip
HOW = "a figure, one of >=, <=, >, < (of counts also =), and a number such as 0.4, 40%, 3s or 5k"
"""How a comparison is written, as messages say it."""
_TEXT_SCHEMA = {"type": "string", "minLength": 1}


class FixedCost(Part):
    """A cost that no request causes: per month, and once."""

    name: Text
    usd_per_month: Usd
    one_off_usd: Usd = Decimal(0)


def _instant(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 1970 <= at.year <= 9000:
        raise ValueError(f"must be a time with its zone such as '2026-03-05T14:00Z', not {shown(value)}")
    return at.astimezone(UTC)


class Outage(Part):
    """A provider answers nothing for a while."""

    provider: Text
    from_at: Annotated[datetime, PlainValidator(_instant), WithJsonSchema(_TEXT_SCHEMA)] = Field(alias="from")
    duration_us: Duration = Field(alias="for")


VOLUME_MAX = 100


def _volume(value: Any) -> Decimal:
    found = units.ratio(value)
    if not 1 <= found <= VOLUME_MAX:
        raise ValueError(f"must be 1 to {VOLUME_MAX} times the log, not {shown(value)}")
    return found


Volume = Annotated[
    Decimal,
    PlainValidator(_volume),
    WithJsonSchema({"type": "number", "minimum": 1, "maximum": VOLUME_MAX}),
]


class Scenarios(Part):
    """Replays of the same log under stress: an outage, more volume, other prices by provider/model."""

    outage: Outage | None = None
    volume_ratio: Volume | None = None
    price_ratio: Named[Factor] = Table({})


@dataclass(frozen=True)
class Gate:
    """A bound that a figure of the report must keep; `level` says what breaking it means."""

    gate: str
    metric: str
    operator: str
    bound: Decimal
    level: Literal["error", "warn"] = "error"


class GateEntry(Part):
    """A gate with its level."""

    gate: Text
    level: Literal["error", "warn"] = "error"


def read_gate(text: str) -> tuple[str, str, Decimal] | str | None:
    """Figure, operator and bound in the unit of the figure; why there is none, or None where it is no comparison.

    >>> read_gate("saving_ratio >= 40%"), read_gate("policy_latency_ms_p95 < 1.5s"), read_gate("saving_ratio == 1")
    (('saving_ratio', '>=', Decimal('0.4')), ('policy_latency_ms_p95', '<', Decimal('1500')), None)
    >>> read_gate("call_count > 3s")
    'call_count is not measured in s'
    >>> read_gate("saving_ratio = 0.4")
    'saving_ratio is an amount with decimals, and often an estimate: bound it by >=, <=, > or <; = is for counts'
    """
    found = GATE.fullmatch(text.strip())
    if found is None:
        return None
    metric, operator, said, unit = found.groups()
    bound = Decimal(said)
    if unit is not None:
        kinds, times = _BOUND_UNITS[unit]
        bare = "_ratio" if metric.endswith("_growth_ratio") else metric.removesuffix("_delta")
        if not any(f"{kind}_" in f"{bare}_" for kind in kinds):
            return f"{metric} is not measured in {unit}"
        bound = Decimal(f"{(bound * times).normalize():f}")
    if operator == "=" and not metric.removesuffix("_delta").endswith("_count"):
        said = "is an amount with decimals, and often an estimate: bound it by >=, <=, > or <; = is for counts"
        return f"{metric} {said}"
    return metric, operator, bound


def _gate(value: Any) -> Gate:
    is_text = isinstance(value, str)
    if not is_text and not isinstance(value, dict):
        raise ValueError(f"must be a gate such as 'saving_ratio >= 0.40', not {shown(value)}")
    entry = GateEntry.model_validate({"gate": value} if is_text else value)
    found = read_gate(entry.gate)
    if found is None:
        wanted = "must compare a figure with a number such as 'saving_ratio >= 0.40'"
        found = f"{wanted}, not {shown(entry.gate)}; it takes {HOW}"
    if isinstance(found, str):
        raise refuse([(() if is_text else ("gate",), found)])
    return Gate(entry.gate, *found, entry.level)


GateField = Annotated[Gate, PlainValidator(_gate, json_schema_input_type=Text | GateEntry)]


Target = Literal[
    "litellm", "litellm-plugin", "openrouter", "claude-code-router", "claude-code-router-v3", "portkey",
    "vllm-semantic-router", "routellm", "gptcache", "redis-langcache", "cloudflare", "envoy", "bifrost", "switchyard",
    "json", "runbook",
]  # fmt: skip


class Export(Part):
    """The router configurations that are written, and the losses that are accepted."""

    targets: Annotated[tuple[Target, ...], Field(min_length=1), AfterValidator(read_unique)]
    accept_loss: Texts = ()


def _assumed(read: Callable[[Any], Decimal], value: Any) -> Decimal | Mapping[str, Decimal]:
    if not isinstance(value, dict):
        return read(value)
    found: dict[str, Decimal] = {}
    faults: Faults = []
    for model, one in value.items():
        try:
            found[model] = read(one)
        except ValueError as error:
            faults.append(((model,), str(error)))
    if faults:
        raise refuse(faults)
    return Table(found)


AssumedFactor = Annotated[
    Decimal | Mapping[str, Decimal],
    PlainValidator(partial(_assumed, units.factor), json_schema_input_type=Factor | dict[str, Factor]),
]
AssumedSpeed = Annotated[
    Decimal | Mapping[str, Decimal],
    PlainValidator(partial(_assumed, units.speed), json_schema_input_type=Speed | dict[str, Speed]),
]
AssumedTime = Annotated[
    Decimal | Mapping[str, Decimal],
    PlainValidator(partial(_assumed, units.ratio), json_schema_input_type=Ratio | dict[str, Ratio]),
]


class Assume(Part):
    """What the log cannot show, as one number or by model; every figure that rests on it says so."""

    output_tokens_ratio: AssumedFactor | None = None
    input_tokens_ratio: AssumedFactor | None = None
    output_tokens_per_s: AssumedSpeed | None = (
        None  # with the next one the latency of models that the log does not show
    )
    first_token_ms: AssumedTime | None = None
    timed_out_is_billed: bool = False
    summary_tokens_ratio: Share = Decimal("0.2")  # of what a summary replaces; nobody's measurement
