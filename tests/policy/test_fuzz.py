"""Whatever a file holds, reading it ends in a policy or in an error that people can mend."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy
from tests.policy.example import EXAMPLE

LINES = EXAMPLE.splitlines()
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8),
    st.sampled_from(["24h", "8k", "45%", ">3", "A", "B", "logged", "auto", "a > 1", "2026-03-05T14:00Z", "x*"]),
)  # fmt: skip
KEYS = st.sampled_from(
    [*Policy.keys(), "name", "when", "to", "models", "any", "not", "max", "ttl", "tier", "share", "arms", "exact",
     "gate", "semantic", "rules", "matrix", "raise", "floors", "outage", "from", "for", "months", "user", "A", "B",
     "intent"]
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def read(text: str) -> None:
    """Read it, and check what an error promises."""
    try:
        hash(parse_policy(text, "policy.yaml"))
    except CostctlError as error:
        assert error.code in {"E400", "E401"}
        assert error.problems
        assert error.hint
        places = [(problem.line or 0, problem.column or 0) for problem in error.problems]
        assert places == sorted(places)
        assert all(line >= 1 and column >= 1 for line, column in places)
        for problem in error.problems:
            str(problem).encode("utf-8")
            assert problem.message.isprintable()
            assert problem.key.isprintable()


@given(st.text())
@settings(deadline=None)
def test_any_text(text: str) -> None:
    read(text)


@given(st.text(alphabet="ab1:-?[]{},&*!|>'\"%@`#~<=. \n\t\\xuU0", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_of_the_marks_of_yaml(text: str) -> None:
    read(text)
    read(f"version: 1\n{text}")


@given(st.integers(0, len(EXAMPLE)), st.integers(0, 12), st.text(max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_example_with_any_piece_replaced(at: int, length: int, text: str) -> None:
    read(EXAMPLE[:at] + text + EXAMPLE[at + length :])


@given(st.dictionaries(KEYS, VALUES, max_size=6))
@settings(max_examples=400, deadline=None)
def test_any_values_under_known_keys(values: dict[str, Any]) -> None:
    """JSON is YAML, so any JSON is a policy file of sorts."""
    read(json.dumps({"version": 1, "tiers": {"A": {"models": ["m"]}}, **values}, ensure_ascii=False))


@given(st.sampled_from(Policy.keys()), VALUES)
@settings(max_examples=400, deadline=None)
def test_any_value_of_one_key(key: str, value: Any) -> None:
    read(json.dumps({"version": 1, key: value}))
