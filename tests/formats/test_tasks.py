"""How a file of lines is cut into what one worker reads at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from costctl.formats import tasks
from costctl.formats.sources import Source

LINE = b'{"n": 123456789}\n'  # 17 bytes


def cut(path: Path) -> list[tuple[int, int]]:
    return [(task.offset, task.length) for task in tasks.line_tasks(Source(path, path.name, True))]


def test_tasks_follow_one_another_and_the_last_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 lines in blocks of 1,700 bytes: whole blocks, then quarters of the rest, down to a quarter of one."""
    monkeypatch.setattr(tasks, "BLOCK_BYTES", 1_700)
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE * 1_000)
    found = cut(path)
    assert [offset for offset, _ in found] == [0, *(offset + length for offset, length in found[:-1])]
    assert sum(length for _, length in found) == 17_000
    # 1,700 bytes are 100 lines; the task goes on to the end of the line after them.
    lengths = [length // 17 for _, length in found]
    assert lengths[:6] == [101] * 6
    assert lengths[6:] == sorted(lengths[6:], reverse=True)
    assert lengths[-2] == 26
    assert sum(lengths) == 1_000


def test_a_small_file_is_one_task(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE * 1_000)
    assert cut(path) == [(0, 17_000)]
