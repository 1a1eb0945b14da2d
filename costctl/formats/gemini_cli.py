"""Gemini CLI sessions: one JSON document with its messages, or a line for each message and each change of it.

Old sessions of Qwen Code have the same shape. What was rewound was billed all the same; the last row of
a message counts. The total tells whether cached tokens lie inside the input (log-formats, 7.11).
"""

from __future__ import annotations

from typing import Any

from costctl.formats.agent_counts import counts_of
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns

_SAID = frozenset({"user", "gemini", "info", "error", "warning"})
_CHANGES = frozenset({"$set", "$rewindTo"})


def is_session(record: Record) -> bool:
    """A whole session, the head of one, a message, or a change."""
    if "projectHash" in record and "sessionId" in record:
        return True
    messages = record.get("messages")
    if "sessionId" in record and isinstance(messages, list):
        return any(isinstance(item, dict) and item.get("type") == "gemini" for item in messages)
    kind = record.get("type")
    if kind == "gemini":
        return "id" in record and ("tokens" in record or "content" in record)
    if isinstance(kind, str) and kind in _SAID:
        return record.keys() <= {"id", "timestamp", "type", "content", "displayContent"} and "id" in record
    return not _CHANGES.isdisjoint(record) and len(record) == 1


def unwrap(record: Record) -> list[Outcome]:
    """The answers of a session, or what one line says."""
    if "sessionId" not in record:
        return [_message(record)]
    head: Record = {"session": record["sessionId"], "kind": record.get("kind"), "folders": record.get("directories")}
    messages = record.get("messages")
    if not isinstance(messages, list):
        return [{"head": head}]
    # A message of a document knows its session at once.
    pieces = [_message(item) if isinstance(item, dict) else Ignored("no object") for item in messages]
    told: list[Outcome] = [piece | {"head": head} if isinstance(piece, dict) else piece for piece in pieces]
    return told or [Ignored("a session without messages")]


def _message(record: Record) -> Record | Ignored:
    """What an answer says, with its counts; everything else is no request."""
    kind = record.get("type")
    if kind != "gemini":
        return Ignored(kind if isinstance(kind, str) else "a change of the session")
    counts, calls = record.get("tokens"), record.get("toolCalls")
    found: Record = {"answer": {
        "id": record.get("id"), "at": record.get("timestamp"), "model": record.get("model"),
        "counts": counts if isinstance(counts, dict) else None,
        "tool_calls": len(calls) if isinstance(calls, list) else 0,
        "chars": len(record["content"]) if isinstance(record.get("content"), str) else None,
    }}  # fmt: skip
    return found


def resolve(pieces: list[Record]) -> list[Outcome]:
    """One request for each message that was counted, as its fullest row tells it."""
    head: Record = next((piece["head"] for piece in pieces if "head" in piece and "answer" not in piece), {})
    best: dict[Any, tuple[int, int]] = {}  # of each message the row that counts most, of equal ones the last
    for place, piece in enumerate(pieces):
        if "answer" in piece and piece["answer"]["counts"]:
            name = _identity(piece, place)
            best[name] = max(best.get(name, (-1, 0)), (_counted(piece), place))
    outcomes: list[Outcome] = []
    for place, piece in enumerate(pieces):
        if "answer" not in piece:
            outcomes.append(Ignored("head of a session"))
        elif not piece["answer"]["counts"]:
            outcomes.append(Ignored("gemini: no token counts"))
        elif best[_identity(piece, place)][1] != place:
            outcomes.append(Ignored("gemini: an earlier state of a message"))
        else:
            outcomes.append(_request(piece["answer"], piece.get("head", head)))
    return outcomes


def _identity(piece: Record, place: int) -> Any:
    """A message in its session; a row without an id is one of its own."""
    answer_id = piece["answer"]["id"]
    return (str(piece.get("head", {}).get("session")), str(answer_id)) if answer_id else place


def _counted(piece: Record) -> int:
    counts = piece["answer"]["counts"]
    return sum(value for name in ("input", "output", "thoughts") if type(value := counts.get(name)) is int)


def _request(answer: Record, head: Record) -> Record:
    model, folders = answer["model"], head.get("folders")
    is_qwen = isinstance(model, str) and model.lower().startswith("qwen")
    folder = str(folders[0]) if isinstance(folders, list) and folders else ""
    found: Record = {
        **counts_of(answer["counts"]),
        "request_id": answer["id"], "session_id": head.get("session"), "started_at": answer["at"],
        "ts_basis": "logged", "operation": "chat", "app": "qwen-code" if is_qwen else "gemini-cli",
        "provider": "google" if isinstance(model, str) and model.startswith("gemini") else None,
        "caller": "sub-agent" if head.get("kind") == "subagent" else "agent",
        "response_model": model, "tool_calls": answer["tool_calls"],
        "project": folder.replace("\\", "/").rstrip("/").rpartition("/")[2] or None,
    }  # fmt: skip
    if answer["id"]:
        # Short ids are used again in other sessions; a copy of a row has its time as well.
        found["dedupe_key"] = f"{answer['id']}:{answer['at']}"
    return found


FORMATS = (
    LogFormat(
        name="gemini_cli",
        title="Gemini CLI sessions (~/.gemini/tmp), old ones of Qwen Code too",
        signature=is_session,
        unwrap=unwrap,
        unfolds=True,
        resolve=resolve,
        columns=identity_columns(),
        carries=("time", "cache", "session"),
    ),
)
