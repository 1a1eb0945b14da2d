"""Lines as wide as the terminal, which never break inside a command or an option with its value."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

_INDENT = "    "
# What a reader copies: the program, its command, options with a value, placeholders and quoted words.
_COMMAND = re.compile(
    r"costctl(?: (?:(?:prices|formats|policy|models) )?[a-z][a-z-]*(?![a-z:]))?"
    r"(?: (?:--?[a-z][a-z-]*(?:[ =][^\s();,]+)?|[A-Z]{2,}|'[^']*'))*|--[a-z][a-z-]*[ =][^\s();,]+"
)
_KEPT = "\ue000"  # stands for a blank at which no line may end; a log cannot bring it: it is put back as a blank


def wrapped(lines: Sequence[str], width: int) -> list[str]:
    """The lines, those that are too long over several; one command goes to the next line as a whole.

    >>> wrapped(["see what was refused, and why: costctl rejects --output json"], 40)
    ['see what was refused, and why:', '    costctl rejects --output json']
    """
    found: list[str] = []
    for line in lines:
        if len(line) <= width:
            found.append(line)
            continue
        kept = _COMMAND.sub(
            lambda match: match[0].replace(" ", _KEPT) if len(match[0]) < width // 2 else match[0], line
        )
        parts = textwrap.wrap(kept, width, subsequent_indent=_INDENT, replace_whitespace=False, break_on_hyphens=False)
        found += [part.replace(_KEPT, " ") for part in parts]
    return found


def pieces(text: str, width: int, indent: str = "") -> list[str]:
    """A name or a sentence over several lines, broken behind a blank, a slash or a hyphen where there is one.

    The lines behind the first begin with `indent`.

    >>> pieces("meta-llama/llama-3.1-8b-instruct:free", 25)
    ['meta-llama/llama-3.1-8b-', 'instruct:free']
    """
    found, rest = [], text
    while len(rest) > width:
        at = max(rest.rfind(mark, width // 2, width) for mark in " /-_") + 1 or width
        found.append(rest[:at].rstrip())
        rest = indent + rest[at:]
    return [*found, rest]
