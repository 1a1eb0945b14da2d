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
from costctl.policy.describe import policy_digest

POLICY = """version: 1
name: mine
tiers: {A: {models: [gpt-4o-mini], timeout_s: 6}, B: {models: [gpt-4o]}}
routing: {default: A, rules: [{name: long, when: {input_tokens: '>2000'}, to: B}]}
fallbacks: {B: [A]}
export: {targets: [json, runbook]}
"""
JSON = "json/costctl-policy.resolved.json"
LITELLM, PORTKEY = "litellm-plugin/config.yaml", "portkey/config.json"


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


def test_both_digests_of_a_policy_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs name the file, exported files what routers carry out: a comment changes the first alone."""
    ours = (folder / "runbook/RUNBOOK.md").read_text("utf-8").partition("policy ")[2][:8]
    for _ in range(2):
        assert run(["export-config", "--check"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert f"mine #{policy_digest(Path('policy.yaml'))[:8]}, files #{ours} of router/" in said
        Path("policy.yaml").write_text(Path("policy.yaml").read_text("utf-8") + "# a comment\n", "utf-8")


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
    assert (code, drift[0]["path"], drift[0]["cause"]) == (5, path, "no lock" if path == LOCK else "hand edit")


def test_a_key_is_a_hand_edit_only_where_it_is_not_what_was_exported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policy gives B a timeout, somebody raises A's: each key has its own cause, in one file."""
    text = (folder / JSON).read_text("utf-8")
    (folder / JSON).write_text(text.replace('"timeout_s": 6.0', '"timeout_s": 60.0'), "utf-8")
    policy = Path("policy.yaml").read_text("utf-8")
    Path("policy.yaml").write_text(policy.replace("timeout_s: 6}, B: {", "timeout_s: 6}, B: {timeout_s: 9, "), "utf-8")
    code, drift = checked(capsys)
    causes = {row["key"]: row["cause"] for row in drift if row["path"] == JSON}
    assert code == 5
    assert causes["lanes[A].timeout_s"] == "hand edit"
    assert causes["lanes[B].timeout_s"] == "policy"
    assert list(causes.values()).count("hand edit") == 1
    assert run(["export-config", "--diff"]) == 0
    assert f"+++ router/{JSON} (as exported now; cause: policy, hand edit)" in capsys.readouterr().out


