"""Where logs come from: files, folders, globs, standard input; and their content, unpacked."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from costctl.errors import InputError
from costctl.formats.histories import history_of
from costctl.formats.unpack import MAGIC_BYTES, SUFFIXES, Truncated, is_packed, unpacked
from costctl.report import counted

BLOCK_BYTES = 16 * 2**20
LINE_BYTES_MAX = 32 * 2**20
END_BYTES = 65536
# A log of equal lines compresses 50:1; a bomb 1000:1.
EXPANSION_MAX = 200
EXPANSION_FREE_BYTES = 64 * 2**20
LOG_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".log", ".txt", ".sse")
DATABASES = "opencode*.db"  # of databases only those whose tables a format knows
STDIN = "-"
HISTORY = "agent:"  # before the name of a coding agent: all of its history on this machine
# What rotating a log puts behind its name: a number or a date.
_ROTATION = re.compile(r"([.-](\d{1,4}|\d{8,14}|\d{4}-\d\d-\d\d([t_-]\d\d[:-]?\d\d([:-]?\d\d)?)?))+$")
_JSON = re.compile(rb'\s*(\[\s*)?\{\s*"')
NAMED_MAX = 5
SQLITE_MAGIC = b"SQLite format 3\0"


class Source(NamedTuple):
    """One file to read; `label` is what the user called it."""

    path: Path
    label: str
    is_asked_for: bool  # named by the user, not found in a folder


class Reader(NamedTuple):
    """How the log may be read again: the key of the workspace's hashes, a folder for a while, how many processes."""

    hash_key: bytes
    spool: Path
    processes: int = 1
    embedding: str | None = None  # of near prompts; by default the best one that is installed

    @property
    def kept(self) -> Path:
        """The folder of what is worth keeping between runs, beside the workspace; no text is in it."""
        return self.spool.parents[1] / "near"


def find_sources(names: list[str], spool: Path, missing: list[InputError] | None = None) -> list[Source]:
    """The files that the user means, sorted within each folder or glob.

    Agents without a history on this machine and files of folders that are not read are noted in `missing` (E104, E102),
    where that is given and something else is there.

    Raises:
        InputError: E101 for a missing file, with similar names that exist; E102 for a folder without logs; E103 and
            E104 as `history_of`.
    """
    sources: list[Source] = []
    absent: list[InputError] = []
    for name in names:
        path = Path(name)
        if name == STDIN:
            sources.append(Source(_spooled_stdin(spool), "stdin", True))
        elif name.startswith(HISTORY) and not path.exists():
            try:
                sources.extend(Source(item, str(item), False) for item in history_of(name.removeprefix(HISTORY)))
            except InputError as error:
                if error.code != "E104":
                    raise
                absent.append(error)
        elif path.is_dir():
            found, others = _logs_in(path)
            if not found:
                raise InputError(
                    "E102",
                    f"no log files in folder {name}{f': {_named(others)}' if others else ''}",
                    f"looked for: {', '.join(LOG_SUFFIXES)}",
                )
            if others and missing is not None:
                missing.append(_not_read(name, others))
            sources.extend(Source(item, str(item), False) for item in found)
        elif path.exists():
            sources.append(Source(path, name, True))
        elif matches := sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []:  # noqa: PTH207
            sources.extend(Source(Path(item), item, True) for item in matches if Path(item).is_file())
        else:
            raise InputError("E101", f"cannot read log: {name}", _similar(path))
    if absent and (missing is None or not sources):
        raise absent[0]
    if missing is not None:
        missing.extend(absent)
    return list({source.path.resolve(): source for source in sources}.values())


