"""Streams of events as they were captured: the text of server-sent events, or one event on each line.

Each stream is one call. Its events are joined as inside a capture (`sse`); all but the last are ignored by kind. Events
carry the id of their answer (OpenAI, Gemini) or follow one another (Anthropic), so their order must be kept.
"""

from __future__ import annotations

from typing import Any

from costctl.formats.base import Ignored, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.bodies import read_body
from costctl.formats.sse import EVENT, joined_events

_OF_ANTHROPIC = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
     "message_stop"}
)  # fmt: skip
_PARTS = frozenset({"message", "index", "delta"})
_BARE = frozenset({"sequence_number", "item_id", "output_index"})


def is_event(record: Record) -> bool:
    """An event of the text of a stream, or one that stands alone on its line."""
    if EVENT in record:
        return True
    kind = record.get("type")
    if kind in _OF_ANTHROPIC:
        return kind == "message_stop" or not _PARTS.isdisjoint(record)
    if isinstance(kind, str) and kind.startswith("response."):
        return isinstance(record.get("response"), dict) or not _BARE.isdisjoint(record)
    return record.get("object") == "chat.completion.chunk"


def unwrap(record: Record) -> Record:
    """The event."""
    event = record.get(EVENT, record)
    return event if isinstance(event, dict) else {}


def resolve(events: list[Record]) -> list[Outcome]:
    """The answer of each stream in place of its last event."""
    outcomes: list[Outcome] = [Ignored("event of a stream") for _ in events]
    for places in _streams(events):
        outcomes[places[-1]] = _answer([events[place] for place in places])
    return outcomes


def _streams(events: list[Record]) -> list[list[int]]:
    """The places of the events of each stream, in the order in which the streams begin."""
    streams: list[list[int]] = []
    by_id: dict[str, list[int]] = {}
    current: list[int] | None = None
    for place, event in enumerate(events):
        name = _id_of(event)
        if name is not None:
            current = by_id.get(name)
        if current is None or (name is None and _begins(event, events[current[-1]])):
            current = []
            streams.append(current)
        if name is not None:
            by_id[name] = current
        current.append(place)
    return streams


def _id_of(event: Record) -> str | None:
    """The id of the answer, where the event bears it."""
    for holder in (event.get("message"), event.get("response"), event):
        if isinstance(holder, dict):
            name = holder.get("responseId") or holder.get("response_id") or holder.get("id")
            if isinstance(name, str) and name:
                return name
    return None


def _begins(event: Record, before: Record) -> bool:
    """Whether an event without an id starts a stream: after one that ended, or as the first of its kind."""
    if event.get("type") == "message_start" or before.get("type") in ("message_stop", "response.completed"):
        return True
    candidates = before.get("candidates")
    last = candidates[-1] if isinstance(candidates, list) and candidates else None
    return bool(event.get("candidates")) and isinstance(last, dict) and bool(last.get("finishReason"))


def _answer(events: list[Record]) -> Outcome:
    body = joined_events(events)
    found: dict[str, Any] = read_body(body) if body else {}
    if not found:
        return Rejected("events of a stream without its beginning")
    found["stream"] = True
    return found


FORMATS = (
    LogFormat(
        name="event_stream",
        title="streams as captured: server-sent events of OpenAI, Anthropic or Gemini",
        signature=is_event,
        unwrap=unwrap,
        resolve=resolve,
        columns=identity_columns(),
        carries=("time", "cache"),
    ),
)
