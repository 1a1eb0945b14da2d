"""Chunks of a task must not show: whatever the size of a chunk, the columns are the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from costctl.formats.gather import Gathered
from costctl.formats.generic import FORMAT

RECORD = st.fixed_dictionaries(
    {"model": st.just("gpt-4o")},
    optional={
        "prompt": st.sampled_from(["hola", "", None]),
        "system": st.just("Be kind."),
        "output": st.sampled_from(["x", 7]),
        "api_key": st.sampled_from(["k1", ""]),
        "usage": st.fixed_dictionaries({}, optional={"prompt_tokens": st.just(5), "cached_tokens": st.just(2)}),
    },
)


@given(st.lists(RECORD, min_size=1, max_size=12), st.integers(1, 12))
def test_columns_do_not_depend_on_the_size_of_a_chunk(records: list[dict[str, Any]], size: int) -> None:
    whole, pieces = Gathered(FORMAT, b"key"), Gathered(FORMAT, b"key")
    whole.add(records)
    for start in range(0, len(records), size):
        pieces.add(records[start : start + size])
    assert pieces.height == whole.height == len(records)
    assert _filled(pieces.raw) == _filled(whole.raw)
    assert _filled(pieces.derived) == _filled(whole.derived)
    assert pieces.texts == whole.texts
    assert {len(values) for values in (*pieces.raw.values(), *pieces.derived.values())} <= {len(records)}


def _filled(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Without the columns that hold nothing, which the store leaves out."""
    return {name: values for name, values in columns.items() if any(value is not None for value in values)}
