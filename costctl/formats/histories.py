"""Where coding agents keep their history on the user's disk, honouring their own environment variables.

log-formats, section 7.11.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from costctl.errors import InputError

Environment = Mapping[str, str]


class Place(NamedTuple):
    """A folder, and which files in it are history."""

    folder: Path
    patterns: tuple[str, ...]


def _listed(value: str) -> list[Path]:
    return [Path(part.strip()).expanduser() for part in value.split(",") if part.strip()]


def _claude_code(environment: Environment, home: Path) -> Iterator[Place]:
    patterns = ("**/*.jsonl", "**/*.jsonl.gz", "**/*.jsonl.zst")
    named = _listed(environment.get("CLAUDE_CONFIG_DIR", ""))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    for folder in named or [config / "claude", home / ".claude"]:
        yield Place(folder if folder.name == "projects" else folder / "projects", patterns)
    if not named:
        for outer in (home / "Library" / "Application Support", config):
            yield Place(outer / "Claude" / "local-agent-mode-sessions", ("**/.claude/projects/**/*.jsonl",))


def _codex(environment: Environment, home: Path) -> Iterator[Place]:
    for root in _listed(environment.get("CODEX_HOME", "")) or [home / ".codex"]:
        for name in ("sessions", "archived_sessions"):
            yield Place(root / name, ("**/*.jsonl", "**/*.jsonl.gz", "**/*.jsonl.zst"))


def _gemini_cli(environment: Environment, home: Path) -> Iterator[Place]:
    root = Path(environment.get("GEMINI_CLI_HOME") or home) / ".gemini"
    yield Place(root / "tmp", ("*/chats/**/*.json", "*/chats/**/*.jsonl"))


def _qwen_code(environment: Environment, home: Path) -> Iterator[Place]:
    named = environment.get("QWEN_RUNTIME_DIR") or environment.get("QWEN_HOME")
    root = Path(named).expanduser() if named else home / ".qwen"
    yield Place(root / "projects", ("*/chats/**/*.jsonl", "*/subagents/**/*.jsonl"))
    yield Place(root / "tmp", ("*/chats/**/*.json", "*/chats/**/*.jsonl"))


def _opencode(environment: Environment, home: Path) -> Iterator[Place]:
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    named = _listed(environment.get("OPENCODE_DATA_DIR", ""))
    for root in named or [data / "opencode"]:
        database = Path(environment.get("OPENCODE_DB") or "opencode*.db")
        if database.is_absolute():
            yield Place(database.parent, (database.name,))
        else:
            yield Place(root, (str(database),))
        yield Place(root / "storage" / "message", ("**/*.json",))


HISTORIES: Mapping[str, Callable[[Environment, Path], Iterator[Place]]] = {
    "claude-code": _claude_code, "codex": _codex, "gemini-cli": _gemini_cli, "qwen-code": _qwen_code,
    "opencode": _opencode,
}  # fmt: skip


def history_of(agent: str, environment: Environment | None = None, home: Path | None = None) -> list[Path]:
    """The files of an agent's history, sorted.

    Raises:
        InputError: E103 for an agent that is not known, E104 where there is no history, naming where it was looked for.
    """
    if agent not in HISTORIES:
        near = get_close_matches(agent, HISTORIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(HISTORIES)}"
        raise InputError("E103", f"no such agent: {agent}", hint)
    places = list(HISTORIES[agent](os.environ if environment is None else environment, home or Path.home()))
    found = {path for folder, patterns in places for pattern in patterns for path in folder.glob(pattern)}
    files = sorted(path for path in found if path.is_file())
    if not files:
        looked = ", ".join(dict.fromkeys(str(place.folder) for place in places))
        raise InputError("E104", f"no history of {agent} on this machine", f"looked in: {looked}")
    return files