def _logs_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The logs of a folder, and its other files, those in sight alone; both sorted."""
    logs: list[Path] = []
    others: list[Path] = []
    for item in sorted(path for path in folder.rglob("*") if path.is_file()):
        if any(part.startswith(".") for part in item.parts[-2:]):
            continue
        name = _ROTATION.sub("", plain_name(item))
        is_named = fnmatch(item.name.lower(), DATABASES) or name.endswith(LOG_SUFFIXES)
        if is_named or ("." not in name and _begins_as_json(item)):
            logs.append(item)
        elif not any(part.startswith(".") for part in item.relative_to(folder).parts) and not _is_beside(item):
            others.append(item)
    return logs, others


def plain_name(path: Path) -> str:
    """The name of a file without what packing puts behind it, in small letters."""
    name = path.name.lower()
    for packed in SUFFIXES:
        name = name.removesuffix(packed)
    return name


def _begins_as_json(path: Path) -> bool:
    """Whether a file whose name says nothing holds objects or a list of them, by its first bytes."""
    try:
        head = next(content_blocks(Source(path, str(path), False), 4096), b"")
    except (InputError, Truncated, OSError):
        return False
    return _JSON.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def _is_beside(path: Path) -> bool:
    """Whether it is what SQLite keeps beside a database, which is read with it."""
    return path.name.endswith(("-wal", "-shm")) and path.with_name(path.name[:-4]).exists()


def _not_read(folder: str, others: list[Path]) -> InputError:
    files = counted(len(others), "file of the folder was", "files of the folder were")
    return InputError(
        "E102", f"{files} not read, as the name is of no log: {_named(others)}",
        f"unpack archives first; name what is a log beside the folder: costctl audit {folder} {others[0]}",
    )  # fmt: skip


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - NAMED_MAX:,} more" if len(paths) > NAMED_MAX else ""
    return ", ".join(path.name for path in paths[:NAMED_MAX]) + more


def _similar(path: Path) -> str:
    if any(mark in str(path) for mark in "*?["):
        return "no file matches this pattern"
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
    """A cheap fingerprint: place, size, time of change and both ends of the file (all of a small one)."""
    status = path.stat()
    digest = hashlib.sha256(f"{path.resolve()}\0{status.st_size}:{status.st_mtime_ns}".encode())
    if not os.access(path, os.R_OK):  # `head_of` says so, or leaves it out of a folder
        return digest.hexdigest()
    with path.open("rb") as file:
        head = file.read(END_BYTES)
        digest.update(head)
        if status.st_size > END_BYTES:
            file.seek(max(END_BYTES, status.st_size - END_BYTES))
            digest.update(file.read())
    if head.startswith(SQLITE_MAGIC):  # what was written last may still lie beside the file
        with suppress(OSError):
            beside = path.with_name(f"{path.name}-wal").stat()
            digest.update(f"{beside.st_size}:{beside.st_mtime_ns}".encode())
    return digest.hexdigest()


def head_of(source: Source, size: int = 2**20) -> bytes:
    """The first bytes of the content, decompressed, for recognising the format.

    At least the first line as a whole, unless it is longer than any line may be without the blanks before it.
    """
    if source.path.stat().st_size == 0:
        raise InputError("E120", f"{source.label} is empty (0 bytes)", "nothing was logged, or the wrong file")
    try:
        with source.path.open("rb") as file:
            magic = file.read(8)
    except PermissionError as error:
        raise InputError("E117", f"{source.label} may not be read", "look at its permissions") from error
    if magic.startswith((b"PK\x03\x04", b"\xff\xfe", b"\xfe\xff")):
        kinds = {b"PK": "a ZIP archive: unpack it first"}
        raise InputError("E113", f"{source.label} is {kinds.get(magic[:2], 'UTF-16 text: save it as UTF-8')}", "")
    head = bytearray()
    try:
        for block in content_blocks(source, size):
            has_line_end = b"\n" in head[:size] or b"\n" in block
            head += block
            if len(head) >= LINE_BYTES_MAX:
                head = head.lstrip()
            if len(head) >= LINE_BYTES_MAX or (len(head) >= size and has_line_end):
                break
    except Truncated:
        pass  # what can be read is enough here; the reading itself will say it
    if head[257:262] == b"ustar":
        raise InputError(
            "E113", f"{source.label} is a tar archive", "unpack it and audit the folder: tar -xf FILE -C FOLDER"
        )
    return bytes(head).removeprefix(b"\xef\xbb\xbf")


def behind_long_lines(source: Source, size: int = 2**20) -> bytes:
    """The first lines behind a first one that is too long, and behind others like it that follow."""
    found = bytearray()
    is_skipping = True
    try:
        for block in content_blocks(source, size):
            found += block[block.find(b"\n") + 1 or len(block) :] if is_skipping else block
            is_skipping = is_skipping and b"\n" not in block
            if len(found) >= LINE_BYTES_MAX and b"\n" not in found:
                found, is_skipping = bytearray(), True
            elif len(found) >= size and b"\n" in found:
                break
    except Truncated:
        pass  # as in `head_of`
    return bytes(found)


def content_blocks(source: Source, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The content of a file in blocks, unpacked and with its checksums verified.

    Raises:
        InputError: E112 for a damaged file, E114 for one that expands too much.
        Truncated: when a compressed file ends before its content does, or something else follows it.
    """
    with source.path.open("rb") as file:
        magic = file.read(MAGIC_BYTES)
        file.seek(0)
        if is_packed(magic):
            yield from _guarded(unpacked(file, source.label, magic, size), source)
        else:
            while block := file.read(size):
                yield block


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
