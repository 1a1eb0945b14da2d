"""What a person reads in a terminal: whole names, whole commands, the word for the price that was used."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.cli import run
from costctl.render.headline import head
from costctl.render.people import to_terminal
from costctl.render.wrap import wrapped
from costctl.report import Report, Table
from tests.support import ROOT, audited


def rejected(*rows: tuple[str, int, int | None, str]) -> Report:
    table = Table.of("rejected", ["source_file", "source_line", "byte_offset", "reason"], rows)
    return Report("rejects", {"rejected_count": len(rows)}, {"rejected": table})


def test_a_file_that_all_rejected_records_share_is_named_once_and_whole() -> None:
    reason = "not valid JSON: the line ends before the record does"
    screen = to_terminal(rejected(("/logs/of/one/long/folder/story.jsonl.gz", 1403, None, reason)), 80)
    assert screen.splitlines()[2:] == [
        "  REJECTED RECORDS of /logs/of/one/long/folder/story.jsonl.gz",
        "  reason                                                source line",
        f"  {reason}         1403",
    ]


def test_rejected_records_of_several_files_are_told_apart() -> None:
    rows = [(f"/logs/of/a/long/folder/of-requests/2026-06-{day:02}.jsonl", 7, 3001, "a JSON list") for day in (1, 2)]
    screen = to_terminal(rejected(*rows), 60)
    assert "of /logs/of/a/long/folder/of-requests" in screen
    assert "2026-06-01.jsonl" in screen and "2026-06-02.jsonl" in screen and "…" not in screen


@pytest.mark.parametrize("width", [60, 72, 80, 100])
def test_no_name_of_a_model_is_shortened(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert run(["models"]) == 0
    screen = capsys.readouterr().out
    assert "…" not in screen and max(map(len, screen.splitlines())) <= width
    names = "".join(line.strip().split("  ")[0] for line in screen.splitlines())
    assert "meta-llama/llama-3.1-8b-instruct:free" in names


def test_prices_of_long_inputs_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["prices", "show", "claude-sonnet-4-5"]) == 0
    screen = capsys.readouterr().out
    assert "input over" in screen and "200.0 k" in screen and "to at" not in screen and "…" not in screen


@pytest.mark.parametrize("arguments", [["formats"], ["estimate"], ["prices", "diff", "2026-10-01", "2026-11-01"]])
def test_no_text_is_shortened(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(arguments) == 0
    screen = capsys.readouterr().out
    assert "…" not in screen and max(map(len, screen.splitlines())) <= 80


def test_numbers_of_a_select_stand_under_each_other() -> None:
    report = Report("sql", {}, {"rows": Table.of("rows", ["model", "n"], [("a", 1375), ("b", 72), ("c", None)])})
    assert to_terminal(report).splitlines()[-3:] == ["  a      1,375", "  b         72", "  c          —"]


def test_the_screen_of_the_story_is_short_and_keeps_what_matters(tmp_path: Path) -> None:
    """What a heading or another line says already is folded; every class, jump and warning stays."""
    report = audited(tmp_path, ROOT / "sample_logs" / "story.jsonl.gz")
    screen = to_terminal(report, 80)
    assert len(screen.splitlines()) <= 63
    assert "all of it, at most" not in screen and "all of it, at most" in {
        row["note"] for row in report.tables["anatomy"].dicts()
    }
    for row in report.tables["anatomy"].dicts():
        assert str(row["title"]) in screen
    for row in report.tables["anomalies"].dicts():
        assert f"{row['name']}  " in screen
    assert all(f"[{warning.code}]" in screen for warning in report.warnings)
    assert "token_budgets, baseline, daily and 4 more" in screen


def test_a_command_is_never_broken() -> None:
    line = "  next:  costctl audit LOG --by endpoint   costctl rejects   costctl sql 'SELECT ...'"
    assert wrapped([line], 80)[1] == "    costctl sql 'SELECT ...'"
    for width in range(50, 90):
        assert any("costctl audit LOG --by endpoint" in part for part in wrapped([line], width))


def test_own_rates_are_not_called_list(tmp_path: Path) -> None:
    log, rates = tmp_path / "log.jsonl", tmp_path / "rates.yaml"
    log.write_text(json.dumps({"model": "gpt-4o", "input_tokens": 10**6, "output_tokens": 1}), "utf-8")
    rates.write_text("models: {gpt-4o: {input: 1, output: 2}}\n", "utf-8")
    screen = to_terminal(audited(tmp_path, log, prices=rates), 80)
    assert "  COST  $1.00" in screen and "at your rates" in screen
    assert "list cost" not in screen.lower()
    assert "  LIST COST  $2.50" in to_terminal(audited(tmp_path, log), 80)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["estimate", "gpt-4o", "--output", "1M"], "did you mean --output-tokens 1M?"),
        (["estimate", "--model", "gpt-4o"], "models stand without an option: costctl estimate gpt-4o"),
    ],
)
def test_what_was_meant_is_said(arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert hint in said and "--help)" not in said


def test_all_fields_of_a_mapping_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("{}", "utf-8")
    assert run(["audit", str(log), "--map", "zzzqq=a"]) == 2
    said = capsys.readouterr().err
    assert "request_model" in said and "…" not in said


def test_sums_over_requests_have_no_count_of_0(tmp_path: Path) -> None:
    screen = to_terminal(audited(tmp_path, ROOT / "sample_logs" / "openai_usage.jsonl"), 80)
    head = next(line for line in screen.splitlines() if line.startswith("  model "))
    assert head.split() == ["model", "list", "cost", "share", "cache", "read"]
    assert "10 sums over 571 requests" in screen and "costctl rejects" not in screen


def test_a_table_on_the_screen_is_not_said_to_be_elsewhere(tmp_path: Path) -> None:
    screen = to_terminal(audited(tmp_path, ROOT / "sample_logs" / "litellm_spend.csv", by=("day", "user")), 80)
    assert "SPEND BY DAY" in screen and "by_day" not in screen.split("more in --output")[1]


def test_a_chosen_day_of_prices_stands_in_the_head(tmp_path: Path) -> None:
    log, day = tmp_path / "log.jsonl", datetime(2026, 3, 1, tzinfo=UTC)
    dated = {"model": "gpt-4o", "input_tokens": 10**6, "output_tokens": 1, "timestamp": "2026-06-11T10:00:00Z"}
    undated = {**dated, "timestamp": None}
    log.write_text(f"{json.dumps(dated)}\n{json.dumps(undated)}\n", "utf-8")
    plain = to_terminal(audited(tmp_path, log), 80)
    assert "  LIST COST  $5.00" in plain and "prices as of" not in plain
    assert "priced at 2026-11-09, the date of the price set (--priced-at DATE)" in " ".join(plain.split())
    screen = to_terminal(audited(tmp_path, log, as_of=day), 80)
    assert "\nprices as of 2026-03-01 for the whole log" in screen and "  LIST COST AS OF 2026-03-01  $5.00" in screen
    assert "priced as of 2026-03-01, as the whole log is\n" in screen and "--priced-at" not in screen
    screen = to_terminal(audited(tmp_path, log, priced_at=day), 80)
    assert "\npriced at 2026-03-01: 1 undated request\n" in screen and "  LIST COST  $5.00" in screen
    assert "1 request carries no date; priced at 2026-03-01, as you asked\n" in screen and "--priced-at" not in screen
    log.write_text(json.dumps(undated), "utf-8")
    assert "  LIST COST AS OF 2026-03-01  $2.50" in to_terminal(audited(tmp_path, log, priced_at=day), 80)


def test_rates_that_differ_by_hours_alone_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "show", "deepseek-v4-pro"]) == 0
    shown = capsys.readouterr().out
    assert "hours utc" in shown and "weekdays" in shown and "from at" in shown
    assert "01:00-04:00" in shown
    assert run(["prices", "show", "gpt-4o"]) == 0
    assert "hours utc" not in capsys.readouterr().out


def test_an_interval_of_a_latency_may_begin_at_nothing() -> None:
    """Half of the calls are cache hits of 0 ms, so the median may be one: 0 is a bound like any other."""
    totals = {
        **dict.fromkeys(("baseline_cost_usd", "policy_cost_usd", "saving_usd"), Decimal(0)), "saving_ratio": 0.0,
        "call_count": 9, "cache_hit_ratio": 0.5, "baseline_latency_ms_p50": 900.0, "policy_latency_ms_p50": 500.0,
        "policy_latency_ms_p50_low": 0.0, "policy_latency_ms_p50_high": 1000.0,
    }  # fmt: skip
    made = {"logs": ["log.csv"], "policy": "p", "seed": 7, "price_set": "x"}
    (line,) = [one for one in head(Report("simulate", totals, {}, (), made), 80) if "latency p50" in one]
    assert line.endswith("(0 ms .. 1.00 s)")
