"""Names of a policy that answer to nothing are told, with the nearest that would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.cli import run
from tests.support import ROOT

STORY = str(ROOT / "sample_logs" / "story.jsonl.gz")
POLICY = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}
routing: {matrix: {%s: C}}
budgets: {tokens_per_day: [{endpoint: '%s', max: 5M}]}
cache: {prompt: {providers: [%s], opt_in: [%s]}}
assume: {output_tokens_ratio: {%s: 2, openai/gpt-4o-mini: 1, openai/gpt-4o: 1}}
"""


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("greeting", "/chat", "openai", "anthropic", "openai/gpt-4.1"), []),
        (("greting", "/chatt", "opnai", "antropic", "openai/gpt-4.11"),
         ["greeting", "/chat", "openai", "anthropic", "gpt-4.1"]),
    ],
)  # fmt: skip
def test_names_that_nothing_answers_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], told: list[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % names, "utf-8")
    arguments = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
    assert run(["simulate", STORY, *arguments]) == 0
    found = [one for one in json.loads(capsys.readouterr().out)["warnings"] if one["code"] == "W237"]
    assert [name in one["message"] for name, one in zip(names, found, strict=False)] == [True] * len(found)
    assert len(found) == len(told)
    assert all(near in one["hint"] for near, one in zip(told, found, strict=True))
