"""Worker processes, started as early as possible: they import while the parent does.

This module stays light, so that the parent can start them before its own heavy imports.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from costctl.formats.sources import Source

# Below this a second process costs more than it brings.
PARALLEL_BYTES_MIN = 6 * 2**20


def start_pool(sources: Sequence[Source], processes: int) -> ProcessPoolExecutor | None:
    """A pool of that many processes, or None where one process is quicker."""
    total = sum(source.path.stat().st_size for source in sources)
    if processes < 2 or total < PARALLEL_BYTES_MIN:
        return None
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # Spawned, not forked: this process already runs the threads of the engine.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start)
    for _ in range(processes):
        pool.submit(_warm)
    return pool


def _start() -> None:
    """Leave Ctrl-C to the parent and spend no time looking for cycles: records have none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()


def _warm() -> None:
    import costctl.formats.worker  # noqa: F401, PLC0415  (so that the first task finds it there)
