"""action.yml and the pre-commit hooks, on a repository that the test makes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from costctl.cli import run
from tests.action.runner import ACTION, Api, Done, _commands, run_action, served
from tests.replay.profiles import write_logs
from tests.support import ROOT

POLICY = """version: 1
name: shop
tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}
routing: {default: C, rules: [{name: code, when: {has_code: true}, to: C}]}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
gates: ['call_count >= 1']
"""
CHEAPER = POLICY.replace("default: C", "default: A")
REQUEST = {"base_ref": "main", "event.pull_request.number": "7", "token": "secret-token"}


class Repository(NamedTuple):
    """A checkout of a branch, and where the runner keeps its files."""

    path: Path
    runner: Path

    def write(self, policy: str, *, export: bool = True) -> None:
        """A change of the policy, with its export unless it was forgotten."""
        (self.path / "policy.yaml").write_text(policy, "utf-8")
        if export:
            with pytest.MonkeyPatch.context() as here:
                here.chdir(self.path)
                assert run(["export-config"]) == 0
        git(self.path, "add", "-A")
        git(self.path, "commit", "--quiet", "--allow-empty", "-m", "change")

    def act(self, api: str = "", context: dict[str, str] | None = None, **inputs: str) -> Done:
        """Run the action as on a pull request."""
        said = {name.replace("_", "-"): value for name, value in inputs.items()} | {"version": "installed"}
        return run_action(self.path, self.runner, said, REQUEST if context is None else context, api)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the action meets: a policy on main, its export, and a profile in place of logs."""
    folder = tmp_path_factory.mktemp("origin")
    path = folder / "work"
    path.mkdir()
    git(path, "init", "--quiet")
    logs, db = write_logs(folder, count=60), str(folder / "w" / "c.duckdb")
    assert run(["profile", *map(str, logs), "-o", str(path / "profile.parquet"), "--db", db]) == 0
    Repository(path, folder / "runner").write(POLICY)
    return path


