"""The join itself: which rate a row meets, what is free, what stays unknown, and that nothing is lost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.prices import cost
from costctl.prices.book import PriceBook, load_book
from costctl.prices.cost import apply_prices
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store
from tests.prices.rows import priced, shipped
from tests.prices.test_files import folder, model


def row(name: str | None = "m", **said: Any) -> dict[str, Any]:
    return {"request_model": name, "input_uncached_tokens": 1_000_000, "output_tokens": 0, **said}


def costs(rows: list[dict[str, Any]]) -> list[Decimal | None]:
    return [row["list_cost_usd"] for row in rows]


@pytest.fixture
def book(tmp_path: Path) -> Any:
    def make(rates: str) -> PriceBook:
        return load_book(folder=folder(tmp_path / "prices", model("m", rates)))

    return make


def test_validity_is_from_inclusive_to_exclusive_to_the_second(book: Any) -> None:
    dated = book('{"to":"2025-09-05T16:00:00","input":"1"},{"from":"2025-09-05T16:00:00","input":"2"}')
    rows = [row(started_at=datetime(2025, 9, 5, 15, 59, 59)), row(started_at=datetime(2025, 9, 5, 16))]
    assert costs(priced(rows, dated)) == [1, 2]


def test_a_time_without_any_rate_is_unpriced(book: Any) -> None:
    (found,) = priced([row(started_at=datetime(2024, 1, 1))], book('{"from":"2025-01-01","input":"1"}'))
    assert (found["price_status"], found["price_reason"]) == ("unpriced", "no rate of this model is valid at that time")
    assert found["list_cost_usd"] is None


def test_a_window_over_midnight_and_weekdays(book: Any) -> None:
    """Nights at half; 2026-10-17 is a Saturday."""
    hours = book(
        '{"window":[480,1320],"weekdays":[1,2,3,4,5],"input":"4"},'
        '{"window":[1320,480],"weekdays":[1,2,3,4,5],"input":"2"},{"weekdays":[6,7],"input":"1"}'
    )
    times = [(16, 7, 59), (16, 8, 0), (16, 21, 59), (16, 22, 0), (16, 0, 0), (17, 12, 0), (18, 23, 59), (19, 0, 0)]
    rows = [row(started_at=datetime(2026, 10, day, hour, minute)) for day, hour, minute in times]
    assert costs(priced(rows, hours)) == [2, 4, 4, 2, 2, 1, 1, 2]


def test_the_cliff_is_strict_and_takes_the_whole_request(book: Any) -> None:
    """Above 1,000 of all input, cached included, every token costs the higher price, output too."""
    cliff = book('{"upto":1000,"input":"1","output":"1"},{"over":1000,"input":"2","output":"3"}')
    rows = [
        row(input_uncached_tokens=1_000, output_tokens=100),
        row(input_uncached_tokens=1_001, output_tokens=100),
        row(input_uncached_tokens=1, cache_read_tokens=500, cache_write_5m_tokens=400, cache_write_1h_tokens=100),
    ]
    assert costs(priced(rows, cliff)) == [Decimal("0.0011"), Decimal("0.002302"), Decimal("0.002002")]


def test_undated_rows_take_the_day_given_or_the_day_of_the_set() -> None:
    before, default = row("o3"), priced([row("o3")])
    assert costs(default) == [2]
    assert costs(priced([before], priced_at=datetime(2025, 6, 1))) == [10]
    dated = row("o3", started_at=datetime(2025, 6, 15))
    assert costs(priced([dated], priced_at=datetime(2025, 6, 1))) == [2]  # a dated row keeps its own day


def test_as_of_prices_every_row_at_one_day() -> None:
    rows = [row("o3"), row("o3", started_at=datetime(2025, 6, 15)), row("o3", started_at=datetime(2026, 1, 1))]
    assert costs(priced(rows, as_of=datetime(2025, 6, 1))) == [10, 10, 10]
    assert costs(priced(rows, as_of=datetime(2025, 7, 1))) == [2, 2, 2]


def test_service_tiers_without_a_price_of_their_own(book: Any) -> None:
    """Batch and flex are assumed at half and marked so; priority at the standard price."""
    plain = book('{"input":"3"},{"tier":"fast","input":"18"}')
    tiers = [None, "standard", "default", "auto", "Batch", "flex", "priority", "fast"]
    found = priced([row(service_tier=tier) for tier in tiers], plain)
    assert costs(found) == [3, 3, 3, 3, Decimal("1.5"), Decimal("1.5"), 3, 18]
    assert [item["is_price_assumed"] for item in found] == [False, False, False, False, True, True, True, False]


def test_a_tier_price_that_is_not_a_clean_half(book: Any) -> None:
    own = book('{"input":"1","cache_read":"0.1"},{"tier":"batch","input":"0.5","cache_read":"0.1"}')
    (found,) = priced([row(service_tier="batch", cache_read_tokens=1_000_000)], own)
    assert (found["list_cost_usd"], found["is_price_assumed"]) == (Decimal("0.6"), False)


def test_the_model_that_answered_sets_the_price() -> None:
    rows = [
        row("gpt-4o", response_model="gpt-4o-2024-05-13"),
        row("gpt-4o", response_model="my-deployment"),
        row(None, response_model="gpt-4o"),
        row("nobody", response_model="knows"),
    ]
    found = priced(rows)
    assert costs(found) == [5, Decimal("2.5"), Decimal("2.5"), None]
    assert found[1]["price_reason"] == "the model's own id; list price of openai; by the model asked for"
    assert found[3]["price_reason"] == "no price for 'knows'"


def test_images_audio_and_reasoning_at_their_own_prices(book: Any) -> None:
    """1,000 in: 200 audio, 300 image; 1,000 out: 100 audio, 200 image, 400 reasoning; each at its price."""
    own = book(
        '{"input":"1","input_audio":"10","input_image":"2",'
        '"output":"3","output_audio":"30","output_image":"40","reasoning":"5"}'
    )
    (found,) = priced(
        [
            row(
                input_uncached_tokens=1_000, input_audio_tokens=200, input_image_tokens=300, output_tokens=1_000,
                output_audio_tokens=100, output_image_tokens=200, reasoning_tokens=400,
            )
        ],
        own,
    )  # fmt: skip
    assert found["input_cost_usd"] == Decimal("0.0031")  # 500 x 1 + 200 x 10 + 300 x 2
    assert found["output_cost_usd"] == Decimal("0.0139")  # 300 x 3 + 100 x 30 + 200 x 40 + 400 x 5
    assert found["reasoning_cost_usd"] == Decimal("0.002")


def test_cached_audio_is_a_part_of_the_audio(book: Any) -> None:
    own = book('{"input":"1","input_audio":"10","cache_read":"0.1","cache_read_audio":"2"}')
    (found,) = priced(
        [row(input_uncached_tokens=100, input_audio_tokens=80, cache_read_tokens=50, cache_read_audio_tokens=50)], own
    )
    assert found["input_cost_usd"] == Decimal("0.00037")  # 70 x 1 + 30 x 10
    assert found["cache_read_cost_usd"] == Decimal("0.0001")


def test_fees_are_per_call(book: Any) -> None:
    own = book('{"input":"1","web_search_1k":"10","request_1k":"5"}')
    (found,) = priced([row(web_searches=3)], own)
    assert (found["fee_cost_usd"], found["list_cost_usd"]) == (Decimal("0.035"), Decimal("1.035"))


def test_gateway_hits_cost_nothing_and_unknown_usage_is_unknown() -> None:
    rows = [
        row("gpt-4o", gateway_cache_hit=True),
        row("gpt-4o", usage_source="missing", input_uncached_tokens=None, output_tokens=None),
        row("gpt-4o", output_tokens=None),
        row("gpt-4o", input_uncached_tokens=None, output_tokens=5),
        row("text-embedding-3-small", output_tokens=None),
    ]
    found = priced(rows)
    assert [(item["price_status"], item["list_cost_usd"]) for item in found] == [
        ("free", 0), ("unknown_usage", None), ("unpriced", None), ("unpriced", None), ("priced", Decimal("0.02")),
    ]  # fmt: skip
    assert [item["price_reason"] for item in found[2:4]] == [
        "the log counts no output tokens", "the log counts no input tokens",
    ]  # fmt: skip


def test_an_absurd_row_is_unpriced_and_does_not_stop_the_others(book: Any) -> None:
    own = book('{"input":"100","output":"600","web_search_1k":"10"}')
    rows = [row(output_tokens=999_999_999), row(web_searches=2**31 - 1), row(input_uncached_tokens=1)]
    found = priced(rows, own)
    assert costs(found)[1:3] == [None, Decimal("0.0001")]
    assert found[1]["price_reason"] == "above a million dollars: not a count of one request"
    assert costs(found)[0] == Decimal("600099.9994")


def test_half_a_picodollar_is_rounded_once(book: Any) -> None:
    """The half of the smallest price is rounded as a price; a token never costs half a picodollar."""
    (found,) = priced([row(service_tier="batch", input_uncached_tokens=3)], book('{"input":"0.000003"}'))
    assert found["list_cost_usd"] == Decimal("0.000000000006")


@pytest.mark.parametrize(
    ("name", "provider", "region", "factor"),
    [
        ("claude-opus-4-6", "anthropic", "us", "1.1"),
        ("claude-fable-5-1", "anthropic", "US", "1.1"),
        ("claude-opus-4-6", "anthropic", "global", "1"),
        ("claude-sonnet-4-5", "anthropic", "us", "1"),  # the parameter came with Opus 4.6
        ("claude-opus-4-6", "anthropic", "us-east-1", "1"),  # the caller's region, not inference_geo
        ("claude-sonnet-4-5", "google", "europe-west1", "1.1"),
        ("gpt-5.5", "openai", "eu", "1.1"),
        ("gpt-4o", "openai", "eu", "1"),  # released before 2026-03-05
        ("gpt-4o", "azure", "swedencentral", "1"),
        ("gpt-4o", "azure", "data-zone", "1.1"),
        ("gemini-2.5-flash", "vertex_ai", "us-central1", "1"),
    ],
)
def test_regions(name: str, provider: str, region: str, factor: str) -> None:
    here, nowhere = priced([row(name, provider=provider, region=region), row(name, provider=provider)])
    assert here["list_cost_usd"] == nowhere["list_cost_usd"] * Decimal(factor)


def test_no_row_is_lost_and_none_is_doubled() -> None:
    names = ["gpt-4o", "gpt-9", None, "deepseek-v4-pro", "gemini-2.5-pro", "claude-sonnet-4-5", "grok-4.3"]
    rows = [
        row(name, service_tier=tier, started_at=when, input_uncached_tokens=size)
        for name in names
        for tier in (None, "batch", "priority")
        for when in (None, datetime(2025, 9, 5, 16), datetime(2026, 10, 17, 3, 59))
        for size in (0, 200_000, 200_001)
    ]
    found = priced(rows, shipped())
    assert len(found) == len(rows)
    assert {item["price_status"] for item in found} == {"priced", "unpriced"}
    assert all((item["list_cost_usd"] is None) == (item["price_status"] == "unpriced") for item in found)


def test_no_two_shipped_rates_meet() -> None:
    """Every model, at every hour of two days, both sides of its cliffs: at most one rate per tier."""
    book = shipped()
    for key in book.model_keys():
        rates = book.rates([key])
        sizes = {0, *(rate.input_over_tokens + 1 for rate in rates), *(rate.input_upto_tokens or 0 for rate in rates)}
        times = [datetime(2026, 10, day, hour, 30) for day in (16, 17) for hour in range(0, 24, 3)]
        for when in times if len(rates) > 4 else times[:1]:
            for size in sizes:
                tiers = [rate.service_tier for rate in rates if rate.holds(when, size)]
                assert len(tiers) == len(set(tiers)), (key, when, size)


def test_a_large_log_leaves_out_what_it_does_not_fill_and_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of the two a workspace held before: a table with every column, or a view of those that are filled."""
    with Store.in_memory(threads=1) as store:
        names = dict.fromkeys(column.name for column in (*COLUMNS, *SOURCE_COLUMNS))
        types = {column.name: column.type for column in (*COLUMNS, *SOURCE_COLUMNS)}
        columns = ", ".join(f"{name} {types[name]}" for name in names)
        store.execute(f"CREATE TABLE entry ({columns})")
        filled = ["source_line", "status", "request_model", "input_uncached_tokens", "output_tokens", "usage_source"]
        store.insert("entry", filled, [[1, "ok", "gpt-4o", 1000, 10, "provider"], [2, "ok", "m", 1, 1, "provider"]])
        seen = []
        for few_from in (0, 3, 3, 0, 0, 3):
            monkeypatch.setattr(cost, "ROWS_OF_FEW_COLUMNS", few_from)
            apply_prices(store, source="entry", target="priced", book=shipped())
            assert store.holds("priced_row") == (few_from == 0)
            kinds = {name: kind for name, kind, *_ in store.query("DESCRIBE priced")}
            told, rows = store.table("SELECT * FROM priced ORDER BY source_line")
            seen.append((kinds, [dict(zip(told, values, strict=True)) for values in rows]))
        assert all(one == seen[0] for one in seen)
        assert set(names) < set(seen[0][0])
        assert costs(seen[0][1]) == [Decimal("0.0026"), None]
        store.drop("priced", "no_such_table")
        assert not store.holds("priced") and not store.holds("entry", "priced") and store.holds("entry")
