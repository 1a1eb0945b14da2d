"""Codex CLI rollouts: a counter that only grows, told again and again.

One row counts all tokens of the session so far. A row whose totals did not move is no request; the
tokens of a request are how far they moved. The model stands in the rows before. A fork or a
sub-agent repeats the rows of its parent, with new times (log-formats, sections 5 and 7.11).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from costctl.formats.answers import service_tier
from costctl.formats.base import Ignored, LogFormat, Outcome, Record, identity_columns

KINDS = frozenset({"session_meta", "turn_context", "response_item", "event_msg", "compacted"})
_COUNTS = {
    "input_tokens": "input_tokens", "cached_input_tokens": "cache_read_tokens",
    "cache_write_input_tokens": "cache_write_tokens", "output_tokens": "output_tokens",
    "reasoning_output_tokens": "reasoning_tokens", "total_tokens": "total_tokens",
}  # fmt: skip
_UNMOVED = Ignored("token_count: nothing moved")


def is_rollout(record: Record) -> bool:
    """A row of a rollout."""
    kind = record.get("type")
    return isinstance(kind, str) and kind in KINDS and isinstance(record.get("payload"), dict)


def unwrap(record: Record) -> Record | Ignored:
    """What a row says of its session or of what comes after it, or a state of the counter."""
    kind, payload = record["type"], record["payload"]
    inner = payload.get("type")
    found: Record = {"at": record.get("timestamp")}
    if kind == "session_meta":
        return found | {"session": _session(payload)}
    if kind == "turn_context":
        return found | {"context": {"model": payload.get("model"), "cwd": payload.get("cwd")}}
    if inner == "thread_settings_applied" and isinstance(payload.get("thread_settings"), dict):
        said = payload["thread_settings"]
        return found | {"context": {name: said.get(name) for name in ("model", "cwd", "service_tier")}}
    if inner != "token_count":
        return Ignored(f"{kind}: {inner}" if isinstance(inner, str) else kind)
    info = payload.get("info")
    if not isinstance(info, dict):
        return Ignored("token_count: rate limits")
    total, last = _counts(info.get("total_token_usage")), _counts(info.get("last_token_usage"))
    return found | {"total": total, "last": last, "model": info.get("model") or payload.get("model")}


def _session(meta: Record) -> Record:
    """Who the session is, and whose history it may repeat."""
    source = meta.get("source")
    spawned = source.get("subagent") if isinstance(source, dict) else None
    spawn = spawned.get("thread_spawn") if isinstance(spawned, dict) else None
    parent = spawn.get("parent_thread_id") if isinstance(spawn, dict) else None
    return {
        "id": meta.get("id"), "parent": meta.get("forked_from_id") or parent, "cwd": meta.get("cwd"),
        "provider": meta.get("model_provider"), "caller": "sub-agent" if spawned else "agent",
    }  # fmt: skip


def _counts(usage: Any) -> Record | None:
    if not isinstance(usage, dict):
        return None
    return {name: usage[name] for name in _COUNTS if usage.get(name) is not None}


def resolve(pieces: list[Record]) -> list[Outcome]:
    """Requests, from how far the counter moved between the states of one file in the order of their times."""
    outcomes: list[Outcome] = [Ignored(_kind(piece)) for piece in pieces]
    state = _State({}, {}, {}, 0)
    for place in _order(pieces):
        piece = pieces[place]
        if "session" in piece:
            # A fork repeats what its parent said of itself: the first to speak is the one whose file it is.
            state = state._replace(session=state.session or piece["session"])
        elif "context" in piece:
            said = {name: value for name, value in piece["context"].items() if value}
            state = state._replace(context=state.context | said)
        else:
            outcomes[place], state = _request(piece, state)
    return outcomes


class _State(NamedTuple):
    """What is known at a moment of the file."""

    session: Record
    context: Record
    total: Record
    restart_count: int


def _kind(piece: Record) -> str:
    return "session_meta" if "session" in piece else "turn_context"


def _order(pieces: list[Record]) -> list[int]:
    """Places in the order of time; at one instant as they stand, or as the counter grew where the file was shuffled."""
    instants = [_instant(piece) for piece in pieces]
    places = range(len(pieces))
    if all(one <= other for one, other in pairwise(instants)):
        return list(places)
    return sorted(places, key=lambda place: (instants[place], _reached(pieces[place])))


def _reached(piece: Record) -> int:
    count = (piece.get("total") or {}).get("total_tokens")
    return count if type(count) is int else -1


def _instant(piece: Record) -> str:
    """The time as a text that sorts: `02Z` comes before `02.5Z`."""
    at = piece["at"]
    return at.rstrip("Zz") if isinstance(at, str) else ""


def _request(piece: Record, state: _State) -> tuple[Outcome, _State]:
    """The request that one state of the counter tells of, if it moved."""
    total, last = piece["total"], piece["last"]
    if total is None and last is None:
        return Ignored("token_count: no counts"), state
    if total is not None and total == state.total:
        return _UNMOVED, state
    moved = _moved(total, last, state.total)
    # The counts of a file that was cut before: its first state may repeat one that the other part of it has.
    is_cut = bool(not state.session and not state.total and total and last)
    restarts = state.restart_count + _is_anew(total, state.total)
    state = state._replace(total=total if total is not None else state.total, restart_count=restarts)
    if not any(value for name, value in moved.items() if name != "total_tokens"):
        return _UNMOVED, state
    session, context = state.session, state.context
    place = context.get("cwd") or session.get("cwd")
    tier = context.get("service_tier")
    vector = ":".join(str((total or moved).get(name, "")) for name in _COUNTS)
    found: Record = {
        **{ours: moved.get(theirs) for theirs, ours in _COUNTS.items()},
        "session_id": session.get("id"), "forked_from": session.get("parent") or session.get("id"),
        "started_at": piece["at"], "ts_basis": "logged", "operation": "chat", "app": "codex-cli",
        "provider": session.get("provider") or "openai", "caller": session.get("caller"),
        "response_model": piece["model"] or context.get("model"),
        # Who asks for fast is served, and billed, as priority (log-formats, 7.1).
        "service_tier": "priority" if tier == "fast" else service_tier(tier),
        "project": PurePosixPath(str(place).replace("\\", "/")).name if place else None,
        # A copy of a row has its time as well; a fork repeats its counts only, and so does a state told twice.
        "dedupe_key": f"{piece['at']}:{vector}", "replay_key": f"{restarts}:{vector}",
        "is_sidechain": True if is_cut else None,
    }  # fmt: skip
    return found, state


def _moved(total: Record | None, last: Record | None, before: Record) -> Record:
    """The tokens of one request: how far the totals moved, where that is known, else what the row says of itself."""
    if total is None or (not before and last is not None):
        return last or {}
    moved = {}
    for name, value in total.items():
        earlier = before.get(name, 0)
        if type(value) is not int or type(earlier) is not int:
            return last if last is not None else total  # a value that the strict reader will refuse
        moved[name] = value - earlier
    return (last if last is not None else total) if _is_anew(total, before) else moved


def _is_anew(total: Record | None, before: Record) -> bool:
    """Whether the counter began anew."""
    pairs = ((value, before.get(name, 0)) for name, value in (total or {}).items())
    return any(type(value) is int and type(earlier) is int and value < earlier for value, earlier in pairs)


FORMATS = (
    LogFormat(
        name="codex_cli",
        title="Codex CLI rollouts (~/.codex/sessions)",
        signature=is_rollout,
        unwrap=unwrap,
        resolve=resolve,
        columns=identity_columns(),
        carries=("time", "cache", "session"),
    ),
)
