"""Eleven accuracy cases from the bug reports of other tools (G1 to G11): each number is what the provider billed.

Every expected amount is worked out by hand: tokens x USD per million tokens.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.report import Report
from tests.support import rows, was_read


def read(tmp_path: Path, *records: dict[str, Any], separators: tuple[str, str] | None = None) -> Report:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(record, separators=separators) for record in records), "utf-8")
    return was_read(tmp_path, path)


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


def test_g1_cache_writes_beside_the_input_are_billed_once(tmp_path: Path) -> None:
    """Input 3 at 3, written 12,304 at 3.75, output 550 at 15: not 0.091311."""
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 12_304,
        "cache_read_input_tokens": 0,
        "output_tokens": 550,
    }
    assert read(tmp_path, anthropic(**usage)).totals["list_cost_usd"] == Decimal("0.054399")


def test_g2_cached_tokens_inside_the_prompt_are_billed_once(tmp_path: Path) -> None:
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


GEMINI_RATES = "models: {google/gemini-2.5-pro: {input: 1.25, cache_read: 0.625, output: 10}}"


def gemini(prompt: int, cached: int, output: int) -> dict[str, Any]:
    usage = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": output,
        "totalTokenCount": prompt + output,
    }
    answer = {"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "STOP"}
    return {"candidates": [answer], "modelVersion": "gemini-2.5-pro", "usageMetadata": usage, "responseId": "g1"}


def test_g3_a_long_cached_prompt_by_the_rates_of_the_report(tmp_path: Path) -> None:
    """5,005 at 1.25, 257,955 read at 0.625, 1,744 at 10: not 0.7642, which reads nothing from the cache."""
    own = tmp_path / "rates.yaml"
    own.write_text(GEMINI_RATES, "utf-8")
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(gemini(262_960, 257_955, 1_744)), "utf-8")
    assert was_read(tmp_path, path, prices=own).totals["list_cost_usd"] == Decimal("0.184918125")


@pytest.mark.parametrize(
    ("prompt", "usd"),
    [
        (262_960, Decimal("0.0125125") + Decimal("0.06448875") + Decimal("0.02616")),  # 2.50, 0.25 and 15
        (200_000, Decimal("0.00125") + Decimal("0.024875") + Decimal("0.01744")),  # 1.25, 0.125 and 10
    ],
)
def test_g3_a_prompt_above_200k_has_the_dearer_price_as_a_whole(tmp_path: Path, prompt: int, usd: Decimal) -> None:
    """With 257,955 of 262,960 and 199,000 of 200,000 tokens read from the cache, and an output of 1,744."""
    body = gemini(prompt, 257_955 if prompt > 200_000 else 199_000, 1_744)
    assert read(tmp_path, body).totals["list_cost_usd"] == usd


def test_g4_a_thousand_cache_writes_cost_their_price_and_nothing_on_top(tmp_path: Path) -> None:
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 0, "output_tokens": 0}
    assert read(tmp_path, anthropic(**usage)).totals["list_cost_usd"] == Decimal("0.00375")


def row(n: int, output: int, **changes: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 13_112,
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


def test_g5_of_stream_snapshots_the_last_one_counts(tmp_path: Path) -> None:
    """Output 9, 9 and 159 of one message: 3 at 3, 13,112 written at 3.75, 159 at 15.

    The first one would be 0.049314, the sum of all 0.150192.
    """
    report = read(tmp_path, row(1, 9), row(2, 9), row(3, 159))
    assert report.totals["list_cost_usd"] == Decimal("0.051564")
    assert (report.totals["request_count"], report.totals["merged_count"]) == (1, 2)
    assert report.totals["first_at"].isoformat() == "2026-03-02T10:00:01"


def test_g6_one_usage_block_per_content_part_is_one_request(tmp_path: Path) -> None:
    assert read(tmp_path, *(row(n, 159) for n in range(4))).totals["request_count"] == 1


def test_g7_a_sub_agent_that_replays_its_parent_adds_only_new_turns(tmp_path: Path) -> None:
    new = row(5, 70, isSidechain=True, requestId="req_2")
    new["message"] = {**new["message"], "id": "msg_2"}
    replayed = row(3, 159, isSidechain=True, requestId="req_9")
    total = read(tmp_path, row(1, 159), replayed, new).totals
    assert (total["request_count"], total["output_tokens"]) == (2, 229)


def test_g7_a_file_of_a_sub_agent_adds_only_new_turns(tmp_path: Path) -> None:
    """The agent's own file begins with the history of the session that it came from."""
    parent = [row(n, 100 + n, requestId=f"req_{n}") for n in range(3)]
    for n, item in enumerate(parent):
        item["message"] = {**item["message"], "id": f"msg_{n}"}
    own = row(7, 70, isSidechain=True, requestId="req_7")
    own["message"] = {**own["message"], "id": "msg_7"}
    replayed = [{**item, "isSidechain": True, "uuid": f"other-{n}"} for n, item in enumerate(parent)]
    files = {"session.jsonl": parent, "agent-1.jsonl": [*replayed, own]}
    for name, records in files.items():
        (tmp_path / name).write_text("".join(f"{json.dumps(item)}\n" for item in records), "utf-8")
    total = was_read(tmp_path, *(tmp_path / name for name in files)).totals
    assert (total["request_count"], total["output_tokens"]) == (4, 100 + 101 + 102 + 70)


