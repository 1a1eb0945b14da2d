"""Langfuse: which observations are calls, what their counts mean, and each form of an export."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from costctl.audit.queries import select
from tests.support import rows, was_read


def observation(**more: Any) -> dict[str, Any]:
    return {
        "id": "o1", "traceId": "t1", "type": "GENERATION", "parentObservationId": None, "name": "call",
        "level": "DEFAULT", "startTime": "2026-03-02T10:00:00.250Z", "endTime": "2026-03-02T10:00:01.000Z",
        "completionStartTime": None,
        "model": "gpt-4o", "modelParameters": {"temperature": 0.5, "max_tokens": "300"}, "latency": 750,
        "usageDetails": {"input": 10, "output": 5, "total": 15}, "costDetails": {"total": 0.0001},
        "input": [{"role": "user", "content": "Hola"}], "output": {"role": "assistant", "content": "Hi!"}, **more,
    }  # fmt: skip


def trace(*observations: dict[str, Any]) -> dict[str, Any]:
    about = {"id": "t1", "name": "ask", "userId": "u1", "sessionId": "s1", "tags": ["b", "a"]}
    return {"trace": about, "observations": list(observations)}


def read(tmp_path: Path, *records: Any) -> list[dict[str, Any]]:
    """The calls of a log."""
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    return found_in(tmp_path, path)


def found_in(tmp_path: Path, path: Path) -> list[dict[str, Any]]:
    report = was_read(tmp_path, path)
    assert report.provenance["formats"] == ["langfuse"]
    assert report.totals["rejected_count"] == 0
    table = select("SELECT * FROM request ORDER BY started_at", tmp_path / "workspace" / "costctl.duckdb").tables[
        "rows"
    ]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_what_a_trace_says_of_its_calls(tmp_path: Path) -> None:
    (found,) = read(tmp_path, trace(observation()))
    said = {
        "started_at": "2026-03-02 10:00:00.250000", "latency_ms": "750.0", "user_id": "u1", "session_id": "s1",
        "tags": "a,b", "app": "ask", "model": "gpt-4o", "temperature": "0.5", "max_output_tokens": "300",
        "logged_cost": "0.000100000000", "prompt_chars": "4", "response_chars": "3", "stream": "None",
    }  # fmt: skip
    assert {name: str(found[name]) for name in said} == said


COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")
USAGES: list[tuple[dict[str, Any], tuple[int | None, ...]]] = [
    ({"input": 600, "input_cached_tokens": 400, "output": 70, "output_reasoning_tokens": 30, "total": 1100},
     (1000, 100, 400, 30)),
    ({"input": 600, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 100, "output": 100},
     (1000, 100, 300, None)),
    ({"input": 1000, "output": 100, "total": 1100, "prompt_details.cache_read": 400,
      "completion_details.reasoning": 30}, (1000, 100, 400, 30)),
    ({"input": 1000, "output": 100, "total": 1100, "input_cache_read": 400, "output_reasoning": 30},
     (1000, 100, 400, 30)),
    ({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}, (1000, 100, None, None)),
    ({"input": 5, "output": 845, "total": 2023}, (5, 2018, None, 1173)),
    ({"input": 7, "total": 7}, (7, 0, None, None)),
    ({}, (None, None, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), USAGES)
def test_what_the_keys_of_the_details_mean(
    tmp_path: Path, usage: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    (found,) = read(tmp_path, observation(usageDetails=usage))
    assert tuple(found[name] for name in COUNTS) == expected


def test_a_write_for_an_hour_is_one(tmp_path: Path) -> None:
    usage = {"input": 6, "input_cache_creation_1h": 50, "input_cache_creation_5m": 40, "output": 4, "total": 100}
    (found,) = read(tmp_path, observation(usageDetails=usage))
    assert [found[name] for name in ("cache_write_1h_tokens", "cache_write_5m_tokens", "input_tokens")] == [50, 40, 96]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [({"usage": {"input": 10, "output": 5, "unit": "TOKENS"}}, 10), ({"promptTokens": 10, "completionTokens": 5}, 10),
     ({"usage": {"input": 10, "output": 5, "unit": "CHARACTERS"}}, None),
     ({"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}, None)],
)  # fmt: skip
def test_counts_of_older_exports(tmp_path: Path, usage: dict[str, Any], expected: int | None) -> None:
    (found,) = read(tmp_path, observation(usageDetails=None, **usage))
    assert found["input_tokens"] == expected


def test_only_the_innermost_generation_is_a_call(tmp_path: Path) -> None:
    """An agent with its own counts, a generation that repeats another through a span, a tool."""
    agent = observation(id="a", type="AGENT", usageDetails={"input": 44, "output": 180})
    outer = observation(id="g", parentObservationId="a", usageDetails={"input": 14, "output": 43})
    between = observation(id="s", parentObservationId="g", type="SPAN", usageDetails={})
    inner = observation(id="i", parentObservationId="s", usageDetails={"input": 62, "output": 85})
    tool = observation(id="t", parentObservationId="g", type="TOOL", usageDetails={})
    found = read(tmp_path, trace(inner, agent, tool, outer, between))
    assert [(row["input_tokens"], row["output_tokens"]) for row in found] == [(62, 85)]


def test_a_failed_generation(tmp_path: Path) -> None:
    (found,) = read(tmp_path, observation(level="ERROR", statusMessage="secret words", usageDetails={}, model=None))
    assert (found["status"], found["usage_source"], found["error_type"]) == ("error", "missing", "error")


def test_a_stream_has_a_first_token(tmp_path: Path) -> None:
    (found,) = read(tmp_path, observation(completionStartTime="2026-03-02T10:00:00.350Z"))
    assert (found["stream"], found["time_to_first_token_ms"]) == (True, 100.0)


def test_an_answer_of_the_api_is_a_page_of_observations(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"data": [observation(), observation(id="o2")], "meta": {"page": 1}}, indent=1), "utf-8")
    assert len(found_in(tmp_path, path)) == 2


def test_a_trace_of_the_api_holds_its_observations_itself(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(trace()["trace"] | {"observations": [observation()]}, indent=1), "utf-8")
    assert found_in(tmp_path, path)[0]["user_id"] == "u1"


ROW = {
    "id": "o1", "trace_id": "t1", "type": "GENERATION", "parent_observation_id": None, "level": "DEFAULT",
    "start_time": "2026-03-02 10:00:00.250000", "end_time": "2026-03-02 10:00:01.000000",
    "provided_model_name": "gpt-4o", "user_id": "u1",
}  # fmt: skip
MAPS: dict[str, Any] = {"usage_details": {"input": 10, "output": 5}, "cost_details": {"total": 0.0001},
                        "model_parameters": {"temperature": 0.5}}  # fmt: skip


def check_row(found: list[dict[str, Any]]) -> None:
    said = ("input_tokens", "output_tokens", "latency_ms", "user_id", "model", "temperature")
    assert [tuple(row[name] for name in said) for row in found] == [(10, 5, 750.0, "u1", "gpt-4o", 0.5)]
    assert str(found[0]["logged_cost"]) == "0.000100000000"


def test_a_row_of_the_blob_export_as_json(tmp_path: Path) -> None:
    check_row(read(tmp_path, ROW | MAPS))


def test_a_row_of_the_blob_export_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "observations.csv"
    row = {name: one if isinstance(one, str | None) else json.dumps(one) for name, one in (ROW | MAPS).items()}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    check_row(found_in(tmp_path, path))


def test_a_row_of_the_blob_export_as_parquet(tmp_path: Path) -> None:
    """Maps come as structs from one writer and as lists of keys and values from another."""
    path = tmp_path / "observations.parquet"
    pl.DataFrame([ROW | MAPS]).write_parquet(path)
    check_row(found_in(tmp_path, path))
    pairs = {name: [{"key": key, "value": str(one)} for key, one in inner.items()] for name, inner in MAPS.items()}
    other = tmp_path / "maps.parquet"
    pl.DataFrame([ROW | pairs]).write_parquet(other)
    check_row(found_in(tmp_path, other))


def test_a_later_version_of_a_row_replaces_it(tmp_path: Path) -> None:
    running = ROW | {"end_time": None, "usage_details": {}, "cost_details": {}}
    check_row(read(tmp_path, running, ROW | MAPS, running))


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
@pytest.mark.parametrize("ended", ["left out", None, ""])
def test_a_latency_without_an_end_is_kept(tmp_path: Path, ended: str | None, unit: int) -> None:
    """Exports differ in its unit: over two minutes it is milliseconds. An end that is told decides."""
    rows = []
    for number, seconds in enumerate((1.5, 2.5)):
        row: dict[str, Any] = {
            "id": f"o{number}", "trace_id": "t1", "type": "GENERATION", "start_time": f"2026-03-02T10:00:0{number}Z",
            "end_time": ended, "latency": seconds * unit, "provided_model_name": "gpt-4o",
            "usage_details": {"input": 100, "output": 10, "total": 110},
        }  # fmt: skip
        if ended == "left out":
            del row["end_time"]
        rows.append(row)
    rows.append(rows[0] | {"id": "o9", "end_time": "2026-03-02T10:00:04Z"})
    found = read(tmp_path, *rows)
    assert sorted(row["latency_ms"] for row in found) == [1500, 2500, 4000]


def event(kind: str, **body: Any) -> dict[str, Any]:
    return {"id": f"e-{kind}-{body['id']}", "timestamp": "2026-03-02T10:00:00Z", "type": kind, "body": body}


def posted() -> list[dict[str, Any]]:
    """A trace with a span, in it a generation, and an embedding whose end comes as an update."""
    return [
        event("trace-create", id="t1", name="ask", userId="u1", sessionId="s1"),
        event("span-create", id="s1", traceId="t1", startTime="2026-03-02T10:00:00Z"),
        event("generation-create", id="g1", traceId="t1", parentObservationId="s1", model="gpt-4o",
              startTime="2026-03-02T10:00:01Z", input=[{"role": "user", "content": "Hola"}], endTime=None),
        event("generation-update", id="g1", traceId="t1", endTime="2026-03-02T10:00:03Z", model=None,
              usage={"input": 100, "output": 10, "total": 110, "unit": "TOKENS"}),
        event("observation-create", id="g2", traceId="t1", type="EMBEDDING", model="text-embedding-3-small",
              startTime="2026-03-02T10:00:04Z", endTime="2026-03-02T10:00:05Z", usageDetails={"input": 7, "total": 7}),
        event("score-create", id="c1", traceId="t1", name="ok", value=1),
        event("sdk-log", id="l1", log={"message": "flushed"}),
    ]  # fmt: skip


EVENT_SHAPES: dict[str, Callable[[list[dict[str, Any]]], list[Any]]] = {
    "batch": lambda events: [{"batch": events, "metadata": {"sdk_name": "js"}}],
    "one a line": lambda events: events,
    "one a line, shuffled": lambda events: [events[number] for number in (5, 3, 0, 6, 4, 2, 1)],
    "batch with the update first": lambda events: [{"batch": [events[3], *events[:3], *events[4:]]}],
    "two batches": lambda events: [{"batch": events[:3]}, {"batch": events[3:]}],
    "the same batch twice": lambda events: [{"batch": events}] * 2,
}


@pytest.mark.parametrize("shape", EVENT_SHAPES)
def test_events_as_they_are_posted(tmp_path: Path, shape: str) -> None:
    """A generation and an embedding: 100 + 7 tokens in, 10 out, however the events are divided."""
    one, two = read(tmp_path, *EVENT_SHAPES[shape](posted()))
    assert (one["request_id"], one["response_model"], one["trace_id"]) == ("g1", "gpt-4o", "t1")
    assert (one["input_tokens"], one["output_tokens"], one["prompt_chars"]) == (100, 10, 4)
    assert (two["request_id"], two["operation"], two["input_tokens"]) == ("g2", "embeddings", 7)
    if "batch" in shape and shape != "two batches":
        assert (one["latency_ms"], one["session_id"], one["user_id"]) == (2000, "s1", "u1")


def test_events_of_no_call_are_ignored_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"batch": [*posted(), "x"]}), "utf-8")
    report = was_read(tmp_path, path)
    assert (report.totals["records_read_count"], report.totals["rejected_count"]) == (8, 1)
    assert {row["kind"]: row["record_count"] for row in rows(report, "ignored")} == {
        "event: trace-create": 1, "observation: span": 1, "event: generation-update": 1, "event: score-create": 1,
        "event: sdk-log": 1,
    }  # fmt: skip


def test_a_batch_that_is_cut_keeps_its_whole_events(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"batch": posted()[:5]})[:-9], "utf-8")
    totals = was_read(tmp_path, path).totals
    assert (totals["request_count"], totals["input_tokens"], totals["rejected_count"]) == (1, 100, 1)


def test_tokens_that_only_an_agent_counts_are_told(tmp_path: Path) -> None:
    """Of the trace without a generation; in the other one they are those of the generation."""
    with_call = trace(observation(), observation(id="o2", type="AGENT"))
    without = {"trace": {"id": "t2"}, "observations": [observation(id="o3", traceId="t2", type="AGENT")]}
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, (with_call, without))), "utf-8")
    report = was_read(tmp_path, path)
    assert (report.totals["request_count"], report.totals["ignored_count"]) == (1, 2)
    assert [one.message for one in report.warnings if one.code == "W139"] == [
        "1 span that is no call of a model counts 10 input and 5 output tokens, and no call in the same trace "
        "counts any: left out"
    ]
