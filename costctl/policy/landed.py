"""Keys of the policy file that are read and checked, but that `simulate` does not act on yet."""

from __future__ import annotations

from collections.abc import Mapping

NOT_YET: Mapping[str, str] = {}
"""Dotted path -> reason; `*` is any name or item, `=` one value of a key.

A key leaves this table in the change that gives it its effect."""
