"""The price files: shipped data are sound, faults are found, changes are told, the base is generated."""

from __future__ import annotations

import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.errors import CostctlError
from costctl.prices.book import DATED, load_book
from costctl.prices.diff import diff_dates, diff_folders, updated
from costctl.prices.lint import lint
from costctl.prices.place import pricing_folder
from costctl.prices.show import show
from costctl.report import Report
from tests.prices.rows import shipped

HEAD = (
    '{"provider":"acme","name":"Acme","source":"list","pricing_url":null,'
    '"provider_match":null,"model_match":null,"fallback":[]}'
)
OPENROUTER = HEAD.replace("acme", "openrouter")


def folder(place: Path, *models: str, overlay: str = "") -> Path:
    (place / "base").mkdir(parents=True)
    (place / "overlays").mkdir()
    (place / "base" / "acme.jsonl").write_text("\n".join((HEAD, *models)) + "\n", "utf-8")
    (place / "base" / "openrouter.jsonl").write_text(OPENROUTER + "\n", "utf-8")
    (place / "overlays" / "regions.yaml").write_text("[]\n", "utf-8")
    if overlay:
        (place / "overlays" / "own.yaml").write_text(overlay, "utf-8")
    return place


def model(name: str, rates: str) -> str:
    return f'{{"id":"{name}","name":null,"match":{{"equals":"{name}"}},"rates":[{rates}]}}'


def findings(report: Report) -> list[tuple[Any, ...]]:
    return list(report.tables["findings"].rows)


def test_the_shipped_files_have_no_error() -> None:
    report = lint(pricing_folder(), date(2026, 11, 25))
    assert report.totals["error_count"] == 0
    assert all(row[0] == "warning" for row in findings(report))


def test_the_shipped_files_go_stale() -> None:
    report = lint(pricing_folder(), date(2027, 6, 30))
    stale = [row for row in findings(report) if "days ago" in str(row[3])]
    assert ("warning", "corrections.yaml:4", "openai/gpt-4o-audio-preview", "was checked 221 days ago") in stale


OVERLAY = """\
- model: acme/one
  source: somewhere
  checked_on: 2026-11-01
  colour: red
  rates:
    - {input: '1', output: '2', cache_read: '3'}
    - {tier: batch, input: '0', output: '0'}
    - {tier: flex, input: '-1', outptu: '2'}
    - {tier: rapid, input: 'x'}
- model: acme/two
  rates:
    - {input: '2', output: '1'}
"""


def test_every_fault_of_an_overlay_is_found_with_its_line(tmp_path: Path) -> None:
    report = lint(folder(tmp_path, model("one", "{}"), overlay=OVERLAY), date(2026, 11, 25))
    assert findings(report) == [
        ("error", "own.yaml:1", "acme/one", "unknown key 'colour'"),
        ("error", "own.yaml:6", "acme/one", "cache_read costs more than input"),
        ("error", "own.yaml:7", "acme/one", "costs 0 and is not marked free: true"),
        ("error", "own.yaml:8", "acme/one", "unknown key 'outptu'"),
        ("error", "own.yaml:8", "acme/one", "has a price that is below 0 or no number"),
        ("error", "own.yaml:9", "acme/one", "unknown tier 'rapid'"),
        ("error", "own.yaml:9", "acme/one", "input is not a number"),
        ("error", "own.yaml:10", "acme/two", "has no source"),
        ("error", "own.yaml:10", "acme/two", "has no checked_on"),
        ("warning", "own.yaml:12", "acme/two", "output costs less than input"),
    ]
    assert report.totals == {"error_count": 9, "warning_count": 1}


@pytest.mark.parametrize(
    ("one", "other", "is_fault"),
    [
        ('"to":"2026-01-01"', '"from":"2026-01-01"', False),
        ('"to":"2026-01-02"', '"from":"2026-01-01"', True),
        ('"window":[0,60]', '"window":[60,0]', False),
        ('"window":[0,61]', '"window":[60,0]', True),
        ('"weekdays":[1,2]', '"weekdays":[3]', False),
        ('"weekdays":[1,2]', '"weekdays":[2,3]', True),
        ('"upto":1000', '"over":1000', False),
        ('"upto":1001', '"over":1000', True),
        ('"tier":"batch"', '"tier":"flex"', False),
    ],
)
def test_overlapping_rates(tmp_path: Path, one: str, other: str, is_fault: bool) -> None:
    rates = ",".join(f'{{{place},"input":"1","output":"2"}}' for place in (one, other))
    report = lint(folder(tmp_path, model("one", rates)), date(2026, 11, 25))
    assert bool(report.totals["error_count"]) is is_fault
    if is_fault:
        assert findings(report)[0][2:] == ("acme/one", "two standard rates hold at once (list; list)")


def test_a_file_of_own_rates_is_linted(tmp_path: Path) -> None:
    own = tmp_path / "rates.yaml"
    own.write_text("models:\n  a: {input: 1, output: 2, cache_read: 3}\n  b: {input: 2, output: 1}\n", "utf-8")
    assert findings(lint(own)) == [
        ("error", "rates.yaml:2:3", "models.a", "cache_read costs more than input"),
        ("warning", "rates.yaml:3:3", "models.b", "output costs less than input"),
    ]
    own.write_text("models:\n  a: {input: 1, outptu: 2}\n", "utf-8")
    (found,) = findings(lint(own))
    assert found[0::2] == ("error", "models.a.outptu")
    assert found[1].endswith("rates.yaml:2:17")


