"""The providers' prompt caches in the replay: worked by hand, and on recorded agent sessions."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import SHARED, needs_shared

TAU2 = SHARED / "data" / "tau2_agent_calls" / "calls.jsonl.gz"
HEAD = ("id", "timestamp", "model", "session_id", "user_id", "prompt_tokens", "completion_tokens", "cached_tokens")
# A session of gpt-4o that grows by 1,024 tokens a minute and reads what the call before left there.
SESSION = [
    ("r0", "2026-03-02T00:00:00Z", "gpt-4o", "s", "u1", 2048, 100, 0),
    ("r1", "2026-03-02T00:01:00Z", "gpt-4o", "s", "u2", 3072, 100, 2048),
    ("r2", "2026-03-02T00:02:00Z", "gpt-4o", "s", "u1", 4096, 100, 3072),
]
TIERS = "tiers: {A: {models: [gpt-4o-mini]}}\nassume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"


def simulated(
    folder: Path, capsys: pytest.CaptureFixture[str], log: Path, policy: str, code: int = 0
) -> dict[str, Any]:
    (folder / "policy.yaml").write_text("version: 1\n" + policy, "utf-8")
    where = ["--policy", str(folder / "policy.yaml"), "--db", str(folder / "c.duckdb"), "--output", "json"]
    assert run(["simulate", str(log), *where]) == code
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEAD, *SESSION])
    return path


@pytest.mark.parametrize(
    ("policy", "policy_cost_usd"),
    [
        # As logged: 6,120 + 6,120 + 7,400 millionths of a dollar.
        ("cache: {prompt: {providers: auto}}\n", "0.019640000000"),
        # All on gpt-4o-mini, cold: 9,216 x 0.15 + 300 x 0.60.
        (TIERS + "routing: {default: A}\n", "0.001562400000"),
        (TIERS + "routing: {default: A}\ncache: {prompt: {providers: none}}\n", "0.001562400000"),
        (TIERS + "routing: {default: A}\ncache: {prompt: {providers: [anthropic]}}\n", "0.001562400000"),
        # The second call reads 2,048 and the third 3,072 of its input at half the price.
        (TIERS + "routing: {default: A}\ncache: {prompt: {providers: auto}}\n", "0.001178400000"),
        (TIERS + "routing: {default: A}\ncache: {prompt: {providers: [openai]}}\n", "0.001178400000"),
        # Only the second call leaves: it is cold there (520.8), and the third finds 1,024 tokens less (8,680).
        (
            TIERS + "routing: {rules: [{name: u2, when: {user_id: u2}, to: A}]}\ncache: {prompt: {providers: auto}}\n",
            "0.015320800000",
        ),
    ],
)
def test_a_session_reads_what_it_left_on_that_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: Path, policy: str, policy_cost_usd: str
) -> None:
    report = simulated(tmp_path, capsys, log, policy)
    assert report["totals"]["baseline_cost_usd"] == "0.019640000000"
    assert report["totals"]["policy_cost_usd"] == policy_cost_usd


def test_the_arms_bound_the_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str], log: Path) -> None:
    policy = TIERS + "routing: {default: A}\ncache: {prompt: {providers: auto}}\n"
    report = simulated(tmp_path, capsys, log, policy)
    assert {row["arm"]: row["policy_cost_usd"] for row in report["tables"]["prompt_cache_arms"]} == {
        "pessimistic": "0.001562400000", "replayed": "0.001178400000", "neutral": "0.001178400000",
    }  # fmt: skip
    assert report["totals"]["prompt_cache_read_ratio"] == pytest.approx(5120 / 9216)
    # What is read there is predicted, so the saving is a range, and a gate looks at its worse end.
    totals = report["totals"]
    assert (totals["policy_cost_usd_low"], totals["policy_cost_usd_high"]) == ("0.001178400000", "0.001562400000")
    assert (totals["saving_usd_low"], totals["saving_usd"]) == ("0.018077600000", "0.018461600000")
    assert report["provenance"]["status"]["saving_usd"] == "estimated"
    gated = simulated(tmp_path, capsys, log, policy + "gates: ['saving_ratio >= 0.93']\n", code=6)
    assert totals["saving_ratio"] > 0.93 > totals["saving_ratio_low"]
    assert [row["verdict"] for row in gated["tables"]["gates"]] == ["FAIL"]


def test_the_pessimistic_arm_is_never_cheaper(tmp_path: Path, capsys: pytest.CaptureFixture[str], log: Path) -> None:
    """A call that stays finds 1,024 tokens less (0.00128) because another left: that is no saving to be taken back.

    Neutral: it finds them, and the call that left reads its 2,048 of the log at half the price (0.0001536 less).
    """
    policy = TIERS + "routing: {rules: [{name: u2, when: {user_id: u2}, to: A}]}\ncache: {prompt: {providers: auto}}\n"
    arms = simulated(tmp_path, capsys, log, policy)["tables"]["prompt_cache_arms"]
    assert {row["arm"]: row["policy_cost_usd"] for row in arms} == {
        "pessimistic": "0.015320800000", "replayed": "0.015320800000", "neutral": "0.013887200000",
    }  # fmt: skip


BLOCK_HEAD = (*HEAD, "prefix_blocks", "block_tokens")
# Blocks of 1,024 tokens; nobody shares a session, but the first two blocks are everybody's.
BLOCKS = [
    ("r0", "2026-03-02T00:00:00Z", "gpt-4o", "s0", "u1", 3072, 100, 0, "[1, 2, 3]", 1024),
    ("r1", "2026-03-02T00:01:00Z", "gpt-4o", "s1", "u2", 4096, 100, 2048, "[1, 2, 5, 6]", 1024),
    ("r2", "2026-03-02T00:02:00Z", "gpt-4o", "s2", "u1", 4096, 100, 4096, "[1, 2, 5, 6]", 1024),
]


@pytest.mark.parametrize(
    ("policy", "policy_cost_usd"),
    [
        # As logged: 8,680 + 8,680 + 6,120 millionths of a dollar.
        ("cache: {prompt: {providers: auto}}\n", "0.023480000000"),
        # All on gpt-4o-mini: 11,264 x 0.15 + 300 x 0.60, less 2,048 and 4,096 read at half the price.
        (TIERS + "routing: {default: A}\ncache: {prompt: {providers: auto}}\n", "0.001408800000"),
        # Four fifths of the tokens, 9,012: 1,638 and 3,277 of them in steps of 128 are 1,536 and 3,200.
        (
            TIERS.replace("input_tokens_ratio: 1", "input_tokens_ratio: 0.8")
            + "routing: {default: A}\ncache: {prompt: {providers: auto}}\n",
            "0.001176600000",
        ),
        # Only the second call leaves: cold on gpt-4o-mini (674.4), and the third finds 2,048 tokens less (8,680).
        (
            TIERS + "routing: {rules: [{name: u2, when: {user_id: u2}, to: A}]}\ncache: {prompt: {providers: auto}}\n",
            "0.018034400000",
        ),
    ],
)
def test_blocks_are_read_across_sessions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, policy_cost_usd: str
) -> None:
    log = tmp_path / "log.csv"
    with log.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([BLOCK_HEAD, *BLOCKS])
    report = simulated(tmp_path, capsys, log, policy)
    assert report["totals"]["baseline_cost_usd"] == "0.023480000000"
    assert report["totals"]["policy_cost_usd"] == policy_cost_usd


@needs_shared
def test_a_trace_of_blocks_reads_what_its_five_minutes_allow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mooncake's conversations as if a model had served them: the kernel's own share, in steps of 128 tokens."""
    source = SHARED / "data" / "mooncake_conversation" / "conversation_trace.jsonl.gz"
    log = tmp_path / "log.jsonl"
    lines = gzip.decompress(source.read_bytes()).splitlines()[:2000]
    log.write_text("".join(json.dumps({**json.loads(line), "model": "gpt-4.1"}) + "\n" for line in lines), "utf-8")
    policy = TIERS.replace("gpt-4o-mini", "gpt-4o") + "routing: {default: A}\ncache: {prompt: {providers: auto}}\n"
    report = simulated(tmp_path, capsys, log, policy)
    used: dict[int, int] = {}
    read = total = 0
    for line in lines:
        row = json.loads(line)
        served = 0
        for block in row["hash_ids"]:
            if row["timestamp"] - used.get(block, -(10**9)) >= 300_000:
                break
            served += 1
        used |= dict.fromkeys(row["hash_ids"], row["timestamp"])
        tokens = min(served * 512, row["input_length"]) // 128 * 128
        read += tokens if tokens >= 1024 else 0
        total += row["input_length"]
    assert report["totals"]["prompt_cache_read_ratio"] == pytest.approx(read / total, abs=1e-12)


@needs_shared
def test_agents_that_never_asked_would_have_cost_less_than_half(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sonnet 4.5 ran without caching: $14.443248; with it the same calls cost $5.87068755. No other model changes."""
    spent = {
        kind: {
            row["model"]: row["policy_cost_usd"]
            for row in simulated(tmp_path, capsys, TAU2, policy)["tables"]["by_model"]
        }
        for kind, policy in (
            ("logged", "cache: {prompt: {providers: auto}}\n"),
            ("asked", "cache: {prompt: {providers: auto, opt_in: [anthropic]}}\n"),
        )
    }
    sonnet = "anthropic/claude-sonnet-4-5"
    assert spent["logged"].pop(sonnet) == "14.443248000000"
    assert spent["asked"].pop(sonnet) == "5.870687550000"
    assert spent["logged"] == spent["asked"]
