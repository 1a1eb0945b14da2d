"""What stands in a log in place of a text, and numbers under the name of one, are no prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.formats.content import NO_CONTENT, ContentReader
from tests.support import audited, rows


@pytest.mark.parametrize(
    "text", ["redacted-by-litellm", "[REDACTED]", "REDACTED", "<redacted>", "[content hidden]", "***", "xxxx"]
)
def test_a_text_that_was_taken_away_is_none(text: str) -> None:
    reader = ContentReader(b"k" * 32)
    assert reader.read(text, None) == NO_CONTENT
    assert reader.read([{"role": "user", "content": f" {text} "}], None) == NO_CONTENT


@pytest.mark.parametrize("text", ["none", "hidden", "what is [REDACTED]?", "redact this", "xxx", "x" * 41 + "?"])
def test_what_people_write_is_a_prompt(text: str) -> None:
    assert ContentReader(b"k" * 32).read(text, None)[0] is not None


def test_redacted_prompts_repeat_nothing(tmp_path: Path) -> None:
    """Twenty calls whose text LiteLLM took away were nineteen exact repeats, 95 % of the bill."""
    lines = [
        {"id": f"r{n}", "timestamp": f"2026-03-02T10:{n:02}:00Z", "model": "gpt-4o", "prompt_tokens": 100 + n,
         "completion_tokens": 10, "messages": [{"role": "user", "content": "redacted-by-litellm"}]}
        for n in range(20)
    ]  # fmt: skip
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    report = audited(tmp_path, log)
    (repeats,) = [row for row in rows(report, "anatomy") if row["class"] == "exact_repeat"]
    assert (repeats["request_count"], repeats["note"]) == (None, "not computed: no prompt in the log")


def test_a_column_that_is_mapped_to_tokens_is_no_text(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,model,Input,output\n" + "".join(
        f"2026-03-02T10:{n:02}:00Z,gpt-4o,1000,100\n" for n in range(4)), "utf-8")  # fmt: skip
    mapping = ("started_at=time", "request_model=model", "input_tokens=Input", "output_tokens=output")
    report = audited(tmp_path, log, mapping=mapping)
    assert report.totals["input_tokens"] == 4000
    assert "prompt_parts" in report.provenance["not_computed"]  # type: ignore[operator]
