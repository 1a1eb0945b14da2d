"""Every log format that is read, most specific signature first (log-formats, section 4)."""

from __future__ import annotations

from costctl.formats import anthropic, captures, claude_code, generic, litellm, mooncake, openai
from costctl.formats.base import LogFormat

FORMATS: tuple[LogFormat, ...] = (
    *litellm.FORMATS,
    *claude_code.FORMATS,
    *openai.FORMATS,
    *anthropic.FORMATS,
    *captures.FORMATS,
    *mooncake.FORMATS,
    generic.FORMAT,
)
