"""What the documents say is so: commands, screens, options, files."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

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
