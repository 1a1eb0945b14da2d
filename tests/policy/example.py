"""The example of the design, word for word, and what the tests need to read policies."""

from __future__ import annotations

from pathlib import Path

from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy

EXAMPLE = Path(__file__).with_name("example.yaml").read_text("utf-8")


def parsed(text: str) -> Policy:
    """The policy of a text."""
    return parse_policy(text, "policy.yaml")


def refused(text: str) -> CostctlError:
    """The error of a text that must not be read."""
    try:
        parse_policy(text, "policy.yaml")
    except CostctlError as error:
        return error
    raise AssertionError("the policy was read")


def problems(text: str) -> list[str]:
    """Every problem of a text as people read it, without the name of the file."""
    return [str(problem).removeprefix("policy.yaml:") for problem in refused(text).problems]
