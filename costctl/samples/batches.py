"""Batch files: what was asked in one file, what was answered in another."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, new_id, write_lines
from costctl.samples.traced import SYSTEM, Call, calls, hexes

_MODEL, _ASKED = "gpt-4o-mini-2024-07-18", "gpt-4o-mini"


def write_openai_input(path: Path, rng: Random) -> Counts:
    """The requests of the batch whose answers `write_openai_output` writes: none is a request of its own."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in calls(rng):
        lines.append({
            "custom_id": f"task-{call.number:03d}", "method": "POST", "url": "/v1/chat/completions",
            "body": {
                "model": _ASKED, "max_tokens": 400, "temperature": 0.2,
                "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": call.question}],
            },
        })  # fmt: skip
        counts.other(merged=1)
    write_lines(path, lines)
    return counts


def write_openai_output(path: Path, rng: Random) -> Counts:
    """Answers in another order; one failed, one expired, one line is there twice."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in sorted(calls(rng), key=lambda call: (call.number * 5) % 12):
        line: Record = {"id": f"batch_req_{hexes(rng, 32)}", "custom_id": f"task-{call.number:03d}"}
        lines.append(line | _openai_answer(rng, call))
        is_unknown = call.has_failed or call.number == 4
        counts.request(
            None if is_unknown else call.input_tokens, None if is_unknown else call.output_tokens,
            cache_read=0 if is_unknown else call.cache_read, reasoning=0 if is_unknown else call.reasoning,
            is_error=is_unknown,
        )  # fmt: skip
    lines.append(lines[3])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _openai_answer(rng: Random, call: Call) -> Record:
    if call.number == 4:
        return {"response": None, "error": {"code": "batch_expired", "message": "not done within the window"}}
    request_id = hexes(rng, 32)
    if call.has_failed:
        error = {"message": "no such model", "type": "invalid_request_error", "param": None, "code": "model_not_found"}
        return {"response": {"status_code": 400, "request_id": request_id, "body": {"error": error}}, "error": None}
    body: Record = {
        "id": new_id(rng, "chatcmpl-"), "object": "chat.completion", "created": int(call.ended_at.timestamp()),
        "model": _MODEL, "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": call.answer}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": call.input_tokens, "completion_tokens": call.output_tokens,
            "total_tokens": call.known_input + call.known_output,
            "prompt_tokens_details": {"cached_tokens": call.cache_read},
            "completion_tokens_details": {"reasoning_tokens": call.reasoning},
        },
    }  # fmt: skip
    return {"response": {"status_code": 200, "request_id": request_id, "body": body}, "error": None}


def write_anthropic_results(path: Path, rng: Random) -> Counts:
    """Results of every kind: succeeded, errored, canceled, expired."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in calls(rng):
        kind = {4: "canceled", 7: "expired", 10: "errored"}.get(call.number, "succeeded")
        result: Record = {"type": kind}
        if kind == "succeeded":
            fresh = call.known_input - call.cache_read - call.cache_write
            result["message"] = {
                "id": new_id(rng, "msg_01"), "type": "message", "role": "assistant",
                "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": call.answer}],
                "usage": {
                    "input_tokens": fresh, "output_tokens": call.output_tokens,
                    "cache_read_input_tokens": call.cache_read, "cache_creation_input_tokens": call.cache_write,
                    "service_tier": "batch",
                },
            }  # fmt: skip
            counts.request(
                call.input_tokens, call.output_tokens, cache_read=call.cache_read, cache_write=call.cache_write
            )
        else:
            if kind == "errored":
                error = {"type": "invalid_request_error", "message": "max_tokens: field required"}
                result["error"] = {"type": "error", "error": error}
            counts.request(None, None, is_error=kind != "canceled")
        lines.append({"custom_id": f"note-{call.number:03d}", "result": result})
    lines.append(lines[2])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts
