"""How exported files are written: JSON, YAML and comments, always the same bytes for the same values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import yaml

LINE_CHARS = 120
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def to_json(value: Any) -> str:
    """Two blanks a level, keys in the order given, a line break at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def to_yaml(value: Any, head: str = "") -> str:
    """Block style, keys in the order given, below the comment lines of `head`."""
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=LINE_CHARS)


def from_yaml(text: str) -> Any:
    """The value of a text of one document, read in C where that is built: ten times as fast.

    Raises:
        yaml.YAMLError: where it is none.
    """
    return yaml.load(text, _LOADER)  # noqa: S506  (safe)


def documents_of(text: str) -> list[Any]:
    """The values of a text of several documents.

    Raises:
        yaml.YAMLError: where it is none.
    """
    return list(yaml.load_all(text, _LOADER))


def exact(value: Decimal) -> int | float:
    """A decimal as JSON and YAML write numbers; its text is just the decimal's, or this fails.

    >>> exact(Decimal("10.50")), exact(Decimal(120))
    (10.5, 120)
    """
    found: int | float = int(value) if value == value.to_integral_value() else float(value)
    assert Decimal(repr(found)) == value, f"{value} has no exact text as a number"
    return found


def commented(lines: Iterable[str], mark: str = "#") -> str:
    """Lines as a comment; whatever they hold stays inside it."""
    return "".join(f"{mark} {' '.join(line.split())}\n" for line in lines)


def comment_of(text: str, mark: str = "#") -> str:
    """The comment lines that a text begins with."""
    lines = text.splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if not line.startswith(mark)), len(lines))
    return "".join(lines[:count])
