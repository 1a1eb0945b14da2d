"""One log in every shape that people have: the same totals, and nothing rejected."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from tests.support import audited, rows

ROWS: list[dict[str, Any]] = [
    {
        "request_id": f"r{n}",
        "timestamp": f"2026-03-02T10:{n:02d}:00Z",
        "model": "gpt-4o",
        "prompt_tokens": 1000 + n,
        "completion_tokens": 100,
        "cached_tokens": 10 * n,
        "latency_ms": 500.5,
        "user": 'Ñandú, "el" 2',
        "endpoint": "/chat",
    }
    for n in range(12)
]
LINES = [json.dumps(row, ensure_ascii=False) for row in ROWS]
TEXT = "\n".join(LINES) + "\n"
ALL_FIELDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "list_cost_usd",
    "first_at",
    "last_at",
    "latency_ms_p50",
)


def csv_text(separator: str = ",") -> str:
    out = io.StringIO()
    pl.DataFrame(ROWS).write_csv(out, separator=separator)
    return out.getvalue()


def parquet(path: Path) -> None:
    pl.DataFrame(ROWS).with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC")).write_parquet(path)


def raw(content: bytes | str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


SHAPES: dict[str, Callable[[Path], object]] = {
    "plain.jsonl": raw(TEXT),
    "no-last-newline.jsonl": raw(TEXT.rstrip("\n")),
    "crlf.jsonl": raw(TEXT.replace("\n", "\r\n")),
    "bom.jsonl": raw("\ufeff" + TEXT),
    "blank-lines.jsonl": raw("\n\n" + TEXT.replace("\n", "\n\n  \n")),
    "spaces.jsonl": raw("\n".join(json.dumps(row, separators=(" , ", " : ")) for row in ROWS)),
    "escaped.jsonl": raw("\n".join(json.dumps(row) for row in ROWS)),
    "array.json": raw(json.dumps(ROWS)),
    "pretty.json": raw(json.dumps(ROWS, indent=2)),
    "wrapped.json": raw(json.dumps({"data": ROWS, "next": None})),
    "table.csv": raw(csv_text()),
    "bom-crlf.csv": raw("\ufeff" + csv_text().replace("\n", "\r\n")),
    "semicolons.csv": raw(csv_text(";")),
    "tabs.tsv": raw(csv_text("\t")),
    "table.parquet": parquet,
    "plain.jsonl.gz": raw(gzip.compress(TEXT.encode())),
    "two-members.jsonl.gz": raw(
        gzip.compress("\n".join(LINES[:5]).encode() + b"\n") + gzip.compress("\n".join(LINES[5:]).encode())
    ),
    "plain.jsonl.zst": raw(zstandard.compress(TEXT.encode())),
    "two-frames.jsonl.zst": raw(
        zstandard.compress("\n".join(LINES[:5]).encode() + b"\n") + zstandard.compress("\n".join(LINES[5:]).encode())
    ),
    "array.json.gz": raw(gzip.compress(json.dumps(ROWS).encode())),
    "table.csv.gz": raw(gzip.compress(csv_text().encode())),
    "no-suffix": raw(TEXT),
    "plain.log": raw(TEXT),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_totals_from_every_shape(tmp_path: Path, name: str) -> None:
    SHAPES["plain.jsonl"](tmp_path / "reference.jsonl")
    expected = audited(tmp_path, tmp_path / "reference.jsonl").totals
    SHAPES[name](tmp_path / name)
    report = audited(tmp_path, tmp_path / name, by=("user",))
    total = report.totals
    assert (total["accepted_count"], total["rejected_count"], total["merged_count"]) == (12, 0, 0)
    assert {field: total[field] for field in ALL_FIELDS} == {field: expected[field] for field in ALL_FIELDS}
    assert rows(report, "by_user")[0]["user"] == 'Ñandú, "el" 2'


def test_a_folder_mixes_shapes_and_skips_what_is_no_log(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    SHAPES["plain.jsonl"](folder / "a.jsonl")
    SHAPES["table.csv"](folder / "deep" / "b.csv")  # the same records once more
    (folder / "config.json").write_text('{"colour": "red"}', "utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.jsonl").write_text("{", "utf-8")
    report = audited(tmp_path, folder)
    total = report.totals
    assert (total["records_read_count"], total["accepted_count"], total["merged_count"]) == (24, 12, 12)
    assert any(item.code == "W122" and "config.json" in item.message for item in report.warnings)


def test_a_glob_and_one_of_its_files_twice(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        SHAPES["plain.jsonl"](tmp_path / name)
    total = audited(tmp_path, str(tmp_path / "*.jsonl"), tmp_path / "a.jsonl").totals
    assert (total["records_read_count"], total["accepted_count"]) == (24, 12)


def test_a_name_with_a_star_is_only_itself(tmp_path: Path) -> None:
    SHAPES["plain.jsonl"](tmp_path / "star*.jsonl")
    SHAPES["plain.jsonl"](tmp_path / "starX.jsonl")
    assert audited(tmp_path, tmp_path / "star*.jsonl").totals["records_read_count"] == 12


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT.encode()))))
    report = audited(tmp_path, "-")
    assert report.totals["accepted_count"] == 12
    assert report.provenance["logs"] == ["stdin"]
    assert not list((tmp_path / "workspace" / "tmp").glob("run-*"))


def test_a_cut_document_keeps_its_whole_elements(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(json.dumps(ROWS)[:-40], "utf-8")
    total = audited(tmp_path, path).totals
    assert (total["accepted_count"], total["rejected_count"], total["records_read_count"]) == (11, 1, 12)


def test_columns_are_mapped_by_flag_and_by_file(tmp_path: Path) -> None:
    log = tmp_path / "odd.jsonl"
    log.write_text(
        "\n".join(
            json.dumps(
                {"when": row["timestamp"], "llm": {"name": "gpt-4o"}, "counts": [row["prompt_tokens"], 100], "who": "x"}
            )
            for row in ROWS
        ),
        "utf-8",
    )
    flags = (
        "started_at=when",
        "request_model=nothing|llm.name",
        "input_tokens=counts.0",
        "output_tokens=counts.1",
        "user_id=who",
    )
    expected = {"input_tokens": 12066, "output_tokens": 1200, "accepted_count": 12, "undated_count": 0}
    report = audited(tmp_path, log, mapping=flags, by=("user",))
    assert {name: report.totals[name] for name in expected} == expected
    assert rows(report, "by_user")[0]["user"] == "x"
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("\n".join(flag.replace("=", ": ", 1) for flag in flags), "utf-8")
    assert audited(tmp_path, log, mapping=(str(mapping),)).totals == report.totals


CONVENTIONS = [
    ({"cached_tokens": 400}, {}, (600, 400, 0)),
    ({"prompt_tokens_details": {"cached_tokens": 400}}, {}, (600, 400, 0)),
    ({"cache_read_input_tokens": 400}, {}, (1000, 400, 0)),
    ({"cache_read_input_tokens": 400, "cache_creation_input_tokens": 50}, {}, (1000, 400, 50)),
    ({"cache_read_input_tokens": 400}, {"cached_in_input": True}, (600, 400, 0)),
    ({"cached_tokens": 400}, {"cached_in_input": False}, (1000, 400, 0)),
    ({}, {}, (1000, None, 0)),
]


@pytest.mark.parametrize(("said", "options", "expected"), CONVENTIONS)
def test_where_cached_tokens_lie(
    tmp_path: Path, said: dict[str, Any], options: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    from costctl.audit.queries import select

    log = tmp_path / "log.jsonl"
    log.write_text(
        json.dumps({"model": "claude-sonnet-4-5", "prompt_tokens": 1000, "completion_tokens": 5, **said}), "utf-8"
    )
    report = audited(tmp_path, log, **options)
    assert report.totals["cache_unknown_count"] == (expected[1] is None)
    query = (
        "SELECT input_uncached_tokens, cache_read_tokens, coalesce(cache_write_5m_tokens, 0) + "
        "coalesce(cache_write_other_tokens, 0) AS writes FROM request"
    )
    assert select(query, tmp_path / "workspace" / "costctl.duckdb").tables["rows"].rows == (expected,)


def test_cache_write_split_below_its_total_is_five_minute_writes(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    usage = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 100}
    split = {"cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30}}
    too_much = {"cache_creation": {"ephemeral_5m_input_tokens": 80, "ephemeral_1h_input_tokens": 30}}
    log.write_text(
        json.dumps({"request_id": "a", "model": "claude-sonnet-4-5", "usage": {**usage, **split}})
        + "\n"
        + json.dumps({"request_id": "b", "model": "claude-sonnet-4-5", "usage": {**usage, **too_much}}),
        "utf-8",
    )
    from costctl.audit.queries import select

    report = audited(tmp_path, log)
    assert report.totals["rejected_count"] == 1
    assert rows(report, "rejected")[0]["reason"] == "cache write split exceeds its total"
    found = select(
        "SELECT cache_write_5m_tokens, cache_write_1h_tokens FROM request", tmp_path / "workspace" / "costctl.duckdb"
    )
    assert found.tables["rows"].rows == ((70, 30),)
