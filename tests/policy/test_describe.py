"""What `policy check` tells of a policy: a row for every key that has an effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from costctl.errors import CostctlError
from costctl.policy.describe import describe
from costctl.policy.parts import PARTS, parts_of
from costctl.policy.schema import Policy
from costctl.policy.source import read_source
from tests.policy.example import EXAMPLE, parsed

# What the example of the design leaves at its default.
MORE = """
tiers.B.select: cheapest
specialists.code.max_output_tokens: 900
routing.classifier: {file: router.json, min_confidence: 80%}
budgets.over_floor: true
limits.openai.requests_per_day: 9000
limits.openai.tokens_per_day: 5M
self_hosted.0.quantization: gptq
post_process.validate.forbidden_links: [http://example.com]
assume: {output_tokens_ratio: {openai/gpt-4o: 1.1}, input_tokens_ratio: 1, output_tokens_per_s: 80, first_token_ms: 300,
  timed_out_is_billed: true, summary_tokens_ratio: 0.3}
fixed_costs.0.one_off_usd: 20
scenarios.volume_ratio: 2
scenarios.price_ratio: {openai/gpt-4o: 1.5}
gates.0: {gate: saving_ratio >= 0.40, level: warn}
export.accept_loss: [hedge]
"""


def mutable(value: Any) -> Any:
    """The values of a file as JSON has them."""
    if isinstance(value, dict):
        return {key: mutable(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [mutable(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def whole() -> dict[str, Any]:
    """The example with every key that it leaves out."""
    policy: dict[str, Any] = mutable(read_source(EXAMPLE, "example").values)
    for name, value in mutable(read_source(MORE, "more").values).items():
        *way, last = (int(part) if part.isdigit() else part for part in name.split("."))
        at: Any = policy
        for part in way:
            at = at[part]
        at[last] = value
    return policy


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and every item, the outer ones before those within."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from places(item, (*at, key))


def without(value: Any, at: tuple[Any, ...]) -> Any:
    """A copy that lacks one place."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if (key,) != at}
        return {key: without(item, at[1:]) if at[:1] == (key,) else item for key, item in kept.items()}
    if isinstance(value, list):
        kept = [(number, item) for number, item in enumerate(value) if (number,) != at]
        return [without(item, at[1:]) if at[:1] == (number,) else item for number, item in kept]
    return value


def read(policy: Any) -> Policy:
    return parsed(json.dumps(policy))  # JSON is YAML too


def told(policy: Policy) -> list[tuple[Any, ...]]:
    return list(describe(policy).tables["policy"].rows)


def test_each_part_of_the_example_has_a_row() -> None:
    policy = parsed(EXAMPLE)
    keys = {str(row["key"]) for row in describe(policy).tables["policy"].dicts()}
    for name in Policy.model_fields:
        assert name in {"version", "name"} or any(key.split(".")[0] == name for key in keys), name
    for part in parts_of(policy):
        way = part.split(": ")[0]
        assert any(way == key or way.startswith(f"{key}.") for key in keys), part
    assert keys <= {part.split(": ")[0] for part in PARTS} | set(Policy.model_fields) | {"budgets", "routing.default"}


def test_nothing_can_be_taken_from_a_policy_without_a_change_in_what_is_told() -> None:
    """But for what says its default (B's models are in no arm's share, `first` is `first`)."""
    policy = whole()
    before, tried = told(read(policy)), 0
    for at in places(policy):
        less = without(policy, at)
        try:
            other = read(less)
        except CostctlError:  # another key needs this one
            continue
        tried += 1
        if other != read(policy) and at != ("name",):
            assert told(other) != before, at
    assert tried > 90


@pytest.mark.parametrize(
    ("policy", "row"),
    [
        ("tiers: {A: {models: [m, n], select: weights, weights: [3, 1], max_output_tokens: 400, temperature: 0.2, "
         "timeout_s: 6}}",
         ("tier", "A", "m, n, drawn by 3 : 1 (at most 400 tokens out, temperature 0.2, timeout 6 s)")),
        ("routing: {rules: [{name: big, when: {input_tokens: '>2k', team: [a, b]}, to: A}]}\ntiers: {A: {models: [m]}}",
         ("rule", "big", "where (input tokens above 2,000 and team a or b), to A")),
        ("limits: {openai: {requests_per_min: 500, over: error}}",
         ("limit", "openai", "500 requests per min; over it: no answer")),
        ("retries: {max: 2, backoff_s: 0.5}",
         ("retries", "2", "after timeout, rate limit, server error; 500 ms apart, doubling")),
        ("cache: {exact: {ttl: 24h, scope: [], capacity: 5, max_temperature: 0.3}}",
         ("cache", "exact", "kept 1 d from insert, for everybody; 5 answers at most; up to temperature 0.3")),
        ("cache: {exact: {ttl: 24h}}",
         ("cache", "exact", "kept 1 d from insert, per app, whatever model answered")),
        ("cache: {exact: {ttl: 24h, scope: [app, model]}}",
         ("cache", "exact", "kept 1 d from insert, per app + model")),
        ("cache: {semantic: {serve_min: 1.01}}",
         ("cache", "semantic", "serves nothing: no similarity is above 1, and serve_min is 1.01")),
        ("cache: {prompt: {opt_in: [anthropic]}}",
         ("cache", "prompt", "where providers do it by themselves; asked for at anthropic")),
        ("batch: {endpoints: [/nightly], max_delay: 24h}",
         ("batch", "/nightly", "at batch prices where an answer comes within 1 d")),
        ("scenarios: {outage: {provider: openai, from: '2026-03-05T14:00Z', for: 45m}}",
         ("scenario", "outage of openai", "from 2026-03-05T14:00Z for 45 min")),
    ],
)  # fmt: skip
def test_rows_in_words(policy: str, row: tuple[str, ...]) -> None:
    rows = [tuple(found[name] for name in ("kind", "name", "what"))
            for found in describe(parsed(f"version: 1\n{policy}\n")).tables["policy"].dicts()]  # fmt: skip
    assert row in rows