def test_an_export_says_which_hand_edits_it_writes_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_targets("json", "litellm-plugin")
    assert run(["export-config"]) == 0
    text = (folder / LITELLM).read_text("utf-8")
    assert "timeout: 6\n" in text
    (folder / LITELLM).write_text(
        "# raised after incident 12\n" + text.replace("timeout: 6\n", "timeout: 9\n", 1), "utf-8"
    )
    capsys.readouterr()
    assert run(["export-config", "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    first, second = found["tables"]["undone"]
    assert first["key"].endswith("timeout")
    assert first["says"] == "is 9, not 6"
    assert second["says"] == "has 1 comment that no export keeps"
    (said,) = [one for one in found["warnings"] if one["code"] == "W315"]
    assert said["message"].startswith(f"2 hand edits are written over: {LITELLM}: ")
    assert run(["export-config", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"]["undone"] == []


def test_nothing_exported_is_a_cause_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there, a lock that is not, and one that is no JSON: nobody edited anything."""
    assert run(["export-config", "--check", "--folder", "rooter"]) == 5
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  NOT IN STEP: 1 difference, cause: no folder"
    assert "there is no such folder" in lines[2]
    assert "--folder FOLDER" in " ".join(lines[3:5])
    (folder / LOCK).write_text("{]", "utf-8")
    code, (row,) = checked(capsys)
    assert (code, row["path"], row["cause"]) == (5, LOCK, "broken lock")
    assert row["says"].startswith("is no JSON: ")


@pytest.mark.parametrize(("path", "more", "says"), [
    (JSON, "{", "is no JSON any more: Extra data"), (LITELLM, "\n: [", "is no YAML any more: "),
])  # fmt: skip
def test_a_file_that_no_router_can_read_is_called_so(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, more: str, says: str
) -> None:
    with_targets("json", "litellm-plugin")
    assert run(["export-config"]) == 0
    capsys.readouterr()
    with (folder / path).open("a", encoding="utf-8") as file:
        file.write(more)
    code, (row,) = checked(capsys)
    assert (code, row["path"], row["cause"]) == (5, path, "hand edit")
    assert row["says"].startswith(says)
    assert "line" in row["says"]


def test_another_version_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = json.loads((folder / LOCK).read_text("utf-8"))
    for entry in lock["targets"].values():
        entry["costctl"] = "0.0.1"
    runbook = (folder / "runbook/RUNBOOK.md").read_text("utf-8").replace("costctl 0.1.0", "costctl 0.0.1")
    (folder / "runbook/RUNBOOK.md").write_text(runbook, "utf-8")
    lock["targets"]["runbook"]["files"]["runbook/RUNBOOK.md"] = files.digest_of(runbook)
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
    tree = files.Tree({"x/config.yaml": "# ours\na: 1\nb: {c: 2}\n"}, {"x": {"files": {"x/config.yaml": ""}}})
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


LIBRARIES = "import numpy, polars, pydantic, typer, yaml\nclass One(pydantic.BaseModel): at: int"
SECOND_OF_LIBRARIES = 2.4
"""A second, where to load the libraries alone takes 0.42 s; what else the machine does slows both alike."""


def test_a_check_takes_less_than_a_second(folder: Path) -> None:
    """Of a processor, beside Python with the libraries that any command loads."""
    check = ("-m", "costctl", "export-config", "--check")
    spent: dict[tuple[str, ...], list[float]] = {check: [], ("-c", LIBRARIES): []}
    for _ in range(4):
        for command, times in spent.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    ours, libraries = map(min, spent.values())
    assert ours < SECOND_OF_LIBRARIES * libraries


def test_an_unknown_target_or_loss_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export-config", "--target", "jsn"]) == 2
    assert "did you mean json?" in capsys.readouterr().err
    Path("policy.yaml").write_text(POLICY.replace("[json, runbook]", "[json], accept_loss: [fallback]"), "utf-8")
    assert run(["export-config"]) == 2
    assert "export.accept_loss[0]: unknown part of a policy, did you mean fallbacks?" in capsys.readouterr().err


def with_targets(*names: str) -> None:
    """The policy with these targets."""
    Path("policy.yaml").write_text(POLICY.replace("[json, runbook]", f"[{', '.join(names)}]"), "utf-8")


def test_one_target_is_checked_and_written_without_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in step is so target by target, and the lock keeps what it says of the one that is not asked for."""
    lock = json.loads((folder / LOCK).read_text("utf-8"))
    assert checked(capsys, "--target", "runbook") == (0, [])
    (folder / JSON).write_text("{}", "utf-8")
    assert checked(capsys, "--target", "runbook") == (0, [])
    code, drift = checked(capsys, "--target", "json")
    assert (code, {row["path"] for row in drift}, {row["cause"] for row in drift}) == (5, {JSON}, {"hand edit"})
    Path("policy.yaml").write_text(POLICY.replace("timeout_s: 6", "timeout_s: 7"), "utf-8")
    assert run(["export-config", "--target", "runbook"]) == 0
    assert (folder / JSON).read_text("utf-8") == "{}"
    after = json.loads((folder / LOCK).read_text("utf-8"))
    assert after["targets"]["json"] == lock["targets"]["json"]
    assert after["targets"]["runbook"] != lock["targets"]["runbook"]
    capsys.readouterr()
    code, drift = checked(capsys)
    assert (code, {row["path"] for row in drift}) == (5, {JSON, "json/costctl_route.py"})
    assert run(["export-config", "--target", "runbook", "--check"]) == 0
    assert "  not looked at: json (leave out --target)" in capsys.readouterr().out.splitlines()


def test_a_target_that_was_never_exported_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_targets("json", "runbook", "portkey")
    code, drift = checked(capsys)
    assert code == 5
    assert {row["cause"] for row in drift} == {"policy"}
    assert (drift[0]["key"], drift[0]["says"]) == ("targets.portkey", "is missing: this target was not exported here")
    assert checked(capsys, "--target", "portkey", "--write")[0] == 0
    assert checked(capsys) == (0, [])


def test_a_target_that_the_policy_drops_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its files are of no use any more; nothing is deleted, and nobody is told that all is in step before that."""
    with_targets("json")
    code, drift = checked(capsys)
    assert code == 5
    assert [(row["path"], row["cause"], row["says"]) for row in drift] == [
        ("runbook/RUNBOOK.md", "policy", "is not exported any more")
    ]
    assert run(["export-config", "--output", "json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["warnings"]
    assert said["code"] == "W281"
    assert said["message"] == "1 file of an earlier export is not checked any more: runbook/RUNBOOK.md"
    assert (folder / "runbook/RUNBOOK.md").is_file()
    assert checked(capsys) == (0, [])


def test_what_no_router_carries_out_is_no_drift(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comment, the spelling, a gate: every file keeps its bytes."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    spelled = POLICY.replace(
        "{A: {models: [gpt-4o-mini], timeout_s: 6}, B", "{A: {timeout_s: 6, models: [gpt-4o-mini]}, B"
    )
    Path("policy.yaml").write_text(f"# a note\n{spelled}gates: ['call_count >= 1']\n", "utf-8")
    assert checked(capsys) == (0, [])
    assert run(["export-config"]) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_keys_of_others_stay_however_often_it_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what our own text does not have any more goes, though nobody touched the file."""
    content = json.loads((folder / JSON).read_text("utf-8"))
    (folder / JSON).write_text(json.dumps(content | {"owner": "team x"}), "utf-8")
    for seconds in ("7", "8", "9"):
        Path("policy.yaml").write_text(POLICY.replace("timeout_s: 6", f"timeout_s: {seconds}"), "utf-8")
        assert run(["export-config"]) == 0
        assert json.loads((folder / JSON).read_text("utf-8"))["owner"] == "team x"
    capsys.readouterr()
    assert run(["export-config", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"]["foreign"] == [{"path": JSON, "key": "owner"}]
    Path("policy.yaml").write_text(POLICY.replace("fallbacks: {B: [A]}\n", ""), "utf-8")
    assert run(["export-config"]) == 0
    kept = json.loads((folder / JSON).read_text("utf-8"))
    assert (kept["owner"], kept["fallbacks"]) == ("team x", {})
    capsys.readouterr()
    assert checked(capsys) == (0, [])


def test_a_key_of_others_that_changes_who_answers_is_drift(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second deployment of our alias, what is put inside our entries, and anything in a file that is all ours."""
    with_targets("litellm-plugin", "portkey")
    assert run(["export-config"]) == 0
    config = yaml.safe_load((folder / LITELLM).read_text("utf-8"))
    (own,) = [one for one in config["model_list"] if one["model_name"] == "tier-b"]
    own["litellm_params"] |= {"mock_response": "hi", "max_budget": 0.01}
    second = {"model_name": own["model_name"], "litellm_params": {"model": "openai/o1"}, "model_info": {"id": "mine"}}
    config["model_list"] += [second, {"model_name": "theirs", "litellm_params": {"model": "openai/o1"}}]
    config["router_settings"]["allowed_fails"] = 3
    (folder / LITELLM).write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    gateway = json.loads((folder / PORTKEY).read_text("utf-8"))
    (folder / PORTKEY).write_text(json.dumps(gateway | {"override_params": {"model": "o1"}}), "utf-8")
    capsys.readouterr()
    assert run(["export-config", "--check", "--output", "json"]) == 5
    found = json.loads(capsys.readouterr().out)
    place = f"model_list[{own['model_info']['id']}].litellm_params"
    inside, beside = "is not ours, and changes what our entry does", "is not ours, and answers under a name of ours"
    assert {(row["path"], row["key"], row["says"]) for row in found["tables"]["drift"]} == {
        (LITELLM, f"{place}.mock_response", inside),
        (LITELLM, f"{place}.max_budget", inside),
        (LITELLM, "model_list[mine]", beside),
        (PORTKEY, "override_params", inside),
    }
    assert {row["cause"] for row in found["tables"]["drift"]} == {"hand edit"}
    left_alone = [(LITELLM, "model_list[theirs]"), (LITELLM, "router_settings.allowed_fails")]
    assert [(row["path"], row["key"]) for row in found["tables"]["foreign"]] == left_alone
    (said,) = found["warnings"]
    assert said["hint"]
    assert all(key in said["message"] for _, key in left_alone)
    assert run(["export-config", "--check", "--write"]) == 0
    assert "  NOT OURS, left alone: 2 keys" in capsys.readouterr().out.splitlines()
    assert checked(capsys) == (0, [])
    mended = yaml.safe_load((folder / LITELLM).read_text("utf-8"))
    assert "mock_response" not in str(mended)
    assert [one["model_name"] for one in mended["model_list"]].count(own["model_name"]) == 1
    assert mended["router_settings"]["allowed_fails"] == 3
    assert "override_params" not in json.loads((folder / PORTKEY).read_text("utf-8"))


def test_a_folder_in_place_of_a_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / JSON).unlink()
    (folder / JSON).mkdir()
    _, drift = checked(capsys)
    assert [(row["path"], row["says"]) for row in drift] == [(JSON, "is a folder, not a file")]
    assert run(["export-config"]) == 2
    said = capsys.readouterr().err
    assert f"cannot write router/{JSON}: a folder stands in its place" in said
    assert "--folder FOLDER" in said


def test_annotations_stand_at_the_files_that_there_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A drift at the exported file, a warning at the policy, whatever it is called."""
    content = json.loads((folder / JSON).read_text("utf-8"))
    (folder / JSON).write_text(json.dumps(content | {"owner": "team x", "default": "B"}), "utf-8")
    Path("policy.yaml").rename("ours.yaml")
    assert run(["export-config", "--check", "--policy", "ours.yaml", "--output", "github"]) == 5
    drift, warning = capsys.readouterr().out.splitlines()
    assert drift.startswith(f"::error file=router/{JSON},title=drift%3A default::")
    assert warning.startswith("::notice file=ours.yaml,title=W280::")


@pytest.mark.parametrize("form", ["json", "markdown", "github"])
def test_a_diff_has_one_form(folder: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert run(["export-config", "--diff", "--output", form]) == 2
    assert "E473" in capsys.readouterr().err
    Path("policy.yaml").write_text(POLICY.replace("timeout_s: 6", "timeout_s: 7"), "utf-8")
    assert run(["export-config", "--diff", "-o", "change.diff"]) == 0
    assert capsys.readouterr().out == ""
    assert '+      "timeout_s": 7.0' in Path("change.diff").read_text("utf-8")


def test_what_strict_proposes_is_a_policy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The remedy is pasted as it stands, with parts that have a colon in their names."""
    text = POLICY.replace("export: {targets: [json, runbook]}\n", "budgets: {usd_per_day: [{tier: B, max: 5}]}\n")
    with_portkey = ["export-config", "--strict", "--target", "portkey", "--folder", "other"]
    Path("policy.yaml").write_text(text, "utf-8")
    assert run(with_portkey) == 5
    said = " ".join(capsys.readouterr().err.split())
    remedy = said.partition("in the policy: ")[2].partition("]}")[0] + "]}"
    assert '"budgets.usd_per_day: tier"' in remedy
    assert "targets: [portkey]" in remedy
    Path("policy.yaml").write_text(f"{text}{remedy}\n", "utf-8")
    assert run(with_portkey) == 0
