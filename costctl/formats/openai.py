"""Bare OpenAI answers, one per line: chat, Responses, legacy completions, embeddings."""

from __future__ import annotations

from costctl.formats.base import LogFormat, identity_columns
from costctl.formats.bodies import is_openai, openai_body

FORMATS = (
    LogFormat(
        name="openai",
        title="OpenAI response bodies (chat, Responses, completions, embeddings)",
        signature=is_openai,
        unwrap=openai_body,
        columns=identity_columns(),
        carries=("time", "cache"),
    ),
)
