"""Two commands in one workspace: what is replayed is of the log that was asked for, or nothing is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from costctl.audit import run
from costctl.audit.options import AuditOptions
from costctl.errors import CostctlError
from costctl.report import Report


def log(path: Path, count: int) -> Path:
    rows = [{"request_id": f"r{n}", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 1} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.mark.parametrize("interruptions", [0, 1, run.TRIES - 1, run.TRIES])
@pytest.mark.parametrize("is_named", [True, False])
def test_another_audit_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruptions: int, is_named: bool
) -> None:
    """Another log is audited there after ours, so many times: with a log named ours is read again."""
    ours, other = log(tmp_path / "ours.jsonl", 3), log(tmp_path / "other.jsonl", 5)
    options = AuditOptions(db=tmp_path / "c.duckdb")
    run.audit([str(ours)], options)
    whole, left = run.read_logs, [interruptions]

    def interrupted(logs: Sequence[str], options: AuditOptions) -> Report:
        report = whole(logs, options)
        if left[0]:
            left[0] -= 1
            whole([str(other)], options)
        return report

    monkeypatch.setattr(run, "read_logs", interrupted)
    named = [str(ours)] if is_named else []
    if is_named and interruptions >= run.TRIES:
        with pytest.raises(CostctlError, match="keep auditing other logs"), run.audited_store(named, options):
            pass
        return
    with run.audited_store(named, options) as (store, report):
        assert store.scalar("SELECT count(*) FROM request") == report.totals["request_count"] == 3
