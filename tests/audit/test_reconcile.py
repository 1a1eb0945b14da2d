"""A log beside invoices with planted differences: each cause is found, to the last digit, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.explain import CAUSES
from costctl.audit.options import AuditOptions
from costctl.audit.reconcile import as_invoice, reconcile
from costctl.cli import run
from costctl.errors import CostctlError
from costctl.report import Report
from tests.audit.billed import LARGE, SMALL, START, Call, calls, write_costs, write_log, write_usage
from tests.support import ROOT, rows

TABLE = ("started_at=day", "request_model=model", "logged_cost=usd")


def compared(log: Path, *invoices: Path, mapping: tuple[str, ...] = (), **options: Any) -> Report:
    read = AuditOptions(threads=1, **options)
    report = reconcile([str(log)], [str(path) for path in invoices], read, as_invoice(read, mapping, None))
    total = report.totals
    parts = rows(report, "explanation")
    assert sum((row["amount_usd"] for row in parts), Decimal(0)) == total["difference_usd"]
    assert total["difference_usd"] == total["invoice_cost_usd"] - total["log_cost_usd"]
    for row in rows(report, "by_day_model"):
        assert sum((row[f"{cause}_usd"] for cause in CAUSES[2:]), Decimal(0)) == row["difference_usd"]
    return report


def causes(report: Report) -> dict[str, Decimal]:
    return {row["cause"]: row["amount_usd"] for row in rows(report, "explanation")}


def usd(log: Sequence[Call], *, full: bool = False) -> Decimal:
    return sum((call.usd(full=full) for call in log), Decimal(0))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "log.jsonl", calls())


def test_an_invoice_of_this_log_differs_in_nothing(tmp_path: Path, log: Path) -> None:
    for invoice, mapping in (
        (write_usage(tmp_path / "usage.jsonl", calls()), ()), (write_costs(tmp_path / "costs.csv", calls()), TABLE),
    ):  # fmt: skip
        report = compared(log, invoice, mapping=mapping)
        assert causes(report) == {}
        assert report.totals["log_cost_usd"] == report.totals["invoice_cost_usd"] == usd(calls())
        assert report.totals["matched_count"] == report.totals["compared_count"] == 12
        assert report.warnings == ()


@pytest.mark.parametrize("offset", [5.5, -3.5])
def test_days_of_a_zone_between_whole_hours(tmp_path: Path, offset: float) -> None:
    """Calls in both halves of the hours around the boundary tell such a zone from its neighbours."""
    dense = sorted(
        (replace(call, at=call.at + timedelta(minutes=late), output=call.output + late)
         for call in calls() for late in range(0, 180, 20)), key=lambda call: call.at,
    )  # fmt: skip
    report = compared(write_log(tmp_path / "log.jsonl", dense), write_usage(tmp_path / "usage.jsonl", dense, offset))
    assert report.totals["day_offset_hours"] == offset
    assert causes(report) == {"time_zone": 0}
    (row,) = rows(report, "explanation")
    assert f"UTC{'+5:30' if offset > 0 else '-3:30'}" in row["note"]


@pytest.mark.parametrize("kind", ["usage", "costs"])
@pytest.mark.parametrize("offset", [-8, -1, 2, 9])
def test_days_of_another_zone(tmp_path: Path, log: Path, kind: str, offset: int) -> None:
    """The days at both ends are whole: calls that fall out of the period would be missing from it."""
    path = tmp_path / "invoice.csv"
    write = write_usage if kind == "usage" else write_costs
    report = compared(log, write(path, calls(), offset), mapping=() if kind == "usage" else TABLE)
    assert report.totals["day_offset_hours"] == offset
    assert causes(report) == {"time_zone": 0}
    moved = [row["time_zone_usd"] for row in rows(report, "by_day_model")]
    assert any(moved)
    assert report.totals["matched_count"] == report.totals["compared_count"]


@pytest.mark.parametrize("kind", ["usage", "costs"])
def test_failed_calls_that_were_billed(tmp_path: Path, kind: str) -> None:
    both = calls(failed=True)
    log = write_log(tmp_path / "log.jsonl", both)
    write = write_usage if kind == "usage" else write_costs
    report = compared(log, write(tmp_path / "invoice.csv", both), mapping=() if kind == "usage" else TABLE)
    assert causes(report) == {"failed_calls": usd([call for call in both if call.failed])}


@pytest.mark.parametrize("kind", ["usage", "costs"])
def test_failed_calls_with_tokens_that_the_invoice_does_not_bill(tmp_path: Path, kind: str) -> None:
    both = [replace(call, failed=n % 5 == 0) for n, call in enumerate(calls())]
    log = write_log(tmp_path / "log.jsonl", both)
    write = write_usage if kind == "usage" else write_costs
    billed = write(tmp_path / "invoice.csv", [call for call in both if not call.failed])
    report = compared(log, billed, mapping=() if kind == "usage" else TABLE)
    assert causes(report) == {"failed_unbilled": -usd([call for call in both if call.failed])}
    assert report.totals["matched_count"] == report.totals["compared_count"] == 12
    assert report.warnings == ()
    (row,) = rows(report, "explanation")
    assert row["note"].startswith("20 failed calls")
    assert causes(compared(log, write_usage(tmp_path / "all.jsonl", both))) == {}


def test_calls_that_the_invoice_bills_as_batches(tmp_path: Path, log: Path) -> None:
    """Batches are half the price: all days, or the days of one model, of a log that calls every call standard."""
    for models in ({LARGE, SMALL}, {SMALL}):
        billed = [replace(call, tier="batch" if call.model in models else "standard") for call in calls()]
        report = compared(log, write_usage(tmp_path / "usage.jsonl", billed))
        halved = usd([call for call in billed if call.tier == "batch"])
        assert causes(report) == {"service_tier": -halved}
        assert report.totals["matched_count"] == report.totals["compared_count"] == 12
        (row,) = rows(report, "explanation")
        assert row["note"] == "the invoice bills batch"
        readings = {row["model"]: row["reading"] for row in rows(report, "by_model")}
        assert readings["gpt-4o-mini"] == "another tier"
        assert readings["gpt-4o"] == ("another tier" if LARGE in models else "as logged")
    write_log(log, billed)
    assert causes(compared(log, tmp_path / "usage.jsonl")) == {}, "the log names the same tiers"


def test_batches_beside_missing_calls(tmp_path: Path, log: Path) -> None:
    """A tier of all rows is that of the log's calls; a call that the log lacks costs what it costs in a batch."""
    unlogged = calls()[20]
    write_log(log, [call for call in calls() if call != unlogged])
    billed = [replace(call, tier="batch") for call in calls()]
    found = causes(compared(log, write_usage(tmp_path / "usage.jsonl", billed)))
    assert set(found) == {"service_tier", "log_lacks_calls"}
    assert abs(found["log_lacks_calls"] - unlogged.usd() / 2) < Decimal("0.02")


