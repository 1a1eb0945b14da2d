"""Values with a unit."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.policy import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", 86_400_000_000), ("15m", 900_000_000), ("90s", 90_000_000), ("500ms", 500_000), ("7d", 604_800_000_000),
        ("1h30m", 5_400_000_000), ("1d2h3m4s5ms", 93_784_005_000), ("1.5h", 5_400_000_000), ("0s", 0),
        ("0.001ms", 1), ("36525d", 3_155_760_000_000_000),
    ],
)  # fmt: skip
def test_a_duration_is_microseconds(text: str, expected: int) -> None:
    assert units.duration_us(text) == expected


@pytest.mark.parametrize(
    "value", ["", "24", 24, Decimal("1.5"), "24 h", "24H", "-1h", "30m1h", "1h1h", "h", "1e3s", "1_000s", True, ("1h",),
              "0.0001ms", "36526d", "1h\n", "١h"],
)  # fmt: skip
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        units.duration_us(value)


@given(st.integers(0, 999), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_of_all_units_reads_back(days: int, hours: int, minutes: int, seconds: int, millis: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s{millis}ms"
    expected = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000 + millis * 1_000
    assert units.duration_us(text) == expected


@given(st.integers(0, 3_155_760_000_000))
def test_every_whole_number_of_milliseconds_reads_back(millis: int) -> None:
    assert units.duration_us(f"{millis}ms") == millis * 1_000
    assert units.milliseconds_us(millis) == millis * 1_000
    assert units.seconds_us(Decimal(millis) / 1_000) == millis * 1_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [("8k", 8_000), ("5M", 5_000_000), ("1.5k", 1_500), (0, 0), (400, 400), ("0.001k", 1), ("128k", 128_000)],
)
def test_a_count_knows_thousands_and_millions(value: object, expected: int) -> None:
    assert units.count(value) == expected


@pytest.mark.parametrize(
    "value", ["8K", "8", "", "1.0005k", "8kk", "-8k", -1, Decimal("1.5"), True, 10**15 + 1, "k", None]
)
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        units.count(value)


def test_a_count_of_one_refuses_zero() -> None:
    assert units.count_of_one(1) == 1
    with pytest.raises(ValueError, match="must be one or more, not 0"):
        units.count_of_one("0k")


@given(st.integers(0, 10**9))
def test_a_count_reads_back_in_every_form(number: int) -> None:
    assert units.count(number) == number
    assert units.count(f"{number}k") == number * 1_000
    assert units.count(f"{Decimal(number).scaleb(-6):f}M") == number


@pytest.mark.parametrize(
    ("value", "expected"),
    [("45%", "0.45"), (Decimal("0.45"), "0.45"), (0, "0"), (1, "1"), ("100%", "1"), ("0%", "0"), ("0.5%", "0.005")],
)
def test_a_share_is_a_ratio(value: object, expected: str) -> None:
    assert units.share(value) == Decimal(expected)


@pytest.mark.parametrize("value", [45, "45", "101%", "-1%", "45 %", Decimal("1.01"), -1, True, "", "%", None])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"must be a share from 0 to 1 such as 45% or 0\.45"):
        units.share(value)


@given(st.decimals(0, 1, places=6))
def test_a_share_in_percent_and_as_a_ratio_are_one(ratio: Decimal) -> None:
    assert units.share(f"{ratio.scaleb(2):f}%") == units.share(ratio) == ratio


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (">2000", (">", "2000")), (">=3", (">=", "3")), ("<10", ("<", "10")), ("<=0.5", ("<=", "0.5")),
        ("=5", ("=", "5")), (5, ("=", "5")), (Decimal("0.3"), ("=", "0.3")), ("> 8k", (">", "8000")),
        ("<1.5M", ("<", "1500000")),
    ],
)  # fmt: skip
def test_a_comparison_is_an_operator_and_a_number(value: object, expected: tuple[str, str]) -> None:
    assert units.comparison(value) == (expected[0], Decimal(expected[1]))


@pytest.mark.parametrize("value", ["2000", "=>3", "==3", "> -1", ">", "", "!=3", True, -1, None, (3,)])
def test_what_is_no_comparison_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be a number or a comparison such as '>=3'"):
        units.comparison(value)


@given(st.sampled_from(units.OPERATORS), st.decimals(0, 10**9, places=3))
def test_a_comparison_reads_back(operator: str, value: Decimal) -> None:
    assert units.comparison(f"{operator}{value:f}") == (operator, value)


@pytest.mark.parametrize("read", [units.number, units.ratio, units.usd, units.seconds_us, units.milliseconds_us])
@pytest.mark.parametrize("value", [True, "1", "", None, -1, Decimal("1e99"), ()])
def test_a_number_is_not_guessed_from_something_else(read: object, value: object) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        read(value)  # type: ignore[operator]


def test_seconds_in_the_name_of_a_key_are_microseconds() -> None:
    assert units.seconds_us(6) == 6_000_000
    assert units.seconds_us(Decimal("0.5")) == 500_000
    with pytest.raises(ValueError, match="whole number of microseconds"):
        units.seconds_us(Decimal("0.0000001"))


def test_a_quoted_value_is_never_long() -> None:
    assert units.shown("x" * 100) == "'" + "x" * 38 + "…"
    assert units.shown({"a": 1}) == "a mapping"
    assert units.shown((1,)) == "a list"


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (units.share, "0.3333333333333333", "0.333333333"), (units.ratio, "0.3333333333333333", "0.333333333"),
        (units.speed, "33.333333333333336", "33.333"), (units.number, "0.123456789012345678", "0.123456789"),
        (units.usd, "3.3333333333333335", "3.333333333333"), (units.usd, "12345.123456789012", "12345.1234567890"),
        (units.usd, "0.006999999999", "0.006999999999"), (units.threshold, "1.0000000001", "1.000000000"),
        (units.share, "0E-18", "0"), (units.price, "0.333333000", "0.333333"),
    ],
)  # fmt: skip
def test_what_a_division_leaves_is_rounded(read: Callable[[object], Decimal], value: str, expected: str) -> None:
    assert read(Decimal(value)) == Decimal(expected)


@given(st.floats(0.001, 10**6))
def test_every_rounded_number_is_exact_as_a_float(value: float) -> None:
    """Routers get floats: what is written must be just what the policy holds."""
    for read in (units.number, units.ratio, units.usd):
        found = read(Decimal(repr(value)))
        assert Decimal(repr(float(found))) == found
    assert units.speed(Decimal(repr(value))).as_integer_ratio()[1] <= 1_000
    assert units.share(Decimal(repr(value / 10**6))).as_integer_ratio()[1] <= 10**9


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (units.share, "1e-10", "must be 0 or at least 0.000000001, not 1E-10"),
        (units.ratio, "1000001", "must be at most 1,000,000, not 1000001"),
        (units.factor, "1000.1", "must be at most 1,000, not 1000.1"),
        (units.speed, "0.0005", "must be at least 0.001 tokens a second, not 0.0005"),
        (units.temperature, "2.1", "must be at most 2, not 2.1"),
        (units.usd, "1000000000.5", "must be at most 1,000,000,000, not 1000000000.5"),
        (units.usd_of_call, "1001", "must be at most 1,000, not 1001"),
        (units.price, "0.3333333333333333", "must have at most six decimals such as 0.333333, not 0.3333333333333333"),
        (units.price, "1001", "must be at most 1,000, not 1001"),
        (units.timeout_us, "0.0001", "must be at least 0.001 seconds, not 0.0001"),
        (units.timeout_us, "86401", "must be at most 86,400, not 86401"),
        (units.milliseconds_per_1k_us, "1000001", "must be at most 1,000,000, not 1000001"),
    ],
)  # fmt: skip
def test_what_no_product_could_hold_is_refused(read: Callable[[object], object], value: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read(Decimal(value))


def test_nothing_is_tried_again_more_often_than_counts_hold() -> None:
    assert units.retries(100) == 100
    with pytest.raises(ValueError, match="must be at most 100, not 101"):
        units.retries(101)
