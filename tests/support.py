"""What many tests need: the real data outside the repository, and an audit in a temporary place."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.options import AuditOptions
from costctl.audit.run import audit, read_logs
from costctl.report import Report
from tests import ROOT

SHARED = ROOT.parent / "shared"
# Before a release: 300 logs for the oracle, 200 resamples of each promise; else a part of them, and CI is soon done.
IS_EXHAUSTIVE = "COSTCTL_EXHAUSTIVE" in os.environ
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not beside this checkout")


def audited(folder: Path, *logs: Path | str, **options: Any) -> Report:
    """An audit whose workspace lies in `folder`."""
    return audit([str(log) for log in logs], _options(folder, options))


def was_read(folder: Path, *logs: Path | str, **options: Any) -> Report:
    """As `audited` without its findings: the same totals, and what reading lost, in half the time."""
    return read_logs([str(log) for log in logs], _options(folder, options))


def _options(folder: Path, options: dict[str, Any]) -> AuditOptions:
    options.setdefault("db", folder / "workspace" / "costctl.duckdb")
    options.setdefault("threads", 1)
    return AuditOptions(**options)


def write_log(path: Path, lines: Iterable[Sequence[Any]]) -> None:
    """A log as CSV; one that holds these lines already stays as it is, so that a workspace need not read it again."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    if not path.exists() or path.read_bytes() != text.getvalue().encode():
        path.write_bytes(text.getvalue().encode())


def rows(report: Report, table: str) -> list[dict[str, Any]]:
    """The rows of one table."""
    return list(report.tables[table].dicts())
