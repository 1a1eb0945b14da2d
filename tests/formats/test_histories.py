"""Where coding agents keep their history, and opencode's database."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.options import AuditOptions
from costctl.audit.run import audit
from costctl.cli import run
from costctl.errors import InputError
from costctl.formats.histories import HISTORIES, history_of
from tests.support import ROOT

LOGS = ROOT / "sample_logs"


def touched(home: Path, *names: str) -> list[Path]:
    made = [home / name for name in names]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n", "utf-8")
    return made


@pytest.mark.parametrize(
    ("agent", "inside", "outside"),
    [
        (
            "claude-code",
            [".claude/projects/p/a.jsonl", ".config/claude/projects/p/sub/b.jsonl"],
            [".claude/history.jsonl"],
        ),
        ("codex", [".codex/sessions/2026/06/rollout.jsonl", ".codex/archived_sessions/x.jsonl"], [".codex/log.jsonl"]),
        ("gemini-cli", [".gemini/tmp/h/chats/s.json", ".gemini/tmp/h/chats/d/t.jsonl"], [".gemini/settings.json"]),
        ("qwen-code", [".qwen/projects/p/chats/s.jsonl", ".qwen/projects/p/subagents/t.jsonl"], [".qwen/x.jsonl"]),
        ("opencode", [".local/share/opencode/opencode.db", ".local/share/opencode/storage/message/s/m.json"], ["o.db"]),
    ],
)
def test_the_default_places(tmp_path: Path, agent: str, inside: list[str], outside: list[str]) -> None:
    wanted = touched(tmp_path, *inside)
    touched(tmp_path, *outside)
    assert history_of(agent, {}, tmp_path) == sorted(wanted)


@pytest.mark.parametrize(
    ("agent", "variable", "inside"),
    [
        ("claude-code", "CLAUDE_CONFIG_DIR", "projects/p/a.jsonl"),
        ("codex", "CODEX_HOME", "sessions/a.jsonl"),
        ("gemini-cli", "GEMINI_CLI_HOME", ".gemini/tmp/h/chats/s.json"),
        ("qwen-code", "QWEN_HOME", "projects/p/chats/s.jsonl"),
        ("opencode", "OPENCODE_DATA_DIR", "opencode.db"),
    ],
)
def test_the_agents_own_variables_move_them(tmp_path: Path, agent: str, variable: str, inside: str) -> None:
    (wanted,) = touched(tmp_path / "elsewhere", inside)
    assert history_of(agent, {variable: str(tmp_path / "elsewhere")}, tmp_path / "home") == [wanted]


def test_an_agent_without_history_says_where_it_was_looked_for(tmp_path: Path) -> None:
    for agent in HISTORIES:
        with pytest.raises(InputError) as caught:
            history_of(agent, {}, tmp_path)
        assert caught.value.code == "E104"
        assert str(tmp_path) in caught.value.hint
    with pytest.raises(InputError) as caught:
        history_of("claud-code", {}, tmp_path)
    assert (caught.value.code, caught.value.hint) == ("E103", "did you mean claude-code?")


def test_an_audit_of_a_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    (tmp_path / "codex" / "sessions" / "2026").mkdir(parents=True)
    shutil.copy(LOGS / "codex_rollout.jsonl", tmp_path / "codex" / "sessions" / "2026" / "rollout-1.jsonl")
    where = ["--db", str(tmp_path / "c.duckdb"), "--output", "json"]
    assert run(["audit", "--from", "codex", *where]) == 0
    by_agent = json.loads(capsys.readouterr().out)["totals"]
    assert (
        run(["audit", str(LOGS / "codex_rollout.jsonl"), "--db", str(tmp_path / "d.duckdb"), "--output", "json"]) == 0
    )
    by_file = json.loads(capsys.readouterr().out)["totals"]
    assert by_agent == by_file
    assert run(["audit"]) == 2
    assert "name a log, or an agent" in capsys.readouterr().err


def database(path: Path, messages: list[dict[str, Any]], parents: dict[str, str | None]) -> Path:
    """A database as opencode writes it: id and session beside the JSON of the rest."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT)")
        connection.execute(
            "CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT)"
        )
        connection.executemany("INSERT INTO session VALUES (?, ?)", list(parents.items()))
        for message in messages:
            rest = {name: value for name, value in message.items() if name not in {"id", "sessionID"}}
            row = (message["id"], message["sessionID"], message["time"]["created"], json.dumps(rest))
            connection.execute("INSERT INTO message VALUES (?, ?, ?, ?)", row)
    connection.close()
    return path


