"""Files of an export on disk: in step, edited, stale, and keys of others that stay."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from costctl.cli import run
from costctl.export import files
from costctl.export.files import LOCK

POLICY = """version: 1
name: mine
tiers: {A: {models: [gpt-4o-mini], timeout_s: 6}, B: {models: [gpt-4o]}}
routing: {default: A, rules: [{name: long, when: {input_tokens: '>2000'}, to: B}]}
fallbacks: {B: [A]}
export: {targets: [json, runbook]}
"""
JSON = "json/costctl-policy.resolved.json"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """An exported folder beside its policy, which is where commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    assert run(["export-config"]) == 0
    capsys.readouterr()
    return tmp_path / "router"


def checked(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[dict[str, str]]]:
    code = run(["export-config", "--check", *more, "--output", "json"])
    return code, json.loads(capsys.readouterr().out)["tables"]["drift"]


def test_a_fresh_export_is_in_step_and_has_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert set(before) == {
        folder / JSON,
        folder / "json/costctl_route.py",
        folder / "runbook/RUNBOOK.md",
        folder / LOCK,
    }
    assert checked(capsys) == (0, [])
    assert run(["export-config"]) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_change_of_the_policy_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text(POLICY.replace("timeout_s: 6", "timeout_s: 7"), "utf-8")
    code, drift = checked(capsys)
    assert code == 5
    assert {row["cause"] for row in drift} == {"policy"}
    assert "lanes[A].timeout_s" in {row["key"] for row in drift}
    assert checked(capsys, "--write")[0] == 0
    assert checked(capsys) == (0, [])


def test_a_hand_edit_is_named_with_its_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / JSON).read_text("utf-8")
    (folder / JSON).write_text(text.replace('"timeout_s": 6.0', '"timeout_s": 60.0'), "utf-8")
    code, (row,) = checked(capsys)
    assert code == 5
    assert (row["path"], row["key"], row["cause"]) == (JSON, "lanes[A].timeout_s", "hand edit")
    assert row["says"] == "is 60.0, not 6.0"


def test_a_check_says_first_whether_and_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is the second line, losses are a line for each target, and all of them where they are asked for."""
    assert run(["export-config", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  IN STEP: 4 files"
    assert len(lines) < 12
    text = (folder / JSON).read_text("utf-8")
    (folder / JSON).write_text(text.replace('"timeout_s": 6.0', '"timeout_s": 60.0'), "utf-8")
    assert run(["export-config", "--check"]) == 5
    short = capsys.readouterr().out
    assert short.splitlines()[1:4] == [
        "  NOT IN STEP: 1 difference, cause: hand edit",
        f"    {JSON} lanes[A].timeout_s: is 60.0, not 6.0",
        "  mend it: costctl export-config --check --write; look first: --diff",
    ]
    assert "verbose" in short
    assert run(["export-config", "--check", "--write"]) == 0
    assert "  WAS NOT IN STEP: 1 difference, cause: hand edit" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("path", [JSON, "runbook/RUNBOOK.md", LOCK])
def test_a_file_that_is_gone_is_named(folder: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    (folder / path).unlink()
    code, drift = checked(capsys)
    assert (code, drift[0]["path"], drift[0]["cause"]) == (5, path, "hand edit")


def test_another_version_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = json.loads((folder / LOCK).read_text("utf-8"))
    lock["costctl"] = "0.0.1"
    (folder / LOCK).write_text(json.dumps(lock), "utf-8")
    runbook = (folder / "runbook/RUNBOOK.md").read_text("utf-8").replace("costctl 0.1.0", "costctl 0.0.1")
    (folder / "runbook/RUNBOOK.md").write_text(runbook, "utf-8")
    lock["files"]["runbook/RUNBOOK.md"] = files._digest(runbook)
    (folder / LOCK).write_text(json.dumps(lock), "utf-8")
    code, drift = checked(capsys)
    assert code == 5
    assert {row["cause"] for row in drift} == {"version"}


def test_keys_of_others_are_left_alone_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((folder / JSON).read_text("utf-8"))
    content["owner"] = "team x"
    content["lanes"].append({"name": "theirs", "kind": "tier"})
    (folder / JSON).write_text(json.dumps(content), "utf-8")
    assert checked(capsys) == (0, [])
    Path("policy.yaml").write_text(POLICY.replace("timeout_s: 6", "timeout_s: 7"), "utf-8")
    assert run(["export-config", "--output", "json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["warnings"]
    assert "owner" in said["message"]
    kept = json.loads((folder / JSON).read_text("utf-8"))
    assert kept["owner"] == "team x"
    assert [lane["name"] for lane in kept["lanes"]] == ["A", "B", "theirs"]
    assert kept["lanes"][0]["timeout_s"] == 7.0
    assert checked(capsys) == (0, [])


def test_yaml_keeps_keys_of_others_below_our_head(tmp_path: Path) -> None:
    tree = files.Tree({LOCK: '{"files": {}}'}, {"x/config.yaml": "# ours\na: 1\nb: {c: 2}\n"})
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "config.yaml").write_text("b: {c: 3, mine: true}\n", "utf-8")
    files.write_tree(tmp_path, tree)
    text = (tmp_path / "x" / "config.yaml").read_text("utf-8")
    assert text.startswith("# ours\n")
    assert yaml.safe_load(text) == {"a": 1, "b": {"c": 2, "mine": True}}


def test_a_diff_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.yaml").write_text(POLICY.replace("timeout_s: 6", "timeout_s: 7"), "utf-8")
    before = (folder / JSON).read_bytes()
    assert run(["export-config", "--diff"]) == 0
    out = capsys.readouterr().out
    assert '-      "timeout_s": 6.0' in out
    assert '+      "timeout_s": 7.0' in out
    assert (folder / JSON).read_bytes() == before


def test_a_check_takes_less_than_a_second(folder: Path) -> None:
    """Of a processor: what else the machine does is left out."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "costctl", "export-config", "--check"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 1


def test_an_unknown_target_or_loss_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export-config", "--target", "jsn"]) == 2
    assert "did you mean json?" in capsys.readouterr().err
    Path("policy.yaml").write_text(POLICY.replace("[json, runbook]", "[json], accept_loss: [fallback]"), "utf-8")
    assert run(["export-config"]) == 2
    assert "export.accept_loss[0]: unknown part of a policy, did you mean fallbacks?" in capsys.readouterr().err
