"""Keys of the policy file that are read and checked, but that `simulate` does not act on yet."""

from __future__ import annotations

from collections.abc import Mapping

LATER = "comes with a later version of export-config"

NOT_YET: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "export.targets.*=openrouter",
        ),
        LATER,
    ),
}  # fmt: skip
"""Dotted path -> reason; `*` is any name or item, `=` one value of a key.

A key leaves this table in the change that gives it its effect."""
