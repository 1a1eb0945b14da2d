"""A simulation says what of its log never became a call of its own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from costctl.store import open_store
from tests.support import ROOT

LINE = {"timestamp": "2026-03-02T10:00:00Z", "model": "gpt-4o", "prompt_tokens": 1000, "completion_tokens": 100}
A, SAME, OTHER, B = (
    {**LINE, "id": "a"}, {**LINE, "id": "a"}, {**LINE, "id": "a", "completion_tokens": 300}, {**LINE, "id": "b"},
)  # fmt: skip
BROKEN = '{"id": "c", '
COUNTS = ("records_read_count", "accepted_count", "merged_count", "ignored_count", "rejected_count")


class Told:
    """Simulates lines of a log under a policy that changes nothing."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.db, self.logs, self._capsys = folder / "c.duckdb", folder / "logs", capsys
        self.logs.mkdir()

    def __call__(self, *lines: dict[str, Any] | str, policy: str = "", output: str = "json", code: int = 0) -> str:
        file = self.db.parent / "policy.yaml"
        file.write_text(f"version: 1\n{policy}", "utf-8")
        if lines:
            (self.logs / "log.jsonl").write_text(
                "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines), "utf-8"
            )
        where = ["--policy", str(file), "--db", str(self.db), "--output", output]
        assert run(["simulate", *([str(self.logs)] if lines else []), *where]) == code
        return self._capsys.readouterr().out


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(tmp_path, capsys)


def warned(out: str) -> dict[str, dict[str, str]]:
    return {one["code"]: one for one in json.loads(out)["warnings"]}


def test_rejected_and_merged_records_are_counted_and_can_be_seen(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six lines: a three times (the last with other counts), b once, two broken ones."""
    out = told(A, SAME, OTHER, B, BROKEN, BROKEN)
    totals, status = json.loads(out)["totals"], json.loads(out)["provenance"]["status"]
    assert [totals[name] for name in COUNTS] == [6, 2, 2, 0, 2]
    assert {status[name] for name in COUNTS} == {"exact"}
    said = warned(out)
    assert said["W110"]["message"].startswith("2 records were not understood, the first at log.jsonl:5: ")
    assert said["W110"]["hint"] == "see them: costctl rejects"
    assert said["W129"]["message"].startswith("2 merged records disagree in tokens or cost")
    assert said["W113"]["message"].startswith("2 records of the log count with another one")
    assert "6 records = 2 accepted + 2 merged + 0 ignored + 2 rejected\n" in told(output="table"), "without a log too"
    statement = said["W113"]["hint"].partition("'")[2].rstrip("'")
    assert run(["sql", statement, "--db", str(told.db), "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["tables"]["rows"]
    assert [(row["source_line"], row["request_id"], row["output_tokens"]) for row in rows] == [
        (1, "a", 100),
        (2, "a", 100),
    ]


def test_of_a_log_that_lost_nothing_nothing_is_said(told: Told) -> None:
    assert not {"W110", "W113", "W129"} & warned(told(A, B)).keys()
    assert " accepted + " not in told(A, B, output="table")


def test_a_gate_can_bound_what_was_lost(told: Told) -> None:
    gates = "gates: ['rejected_count <= 0', 'merged_count <= 0']\n"
    rows = json.loads(told(A, BROKEN, policy=gates, code=6))["tables"]["gates"]
    assert [row["verdict"] for row in rows] == ["FAIL", "PASS"]


def test_files_that_were_left_out_are_named(told: Told) -> None:
    packed = bytearray(gzip.compress(f"{json.dumps(A)}\n".encode()))
    packed[-8] ^= 0xFF  # its checksum
    (told.logs / "damaged.jsonl.gz").write_bytes(packed)
    assert "damaged.jsonl.gz is damaged" in warned(told(A, B))["W126"]["message"]


def test_requests_of_another_format_are_not_replayed_and_told(told: Told) -> None:
    """Kong's log with two answers of OpenAI behind it: what is replayed is less than the file."""
    kong = (ROOT / "sample_logs" / "kong_requests.jsonl").read_text("utf-8").splitlines()
    stranger = (ROOT / "sample_logs" / "openai_chat.jsonl").read_text("utf-8").splitlines()[0]
    said = warned(told(*kong, stranger, stranger))
    assert "W111" not in warned(told(*kong))
    assert said["W111"]["message"].startswith("2 records are requests of another format")


def test_a_simulation_asks_for_no_findings_and_uses_those_that_are_known(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """An audit of the same rows answers a simulation; after a simulation an audit finds its findings anew."""
    names = ("anatomy_row", "repeat_hit", "model_class")

    def has() -> list[bool]:
        with open_store(told.db, read_only=True) as store:
            known = {name for (name,) in store.query("SELECT table_name FROM duckdb_tables()")}
        return [name in known for name in names]

    def again() -> str:
        policy = str(told.db.parent / "policy.yaml")
        assert run(["simulate", str(told.logs), "--policy", policy, "--db", str(told.db), "--output", "json"]) == 0
        return capsys.readouterr().out

    first = told(A, OTHER, B, BROKEN)
    assert has() == [False] * 3
    assert run(["audit", str(told.logs), "--db", str(told.db), "--by", "team", "--output", "json"]) == 0
    capsys.readouterr()
    assert has() == [True] * 3
    assert again() == first
    assert has() == [True] * 3, "the audit's report serves the simulation, whatever it was asked by"
    told(A, B)
    assert has() == [False] * 3, "what was found of other rows is gone"
