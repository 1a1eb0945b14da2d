"""Settings from files: costctl.toml, else [tool.costctl] of pyproject.toml, in the current folder.

They are the defaults of the command line: a flag wins over a COSTCTL_* variable, that over a file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from costctl.errors import CostctlError, Problem

FILES = (("costctl.toml", ()), ("pyproject.toml", ("tool", "costctl")))


def read_settings(
    options: Callable[[], Mapping[str, Mapping[str, str]]], folder: Path = Path()
) -> dict[str, dict[str, Any]]:
    """Options by command, e.g. {"audit": {"by": ["team"]}}; empty where there is no file.

    `options` names the options of each command, and the parameter of each; it is asked only where there is a file.

    Raises:
        CostctlError: E320 for a file that is no TOML, E321 with every unknown key.
    """
    for name, tables in FILES:
        path = folder / name
        if not path.is_file():
            continue
        text = path.read_text("utf-8", "replace")
        try:
            content: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            if tables:
                return {}  # somebody else's file, and somebody else's to complain about
            raise CostctlError("E320", f"{name} is not valid TOML: {error}", "see the README for an example") from error
        for table in tables:
            content = content.get(table, {}) if isinstance(content, dict) else {}
        if content:
            return _checked(content, options(), name, text)
    return {}


def _checked(
    content: Any, commands: Mapping[str, Mapping[str, str]], name: str, text: str
) -> dict[str, dict[str, Any]]:
    problems: list[Problem] = []
    for command, options in content.items():
        if command not in commands or not isinstance(options, dict):
            problems.append(_problem(name, text, command, commands))
            continue
        known = commands[command]
        problems += [_problem(name, text, key, known) for key in options if key not in known]
        named = [known[key] for key in options if key in known]
        problems += [
            Problem(name, None, None, key, "is set twice, under two names")
            for key in options
            if key in known and key != known[key] and named.count(known[key]) > 1
        ]
    if problems:
        raise CostctlError("E321", f"{name} has settings that costctl does not know", problems=tuple(problems))
    return {
        command: {commands[command][key]: value for key, value in options.items()}
        for command, options in content.items()
    }


def _problem(name: str, text: str, key: str, known: Collection[str]) -> Problem:
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    found = re.search(rf"(?m)^\s*(?:\[(?:tool\.costctl\.)?)?({re.escape(key)})\b", text)
    line = text.count("\n", 0, found.start(1)) + 1 if found else None
    column = found.start(1) - (text.rfind("\n", 0, found.start(1)) + 1) + 1 if found else None
    message = f"unknown; did you mean {near[0]}?" if near else f"unknown; known are: {', '.join(sorted(known))}"
    return Problem(name, line, column, key, message)
