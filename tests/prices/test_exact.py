"""Exactness: the engine's decimals equal a slow pricing of one row at a time, written here anew."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.prices.book import load_book
from tests.prices.rows import priced
from tests.prices.test_files import folder, model

SPLIT = datetime(2026, 3, 4, 16)
CLIFF = 1_000
tokens = st.none() | st.integers(0, 5_000) | st.integers(0, 999_999_999)
prices = st.integers(0, 80_000_000).map(lambda micro: f"{Decimal(micro).scaleb(-6):f}")
UNITS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "input_audio",
         "cache_read_audio", "output_audio", "input_image", "output_image", "web_search_1k", "request_1k")  # fmt: skip
PARENT = {"cache_read": "input", "cache_write_5m": "input", "cache_write_1h": "cache_write_5m", "reasoning": "output",
          "input_audio": "input", "cache_read_audio": "cache_read", "output_audio": "output", "input_image": "input",
          "output_image": "output"}  # fmt: skip

rate_prices = st.fixed_dictionaries(
    {"input": prices, "output": prices}, optional={unit: prices for unit in UNITS if unit not in {"input", "output"}}
)
requests = st.fixed_dictionaries(
    {
        "started_at": st.integers(-200, 200).map(lambda hours: SPLIT + timedelta(hours=hours)),
        "input_uncached_tokens": tokens, "cache_read_tokens": tokens, "cache_write_5m_tokens": tokens,
        "cache_write_1h_tokens": tokens, "cache_write_other_tokens": tokens, "output_tokens": tokens,
        "reasoning_tokens": tokens, "input_audio_tokens": tokens, "cache_read_audio_tokens": tokens,
        "output_audio_tokens": tokens, "input_image_tokens": tokens, "output_image_tokens": tokens,
        "web_searches": st.none() | st.integers(0, 50),
    }
)  # fmt: skip


def places() -> list[dict[str, Any]]:
    """Eight disjoint places: before and after a change, in and out of a night, below and above a cliff."""
    moment = SPLIT.isoformat()
    return [
        {**day, **hours, **size}
        for day in ({"to": moment}, {"from": moment})
        for hours in ({"window": [360, 1320]}, {"window": [1320, 360]})
        for size in ({"upto": CLIFF}, {"over": CLIFF})
    ]


def oracle(row: dict[str, Any], rates: list[dict[str, str]]) -> Fraction | None:
    """USD of one row; None where a count is missing that has a price."""
    count = {name: value or 0 for name, value in row.items() if name != "started_at"}
    writes = count["cache_write_5m_tokens"] + count["cache_write_other_tokens"]
    everything = count["input_uncached_tokens"] + count["cache_read_tokens"] + writes + count["cache_write_1h_tokens"]
    when = row["started_at"]
    is_night = not 6 <= when.hour < 22
    rate = rates[4 * (when >= SPLIT) + 2 * is_night + (everything > CLIFF)]

    def price(unit: str) -> Fraction:
        return Fraction(rate[unit]) if unit in rate else price(PARENT[unit])

    if row["input_uncached_tokens"] is None and price("input") > 0:
        return None
    if row["output_tokens"] is None and price("output") > 0:
        return None
    fresh, read, out = count["input_uncached_tokens"], count["cache_read_tokens"], count["output_tokens"]
    read_audio = min(count["cache_read_audio_tokens"], read)
    audio = min(max(count["input_audio_tokens"] - count["cache_read_audio_tokens"], 0), fresh)
    image = min(count["input_image_tokens"], fresh - audio)
    out_audio = min(count["output_audio_tokens"], out)
    out_image = min(count["output_image_tokens"], out - out_audio)
    thought = min(count["reasoning_tokens"], out - out_audio - out_image)
    parts = {
        "input": fresh - audio - image, "input_audio": audio, "input_image": image,
        "cache_read": read - read_audio, "cache_read_audio": read_audio, "cache_write_5m": writes,
        "cache_write_1h": count["cache_write_1h_tokens"], "output_audio": out_audio, "output_image": out_image,
        "reasoning": thought, "output": out - out_audio - out_image - thought,
    }  # fmt: skip
    usd = sum((Fraction(number, 10**6) * price(unit) for unit, number in parts.items()), Fraction(0))
    usd += Fraction(count["web_searches"], 1000) * Fraction(rate.get("web_search_1k", 0))
    usd += Fraction(1, 1000) * Fraction(rate.get("request_1k", 0))
    return usd if usd < 10**6 else None


@settings(max_examples=40, deadline=None)
@given(rates=st.lists(rate_prices, min_size=8, max_size=8), rows=st.lists(requests, min_size=1, max_size=25))
def test_every_cost_equals_the_slow_pricing(rates: list[dict[str, str]], rows: list[dict[str, Any]]) -> None:
    lines = ",".join(json.dumps({**place, **rate}) for place, rate in zip(places(), rates, strict=True))
    with tempfile.TemporaryDirectory() as place:
        book = load_book(folder=folder(Path(place) / "prices", model("m", lines)))
    found = priced([{**row, "request_model": "m"} for row in rows], book)
    expected = [oracle(row, rates) for row in rows]
    assert [None if row["list_cost_usd"] is None else Fraction(row["list_cost_usd"]) for row in found] == expected
    for row in found:
        parts = [row[f"{part}_cost_usd"] for part in ("input", "cache_read", "cache_write", "output", "fee")]
        if row["list_cost_usd"] is None:
            assert parts == [None] * 5
        else:
            assert sum(parts) == row["list_cost_usd"]
            assert row["reasoning_cost_usd"] <= row["output_cost_usd"]


def test_the_oracle_itself_on_a_row_worked_by_hand() -> None:
    """100 fresh, 100,000 read, 10,000 and 5,000 written, 500 out at 3, 0.3, 3.75, 6 and 15: $0.1053."""
    rate = {"input": "3", "cache_read": "0.3", "cache_write_5m": "3.75", "cache_write_1h": "6", "output": "15"}
    row: dict[str, Any] = {
        "started_at": SPLIT, "input_uncached_tokens": 100, "cache_read_tokens": 100_000,
        "cache_write_5m_tokens": 10_000, "cache_write_1h_tokens": 5_000, "cache_write_other_tokens": None,
        "output_tokens": 500, "reasoning_tokens": None, "input_audio_tokens": None, "cache_read_audio_tokens": None,
        "output_audio_tokens": None, "input_image_tokens": None, "output_image_tokens": None, "web_searches": None,
    }  # fmt: skip
    assert oracle(row, [rate] * 8) == Fraction("0.1053")
