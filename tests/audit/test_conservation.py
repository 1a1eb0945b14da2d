"""Nothing is lost and nothing depends on how the log was cut: properties over generated logs."""

from __future__ import annotations

import gzip
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costctl.formats import pool, tasks
from costctl.report import Report
from costctl.request import DIMENSIONS
from tests.support import audited

MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-chat", "nobody-knows-it", "o1")
TEXTS = (
    "Hola",
    "What time do you open?",
    "Plan a two week trip through Chile and Argentina",
    "ok",
    "Redacta un contrato",
)


def generated(seed: int, count: int) -> list[bytes]:
    """Lines of a log with everything that makes counting hard; a few of them are no requests."""
    r = random.Random(seed)
    lines: list[bytes] = []
    for n in range(count):
        failed = r.random() < 0.1
        tokens = r.choice((r.randrange(1, 500), r.randrange(500, 250_000)))
        row: dict[str, Any] = {
            "timestamp": f"2026-03-{r.randrange(1, 10):02d}T{r.randrange(24):02d}:{r.randrange(60):02d}:00Z",
            "model": r.choice(MODELS), "endpoint": r.choice(("/chat", "/faq", None)),
            "user": r.choice(("ana", "bo", None)),
            "team": r.choice(("x", "y")), "input_tokens": tokens, "output_tokens": r.randrange(2000),
            "cached_input_tokens": r.choice((None, 0, tokens // 2)), "latency_ms": r.choice((None, r.randrange(9000))),
            "status": "error" if failed else "ok", "messages": [{"role": "user", "content": r.choice(TEXTS)}],
            "session_id": r.choice(("s1", "s2", None)),
            "cost": r.choice((None, 0.25)), "service_tier": r.choice((None, "batch")),
        }  # fmt: skip
        if failed and r.random() < 0.5:
            row["input_tokens"] = row["output_tokens"] = row["cached_input_tokens"] = None
        if r.random() < 0.7:
            row["request_id"], row["trace_id"] = f"r{r.randrange(count)}", f"t{n // 2}"
        if r.random() < 0.1:
            del row["timestamp"]
        line = json.dumps({key: value for key, value in row.items() if value is not None}).encode()
        lines.append(r.choice((b"{broken", b"[]", line[:-3])) if r.random() < 0.03 else line)
    return lines


def comparable(report: Report) -> dict[str, Any]:
    """Totals and tables, without provenance and source_* columns."""
    tables = {
        name: [{key: value for key, value in row.items() if not key.startswith("source_")} for row in table.dicts()]
        for name, table in report.tables.items()
    }
    return {"totals": dict(report.totals), "tables": tables}


def written(folder: Path, name: str, lines: list[bytes]) -> Path:
    path = folder / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), count=st.integers(2, 60))
def test_every_breakdown_sums_to_the_total(tmp_path_factory: pytest.TempPathFactory, seed: int, count: int) -> None:
    folder = tmp_path_factory.mktemp("sum")
    lines = [*generated(seed, count), b'{"model": "gpt-4o", "input_tokens": 5, "output_tokens": 5}']
    report = audited(folder, written(folder, "log.jsonl", lines), by=(*DIMENSIONS, "token_class"))
    total = report.totals
    assert (
        total["records_read_count"]
        == len(lines)
        == sum(total[f"{kind}_count"] for kind in ("accepted", "merged", "ignored", "rejected"))
    )
    assert total["accepted_count"] == total["request_count"]
    for name in (
        *(f"by_{dimension}" for dimension in DIMENSIONS),
        "by_token_class",
        "anatomy",
        "daily",
        "provider_share",
    ):
        table = list(report.tables[name].dicts())
        assert sum((row["list_cost_usd"] or Decimal(0) for row in table), Decimal(0)) == total["list_cost_usd"], name
        if name.startswith("by_") and name != "by_token_class":
            assert sum(row["request_count"] for row in table) == total["request_count"], name
            assert sum(row["input_tokens"] or 0 for row in table) == total["input_tokens"], name
    classed = sum(row["request_count"] or 0 for row in report.tables["anatomy"].dicts())
    assert classed == total["priced_count"] + total["free_count"]
    assert sum(row["record_count"] for row in report.tables["rejected"].dicts()) == total["rejected_count"]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_shuffled_split_or_packed_is_the_same_log(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Without request ids that repeat: which of two different rows with one id wins is not a matter of order."""
    folder = tmp_path_factory.mktemp("same")
    lines = [line for line in generated(seed, 60) if b"request_id" not in line]
    named = [
        json.dumps({"request_id": f"q{n}", "model": "o1", "input_tokens": n, "output_tokens": n}).encode()
        for n in range(9)
    ]
    lines = [*named[:5], *lines, *named[5:]]
    whole = comparable(audited(folder, written(folder, "whole.jsonl", lines)))
    shuffled = random.Random(seed).sample(lines, len(lines))
    assert comparable(audited(folder, written(folder, "shuffled.jsonl", shuffled))) == whole
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    assert comparable(audited(folder, folder / "packed.jsonl.gz")) == whole
    (folder / "packed.jsonl.zst").write_bytes(zstandard.compress(b"\r\n".join(lines) + b"\r\n"))
    assert comparable(audited(folder, folder / "packed.jsonl.zst")) == whole
    # Equal lines of two files are one request, so only a log without equal lines may be split.
    if len(set(lines)) == len(lines):
        halves = (
            written(folder, "one.jsonl", lines[: len(lines) // 2]),
            written(folder, "two.jsonl", lines[len(lines) // 2 :]),
        )
        assert comparable(audited(folder, *halves)) == whole


def test_one_two_and_four_processes_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes from one process and from several, and the parallel path really ran."""
    monkeypatch.setattr(pool, "PARALLEL_BYTES_MIN", 1)
    monkeypatch.setattr(tasks, "BLOCK_BYTES", 64 * 1024)
    path = written(tmp_path, "log.jsonl", generated(5, 4000))
    reports = {
        n: audited(tmp_path, path, threads=n, db=tmp_path / f"w{n}" / "c.duckdb", by=tuple(DIMENSIONS))
        for n in (1, 2, 4)
    }
    assert [reports[n].provenance["worker_processes"] for n in (1, 2, 4)] == [0, 2, 4]
    assert comparable(reports[1]) == comparable(reports[2]) == comparable(reports[4])
    assert reports[1].totals["rejected_count"] > 50


def test_the_same_file_twice_is_the_same_report(tmp_path: Path) -> None:
    path = written(tmp_path, "log.jsonl", generated(9, 300))
    first, second = (audited(tmp_path, path, db=tmp_path / name / "c.duckdb") for name in ("a", "b"))
    assert comparable(first) == comparable(second)
    remembered = audited(tmp_path, path, db=tmp_path / "a" / "c.duckdb")
    assert comparable(remembered) == comparable(first)
    assert remembered.provenance == first.provenance