def attribute(name: str, value: int | str) -> dict[str, Any]:
    said = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": name, "value": said}


def test_g8_the_dialect_says_whether_cached_tokens_are_inside_the_input(tmp_path: Path) -> None:
    """One call of 1,000 tokens, 900 of them read from a cache, and 10 answered.

    OpenTelemetry and OpenRouter write 1,000 as the input, Anthropic's own body writes 100.
    At 3, 0.30 and 15 per million that is 0.0003 + 0.00027 + 0.00015 for each.
    """
    name = "claude-sonnet-4-5-20250929"
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.response.model": name,
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.cache_read.input_tokens": 900,
        "gen_ai.usage.output_tokens": 10,
    }  # fmt: skip
    span = {
        "traceId": "ab93f93d0979063f613fe080a4912d0d", "spanId": "8d4872cc98df78f9", "name": "chat",
        "startTimeUnixNano": "1795291490942189609", "endTimeUnixNano": "1795291491192189609",
        "attributes": [attribute(key, value) for key, value in said.items()],
    }  # fmt: skip
    traced = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "lib"}, "spans": [span]}]}]}
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 10,
        "total_tokens": 1010,
        "prompt_tokens_details": {"cached_tokens": 900},
    }
    routed = {
        "id": "gen-1", "object": "chat.completion", "created": 1772452800, "model": f"anthropic/{name}",
        "provider": "Anthropic", "choices": [], "usage": usage,
    }  # fmt: skip
    raw = anthropic(input_tokens=100, cache_read_input_tokens=900, cache_creation_input_tokens=0, output_tokens=10)
    raw["model"] = name
    for number, record in enumerate((traced, routed, raw)):
        folder = tmp_path / str(number)
        folder.mkdir()
        total = read(folder, record).totals
        assert (total["input_tokens"], total["cache_read_tokens"]) == (1000, 900)
        assert total["list_cost_usd"] == Decimal("0.00072")


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


def test_g9_unknown_is_not_free_and_an_explicit_zero_is(tmp_path: Path) -> None:
    own = tmp_path / "rates.yaml"
    own.write_text("models: {self/llama: {input: 0, output: 0}}", "utf-8")
    path = tmp_path / "log.jsonl"
    lines = [
        {"request_id": name, "model": name, "input_tokens": 10, "output_tokens": 10}
        for name in ("self/llama", "who-knows")
    ]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    total = was_read(tmp_path, path, prices=own).totals
    assert (total["free_count"], total["unpriced_count"], total["list_cost_usd"]) == (1, 1, 0)


def test_g10_a_hit_of_the_gateways_own_cache_costs_nothing(tmp_path: Path) -> None:
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


def test_g11_spaces_after_the_separators_change_nothing(tmp_path: Path) -> None:
    records = [row(1, 9), row(2, 159)]
    assert (
        read(tmp_path, *records, separators=(",", ":")).totals
        == read(tmp_path, *records, separators=(" , ", " : ")).totals
    )
