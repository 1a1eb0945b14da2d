"""`--embedding log`: near prompts by vectors that stand in the log, which are refused where they cannot be compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from costctl.cli import run

POLICY = "version: 1\ncache: {semantic: {serve_min: 0.9, ttl: 1h}}\n"
# By their words the second is near the first, and the third is not; by their vectors it is the other way round.
TEXTS = ("How can I change my address?", "How can I change the address?", "Can I do that with my address change")
VECTORS: tuple[Any, ...] = ([1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.99, 0.0, 0.5])


def rows(vectors: tuple[Any, ...] = VECTORS, name: str = "embedding") -> list[dict[str, Any]]:
    return [
        {"id": f"r{n}", "timestamp": f"2026-03-02T10:0{n}:00Z", "model": "gpt-4o", "prompt": text,
         "prompt_tokens": 1000, "completion_tokens": 100, name: vector}
        for n, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True))
    ]  # fmt: skip


class Near:
    """Simulations of one log in one workspace."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        (folder / "policy.yaml").write_text(POLICY, "utf-8")
        self.db = folder / "w" / "c.duckdb"

    def said(self, *logs: Path, embedding: str = "log") -> tuple[int, Any, str]:
        arguments = ["--policy", str(self.folder / "policy.yaml"), "--db", str(self.db), "--output", "json"]
        made = self.folder / "made.jsonl"
        code = run(["simulate", *map(str, logs), *arguments, "--embedding", embedding, "--decisions", str(made)])
        captured = self._capsys.readouterr()
        return code, json.loads(captured.out) if code == 0 else None, captured.err

    def served(self, *logs: Path, embedding: str = "log") -> str:
        """c for each call that the cache serves, - for the others."""
        code, _, err = self.said(*logs, embedding=embedding)
        assert code == 0, err
        lines = (self.folder / "made.jsonl").read_text("utf-8").splitlines()
        return "".join("c" if json.loads(one)["served_by"] == "semantic_cache" else "-" for one in lines)

    def jsonl(self, lines: list[dict[str, Any]]) -> Path:
        path = self.folder / "log.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
        return path

    def refused(self, vectors: tuple[Any, ...]) -> str:
        code, _, err = self.said(self.jsonl(rows(vectors)))
        assert code == 3, err
        assert "E342" in err
        return err


@pytest.fixture
def near(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Near:
    return Near(tmp_path, capsys)


def test_the_vectors_of_the_log_decide(near: Near) -> None:
    log = near.jsonl(rows())
    assert near.served(log) == "--c"
    assert near.served(log, embedding="words") != "--c"
    _, report, _ = near.said(log)
    (said,) = (one["message"] for one in report["warnings"] if one["code"] == "W230")
    assert said == "near prompts by log: 3 numbers each"


def test_parquet_and_csv_carry_them_too(near: Near) -> None:
    parquet, table = near.folder / "log.parquet", near.folder / "log.csv"
    pl.DataFrame(rows()).write_parquet(parquet)
    assert near.served(parquet) == "--c"
    with table.open("w", encoding="utf-8", newline="") as target:
        lines = rows(tuple(map(json.dumps, VECTORS)))
        out = csv.DictWriter(target, list(lines[0]))
        out.writeheader()
        out.writerows(lines)
    assert near.served(table) == "--c"


def test_a_column_of_another_name_is_mapped(near: Near) -> None:
    log = near.jsonl(rows(name="ours"))
    assert near.said(log)[0] == 4  # no prompt has a vector
    assert run(["audit", str(log), "--db", str(near.db), "--map", "embedding=ours", "--output", "json"]) == 0
    near._capsys.readouterr()
    assert near.served() == "--c"


def test_a_prompt_without_a_vector_is_like_nothing_but_itself(near: Near) -> None:
    lines = rows((VECTORS[0], None, None))
    again = {**lines[2], "id": "r3", "timestamp": "2026-03-02T10:09:00Z"}
    log = near.jsonl([*lines, again])
    assert near.served(log) == "---c"
    _, report, _ = near.said(log)
    said = next(one["message"] for one in report["warnings"] if one["code"] == "W230")
    assert said.endswith("; 2 of 3 prompts have none")


def test_prompts_with_different_vectors_are_counted(near: Near) -> None:
    """Equal after rounding is equal; without a vector is not different."""
    lines = rows()
    more = ((0, [0.0, 0.2, 0.9]), (0, [0.9, 0.2, 0.0]), (1, [0.0, 1.0, 1e-9]), (2, None))
    lines += [
        {**lines[n], "id": f"m{at}", "timestamp": f"2026-03-02T11:0{at}:00Z", "embedding": vector}
        for at, (n, vector) in enumerate(more)
    ]
    _, report, _ = near.said(near.jsonl(lines))
    said = [one["message"] for one in report["warnings"] if one["code"] == "W239"]
    assert said == ["1 prompt has different vectors in its records: the first one counts"]
    assert near.said()[1]["warnings"] == report["warnings"]  # also of what was kept
    profile = near.folder / "profile.parquet"
    log = str(near.folder / "log.jsonl")
    assert run(["profile", log, "--embedding", "log", "--db", str(near.folder / "p.duckdb"), "-o", str(profile)]) == 0
    near._capsys.readouterr()
    _, carried, _ = near.said(profile)
    assert [one["message"] for one in carried["warnings"] if one["code"] == "W239"] == said
    _, report, _ = near.said(near.jsonl(rows()))
    assert not [one for one in report["warnings"] if one["code"] == "W239"]


def test_other_dimensions_are_refused_with_both_places(near: Near) -> None:
    err = near.refused(([1.0, 2.0], [1.0, 2.0], [1.0, 2.0, 3.0]))
    assert "log.jsonl:3: embedding has 3 numbers, that of" in err
    assert "log.jsonl:1 2; vectors of two models cannot be compared" in err


@pytest.mark.parametrize(
    ("vector", "reason"),
    [([], "is empty"), ("[1, 2", "is no list of numbers"), ([1, "2"], "is no list"), ([True, 1.0], "is no list"),
     ({"a": 1}, "is no list")],
)  # fmt: skip
def test_what_is_no_vector_is_refused(near: Near, vector: Any, reason: str) -> None:
    assert reason in near.refused(([1.0, 2.0], vector, [1.0, 2.0]))


def test_numbers_that_are_not_finite_are_refused(near: Near) -> None:
    path = near.folder / "log.parquet"
    pl.DataFrame(rows((VECTORS[0], [0.0, float("nan"), 1.0], VECTORS[2]))).write_parquet(path)
    code, _, err = near.said(path)
    assert code == 3
    assert "holds a number that is not finite" in err or "is no list" in err


def test_no_vector_is_kept_as_the_log_has_it(near: Near) -> None:
    near.served(near.jsonl(rows(([0.123456789, 0.0], [0.0, 1.0], [0.123456789, 0.5]))))
    held = b"".join(file.read_bytes() for file in (near.folder / "w").rglob("*") if file.is_file())
    assert b"0.123456789" not in held
    assert b"123456789" not in held


def test_an_audit_without_it_reads_the_same(near: Near) -> None:
    """A column of vectors changes nothing of what an audit counts."""
    found = []
    for name in ("embedding", "unknown"):
        near.jsonl(rows(name=name))
        assert run(["audit", str(near.folder / "log.jsonl"), "--db", str(near.db), "--output", "json"]) == 0
        found.append(json.loads(near._capsys.readouterr().out)["totals"])
    assert found[0] == found[1]
