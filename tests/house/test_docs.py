"""What the documents say is so: commands, screens, options, files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.cli import run
from costctl.cli.app import option_names
from tests.support import ROOT

DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "pricing/README.md",
    "sample_logs/README.md",
    "docs/ci.md",
    "docs/learned-routing.md",
    "docs/tiers.md",
    "docs/worked-plan.md",
)


def test_the_screen_of_the_readme_is_what_the_command_prints() -> None:
    done = subprocess.run([sys.executable, ".ci/readme_screen.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_is_in_the_readme_and_every_one_there_exists() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = set(option_names()) | {"prices", "policy"}
    for name in commands:
        assert re.search(rf"`?{name}\b", readme), name
    assert set(re.findall(r"(?m)^costctl ([\w-]+)", readme)) <= commands


def test_every_option_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    help_text = "".join(
        subprocess.run(
            [sys.executable, "-m", "costctl", *name.split(), "--help"], capture_output=True, text=True, cwd=ROOT
        ).stdout
        for name in (*option_names(), "prices show", "formats check")
    )
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL))
    for option in {
        word for word in re.findall(r"(?<![\w-])--[a-z-]+", shell) if word not in {"--quiet", "--editable", "--dist"}
    }:
        assert option in help_text, option


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_and_path_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (folder / target).exists(), target
    for path in re.findall(r"`((?:costctl|pricing|tests|sample_logs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_worked_plan_costs_what_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own files and commands, with a hundredth of the requests."""
    page = (ROOT / "docs" / "worked-plan.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", page, re.DOTALL):
        Path(name).write_text(text.replace("1_000_000", "10_000"), "utf-8")
    subprocess.run([sys.executable, "plan.py"], check=True)
    (shell,) = re.findall(r"```sh\npython plan.py\n(.*?)```", page, re.DOTALL)
    rows = re.findall(r"(?m)^\| (.*?) \| \$([\d,.]+) \| (\d+) % \|$", page)
    costs = {name: (Decimal(cost.replace(",", "")) / 100, int(hits) / 100) for name, cost, hits in rows}
    commands = [line.split()[1:] for line in shell.splitlines()]
    assert [f"`{command[-1]}`" for command in commands] == list(costs)[1:]
    for command in commands:
        assert run([*command, "--output", "json", "-o", "run.json"]) == 0
        totals = json.loads(Path("run.json").read_text("utf-8"))["totals"]
        found = Decimal(totals["policy_cost_usd"]), totals["exact_hit_ratio"]
        assert found == costs[f"`{command[-1]}`"]
        assert (Decimal(totals["baseline_cost_usd"]), 0) == costs["as logged, all on GPT-4o"]
        stages = {row["stage"]: row for row in json.loads(Path("run.json").read_text("utf-8"))["tables"]["waterfall"]}
    assert [stages[name]["change_usd"][:6] for name in ("exact_cache", "route")] == ["-62.50", "-38.50"]