def test_batches_that_the_log_lacks_are_no_other_tier(tmp_path: Path, log: Path) -> None:
    """A log of the live calls only, beside an invoice of both: what it lacks are calls."""
    batches = [replace(call, output=call.output + 7, tier="batch") for call in calls()]
    found = causes(compared(log, write_usage(tmp_path / "usage.jsonl", [*calls(), *batches])))
    assert found == {"log_lacks_calls": usd(batches)}


def test_a_day_that_is_not_explained_does_not_agree(tmp_path: Path) -> None:
    """The same tokens, but the log writes its cache for an hour and the invoice for five minutes."""
    day = "2026-03-01"
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 0,
             "cache_creation_input_tokens": 100_000,
             "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100_000}}  # fmt: skip
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
              "content": [], "stop_reason": "end_turn", "usage": usage}  # fmt: skip
    request = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "x"}]}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"timestamp": f"{day}T08:00:00Z", "request": request, "response": answer}), "utf-8")
    invoice = tmp_path / "console.csv"
    invoice.write_text(
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
        "usage_output_tokens,web_search_count,inference_geo,speed\n"
        f"{day},claude-sonnet-4-5-20250929,k,Default,standard,,1000,100000,0,0,100,0,not_available,\n", "utf-8",
    )  # fmt: skip
    report = compared(log, invoice)
    assert causes(report) == {"unexplained": Decimal("-0.225")}  # 100,000 tokens at 3.75 and not at 6 a million
    assert report.totals["matched_count"] == 0
    assert report.totals["compared_count"] == 1
    assert report.warnings == (), "its tokens are those of the log: it is the invoice of this log"


