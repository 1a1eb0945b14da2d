"""Progress on standard error, where a person watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
WIDTH = 60


def progress() -> Progress:
    """A progress line with rate and time left; silent where standard error is no terminal."""
    if not sys.stderr.isatty():
        return _silent
    started = time.monotonic()

    def show(label: str, done: int, size: int) -> None:
        from costctl.render.cells import safe  # noqa: PLC0415

        if done >= size:
            sys.stderr.write("\r" + " " * WIDTH + "\r")
            return
        elapsed = max(time.monotonic() - started, 1e-3)
        left = elapsed * (size - done) / max(done, 1)
        line = (
            f"reading {safe(label, 20)} {done * 100 // size:3d} %  {done / elapsed / 1e6:.0f} MB/s  {left:.0f} s left"
        )
        sys.stderr.write(f"\r{line:<{WIDTH}}")
        sys.stderr.flush()

    return show


def _silent(_label: str, _done: int, _size: int) -> None:
    """Nothing for a log file of a build."""
