"""How often each target decides as the policy, measured on the calls of the last simulation.

The texts are read from the log again; they stay in memory, and only counts come out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from costctl.audit.options import AuditOptions
from costctl.audit.run import audited_store, reader_of
from costctl.export.agreement import ALL, Measured
from costctl.export.base import Agreement, Target
from costctl.export.reading import Reading, Told
from costctl.export.resolved import Resolved
from costctl.export.targets import target_of
from costctl.formats.profile import NAME as PROFILE
from costctl.formats.sources import Reader
from costctl.replay.again import Main
from costctl.replay.alike import Alike
from costctl.replay.beside import Asked
from costctl.replay.router_scores import last_user_text
from costctl.replay.run import simulate
from costctl.store import Store

SEED = 7
"""As in `simulate`; no route is drawn."""
MOST = 20_000
"""Of a longer log about so many calls are looked at: those whose text a checksum picks."""
_SQL = Path(__file__).with_name("measuring.sql")
_RANGE = 2**32


class _Call(NamedTuple):
    """Where the policy sends a call, the part of the policy that says so (None: the default), and what it tells."""

    lane: str
    part: str | None
    told: Told


class TextTake:
    """The last message of a user where a checksum of it is below a limit, else nothing."""

    def __init__(self, below: int) -> None:
        self._below = below

    def __call__(self, messages: Any, system: Any, answer: Any) -> str | None:
        """The text of one record."""
        text = last_user_text(messages)
        return text if text and zlib.crc32(text.encode("utf-8", "replace")) < self._below else None


class PartsApart:
    """Of the parts that targets carry out in a way of their own: how many calls end alike, one part at a time."""

    def __init__(self, given: Resolved, names: Sequence[str]) -> None:
        self._parts = {
            name: target.apart(given)
            for name, target in ((name, target_of(name)) for name in names)
            if target.apart is not None
        }
        self.found: dict[str, dict[str, Agreement]] = {}

    def __call__(self, main: Main) -> None:
        """Replay each, over the calls of a simulation of the policy."""
        alike = Alike(main)
        for name, parts in self._parts.items():
            self.found[name] = {part: Agreement(*counts) for part, counts in alike.counts(parts.items()).items()}


def measured_on(
    logs: Sequence[str], options: AuditOptions, given: Resolved, names: Sequence[str], digest: str
) -> Measured:
    """Simulate the policy on these logs, or on the one audited last, and see how often each target decides so.

    `digest` is that of the policy's text, by which the simulation is found again.

    Raises:
        CostctlError: as `audit`, `simulate` and `measured`.
    """
    reader = reader_of(options)
    with audited_store(logs, options) as (store, audited):
        apart = PartsApart(given, names)
        asked = Asked(reader=reader, router=given.router, measure=apart)
        simulate(store, given.policy, given.book, SEED, audited, digest, asked)
        return measured(store, reader, given, names, apart)


def measured(store: Store, reader: Reader, given: Resolved, names: Sequence[str], apart: PartsApart) -> Measured:
    """The agreement of each of these targets: what was measured apart, and the decisions of those that we can read.

    Decisions need texts, so a profile has only the former.

    Raises:
        CostctlError: E124 for a log that is gone or has changed, E471 for an unknown target.
    """
    readings = {name: made for name in names if (made := _reading_of(target_of(name), given)) is not None}
    calls = _calls(store, reader, given) if readings else []
    decided = {name: _counted(one, calls) for name, one in readings.items()} if calls else {}
    return {name: {**apart.found.get(name, {}), **decided.get(name, {})} for name in names}


def _reading_of(target: Target, given: Resolved) -> Reading | None:
    return target.reading(given) if target.reading is not None else None


def _counted(reading: Reading, calls: Sequence[_Call]) -> dict[str, Agreement]:
    found: dict[str, list[int]] = {}
    for one, lane in zip(calls, reading.of([one.told for one in calls]), strict=True):
        for part in (ALL, one.part):
            if part is not None:
                counts = found.setdefault(part, [0, 0])
                counts[0] += lane == one.lane
                counts[1] += 1
    return {part: Agreement(alike, count) for part, (alike, count) in sorted(found.items())}


def _calls(store: Store, reader: Reader, given: Resolved) -> list[_Call]:
    """Calls that another model could have answered, with their texts, in the order of the replay."""
    from costctl.formats.contents import read_contents  # noqa: PLC0415  (heavy)

    routing = given.policy.routing
    columns, rows = store.table(
        _SQL.read_text("utf-8"),
        {"sticky": routing.sticky is not None, "rules": [one.name for one in routing.rules]},
    )
    files = store.query("SELECT file_id, format_name FROM source_file WHERE file_id IN (SELECT file_id FROM decision)")
    readable = sorted({file_id for file_id, name in files if name != PROFILE} & {row[0] for row in rows})
    below = _RANGE if len(rows) <= MOST else _RANGE * MOST // len(rows)
    texts: dict[tuple[int, int], str] = {}
    for part in read_contents(store, reader, TextTake(below), readable):
        texts |= {(part.file_id, number): text for number, text in zip(part.numbers, part.values, strict=True) if text}
    found = []
    for row in rows:
        said = dict(zip(columns, row, strict=True))
        text = texts.get((said.pop("file_id"), said.pop("source_line")))
        if text is not None:
            found.append(_Call(said.pop("lane"), said.pop("part"), Told(text, said)))
    return found
