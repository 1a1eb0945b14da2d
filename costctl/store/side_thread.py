"""Work in a thread of its own, one piece after the other, that Ctrl-C need not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast
from weakref import finalize

T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]
END_S = 5.0  # for what was interrupted to end


class SideThread:
    """A thread that lives as long as this object: to start one for each statement takes as long as a small one."""

    def __init__(self) -> None:
        self._works: SimpleQueue[Callable[[], Any] | None] | None = None
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()

    def run(self, work: Callable[[], T], interrupt: Callable[[], None]) -> T:
        """What the work answers or raises; on Ctrl-C `interrupt` is called and the work left to end.

        Raises:
            BaseException: as the work, KeyboardInterrupt.
        """
        if self._works is None:
            self._works, self._outcomes = SimpleQueue(), SimpleQueue()
            threading.Thread(target=_serve, args=(self._works, self._outcomes), daemon=True).start()
            finalize(self, self._works.put, None)
        self._works.put(work)
        try:
            answer, failure = self._outcomes.get()
        except KeyboardInterrupt:
            interrupt()
            try:
                self._outcomes.get(timeout=END_S)
            except Empty:
                self.end()  # what it answers late is nobody's
            raise
        if failure is not None:
            raise failure
        return cast("T", answer)

    def end(self) -> None:
        """Let the thread go once it has done what it is at; the next work starts another."""
        if self._works is not None:
            self._works.put(None)
            self._works = None


def _serve(works: SimpleQueue[Callable[[], Any] | None], outcomes: SimpleQueue[Outcome]) -> None:
    while (work := works.get()) is not None:
        try:
            outcome: Outcome = work(), None
        except BaseException as error:  # noqa: BLE001  (handed to the caller's thread, which raises it)
            outcome = None, error
        del work  # it holds what it worked on
        outcomes.put(outcome)
        del outcome
