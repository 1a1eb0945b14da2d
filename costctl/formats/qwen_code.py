"""Qwen Code transcripts: rows with heads like Claude Code's and counts like Gemini's.

A call is told by the row of its answer and often by a row of telemetry too. The answer counts; the
telemetry gives its duration, and stands for the call only where no answer does (log-formats, 5 and 7.11).
"""

from __future__ import annotations

from bisect import bisect
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from costctl.formats.agent_counts import counts_of
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns

_RESPONSE, _ERROR = "qwen-code.api_response", "qwen-code.api_error"
_FROM_USAGE = (
    ("input", "promptTokenCount"), ("output", "candidatesTokenCount"), ("cached", "cachedContentTokenCount"),
    ("thoughts", "thoughtsTokenCount"), ("tool", "toolUsePromptTokenCount"), ("total", "totalTokenCount"),
)  # fmt: skip
_FROM_EVENT = (
    ("input", "input_token_count"), ("output", "output_token_count"), ("cached", "cached_content_token_count"),
    ("thoughts", "thoughts_token_count"), ("tool", "tool_token_count"), ("total", "total_token_count"),
)  # fmt: skip
NEAR_S = 2.0  # an answer is written right after its telemetry


def is_row(record: Record) -> bool:
    """A row of a transcript."""
    if "sessionId" not in record or "uuid" not in record:
        return False
    message = record.get("message")
    has_parts = isinstance(message, dict) and "parts" in message
    return has_parts or "usageMetadata" in record or "systemPayload" in record or record.get("type") == "tool_result"


def unwrap(record: Record) -> Record | Ignored:
    """The row of an answer or of its telemetry."""
    kind = record.get("type")
    payload = record.get("systemPayload")
    event = payload.get("uiEvent") if isinstance(payload, dict) else None
    if kind == "assistant":
        return {"answer": _answer(record)}
    if isinstance(event, dict) and event.get("event.name") in {_RESPONSE, _ERROR}:
        return {"event": _event(record, event)}
    subtype = record.get("subtype")
    return Ignored(f"{kind}: {subtype}" if isinstance(subtype, str) else str(kind))


def _common(record: Record) -> Record:
    place = record.get("cwd")
    return {
        "session_id": record.get("sessionId"), "started_at": record.get("timestamp"), "ts_basis": "logged",
        "operation": "chat", "app": "qwen-code", "dedupe_key": record.get("uuid"),
        "caller": "sub-agent" if record.get("isSidechain") or record.get("agentId") else "agent",
        "project": PurePosixPath(str(place).replace("\\", "/")).name if place else None,
    }  # fmt: skip


def _answer(record: Record) -> Record:
    usage, message = record.get("usageMetadata"), record.get("message")
    parts = message.get("parts") if isinstance(message, dict) else None
    calls = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return _common(record) | {
        "counts": _named(usage, _FROM_USAGE), "response_model": record.get("model"),
        "tool_calls": sum("functionCall" in part for part in calls),
    }  # fmt: skip


def _event(record: Record, event: Record) -> Record:
    has_failed = event["event.name"] == _ERROR
    found = _common(record) | {
        "counts": None if has_failed else _named(event, _FROM_EVENT), "response_model": event.get("model"),
        "request_id": event.get("response_id"), "latency_ms": event.get("duration_ms"),
        "http_status": event.get("status_code"),
    }  # fmt: skip
    if has_failed:
        kind = event.get("error_type")
        found.update(status="error", error_type=kind if isinstance(kind, str) and " " not in kind else "error")
    return found


def _named(said: Any, names: tuple[tuple[str, str], ...]) -> Record | None:
    found = {ours: said[theirs] for ours, theirs in names if said.get(theirs) is not None} if said else {}
    return found if isinstance(said, dict) and ("input" in found or "output" in found) else None


def resolve(pieces: list[Record]) -> list[Outcome]:
    """Answers with what their telemetry adds; telemetry of no answer that was written down is a call of its own."""
    events = [place for place, piece in enumerate(pieces) if "event" in piece and "status" not in piece["event"]]
    told = _paired(pieces, events)
    taken = set(told.values())
    outcomes: list[Outcome] = []
    for place, piece in enumerate(pieces):
        if "event" in piece:
            event = piece["event"]
            if place in taken:
                outcomes.append(Ignored("telemetry of an answer"))
            elif event["counts"] or "status" in event:
                outcomes.append(_request(event, {}))
            else:
                outcomes.append(Ignored("telemetry without counts"))
            continue
        answer, beside = piece["answer"], pieces[told[place]]["event"] if place in told else {}
        counted = answer["counts"] or beside.get("counts")
        outcomes.append(_request(answer, beside) if counted else Ignored("assistant: no token counts"))
    return outcomes


def _request(row: Record, beside: Record) -> Record:
    counts = row["counts"] or beside.get("counts")
    # The telemetry knows when the call ended and how long it took; its identity stays that of the answer.
    added = {name: beside[name] for name in ("request_id", "latency_ms", "http_status") if name in beside}
    plain = {name: value for name, value in row.items() if name != "counts"}
    return plain | added | (counts_of(counts, has_thoughts_inside=True) if counts else {})


def _paired(pieces: list[Record], events: list[int]) -> dict[int, int]:
    """Answers and the telemetry of the same call: of one model, at the same moment or else with equal counts."""
    free = set(events)
    by_counts: dict[Any, list[int]] = {}
    for other in events:
        by_counts.setdefault(_counted(pieces[other]["event"]), []).append(other)
    timed = sorted((when, other) for other in events if (when := _second(pieces[other]["event"])) is not None)
    found: dict[int, int] = {}
    for place in sorted((p for p, piece in enumerate(pieces) if "answer" in piece), key=lambda p: _order(pieces[p])):
        answer = pieces[place]["answer"]
        at = _second(answer)
        near: list[int] = []
        if at is not None:
            start, end = (bisect(timed, (bound, place)) for bound, place in ((at - NEAR_S, -1), (at + NEAR_S, 2**62)))
            near = [other for _, other in timed[start:end]]
        equal = by_counts.get(_counted(answer), []) if answer["counts"] else []
        fits = [other for other in near or equal if other in free and _is_fit(answer, pieces[other]["event"])]
        if not fits and near:
            fits = [other for other in equal if other in free and _is_fit(answer, pieces[other]["event"])]
        if fits:
            found[place] = min(fits, key=lambda other: _distance(answer, pieces[other]["event"]))
            free.discard(found[place])
            if found[place] in equal:
                equal.remove(found[place])
    return found


def _counted(row: Record) -> Any:
    return tuple(sorted((row["counts"] or {}).items()))


def _order(piece: Record) -> float:
    return _second(piece["answer"]) or 0.0


def _is_fit(answer: Record, event: Record) -> bool:
    models = {str(answer["response_model"]), str(event["response_model"])} - {"None"}
    return len(models) < 2 and answer["session_id"] == event["session_id"]


def _distance(answer: Record, event: Record) -> tuple[bool, float]:
    at, when = _second(answer), _second(event)
    return _counted(answer) != _counted(event), float("inf") if at is None or when is None else abs(at - when)


def _second(row: Record) -> float | None:
    at = row["started_at"]
    try:
        return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() if isinstance(at, str) else None
    except ValueError:
        return None


FORMATS = (
    LogFormat(
        name="qwen_code",
        title="Qwen Code transcripts (~/.qwen/projects)",
        signature=is_row,
        unwrap=unwrap,
        resolve=resolve,
        columns=identity_columns(),
        carries=("time", "latency", "cache", "session"),
    ),
)
