"""Private and offline: no prompt text on disk, closed file modes, no connection to anywhere."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support import audited

SECRET = "mi clave secreta es xyzzy-4711"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    rows = [
        {
            "request_id": f"r{n}",
            "model": "gpt-4o",
            "input_tokens": 10,
            "output_tokens": 5,
            "api_key": "sk-proj-abcdef123456",
            "messages": [{"role": "system", "content": SECRET + " s"}, {"role": "user", "content": f"{SECRET} {n}"}],
            "response": SECRET + " r",
        }
        for n in range(50)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n{broken " + SECRET, "utf-8")
    return path


def test_no_text_of_the_log_is_kept(tmp_path: Path, log: Path) -> None:
    report = audited(tmp_path, log, by=("user", "api_key"))
    assert report.totals["accepted_count"] == 50
    assert "xyzzy" not in repr(report)
    workspace = tmp_path / "workspace"
    content = b"".join(path.read_bytes() for path in workspace.rglob("*") if path.is_file())
    assert len(content) > 10_000
    for word in (b"xyzzy", b"secreta", b"sk-proj"):
        assert word not in content


def test_only_the_owner_may_read_the_workspace(tmp_path: Path, log: Path) -> None:
    audited(tmp_path, log)
    for path in (tmp_path / "workspace").rglob("*"):
        if path.is_file() and path.name != ".gitignore":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "workspace").stat().st_mode) == 0o700


def test_the_workspace_ignores_itself(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audited(tmp_path, log, db=None)
    assert (tmp_path / ".costctl" / ".gitignore").read_text("utf-8") == "*\n"


def test_nothing_connects(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert audited(tmp_path, log).totals["accepted_count"] == 50


def test_hashes_of_two_workspaces_differ(tmp_path: Path, log: Path) -> None:
    """The plain hash of a short prompt can be guessed; a keyed one cannot."""
    from costctl.audit.queries import select

    keys = []
    for name in ("a", "b"):
        db = tmp_path / name / "c.duckdb"
        audited(tmp_path, log, db=db)
        keys.append({row[0] for row in select("SELECT prompt_key FROM request", db).tables["rows"].rows})
    assert len(keys[0]) == 50
    assert not keys[0] & keys[1]
