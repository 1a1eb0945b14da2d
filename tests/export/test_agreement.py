"""How often a target decides as the policy: measured on the user's log, and "not measured" without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from costctl.export.measuring import TextTake
from costctl.export.reading import Told, by_signals
from costctl.export.vllm_plan import planned
from tests.export.test_targets import given
from tests.export.test_vllm import asked_in_story, config_of, decided
from tests.policy.example import EXAMPLE
from tests.products.story import POLICY
from tests.support import ROOT

pytestmark = pytest.mark.xdist_group("agreement")  # one measurement serves all
STORY = str(ROOT / "sample_logs" / "story.jsonl.gz")
TARGETS = [
    "litellm",
    "litellm-plugin",
    "claude-code-router",
    "claude-code-router-v3",
    "vllm-semantic-router",
    "portkey",
]
EXPORT = f"export: {{targets: [{', '.join(TARGETS)}]}}\n"


class House:
    """A folder with a policy, its workspace and its exports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy.yaml"
        self.policy.write_text(POLICY + EXPORT, "utf-8")

    def report(self, *more: str, code: int = 0) -> dict[str, Any]:
        """The report of one export."""
        out = self.folder / "report.json"
        paths = ["--policy", str(self.policy), "--folder", str(self.folder / "router")]
        command = ["export-config", *paths, "--db", str(self.folder / "c.duckdb"), *more]
        assert run([*command, "--output", "json", "--out", str(out)]) == code
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return found

    @property
    def lock(self) -> bytes:
        """The lock of the exports."""
        return (self.folder / "router" / "costctl-export.lock.json").read_bytes()


def table(report: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a table."""
    found: list[dict[str, Any]] = report["tables"][name]
    return found


def alike(report: dict[str, Any], name: str = "agreement") -> dict[str, tuple[int, int]]:
    """The counts of each target."""
    return {row["target"]: (row["alike_count"], row["call_count"]) for row in table(report, name)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def measured(house: House) -> dict[str, Any]:
    return house.report("--log", STORY)


def test_each_target_is_measured_on_all_calls_of_the_log(measured: dict[str, Any]) -> None:
    """A router that counts tokens decides every call alike; one that does not misses most of the long ones."""
    assert alike(measured) == {
        "litellm": (4_143, 5_743), "litellm-plugin": (4_635, 5_743), "claude-code-router": (5_743, 5_743),
        "claude-code-router-v3": (5_743, 5_743), "vllm-semantic-router": (4_625, 5_743), "portkey": (None, None),
    }  # fmt: skip


def test_a_part_is_measured_on_the_calls_that_it_decides(measured: dict[str, Any]) -> None:
    """1,558 calls are long by their count of tokens, which LiteLLM is not told."""
    of_part = {(row["target"], row["part"]): row for row in table(measured, "losses")}
    rules = of_part["litellm-plugin", "routing.rules"]
    assert (rules["kind"], rules["alike_count"], rules["call_count"]) == ("approximated", 450, 1_558)
    assert rules["agreement_ratio"] == pytest.approx(450 / 1_558, abs=1e-6)
    nobody = of_part["claude-code-router", "routing.floors"]
    assert (nobody["alike_count"], nobody["call_count"], nobody["agreement_ratio"]) == (0, 0, None)
    assert of_part["litellm", "tiers.temperature"]["call_count"] is None


def test_what_was_measured_stays_until_the_policy_changes(
    house: House, measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = house.lock
    again = house.report()
    assert alike(again) == alike(measured)
    assert house.lock == before
    assert house.report("--check")["totals"]["drift_count"] == 0
    house.policy.write_text(POLICY.replace("max_output_tokens: 400", "max_output_tokens: 500") + EXPORT, "utf-8")
    try:
        assert set(alike(house.report("--check", code=5)).values()) == {(None, None)}
        capsys.readouterr()
        paths = ["--policy", str(house.policy), "--folder", str(house.folder / "router"), "--check"]
        assert run(["export-config", *paths]) == 5
        said = capsys.readouterr().out
        assert "DROPPED" not in said
        assert "AGREEMENT" not in said
        assert run(["export-config", *paths, "--verbose"]) == 5
        said = " ".join(capsys.readouterr().out.split())
        assert "claude-code-router: not measured: --log LOG, or --measure; it decides by our decision" in said
        assert "portkey: not measured" not in said
    finally:
        house.policy.write_text(POLICY + EXPORT, "utf-8")


def test_a_simulation_measures_what_it_exports(
    house: House, measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out, made = house.folder / "run.json", house.folder / "made"
    command = ["simulate", "--policy", str(house.policy), "--db", str(house.folder / "c.duckdb"), "--export", str(made)]
    assert run([*command, "--output", "json", "--out", str(out)]) == 0
    assert alike(json.loads(out.read_text("utf-8")), "export_agreement") == alike(measured)
    assert (made / "costctl-export.lock.json").read_bytes() == house.lock
    assert alike(house.report("--measure")) == alike(measured)
    capsys.readouterr()
    assert run(command) == 0
    assert "4,143 of 5,743 calls decide alike (72.1 %)" in " ".join(capsys.readouterr().out.split())


def test_a_profile_has_no_texts_and_nothing_is_measured(house: House, measured: dict[str, Any], tmp_path: Path) -> None:
    assert measured
    profile = tmp_path / "profile.parquet"
    assert run(["profile", STORY, "-o", str(profile), "--db", str(tmp_path / "p.duckdb")]) == 0
    found = House(tmp_path).report("--log", str(profile))
    assert set(alike(found).values()) == {(None, None)}
    told = [row["not_measured"] for row in found["tables"]["agreement"]]
    assert told == ["no call with a text could go elsewhere (a profile has no texts)"] * len(told)


def test_a_diff_measures_nothing(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export-config", "--policy", str(house.policy), "--diff", "--measure"]) == 2
    assert "E473" in capsys.readouterr().err


def test_signals_are_read_as_the_exported_file_has_them() -> None:
    """The lane by the plan is the first model of the decision that the file gives, of 300 calls of the story."""
    resolved, config = given(EXAMPLE), config_of(EXAMPLE)
    plan = planned(resolved)
    calls = asked_in_story(300)
    told = []
    for call in calls:
        beside = {"endpoint": call.get("endpoint"), "prompt_chars": 4 * (call.get("input_tokens") or 0)}
        told.append(Told(call["messages"][-1]["content"], beside))
    lanes = by_signals(plan, plan.steps[-1].lane).of(told)
    first = {one["name"]: one["modelRefs"][0]["model"] for one in config["routing"]["decisions"]}
    for call, lane in zip(calls, lanes, strict=True):
        metadata = {"endpoint": call["endpoint"]} if call.get("endpoint") else {}
        name = decided(config, call["messages"][-1]["content"], call.get("input_tokens") or 0, **metadata)
        assert first[name].endswith(resolved.lane(str(lane)).models[0].model.rpartition("/")[2])


def test_of_a_long_log_a_checksum_of_the_text_picks() -> None:
    messages = [{"role": "user", "content": "hola"}]
    assert TextTake(2**32)(messages, None, None) == "hola"
    assert TextTake(0)(messages, None, None) is None
    assert TextTake(2**32)([], None, None) is None
