"""The screens of the README, from the real command; `--write` puts them there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SCREEN = re.compile(r"(<!-- screen: (.+?) -->\n```\n)(.*?)(```)", re.DOTALL)


def screen(command: str) -> str:
    """What a command prints on a terminal 80 columns wide, in a workspace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-m", "costctl", *command.split(), "--db", str(Path(folder) / "costctl.duckdb")]
        environment = {**os.environ, "COLUMNS": "80"}
        return subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment).stdout


def renewed(readme: str) -> str:
    """The README with every screen as the command prints it now."""
    return SCREEN.sub(lambda found: found[1] + screen(found[2]) + found[4], readme)


if __name__ == "__main__":
    path = Path("README.md")
    text = path.read_text("utf-8")
    new = renewed(text)
    if "--write" in sys.argv:
        path.write_text(new, "utf-8")
    elif new != text:
        raise SystemExit("a screen of the README is out of date: python .ci/readme_screen.py --write")
