"""What holds for every target: it speaks of every part of every policy, and gives the same bytes again."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from costctl.export.base import Target
from costctl.export.resolved import Resolved, resolved
from costctl.export.targets import TARGETS
from costctl.policy.load import parse_policy
from costctl.policy.parts import PARTS, parts_of
from costctl.prices.book import load_book
from costctl.tiers.rules import load_rules
from tests.policy.example import EXAMPLE
from tests.replay.test_classifier import router

# Parts that the example of the design does not have.
MORE = """version: 1
tiers:
  A: {models: [gpt-4o-mini, gpt-4.1-mini], select: cheapest}
  B: {models: [gpt-4o, gpt-4.1], select: fastest}
  C: {models: [gpt-4o, gpt-4.1], select: weights, weights: [0.9, 0.1]}
  D: {models: logged}
routing: {rules: [{name: "a\\"b\\n# c", when: {endpoint: '/x*'}, to: C}], classifier: {file: router.json}}
budgets: {usd_per_day: [{tier: C, max: 10}, {user: u, max: 1}]}
cache: {exclude: [personal_data, 'endpoint:/private*']}
"""


# Reading the prices takes longer than an export, and nothing changes them.
shipped_prices = functools.cache(load_book)


def given(text: str) -> Resolved:
    """A policy resolved by the shipped prices."""
    book = shipped_prices()
    policy = parse_policy(text, "policy.yaml", book=book)
    learned = router() if policy.routing.classifier else None
    return resolved(policy, "0" * 64, book, load_rules().content, learned)


POLICIES = {"example": EXAMPLE, "more": MORE, "empty": "version: 1\n"}


def test_these_policies_have_every_part() -> None:
    found = {part for text in POLICIES.values() for part in parts_of(given(text).policy)}
    assert found == set(PARTS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("name", POLICIES)
def test_every_part_is_told_and_the_files_are_without_fault(target: Target, name: str) -> None:
    policy = given(POLICIES[name])
    made = target.export(policy)
    assert [loss.part for loss in made.losses] == list(parts_of(policy.policy))
    assert all(loss.says and loss.kind in {"expressed", "approximated", "dropped"} for loss in made.losses)
    assert made.files
    assert target.faults(made.files) == []
    assert target.export(given(POLICIES[name])) == made


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_secret_and_no_path_of_this_machine_is_written(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    text = "".join(target.export(given(EXAMPLE)).files.values())
    assert "sk-very-secret" not in text
    assert str(Path.cwd()) not in text


def test_the_names_are_those_that_a_policy_may_name() -> None:
    names = [target.name for target in TARGETS]
    assert len(set(names)) == len(names)
    for name in names:
        parse_policy(f"version: 1\nexport: {{targets: [{name}]}}\n", "policy.yaml")


EXTREME = """version: 1
tiers:
  A: {models: [gpt-4o-mini], temperature: 0.123456789012345678, timeout_s: %s}
  C: {models: [gpt-4o, gpt-4.1], select: weights, weights: [0.3333333333333333, 999999.9999999999]}
routing: {default: A}
retries: {max: %s, backoff_s: %s}
kill_switch: {error_ratio: 0.3333333333333333, window: 15m, min_requests: 1M, cooldown: 10m}
budgets: {usd_per_day: [{max: 999999999.9999999999}, {tier: C, max: 12345.1234567890123}], usd_per_request_max: 1e-12}
cache: {exact: {ttl: 1h, max_temperature: 0.123456789012345}}
"""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("amounts", [(0.001, 100, 0), (86_400, 3, 3_600), (86_400, 37, 0.000001)])
def test_every_amount_that_a_policy_may_hold_is_exported(target: Target, amounts: tuple[float, int, float]) -> None:
    """Where a target has bounds of its own, the amount is cut, and said to be approximated."""
    made = target.export(given(EXTREME % (amounts[0], amounts[1], f"{amounts[2]:f}")))
    assert target.faults(made.files) == []
    if target.name == "cloudflare":
        said = {loss.part: (loss.kind, loss.says) for loss in made.losses}
        assert said["retries"][0] == said["tiers.timeout_s"][0] == "approximated"
        assert ("at most 5" in said["retries"][1]) == (amounts[1] > 5)
        assert "from 100 to 600,000" in said["tiers.timeout_s"][1]
