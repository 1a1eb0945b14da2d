"""Accuracy cases from the bug reports of other tools: each number is what the provider billed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from costctl.report import Report
from tests.support import audited, rows


def read(tmp_path: Path, *records: dict[str, Any], separators: tuple[str, str] | None = None) -> Report:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(record, separators=separators) for record in records), "utf-8")
    return audited(tmp_path, path)


def anthropic(**usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-7-sonnet-20250219",
        "content": [],
        "stop_reason": "end_turn",
        "usage": usage,
    }


def test_cache_writes_beside_the_input_are_billed_once(tmp_path: Path) -> None:
    """Input 3 at 3, written 12,304 at 3.75, output 550 at 15: not 0.091311."""
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 12_304,
        "cache_read_input_tokens": 0,
        "output_tokens": 550,
    }
    assert read(tmp_path, anthropic(**usage)).totals["list_cost_usd"] == Decimal("0.054399")


def test_cached_tokens_inside_the_prompt_are_billed_once(tmp_path: Path) -> None:
    """86 at 2.50, 1,920 at 1.25 and 300 at 10 per million."""
    usage = {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920},
    }
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1772452800,
        "model": "gpt-4o-2024-08-06",
        "choices": [],
        "usage": usage,
    }
    report = read(tmp_path, body)
    assert report.totals["list_cost_usd"] == Decimal("0.000215") + Decimal("0.0024") + Decimal("0.003")


def test_a_thousand_cache_writes_cost_their_price_and_nothing_on_top(tmp_path: Path) -> None:
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 0, "output_tokens": 0}
    assert read(tmp_path, anthropic(**usage)).totals["list_cost_usd"] == Decimal("0.00375")


def row(n: int, output: int, **changes: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 13_000,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
    }
    message = {"id": "msg_1", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "content": [], "usage": usage}
    return {
        "type": "assistant",
        "uuid": f"u{n}",
        "parentUuid": None,
        "sessionId": "s",
        "requestId": "req_1",
        "isSidechain": False,
        "timestamp": f"2026-03-02T10:00:0{n}.000Z",
        "cwd": "/home/x/repo",
        "message": message,
        **changes,
    }


def test_of_stream_snapshots_the_last_one_counts(tmp_path: Path) -> None:
    """Output 9, 9 and 159 of one message: 3 at 3, 13,000 written at 3.75, 159 at 15."""
    report = read(tmp_path, row(1, 9), row(2, 9), row(3, 159))
    assert report.totals["list_cost_usd"] == Decimal("0.051144")
    assert (report.totals["request_count"], report.totals["merged_count"]) == (1, 2)
    assert report.totals["first_at"].isoformat() == "2026-03-02T10:00:01"


def test_one_usage_block_per_content_part_is_one_request(tmp_path: Path) -> None:
    assert read(tmp_path, *(row(n, 159) for n in range(4))).totals["request_count"] == 1


def test_a_sub_agent_that_replays_its_parent_adds_only_new_turns(tmp_path: Path) -> None:
    new = row(5, 70, isSidechain=True, requestId="req_2")
    new["message"] = {**new["message"], "id": "msg_2"}
    replayed = row(3, 159, isSidechain=True, requestId="req_9")
    total = read(tmp_path, row(1, 159), replayed, new).totals
    assert (total["request_count"], total["output_tokens"]) == (2, 229)


def test_rows_that_are_no_requests_are_ignored_by_kind(tmp_path: Path) -> None:
    user = {
        "type": "user",
        "uuid": "x",
        "parentUuid": None,
        "sessionId": "s",
        "message": {"role": "user", "content": "hola"},
    }
    report = read(tmp_path, user, {"type": "summary", "summary": "s", "leafUuid": "l"}, row(1, 5))
    assert {item["kind"]: item["record_count"] for item in rows(report, "ignored")} == {"user": 1, "summary": 1}


def test_unknown_is_not_free_and_an_explicit_zero_is(tmp_path: Path) -> None:
    own = tmp_path / "rates.yaml"
    own.write_text("models: {self/llama: {input: 0, output: 0}}", "utf-8")
    path = tmp_path / "log.jsonl"
    lines = [
        {"request_id": name, "model": name, "input_tokens": 10, "output_tokens": 10}
        for name in ("self/llama", "who-knows")
    ]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    total = audited(tmp_path, path, prices=own).totals
    assert (total["free_count"], total["unpriced_count"], total["list_cost_usd"]) == (1, 1, 0)


def test_a_hit_of_the_gateways_own_cache_costs_nothing(tmp_path: Path) -> None:
    payload = {
        "id": "x",
        "trace_id": "t",
        "call_type": "acompletion",
        "response_cost": 0.0,
        "cache_hit": True,
        "model": "gpt-4o",
        "custom_llm_provider": "openai",
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "status": "success",
        "startTime": 1772452800.0,
        "endTime": 1772452800.1,
    }
    total = read(tmp_path, payload).totals
    assert (total["list_cost_usd"], total["free_count"], total["input_tokens"]) == (0, 1, 1000)


def test_spaces_after_the_separators_change_nothing(tmp_path: Path) -> None:
    records = [row(1, 9), row(2, 159)]
    assert (
        read(tmp_path, *records, separators=(",", ":")).totals
        == read(tmp_path, *records, separators=(" , ", " : ")).totals
    )
