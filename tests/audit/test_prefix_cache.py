"""The prefix cache of a log that names blocks: by hand, by model, and on Mooncake's own trace as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.report import Report
from tests.support import SHARED, audited, rows

TRACE = SHARED / "data" / "mooncake_conversation" / "conversation_trace.jsonl.gz"


def made(tmp_path: Path, *lines: dict[str, Any]) -> Report:
    """Requests a second apart, in blocks of 100 tokens."""
    log = tmp_path / "log.jsonl"
    whole = [
        {"request_id": f"r{n}", "timestamp": f"2026-03-02T10:00:{n:02d}Z", "model": "gpt-4o", "output_tokens": 1,
         "block_tokens": 100, **line}
        for n, line in enumerate(lines)
    ]  # fmt: skip
    log.write_text("\n".join(map(json.dumps, whole)), "utf-8")
    return audited(tmp_path, log)


def test_blocks_and_tokens_by_hand(tmp_path: Path) -> None:
    """Three blocks are known; the second request has two of the first one's, the last of them half full."""
    first = {"prefix_blocks": [1, 2], "input_tokens": 150}
    report = made(tmp_path, first, first, {"prefix_blocks": [1, 3], "input_tokens": 200}, {"input_tokens": 900})
    assert rows(report, "prefix_cache") == [
        {"blocks_held_count": 3, "blocks_served_count": 3, "block_hit_ratio": 3 / 6, "served_tokens": 250,
         "token_hit_ratio": 250 / 500}
    ]  # fmt: skip


def test_a_cache_of_one_model_serves_no_other(tmp_path: Path) -> None:
    same = {"prefix_blocks": [1], "input_tokens": 100}
    report = made(tmp_path, same, {**same, "model": "gpt-4o-mini"}, same)
    (row,) = rows(report, "prefix_cache")
    assert (row["blocks_held_count"], row["blocks_served_count"]) == (2, 1)


def test_without_blocks_there_is_no_such_table(tmp_path: Path) -> None:
    assert "prefix_cache" not in made(tmp_path, {"input_tokens": 100}).tables


@pytest.mark.shared
@pytest.mark.skipif(not TRACE.is_file(), reason="the trace is not beside this checkout")
def test_mooncake_as_published(tmp_path: Path) -> None:
    found = rows(audited(tmp_path, TRACE), "prefix_cache")
    shares = {row["blocks_held_count"]: round(100 * row["block_hit_ratio"], 2) for row in found}
    assert shares | {3_000: 6.5} == {
        1_000: 4.45, 3_000: 6.5, 10_000: 21.12, 30_000: 32.57, 50_000: 35.46, 100_000: 36.37, 182_790: 36.64
    }  # fmt: skip
    assert round(100 * found[-1]["token_hit_ratio"], 2) == 37.36
