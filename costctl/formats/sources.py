"""Where logs come from: files, folders, globs, stdin; and how their bytes become tasks.

A task is what one worker reads at once: a range of a plain file, a block of decompressed
bytes, or rows that a document or table parser has already split. Ranges end at line ends, so
the cut into tasks depends on the file alone and never on the number of workers.
"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import io
import mmap
import os
import sys
import zlib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson
import zstandard

from costctl.errors import InputError
from costctl.formats.base import Record

BLOCK_BYTES = 16 * 2**20
LINE_BYTES_MAX = 32 * 2**20
TOO_LONG = f"line longer than {LINE_BYTES_MAX:,} bytes"
DOCUMENT_BYTES_MAX = 2**30
# A log of equal lines compresses 50:1; a bomb 1000:1.
EXPANSION_MAX = 200
EXPANSION_FREE_BYTES = 64 * 2**20
ROWS_PER_TASK = 5000
LOG_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".log", ".txt")
PACKED_SUFFIXES = (".gz", ".zst")
STDIN = "-"


class Source(NamedTuple):
    """One file to read; `label` is what the user called it."""

    path: Path
    label: str
    is_asked_for: bool  # named by the user, not found in a folder


class Task(NamedTuple):
    """One piece of a file: a byte range, bytes, parsed rows, or a fault at one record."""

    path: str | None = None
    offset: int = 0
    length: int = 0
    data: bytes | None = None
    rows: list[tuple[int, Record]] | None = None
    fault: str | None = None  # one rejected record in place of content
    fault_is_line: bool = True


def find_sources(names: list[str], spool: Path) -> list[Source]:
    """The files that the user means, sorted within each folder or glob.

    Raises:
        InputError: E101 for a missing file, with similar names that exist.
    """
    sources: list[Source] = []
    for name in names:
        path = Path(name)
        if name == STDIN:
            sources.append(Source(_spooled_stdin(spool), "stdin", True))
        elif path.is_dir():
            found = sorted(item for item in path.rglob("*") if item.is_file() and _is_log(item))
            if not found:
                raise InputError(
                    "E102",
                    f"no log files in folder {name}",
                    f"looked for: {', '.join(LOG_SUFFIXES)}",
                )
            sources.extend(Source(item, str(item), False) for item in found)
        elif path.exists():
            sources.append(Source(path, name, True))
        elif matches := sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []:  # noqa: PTH207
            sources.extend(Source(Path(item), item, True) for item in matches if Path(item).is_file())
        else:
            raise InputError("E101", f"cannot read log: {name}", _similar(path))
    return list({source.path.resolve(): source for source in sources}.values())


def _is_log(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts[-2:]):
        return False
    suffix = path.with_suffix("").suffix if path.suffix in PACKED_SUFFIXES else path.suffix
    return suffix.lower() in LOG_SUFFIXES


def _similar(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    near = get_close_matches(path.name, [item.name for item in folder.iterdir()], n=3, cutoff=0.6)
    return f"similar here: {', '.join(near)}" if near else "no such file in that folder"


def _spooled_stdin(spool: Path) -> Path:
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = spool / "stdin.log"
    with target.open("wb") as file:
        target.chmod(0o600)
        while block := sys.stdin.buffer.read(BLOCK_BYTES):
            file.write(block)
    return target


def quick_identity(path: Path) -> str:
    """A cheap fingerprint: size, time of change and both ends of the file."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size}:{status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(65536))
        if status.st_size > 131072:
            file.seek(-65536, os.SEEK_END)
            digest.update(file.read())
    return digest.hexdigest()


def head_of(source: Source, size: int = 2**20) -> bytes:
    """The first bytes of the content, decompressed, for recognising the format."""
    if source.path.stat().st_size == 0:
        raise InputError("E120", f"{source.label} is empty (0 bytes)", "nothing was logged, or the wrong file")
    with source.path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith((b"PK\x03\x04", b"SQLite format", b"\xff\xfe", b"\xfe\xff")):
        kinds = {
            b"PK": "a ZIP archive: unpack it first",
            b"SQ": "an SQLite database: export its table as CSV",
        }
        raise InputError("E113", f"{source.label} is {kinds.get(magic[:2], 'UTF-16 text: save it as UTF-8')}", "")
    head = b""
    try:
        for block in _content_blocks(source, size):
            head += block
            if len(head) >= size:
                break
    except Truncated:
        pass  # what can be read is enough here; the reading itself will say it
    return head.removeprefix(b"\xef\xbb\xbf")


