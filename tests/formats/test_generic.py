"""Logs of any names: spellings, token conventions, outcomes, and values that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.queries import select
from costctl.formats.instants import READ_FORMS
from tests.support import audited, rows

ROW: dict[str, Any] = {"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}


def totals(tmp_path: Path, *records: dict[str, Any], **options: Any) -> dict[str, Any]:
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, records)), "utf-8")
    report = audited(tmp_path, log, **options)
    assert rows(report, "rejected") == []
    return dict(report.totals)


def values(tmp_path: Path, column: str) -> list[Any]:
    query = f"SELECT {column} FROM request ORDER BY source_line"
    return [row[0] for row in select(query, tmp_path / "workspace" / "costctl.duckdb").tables["rows"].rows]


@pytest.mark.parametrize(
    ("said", "expected"),  # input, cache reads, cache writes
    [
        ({"cached_tokens": 400, "total_tokens": 1500}, (1400, 400, 0)),
        ({"cached_tokens": 400, "total_tokens": 1100}, (1000, 400, 0)),
        ({"cached_tokens": 400, "total_tokens": 7}, (1000, 400, 0)),
        ({"cached_tokens": 400}, (1000, 400, 0)),
        ({"cache_read_input_tokens": 400}, (1400, 400, 0)),
        ({"cache_read_input_tokens": 400, "total_tokens": 1500}, (1400, 400, 0)),
        ({"cache_read_input_tokens": 400, "total_tokens": 1100}, (1000, 400, 0)),
        ({"cache_read_input_tokens": 400, "cache_creation_input_tokens": 100, "total_tokens": 1100}, (1000, 400, 100)),
        ({"cache_read_input_tokens": 400, "cache_creation_input_tokens": 100, "total_tokens": 1600}, (1500, 400, 100)),
    ],
)
def test_the_total_says_where_cached_tokens_lie(
    tmp_path: Path, said: dict[str, int], expected: tuple[int, int, int]
) -> None:
    total = totals(tmp_path, {**ROW, **said})
    assert (total["input_tokens"], total["cache_read_tokens"], total["cache_write_tokens"] or 0) == expected


def test_each_row_is_checked_by_its_own_total(tmp_path: Path) -> None:
    inside, outside = ({**ROW, "cached_tokens": 400, "total_tokens": total} for total in (1100, 1500))
    totals(tmp_path, inside, outside, {**ROW, "cached_tokens": 400})
    assert values(tmp_path, "input_uncached_tokens") == [600, 1000, 600]


@pytest.mark.parametrize(
    ("said", "expected"),  # output, reasoning
    [
        ({"reasoning_tokens": 100, "total_tokens": 510}, (110, 100)),  # 400 + 10 + 100: beside the answer
        ({"reasoning_tokens": 4, "total_tokens": 414}, (14, 4)),
        ({"reasoning_tokens": 4, "total_tokens": 410}, (10, 4)),
        ({"reasoning_tokens": 4}, (10, 4)),
        ({"reasoning_tokens": 10, "cache_read_input_tokens": 50, "total_tokens": 460}, (10, 10)),
    ],
)
def test_the_total_says_where_reasoning_lies(tmp_path: Path, said: dict[str, int], expected: tuple[int, int]) -> None:
    total = totals(tmp_path, {"model": "grok-4", "prompt_tokens": 400, "completion_tokens": 10, **said})
    assert (total["output_tokens"], total["reasoning_tokens"]) == expected


def test_usage_of_a_provider_tells_audio_and_the_fast_tier(tmp_path: Path) -> None:
    audio = {"model": "gpt-4o-audio-preview", "usage": {
        "prompt_tokens": 1000, "completion_tokens": 500, "prompt_tokens_details": {"audio_tokens": 1000},
        "completion_tokens_details": {"audio_tokens": 500},
    }}  # fmt: skip
    fast = {"model": "claude-opus-4-6", "usage": {"input_tokens": 9, "output_tokens": 1, "service_tier": "standard",
                                                  "speed": "fast"}}  # fmt: skip
    totals(tmp_path, audio, fast)
    assert values(tmp_path, "input_audio_tokens") == [1000, None]
    assert values(tmp_path, "output_audio_tokens") == [500, None]
    assert values(tmp_path, "service_tier") == [None, "fast"]


def test_the_rest_of_a_split_of_cache_writes_is_told(tmp_path: Path) -> None:
    """100 written, of which 40 and 20 are told: 80 at five minutes, 20 at an hour."""
    usage = {"input_tokens": 5, "output_tokens": 1, "cache_creation_input_tokens": 100,
             "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 20}}  # fmt: skip
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"model": "claude-sonnet-4-5", "ts": "2026-03-02T12:00:00Z", "usage": usage}), "utf-8")
    report = audited(tmp_path, log)
    assert values(tmp_path, "cache_write_5m_tokens") == [80]
    (said,) = [item for item in report.warnings if item.code == "W118"]
    assert said.message.startswith("1 record splits less than all cache writes")


def test_gemini_counts_its_thoughts_beside_the_answer(tmp_path: Path) -> None:
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 150,
             "cachedContentTokenCount": 40}  # fmt: skip
    total = totals(tmp_path, {"model": "gemini-2.5-pro", "usageMetadata": usage})
    assert (total["input_tokens"], total["cache_read_tokens"]) == (100, 40)
    assert (total["output_tokens"], total["reasoning_tokens"]) == (50, 30)


@pytest.mark.parametrize(
    "row",
    [
        {"MODEL": "gpt-4o", "INPUT_TOKENS": 1000, "OUTPUT_TOKENS": 100},
        {"Model": "gpt-4o", "Input Tokens": 1000, "Output Tokens": 100},
        {"model": "gpt-4o", "tokens": {"input": 1000, "output": 100}},
        {"model": "gpt-4o", "tokens_prompt": 1000, "tokens_completion": 100},
        {"model": "gpt-4o", "prompt_token_count": 1000, "generated_tokens": 100},
        {"modelId": "gpt-4o", "Usage": {"PromptTokens": 1000, "CompletionTokens": 100}},
    ],
)
def test_names_in_many_spellings(tmp_path: Path, row: dict[str, Any]) -> None:
    total = totals(tmp_path, row)
    assert (total["input_tokens"], total["output_tokens"], total["unpriced_count"]) == (1000, 100, 0)


def test_the_name_as_written_wins_over_its_other_spelling(tmp_path: Path) -> None:
    assert totals(tmp_path, {**ROW, "Input_Tokens": 5})["input_tokens"] == 1000


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"latency": 1500}, 1500), ({"latency": 1.5}, 1500), ({"latency_seconds": 2}, 2000), ({"latency": "812ms"}, 812),
     ({"latency_ms": "1,500.5"}, 1500.5), ({"latency_ms": "1.5s"}, 1500), ({"duration": "2s"}, 2000)],
)  # fmt: skip
def test_latency_in_any_unit(tmp_path: Path, said: dict[str, Any], expected: float) -> None:
    assert totals(tmp_path, {**ROW, **said})["latency_ms_p50"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"status": "server_error"}, "error"),
        ({"status": "rate_limit"}, "error"),
        ({"status": "throttled", "error_type": "x"}, "error"),
        ({"status": "odd", "error_type": "x"}, "error"),
        ({"status": "429 Too Many Requests"}, "error"),
        ({"status": 503}, "error"),
        ({"http_status": 200, "error": "stream broke"}, "error"),
        ({"status": 200, "error": "stream broke"}, "error"),
        ({"status": "ok", "error": "None"}, "ok"),
        ({"error": "null"}, "ok"),
        ({"error": False}, "ok"),
        ({"error": None}, "ok"),
        ({"http_status": 200, "error": ""}, "ok"),
        ({"status": "odd"}, "unknown"),
        ({"status": "in_progress"}, "unknown"),
        ({"status": 0}, "unknown"),  # no error, or no success
        ({"status": "odd", "http_status": 200}, "ok"),
        ({"status": 200}, "ok"),
        ({"status": "201 Created"}, "ok"),
        ({"status": "-"}, "ok"),
        ({"success": 1}, "ok"),
        ({"success": "no"}, "error"),
        ({"status": "cancelled", "error": "client left"}, "cancelled"),
    ],
)
def test_outcomes(tmp_path: Path, said: dict[str, Any], expected: str) -> None:
    totals(tmp_path, {**ROW, **said})
    assert values(tmp_path, "status") == [expected]


def test_optional_values_that_cannot_be_read_are_unknown(tmp_path: Path) -> None:
    odd = {
        "latency_ms": "slow", "temperature": "hot", "max_tokens": "many", "cost": -1, "quality_score": "good",
        "http_status": "fine", "attempt": "first", "tool_count": "some", "stream": "perhaps", "tool_calls": "two",
    }  # fmt: skip
    total = totals(tmp_path, {**ROW, **odd})
    assert (total["accepted_count"], total["input_tokens"]) == (1, 1000)
    assert [values(tmp_path, name) for name in ("latency_ms", "logged_cost", "temperature")] == [[None]] * 3


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"input_tokens": "many"}, "input_tokens is not a whole number"),
        ({"reasoning_tokens": 1.5}, "reasoning_tokens is not a whole number"),
        ({"timestamp": "yesterday"}, f"started_at is not a time we can read{READ_FORMS}"),
    ],
)
def test_counts_and_times_that_cannot_be_read_reject(tmp_path: Path, said: dict[str, Any], reason: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(f"{json.dumps(ROW)}\n{json.dumps({**ROW, **said})}\n", "utf-8")
    assert [row["reason"] for row in rows(audited(tmp_path, log), "rejected")] == [reason]


@pytest.mark.parametrize("cost", [10**6, 1e6, 1e300, -1])
def test_costs_beyond_any_call_do_not_stop_the_audit(tmp_path: Path, cost: float) -> None:
    total = totals(tmp_path, {**ROW, "cost": cost}, {**ROW, "cost": 0.25})
    assert (total["accepted_count"], str(total["logged_cost_usd"])) == (2, "0.250000000000")


def test_embeddings_have_no_cache_to_be_unknown(tmp_path: Path) -> None:
    embedding = {"model": "text-embedding-3-small", "operation": "embeddings", "input_tokens": 10}
    assert totals(tmp_path, embedding, ROW)["cache_unknown_count"] == 1


def test_a_document_of_results(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps({"results": [ROW, ROW]}, indent=1), "utf-8")
    assert audited(tmp_path, tmp_path / "log.json").totals["accepted_count"] == 2
