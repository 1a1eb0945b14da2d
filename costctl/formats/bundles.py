"""Small files, read many at a time: a folder of transcripts costs little more than one large file.

A worker recognises and parses each; what files of one format hold is brought to rows at once, which
takes as long for a hundred records as for one. The rows of each file are what it alone would give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from costctl.errors import InputError
from costctl.formats import detect, normalise
from costctl.formats.base import LeftOutUsage, LogFormat
from costctl.formats.bundling import BundleRead
from costctl.formats.gather import Gathered
from costctl.formats.local_dates import with_day_order
from costctl.formats.options import Options
from costctl.formats.parse import Parsed, Reject, parse_file
from costctl.formats.sources import Source
from costctl.formats.told import FileRead
from costctl.formats.worker import known_options, write_frame


def read_bundle_in_worker(
    sources: Sequence[Source], forced: LogFormat | None, options: Options, target: str
) -> BundleRead:
    """`read_bundle` with the options as this worker process first saw them."""
    return read_bundle(sources, forced, known_options(options), target)


def read_bundle(sources: Sequence[Source], forced: LogFormat | None, options: Options, target: str) -> BundleRead:
    """Read small files; `target` is how the names of their Parquet files begin."""
    groups: dict[str, _Group] = {}
    files: list[FileRead | InputError | None] = [None] * len(sources)
    frames: list[pl.DataFrame] = []
    for place, source in enumerate(sources):
        try:
            log_format = with_day_order(detect.recognise(source, forced), source, options.is_day_first)
        except InputError as error:
            files[place] = error
            continue
        # Which spelling of a name counts is decided over a batch: there a batch is one file.
        is_loose = log_format.unwrap is None
        # Lists of a format's records are taken apart, records of it are not: they are parsed apart as well.
        name = f"{place}" if is_loose else f"{log_format.name}:{log_format.unfolds}"
        group = groups.setdefault(name, _Group(log_format, options))
        try:
            group.add(place, source)
        except InputError as error:  # damaged further on: the group begins again with the files before it
            files[place], groups[name] = error, group.again()
    for group in groups.values():
        for one in group.parts():
            frame, reads = one.read()
            files = [reads.get(place, found) for place, found in enumerate(files)]
            frames += [frame] if frame.height else []
    parquets = [f"{target}-{number}.parquet" for number in range(len(frames))]
    for frame, name in zip(frames, parquets, strict=True):
        write_frame(frame, Path(name))
    return BundleRead([found for found in files if found is not None], parquets)


class _Group:
    """Files of one format whose records become rows together."""

    def __init__(self, log_format: LogFormat, options: Options) -> None:
        self._format, self._options = log_format, options
        self._gathered = Gathered(log_format, options.hash_key)
        self._files: list[tuple[int, Source, Parsed]] = []
        self._left_out: list[list[LeftOutUsage]] = []
        self._batch: normalise.Batch | None = None

    def add(self, place: int, source: Source) -> None:
        """Parse one more file."""
        before = len(self._gathered.left_out)
        parsed = parse_file(source, self._format, self._gathered)
        self._left_out.append(self._gathered.left_out[before:])
        self._files.append((place, source, parsed))

    def again(self) -> _Group:
        """The group with the files that were parsed to their end, and nothing of another."""
        group = _Group(self._format, self._options)
        for place, source, _ in self._files:
            group.add(place, source)
        return group

    def parts(self) -> list[_Group]:
        """The group, or one for each of its files where a batch may not be more than a file.

        A unit that is told by the size of the values, and values that could not be read, belong to one file.
        """
        if len(self._files) <= 1:
            return [self] if self._files else []
        if "latency" not in self._gathered.raw and not self._rows().unread:
            return [self]
        alone = []
        for place, source, _ in self._files:
            alone.append(_Group(self._format, self._options))
            alone[-1].add(place, source)
        return alone

    def _rows(self) -> normalise.Batch:
        if self._batch is None:
            height = self._gathered.height
            self._batch = normalise.normalise(self._gathered, range(height), self._format, self._options)
        return self._batch

    def read(self) -> tuple[pl.DataFrame, dict[int, FileRead]]:
        """The rows with the place of their file as `task`, and what each file held besides them."""
        ends = np.cumsum([0, *(len(parsed.lines) for _, _, parsed in self._files)])
        frame, refused, unread = pl.DataFrame(), dict[int, str](), dict[str, int]()
        kept, is_totalled = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
        if self._gathered.height:
            batch = self._rows()
            frame, refused, unread = batch.rows, batch.rejected, batch.unread
            kept, is_totalled = frame["source_line"].to_numpy(), batch.is_totalled.to_numpy()
        owner = np.searchsorted(ends, kept, side="right") - 1
        if frame.height:
            places = np.array([place for place, _, _ in self._files])
            numbers = np.concatenate([np.array(parsed.numbers, dtype=np.int64) for _, _, parsed in self._files])
            frame = frame.with_columns(source_line=pl.Series(numbers[kept]), task=pl.Series(places[owner]))
        accepted = np.bincount(owner, minlength=len(self._files))
        totalled = np.bincount(owner[is_totalled], minlength=len(self._files))
        bad: list[list[Reject]] = [[] for _ in self._files]
        for row, reason in refused.items():
            file = int(np.searchsorted(ends, row, side="right")) - 1
            bad[file].append(Reject(self._files[file][2].lines[row - int(ends[file])], None, reason))
        return frame, {
            place: FileRead(
                self._format.name, parsed.records_read, parsed.lines_read, int(accepted[file]), dict(parsed.ignored),
                sorted(parsed.rejected + bad[file]), unread, hashlib.sha256(parsed.digest).hexdigest(),
                int(totalled[file]), self._left_out[file],
            )
            for file, (place, _, parsed) in enumerate(self._files)
        }  # fmt: skip
