"""Claude Code: a transcript with growing snapshots, a sub-agent, a replay and an API error."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, iso, new_id, write_lines

MODEL = "claude-sonnet-4-5-20250929"
SESSION = "5d0c9a52-0b1e-4c6f-9a64-3f2f7b1d8e10"
ASKED = (
    "agrega la ruta de ferris al buscador", "ahora corre los tests", "write a test for the timetable parser",
    "why does the import fail?",
    "ordena los imports y sube el cambio", "document the new endpoint",
)  # fmt: skip
SNAPSHOTS = 3


def write_transcript(path: Path, rng: Random) -> Counts:
    """Six prompts; each answer stands in several rows, of which the last knows all its output."""
    counts = Counts()
    minute = count()
    lines: list[Record] = [
        {"type": "summary", "summary": "Ferries in the timetable search", "leafUuid": new_id(rng, "leaf-")}
    ]
    counts.other(ignored=1)
    for turn, text in enumerate(ASKED):
        lines.append(_user(rng, next(minute), text))
        counts.other(ignored=1)
        usage = _usage(rng, turn)
        rows = _answer(rng, next(minute), usage, is_sidechain=False)
        lines += rows
        _count(counts, usage)
        counts.other(merged=SNAPSHOTS - 1)
        if turn == 1:  # what a resumed sub-agent copies from the main thread
            lines.append(
                rows[-1] | {"isSidechain": True, "requestId": new_id(rng, "req_"), "uuid": new_id(rng, "row-")}
            )
            counts.other(merged=1)
        if turn == 3:
            usage = _usage(rng, 0)
            lines += _answer(rng, next(minute), usage, is_sidechain=True)
            _count(counts, usage)
            counts.other(merged=SNAPSHOTS - 1)
    lines.append(_api_error(rng, next(minute)))
    counts.other(ignored=1)
    write_lines(path, lines)
    return counts


def _row(rng: Random, minute: int, kind: str, message: Record, *, is_sidechain: bool = False) -> Record:
    return {
        "parentUuid": new_id(rng, "row-"), "isSidechain": is_sidechain, "userType": "external",
        "cwd": "/home/dev/timetable",
        "sessionId": SESSION, "version": "2.0.31", "type": kind, "message": message, "uuid": new_id(rng, "row-"),
        "timestamp": iso(at(minute)),
    }  # fmt: skip


def _user(rng: Random, minute: int, text: str) -> Record:
    return _row(rng, minute, "user", {"role": "user", "content": text})


def _usage(rng: Random, turn: int) -> Record:
    """The first turn writes the cache, later ones read it and add to it."""
    written = rng.randrange(9000, 12_000) if turn == 0 else rng.randrange(300, 900)
    return {
        "input_tokens": rng.randrange(4, 20), "cache_creation_input_tokens": written,
        "cache_read_input_tokens": 0 if turn == 0 else rng.randrange(9000, 20_000),
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": rng.randrange(120, 900), "service_tier": "standard",
    }  # fmt: skip


def _count(counts: Counts, usage: Record) -> None:
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    counts.request(usage["input_tokens"] + read + written, usage["output_tokens"], cache_read=read, cache_write=written)


def _answer(rng: Random, minute: int, usage: Record, *, is_sidechain: bool) -> list[Record]:
    """One message in several rows, one per content block; only the output count grows."""
    message_id, request_id = new_id(rng, "msg_01"), new_id(rng, "req_011C")
    blocks: tuple[Record, ...] = (
        {"type": "text", "text": "Reviso el buscador y agrego la ruta."},
        {"type": "tool_use", "id": new_id(rng, "toolu_"), "name": "Read", "input": {"file_path": "search.py"}},
        {"type": "text", "text": "Listo."},
    )
    rows = []
    for number, block in enumerate(blocks[:SNAPSHOTS], 1):
        is_last = number == SNAPSHOTS
        output = usage["output_tokens"] if is_last else number
        message = {
            "id": message_id, "type": "message", "role": "assistant", "model": MODEL, "content": [block],
            "stop_reason": "end_turn" if is_last else None, "usage": usage | {"output_tokens": output},
        }  # fmt: skip
        rows.append(_row(rng, minute, "assistant", message, is_sidechain=is_sidechain) | {"requestId": request_id})
    return rows


def _api_error(rng: Random, minute: int) -> Record:
    usage = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    message = {
        "id": new_id(rng, "msg_"), "type": "message", "role": "assistant", "model": "<synthetic>",
        "content": [{"type": "text", "text": "API Error: overloaded"}], "stop_reason": "stop_sequence", "usage": usage,
    }  # fmt: skip
    return _row(rng, minute, "assistant", message) | {"isApiErrorMessage": True}
