"""Wall time and peak memory of a command and all its processes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

# An installed package has its bytecode; a checkout that may not write it would be compiled at each start.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "costctl-bytecode")
}


class Measured(NamedTuple):
    """Seconds, and MiB of proportional memory (PSS) at the highest moment of the whole tree."""

    seconds: float
    peak_mib: float


class Claim(NamedTuple):
    """What was measured and what was promised; `kept` is None for a figure without a target."""

    name: str
    measured: str
    target: str
    kept: bool | None


def processor_s(arguments: list[str], folder: Path) -> float:
    """Seconds of the processor that a command and its processes take: other work on the machine adds little to it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    timed(arguments, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timed(arguments: list[str], folder: Path) -> float:
    """Seconds of wall time of a command; nothing watches it, since watching costs time too."""
    started = time.perf_counter()
    subprocess.run(arguments, cwd=folder, stdout=subprocess.DEVNULL, check=True, env=_ENVIRONMENT)
    return time.perf_counter() - started


def measured(arguments: list[str], folder: Path) -> Measured:
    """Run a command in a folder, looking at its memory ten times a second."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, env=_ENVIRONMENT)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_pss_kib(pid) for pid in _tree(process.pid)))
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return Measured(seconds, peak / 1024)


def costctl(*arguments: str) -> list[str]:
    """The command line of this interpreter's costctl."""
    return [sys.executable, "-m", "costctl", *arguments]


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return [pid]
    return [pid, *(inner for child in children for inner in _tree(int(child)))]


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
