"""Streams as they were captured: one call for each, however its events are kept."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from costctl.formats.base import Record
from costctl.report import Report
from costctl.store import open_store
from tests.support import ROOT, was_read

SAMPLE = (ROOT / "sample_logs" / "captured_streams.sse").read_text("utf-8")
COUNTS = ("request_count", "unknown_usage_count", "input_tokens", "output_tokens", "cache_read_tokens", "first_at",
          "records_read_count", "accepted_count", "ignored_count", "rejected_count")  # fmt: skip


def anthropic(name: str) -> list[Record]:
    usage = {"input_tokens": 25, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 5, "output_tokens": 1}
    message = {"id": name, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "usage": usage}
    return [
        {"type": "message_start", "message": message}, {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
        {"type": "message_stop"},
    ]  # fmt: skip


def responses(name: str) -> list[Record]:
    head = {"id": name, "object": "response", "created_at": 1_772_445_600, "model": "gpt-5", "status": "in_progress"}
    usage = {"input_tokens": 40, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 15, "total_tokens": 55}
    whole = {**head, "status": "completed", "usage": usage}
    return [
        {"type": "response.created", "sequence_number": 0, "response": {**head, "usage": None}},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "delta": "yes"},
        {"type": "response.completed", "sequence_number": 2, "response": whole},
    ]  # fmt: skip


def gemini(name: str | None) -> list[Record]:
    beside = {"modelVersion": "gemini-2.5-flash"} | ({"responseId": name} if name else {})
    usage = {"promptTokenCount": 40, "cachedContentTokenCount": 10}
    parts = {"content": {"parts": [{"text": "yes"}]}}
    return [
        {"candidates": [parts], "usageMetadata": {**usage, "candidatesTokenCount": 2}, **beside},
        {"candidates": [{**parts, "finishReason": "STOP"}], "usageMetadata": {**usage, "candidatesTokenCount": 15},
         **beside},
    ]  # fmt: skip


def text_of(events: list[Record]) -> str:
    return "".join(f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n" for event in events)


def read(tmp_path: Path, name: str, content: str | bytes) -> Report:
    log = tmp_path / name
    log.write_bytes(content.encode() if isinstance(content, str) else content)
    report = was_read(tmp_path, log)
    assert report.provenance["formats"] == ["event_stream"]
    return report


@pytest.mark.parametrize(
    "events",
    [[*anthropic("a"), *anthropic("b")], [*responses("a"), *responses("b")], [*gemini("a"), *gemini("b")],
     [*gemini(None), *gemini(None)]],
    ids=["anthropic", "responses", "gemini", "gemini without ids"],
)  # fmt: skip
def test_each_stream_is_one_call(tmp_path: Path, events: list[Record]) -> None:
    total = read(tmp_path, "log.sse", text_of(events)).totals
    assert (total["request_count"], total["input_tokens"], total["output_tokens"]) == (2, 80, 30)
    assert (total["cache_read_tokens"], total["rejected_count"]) == (20, 0)
    assert (total["records_read_count"], total["ignored_count"]) == (len(events), len(events) - 2)


@pytest.mark.parametrize("events", [anthropic("a"), responses("a")], ids=["anthropic", "responses"])
def test_events_one_a_line(tmp_path: Path, events: list[Record]) -> None:
    total = read(tmp_path, "log.jsonl", "\n".join(map(json.dumps, events))).totals
    assert (total["request_count"], total["input_tokens"], total["output_tokens"]) == (1, 40, 15)


@pytest.mark.parametrize(
    ("name", "content"),
    [("crlf.sse", SAMPLE.replace("\n", "\r\n")), ("bom.txt", "\ufeff" + SAMPLE), ("end.sse", SAMPLE.rstrip()),
     ("packed.sse.gz", gzip.compress(SAMPLE.encode())), ("spaces.sse", SAMPLE.replace('":', '" : ')),
     ("comments.sse", ": ping\n\n" + SAMPLE), ("twice.sse", SAMPLE)],
)  # fmt: skip
def test_the_same_totals_however_it_is_written(tmp_path: Path, name: str, content: str | bytes) -> None:
    expected = read(tmp_path, "clean.sse", SAMPLE).totals
    found = read(tmp_path, name, content).totals
    assert {count: found[count] for count in COUNTS} == {count: expected[count] for count in COUNTS}


def test_two_copies_are_one_log(tmp_path: Path) -> None:
    expected = read(tmp_path, "one.sse", SAMPLE).totals
    (tmp_path / "two.sse").write_text(SAMPLE, "utf-8")
    found = was_read(tmp_path, tmp_path / "one.sse", tmp_path / "two.sse").totals
    assert (found["request_count"], found["input_tokens"]) == (expected["request_count"], expected["input_tokens"])


def test_a_stream_cut_in_an_event_keeps_what_came_before(tmp_path: Path) -> None:
    whole = text_of(anthropic("a"))
    total = read(tmp_path, "cut.sse", whole[: whole.index('"output_tokens": 15') + 5]).totals
    assert (total["request_count"], total["rejected_count"], total["input_tokens"]) == (1, 1, 40)
    headless = read(tmp_path, "headless.sse", text_of([*anthropic("a"), *anthropic("b")[2:]])).totals
    assert (headless["request_count"], headless["rejected_count"]) == (1, 1)


def statuses(tmp_path: Path) -> list[str]:
    with open_store(tmp_path / "workspace" / "costctl.duckdb", read_only=True) as store:
        return [status for (status,) in store.query("SELECT status FROM request ORDER BY source_line")]


@pytest.mark.parametrize(
    ("kept", "status"),
    [(3, "incomplete"), (4, "ok"), (5, "ok")],  # cut before message_delta, before message_stop, not at all
)
def test_a_message_that_broke_off_is_not_finished(tmp_path: Path, kept: int, status: str) -> None:
    """Its beginning counts the input and a first token of the answer; how it ended nobody knows."""
    read(tmp_path, "log.sse", text_of([*anthropic("a")[:kept], *anthropic("b")]))
    assert statuses(tmp_path) == [status, "ok"]


def test_a_captured_stream_that_broke_off_is_not_finished(tmp_path: Path) -> None:
    """HTTP said 200 when it began."""
    asked = {"model": "claude-sonnet-4-5", "messages": [], "stream": True}
    log = tmp_path / "log.jsonl"
    bodies = (text_of(anthropic("a")[:3]), text_of(anthropic("b")))
    log.write_text("".join(
        json.dumps({"request": {"body": asked}, "response": {"status": 200, "body": body}}) + "\n" for body in bodies
    ), "utf-8")  # fmt: skip
    total = was_read(tmp_path, log).totals
    assert (statuses(tmp_path), total["error_count"], total["input_tokens"]) == (["incomplete", "ok"], 0, 80)


def test_a_message_that_only_its_last_event_ends_is_finished(tmp_path: Path) -> None:
    """Some servers say no reason to stop, and send the last event all the same."""
    start, *_, stop = anthropic("a")
    read(tmp_path, "log.sse", text_of([start, stop]))
    assert statuses(tmp_path) == ["ok"]


def test_a_failure_inside_a_stream(tmp_path: Path) -> None:
    broken = [*anthropic("a")[:3], {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}]
    total = read(tmp_path, "log.sse", text_of(broken)).totals
    assert (total["request_count"], total["error_count"], total["input_tokens"]) == (1, 1, 40)
