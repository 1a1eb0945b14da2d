"""Packed files: which ones we unpack, told by their first bytes, and their content in blocks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from costctl.errors import InputError
from costctl.report import counted

GZIP, ZSTD, BZIP2, XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00"
MAGIC_BYTES = 6
SUFFIXES = (".gz", ".zst", ".bz2", ".xz")
CUT = "the compressed file is cut: what followed is missing"
DAMAGED = "the compressed file is damaged here: what followed cannot be read, and the lines just before it may be wrong"
PACKED_BYTES = 2**17  # read at a time
WINDOW_BYTES_MAX = 2**27  # memory that a file may ask for; the strongest usual settings take half of it


class Truncated(Exception):  # noqa: N818  (a state of the file, handled where it is read)
    """A compressed file ends before its content does, or cannot be read on; its text says which."""


class Trailing(Truncated):
    """The content is whole, and behind it stand bytes that are no part of the compressed file."""


def is_packed(magic: bytes) -> bool:
    """Whether a file with these first bytes is unpacked as it is read."""
    return magic.startswith((GZIP, ZSTD, BZIP2, XZ))


def unpacked(file: BinaryIO, label: str, magic: bytes, size: int) -> Iterator[bytes]:
    """The content of a packed file in blocks of about `size` bytes, its checksums verified.

    Raises:
        InputError: E112 for a damaged file of which no part can be trusted.
        Truncated: where the content breaks off, or something else follows it.
    """
    if magic.startswith(GZIP):
        return _gzip_blocks(file, label, size)
    if magic.startswith(ZSTD):
        return _zstd_blocks(file, label)
    return _stream_blocks(file, label, BZIP2 if magic.startswith(BZIP2) else XZ, size)


def _damaged(label: str, error: object) -> InputError:
    return InputError(
        "E112", f"{label} is damaged: {error}", "copy the file again; a wrong checksum means wrong content"
    )


def _behind(rest: bytes, file: BinaryIO) -> Trailing | None:
    """What to say of the bytes behind the last member; zeros pad a file and say nothing."""
    count, is_padding = 0, True
    while rest:
        count += len(rest)
        is_padding = is_padding and not rest.strip(b"\0")
        rest = file.read(PACKED_BYTES)
    if is_padding:
        return None
    return Trailing(f"{counted(count, 'byte')} behind the compressed content: not read, as they are no part of it")


def _next_member(packed: bytes, file: BinaryIO, magic: bytes) -> bytes:
    """The beginning of the member behind one that has ended; nothing at the end of the file.

    Raises:
        Trailing: where something else stands there.
    """
    packed = packed or file.read(PACKED_BYTES)
    while packed and not packed.lstrip(b"\0"):  # padding, maybe longer than this block
        packed = file.read(PACKED_BYTES)
    if len(packed) < len(magic):
        packed += file.read(PACKED_BYTES)
    if packed.startswith(magic):
        return packed
    if trailing := _behind(packed, file):
        raise trailing
    return b""


def _gzip_blocks(file: BinaryIO, label: str, size: int) -> Iterator[bytes]:
    packed = file.read(PACKED_BYTES)
    while packed:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        while not member.eof:
            if not packed:
                packed = file.read(PACKED_BYTES)
            if not packed:
                raise Truncated(CUT)
            before = member.copy()
            try:
                block = member.decompress(packed, size)
            except zlib.error as error:
                if "check" in str(error):  # of the header, or of content that was read and is wrong somewhere
                    raise _damaged(label, error) from error
                yield from _before_damage(before, packed)
                raise Truncated(DAMAGED) from None
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if block:
                yield block
        packed = _next_member(packed, file, GZIP)


def _before_damage(member: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """What these packed bytes hold before the first one that cannot be unpacked."""
    for at in range(len(packed)):
        try:
            block = member.decompress(packed[at : at + 1])
        except zlib.error:
            return
        if block:
            yield block


def _stream_blocks(file: BinaryIO, label: str, magic: bytes, size: int) -> Iterator[bytes]:
    """The content of bzip2 and xz files, of which several may stand behind one another."""
    import bz2  # noqa: PLC0415  (not every Python has them, and few logs need them)
    import lzma  # noqa: PLC0415

    packed = file.read(PACKED_BYTES)
    while packed:
        stream = bz2.BZ2Decompressor() if magic == BZIP2 else lzma.LZMADecompressor(memlimit=WINDOW_BYTES_MAX)
        while not stream.eof:
            if stream.needs_input and not packed:
                packed = file.read(PACKED_BYTES)
                if not packed:
                    raise Truncated(CUT)
            try:
                block = stream.decompress(packed, size)
            except (OSError, lzma.LZMAError) as error:
                raise _damaged(label, error) from error
            packed = b""
            if block:
                yield block
        packed = _next_member(stream.unused_data, file, magic)


def _zstd_blocks(file: BinaryIO, label: str) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    frame = decompressor.decompressobj()
    pending = b""
    started = False
    while block := pending or file.read(PACKED_BYTES):
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
        raise Truncated(CUT)
