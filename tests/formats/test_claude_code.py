"""Rows of Claude Code transcripts: what a request says and which rows are none."""

from __future__ import annotations

import pytest

from costctl.formats.base import Ignored, Record
from costctl.formats.claude_code import is_row, unwrap

USAGE = {"input_tokens": 10, "output_tokens": 100, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 1000}


def row(usage: Record, **members: object) -> Record:
    message = {"id": "msg_1", "model": "claude-opus-4-6", "usage": usage}
    record = {"type": "assistant", "sessionId": "s", "uuid": "u", "requestId": "q", "message": message, **members}
    assert is_row(record)
    found = unwrap(record)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("geo", "region"), [("us", "us"), ("global", None), ("not_available", None), (None, None)])
def test_where_it_was_served_changes_the_price(geo: str | None, region: str | None) -> None:
    assert row({**USAGE, "inference_geo": geo})["region"] == region


def test_counts_duration_and_key() -> None:
    found = row({**USAGE, "total_tokens": 3110}, durationMs=4500)
    assert (found["input_tokens"], found["output_tokens"], found["latency_ms"]) == (3010, 100, 4500)
    assert (found["dedupe_key"], found["replay_key"]) == ("msg_1:q", "msg_1")


@pytest.mark.parametrize(
    "record",
    [
        {"type": "summary", "summary": "x", "leafUuid": "l"},
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        {"type": "queue-operation", "operation": "enqueue", "sessionId": "s"},
        {"type": "user", "sessionId": "s", "uuid": "u", "message": {"role": "user", "content": "x"}},
    ],
)
def test_other_rows_are_rows_and_no_requests(record: Record) -> None:
    assert is_row(record)
    assert isinstance(unwrap(record), Ignored)


@pytest.mark.parametrize("record", [{"type": "user", "text": "x"}, {"type": [], "uuid": "u"}, {"uuid": "u"}])
def test_rows_of_other_programs(record: Record) -> None:
    assert not is_row(record)
