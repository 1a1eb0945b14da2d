"""Answers of Gemini, bare and recorded, and the table into which Vertex logs them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, iso, write_lines
from costctl.samples.traced import Call, calls

_GEMINI = ("gemini-2.5-flash", "gemini-2.5-pro")


def write_gemini(path: Path, rng: Random) -> Counts:
    """Whole answers, recorded streams, a failure, a prompt that was refused, and a count that is no request."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in calls(rng):
        fresh = 0 if call.has_failed else call.known_input
        if call.has_failed:
            lines.append({"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}})
        elif call.number % 3 == 1:
            lines.append({"method": "generateContentStream", "response": _gemini_chunks(call)})
        else:
            lines.append(_gemini_answer(call))
        counts.request(
            None if call.has_failed else fresh, None if call.has_failed else call.output_tokens,
            cache_read=call.cache_read, reasoning=call.reasoning, is_error=call.has_failed,
        )  # fmt: skip
    lines.append({"method": "countTokens", "response": {"totalTokens": 31}})
    counts.other(ignored=1)
    refused = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": _GEMINI[0], "responseId": "blocked-1"}
    lines.append(refused | {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}})
    counts.request(9, 0)
    lines.append(lines[0])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _gemini_usage(call: Call) -> Record:
    shown = call.known_output - call.reasoning
    usage: Record = {
        "promptTokenCount": call.input_tokens, "candidatesTokenCount": shown,
        "totalTokenCount": call.known_input + call.known_output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": call.input_tokens}],
    }  # fmt: skip
    if call.cache_read:
        usage["cachedContentTokenCount"] = call.cache_read
    if call.reasoning:
        usage["thoughtsTokenCount"] = call.reasoning
    return usage


def _gemini_answer(call: Call) -> Record:
    return {
        "candidates": [_candidate(call.answer, "STOP")], "usageMetadata": _gemini_usage(call),
        "modelVersion": _GEMINI[call.number % 2], "createTime": iso(call.started_at), "responseId": call.answer_id,
    }  # fmt: skip


def _candidate(text: str, finish: str | None = None) -> Record:
    said: Record = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    return said | {"finishReason": finish} if finish else said


def _gemini_chunks(call: Call) -> list[Record]:
    """Every chunk repeats the counts; the first one knows less of them."""
    half = len(call.answer) // 2
    first = {"promptTokenCount": call.input_tokens, "totalTokenCount": call.input_tokens}
    named = {"modelVersion": _GEMINI[call.number % 2], "createTime": iso(call.started_at), "responseId": call.answer_id}
    return [
        {"candidates": [_candidate(call.answer[:half])], "usageMetadata": first, **named},
        {"candidates": [_candidate(call.answer[half:], "STOP")], "usageMetadata": _gemini_usage(call), **named},
    ]


def write_vertex_log(path: Path, rng: Random) -> Counts:
    """Rows of the BigQuery table: requests and responses as objects or as JSON text."""
    counts = Counts()
    lines: list[Record | str] = []
    for call in calls(rng):
        asked: Record = {"contents": [{"role": "user", "parts": [{"text": call.question}]}]}
        error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
        told = error if call.has_failed else _gemini_answer(call)
        is_text = call.number % 2 == 1
        lines.append({
            "endpoint": "projects/1/locations/europe-west4/publishers/google/models/gemini-2.5-flash",
            "deployed_model_id": None, "logging_time": iso(call.ended_at), "request_id": f"48{call.number:07d}",
            "model": _GEMINI[call.number % 2], "model_version": "default", "api_method": "GenerateContent",
            "full_request": dumps(asked) if is_text else asked, "full_response": dumps(told) if is_text else told,
        })  # fmt: skip
        counts.request(
            None if call.has_failed else call.input_tokens, call.output_tokens, cache_read=call.cache_read,
            reasoning=call.reasoning, is_error=call.has_failed,
        )  # fmt: skip
    lines.append(lines[5])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts
