"""Lines of JSON, instants, ids and packing, as the sample logs need them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from gzip import GzipFile
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
START_AT = datetime(2026, 6, 11, 9, 0, tzinfo=UTC)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"


def dumps(record: Any) -> str:
    """One record as JSON on one line."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def write_lines(path: Path, records: Iterable[Record | str]) -> None:
    """Records as JSON lines; a text is written as it is."""
    path.write_text("".join((item if isinstance(item, str) else dumps(item)) + "\n" for item in records), "utf-8")


def at(minutes: float) -> datetime:
    """That many minutes into the logs."""
    return START_AT + timedelta(minutes=minutes)


def iso(moment: datetime) -> str:
    """UTC with milliseconds and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def new_id(rng: Random, prefix: str, length: int = 22) -> str:
    """An id that looks like the providers' own."""
    return prefix + "".join(rng.choices(_LETTERS, k=length))


def gzipped(data: bytes) -> bytes:
    """Packed without a date or a name; `gzip.compress` also writes which Python it was."""
    packed = BytesIO()
    with GzipFile(filename="", mode="wb", compresslevel=6, fileobj=packed, mtime=0) as file:
        file.write(data)
    return packed.getvalue()
