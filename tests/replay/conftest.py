"""Fixtures of the replay's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.reports import Reports


@pytest.fixture
def reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reports:
    return Reports(tmp_path, capsys)
