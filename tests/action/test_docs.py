"""What docs/ci.md shows is taken by the action, the hooks, and a shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from costctl.cli import run
from tests.action.runner import ACTION, _commands
from tests.replay.profiles import write_logs
from tests.support import ROOT

TEXT = (ROOT / "docs" / "ci.md").read_text("utf-8")
BLOCKS: dict[str, Any] = {
    name: yaml.safe_load(body) for name, body in re.findall(r"```yaml\n# (\S+)\n(.*?)```", TEXT, re.DOTALL)
}
POLICY = """version: 1
tiers: {A: {models: [gpt-4o-mini]}}
routing: {default: A}
gates: ['call_count >= 1']
"""


def test_the_workflow_asks_for_inputs_that_there_are() -> None:
    step = BLOCKS[".github/workflows/costctl.yml"]["jobs"]["policy"]["steps"][1]
    assert set(step["with"]) <= set(ACTION["inputs"])
    named = set(re.findall(r"`([a-z0-9-]+)`", TEXT.split("Outputs: ")[1].split("\n\n")[0]))
    assert named == set(ACTION["outputs"])


def test_the_hooks_that_it_names_are_there() -> None:
    hooks = {one["id"] for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert {one["id"] for one in BLOCKS[".pre-commit-config.yaml"]["repos"][0]["hooks"]} == hooks


@pytest.mark.parametrize(
    ("policy", "limit", "is_edited", "code"),
    [
        (POLICY, "0.999", False, 6), (POLICY, "-9", False, 0), (POLICY, "-9", True, 5),
        (POLICY.partition("gates:")[0], "-9", False, 0), (POLICY.partition("gates:")[0], "0.999", False, 6),
    ],
)  # fmt: skip
def test_the_job_of_gitlab_runs(
    tmp_path: Path, policy: str, limit: str, is_edited: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line, as a runner does; with or without gates, and with the reports there however it ends."""
    monkeypatch.chdir(tmp_path)
    logs = write_logs(tmp_path, count=40)
    assert run(["profile", *map(str, logs), "-o", "profile.parquet", "--db", "other/c.duckdb"]) == 0
    Path("policy.yaml").write_text(policy, "utf-8")
    assert run(["export-config"]) == 0
    if is_edited:
        Path("router/json/costctl-policy.resolved.json").write_text("{}", "utf-8")
    job = BLOCKS[".gitlab-ci.yml"]["policy"]
    lines = [line for line in job["script"] if not line.startswith("pip ")]
    condition = job["variables"]["FAIL_IF"].replace("0.2", limit)
    (tmp_path / "bin").mkdir()
    path = f"{_commands(tmp_path / 'bin')}:{os.environ['PATH']}"
    environment = os.environ | job["variables"] | {"PATH": path, "FAIL_IF": condition}
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", "\n".join(lines)], env=environment, capture_output=True)
    assert done.returncode == code, done.stderr
    for name in (*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()):
        assert Path(name).stat().st_size > 0
