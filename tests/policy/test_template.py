"""The first policy of a user is read as it is, and with any of its comments taken away."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy
from costctl.policy.source import read_source
from costctl.policy.template import quoted, starter_policy
from tests.policy.example import parsed

MODELS = ["openai/gpt-4o-mini", "gpt-4.1", "openai/gpt-4o", "claude-opus-4", "o3"]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([], {"A": "openai/gpt-4o-mini"}),
        (MODELS[:1], {"A": "openai/gpt-4o-mini"}),
        (MODELS[:2], {"A": "openai/gpt-4o-mini", "B": "gpt-4.1"}),
        (MODELS[:3], {"A": "openai/gpt-4o-mini", "B": "gpt-4.1", "C": "openai/gpt-4o"}),
        (MODELS, {"A": "openai/gpt-4o-mini", "B": "openai/gpt-4o", "C": "o3"}),
        (["a", "", "a", "logged", "b"], {"A": "a", "B": "b"}),
    ],
)
def test_the_models_of_the_log_stand_in_tiers(models: list[str], expected: dict[str, str]) -> None:
    policy = parse_policy(starter_policy(models), "policy.yaml")
    assert {tier.name: tier.models for tier in policy.tiers} == {name: (model,) for name, model in expected.items()}
    assert policy.routing.default == "logged"
    assert policy.routing.matrix["faq"] == "A"
    assert policy.cache.exact is not None


def test_every_model_is_named() -> None:
    text = starter_policy(MODELS)
    assert all(f'"{model}"' in text for model in MODELS)


@pytest.mark.parametrize("count", range(6))
def test_every_key_in_comments_may_be_used(count: int) -> None:
    """Each # taken away alone, and all of them at once; ## lines are words."""
    text = starter_policy(MODELS[:count])
    assert parsed(re.sub(r"(?m)^#(?!#)", "", text))
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("#") and line[1] not in "# " and not line.endswith(":"):
            parsed("\n".join([*lines[:number], line[1:], *lines[number + 1 :]]))


def test_every_key_of_a_policy_is_shown() -> None:
    assert set(re.findall(r"(?m)^#?([a-z_]+):", starter_policy(MODELS))) == set(Policy.keys())


@given(st.text())
@settings(deadline=None)
def test_any_text_is_quoted_as_one_line(text: str) -> None:
    line = quoted(text)
    assert line.isascii()
    assert line.isprintable()
    assert read_source(f"a: {line}", "x").values == {"a": re.sub("[\ud800-\udfff]", "\ufffd", text)}


@given(st.lists(st.text(), max_size=5))
@settings(deadline=None)
def test_any_names_of_models_make_a_policy(models: list[str]) -> None:
    own = [re.sub("[\ud800-\udfff]", "\ufffd", model) for model in models]
    if len(set(own)) == len(set(models)):
        policy = parse_policy(starter_policy(models), "policy.yaml")
        assert {model for tier in policy.tiers for model in tier.models} <= {*own, "openai/gpt-4o-mini"}
