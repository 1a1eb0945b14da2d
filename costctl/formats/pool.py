"""Worker processes, started as early as possible: they import while the parent does.

This module stays light, so that the parent can start them before its own heavy imports.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, resource_tracker, util

from costctl.formats.sources import Source

# Below this a second process costs more than it brings.
PARALLEL_BYTES_MIN = 6 * 2**20
# One thread each, and glibc keeps freed memory for the next task: to give it back and to fault it
# in again for each took 5 % of an audit.
WORKER_ENVIRONMENT = {
    "POLARS_MAX_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}

# Workers multiply no matrices, and threads that wait for some took 1 % of an audit. This process may need them all.
ONE_BLAS_THREAD = "OPENBLAS_NUM_THREADS"


class Workers:
    """A pool of worker processes that starts when it is first needed, or earlier if told so."""

    def __init__(self, sources: Sequence[Source], processes: int) -> None:
        total = sum(source.path.stat().st_size for source in sources)
        self._processes = processes if total >= PARALLEL_BYTES_MIN else 1
        self._pool: ProcessPoolExecutor | None = None

    @property
    def process_count(self) -> int:
        """How many processes have been started; 0 while all work is done in this one."""
        return self._processes if self._pool else 0

    def start(self) -> ProcessPoolExecutor | None:
        """The pool, or None where one process is quicker."""
        if self._pool is None and self._processes > 1:
            for name, value in WORKER_ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            is_said = ONE_BLAS_THREAD in os.environ
            os.environ.setdefault(ONE_BLAS_THREAD, "1")
            # Ctrl-C is the parent's matter from their first moment on: what is blocked here is blocked in them, too,
            # and comes to this process as soon as they are there.
            resource_tracker.ensure_running()  # which would end the block
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                # Spawned, not forked: this process already runs the threads of the engine.
                self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"), initializer=_start)
                for _ in range(self._processes):
                    self._pool.submit(_warm)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if not is_said:
                del os.environ[ONE_BLAS_THREAD]
        return self._pool

    def stop(self) -> None:
        """Let the processes go; what has not begun is not done."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _start() -> None:
    """Leave Ctrl-C to the parent and spend no time looking for cycles: records have none.

    A worker holds nothing but memory. It ends at once: to let go of each remembered text took 0.1 s.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    util.Finalize(None, os._exit, args=(0,), exitpriority=-1000)


def _warm() -> None:
    import costctl.formats.normalise  # noqa: PLC0415
    import costctl.formats.worker  # noqa: F401, PLC0415  (so that the first task finds them there)
