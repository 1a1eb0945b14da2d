"""What a log format is: one file that says how to recognise a record and where its values lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from costctl.request import COLUMNS, RAW_EXTRAS

Record: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]


class LeftOutUsage(NamedTuple):
    """The tokens of a span that is no call of a model: those of calls below it, unless its trace has none."""

    trace_id: str | None
    span_id: str | None
    parent_id: str | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True)
class Ignored:
    """A record that is understood and, by its format, not a request; counted by kind."""

    kind: str
    usage: LeftOutUsage | None = None


@dataclass(frozen=True)
class Rejected:
    """A record that is not understood, with the reason shown to the user."""

    reason: str


Outcome: TypeAlias = Record | Ignored | Rejected
# What reading a record raises whose values are of other kinds than its format has.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True)
class LogFormat:
    """How to recognise a kind of log, and how to read it.

    `signature` looks at one parsed record. `unwrap`, where given, turns a strange record into
    a plain one (or says why not) before the columns are taken. `columns` maps canonical or
    raw names (request.py) to the paths at which they may lie; the first path with a value
    wins. Paths are tuples of keys; a number in a path indexes a list.

    A format `unfolds` where one record of its files holds many requests: then `unwrap` answers
    with a list of outcomes, and what is read and numbered are these pieces. A list is never empty.

    A format `resolves` where what a record means depends on others of its file (a counter that only
    grows, a header that names the session): then all accepted records of a file, in the order in which
    they stand, are given to `resolve`, which answers with one outcome for each. One process reads the
    file. Order must not matter where the records carry times, so that a shuffled file reads the same.

    `cached_in_input` and `reasoning_in_output` state the token convention: whether the input
    count includes cached tokens, whether the output count includes reasoning.
    """

    name: str
    title: str
    signature: Callable[[Record], bool]
    columns: Mapping[str, tuple[Path, ...]]
    unwrap: Callable[[Record], Outcome | list[Outcome]] | None = None
    unfolds: bool = False
    resolve: Callable[[list[Record]], list[Outcome]] | None = None
    cached_in_input: bool = True
    reasoning_in_output: bool = True
    constants: Mapping[str, Any] = field(default_factory=dict)
    # Of: text, time, order (offsets without a date), latency, cache, cost, session, user, prefix (hashed blocks).
    carries: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()  # of what nearly all carry: model, tokens
    are_sums: bool = False  # its rows are sums over requests
    is_day_first: bool | None = None  # of dates such as 3/6/2026; None: it has none, and they are refused


def unreadable(log_format: LogFormat) -> Rejected:
    """What becomes of a record that its format cannot take apart."""
    return Rejected(f"this {log_format.name} record cannot be read")


def paths(*dotted: str) -> tuple[Path, ...]:
    """Paths from dotted names, in order of preference.

    >>> paths("usage.prompt_tokens", "prompt_tokens")
    (('usage', 'prompt_tokens'), ('prompt_tokens',))
    """
    return tuple(tuple(name.split(".")) for name in dotted)


def identity_columns() -> Mapping[str, tuple[Path, ...]]:
    """For a format whose `unwrap` already answers in canonical and raw names."""
    names = [column.name for column in COLUMNS if column.kind == "said"]
    return {name: ((name,),) for name in dict.fromkeys((*names, *RAW_EXTRAS))}
