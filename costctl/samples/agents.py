"""Histories of coding agents: Codex CLI, Gemini CLI."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, iso, write_lines
from costctl.samples.traced import hexes, uuid

CODEX_MODELS = ("gpt-5.2-codex", "gpt-5.1-codex-mini")
GEMINI_MODELS = ("gemini-2.5-pro", "gemini-2.5-flash")
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


def write_gemini(path: Path, rng: Random) -> Counts:
    """A session in lines: an answer written in two states, an error, a message that was rewound, a changed head."""
    counts = Counts()
    lines: list[Record | str] = [{
        "sessionId": uuid(rng), "projectHash": hexes(rng, 64), "startTime": iso(at(0)), "lastUpdated": iso(at(0)),
        "kind": "main", "directories": [FOLDER],
    }]  # fmt: skip
    counts.other(ignored=1)

    def say(minute: float, kind: str, **members: object) -> Record:
        return {"id": uuid(rng), "timestamp": iso(at(minute)), "type": kind, "content": ASKED, **members}

    for turn in range(10):
        lines.append(say(turn, "user"))
        counts.other(ignored=1)
        if turn == 6:
            lines.append(say(turn + 0.2, "error", content="overloaded"))
            counts.other(ignored=1)
            continue
        cached, thoughts, tool = rng.randrange(4) * 512, rng.randrange(3) * 90, 30 if turn == 4 else 0
        given, output = cached + rng.randrange(400, 3000), rng.randrange(40, 600)
        tokens = {"input": given, "output": output, "cached": cached, "thoughts": thoughts, "tool": tool,
                  "total": given + output + thoughts + tool}  # fmt: skip
        answer = say(turn + 0.3, "gemini", model=GEMINI_MODELS[turn % 2], tokens=tokens)
        if turn == 2:
            lines.append({name: value for name, value in answer.items() if name != "tokens"})
            counts.other(ignored=1)
        lines.append(answer)
        counts.request(given + tool, output + thoughts, cache_read=cached, reasoning=thoughts)
        if turn == 7:
            lines.append({"$rewindTo": answer["id"]})
            counts.other(ignored=1)
        if turn == 3:
            lines.append({"$set": {"lastUpdated": iso(at(turn + 0.4))}})
            counts.other(ignored=1)
    write_lines(path, lines)
    return counts