def sample_messages() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LOGS / "opencode_messages.jsonl").read_text("utf-8").splitlines()]


def test_a_database_has_the_totals_of_the_files(tmp_path: Path) -> None:
    messages = sample_messages()
    path = database(tmp_path / "opencode.db", messages, {messages[0]["sessionID"]: None})
    before = path.read_bytes()
    found = audit([str(path)], AuditOptions(db=tmp_path / "a.duckdb"))
    files = audit([str(LOGS / "opencode_messages.jsonl")], AuditOptions(db=tmp_path / "b.duckdb"))
    assert found.totals == {**files.totals, "lines_read_count": found.totals["lines_read_count"]}
    assert path.read_bytes() == before, "a database of the user's is only read"


def test_a_folder_with_database_and_old_files_counts_a_message_once(tmp_path: Path) -> None:
    messages = sample_messages()
    folder = tmp_path / "opencode"
    folder.mkdir()
    database(folder / "opencode.db", messages, {messages[0]["sessionID"]: None})
    (folder / "storage").mkdir()
    (folder / "storage" / "messages.jsonl").write_text("\n".join(map(json.dumps, messages)), "utf-8")
    found = audit([str(folder)], AuditOptions(db=tmp_path / "a.duckdb"))
    files = audit([str(LOGS / "opencode_messages.jsonl")], AuditOptions(db=tmp_path / "b.duckdb"))
    for name in ("request_count", "input_tokens", "output_tokens", "list_cost_usd"):
        assert found.totals[name] == files.totals[name]
    assert found.totals["rejected_count"] == 0


def test_a_child_session_belongs_to_its_parent(tmp_path: Path) -> None:
    messages = [one for one in sample_messages() if one["role"] == "assistant" and "tokens" in one][:2]
    messages[1]["sessionID"] = "ses_child"
    path = database(
        tmp_path / "opencode.db", messages, {messages[0]["sessionID"]: None, "ses_child": messages[0]["sessionID"]}
    )
    report = audit([str(path)], AuditOptions(db=tmp_path / "a.duckdb", by=("session",)))
    assert [row["request_count"] for row in report.tables["by_session"].dicts()] == [2]


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"\0" * 200, None])
def test_another_or_a_damaged_database_is_refused(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "opencode.db"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (id TEXT)")
        connection.close()
    else:
        path.write_bytes(content)
    assert run(["audit", str(path), "--db", str(tmp_path / "c.duckdb")]) == 3
    said = capsys.readouterr().err
    assert "E113" in said if content is None else "E112" in said


def test_of_two_agents_the_one_that_is_there_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other is named, with where it was looked for, also where the report is remembered; alone it is an error."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "nowhere"))
    monkeypatch.delenv("QWEN_RUNTIME_DIR", raising=False)
    (tmp_path / "codex" / "sessions").mkdir(parents=True)
    shutil.copy(LOGS / "codex_rollout.jsonl", tmp_path / "codex" / "sessions" / "rollout-1.jsonl")
    where = ["--db", str(tmp_path / "c.duckdb"), "--output", "json"]

    def said(*agents: str) -> tuple[int, list[dict[str, str]]]:
        code = run(["audit", *(part for agent in agents for part in ("--from", agent)), *where])
        shown = capsys.readouterr().out
        warnings = json.loads(shown)["warnings"] if shown else []
        return code, [warning for warning in warnings if warning["code"] == "W123"]

    wanted = "no history of qwen-code on this machine: the other logs are read without it"
    for _ in range(2):
        code, (warning,) = said("qwen-code", "codex")
        assert (code, warning["message"]) == (0, wanted)
        assert str(tmp_path / "nowhere") in warning["hint"]
    assert said("codex") == (0, [])
    assert said("qwen-code") == (3, [])
    assert run(["formats", "check", "--from", "codex", "--from", "qwen-code"]) == 0
    assert "[W123]" in capsys.readouterr().out