def test_cached_tokens_at_the_price_of_input(tmp_path: Path, log: Path) -> None:
    expected = usd(calls(), full=True) - usd(calls())
    assert expected > 0
    money = write_costs(tmp_path / "costs.csv", calls(), full=True)
    assert causes(compared(log, money, mapping=TABLE)) == {"cached_tokens": expected}
    counted = write_usage(tmp_path / "usage.jsonl", calls(), without_cache=True)
    assert causes(compared(log, counted)) == {"cached_tokens": expected}


def test_cached_tokens_that_only_the_invoice_knows(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", [Call(c.at, c.model, c.input, 0, c.output) for c in calls()])
    report = compared(log, write_usage(tmp_path / "usage.jsonl", calls()))
    assert causes(report) == {"cached_tokens": usd(calls()) - usd(calls(), full=True)}
    read = sum(call.cached for call in calls())
    (row,) = rows(report, "explanation")
    assert row["note"] == f"0 tokens of the log, {read:,} of the invoice read from a cache"
    days = rows(report, "by_day_model")
    assert sum(row["invoice_cache_read_tokens"] for row in days) == read
    assert not any(row["log_cache_read_tokens"] for row in days)


def test_one_day_shows_no_time_zone(tmp_path: Path) -> None:
    """Of so many zones one makes a day agree by chance; a second day that agrees as well is needed."""
    log = write_log(tmp_path / "log.jsonl", calls())
    lines = write_costs(tmp_path / "costs.csv", calls(), 9).read_text("utf-8").splitlines()
    one = [line for line in lines if line.startswith(("day", "2026-06-10,gpt-4o-2024"))]
    (tmp_path / "one.csv").write_text("\n".join(one), "utf-8")
    report = compared(log, tmp_path / "one.csv", mapping=TABLE)
    assert report.totals["day_offset_hours"] == 0
    assert "time_zone" not in causes(report)
    assert "unexplained" in causes(report)


def test_a_share_of_the_price(tmp_path: Path, log: Path) -> None:
    report = compared(log, write_costs(tmp_path / "costs.csv", calls(), share=Decimal("0.85")), mapping=TABLE)
    assert causes(report) == {"prices": usd(calls()) * Decimal("-0.15")}
    assert {row["reading"] for row in rows(report, "by_model")} == {"85.0 % of the price"}


def test_own_rates_and_the_list(tmp_path: Path, log: Path) -> None:
    rates = tmp_path / "rates.yaml"
    rates.write_text('discounts: {"openai/*": 0.2}', "utf-8")
    own = usd(calls()) * Decimal("0.8")
    listed = compared(log, write_costs(tmp_path / "list.csv", calls()), mapping=TABLE, prices=rates)
    assert listed.totals["log_cost_usd"] == own
    assert causes(listed) == {"own_rates": usd(calls()) - own}
    agreed = write_costs(tmp_path / "own.csv", calls(), share=Decimal("0.8"))
    assert causes(compared(log, agreed, mapping=TABLE, prices=rates)) == {}
    counted = write_usage(tmp_path / "usage.jsonl", calls())
    assert causes(compared(log, counted, prices=rates)) == {}


def test_amounts_in_cents_are_rounded(tmp_path: Path, log: Path) -> None:
    invoice = write_costs(tmp_path / "costs.csv", calls(), digits=2)
    report = compared(log, invoice, mapping=TABLE)
    assert set(causes(report)) == {"rounding"}
    assert report.totals["unexplained_usd"] == 0
    assert abs(causes(report)["rounding"]) <= 12 * Decimal("0.005")


@pytest.mark.parametrize("kind", ["usage", "costs"])
def test_days_that_one_side_lacks(tmp_path: Path, kind: str) -> None:
    second, fourth = ({call.at.date() for call in calls() if call.at.day == START.day + n}.pop() for n in (1, 3))
    known = [call for call in calls() if call.at.date() != second]
    billed = [call for call in calls() if call.at.date() != fourth]
    log = write_log(tmp_path / "log.jsonl", known)
    write = write_usage if kind == "usage" else write_costs
    report = compared(log, write(tmp_path / "invoice.csv", billed), mapping=() if kind == "usage" else TABLE)
    assert causes(report) == {
        "log_lacks_calls": usd([call for call in calls() if call.at.date() == second]),
        "invoice_lacks_calls": -usd([call for call in calls() if call.at.date() == fourth]),
    }


def test_single_calls_that_one_side_lacks_are_counted(tmp_path: Path) -> None:
    unlogged, unbilled = calls()[20], calls()[60]
    log = write_log(tmp_path / "log.jsonl", [call for call in calls() if call != unlogged])
    report = compared(log, write_usage(tmp_path / "usage.jsonl", [call for call in calls() if call != unbilled]))
    assert causes(report) == {"log_lacks_calls": unlogged.usd(), "invoice_lacks_calls": -unbilled.usd()}
    notes = {row["cause"]: row["note"] for row in rows(report, "explanation")}
    assert notes["log_lacks_calls"] == f"1 call on {unlogged.at.date()}"


def test_calls_outside_the_period_and_to_others(tmp_path: Path) -> None:
    early, late = calls()[:16], calls()[16:]
    log = write_log(tmp_path / "log.jsonl", calls())
    other = {"request_id": "x", "ts": "2026-06-10T10:00:00Z", "provider": "anthropic", "model": "claude-sonnet-4-5",
             "input_tokens": 100_000, "cached_tokens": 0, "output_tokens": 0}  # fmt: skip
    undated = {"request_id": "y", "provider": "openai", "model": LARGE, "input_tokens": 1_000_000, "cached_tokens": 0,
               "output_tokens": 0}  # fmt: skip
    log.write_text(log.read_text("utf-8") + f"{json.dumps(other)}\n{json.dumps(undated)}\n", "utf-8")
    report = compared(log, write_usage(tmp_path / "usage.jsonl", late))
    assert causes(report) == {
        "undated": Decimal("-2.5"), "other_providers": Decimal("-0.3"), "outside_period": -usd(early),
    }  # fmt: skip


def test_what_nothing_explains_stays_unexplained(tmp_path: Path, log: Path) -> None:
    invoice = write_costs(tmp_path / "costs.csv", calls())
    lines = invoice.read_text("utf-8").splitlines()
    day, model, amount = lines[3].split(",")
    lines[3] = f"{day},{model},{Decimal(amount) + Decimal('0.123')}"
    invoice.write_text("\n".join(lines), "utf-8")
    report = compared(log, invoice, mapping=TABLE)
    assert causes(report) == {"unexplained": Decimal("0.123")}
    (note,) = [row["note"] for row in rows(report, "explanation")]
    assert f"{day}, gpt-4o" in note


def test_all_of_it_at_once(tmp_path: Path) -> None:
    """Another zone, billed failures, a discount, four decimals, a missing day: each by its own amount."""
    both, missing, offset = calls(failed=True), START.date().replace(day=START.day + 2), 2
    kept = [call for call in both if (call.at + timedelta(hours=offset)).date() != missing]
    log = write_log(tmp_path / "log.jsonl", kept)
    invoice = write_costs(tmp_path / "costs.csv", both, offset, share=Decimal("0.9"), digits=4)
    report = compared(log, invoice, mapping=TABLE)
    found = causes(report)
    assert report.totals["day_offset_hours"] == offset
    assert set(found) == {"time_zone", "failed_calls", "prices", "log_lacks_calls", "rounding"}
    assert found["failed_calls"] == usd([call for call in kept if call.failed])
    assert found["prices"] == -usd(kept) / 10
    lacking = usd([call for call in both if call not in kept]) * Decimal("0.9")
    assert abs(found["log_lacks_calls"] - lacking) <= Decimal("0.0001")  # two amounts of four decimals
    assert abs(found["rounding"]) <= 12 * Decimal("0.00005")


def test_costs_of_openai_by_line_item(tmp_path: Path, log: Path) -> None:
    """Input and output are line items of their own; a day of money without a model is no call of the log."""
    lines = []
    for day in range(6):
        found = [call for call in calls() if call.at.date() == START.date().replace(day=START.day + day)]
        start = 1_780_876_800 + day * 86_400
        results = []
        for model in (LARGE, SMALL):
            output = sum((Decimal(c.output) for c in found if c.model == model), Decimal(0))
            output *= Decimal(10) / 1_000_000 if model == LARGE else Decimal("0.6") / 1_000_000
            whole = usd([call for call in found if call.model == model])
            for item, amount in (("input", whole - output), ("output", output)):
                results.append({"object": "organization.costs.result", "line_item": f"{model}, {item}",
                                "amount": {"value": str(amount), "currency": "usd"}})  # fmt: skip
        lines.append({"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results})
    lines[0]["results"].append({"object": "organization.costs.result", "line_item": "web search tool calls",
                                "amount": {"value": "2.5", "currency": "usd"}})  # type: ignore[attr-defined]  # fmt: skip
    invoice = tmp_path / "costs.jsonl"
    invoice.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    report = compared(log, invoice)
    assert causes(report) == {"other_items": Decimal("2.5")}
    (row,) = rows(report, "explanation")
    assert row["note"] == "web search tool calls $2.50"
    readings = {row["model"]: row["reading"] for row in rows(report, "by_model")}
    assert readings["web search tool calls"] == "no model"
    assert report.totals["compared_count"] == 12, "what is no model is compared with nothing"


def test_money_without_models_is_compared_by_day(tmp_path: Path, log: Path) -> None:
    invoice = tmp_path / "days.csv"
    days = {call.at.date() for call in calls()}
    body = [f"{day},{usd([call for call in calls() if call.at.date() == day]):f}" for day in sorted(days)]
    invoice.write_text("\n".join(("day,usd", *body)) + "\n", "utf-8")
    report = compared(log, invoice, mapping=("started_at=day", "logged_cost=usd"))
    assert causes(report) == {}
    assert {row["model"] for row in rows(report, "by_day_model")} == {None}


def test_a_month_in_one_row_is_compared_as_a_whole(tmp_path: Path, log: Path) -> None:
    result = {"object": "organization.costs.result", "line_item": None, "amount": {"value": "3", "currency": "usd"}}
    bucket = {"object": "bucket", "start_time": 1_780_272_000, "end_time": 1_782_864_000, "results": [result]}
    invoice = tmp_path / "june.json"
    invoice.write_text(json.dumps({"object": "page", "data": [bucket]}), "utf-8")
    report = compared(log, invoice)
    assert causes(report) == {"unexplained": Decimal(3) - usd(calls())}
    assert "W290" in {warning.code for warning in report.warnings}


def test_a_spend_table_of_a_gateway_is_an_invoice_too(tmp_path: Path) -> None:
    sample = ROOT / "sample_logs" / "litellm_spend.csv"
    report = compared(sample, sample)
    assert report.totals["matched_count"] == report.totals["compared_count"] > 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("day,model,usd,cur\n2026-06-10,gpt-4o,1,EUR\n", "E193"), ("day,model,usd,cur\n,gpt-4o,1,USD\n", "E192"),
    ],
)  # fmt: skip
def test_invoices_that_cannot_be_compared(tmp_path: Path, log: Path, text: str, code: str) -> None:
    invoice = tmp_path / "invoice.csv"
    invoice.write_text(text, "utf-8")
    with pytest.raises(CostctlError) as caught:
        compared(log, invoice, mapping=(*TABLE, "logged_currency=cur"))
    assert caught.value.code == code


def test_what_is_wrong_with_an_invoice_is_told_of_the_invoice(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", "utf-8")
    for words, part in (
        (["absent.csv"], "[E101] cannot read invoice: absent.csv"),
        (["bad.csv"], "map the columns: --invoice-map request_model=..."),
        (["bad.csv", "--invoice-map", "request_modell=a"], "[E130] --invoice-map request_modell=a: not field=column"),
        (["bad.csv", "--invoice-map", "x.yaml"], "[E131] --invoice-map x.yaml: "),
        (["bad.csv", "--invoice-format", "zzz"], "[E122] unknown invoice format: zzz"),
    ):  # fmt: skip
        assert run(["reconcile", "log.jsonl", "--invoice", *words]) != 0
        assert part in capsys.readouterr().err
    assert run(["reconcile", "absent.jsonl", "--invoice", "bad.csv"]) == 3
    assert "cannot read log: absent.jsonl" in capsys.readouterr().err


def test_a_credit_is_part_of_the_sum_and_hides_no_other(tmp_path: Path, log: Path) -> None:
    """One of a model's, one of nothing else; both as accounts write them. No price of the user's would help."""
    invoice = write_costs(tmp_path / "costs.csv", calls())
    with invoice.open("a", encoding="utf-8") as file:
        file.write("2026-06-09,gpt-4o-2024-08-06,-0.5\n2026-06-09,goodwill,($0.25)\n")
    report = compared(log, invoice, mapping=TABLE)
    assert causes(report) == {"credits": Decimal("-0.75")}
    assert report.totals["invoice_cost_usd"] == usd(calls()) - Decimal("0.75")
    assert report.totals["invoice_row_count"] == 14
    assert report.totals["matched_count"] == report.totals["compared_count"] == 12
    assert [row["note"] for row in rows(report, "explanation")] == ["gpt-4o -$0.50, goodwill -$0.25"]
    assert report.warnings == ()


def test_a_credit_beside_the_days_of_the_calls_widens_no_period(tmp_path: Path, log: Path) -> None:
    """The invoice bills 8 to 13 June and a credit of July; a call of 20 June is outside of it, and not lacking."""
    invoice = write_costs(tmp_path / "costs.csv", calls())
    with invoice.open("a", encoding="utf-8") as file:
        file.write("2026-07-01,goodwill,-0.25\n")
    late = {"request_id": "z", "ts": "2026-06-20T10:00:00Z", "model": "gpt-4o-2024-08-06", "input_tokens": 100_000,
            "cached_tokens": 0, "output_tokens": 0}  # fmt: skip
    log.write_text(log.read_text("utf-8") + f"{json.dumps(late)}\n", "utf-8")
    report = compared(log, invoice, mapping=TABLE)
    assert causes(report) == {"credits": Decimal("-0.25"), "outside_period": Decimal("-0.25")}
    assert (report.totals["invoice_first_on"], report.totals["invoice_last_on"]) == ("2026-06-08", "2026-06-13")


def test_an_invoice_of_credits_alone_has_their_period(tmp_path: Path, log: Path) -> None:
    invoice = tmp_path / "credits.csv"
    invoice.write_text("day,model,usd\n2026-07-01,goodwill,-0.25\n", "utf-8")
    assert compared(log, invoice, mapping=TABLE).totals["invoice_first_on"] == "2026-07-01"


def test_an_amount_that_cannot_be_read_needs_no_price(tmp_path: Path, log: Path) -> None:
    invoice = write_costs(tmp_path / "costs.csv", calls())
    with invoice.open("a", encoding="utf-8") as file:
        file.write("2026-06-09,fee,waived\n")
    report = compared(log, invoice, mapping=TABLE)
    assert causes(report) == {}
    assert [warning.code for warning in report.warnings] == ["W297"]


def test_failed_calls_without_counts_are_named(tmp_path: Path) -> None:
    """Two of eight calls a day and model failed and count nothing; the invoice bills them. Nothing says at what."""
    both = calls(failed=True)
    log = write_log(tmp_path / "log.jsonl", both)
    records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for record in records:
        if record["status"] == "error":
            del record["input_tokens"], record["cached_tokens"], record["output_tokens"]
    log.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    report = compared(log, write_costs(tmp_path / "costs.csv", both), mapping=TABLE)
    assert causes(report) == {"unexplained": usd([call for call in both if call.failed])}
    (row,) = rows(report, "explanation")
    assert "what 12 failed calls without counts would cost is unknown" in row["note"]


def test_a_model_without_a_price_is_billed(tmp_path: Path, log: Path) -> None:
    strange = {"request_id": "z", "ts": "2026-06-10T10:00:00Z", "model": "who-knows", "input_tokens": 10,
               "cached_tokens": 0, "output_tokens": 1}  # fmt: skip
    log.write_text(log.read_text("utf-8") + f"{json.dumps(strange)}\n", "utf-8")
    invoice = write_costs(tmp_path / "costs.csv", calls())
    with invoice.open("a", encoding="utf-8") as file:
        file.write("2026-06-10,who-knows,0.75\n")
    report = compared(log, invoice, mapping=TABLE)
    assert causes(report) == {"unpriced": Decimal("0.75")}
    assert "W293" in {warning.code for warning in report.warnings}


def test_sums_beside_the_calls_of_a_log_stand_on_no_side(tmp_path: Path, log: Path) -> None:
    usage = write_usage(tmp_path / "usage.jsonl", calls())
    folder = tmp_path / "logs"
    folder.mkdir()
    for path in (log, usage):
        path.rename(folder / path.name)
    report = compared(folder, write_costs(tmp_path / "costs.csv", calls()), mapping=TABLE)
    assert causes(report) == {}
    assert "W296" in {warning.code for warning in report.warnings}


def test_sums_are_no_log(tmp_path: Path) -> None:
    usage = write_usage(tmp_path / "usage.jsonl", calls())
    with pytest.raises(CostctlError, match="sums over requests"):
        compared(usage, usage)


def test_the_screen(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write_costs(tmp_path / "costs.csv", calls(), 2, share=Decimal("0.85"))
    maps = [word for item in TABLE for word in ("--invoice-map", item)]
    assert run(["reconcile", "log.jsonl", "--invoice", "costs.csv", *maps]) == 0
    screen = capsys.readouterr().out
    assert max(map(len, screen.splitlines())) <= 80
    for part in ("UTC+2", "85.0 % of the log's prices", "the invoice: 13 rows"):
        assert part in screen
    assert run(["reconcile", "log.jsonl", "--invoice", "costs.csv", *maps, "--output", "json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert Decimal(body["totals"]["unexplained_usd"]) == 0
    assert not (tmp_path / ".costctl").exists(), "a comparison keeps nothing"
    assert run(["reconcile", "log.jsonl"]) == 2


def dated(tmp_path: Path, form: str) -> Path:
    """The invoice of this log with its dates written in that form."""
    lines = write_costs(tmp_path / "costs.csv", calls()).read_text("utf-8")
    target = tmp_path / "local.csv"
    target.write_text(re.sub(r"(?<![\w-])(\d{4})-(\d\d)-(\d\d)", form, lines), "utf-8")
    return target


@pytest.mark.parametrize("form", [r"\2/\3/\1", r"\3/\2/\1"], ids=["month first", "day first"])
def test_dates_by_day_and_month_are_read_where_one_tells_which_is_which(tmp_path: Path, log: Path, form: str) -> None:
    """The days of the log are 8 to 13 June: the 13th decides for all of the invoice."""
    invoice = dated(tmp_path, form)
    report = compared(log, invoice, mapping=TABLE)
    assert (causes(report), report.totals["matched_count"]) == ({}, 12)
    assert (report.provenance["invoices"], report.totals["invoice_first_on"]) == ([str(invoice)], "2026-06-08")


def test_the_same_number_twice_is_one_day_either_way(tmp_path: Path, log: Path) -> None:
    invoice = tmp_path / "local.csv"
    invoice.write_text("day,model,usd\n6/6/2026,gpt-4o,1\n", "utf-8")
    assert compared(log, invoice, mapping=TABLE).totals["invoice_first_on"] == "2026-06-06"


def test_dates_that_nothing_tells_are_refused_by_name(tmp_path: Path, log: Path) -> None:
    for lines, said in (
        (["03/04/2026,gpt-4o,1", "05/04/2026,gpt-4o,1"], "local.csv: 03/04/2026 on line 2 and all others may be"),
        (["03/13/2026,gpt-4o,1", "13/03/2026,gpt-4o,1"],
         "local.csv: 03/13/2026 on line 2 has the month first and 13/03/2026 on line 3 the day"),
    ):  # fmt: skip
        invoice = tmp_path / "local.csv"
        invoice.write_text("\n".join(["day,model,usd", *lines, ""]), "utf-8")
        with pytest.raises(CostctlError) as caught:
            compared(log, invoice, mapping=TABLE)
        assert caught.value.code == "E194"
        assert said in str(caught.value)
        assert "2026-03-13" in caught.value.hint
