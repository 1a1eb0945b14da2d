"""What the workspace remembers of each file that was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from costctl.formats.sources import Source
from costctl.store import Store

if TYPE_CHECKING:  # what only knows a file again does without the readers of all formats
    from costctl.formats.base import LeftOutUsage
    from costctl.formats.parse import Reject


class FileCounts(NamedTuple):
    """One file's share of the conservation line."""

    file_id: int
    label: str
    format_name: str
    records_read: int
    lines_read: int
    accepted: int
    ignored: int
    rejected: int
    digest: str


class FileRead(NamedTuple):
    """What one file held, besides its rows; places of rejects count from the start of the file."""

    format_name: str
    records_read: int
    lines_read: int
    accepted: int
    ignored: Mapping[str, int]
    rejected: Sequence[Reject]
    unread: Mapping[str, int]
    digest: str
    totalled: int = 0  # accepted records whose own total of tokens could be compared
    left_out: Sequence[LeftOutUsage] = ()


class Wanted(NamedTuple):
    """A file to be read: `content` is its fingerprint, `identity` that and how it is to be read."""

    source: Source
    content: str
    identity: str


def known_files(store: Store, identities: Iterable[str]) -> dict[str, FileCounts]:
    """Those files that were read before in the same way, by identity."""
    wanted = set(identities)
    rows = store.query(
        "SELECT s.identity, s.file_id, s.label, s.format_name, s.records_read, s.lines_read, s.accepted, "
        "coalesce(i.ignored, 0), coalesce(r.rejected, 0), s.digest FROM source_file s "
        "LEFT JOIN (SELECT file_id, sum(record_count)::BIGINT AS ignored FROM ignored_record GROUP BY file_id) i "
        "USING (file_id) "
        "LEFT JOIN (SELECT file_id, count(*) AS rejected FROM rejected_record GROUP BY file_id) r USING (file_id)"
    )
    return {identity: FileCounts(*found) for identity, *found in rows if identity in wanted}


def remember_files(
    store: Store, first_id: int, files: Sequence[tuple[Wanted, FileRead]], mapping: str | None
) -> list[FileCounts]:
    """Note files that were read, numbered on from `first_id`."""
    numbered = [(first_id + place, wanted, read) for place, (wanted, read) in enumerate(files)]
    store.insert(
        "source_file",
        ["file_id", "content", "identity", "label", "format_name", "records_read", "lines_read", "accepted", "digest",
         "path", "mapping", "totalled"],
        [
            (file_id, wanted.content, wanted.identity, wanted.source.label, read.format_name, read.records_read,
             read.lines_read, read.accepted, read.digest, str(wanted.source.path.resolve()), mapping, read.totalled)
            for file_id, wanted, read in numbered
        ],
    )  # fmt: skip
    store.insert(
        "ignored_record",
        ["file_id", "kind", "record_count"],
        [(file_id, kind, n) for file_id, _, read in numbered for kind, n in sorted(read.ignored.items())],
    )
    store.insert(
        "rejected_record",
        ["file_id", "source_line", "byte_offset", "reason"],
        [(file_id, *item) for file_id, _, read in numbered for item in read.rejected],
    )
    store.insert(
        "unread_value",
        ["file_id", "column_name", "value_count"],
        [(file_id, name, n) for file_id, _, read in numbered for name, n in sorted(read.unread.items())],
    )
    store.insert(
        "left_out_usage",
        ["file_id", "trace_id", "span_id", "parent_id", "input_tokens", "output_tokens"],
        [(file_id, *item) for file_id, _, read in numbered for item in read.left_out],
    )
    return [_counted(file_id, wanted.source.label, read) for file_id, wanted, read in numbered]


def _counted(file_id: int, label: str, read: FileRead) -> FileCounts:
    ignored, rejected = sum(read.ignored.values()), len(read.rejected)
    assert read.records_read == read.accepted + ignored + rejected, "a record was lost while reading"
    return FileCounts(file_id, label, read.format_name, read.records_read, read.lines_read, read.accepted, ignored,
                      rejected, read.digest)  # fmt: skip
