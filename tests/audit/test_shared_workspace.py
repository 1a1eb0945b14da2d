"""Two commands in one workspace: what is replayed is of the log that was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from costctl.audit import run
from costctl.audit.options import AuditOptions
from costctl.store import Store

# Another command, which does not wait for the workspace.
OTHER = """
import sys
from pathlib import Path
from costctl.errors import CostctlError
from costctl.store import open_store
try:
    open_store(Path(sys.argv[1]), wait_s=0).close()
except CostctlError as error:
    sys.exit(error.code)
"""


def log(path: Path, count: int) -> Path:
    rows = [{"request_id": f"r{n}", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 1} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def refused(database: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OTHER, str(database)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stderr.strip()


@pytest.mark.parametrize("is_named", [True, False])
def test_no_other_command_comes_between_reading_and_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    """Ours was audited; another log was after it. The workspace is held from before ours is read to the end."""
    ours, other = log(tmp_path / "ours.jsonl", 3), log(tmp_path / "other.jsonl", 5)
    options = AuditOptions(db=tmp_path / "c.duckdb")
    for one in (ours, other) if is_named else (other, ours):
        run.audit([str(one)], options)
    met: list[str] = []
    begin_anew = Store.begin_anew

    def interrupted(self: Store) -> None:
        met.append(refused(options.database))
        begin_anew(self)
        met.append(refused(options.database))

    monkeypatch.setattr(Store, "begin_anew", interrupted)
    with run.audited_store([str(ours)] if is_named else [], options) as (store, report):
        assert store.scalar("SELECT count(*) FROM request") == report.totals["request_count"] == 3
        met.append(refused(options.database))
    assert met == ["E160", "E160", "E160"]
    assert refused(options.database) == ""


def test_nothing_temporary_is_left_of_the_reading(tmp_path: Path) -> None:
    """Tables and views of the session that read the log would stand in the way of those of the replay."""
    ours = log(tmp_path / "ours.jsonl", 3)
    with run.audited_store([str(ours)], AuditOptions(db=tmp_path / "c.duckdb")) as (store, _):
        assert store.scalar("SELECT count(*) FROM duckdb_tables() WHERE temporary") == 0
        assert store.scalar("SELECT count(*) FROM duckdb_views() WHERE temporary AND NOT internal") == 0
        assert store.scalar("SELECT pusd_of(CAST(1 AS DECIMAL(18,12)))") == 10**12
        assert store.scalar("SELECT current_setting('TimeZone')") == "UTC"
