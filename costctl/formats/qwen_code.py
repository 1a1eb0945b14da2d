"""Qwen Code transcripts: rows with heads like Claude Code's and counts like Gemini's.

A call is told by the row of its answer and often by a row of telemetry too. The answer counts; the
telemetry gives its duration, and stands for the call only where no answer does (log-formats, 5 and 7.11).
"""

from __future__ import annotations

from datetime import datetime
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from costctl.formats.agent_counts import counts_of
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns
from costctl.formats.nearest import Nearest

_RESPONSE, _ERROR = "qwen-code.api_response", "qwen-code.api_error"
_FROM_USAGE = (
    ("input", "promptTokenCount"), ("output", "candidatesTokenCount"), ("cached", "cachedContentTokenCount"),
    ("thoughts", "thoughtsTokenCount"), ("tool", "toolUsePromptTokenCount"), ("total", "totalTokenCount"),
)  # fmt: skip
_FROM_EVENT = (
    ("input", "input_token_count"), ("output", "output_token_count"), ("cached", "cached_content_token_count"),
    ("thoughts", "thoughts_token_count"), ("tool", "tool_token_count"), ("total", "total_token_count"),
)  # fmt: skip
_ANY = object()  # whatever model, whatever counts
_LATE = float("inf")  # telemetry without a time comes last
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
    groups: dict[Any, list[tuple[float, int]]] = {}
    for other in events:
        event, when = pieces[other]["event"], _second(pieces[other]["event"])
        model = event["response_model"]
        for group in product((event["session_id"],), (_counted(event), _ANY), {model, _ANY}):
            if when is not None or group[1] is not _ANY:
                groups.setdefault(group, []).append((_LATE if when is None else when, other))
    index = {group: Nearest(items, free) for group, items in groups.items()}
    found: dict[int, int] = {}
    for place in sorted((p for p, piece in enumerate(pieces) if "answer" in piece), key=lambda p: _order(pieces[p])):
        told = _telemetry_of(pieces[place]["answer"], index)
        if told is not None:
            found[place] = told
            free.discard(told)
    return found


def _telemetry_of(answer: Record, index: dict[Any, Nearest]) -> int | None:
    """The nearest telemetry that nobody has: close by with equal counts, close by, else anywhere with equal counts."""
    at, model = _second(answer), answer["response_model"]
    models = (_ANY,) if model is None else (model, None)  # telemetry without a model fits any

    def nearest(counts: Any) -> tuple[float, int] | None:
        groups = (index.get((answer["session_id"], counts, one)) for one in models)
        if at is None:
            known = (group.first() for group in groups if group is not None)
            return min(((_LATE, one) for one in known if one is not None), default=None)
        return min((one for group in groups if group is not None and (one := group.to(at)) is not None), default=None)

    equal = nearest(_counted(answer))
    if equal is not None and equal[0] <= NEAR_S:
        return equal[1]
    close = nearest(_ANY) if at is not None else None
    if close is not None and close[0] <= NEAR_S:
        return close[1]
    return equal[1] if equal is not None and answer["counts"] else None


def _counted(row: Record) -> Any:
    return tuple(sorted((row["counts"] or {}).items()))


def _order(piece: Record) -> float:
    return _second(piece["answer"]) or 0.0


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