class Truncated(Exception):  # noqa: N818  (a state of the file, handled where it is read)
    """A compressed file ends before its content does."""


def _content_blocks(source: Source, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    with source.path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            yield from _guarded(_gzip_blocks(file, source.label, size), source)
        elif magic == b"\x28\xb5\x2f\xfd":
            yield from _guarded(_zstd_blocks(file, source.label), source)
        else:
            while block := file.read(size):
                yield block


def _gzip_blocks(file: BinaryIO, label: str, size: int) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as stream:
        while True:
            try:
                block = stream.read1(size)
            except EOFError:
                raise Truncated from None
            except (OSError, zlib.error) as error:
                raise InputError(
                    "E112",
                    f"{label} is damaged: {error}",
                    "copy the file again; a wrong checksum means wrong content",
                ) from error
            if not block:
                return
            yield block


def _zstd_blocks(file: BinaryIO, label: str) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
    frame = decompressor.decompressobj()
    pending = b""
    started = False
    while block := pending or file.read(2**17):
        pending = b""
        if frame.eof:
            frame, started = decompressor.decompressobj(), False
        try:
            started = True
            out = frame.decompress(block)
        except zstandard.ZstdError as error:
            raise InputError("E112", f"{label} is damaged: {error}", "copy the file again") from error
        if frame.eof:
            pending = frame.unused_data
        if out:
            yield out
    if started and not frame.eof:
        raise Truncated


def _guarded(blocks: Iterator[bytes], source: Source) -> Iterator[bytes]:
    packed = source.path.stat().st_size
    total = 0
    for block in blocks:
        total += len(block)
        if total > EXPANSION_FREE_BYTES and total > packed * EXPANSION_MAX:
            raise InputError(
                "E114", f"{source.label} expands more than {EXPANSION_MAX}-fold: not a log",
                "unpack it yourself if you trust it, and audit the plain file",
            )  # fmt: skip
        yield block


def line_tasks(source: Source) -> Iterator[Task]:
    """A file of lines as tasks, each ending at a line end."""
    with source.path.open("rb") as file:
        packed = file.read(4).startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
    yield from _streamed_tasks(source) if packed else _range_tasks(source)


def _range_tasks(source: Source) -> Iterator[Task]:
    size = source.path.stat().st_size
    name = str(source.path)
    with (
        source.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view,
    ):
        start = 0
        while start < size:
            end = min(start + BLOCK_BYTES, size)
            if end < size:
                newline = view.find(b"\n", end, min(end + LINE_BYTES_MAX, size))
                if newline < 0 and size - end > LINE_BYTES_MAX:
                    last = view.rfind(b"\n", start, end) + 1 or start
                    if last > start:
                        yield Task(name, start, last - start)
                    stop = view.find(b"\n", end)
                    start = size if stop < 0 else stop + 1
                    yield Task(fault=TOO_LONG)
                    continue
                end = size if newline < 0 else newline + 1
            yield Task(name, start, end - start)
            start = end


def _streamed_tasks(source: Source) -> Iterator[Task]:
    """Decompressed bytes in blocks that end at line ends."""
    fault: str | None = None
    pending = bytearray()
    is_skipping = False  # inside a line that is too long to be kept
    blocks = _content_blocks(source)
    while True:
        try:
            block = next(blocks, None)
        except Truncated:
            block, fault = None, "the compressed file is cut: what followed is missing"
        if block is None:
            break
        if is_skipping:
            end = block.find(b"\n") + 1
            if not end:
                continue
            block, is_skipping = block[end:], False
        pending += block
        if len(pending) < BLOCK_BYTES:
            continue
        cut = pending.rfind(b"\n") + 1
        if cut:
            yield Task(data=bytes(pending[:cut]))
            del pending[:cut]
        if len(pending) > LINE_BYTES_MAX:
            yield Task(fault=TOO_LONG)
            pending, is_skipping = bytearray(), True
    if fault:
        del pending[pending.rfind(b"\n") + 1 :]
    if pending:
        yield Task(data=bytes(pending))
    if fault:
        yield Task(fault=fault)


def document_tasks(source: Source) -> Iterator[Task]:
    """The elements of a JSON document, numbered from 1; of a cut one, the whole elements."""
    content = _whole(source)
    try:
        document = orjson.loads(content)
        fault = None
    except orjson.JSONDecodeError as error:
        document, fault = _whole_elements(content), f"not valid JSON: {_reason(error)}"
        if fault and not document:
            yield Task(fault=fault, fault_is_line=False)
            return
    elements = records_of(document)
    for start in range(0, len(elements), ROWS_PER_TASK):
        batch = elements[start : start + ROWS_PER_TASK]
        yield Task(rows=[(start + position, element) for position, element in enumerate(batch, 1)])
    if fault:
        yield Task(fault=fault, fault_is_line=False)


def records_of(document: Any) -> list[Any]:
    """The records of a document: its elements, those of its one list, or itself."""
    if isinstance(document, list):
        return document
    # An answer of an embeddings model holds a list as well, and is one record.
    if isinstance(document, dict) and not {"usage", "model"} & document.keys():
        for key in ("data", "requests", "records", "logs", "items", "rows"):
            inner = document.get(key)
            if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
                return inner
    return [document]


def _whole(source: Source) -> bytes:
    content = b""
    try:
        for block in _content_blocks(source):
            content += block
            if len(content) > DOCUMENT_BYTES_MAX:
                raise InputError(
                    "E115",
                    f"{source.label}: a JSON document over 1 GiB",
                    "write it as JSONL, one record a line",
                )
    except Truncated:
        pass  # the document is then cut as well, which the parser says
    return content.removeprefix(b"\xef\xbb\xbf")


def _whole_elements(content: bytes) -> list[Any]:
    import json  # noqa: PLC0415  (only for a damaged document)

    text = content.decode("utf-8", "replace").lstrip()
    if not text.startswith("["):
        return []
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position = 1
    found: list[Any] = []
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            element, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return found
        found.append(element)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _reason(error: orjson.JSONDecodeError) -> str:
    return str(error).split(": line")[0].split(" (")[0]


def table_tasks(source: Source) -> Iterator[Task]:
    """Rows of a CSV or Parquet file, numbered by line or row."""
    if source.path.suffix == ".parquet" or source.path.open("rb").read(4) == b"PAR1":
        yield from _parquet_tasks(source)
    else:
        yield from _csv_tasks(source)


def _parquet_tasks(source: Source) -> Iterator[Task]:
    import polars as pl  # noqa: PLC0415  (keeps the line path free of it)

    try:
        frame = pl.read_parquet(source.path)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            "E112", f"{source.label} is not a readable Parquet file", str(error).splitlines()[0]
        ) from error
    for number, piece in enumerate(frame.iter_slices(ROWS_PER_TASK)):
        first = number * ROWS_PER_TASK + 1
        yield Task(rows=list(enumerate(piece.to_dicts(), first)))


