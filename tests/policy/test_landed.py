"""A key that has no effect yet is refused, so that no policy promises what no replay does."""

from __future__ import annotations

from typing import get_args

import pytest

from costctl.errors import CostctlError
from costctl.policy.landed import NOT_YET
from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy
from tests.policy.example import EXAMPLE

HEAD = "version: 1\n"


def yaml_of(path: str) -> str:
    """A policy in which the path stands; `*` is a name in tiers, an item elsewhere."""
    keys, _, value = path.partition("=")
    text = value or "{}"
    for key in reversed(keys.split(".")):
        text = ("[%s]" if keys.startswith("routing") else "{A: %s}") % text if key == "*" else f"{{{key}: {text}}}"
    return HEAD + text[1:-1] + "\n"


def place_of(path: str) -> str:
    """How a problem names the path."""
    keys = path.partition("=")[0]
    return keys.replace(".*", "[0]" if keys.startswith("routing") else ".A")


@pytest.mark.parametrize(("path", "reason"), NOT_YET.items())
def test_a_key_that_has_not_landed_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(CostctlError) as caught:
        parse_policy(yaml_of(path), "policy.yaml")
    assert caught.value.code == "E401"
    messages = [problem.message for problem in caught.value.problems if problem.key == place_of(path)]
    told = place_of(path).replace("[0]", ".0") + (f": {path.partition('=')[2]}" if "=" in path else "")
    assert f"`{told}` is not there yet: it {reason}" in messages


def test_the_place_is_that_of_the_key() -> None:
    with pytest.raises(CostctlError) as caught:
        text = "version: 1\ncache:\n  exclude: []\nexport: {targets: [litellm]}\n"
        parse_policy(text, "policy.yaml", not_yet={"export.targets.*=litellm": "comes later"})
    assert caught.value.message == (
        "policy.yaml:4:20: export.targets[0]: `export.targets.0: litellm` is not there yet: it comes later"
    )


def test_every_key_of_the_example_that_has_not_landed_is_told() -> None:
    later = {f"export.targets.*={name}": "comes later" for name in ("litellm", "openrouter")}
    with pytest.raises(CostctlError) as caught:
        parse_policy(EXAMPLE, "policy.yaml", not_yet=later)
    told = {problem.key for problem in caught.value.problems}
    assert told == {"export.targets[0]", "export.targets[1]"}


def test_every_path_of_the_table_is_a_key_of_the_schema() -> None:
    for path in NOT_YET:
        first, _, second = path.partition(".")
        assert first in Policy.keys()
        if second and "*" not in second:
            part = Policy.model_fields[first].annotation
            assert part is not None
            names = [name for one in get_args(part) or (part,) if hasattr(one, "keys") for name in one.keys()]
            assert second in names


def test_what_has_landed_is_read() -> None:
    text = (
        HEAD
        + "tiers: {A: {models: [m]}}\ncache: {exact: {ttl: 24h}, exclude: [personal_data]}\nbudgets: {usd_per_day: 1}"
    )
    assert parse_policy(text, "policy.yaml").cache.exact is not None
