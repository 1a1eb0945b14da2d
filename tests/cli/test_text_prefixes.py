"""Prompt caches predicted from the texts of the log, which is read again for it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run

POLICY = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}}
routing: {default: A}
cache: {prompt: {providers: auto}}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
"""
HELP = "You answer customers of a travel company. " * 200  # 8,400 characters, 2,100 tokens


def call(minute: int, words: str, system: str = HELP, **more: Any) -> dict[str, Any]:
    """One call without a session; four characters make a token."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": words}]
    tokens = (len(system) + len(words)) // 4
    return {
        "timestamp": f"2026-03-02T10:{minute:02}:00Z", "model": "gpt-4o", "messages": messages,
        "usage": {"prompt_tokens": tokens, "completion_tokens": 10}, **more,
    }  # fmt: skip


def simulated(folder: Path, capsys: pytest.CaptureFixture[str], *logs: Path) -> dict[str, Any]:
    """The report of a policy that moves every call to a model with an automatic cache."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY, "utf-8")
    names = [str(log) for log in logs]
    code = run(
        ["simulate", *names, "--policy", str(policy), "--db", str(folder / "w" / "c.duckdb"), "--output", "json"]
    )
    captured = capsys.readouterr()
    assert code == 0, captured.err
    found: dict[str, Any] = json.loads(captured.out)
    return found


def write(path: Path, calls: list[dict[str, Any]]) -> Path:
    """A log of these calls."""
    path.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
    return path


def read_ratio(report: dict[str, Any]) -> float:
    """The share of the input that is read from caches."""
    return float(report["totals"]["prompt_cache_read_ratio"])


def test_calls_that_begin_alike_share_what_is_alike_in_whole_increments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [call(0, "one"), call(1, "two"), call(2, "three", system="Another prompt. " * 300)]
    report = simulated(tmp_path, capsys, write(tmp_path / "log.jsonl", calls))
    # 8,407 characters with their roles are 16 full blocks of 512; one is 2,100 * 512 // 8,418 = 127 tokens.
    # So 16 * 127 = 2,032 tokens are alike, of which OpenAI serves whole steps of 128: 1,920.
    tokens = sum(one["usage"]["prompt_tokens"] for one in calls)
    assert read_ratio(report) == pytest.approx(1_920 / tokens)


def test_text_that_is_only_a_part_of_the_prompt_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [call(0, "one"), call(1, "two")]
    for one in calls:
        one["usage"]["prompt_tokens"] = 5_000  # more than the text can be: tools or history that the log leaves out
    assert read_ratio(simulated(tmp_path, capsys, write(tmp_path / "log.jsonl", calls))) == 0


def test_the_log_is_read_once_and_its_prompts_stay_out_of_the_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "log.jsonl", [call(0, "one"), call(1, "two")])
    first = simulated(tmp_path, capsys, log)
    log.unlink()
    assert simulated(tmp_path, capsys) == first
    assert read_ratio(first) > 0
    held = b"".join(file.read_bytes() for file in (tmp_path / "w").rglob("*") if file.is_file())
    assert b"travel company" not in held


def test_a_log_that_changed_since_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "log.jsonl", [call(0, "one"), call(1, "two")])
    assert run(["audit", str(log), "--db", str(tmp_path / "w" / "c.duckdb"), "--output", "json"]) == 0
    capsys.readouterr()
    write(log, [call(0, "three")])
    report = simulated(tmp_path, capsys)
    assert read_ratio(report) == 0
    assert [one["code"] for one in report["warnings"] if "read again" in one["message"]] == ["W218"]


def test_lines_keep_their_place_whatever_the_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = [call(0, "one"), call(1, "two"), call(2, "three")]
    text = "".join(f"{json.dumps(one)}\nnot a record\n\n" for one in calls)
    plain, packed, whole = tmp_path / "log.jsonl", tmp_path / "log.jsonl.gz", tmp_path / "log.json"
    plain.write_text(text, "utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    whole.write_text(json.dumps(calls), "utf-8")
    found = []
    for log in (plain, packed, whole):
        folder = tmp_path / log.name.replace(".", "-")
        folder.mkdir()
        found.append(read_ratio(simulated(folder, capsys, log)))
    assert found[0] > 0.5
    assert len(set(found)) == 1


def test_a_mapping_is_used_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    calls = [
        {
            "when": one["timestamp"],
            "which": "gpt-4o",
            "said": one["messages"],
            "n": one["usage"]["prompt_tokens"],
            "m": 9,
        }
        for one in (call(0, "one"), call(1, "two"))
    ]
    write(log, calls)
    mapping = {
        "started_at": "when",
        "request_model": "which",
        "messages": "said",
        "input_tokens": "n",
        "output_tokens": "m",
    }
    maps = [text for name, place in mapping.items() for text in ("--map", f"{name}={place}")]
    assert run(["audit", str(log), *maps, "--db", str(tmp_path / "w" / "c.duckdb"), "--output", "json"]) == 0
    capsys.readouterr()
    assert read_ratio(simulated(tmp_path, capsys)) > 0


def test_a_baseline_that_does_not_say_what_was_cached_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unsaid = simulated(tmp_path, capsys, write(tmp_path / "log.jsonl", [call(0, "one"), call(1, "two")]))
    # 1,920 tokens read at 0.075 instead of 0.15 a million: $0.000144, shown as less than a cent.
    assert [one["message"][:13] for one in unsaid["warnings"] if one["code"] == "W236"] == ["1 moved call "]
    said = [call(minute, words) for minute, words in ((0, "one"), (1, "two"))]
    for one in said:
        one["usage"]["prompt_tokens_details"] = {"cached_tokens": 0}
    report = simulated(tmp_path, capsys, write(tmp_path / "log.jsonl", said))
    assert not [one for one in report["warnings"] if one["code"] == "W236"]
