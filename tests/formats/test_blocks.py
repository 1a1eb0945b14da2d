"""Prompts as lists of hashed blocks: read, checked against the input, and absent where a log has none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from costctl.audit.queries import select
from costctl.formats.workspace import attempt_columns
from costctl.report import Report
from costctl.store import open_store
from tests.support import ROOT, SHARED, needs_shared, rows, was_read

ROW: dict[str, Any] = {"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}


def stored(folder: Path, columns: str = "prefix_blocks, block_tokens") -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM request ORDER BY source_line"
    return list(select(query, folder / "workspace" / "costctl.duckdb").tables["rows"].rows)


def read(folder: Path, *records: dict[str, Any]) -> Report:
    log = folder / "log.jsonl"
    log.write_text("\n".join(json.dumps({**ROW, **record}) for record in records), "utf-8")
    return was_read(folder, log)


@pytest.mark.parametrize(
    "said",
    [
        {"prefix_blocks": [7, 8], "block_tokens": 512},
        {"hash_ids": [7, 8], "block_size": 512},
        {"block_hashes": "[7, 8]", "block_tokens": "512"},
        {"prefixBlocks": [7, 8], "blockTokens": 512.0},
    ],
)
def test_names_in_many_spellings(tmp_path: Path, said: dict[str, Any]) -> None:
    read(tmp_path, said)
    assert stored(tmp_path) == [([7, 8], 512)]


def test_blocks_that_are_full_or_none_at_all(tmp_path: Path) -> None:
    """1,000 tokens fill one block of 512 and part of a second; servers that hash full blocks name one."""
    read(tmp_path, *({"prefix_blocks": blocks, "block_tokens": 512} for blocks in ([7], [], None)))
    assert stored(tmp_path) == [([7], 512), ([], 512), (None, None)]


@pytest.mark.parametrize(
    "said",
    [
        {"prefix_blocks": [7, 8, 9], "block_tokens": 512},  # more than the input fills
        {"prefix_blocks": [7, 8]},  # of unknown size
        {"prefix_blocks": [7, 8], "block_tokens": 0},
        {"prefix_blocks": [7, None], "block_tokens": 512},
        {"prefix_blocks": [7, 1.5], "block_tokens": 512},
        {"prefix_blocks": [7, True], "block_tokens": 512},
        {"prefix_blocks": [2**64 - 1, -(2**63) - 1], "block_tokens": 512},
        {"prefix_blocks": "seven", "block_tokens": 512},
        {"prefix_blocks": 7, "block_tokens": 512},
    ],
)
def test_blocks_that_cannot_be_so_are_unknown_and_counted(tmp_path: Path, said: dict[str, Any]) -> None:
    report = read(tmp_path, said, {"prefix_blocks": [1], "block_tokens": 512})
    assert stored(tmp_path) == [(None, None), ([1], 512)]
    assert {"column_name": "prefix_blocks", "value_count": 1} in rows(report, "unread")
    assert report.totals["accepted_count"] == 2


def test_ids_keep_their_64_bits(tmp_path: Path) -> None:
    read(tmp_path, {"prefix_blocks": [2**63 - 1, 2**64 - 1], "block_tokens": 512})
    assert stored(tmp_path)[0][0] == [2**63 - 1, -1]


def test_ids_that_are_texts_are_hashed_with_the_key_of_the_workspace(tmp_path: Path) -> None:
    said = {"prefix_blocks": ["sha256:aa", "sha256:bb"], "block_tokens": 512}
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        read(tmp_path / name, said, {**said, "prefix_blocks": ["sha256:bb", "sha256:aa"]})
        (first, _), (second, _) = stored(tmp_path / name)
        assert first == second[::-1]
        assert first[0] != first[1]
        found.append(first)
        assert b"sha256:" not in (tmp_path / name / "workspace" / "costctl.duckdb").read_bytes()
    assert found[0] != found[1]


def test_a_log_without_blocks_has_no_such_column(tmp_path: Path) -> None:
    read(tmp_path, {})
    with open_store(tmp_path / "workspace" / "costctl.duckdb") as store:
        assert attempt_columns(store).isdisjoint({"prefix_blocks", "block_tokens"})
    assert stored(tmp_path) == [(None, None)]


def test_tables_hold_the_list_as_text_or_as_a_list(tmp_path: Path) -> None:
    record = {**ROW, "block_tokens": 512, "prefix_blocks": [7, 8]}
    (tmp_path / "csv").mkdir()
    with (tmp_path / "csv" / "log.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([record.keys(), [*list(record.values())[:-1], "[7, 8]"]])
    was_read(tmp_path / "csv", tmp_path / "csv" / "log.csv")
    assert stored(tmp_path / "csv") == [([7, 8], 512)]
    (tmp_path / "parquet").mkdir()
    pl.DataFrame([record]).write_parquet(tmp_path / "parquet" / "log.parquet")
    was_read(tmp_path / "parquet", tmp_path / "parquet" / "log.parquet")
    assert stored(tmp_path / "parquet") == [([7, 8], 512)]


def test_a_mooncake_trace(tmp_path: Path) -> None:
    """Times from the start are an order and no dates; blocks have 512 tokens, the last one what is left."""
    log = ROOT / "sample_logs" / "mooncake_trace.jsonl"
    report = was_read(tmp_path, log)
    assert report.provenance["formats"] == ["mooncake"]
    assert report.totals["undated_count"] == 24
    said = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert stored(tmp_path, "replay_offset_ms, ts_basis, input_tokens, output_tokens, prefix_blocks, block_tokens") == [
        (row["timestamp"], "offset", row["input_length"], row["output_length"], row["hash_ids"], 512) for row in said
    ]


def test_a_trace_that_was_given_models_has_prices(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"timestamp": 5, "input_length": 600, "output_length": 10, "hash_ids": [0, 1], "model": "gpt-4o"})
    )
    report = was_read(tmp_path, tmp_path / "log.jsonl")
    assert (report.totals["priced_count"], report.totals["undated_count"]) == (1, 1)


def test_a_dated_log_with_such_names_is_none_of_mooncakes(tmp_path: Path) -> None:
    row = {"timestamp": "2026-03-02T10:00:00Z", "input_length": 600, "output_length": 10, "hash_ids": [0, 1]}
    (tmp_path / "log.jsonl").write_text(json.dumps({**row, "model": "gpt-4o", "input_tokens": 600, "output_tokens": 9}))
    assert was_read(tmp_path, tmp_path / "log.jsonl").provenance["formats"] == ["generic"]


@needs_shared
@pytest.mark.shared
def test_the_whole_conversation_trace(tmp_path: Path) -> None:
    report = was_read(tmp_path, SHARED / "data/mooncake_conversation/conversation_trace.jsonl.gz")
    assert (report.totals["request_count"], report.totals["input_tokens"]) == (12_031, 144_793_823)
    assert report.totals["rejected_count"] == 0
    assert stored(tmp_path, "sum(len(prefix_blocks)) OVER () AS n")[0] == (288_500,)
