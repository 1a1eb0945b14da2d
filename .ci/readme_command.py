"""Print the command of the README that is marked `<!-- command: NAME -->`."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def command(name: str, readme: str) -> str:
    """The shell block that follows the mark."""
    found = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", readme, re.DOTALL)
    if found is None:
        raise SystemExit(f"the README marks no command {name!r}")
    return found[1].replace("\\\n", " ").strip()


if __name__ == "__main__":
    sys.stdout.write(command(sys.argv[1], Path("README.md").read_text("utf-8")) + "\n")
