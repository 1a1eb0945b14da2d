"""One column of raw values at a time: what is read, what is refused and with which words."""

from __future__ import annotations

from datetime import datetime

import pytest

from costctl.formats import convert


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (3.0, 3), ("3", 3), ("1,234", 1234), (0, 0), (None, None), ("", None), (999_999_999, 999_999_999)],
)
def test_token_counts_that_are_whole(value: object, expected: int | None) -> None:
    series, bad = convert.tokens("input_tokens", [value])
    assert (series.to_list(), bad) == ([expected], {})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-1, "input_tokens is negative"),
        (1.5, "input_tokens is not a whole number"),
        (2**64, "input_tokens is over 999,999,999"),
        (10**9, "input_tokens is over 999,999,999"),
        (True, "input_tokens is not a number"),
        ("many", "input_tokens is not a whole number"),
        (float("nan"), "input_tokens is not a whole number"),
        ([1], "input_tokens is not a number"),
    ],
)
def test_token_counts_that_are_refused(value: object, reason: str) -> None:
    series, bad = convert.tokens("input_tokens", [7, value, 9])
    assert bad == {1: reason}
    assert series.to_list() == [7, None, 9]


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T12:00:00Z", "2026-03-02 12:00:00", "2026-03-02T13:00:00+01:00", "2026-03-02T12:00:00.000000",
     "Mon, 02 Mar 2026 12:00:00 GMT", "1772452800", 1772452800, 1772452800000, 1772452800000000, 1772452800.0],
)  # fmt: skip
def test_one_instant_in_many_spellings(text: object) -> None:
    series, bad = convert.instants("started_at", [text])
    assert (series.to_list(), bad) == ([datetime(2026, 3, 2, 12)], {})


def test_more_than_microseconds_are_cut() -> None:
    series, _ = convert.instants("started_at", ["2026-03-02T12:00:00.1234567Z"])
    assert series.to_list() == [datetime(2026, 3, 2, 12, 0, 0, 123456)]


def test_amounts_keep_every_digit() -> None:
    series, bad = convert.decimals("logged_cost", [0.1, 3, "0.000000375", "$2.50", None])
    assert (series.to_list(), bad) == (["0.1", "3", "0.000000375", "2.50", None], {})


def test_no_time_no_guess() -> None:
    _, bad = convert.instants("started_at", ["yesterday", "2026-13-40T00:00:00Z", True])
    assert set(bad) == {0, 1, 2}


def test_a_list_counts_by_its_length() -> None:
    series, bad = convert.counts("tool_calls", [[{"name": "a"}, {"name": "b"}], 3, None, []])
    assert (series.to_list(), bad) == ([2, 3, None, 0], {})
