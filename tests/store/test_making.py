"""A workspace that another process is just making is waited for."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from costctl.errors import CostctlError
from costctl.store import open_store


def test_a_file_that_gets_its_headers_later_is_waited_for(tmp_path: Path) -> None:
    made, path = tmp_path / "made.duckdb", tmp_path / "costctl.duckdb"
    open_store(made).close()
    path.write_bytes(made.read_bytes()[:4096])  # its first header only

    def finish() -> None:
        time.sleep(0.3)
        shutil.copyfile(made, path)

    other = threading.Thread(target=finish)
    other.start()
    with open_store(path) as store:
        assert store.scalar("SELECT 1") == 1
    other.join()


def test_a_short_file_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    made, path = tmp_path / "made.duckdb", tmp_path / "costctl.duckdb"
    open_store(made).close()
    path.write_bytes(made.read_bytes()[:4096])
    with pytest.raises(CostctlError, match="damaged or no workspace"):
        open_store(path)
