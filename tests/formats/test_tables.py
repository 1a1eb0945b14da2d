"""CSV and Parquet: lone quotes, wide and long fields, bytes that are no UTF-8, types of data frames."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from costctl.errors import InputError
from costctl.formats.sources import Source
from costctl.formats.tables import UNCLOSED, table_tasks
from tests.support import rows, was_read

HEADER = "model,input_tokens,output_tokens,prompt\n"
GOOD = "gpt-4o,10,1,hola\n"


def read(path: Path, content: str | bytes) -> list[tuple[int, Any]]:
    """(line, prompt or fault) of each record."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = [row for task in table_tasks(Source(path, path.name, True)) for row in task.rows or []]
    return [(line, row.get("__fault__") or row["prompt"]) for line, row in found]


@pytest.mark.parametrize("lone", ['gpt-4o,10,1,"hola\n', 'gpt-4o,10,"1,hola\n', '"gpt-4o,10,1,hola\n'])
def test_a_lone_quote_costs_one_line(tmp_path: Path, lone: str) -> None:
    found = read(tmp_path / "log.csv", HEADER + lone + GOOD * 50)
    assert found == [(2, UNCLOSED), *((line, "hola") for line in range(3, 53))]


def test_a_lone_quote_that_another_row_seems_to_close(tmp_path: Path) -> None:
    found = read(tmp_path / "log.csv", HEADER + 'gpt-4o,10,1,"hola\n' + GOOD * 5 + 'gpt-4o,10,1,"a, b"\n' + GOOD)
    assert found == [(2, UNCLOSED), *((line, "hola") for line in range(3, 8)), (8, "a, b"), (9, "hola")]


def test_two_lone_quotes_cost_two_lines(tmp_path: Path) -> None:
    found = read(tmp_path / "log.csv", HEADER + ('gpt-4o,10,"1,hola\n' + GOOD * 5) * 2)
    assert [line for line, text in found if text == UNCLOSED] == [2, 8]
    assert [text for _, text in found].count("hola") == 10


def test_a_long_file_after_a_lone_quote(tmp_path: Path) -> None:
    found = read(tmp_path / "log.csv", HEADER + GOOD + 'gpt-4o,10,1,"hola\n' + GOOD * 25_000)
    assert [line for line, text in found if text != "hola"] == [3]
    assert len(found) == 25_002


def test_a_file_cut_inside_a_text_has_one_bad_record(tmp_path: Path) -> None:
    assert read(tmp_path / "log.csv", HEADER + GOOD + 'gpt-4o,10,1,"one\ntwo\nthr') == [(2, "hola"), (3, UNCLOSED)]


def test_texts_of_many_lines_stay_whole(tmp_path: Path) -> None:
    """Also where one of their lines looks like a record."""
    text = "uno\n" + "a,b,c,d\n" + "x\n" * 3000
    assert read(tmp_path / "log.csv", f'{HEADER}gpt-4o,10,1,"{text}"\n{GOOD}') == [(2, text), (3005, "hola")]


def test_a_row_of_another_width_is_refused_alone(tmp_path: Path) -> None:
    found = read(tmp_path / "log.csv", HEADER + "gpt-4o,10\n\n" + GOOD)
    assert found == [(2, "2 fields under a header of 4"), (4, "hola")]


def test_only_broken_bytes_are_refused(tmp_path: Path) -> None:
    content = (HEADER + "gpt-4o,10,1,¿qué \ufffd?\n").encode() + b"gpt-4o,10,1,caf\xe9\n" + GOOD.encode()
    assert read(tmp_path / "log.csv", content) == [(2, "¿qué \ufffd?"), (3, "not valid UTF-8"), (4, "hola")]


def test_a_field_over_128_kibibytes(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"{HEADER}gpt-4o,10,1,{'x' * 300_000}\n")
    total = was_read(tmp_path, tmp_path / "log.csv").totals
    assert (total["accepted_count"], total["rejected_count"], total["input_tokens"]) == (1, 0, 10)


def test_a_usage_column_of_json_text(tmp_path: Path) -> None:
    usage = '"{""prompt_tokens"": 100, ""completion_tokens"": 7, ""prompt_tokens_details"": {""cached_tokens"": 40}}"'
    (tmp_path / "log.csv").write_text(f"Timestamp, Model, usage\n2026-03-02T10:00:00Z,gpt-4o,{usage}\n")
    total = was_read(tmp_path, tmp_path / "log.csv").totals
    assert (total["input_tokens"], total["cache_read_tokens"], total["output_tokens"]) == (100, 40, 7)


def test_types_of_data_frames(tmp_path: Path) -> None:
    pl.DataFrame({
        "day": [date(2026, 3, 2), date(2026, 3, 3)],
        "timestamp": [datetime(2026, 3, 2, 10, tzinfo=UTC), None],
        "model": ["gpt-4o", "gpt-4o"],
        "input_tokens": [Decimal(1000), Decimal(2000)],
        "output_tokens": [10.0, float("nan")],
        "latency": [timedelta(milliseconds=1500), timedelta(milliseconds=2500)],
        "temperature": [0.5, float("nan")],
    }).write_parquet(tmp_path / "log.parquet")  # fmt: skip
    report = was_read(tmp_path, tmp_path / "log.parquet", mapping=("started_at=timestamp|day",))
    total = report.totals
    assert rows(report, "rejected") == []
    assert (total["input_tokens"], total["output_tokens"], total["latency_ms_p50"]) == (3000, 10, 2000)
    assert str(total["last_at"]).startswith("2026-03-03")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "twice.csv"
    log.write_text("model,input_tokens,input_tokens,output_tokens\ngpt-4o,1,2,3\n", "utf-8")
    with pytest.raises(InputError, match="more than one column named input_tokens"):
        was_read(tmp_path, log)


@pytest.mark.parametrize(
    ("line", "separator"), [("sep=;", ";"), ('"sep=,"', ","), ("SEP=\t", "\t"), ("\ufeffsep=;", ";"), ("sep=|", "|")]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_names_the_separator(tmp_path: Path, line: str, separator: str, end: str) -> None:
    """Excel writes it before the header, and is believed also where the header has more of another sign."""
    last = "prompt" if separator == "," else "a, b, c, d, e"
    header = separator.join(["model", "input_tokens", "output_tokens", last])
    text = [line, header, separator.join(["gpt-4o", "10", "1", "hola"]), separator.join(["gpt-4o", "20"])]
    log = tmp_path / "log.csv"
    log.write_bytes(end.join([*text, ""]).encode())
    report = was_read(tmp_path, log)
    assert (report.totals["accepted_count"], report.totals["input_tokens"]) == (1, 10)
    (refused,) = rows(report, "rejected")
    assert (refused["source_line"], refused["reason"]) == (4, "2 fields under a header of 4")
