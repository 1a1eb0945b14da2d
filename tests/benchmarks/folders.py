"""A folder of many small files, beside one file that holds the same lines."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from uuid import UUID

from costctl.samples.claude_code import SESSION, write_transcript
from tests.benchmarks.measure import costctl, timed

RUNS = 3


def transcripts(folder: Path, count: int) -> tuple[Path, Path]:
    """That many Claude Code transcripts in folders of a hundred, and one file of all their lines."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "whole.jsonl"
    with whole.open("wb") as file:
        for number in range(count):
            path = folder / "projects" / f"p{number // 100}" / f"s{number}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_transcript(path, Random(f"transcript:{number}"))
            path.write_text(path.read_text("utf-8").replace(SESSION, str(UUID(int=number))), "utf-8")
            file.write(path.read_bytes())
    return folder / "projects", whole


def folder_against_file(folder: Path, count: int) -> tuple[float, float]:
    """Seconds of a first audit of the folder and of the one file: the best of runs that take turns."""
    many, one = transcripts(folder, count)
    seconds: dict[Path, list[float]] = {many: [], one: []}
    for _ in range(RUNS):
        for log, taken in seconds.items():
            shutil.rmtree(folder / ".costctl", ignore_errors=True)
            taken.append(timed(costctl("audit", str(log), "--output", "json"), folder))
    return min(seconds[many]), min(seconds[one])