class _Bytes(io.RawIOBase):
    """A readable stream over blocks of decompressed bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._left = memoryview(b"")
        self.is_truncated = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = memoryview(next(self._blocks))
            except StopIteration:
                return 0
            except Truncated:
                self.is_truncated = True
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def _csv_tasks(source: Source) -> Iterator[Task]:
    csv.field_size_limit(LINE_BYTES_MAX)
    raw = _Bytes(_content_blocks(source))
    text = io.TextIOWrapper(
        io.BufferedReader(cast("io.RawIOBase", raw)),
        encoding="utf-8-sig",
        errors="replace",
        newline="",
    )
    lines = csv.reader(text, delimiter=delimiter_of(head_of(source)))
    header = [name.strip() for name in next(lines, [])]
    rows: list[tuple[int, Record]] = []
    faults: list[Task] = []
    while True:
        number = lines.line_num + 1
        try:
            row = next(lines)
        except StopIteration:
            break
        except csv.Error as error:
            faults.append(Task(fault=f"not a CSV row: {error}"))
            continue
        if not row:
            continue
        if len(row) != len(header):
            rows.append((number, {"__fault__": f"{len(row)} fields under a header of {len(header)}"}))
        elif any("\ufffd" in field for field in row):
            rows.append((number, {"__fault__": "not valid UTF-8"}))
        else:
            rows.append((number, dict(zip(header, row, strict=True))))
        if len(rows) >= ROWS_PER_TASK:
            yield Task(rows=rows)
            rows = []
    if rows:
        yield Task(rows=rows)
    yield from faults
    if raw.is_truncated:
        yield Task(fault="the compressed file is cut: what followed is missing")


def delimiter_of(head: bytes) -> str:
    """The delimiter of a CSV header, by what separates most names."""
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t|", key=first.count)
