"""The providers' prompt caches in the replay: worked by hand, and on recorded agent sessions."""

from __future__ import annotations

import csv
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


def simulated(folder: Path, capsys: pytest.CaptureFixture[str], log: Path, policy: str) -> dict[str, Any]:
    (folder / "policy.yaml").write_text("version: 1\n" + policy, "utf-8")
    where = ["--policy", str(folder / "policy.yaml"), "--db", str(folder / "c.duckdb"), "--output", "json"]
    assert run(["simulate", str(log), *where]) == 0
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
