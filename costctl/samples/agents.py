"""Histories of coding agents: Codex CLI."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, iso, write_lines
from costctl.samples.traced import uuid

CODEX_MODELS = ("gpt-5.2-codex", "gpt-5.1-codex-mini")
FOLDER = "/home/dev/timetable"
ASKED = "ordena los imports del buscador"
_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")


def write_codex(path: Path, rng: Random) -> Counts:
    """Turns of two models; some states of the counter are told twice, some rows tell limits alone."""
    counts = Counts()
    lines: list[Record | str] = []
    total = dict.fromkeys(_COUNTS, 0)

    def add(kind: str, payload: Record, *, ignored: bool = True) -> None:
        lines.append({"timestamp": iso(at(len(lines) * 0.3)), "type": kind, "payload": payload})
        counts.other(ignored=int(ignored))

    add("session_meta", {"id": uuid(rng), "cwd": FOLDER, "cli_version": "0.98.0", "model_provider": "openai"})
    for turn in range(8):
        add("turn_context", {"cwd": FOLDER, "model": CODEX_MODELS[turn % 2], "effort": "medium"})
        said = {"type": "input_text", "text": ASKED}
        add("response_item", {"type": "message", "role": "user", "content": [said]})
        for _ in range(1 + turn % 3):
            last = _codex_request(rng)
            total = {name: total[name] + last[name] for name in _COUNTS}
            state = {"type": "token_count", "info": {"total_token_usage": total, "last_token_usage": last}}
            add("event_msg", state, ignored=False)
            counts.request(
                last["input_tokens"], last["output_tokens"], cache_read=last["cached_input_tokens"],
                reasoning=last["reasoning_output_tokens"],
            )  # fmt: skip
        if turn % 3 == 1:
            add("event_msg", state)
            add("event_msg", {"type": "token_count", "info": None, "rate_limits": {"primary": {"used_percent": 7.0}}})
    write_lines(path, lines)
    return counts


def _codex_request(rng: Random) -> Record:
    fresh, cached, reasoning = rng.randrange(300, 2000), rng.randrange(40, 90) * 128, rng.randrange(5) * 64
    output = reasoning + rng.randrange(60, 700)
    return dict(zip(_COUNTS, (fresh + cached, cached, output, reasoning, fresh + cached + output), strict=True))
