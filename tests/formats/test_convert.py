"""One column of raw values at a time: what is read, what is refused and with which words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from costctl.formats import convert
from costctl.formats.instants import instants
from costctl.store import Store


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (3.0, 3),
        ("3", 3),
        ("1,234", 1234),
        (0, 0),
        (None, None),
        ("", None),
        (999_999_999, 999_999_999),
        (float("nan"), None),
        (Decimal(7), 7),
        ("N/A", None),
        ("nan", None),
    ],
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
        (float("inf"), "input_tokens is not a whole number"),
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
     "Mon, 02 Mar 2026 12:00:00 GMT", "1772452800", 1772452800, 1772452800000, 1772452800000000, 1772452800.0,
     "2026-03-02 12:00:00 GMT", "2026-03-02 12:00:00 +0000 UTC", "2026/03/02 12:00:00", "1.7724528E9",
     "2026-03-02t12:00:00z", "2026-03-02 12:00:00+00", datetime(2026, 3, 2, 12, tzinfo=UTC), Decimal(1772452800)],
)  # fmt: skip
def test_one_instant_in_many_spellings(text: object) -> None:
    series, bad = instants("started_at", [text])
    assert (series.to_list(), bad) == ([datetime(2026, 3, 2, 12)], {})


def test_more_than_microseconds_are_cut() -> None:
    series, _ = instants("started_at", ["2026-03-02T12:00:00.1234567Z"])
    assert series.to_list() == [datetime(2026, 3, 2, 12, 0, 0, 123456)]


def test_amounts_keep_every_digit() -> None:
    series, bad = convert.decimals("logged_cost", [0.1, 3, "0.000000375", "$2.50", None])
    assert (series.to_list(), bad) == (["0.1", "3", "0.000000375", "2.50", None], {})


def test_no_time_no_guess() -> None:
    _, bad = instants("started_at", ["yesterday", "2026-13-40T00:00:00Z", True])
    assert set(bad) == {0, 1, 2}


@pytest.mark.parametrize(
    "value",
    ["2999-01-01T00:00:00Z", "-0005-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2200-01-01 00:00", 7_258_118_400,
     "0001-01-01T00:00+05:30", "9999-12-31T23:59-05:00", datetime(2200, 1, 1), datetime(9999, 12, 31, 23, tzinfo=UTC)],
)  # fmt: skip
def test_an_instant_lies_between_1970_and_2200(value: object) -> None:
    """However it is written: years were checked in numbers only."""
    series, bad = instants("started_at", ["2026-03-02T12:00:00Z", value])
    assert series.to_list() == [datetime(2026, 3, 2, 12), None]
    assert bad == {1: "started_at is not a time between 1970 and 2200"}


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00", "0001-01-01", datetime(1, 1, 1)])
def test_the_zero_of_other_languages_is_no_time(value: object) -> None:
    series, bad = instants("ended_at", [value, "2199-12-31T23:59:59Z", "1970-01-01T00:00:00Z"])
    assert (series.to_list(), bad) == ([None, datetime(2199, 12, 31, 23, 59, 59), datetime(1970, 1, 1)], {})


def test_a_list_counts_by_its_length() -> None:
    series, bad = convert.counts("tool_calls", [[{"name": "a"}, {"name": "b"}], 3, None, []])
    assert (series.to_list(), bad) == ([2, 3, None, 0], {})


def test_a_date_is_its_midnight() -> None:
    assert instants("started_at", [date(2026, 3, 2)])[0].to_list() == [datetime(2026, 3, 2)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1,234.50", "1234.50"), ("$ 0.01", "0.01"), ("0.5 USD", "0.5"), (Decimal("0.010"), "0.010"), ("nan", None),
     (999_999.5, "999999.5"), ("2.5e-7", "2.5e-7"), ("１２", "12.000000000000"), ("١٢.٥", "12.500000000000"),
     ("100000000e-4", "10000.000000000000"), ("1e-999999", "0.000000000000")],
)  # fmt: skip
def test_amounts_in_many_spellings(value: object, expected: str | None) -> None:
    series, bad = convert.decimals("logged_cost", [value])
    assert (series.to_list(), bad) == ([expected], {})


def test_amounts_in_any_spelling_are_numbers_to_the_store() -> None:
    """Some spellings are numbers to Python alone, and one of them ended the audit."""
    spelled = ["１２", "١٢", "1_000.5", "100000000e-4", "1e-999999", "+.5", "5.", "9.99e5", "0." + "1" * 60, "1.5E-7"]
    series, bad = convert.decimals("logged_cost", [*spelled, 1.2345678901234567e-05])
    with Store.in_memory() as store:
        cast = [store.scalar("SELECT CAST($text AS DECIMAL(18,12))", {"text": text}) for text in series]
    expected = [
        "12",
        "12",
        "1000.5",
        "10000",
        "0",
        "0.5",
        "5",
        "999000",
        "0.111111111111",
        "0.00000015",
        "0.000012345679",
    ]
    assert (cast, bad) == ([Decimal(text) for text in expected], {})


def test_an_integer_that_no_float_holds_cannot_be_read() -> None:
    for read in (instants, convert.numbers):
        series, bad = read("field", [10**400, None, "nan"])
        assert (series.to_list(), bad) == ([None, None, None], {0: "field is too large"})


@pytest.mark.parametrize(
    "value",
    [10**6, 1e6, -(10**6), "-1e9", 2**70, Decimal(10**6), "1000000", "999999.9999999999999", "9e9", float("nan"),
     float("inf"), True, "free", [1]],
)  # fmt: skip
def test_amounts_that_the_store_cannot_hold(value: object) -> None:
    series, bad = convert.decimals("logged_cost", [0.5, value, 2])
    assert (series.to_list(), bad) == (["0.5", None, "2"], {1: "logged_cost is not an amount"})


def test_what_is_taken_off_is_below_nothing() -> None:
    spelled = ["-0.5", "-$1,000.25", "$-2", "($3.50)", "−4", -5, -0.125, "--6", "-$-7", "-"]
    series, bad = convert.decimals("logged_cost", spelled)
    assert series.to_list() == ["-0.5", "-1000.25", "-2", "-3.50", "-4", "-5", "-0.125", None, None, None]
    assert list(bad) == [7, 8, 9]


@pytest.mark.parametrize("text", ["", "None", "none", "NULL", "nan", "NaN", "N/A"])
def test_nothing_written_as_text_is_nothing(text: str) -> None:
    for read in (convert.tokens, convert.numbers, convert.decimals, convert.texts, convert.booleans, instants):
        series, bad = read("x", [text, None])
        assert (series.to_list(), bad) == ([None, None], {}), read
    assert convert.texts("x", [text, 5])[0].to_list() == [None, "5"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("latency_ms", "812ms", 812.0), ("latency_ms", "1.5s", 1500.0), ("latency_ms", "1,500.5", 1500.5),
     ("latency_s", "1.5 s", 1.5), ("latency_s", "500 ms", 0.5), ("latency_ms", timedelta(seconds=2), 2000.0),
     ("latency_s", timedelta(seconds=2), 2.0), ("latency_ms", Decimal("2.5"), 2.5), ("temperature", "0.7", 0.7)],
)  # fmt: skip
def test_durations_with_a_unit(name: str, value: object, expected: float) -> None:
    series, bad = convert.numbers(name, [value])
    assert (series.to_list(), bad) == ([expected], {})


def test_a_temperature_has_no_unit() -> None:
    assert convert.numbers("temperature", ["0.7s"])[1] == {0: "temperature is not a number"}


def test_numbers_that_are_none_are_unknown() -> None:
    values = [1.0, float("nan"), float("inf"), None]
    assert convert.numbers("latency_ms", values)[0].to_list() == [1.0, None, None, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1500, 1700.0, None, 2], [1.5, 1.7, None, 0.002]),
        ([1.5, 1.7, 400], [1.5, 1.7, 400]),
        (["1500", "812ms", "1.5s", None], [1.5, 0.812, 1.5, None]),
        ([timedelta(seconds=3), 2], [3, 2]),
    ],
)
def test_a_latency_without_a_unit_is_read_by_its_size(values: list[object], expected: list[float | None]) -> None:
    series, bad = convert.durations("latency", values)
    assert (series.to_list(), bad) == (pytest.approx(expected), {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234", 1234), ("12,345,678", 12345678), ("1,234.0", 1234), ("0.000", 0), ("3.0", 3), ("7", 7),
        ("1,5", None), ("12,34", None), ("1,2345", None), (",123", None), ("1.000", None), ("120.000", None),
    ],
)  # fmt: skip
def test_commas_group_three_digits_and_are_never_left_out(text: str, found: int | None) -> None:
    """`1,5` was read as 15, and `1.000` may be a thousand."""
    series, bad = convert.tokens("input_tokens", [text])
    assert series.to_list() == [found]
    assert bool(bad) == (found is None)


@pytest.mark.parametrize("fraction", ["", ".1", ".120", ".123456", ".1234567", ".123456789"])
def test_a_fraction_of_a_known_size_is_read_as_any_other(fraction: str) -> None:
    """Three sizes have a way of their own, which is quicker; an impossible day is none on either."""
    days = ["2024-02-29", "2026-12-31", "2026-02-30", "1999-01-01"]
    texts = [None, *(f"{day}T23:59:58{fraction}Z" for day in days)]
    series, bad = instants("started_at", texts)
    micros = int(fraction[1:7].ljust(6, "0"))
    expected = [
        datetime(*map(int, day.split("-")), 23, 59, 58, micros) if day != "2026-02-30" else None  # type: ignore[misc,arg-type]
        for day in days
    ]
    assert series.to_list() == [None, *expected]
    assert list(bad) == [3]
    alone, unread = instants("started_at", texts[:3])
    assert alone.to_list() == [None, *expected[:2]]
    assert not unread
