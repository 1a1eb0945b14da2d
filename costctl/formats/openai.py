"""Bare OpenAI answers, one per line: chat, Responses, legacy completions, embeddings."""

from __future__ import annotations

from costctl.formats.base import LogFormat, identity_columns
from costctl.formats.bodies import is_openai
from costctl.formats.captures import unwrap

FORMATS = (
    LogFormat(
        name="openai",
        title="OpenAI response bodies (chat, Responses, completions, embeddings)",
        signature=is_openai,
        unwrap=unwrap,
        columns=identity_columns(),
        carries=("time", "cache"),
    ),
)
