"""The machine contract: the schema holds for every command, and no value is changed on the way."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.cli import run
from costctl.render import machine
from costctl.render.cells import cell, plain, safe
from costctl.render.grid import grid
from costctl.render.markdown import to_markdown
from costctl.render.people import to_terminal
from costctl.report import Report, Table, freeze, thaw
from tests.support import ROOT

SCHEMA = json.loads((ROOT / "costctl/render/report.schema.json").read_text("utf-8"))
GOOD = {"request_id": "r1", "timestamp": "2026-03-02T10:00:00Z", "model": "gpt-4o", "input_tokens": 1000,
        "output_tokens": 100, "latency_ms": 812.5, "cost": 0.0035, "user_profile": "free"}  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "audit",
            "log.jsonl",
            "--by",
            "user_profile",
            "--by",
            "day",
            "--token-budget",
            "user_profile=free:1k",
            "--slo",
            "/x=1s",
        ],
        ["rejects"],
        ["formats"],
        ["doctor"],
        ["sql", "SELECT model, list_cost_usd, started_at, latency_ms FROM request"],
        ["estimate", "gpt-4o", "--requests", "10"],
        ["models", "gpt"],
        ["prices", "show", "gpt-4o"],
        ["prices", "lint"],
        ["prices", "diff", "2025-01-01", "2026-01-01"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_every_answer_fits_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text(json.dumps(GOOD) + "\nbroken\n", "utf-8")
    assert run(["audit", "log.jsonl"]) == 0
    capsys.readouterr()
    assert run([*arguments, "--output", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA)
    assert set(answer["provenance"].get("status", {})) <= set(answer["totals"])


def report(name: str) -> Report:
    table = Table.of(
        "t",
        ("name", "list_cost_usd", "first_at", "latency_ms_p50", "share_ratio"),
        [(name, Decimal("1.5"), datetime(2026, 3, 2), 2.0, 0.5)],
    )
    return Report("test", {"list_cost_usd": Decimal("0.000000000001")}, {"t": table}, (), {"logs": [name]})


@given(st.text())
def test_json_gives_every_text_back_and_carries_nothing_that_acts(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    text = machine.to_json(report(name))
    assert json.loads(text)["tables"]["t"][0]["name"] == name
    for acting in "\x1b\x07\x7f\x9b\u202e\u2028\ufeff":
        assert acting not in text


@given(st.text(min_size=1))
def test_no_output_lets_a_control_character_through(name: str) -> None:
    for text in (to_terminal(report(name)), to_markdown(report(name)), machine.to_csv(report(name))):
        assert not set(text) & set("\x00\x1b\x07\x08\r\x7f\x9b\u202e\u2028\ufeff")


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\t=1"])
def test_csv_defuses_formulas(name: str) -> None:
    rows = list(csv.reader(io.StringIO(machine.to_csv(report(name)))))
    assert rows[-1][1].startswith("'")


def test_markdown_cells_cannot_break_out() -> None:
    text = to_markdown(report("a|b<img src=x>[l](javascript:x)`@you"))
    assert "<img" not in text
    assert "\\|" in text
    assert "](javascript" not in text.replace("\\]", "")


def test_numbers_are_written_as_the_contract_says() -> None:
    assert plain(Decimal("1.5"), "list_cost_usd") == "1.500000000000"
    assert plain(812.449, "latency_ms_p50") == "812.4"
    assert plain(datetime(2026, 3, 2, 10, 0, 0, 123456), "first_at") == "2026-03-02T10:00:00.123Z"
    assert cell(None, "list_cost_usd") == "—"
    assert cell(0.9999, "share_ratio") == "99.9 %"
    assert safe("x" * 500, 20) == "xxxxxxxxxx…xxxxxxxxx"


def test_a_report_is_remembered_without_loss() -> None:
    again = thaw(freeze(report("ñ\x1b")))
    assert again.totals == report("ñ\x1b").totals
    assert again.tables == report("ñ\x1b").tables


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_the_screen_fits_any_width(width: int) -> None:
    text = to_terminal(report("a-rather-long-model-name-" * 5), width)
    assert max(map(len, text.splitlines())) <= width
    assert "$1.50" in text


def test_the_first_screen_says_what_is_not_computed_and_never_zero_for_the_unpriced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    unknown = [
        {**GOOD, "request_id": "r2", "model": "who-knows"},
        {**GOOD, "request_id": "r3", "model": "who-knows", "status": "error"},
    ]
    Path("log.jsonl").write_text("\n".join(map(json.dumps, [GOOD, *unknown])), "utf-8")
    assert run(["audit", "log.jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("  who-knows")).split()[2:4] == ["—", "—"]
    assert any("not computed: costctl audit LOG --near-repeats" in line for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_names_that_a_narrow_screen_would_make_equal_stay_apart() -> None:
    names = [f"meta-llama/llama-3.1-{size}b-instruct:free" for size in (8, 70)]
    columns = ("model", "first_usd", "second_usd", "third_usd", "fourth_usd")
    table = Table.of("models", columns, [(name, *[Decimal(10_000)] * 4) for name in names])
    lines = grid(table, columns, 80, 10)
    assert max(map(len, lines)) <= 80
    assert len({line.split()[0] for line in lines[1:3]}) == 2
    assert "left out here: fourth_usd" in lines[3]


def test_money_without_a_unit_in_its_name_is_never_an_exponent() -> None:
    assert cell(Decimal("0E-12"), "logged_cost") == "0.000000000000"
    assert cell(-6239.0, "latency_ms") == "-6.24 s"
