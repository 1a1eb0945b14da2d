"""What senders post to Langfuse: events of a batch, each with the state of a trace or of an observation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from costctl.formats.base import Record

_OBSERVED = frozenset(
    {"observation", "generation", "embedding", "span", "event", "agent", "tool", "chain", "retriever", "evaluator",
     "guardrail"}
)  # fmt: skip
_OTHERS = frozenset({"trace", "score", "sdk", "dataset-run-item"})
_ACTS = frozenset({"create", "update", "log"})


class Told(NamedTuple):
    """What one event tells: its kind, its observation as far as the batch knows it, and the trace of that."""

    kind: str
    observation: Record | None  # None where an earlier event of the batch stands for it, or it is of no observation
    trace: Record
    is_update: bool  # nothing in the batch says how the observation began


def is_event(record: Any) -> bool:
    """Whether a record is one event."""
    return isinstance(record, dict) and _subject(record) is not None and isinstance(record.get("body"), dict)


def events_of(record: Record) -> list[Any] | None:
    """The events of a batch, or the one that a record is; None for anything else."""
    batch = record.get("batch")
    if isinstance(batch, list) and any(map(is_event, batch)):
        return batch
    return [record] if is_event(record) else None


def told(events: Sequence[Any]) -> list[Told]:
    """What each event tells, as the events after it complete it."""
    sound = [event for event in events if is_event(event)]
    bodies: dict[Any, Record] = {}
    begun = set()
    for event in sorted(sound, key=_is_update):  # as Langfuse does: an update may overtake what it completes
        body, key = event["body"], _key(event)
        bodies[key] = bodies.get(key, {}) | {name: value for name, value in body.items() if value is not None}
        if not _is_update(event):
            begun.add(key)
    seen = set()
    found = []
    for event in sound:
        key = _key(event)
        is_first = key not in seen and key[0] == "observation"
        seen.add(key)
        body = bodies[key]
        trace = bodies.get(("trace", body.get("traceId")), {})
        kind = {"type": body["type"]} if isinstance(body.get("type"), str) else {"type": str(_subject(event)).upper()}
        observation = body | kind if is_first else None
        found.append(Told(event["type"], observation, trace, is_first and key not in begun))
    return found


def _subject(event: Record) -> str | None:
    """What an event is of: a trace, a generation, a score."""
    kind = event.get("type")
    subject, _, act = kind.rpartition("-") if isinstance(kind, str) else ("", "", "")
    return subject if act in _ACTS and (subject in _OBSERVED or subject in _OTHERS) else None


def _is_update(event: Record) -> bool:
    return str(event["type"]).endswith("-update")


def _key(event: Record) -> tuple[Any, Any]:
    """What the event is of; one without an id is of nothing else."""
    subject, name = _subject(event), event["body"].get("id")
    return "observation" if subject in _OBSERVED else subject, name if isinstance(name, str) else id(event)