@pytest.fixture
def repository(origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Repository:
    """A clone on a branch of its own, shallow as on a runner."""
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", "clone")
    git(tmp_path / "clone", "switch", "--quiet", "-c", "change")
    return Repository(tmp_path / "clone", tmp_path / "runner")


def test_a_pull_request_is_told_what_it_changes_and_told_once(repository: Repository) -> None:
    """Base and head are simulated; the second run replaces the comment of the first."""
    repository.write(CHEAPER)
    api = Api()
    api.comments = [{"id": n, "node_id": f"node-{n}", "body": "of somebody else"} for n in range(101)]
    with served(api) as address:
        first = repository.act(address)
        assert first.code == 0, first.log
        assert first.steps == [step["name"] for step in ACTION["runs"]["steps"] if "run" in step]
        repository.write(POLICY)
        second = repository.act(address)
    head, base = (json.loads((second.folder / f"{name}.json").read_text("utf-8")) for name in ("head", "base"))
    assert head["totals"] == base["totals"]  # the change was taken back
    assert len(api.comments) == 102
    assert api.comments[-1]["body"] == (second.folder / "comment.md").read_text("utf-8") == second.summary
    assert api.comments[-1]["body"].startswith("<!-- costctl-action:costctl -->\n")
    assert "| C | 100.0 % | 10.0 % | -90.0 points |" in first.summary
    assert "in step with the policy" in first.summary
    assert float(first.outputs["savings"]) > float(second.outputs["savings"])
    assert first.outputs["gates"] == "pass"
    assert first.outputs["drift"] == "0"
    assert float(first.outputs["p95"]) > 0
    assert api.tokens == {"Bearer secret-token"}
    assert "secret-token" not in first.log + first.summary


def test_a_gate_fails_last_so_that_the_comment_is_there(repository: Repository) -> None:
    api = Api()
    with served(api) as address:
        done = repository.act(address, fail_if="saving_ratio < 0.99\n\nsaving_ratio_delta < -1", comment="hide-and-new")
        assert (done.code, done.steps[-1], done.outputs["gates"]) == (6, "Pass or fail", "fail")
        assert "::error file=policy.yaml,title=gate FAIL" in done.log
        assert "| fail if saving\\_ratio \\< 0.99 | FAIL |" in done.summary
        assert "fail if saving\\_ratio\\_delta \\< -1" in done.summary
        assert "Gates of the policy: 1 ✅ pass" in done.summary  # of the comparison, which knows no others
        assert len(api.comments) == 1
        again = repository.act(address, fail_if="saving_ratio < 0.99", comment="hide-and-new", fail_on="drift")
    assert again.code == 0
    assert (len(api.comments), api.hidden) == (2, ["node-0"])


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("gate,drift", 6), ("drift gate", 6), ("gate\ndrift\n", 6), (" drift ", 5), ("none", 0),
        ("gates", 2), ("gatedrift", 2), ("gate,dirft", 2), ("none,gate", 2), ("", 2),
    ],
)  # fmt: skip
def test_what_fails_the_job_is_a_word_that_it_knows(fail_on: str, code: int) -> None:
    """A mistyped word would let every gate and every drift pass."""
    (step,) = (one for one in ACTION["runs"]["steps"] if one["name"] == "Pass or fail")
    given = {"FAIL_ON": fail_on, "HEAD_CODE": "0", "DRIFT_CODE": "5", "GATE_CODE": "6"}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(words, env=os.environ | given, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("::error::") == (code != 0)
    assert ("say gate, drift, gate,drift or none" in done.stdout) == (code == 2)


@pytest.mark.parametrize("refusal", [403, 500])
def test_a_token_that_may_not_write_is_no_fault_and_drift_is(repository: Repository, refusal: int) -> None:
    repository.write(CHEAPER, export=False)
    api = Api(refuses=refusal)
    with served(api) as address:
        done = repository.act(address)
    assert done.code == 5
    assert int(done.outputs["drift"]) > 0
    assert "::notice::no comment: " in done.log
    assert "may not write" in done.log if refusal == 403 else "500" in done.log
    assert "out of step" in done.summary
    assert "| policy |" in done.summary
    assert api.comments == []


def test_named_targets_are_checked_alone(repository: Repository) -> None:
    """Of two targets that were exported, the one that is named is in step, whatever became of the other."""
    (repository.path / "router" / "json" / "costctl-policy.resolved.json").write_text("{}", "utf-8")
    done = repository.act(context={}, targets="runbook")
    assert (done.code, done.outputs["drift"]) == (0, "0"), done.log
    done = repository.act(context={}, targets="runbook\njson\n")
    assert (done.code, done.outputs["drift"] != "0") == (5, True)


def test_a_folder_that_is_named_and_not_there_is_drift(repository: Repository) -> None:
    done = repository.act(context={}, folder="rooter")
    assert done.code == 5, done.log
    git(repository.path, "rm", "-r", "--quiet", "router")
    done = repository.act(context={})
    assert (done.code, done.outputs["drift"]) == (0, "")
    assert "no exported router to check" in done.log


def test_a_broken_policy_has_its_mistakes_in_the_summary(repository: Repository) -> None:
    repository.write(POLICY.replace("tiers:", "teirs:"), export=False)
    done = repository.act(comment="off")
    assert (done.code, done.steps[-1]) == (2, "Pass or fail")
    assert "did you mean tiers" in done.summary
    assert done.outputs["savings"] == done.outputs["drift"] == ""
    assert done.outputs["gates"] == "none"


def test_a_push_is_compared_with_nothing_and_comments_nowhere(repository: Repository) -> None:
    repository.write(POLICY.replace("gates: ['call_count >= 1']\n", ""))
    done = repository.act(context={}, tag="nightly <run>")
    assert done.code == 0, done.log
    assert not (done.folder / "base.json").exists()
    assert done.outputs["gates"] == "none"
    assert done.summary.startswith("<!-- costctl-action:nightly--run- -->\n### costctl: nightly \\<run\\>\n")
    assert "by tier" in done.summary


def test_a_comment_never_exceeds_its_limit(tmp_path: Path) -> None:
    (tmp_path / "figures.md").write_text("| ä | b |\n" * 20_000, "utf-8")
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    words = ["python3", str(ROOT / "action" / "report.py"), str(tmp_path), "x"]
    subprocess.run(words, check=True, env=os.environ | files)
    size = len((tmp_path / "comment.md").read_bytes())
    assert 65_000 < size <= 65_536
    assert "Cut to the size of a comment" in (tmp_path / "comment.md").read_text("utf-8")


HOOKS = {one["id"]: one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}


def hook(repository: Repository, name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a hook by its entry line, as pre-commit does."""
    assert HOOKS[name]["pass_filenames"] is False
    path = f"{_commands(repository.runner)}:{os.environ['PATH']}"
    words = [*shlex.split(HOOKS[name]["entry"]), *args]
    return subprocess.run(words, cwd=repository.path, env=os.environ | {"PATH": path}, capture_output=True, text=True)


def test_the_hooks_pass_fail_and_say_why(repository: Repository) -> None:
    repository.runner.mkdir()
    assert hook(repository, "costctl-policy-check").returncode == 0
    assert hook(repository, "costctl-export-check").returncode == 0
    (repository.path / "policy.yaml").write_text(CHEAPER, "utf-8")
    done = hook(repository, "costctl-export-check")
    assert done.returncode == 5
    assert "cause: policy" in done.stdout.splitlines()[1]
    (repository.path / "policy.yaml").write_text(POLICY, "utf-8")
    assert hook(repository, "costctl-export-check").returncode == 0
    (edited := next(repository.path.glob("router/*/*.json"))).write_text("{}", "utf-8")
    done = hook(repository, "costctl-export-check")
    assert done.returncode == 5
    assert "cause: hand edit" in done.stdout.splitlines()[1]
    assert edited.name in done.stdout.splitlines()[2]
    (repository.path / "other.yaml").write_text(POLICY.replace("tiers:", "teirs:"), "utf-8")
    done = hook(repository, "costctl-policy-check", "other.yaml")
    assert done.returncode == 2
    assert "did you mean tiers" in done.stderr


def test_the_hooks_look_at_the_files_that_they_check() -> None:
    import re

    policy, export = (re.compile(HOOKS[name]["files"]) for name in ("costctl-policy-check", "costctl-export-check"))
    for path in ("policy.yaml", "ops/policy.yml", "router-policy.yaml"):
        assert policy.search(path)
        assert export.search(path)
    assert export.search("router/litellm/config.yaml")
    assert not policy.search("src/app.py")
    assert not export.search("src/router.py")
