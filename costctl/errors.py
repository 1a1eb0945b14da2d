"""The three kinds of trouble: data trouble is a `Problem`, user trouble a `CostctlError`.

Our own trouble is an assert, which is allowed to crash with a traceback and exit code 1.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """What a script can rely on; the numbers never change."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INPUT = 3
    COVERAGE = 4
    DRIFT = 5
    GATE = 6
    INTERRUPTED = 130


class Problem(NamedTuple):
    """One thing wrong with a file of the user's, with its place."""

    path: str
    line: int | None
    column: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        return f"{place}: {self.key + ': ' if self.key else ''}{self.message}"


@dataclass
class CostctlError(Exception):
    """Something the user can mend: what is wrong, where, and what to do about it.

    `code` is stable and searchable (E1xx input, E2xx prices, E3xx files of settings, E9xx
    the machine); `problems` carries every fault of a file at once.
    """

    code: str
    message: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.USAGE
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return self.message


class InputError(CostctlError):
    """A log that cannot be read at all (exit 3)."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint, ExitCode.INPUT)


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def no_room_for(target: str) -> CostctlError:
    """The user's words for an answer that its target has no room for."""
    said = f"the answer was not written: no room is left for {target}"
    return InputError("E170", said, "free some space, or write it elsewhere: -o FILE")


def disk_trouble(error: OSError) -> CostctlError:
    """The user's words for a disk that is full, that may not be written, or that is not what it seems."""
    other = "another workspace: --db /path/costctl.duckdb"
    if error.errno in NO_ROOM:
        return InputError("E170", "the disk is full; nothing was changed", f"free some space, or {other}")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return InputError("E171", f"not allowed to write {error.filename}", other)
    return InputError("E172", f"{error.strerror or error}: {error.filename or 'output'}", other)
