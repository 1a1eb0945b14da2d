"""Real samples of each format read here: every total of their expected.json, nothing rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import SHARED, audited, needs_shared, rows

pytestmark = [needs_shared, pytest.mark.shared]
SAMPLES = SHARED / "log_samples"
FOLDERS = ("openai_http", "anthropic_messages", "litellm_pubsub_payloads", "claude_code", "otlp_json_openllmetry",
           "otel_openinference_spans", "langfuse_trace_json",
           "mooncake_trace", "gemini_api", "openai_batch", "bedrock_invocation_log", "azure_llm_trace",
           "codex_cli", "opencode", "kong_ai_log", "envoy_ai_gateway_access_log", "azure_apim_gateway_log",
           "openrouter_api")  # fmt: skip
NAMES = {
    "records": "request_count", "errors": "error_count", "records_without_usage": "unknown_usage_count",
    "input_tokens_total": "input_tokens", "output_tokens_total": "output_tokens",
    "cached_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens", "reasoning_tokens": "reasoning_tokens",
}  # fmt: skip


def cases() -> list[tuple[str, str]]:
    if not SAMPLES.is_dir():
        return []
    return [
        (folder, name)
        for folder in FOLDERS
        for name in json.loads((SAMPLES / folder / "expected.json").read_text("utf-8"))
    ]


@pytest.mark.parametrize(("folder", "name"), cases())
def test_totals_of_a_sample(tmp_path: Path, folder: str, name: str) -> None:
    expected: dict[str, Any] = json.loads((SAMPLES / folder / "expected.json").read_text("utf-8"))[name]
    files = name.removesuffix("(ingested together)").split(" + ")
    report = audited(tmp_path, *(SAMPLES / folder / file.strip() for file in files))
    total = report.totals
    found = {theirs: total[ours] for theirs, ours in NAMES.items() if expected.get(theirs) is not None}
    assert found == {theirs: expected[theirs] for theirs in found}
    assert total["rejected_count"] == 0
    models = {row["model"] for row in rows(report, "by_model")}
    assert set(expected.get("models", ())) <= models
    for theirs, ours in (("first_timestamp_utc", "first_at"), ("last_timestamp_utc", "last_at")):
        if expected.get(theirs):
            assert total[ours].isoformat(timespec="milliseconds") + "Z" == expected[theirs]
