"""Sums over requests: read, priced, kept apart from requests, and refused by the replay."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from costctl.formats.aggregates import bucket
from costctl.formats.base import Record
from costctl.formats.values import TOKENS_MAX
from costctl.report import Report
from tests.support import ROOT, SHARED, audited, needs_shared, rows

DAY = 86_400
START = 1_781_136_000  # 2026-06-11
CONSOLE = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed"
)
CONSOLE_ROWS = (
    '2026-06-11,claude-sonnet-4-5-20250929,k,Default,standard,≤ 200k,"1,000,000",0,0,0,0,0,not_available,',
    "2026-06-12,claude-sonnet-4-5-20250929,k,Default,batch,≤ 200k,1000000,0,0,0,0,0,not_available,",
    "2026-06-13,claude-sonnet-4-5-20250929,k,Default,standard,> 200k,1000000,0,0,0,0,0,not_available,",
)


def page(*days: int, **members: Any) -> Record:
    """A page with one bucket for each day."""
    result: Record = {
        "object": "organization.usage.completions.result", "input_tokens": 1_000_000, "input_cached_tokens": 0,
        "output_tokens": 0, "num_model_requests": 40, "model": "gpt-4o-2024-08-06", "batch": False, **members,
    }  # fmt: skip
    buckets = [{"object": "bucket", "start_time": START + day * DAY, "end_time": START + (day + 1) * DAY,
                "results": [result]} for day in days]  # fmt: skip
    return {"object": "page", "data": buckets, "has_more": False}


def written(path: Path, *records: Record) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def usd(report: Report) -> Decimal:
    return Decimal(report.totals["list_cost_usd"])


def test_sums_have_prices_and_no_requests(tmp_path: Path) -> None:
    report = audited(tmp_path, written(tmp_path / "a.jsonl", page(0, 1)))
    total = report.totals
    assert (total["request_count"], total["aggregate_row_count"], total["aggregate_request_count"]) == (0, 2, 80)
    assert (total["input_tokens"], usd(report)) == (2_000_000, Decimal("5"))
    assert (total["accepted_count"], total["records_read_count"], total["rejected_count"]) == (2, 2, 0)
    assert [row["list_cost_usd"] for row in rows(report, "by_model")] == [Decimal("5")]
    assert (total["first_at"].isoformat(), total["last_at"].isoformat()) == (
        "2026-06-11T00:00:00",
        "2026-06-13T00:00:00",
    )
    assert "W125" in {said.code for said in report.warnings}


def test_sums_are_in_no_class_of_the_bill(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = written(tmp_path / "a.jsonl", page(0))
    report = audited(tmp_path, log)
    assert "anatomy" not in report.tables
    assert "sums" in report.provenance["not_computed"]["anatomy"]  # type: ignore[index]
    assert run(["audit", str(log)]) == 0
    assert "ANATOMY" not in capsys.readouterr().out


def test_batches_are_half_price_and_many_requests_are_no_long_prompt(tmp_path: Path) -> None:
    log = written(tmp_path / "a.jsonl", page(0, batch=True))
    assert usd(audited(tmp_path, log)) == Decimal("1.25")
    table = tmp_path / "console.csv"
    table.write_text("\n".join((CONSOLE, *CONSOLE_ROWS[:2])) + "\n", "utf-8")
    assert usd(audited(tmp_path, table)) == Decimal("3") + Decimal("1.5")
    table.write_text("\n".join((CONSOLE, CONSOLE_ROWS[2])) + "\n", "utf-8")
    assert usd(audited(tmp_path, table)) == Decimal("6")  # the price of prompts above 200 k


def test_sums_are_never_added_to_requests(tmp_path: Path) -> None:
    log = ROOT / "sample_logs" / "openai_chat.jsonl"
    alone = audited(tmp_path, log).totals
    report = audited(tmp_path, log, written(tmp_path / "a.jsonl", page(0)))
    for name in ("request_count", "list_cost_usd", "input_tokens", "last_at"):
        assert report.totals[name] == alone[name]
    (row,) = rows(report, "usage_aggregates")
    assert (row["log_format"], row["list_cost_usd"]) == ("openai_usage", Decimal("2.5"))


def test_an_export_of_part_of_a_day_gives_way_to_the_whole_day(tmp_path: Path) -> None:
    part = written(tmp_path / "a.jsonl", page(0, input_tokens=10, output_tokens=1, num_model_requests=2))
    whole = written(tmp_path / "b.jsonl", page(0, output_tokens=5))
    assert audited(tmp_path, part, whole).totals["aggregate_request_count"] == 40
    assert audited(tmp_path, whole, part).totals["aggregate_request_count"] == 40


def test_however_it_is_written(tmp_path: Path) -> None:
    expected = audited(tmp_path, written(tmp_path / "a.jsonl", page(0), page(1), page(2))).totals
    spaced = written(tmp_path / "b.json", page(2, 0, 1))
    spaced.write_text(json.dumps(page(2, 0, 1), indent=2), "utf-8")
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress("\r\n".join(json.dumps(page(day)) for day in (1, 2, 0)).encode("utf-8-sig")))
    halves = [written(tmp_path / "d.jsonl", page(0, 1)), written(tmp_path / "e.jsonl", page(1, 2))]
    head = "start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,batch,input_tokens,output_tokens"
    table = tmp_path / "f.csv"
    times = [(START + day * DAY, START + (day + 1) * DAY) for day in range(3)]
    lines = [f"{a},{b},x,y,40.0,gpt-4o-2024-08-06,False,1000000.0,0.0" for a, b in times]
    table.write_text("\n".join((head, *lines, f"{START + 3 * DAY},{START + 4 * DAY},x,y,,,,,")) + "\n", "utf-8")
    for files in ([spaced], [packed], halves, [table]):
        found = audited(tmp_path, *files).totals
        for name in ("aggregate_row_count", "aggregate_request_count", "input_tokens", "list_cost_usd", "first_at"):
            assert found[name] == expected[name]
        assert found["rejected_count"] == 0


def test_a_bucket_above_the_limit_of_a_row_is_told_in_pieces() -> None:
    told = [item for item in bucket({"input_tokens": 2 * TOKENS_MAX + 1}, {"day": 1}, ()) if isinstance(item, dict)]
    assert [item["input_tokens"] for item in told] == sorted((item["input_tokens"] for item in told), reverse=True)
    assert sum(item["input_tokens"] for item in told) == 2 * TOKENS_MAX + 1
    assert len({item["dedupe_key"] for item in told}) == len(told) == 3


def test_the_replay_refuses_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    log = written(tmp_path / "a.jsonl", page(0))
    (tmp_path / "policy.yaml").write_text("version: 1\nname: nothing\n", "utf-8")
    assert run(["simulate", str(log), "--policy", "policy.yaml"]) == 4
    assert "E418" in capsys.readouterr().err


def costs(day: int, *items: tuple[str | None, object]) -> Record:
    """A bucket of the costs endpoint."""
    results = [{"object": "organization.costs.result", "amount": {"value": usd, "currency": "usd"}, "line_item": item}
               for item, usd in items]  # fmt: skip
    return {"object": "bucket", "start_time": START + day * DAY, "end_time": START + (day + 1) * DAY,
            "results": results}  # fmt: skip


def test_costs_are_sums_of_money(tmp_path: Path) -> None:
    items = (("gpt-4o-2024-08-06, input", 0.06), ("gpt-4o-2024-08-06, output", "1.5"), ("web search tool calls", 2))
    report = audited(tmp_path, written(tmp_path / "a.jsonl", costs(0, *items), costs(1, (None, 0.25))))
    assert report.totals["logged_cost_usd"] == Decimal("3.81")
    assert (report.totals["aggregate_row_count"], report.totals["rejected_count"]) == (4, 0)
    by_model = {row["model"]: row["logged_cost_usd"] for row in rows(report, "usage_aggregates")}
    assert by_model == {"gpt-4o-2024-08-06": Decimal("1.56"), None: Decimal("2.25")}


def test_costs_of_a_table_are_those_of_the_pages(tmp_path: Path) -> None:
    head = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id"
    body = (f"{START},{START + DAY},x,y,0.8958740000000000,usd,,", f"{START + DAY},{START + 2 * DAY},x,y,,,,")
    table = tmp_path / "costs.csv"
    table.write_text("\n".join((head, *body)) + "\n", "utf-8")
    report = audited(tmp_path, table)
    assert report.totals["logged_cost_usd"] == Decimal("0.895874")
    assert (report.totals["ignored_count"], report.totals["rejected_count"]) == (1, 0)


def test_reports_of_anthropic(tmp_path: Path) -> None:
    times = {"starting_at": "2026-06-11T00:00:00Z", "ending_at": "2026-06-12T00:00:00Z"}
    model = {"model": "claude-sonnet-4-5-20250929", "service_tier": "standard", "context_window": "0-200k"}
    used = {"uncached_input_tokens": 1_000_000, "cache_read_input_tokens": 1_000_000, "output_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 1_000_000, "ephemeral_1h_input_tokens": 0},
            "server_tool_use": {"web_search_requests": 0}, **model}  # fmt: skip
    usage = {"data": [{**times, "results": [used]}], "has_more": False, "next_page": None}
    report = audited(tmp_path, written(tmp_path / "a.jsonl", usage))
    assert (report.totals["input_tokens"], usd(report)) == (3_000_000, Decimal("3") + Decimal("0.3") + Decimal("3.75"))
    billed = [{"currency": "USD", "amount": "123.78912", "token_type": kind, "description": "d", **model}
              for kind in ("uncached_input_tokens", "output_tokens")]  # fmt: skip
    spent = {"data": [{**times, "results": billed}], "has_more": False, "next_page": None}
    report = audited(tmp_path, written(tmp_path / "b.jsonl", spent))
    assert report.provenance["formats"] == ["anthropic_report"]
    assert report.totals["logged_cost_usd"] == Decimal("2.4757824")


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize("folder", ["anthropic_console_csv", "openai_usage_api"])
def test_totals_of_real_exports(tmp_path: Path, folder: str) -> None:
    place = SHARED / "log_samples" / folder
    names = {
        "input_tokens_total": "input_tokens", "output_tokens_total": "output_tokens", "rows": "aggregate_row_count",
        "cached_read_tokens": "cache_read_tokens", "cache_write_tokens": "cache_write_tokens",
        "num_model_requests": "aggregate_request_count", "records": "request_count",
    }  # fmt: skip
    for name, expected in json.loads((place / "expected.json").read_text("utf-8")).items():
        report = audited(tmp_path, place / name)
        known = {theirs: ours for theirs, ours in names.items() if expected.get(theirs) is not None}
        assert {theirs: report.totals[ours] for theirs, ours in known.items()} == {t: expected[t] for t in known}
        assert set(expected["models"]) <= {row["model"] for row in rows(report, "by_model")}
        for theirs, ours in (("first_timestamp_utc", "first_at"), ("last_timestamp_utc", "last_at")):
            assert report.totals[ours].isoformat(timespec="milliseconds") + "Z" == expected[theirs]


COST_HEAD = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
    "inference_geo,speed,api_key_id,api_key_status"
)
COST_ROWS = (
    "2026-06-11,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.05,0.05,token,not_available,,a1,active",
    "2026-06-11,Claude Haiku 4.5,Default,k,message,≤ 200k,output,0.025,0.03,token,not_available,,a1,active",
    "2026-06-12,Claude Haiku 3.5,Default,k,batch,≤ 200k,output,1.1,1.1,token,not_available,,a1,active",
    '2026-06-12,,Default,k,,,,"1,234.5",,web_search,,,,',
    "2026-06-13,Claude Haiku 4.5,Default,k,message,,output,,,token,,,,",
)


def test_costs_of_the_anthropic_console(tmp_path: Path) -> None:
    table = tmp_path / "costs.csv"
    table.write_text("\n".join((COST_HEAD, *COST_ROWS)) + "\n", "utf-8")
    report = audited(tmp_path, table)
    total = report.totals
    assert report.provenance["formats"] == ["anthropic_costs"]
    assert (total["aggregate_row_count"], total["ignored_count"], total["rejected_count"]) == (4, 1, 0)
    assert (total["logged_cost_usd"], total["request_count"]) == (Decimal("1235.675"), 0)
    assert (total["first_at"].isoformat(), total["last_at"].isoformat()) == (
        "2026-06-11T00:00:00",
        "2026-06-12T00:00:00",
    )
    by_model = {row["model"]: row["logged_cost_usd"] for row in rows(report, "usage_aggregates")}
    assert by_model == {
        "claude-haiku-4-5": Decimal("0.075"), "claude-3-5-haiku": Decimal("1.1"), None: Decimal("1234.5")
    }  # fmt: skip
    twice = tmp_path / "again.csv"
    twice.write_text(table.read_text("utf-8").replace("\n", "\r\n"), "utf-8")
    assert audited(tmp_path, table, twice).totals["logged_cost_usd"] == Decimal("1235.675")


def test_buckets_of_an_earlier_reference_and_of_other_usage(tmp_path: Path) -> None:
    old = page(0)
    old["data"][0]["result"] = old["data"][0].pop("results")
    other = page(1, object="organization.usage.images.result", input_tokens=None, output_tokens=None, images=2)
    other["data"][0]["results"].append({"object": "organization.usage.vector_stores.result", "usage_bytes": 1})
    total = audited(tmp_path, written(tmp_path / "a.jsonl", old, other)).totals
    assert (total["aggregate_row_count"], total["ignored_count"], total["rejected_count"]) == (1, 2, 0)


def test_an_input_that_is_told_by_its_parts(tmp_path: Path) -> None:
    parts = {"input_tokens": None, "input_uncached_tokens": 5_882, "input_cached_tokens": 1_280,
             "input_cache_write_tokens": 100}  # fmt: skip
    total = audited(tmp_path, written(tmp_path / "a.jsonl", page(0, **parts))).totals
    assert (total["input_tokens"], total["cache_read_tokens"], total["cache_write_tokens"]) == (7_262, 1_280, 100)
