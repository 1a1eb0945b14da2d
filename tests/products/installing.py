"""The products that exports are tried against: where they lie, and how they are installed.

A product is a file `requirements/<name>.txt` (Python, every file with its hash) or a folder `requirements/<name>/` with
`package.json` and `package-lock.json` (Node, every package with its integrity). It is installed below `.products/`, or
below the folder that `PRODUCTS_DIR` names, and its tests are `test_<name>.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements")
QUICK: tuple[str, ...] = ("litellm", "claude-code-router", "claude-code-router-v3", "portkey")
"""The products that CI installs and tries with every change; the others are big or slow."""
_STAMP = "installed.sha256"


def products() -> list[str]:
    """The names of all products."""
    python = {path.stem for path in REQUIREMENTS.glob("*.txt")}
    return sorted(python | {path.parent.name for path in REQUIREMENTS.glob("*/package-lock.json")})


def place_of(name: str) -> Path:
    """The folder that a product is installed in: a virtual environment, or one with `node_modules`."""
    return Path(os.environ.get("PRODUCTS_DIR") or ROOT / ".products").absolute() / name


def python_of(name: str) -> Path:
    """The Python of a product's virtual environment."""
    return place_of(name) / "bin" / "python"


def is_installed(name: str) -> bool:
    """Whether a product is there as its requirements say now."""
    stamp = place_of(name) / _STAMP
    return stamp.is_file() and stamp.read_text("utf-8") == _digest(name)


def can_run(name: str) -> bool:
    """Whether this machine has what runs a product: Node is not everywhere."""
    return (REQUIREMENTS / f"{name}.txt").is_file() or all(shutil.which(one) for one in ("node", "npm"))


def tests_of(name: str) -> Path:
    """The tests of a product."""
    return Path(__file__).with_name(f"test_{name.replace('-', '_')}.py")


def install(name: str) -> None:
    """Put a product into its place, with nothing but what its requirements pin.

    Raises:
        CalledProcessError: where pip or npm refuses, such as for a file with another hash.
    """
    place = place_of(name)
    shutil.rmtree(place, ignore_errors=True)
    listed = REQUIREMENTS / f"{name}.txt"
    if listed.is_file():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [python_of(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", listed], check=True)
    else:
        place.mkdir(parents=True)
        for path in _pinned(name):
            shutil.copy(path, place)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, check=True)
    (place / _STAMP).write_text(_digest(name), "utf-8")


def _pinned(name: str) -> list[Path]:
    """The files that say what a product is made of."""
    listed = REQUIREMENTS / f"{name}.txt"
    folder = REQUIREMENTS / name
    return [listed] if listed.is_file() else [folder / "package.json", folder / "package-lock.json"]


def _digest(name: str) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in _pinned(name))).hexdigest()
