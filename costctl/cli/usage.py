"""What somebody meant who named an option that is none, or gave one a value of another."""

from __future__ import annotations

import re
from typing import Any

_SIZE = re.compile(r"'([0-9][0-9._,]*[kKmMgG]?)' is not one of")


def meant(error: Any) -> str:
    """The hint for a usage error, empty where there is none; guesses that mislead are taken from it."""
    if getattr(error, "message", ""):
        error.message = error.message.removeprefix("Value error, ")
    command = getattr(getattr(error, "ctx", None), "info_name", "")
    if command == "estimate" and getattr(error, "option_name", "") in {"--model", "--models", "-m"}:
        error.possibilities = []
        return "models stand without an option: costctl estimate gpt-4o --input-tokens 10M"
    size = _SIZE.search(getattr(error, "message", "") or "")
    if size and getattr(getattr(error, "param", None), "name", "") == "output":
        return (
            f"did you mean --output-tokens {size[1]}? --output is the form of the answer"
            if command == "estimate"
            else "--output is the form of the answer; a file is named by -o FILE"
        )
    return ""
