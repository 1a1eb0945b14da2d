"""Every log format that is read, most specific signature first (log-formats, section 4)."""

from __future__ import annotations

from costctl.formats import (
    anthropic,
    batches,
    bedrock,
    braintrust,
    captures,
    claude_code,
    codex_cli,
    gemini,
    gemini_cli,
    generic,
    langfuse,
    langsmith,
    litellm,
    mlflow,
    mooncake,
    openai,
    opencode,
    otlp,
    qwen_code,
    traces,
    weave,
)
from costctl.formats.base import LogFormat

FORMATS: tuple[LogFormat, ...] = (
    *bedrock.FORMATS,
    *batches.FORMATS,
    *mlflow.FORMATS,
    *otlp.FORMATS,
    *langfuse.FORMATS,
    *langsmith.FORMATS,
    *weave.FORMATS,
    *braintrust.FORMATS,
    *litellm.FORMATS,
    *codex_cli.FORMATS,
    *qwen_code.FORMATS,
    *claude_code.FORMATS,
    *gemini_cli.FORMATS,
    *opencode.FORMATS,
    *gemini.FORMATS,
    *openai.FORMATS,
    *anthropic.FORMATS,
    *captures.FORMATS,
    *mooncake.FORMATS,
    *traces.FORMATS,
    generic.FORMAT,
)