def test_lint_of_a_folder_without_prices(tmp_path: Path) -> None:
    with pytest.raises(CostctlError) as caught:
        lint(tmp_path)
    assert caught.value.code == "E205"


def test_show_tells_the_resolution_and_all_rates() -> None:
    report = show(["azure/eu/gpt-4o", "gpt-9", "deepseek-v4-pro"], shipped())
    models = {row["model"]: row for row in report.tables["models"].dicts()}
    assert models["azure/eu/gpt-4o"]["price_key"] == "openai/gpt-4o@azure:eu"
    assert models["gpt-9"]["price_key"] is None
    assert "openai/gpt-5" in str(models["gpt-9"]["near"])
    rates = [row for row in report.tables["rates"].dicts() if row["price_key"] == "openai/gpt-4o@azure:eu"]
    assert {row["service_tier"] for row in rates} == {"standard", "fast", "priority", "batch"}
    assert rates[0]["input_usd_per_million"] == Decimal("2.75")
    hours = [row for row in report.tables["rates"].dicts() if row["price_key"] == "deepseek/deepseek-v4-pro"]
    assert ("01:00-04:00", "Mon Tue Wed Thu Fri", Decimal("1.32")) in [
        (row["hours_utc"], row["weekdays"], row["input_usd_per_million"]) for row in hours
    ]
    assert [warning.message for warning in report.warnings] == ["gpt-9: no price for 'gpt-9'"]


def test_show_has_the_cliffs_and_the_fees() -> None:
    rates = show(["gemini-2.5-pro"], shipped()).tables["rates"].dicts()
    below, above = (row for row in rates if row["service_tier"] == "standard")
    assert (below["input_upto_tokens"], above["input_over_tokens"]) == (200_000, 200_000)
    (sonnet, *_) = show(["claude-sonnet-4-5"], shipped()).tables["rates"].dicts()
    assert sonnet["web_search_usd_per_1k"] == 10


def test_diff_of_two_folders(tmp_path: Path) -> None:
    same = '{"input":"1","output":"2"}'
    dated = '{"to":"2020-01-01","input":"9","output":"9"},{"from":"2020-01-01","input":"1","output":"2"}'
    cut = '{"input":"0.5","output":"2","cache_read":"0.05"}'
    old = folder(tmp_path / "old", model("stays", same), model("cut", same), model("gone", same), model("past", same))
    new = folder(tmp_path / "new", model("stays", same), model("cut", cut), model("fresh", same), model("past", dated))
    report = diff_folders(old, new)
    assert report.totals == {"added_count": 1, "removed_count": 1, "changed_count": 1, "reworked_count": 1}
    assert report.tables["changed"].rows == (
        ("acme/cut", "standard", 0, "", "cache_read", Decimal(1), Decimal("0.05"), Decimal("0.05")),
        ("acme/cut", "standard", 0, "", "input", Decimal(1), Decimal("0.5"), Decimal("0.5")),
    )
    assert report.tables["added"].rows == (("acme/fresh",),)
    assert report.tables["removed"].rows == (("acme/gone",),)
    assert report.tables["reworked"].rows == (("acme/past",),)
    assert diff_folders(old, old).totals["changed_count"] == 0


def test_diff_of_two_days() -> None:
    report = diff_dates(shipped(), datetime(2025, 6, 1), datetime(2025, 6, 15))
    rows = [row[4:] for row in report.tables["changed"].rows if row[0] == "openai/o3"]
    assert ("input", Decimal(10), Decimal(2), Decimal("0.2")) in rows
    assert ("output", Decimal(40), Decimal(8), Decimal("0.2")) in rows


def test_the_base_is_what_the_package_says(tmp_path: Path) -> None:
    """`update` into an empty folder writes the shipped files byte by byte."""
    report = updated(tmp_path)
    assert report.command == "prices update"
    written = {path.name: path.read_bytes() for path in (tmp_path / "base").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (pricing_folder() / "base").iterdir()}
    again = updated(tmp_path)
    assert set(again.totals.values()) == {0}


def test_update_removes_what_the_package_no_longer_has(tmp_path: Path) -> None:
    report = updated(folder(tmp_path, model("one", '{"input":"1","output":"1"}')))
    assert report.tables["removed"].rows == (("acme/one",),)
    assert not (tmp_path / "base" / "acme.jsonl").exists()


def test_update_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(CostctlError) as caught:
        updated(tmp_path)
    assert (caught.value.code, caught.value.hint) == ("E204", "pip install 'costctl[prices]'")


def test_the_date_of_the_price_set_is_its_newest_known_change() -> None:
    """Later changes are announced ahead: they hold from their day on, but the set is not of that day."""
    days = {
        rate.from_at.date()
        for rate in shipped().rates(shipped().model_keys())
        if rate.from_at and rate.from_at.date() < date(2026, 11, 25)
    }
    assert max(days) == DATED


def test_the_digest_changes_with_the_files(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", model("m", '{"input":"1","output":"1"}'))
    other = folder(tmp_path / "other", model("m", '{"input":"2","output":"1"}'))
    assert load_book(folder=one).digest == load_book(folder=one).digest != load_book(folder=other).digest
