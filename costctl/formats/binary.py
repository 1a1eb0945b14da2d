"""Files that are no text: what they seem to be, and what to do about it."""

from __future__ import annotations

from costctl.errors import InputError

LOOKED_AT, SHOWN_BYTES = 4096, 8
# Control characters that no text has; a tab, line ends, form feed and escape may stand in one.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0c\x1b"))
CONTROL_SHARE_MAX = 0.02
# First bytes, what such a file is, and the way to a log from it.
_EXPORT = "export the log itself as JSONL, CSV or Parquet"
_UNPACK = "unpack it first, or pack it with gzip, zstd, bzip2 or xz, which are read as they are"
KINDS = (
    (b"%PDF", "a PDF document", _EXPORT),
    (b"\x89PNG", "a PNG picture", _EXPORT),
    (b"\xff\xd8\xff", "a JPEG picture", _EXPORT),
    (b"\xd0\xcf\x11\xe0", "an old Office document", "save the sheet as CSV"),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "an lz4 archive", _UNPACK),
    (b"ARROW1", "an Arrow or Feather file", "write it as Parquet"),
    (b"Obj\x01", "an Avro file", "write it as Parquet or JSONL"),
    (b"ORC", "an ORC file", "write it as Parquet"),
    (b"\x7fELF", "a program", _EXPORT),
)


def is_binary(head: bytes) -> bool:
    """Whether the first bytes of a file are those of something else than text."""
    part = head[:LOOKED_AT]
    if any(head.startswith(magic) for magic, _, _ in KINDS):
        return True
    controls = len(part) - len(part.translate(None, _CONTROLS))
    return b"\x00" in part or controls > CONTROL_SHARE_MAX * len(part)


def not_text(label: str, head: bytes) -> InputError:
    """The error for such a file (E121): its first bytes in hexadecimal, its kind where it is known, the way out."""
    kind, hint = next(((kind, hint) for magic, kind, hint in KINDS if head.startswith(magic)), ("", _EXPORT))
    if head[257:262] == b"ustar":
        kind, hint = "a tar archive", "unpack it and audit the folder"
    seems = f", it looks like {kind}" if kind else ""
    return InputError("E121", f"{label} is not text: binary, first bytes {head[:SHOWN_BYTES].hex(' ')}{seems}", hint)
