"""Anthropic: captures of Messages calls, whose cached tokens lie beside the input."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, dumps, iso, new_id, write_lines
from costctl.samples.texts import ANSWERS, SYSTEMS, fill

URL, MODEL = "https://api.anthropic.com/v1/messages", "claude-sonnet-4-5-20250929"


def write_captures(path: Path, rng: Random) -> Counts:
    """Plain calls, cache writes of 5 minutes and 1 hour, reads, a stream, a tool call, an overload."""
    counts = Counts()
    lines: list[Record] = []
    for number in range(16):
        # The cache is written, then read three times, then written anew.
        is_write = number % 4 == 0
        written = rng.randrange(1800, 2600) if is_write else 0
        hour = written if number % 8 == 0 else 0
        read = 0 if is_write else rng.randrange(1800, 2600)
        usage = _usage(
            rng.randrange(20, 300), rng.randrange(30, 700), read=read, five_minutes=written - hour, hour=hour
        )
        _count(counts, usage)
        intent = ("itinerary_long", "recommendation")[number % 2]
        lines.append(
            _capture(rng, number, intent, _message(rng, usage, [{"type": "text", "text": ANSWERS[intent]["es"]}]))
        )
    usage = _usage(512, 74, five_minutes=600, hour=1400)  # both kinds of write in one call
    _count(counts, usage)
    call = {"type": "tool_use", "id": new_id(rng, "toolu_"), "name": "find_ferries", "input": {"from": "Quellón"}}
    lines.append(_capture(rng, 16, "faq", _message(rng, usage, [call]) | {"stop_reason": "tool_use"}))
    lines.append(_streamed(rng, 17, counts))
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    counts.request(None, None, is_error=True)
    lines.append(_capture(rng, 18, "faq", error, status=529))
    write_lines(path, lines)
    return counts


def _usage(fresh: int, output: int, *, read: int = 0, five_minutes: int = 0, hour: int = 0) -> Record:
    return {
        "input_tokens": fresh, "cache_creation_input_tokens": five_minutes + hour, "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour},
        "output_tokens": output, "service_tier": "standard",
    }  # fmt: skip


def _count(counts: Counts, usage: Record) -> None:
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    counts.request(usage["input_tokens"] + read + written, usage["output_tokens"], cache_read=read, cache_write=written)


def _message(rng: Random, usage: Record, content: list[Record]) -> Record:
    return {
        "id": new_id(rng, "msg_01"), "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _capture(
    rng: Random, number: int, intent: str, answered: Record | str, status: int = 200, *, is_stream: bool = False
) -> Record:
    system = [{"type": "text", "text": SYSTEMS["/itinerary"], "cache_control": {"type": "ephemeral"}}]
    asked = {
        "model": MODEL,
        "max_tokens": 2000,
        "system": system,
        "messages": [{"role": "user", "content": fill(rng, intent, "es")}],
        "stream": is_stream,
    }
    return {
        "request": {"method": "POST", "url": URL, "body": asked}, "response": {"status": status, "body": answered},
        "started_at": iso(at(number * 3)), "duration_ms": rng.randrange(700, 16_000), "app": "trip-planner",
    }  # fmt: skip


def _streamed(rng: Random, number: int, counts: Counts) -> Record:
    """Counts of the input come first and those of the output last."""
    usage = _usage(84, 1, read=2120)
    start = _message(rng, usage, []) | {"stop_reason": None}
    words = ANSWERS["recommendation"]["en"].split()
    events: list[Record] = [{"type": "message_start", "message": start}]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word + " "}}
        for word in words
    ]
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 61}})
    events.append({"type": "message_stop"})
    _count(counts, usage | {"output_tokens": 61})
    body = "".join(f"event: {event['type']}\ndata: {dumps(event)}\n\n" for event in events)
    return _capture(rng, number, "recommendation", body, is_stream=True)
