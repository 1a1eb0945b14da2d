"""Public traces of inference services, in their shapes: Azure's and BurstGPT's CSV."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import at

REQUESTS = 24


def write_azure(path: Path, rng: Random) -> Counts:
    """Times with seven digits and no zone."""
    counts = Counts()
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for number in range(REQUESTS):
        moment = at(0) + timedelta(seconds=number * 2, microseconds=rng.randrange(1_000_000))
        given, output = rng.randrange(50, 4000), rng.randrange(10, 700)
        lines.append(f"{moment:%Y-%m-%d %H:%M:%S.%f}{rng.randrange(10)},{given},{output}")
        counts.request(given, output)
    _write(path, lines)
    return counts


def write_burstgpt(path: Path, rng: Random) -> Counts:
    """Seconds since the trace began; an answer of no tokens is a failure."""
    counts = Counts()
    lines = ["Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type"]
    for number in range(REQUESTS):
        given, output = rng.randrange(50, 3000), 0 if number % 8 == 5 else rng.randrange(10, 900)
        model, kind = ("GPT-4", "API log") if number % 3 else ("ChatGPT", "Conversation log")
        lines.append(f"{number * 7 + 5}.0,{number // 4},{rng.randrange(1, 60)},{model},{given},{output},"
                     f"{given + output},{kind}")  # fmt: skip
        counts.request(given, output, is_error=not output)
    _write(path, lines)
    return counts


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
