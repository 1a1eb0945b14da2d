"""Chunks of a task must not show: whatever the size of a chunk, the columns are the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.formats.columns import RawColumns
from costctl.formats.gather import Gathered
from costctl.formats.generic import FORMAT
from costctl.formats.typed import TypedColumns

RECORD = st.fixed_dictionaries(
    {"model": st.just("gpt-4o")},
    optional={
        "prompt": st.sampled_from(["hola", "", None]),
        "system": st.just("Be kind."),
        "output": st.sampled_from(["x", 7]),
        "latency": st.sampled_from([3, 700.5, "2 s"]),
        "latency_ms": st.sampled_from([1, 2.5, "3 ms", "soon", float("nan"), float("inf")]),
        "timestamp": st.sampled_from(["2026-03-01T00:00:00Z", "2026-03-01 01:02:03", 1_772_000_000, "never"]),
        "temperature": st.sampled_from([0, 0.5]),
        "api_key": st.sampled_from(["k1", ""]),
        "usage": st.fixed_dictionaries({}, optional={"prompt_tokens": st.just(5), "cached_tokens": st.just(2)}),
    },
)


@settings(deadline=None)  # the first example imports Polars
@given(st.lists(RECORD, min_size=1, max_size=12), st.integers(1, 12))
def test_columns_do_not_depend_on_the_size_of_a_chunk(records: list[dict[str, Any]], size: int) -> None:
    whole, pieces = Gathered(FORMAT, b"key"), Gathered(FORMAT, b"key")
    whole.add(records)
    for start in range(0, len(records), size):
        pieces.add(records[start : start + size])
    height = len(records)
    assert pieces.height == whole.height == height
    assert _filled(pieces.typed, pieces.raw, height) == _filled(whole.typed, whole.raw, height)
    assert _filled(pieces.derived, {}, height) == _filled(whole.derived, {}, height)
    assert pieces.texts == whole.texts


def _filled(columns: TypedColumns, raw: RawColumns, height: int) -> dict[str, tuple[list[Any], dict[int, str]]]:
    """Values and faults, without the columns that hold nothing, which the store leaves out."""
    found = {name: (column.to_list(), bad) for name, column, bad in columns.all(raw, height)}
    return {name: one for name, one in found.items() if one[1] or any(value is not None for value in one[0])}
