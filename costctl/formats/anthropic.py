"""Bare Anthropic messages, one per line; they carry no time."""

from __future__ import annotations

from costctl.formats.base import LogFormat, identity_columns
from costctl.formats.bodies import is_anthropic
from costctl.formats.captures import unwrap

FORMATS = (
    LogFormat(
        name="anthropic",
        title="Anthropic message bodies",
        signature=is_anthropic,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("cache",),
    ),
)
