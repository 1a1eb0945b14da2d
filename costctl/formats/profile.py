"""A profile: what a simulation reads of a log, without its texts, in one Parquet file of ours.

`costctl profile` writes it (replay/profile.py). Its rows are the attempts of a report, duplicates merged, as
canonical columns; so they go into `attempt` as they are. What stands beside them goes into `profile_row`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any, NamedTuple

import orjson

from costctl.errors import CostctlError, ExitCode, InputError
from costctl.formats.options import Options
from costctl.formats.sources import Source
from costctl.formats.told import FileRead
from costctl.formats.workspace import add_attempt_columns
from costctl.report import counted
from costctl.request import COLUMNS
from costctl.store import Store

NAME = "costctl_profile"
TITLE = "Profiles that costctl profile wrote: logs without their texts"
CARRIES = ("time", "latency", "cache", "cost", "session", "user")
VERSION = 1
KEY = "costctl.profile"  # of the file's metadata

TYPES: Mapping[str, str] = {column.name: column.type for column in COLUMNS}
HASHED = ("trace_id", "session_id", "user_id", "api_key_id", "caller")
"""Ids that stand in a profile as keyed hashes: equal ones stay equal, and none can be looked up."""
NUMBERED = ("prompt_key", "system_key", "prefix_blocks")
"""Keys of prompts and their blocks are numbers in order of appearance: nothing is left but which are equal."""
NAMED = ("error_type", "finish_reason")
"""Carried where they look like a name; a sentence becomes its class, or `other`."""
LEFT_OUT = (
    # Words of prompts, or free text.
    "tier_reason", "routing_reason", "data_source", "tags",
    # Sums over requests, which nothing replays.
    "is_aggregate", "aggregate_request_count", "bucket_ends_at", "context_from_tokens",
)  # fmt: skip
CARRIED = tuple(name for name in TYPES if name not in {*HASHED, *NUMBERED, *NAMED, *LEFT_OUT})
BESIDE: Mapping[str, str] = {
    "text_number": "INTEGER",  # of the last message of the user
    "answer_number": "INTEGER",
    # On the first row of a text, what is known of it: lists go over the slots, or over near texts of lower number.
    "guard": "INTEGER", "slots": "INTEGER[]", "near_texts": "INTEGER[]", "near_ppb": "INTEGER[]",
    "like_answers": "INTEGER[]",  # on the first row of an answer: answers of lower number that say the same
    "is_answer_broken": "BOOLEAN",  # under the rules whose digest is told
    "router_score": "DOUBLE",  # of the router whose digest is told
}  # fmt: skip
"""Columns beside the canonical ones."""
SCHEMA: Mapping[str, str] = {**{name: kind for name, kind in TYPES.items() if name not in LEFT_OUT}, **BESIDE}
SLOT_COUNT = 5
READING = ("records_read_count", "accepted_count", "merged_count", "ignored_count", "rejected_count")
"""What became of the records of the log: the first is the sum of the rest."""
SHARE_PARTS = 5  # of `reuse.intervals.Share`
_ROW = "file_row_number + 1"
_COUNTS = ("BIGINT", "INTEGER")
# What a row of a profile never says; for the other counts, that they are below 0.
_FAULTS = {
    "status": "status IS NULL OR status NOT IN ('ok', 'error', 'cancelled', 'incomplete', 'unknown')",
    "near_texts": "len(near_texts) IS DISTINCT FROM len(near_ppb) OR list_min(near_texts) < 0 "
    "OR list_max(near_texts) >= coalesce(text_number, 0) OR list_min(near_ppb) < 0",
    "like_answers": "list_min(like_answers) < 0 OR list_max(like_answers) >= coalesce(answer_number, 0)",
    "slots": f"(guard IS NULL) <> (slots IS NULL) OR len(slots) <> {SLOT_COUNT}",
}  # fmt: skip


class Told(NamedTuple):
    """What a profile says of itself."""

    row_count: int
    rules: str  # digest of the tier rules by which it was read
    texts: Mapping[str, Any] | None  # what is known of near prompts; None where the log has no text of any
    answer_rules: str | None  # digest of the rules of post_process.validate whose verdicts it holds
    router: str | None  # digest of the learned router whose scores it holds
    reading: Mapping[str, int] | None = None  # what became of the log's records; profiles of before do not tell it


def dumped(told: Told, version: str) -> str:
    """The text of the metadata; `version` is that of costctl."""
    return orjson.dumps({"version": VERSION, "costctl": version, **told._asdict()}).decode()


def told_in(source: Source) -> str | None:
    """The metadata of a profile; None for any other file."""
    with source.path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return None
    import polars as pl  # noqa: PLC0415  (keeps other files free of it)

    try:
        found: str | None = pl.read_parquet_metadata(source.path).get(KEY)
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return None  # reading it as a table says what is wrong
    return found


def refuse_company(labels: Sequence[str], all_labels: Sequence[str]) -> None:
    """A profile stands for a whole log: its keys equal no key of another file.

    Raises:
        InputError: E129 where profiles (`labels`) are read together with other files.
    """
    if len(all_labels) > 1:
        said = f"{labels[0]} is a profile and is read together with other files"
        raise InputError("E129", said, "name it alone; to join logs, write one profile of all: costctl profile LOG...")


def load_profile(
    store: Store, source: Source, text: str, options: Options, *, is_mapped: bool, file_id: int
) -> FileRead:
    """Put the rows of a profile into the store; `text` is its metadata.

    Raises:
        InputError: E127 for another version, E128 where it is damaged or was changed, E129 where it would have to be
            read in another way than its log was.
    """
    told = _told(source, text)
    if is_mapped or (options.cached_in_input, options.is_day_first) != (None, None):
        said = (
            f"{source.label} is a profile: --map, --log-format, --cached-in-input and --day-first say how to read a log"
        )
        raise InputError("E129", said, "give these options to costctl profile")
    if told.rules != options.rules.digest:
        said = f"{source.label} was written with other tier rules than those of now"
        way = f"costctl audit {quote(source.label)} --tier-rules FILE (no option for the shipped rules)"
        hint = f"read it with those: {way}, then this command without a log; or write it anew: costctl profile LOG"
        raise InputError("E129", said, hint)
    _check(store, source, told)
    canonical = [name for name in SCHEMA if name in TYPES]
    add_attempt_columns(store, {"dedupe_key": "VARCHAR"} | {name: TYPES[name] for name in canonical})
    # Each row is a record of its own: what was one request was merged before.
    _insert(store, source, "attempt", file_id, canonical, {"dedupe_key": f"CAST({_ROW} AS VARCHAR)"})
    _insert(store, source, "profile_row", file_id, list(BESIDE), {})
    store.insert("profile_file", ["file_id", "told"], [(file_id, text)])
    # Blocks of prompts stand in the rows: there is no text to read them from.
    store.insert("prompt_prefix_file", ["file_id"], [(file_id,)])
    digest = hashlib.sha256(source.path.read_bytes()).hexdigest()
    return FileRead(NAME, told.row_count, told.row_count, told.row_count, {}, (), {}, digest)


def _insert(
    store: Store, source: Source, table: str, file_id: int, names: Sequence[str], more: Mapping[str, str]
) -> None:
    quoted = ", ".join(f'"{name}"' for name in names)
    store.load_parquet(
        f"INSERT INTO {table} (file_id, source_line, {', '.join((*more, quoted))}) "
        f"SELECT {file_id}, {_ROW}, {', '.join((*more.values(), quoted))} "
        "FROM read_parquet($files, file_row_number = true)",
        [source.path],
    )


def _told(source: Source, text: str) -> Told:
    try:
        said = orjson.loads(text)
        version = said.pop("version")
        if version == VERSION:
            writer = said.pop("costctl")
            assert isinstance(writer, str)
            told = Told(**said)
            assert isinstance(told.row_count, int)
            assert all(value is None or isinstance(value, str) for value in (told.answer_rules, told.router))
            assert told.texts is None or _is_sound(told.texts)
            assert told.reading is None or _adds_up(told.reading)
            return told
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise _damaged(source, "what it says of itself cannot be read") from error
    said = f"{source.label} is a profile of version {str(version)[:20]}; this costctl reads version {VERSION}"
    raise InputError("E127", said, "write it anew with this costctl: costctl profile LOG")


def _is_sound(texts: Mapping[str, Any]) -> bool:
    """Whether what is told of texts can be taken as it stands."""
    test = texts["test"]
    later = ("reworded", "apart")  # profiles of before do not tell them
    shares = (
        [] if test is None else [test["repeats"], test["unlike"], *(test[name] for name in later if test.get(name))]
    )
    return (
        all(isinstance(texts[name], str) for name in ("embedding", "asked_embedding", "why_no_answers"))
        and isinstance(texts["lowest_ppb"], int)
        and isinstance(texts.get("differing_count", 0), int)  # profiles of before do not tell it
        and (test is None or isinstance(test["cut_ppb"], int))
        and all(len(share) == SHARE_PARTS and all(map(_is_number, share[1:])) for share in shares)
        and all(share[0] is None or _is_number(share[0]) for share in shares)
    )


def _adds_up(reading: Mapping[str, Any]) -> bool:
    """Whether the records that were read are all told of."""
    read, *rest = (reading[name] for name in READING)
    return all(type(count) is int and count >= 0 for count in (read, *rest)) and read == sum(rest)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _check(store: Store, source: Source, told: Told) -> None:
    """Everything is of its kind and in its bounds: what follows takes each number as it stands."""
    import polars as pl  # noqa: PLC0415  (keeps other files free of it)

    try:
        pl.read_parquet(source.path)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _damaged(source, str(error).splitlines()[0]) from error
    files = {"files": [str(source.path)]}
    columns = {name: kind for name, kind, *_ in store.query("DESCRIBE FROM read_parquet($files)", files)}
    there = set(columns.items())
    if strange := [name for name, kind in columns.items() if SCHEMA.get(name) != kind]:
        raise _damaged(source, f"not its columns: {', '.join(strange[:3])}")
    if missing := [name for name, kind in SCHEMA.items() if (name, kind) not in there]:
        raise _damaged(source, f"without its columns: {', '.join(missing[:3])}")
    tests = {**{name: f'"{name}" < 0' for name, kind in SCHEMA.items() if kind in _COUNTS}, **_FAULTS}
    tests.pop("replay_offset_ms")
    asked = ", ".join(f"count(*) FILTER ({test})" for test in tests.values())
    hosts = (
        "count(DISTINCT text_number) = count(guard) AND count(DISTINCT text_number) FILTER (guard >= 0) = count(guard)"
    )
    rows, is_whole, *faults = store.query(f"SELECT count(*), {hosts}, {asked} FROM read_parquet($files)", files)[0]
    if rows != told.row_count or not rows:
        raise _damaged(source, f"{counted(rows, 'row')}, not {told.row_count:,}")
    if wrong := [name for name, count in zip(tests, faults, strict=True) if count]:
        raise _damaged(source, f"out of bounds: {', '.join(wrong[:3])}")
    if not is_whole:
        raise _damaged(source, "a text of which nothing is told")


def _damaged(source: Source, why: str) -> InputError:
    return InputError("E128", f"{source.label} is no whole profile: {why}", "write it anew: costctl profile LOG")


def profile_of(store: Store) -> Told | None:
    """What the profile says that was audited last; None where a log was."""
    if not store.holds("profile_file", "report_file"):
        return None
    found = store.query("SELECT told FROM profile_file WHERE file_id IN (SELECT file_id FROM report_file)")
    if not found:
        return None
    said = orjson.loads(found[0][0])
    return Told(**{name: said[name] for name in Told._fields if name in said})


def no_text(label: str) -> CostctlError:
    """A question that only texts answer was asked of a profile."""
    return CostctlError(
        "E424", f"{label} is a profile, and a profile holds no text", "ask this of the log itself", ExitCode.COVERAGE
    )
