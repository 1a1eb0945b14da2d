"""LangSmith: runs that come whole or in pieces, and where their counts lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.queries import select
from tests.support import was_read

RUN_ID, TRACE_ID = "5d0c9a52-0b1e-4c6f-9a64-3f2f7b1d8e10", "0a0c9a52-0b1e-4c6f-9a64-3f2f7b1d8e11"
ORDER = f"20260302T100000000000Z{TRACE_ID}.20260302T100000250000Z{RUN_ID}"
USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100,
         "input_token_details": {"cache_read": 400, "cache_creation": 50},
         "output_token_details": {"reasoning": 30}}  # fmt: skip


def run(**more: Any) -> dict[str, Any]:
    metadata = {"ls_provider": "openai", "ls_model_name": "gpt-4o", "thread_id": "s1", "user_id": "u1"}
    return {
        "id": RUN_ID, "trace_id": TRACE_ID, "parent_run_id": TRACE_ID, "dotted_order": ORDER, "run_type": "llm",
        "name": "ChatOpenAI", "start_time": "2026-03-02T10:00:00.250000", "end_time": "2026-03-02T10:00:01.000000",
        "session_name": "shop", "extra": {"metadata": metadata, "invocation_params": {"temperature": 0.5}},
        "inputs": {"messages": [{"role": "user", "content": "Hola"}]}, "error": None,
        "outputs": {"model": "gpt-4o-2024-08-06", "usage_metadata": USAGE,
                    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Hi!"}}]}, **more,
    }  # fmt: skip


def read(tmp_path: Path, *records: Any, merged: int = 0) -> list[dict[str, Any]]:
    """The calls of a log."""
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    report = was_read(tmp_path, path)
    assert report.provenance["formats"] == ["langsmith"]
    assert (report.totals["rejected_count"], report.totals["merged_count"]) == (0, merged)
    table = select("SELECT * FROM request ORDER BY started_at", tmp_path / "workspace" / "costctl.duckdb").tables[
        "rows"
    ]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


SAID = {
    "started_at": "2026-03-02 10:00:00.250000", "latency_ms": "750.0", "request_model": "gpt-4o",
    "model": "gpt-4o-2024-08-06", "provider": "openai", "session_id": "s1", "user_id": "u1", "project": "shop",
    "temperature": "0.5", "finish_reason": "stop", "response_chars": "3", "prompt_chars": "4", "status": "ok",
    "input_tokens": "1000", "output_tokens": "100", "cache_read_tokens": "400", "cache_write_other_tokens": "50",
    "reasoning_tokens": "30",
}  # fmt: skip


def test_a_whole_run_and_the_chain_around_it(tmp_path: Path) -> None:
    chain = run(id=TRACE_ID, run_type="chain", parent_run_id=None, prompt_tokens=1000, completion_tokens=100)
    (found,) = read(tmp_path, chain, run())
    assert {name: str(found[name]) for name in SAID} == SAID


def pieces(**end: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a client sends at the start of a run, and at its end without kind, start and model."""
    whole = run()
    start = {name: one for name, one in whole.items() if name not in {"end_time", "outputs", "error"}}
    names = ("id", "trace_id", "dotted_order", "end_time", "outputs", "error")
    return start, {name: whole[name] for name in names} | end


@pytest.mark.parametrize("order", [1, -1])
def test_the_pieces_of_a_run_are_put_together(tmp_path: Path, order: int) -> None:
    start, end = pieces()
    batches = [{"post": [start], "patch": []}, {"post": [], "patch": [end]}][::order]
    (found,) = read(tmp_path, *batches, merged=1)
    assert {name: str(found[name]) for name in SAID} == SAID


def test_a_piece_that_tells_of_a_failure(tmp_path: Path) -> None:
    start, end = pieces(outputs=None, error="openai.RateLimitError('secret')\nTraceback")
    (found,) = read(tmp_path, start, end, merged=1)
    assert (found["status"], found["error_type"], found["input_tokens"]) == ("error", "RateLimitError", None)


def test_the_end_of_an_unknown_run_is_no_request(tmp_path: Path) -> None:
    start, end = pieces()
    lost = end | {"id": "other", "dotted_order": ORDER.replace(RUN_ID, "other")}
    assert len(read(tmp_path, {"post": [start], "patch": [end, lost]}, merged=2)) == 1


def test_the_id_of_a_piece_may_lie_in_its_order_alone(tmp_path: Path) -> None:
    start, end = pieces()
    del end["id"]
    assert len(read(tmp_path, start, end, merged=1)) == 1


def test_a_start_without_its_end_is_a_call_of_unknown_usage(tmp_path: Path) -> None:
    (found,) = read(tmp_path, pieces()[0])
    assert (found["usage_source"], found["request_model"]) == ("missing", "gpt-4o")


MESSAGE = {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"],
           "kwargs": {"content": "Hi!", "usage_metadata": USAGE,
                      "response_metadata": {"model_name": "gpt-4o-mini"}}}  # fmt: skip
OUTPUTS: list[tuple[dict[str, Any], tuple[int | None, ...]]] = [
    ({"outputs": {"generations": [[{"text": "Hi!", "message": MESSAGE}]], "llm_output": None}}, (1000, 100, 400)),
    ({"outputs": {"llm_output": {"token_usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}},
                  "generations": [[{"text": "Hi!"}]]}}, (10, 5, None)),
    ({"outputs": {"llmOutput": {}, "llm_output": {"tokenUsage": {"promptTokens": 10, "completionTokens": 5}}}},
     (10, 5, None)),
    ({"outputs": {"choices": []}, "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
      "prompt_token_details": {"cache_read": 4}}, (10, 5, 4)),
    ({"outputs": '{"usage_metadata": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 15, '
                 '"input_token_details": {"cache_read": 7}}}'}, (10, 5, 7)),
    ({"outputs": {"usage_metadata": None}, "prompt_tokens": None}, (None, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("more", "expected"), OUTPUTS)
def test_where_the_counts_lie(tmp_path: Path, more: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    (found,) = read(tmp_path, run(**more))
    assert tuple(found[name] for name in ("input_tokens", "output_tokens", "cache_read_tokens")) == expected


def test_times_as_milliseconds_and_the_first_token(tmp_path: Path) -> None:
    start = 1_772_445_600_250
    events = [{"name": "start", "time": start}, {"name": "new_token", "time": "2026-03-02T10:00:00.350Z"}]
    (found,) = read(tmp_path, run(start_time=start, end_time=start + 750, events=events))
    assert (str(found["started_at"]), found["latency_ms"]) == ("2026-03-02 10:00:00.250000", 750.0)
    assert (found["stream"], found["time_to_first_token_ms"]) == (True, 100.0)


def test_a_cost_in_decimal_text(tmp_path: Path) -> None:
    (found,) = read(tmp_path, run(total_cost="0.00052065"))
    assert str(found["logged_cost"]) == "0.000520650000"
