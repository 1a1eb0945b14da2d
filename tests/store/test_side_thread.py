"""The thread beside the main one: answers, failures and Ctrl-C reach the caller, and nothing is left over."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from costctl.store.side_thread import SideThread


def nothing() -> None:
    """For work that nobody interrupts."""


def test_work_is_done_in_order_in_one_other_thread() -> None:
    side = SideThread()
    names = [side.run(lambda: threading.current_thread().name, nothing) for _ in range(3)]
    assert len(set(names)) == 1
    assert names[0] != threading.current_thread().name


def test_a_failure_is_the_callers_and_the_next_work_is_done() -> None:
    side = SideThread()
    with pytest.raises(ZeroDivisionError):
        side.run(lambda: 1 // 0, nothing)
    assert side.run(lambda: 7, nothing) == 7


def test_the_thread_ends_with_its_owner() -> None:
    before = set(threading.enumerate())
    sides = [SideThread() for _ in range(4)]
    for side in sides:
        side.run(nothing, nothing)
    own = set(threading.enumerate()) - before
    assert len(own) == 4
    sides[0].end()
    del side
    sides.clear()
    gc.collect()
    for thread in own:
        thread.join(10)
    assert not any(thread.is_alive() for thread in own)


# In a process of its own: one that runs tests beside others may ignore the signal, as may one in the background.
CTRL_C = """
import os, signal, threading
from costctl.store import Store
signal.signal(signal.SIGINT, signal.default_int_handler)
with Store.in_memory() as store:
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        store.query("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7")
    except KeyboardInterrupt:
        print("interrupted", store.scalar("SELECT 7"))
"""


def test_ctrl_c_ends_a_running_query_and_the_store_goes_on() -> None:
    """A join that would take minutes."""
    done = subprocess.run([sys.executable, "-c", CTRL_C], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("interrupted 7\n", 0), done.stderr


class Interrupted:
    """Where outcomes come from, at the first of which somebody presses Ctrl-C."""

    def __init__(self, outcomes: SimpleQueue[Any]) -> None:
        self._outcomes, self._is_first = outcomes, True

    def get(self, timeout: float | None = None) -> Any:
        if self._is_first:
            self._is_first = False
            raise KeyboardInterrupt
        return self._outcomes.get(timeout=timeout)


def test_what_is_answered_after_ctrl_c_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that does not heed it is left to its thread, and the next has another."""
    monkeypatch.setattr("costctl.store.side_thread.END_S", 0.05)
    side, may_end, asked = SideThread(), threading.Event(), []
    side.run(nothing, nothing)
    monkeypatch.setattr(side, "_outcomes", Interrupted(side._outcomes))
    with pytest.raises(KeyboardInterrupt):
        side.run(lambda: may_end.wait(30) and "late", lambda: asked.append("to end"))
    assert asked == ["to end"]
    assert side.run(lambda: "next", nothing) == "next"
    may_end.set()
    assert side.run(lambda: "after", nothing) == "after"
