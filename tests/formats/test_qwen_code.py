"""Qwen Code: an answer and its telemetry are one call."""

from __future__ import annotations

from time import process_time

import pytest

from costctl.formats.base import Ignored, Outcome, Record
from costctl.formats.qwen_code import is_row, resolve, unwrap

COUNTS = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
EVENT = {"input_token_count": 100, "output_token_count": 20, "total_token_count": 120, "duration_ms": 900}


def row(second: float, kind: str, **members: object) -> Record:
    at = f"2026-06-11T10:00:{second:06.3f}Z"
    return {"sessionId": "s", "uuid": f"{kind}-{second}", "timestamp": at, "type": kind, "cwd": "/home/dev/timetable",
            **members}  # fmt: skip


def answer(second: float, usage: Record | None = COUNTS, model: str = "qwen3-coder-plus") -> Record:
    members: Record = {"usageMetadata": usage} if usage else {}
    return row(second, "assistant", model=model, message={"role": "model", "parts": [{"functionCall": {}}]}, **members)


def event(second: float, name: str = "api_response", model: str = "qwen3-coder-plus", **members: object) -> Record:
    said = {"event.name": f"qwen-code.{name}", "model": model, "response_id": f"r-{second}", **members}
    return row(second, "system", subtype="ui_telemetry", systemPayload={"uiEvent": said})


def told(*lines: Record) -> list[Outcome]:
    assert all(map(is_row, lines))
    pieces = [piece for piece in map(unwrap, lines) if not isinstance(piece, Ignored)]
    return resolve(pieces)


def requests(*lines: Record) -> list[Record]:
    return [found for found in told(*lines) if isinstance(found, dict)]


def test_telemetry_adds_what_the_answer_does_not_know() -> None:
    for lines in ((event(1, **EVENT), answer(1.2)), (answer(1.2), event(1, **EVENT))):
        (found,) = requests(*lines)
        assert (found["input_tokens"], found["latency_ms"], found["request_id"]) == (100, 900, "r-1")
        assert (found["dedupe_key"], found["tool_calls"]) == ("assistant-1.2", 1)


def test_each_answer_has_its_own_telemetry() -> None:
    found = requests(event(1, **EVENT), answer(1.1), event(1.4, **EVENT), answer(1.5))
    assert [one["request_id"] for one in found] == ["r-1", "r-1.4"]


def test_telemetry_of_a_call_that_nothing_else_tells_of_is_a_request() -> None:
    found = requests(event(1, **EVENT), event(30, **{**EVENT, "input_token_count": 7}), answer(1.1))
    assert sorted(one["input_tokens"] for one in found) == [7, 100]


def test_telemetry_of_another_model_or_long_ago_is_of_another_call() -> None:
    assert len(requests(event(1, model="qwen3-max", **EVENT), answer(1.1))) == 2
    other = {**EVENT, "input_token_count": 101, "total_token_count": 121}
    assert len(requests(event(1, **other), answer(30))) == 2


def test_failures_are_requests_without_counts() -> None:
    (found,) = requests(event(1, "api_error", error_type="RateLimitError", status_code=429, duration_ms=310))
    assert (found["status"], found["error_type"], found["http_status"]) == ("error", "RateLimitError", 429)
    assert "input_tokens" not in found
    (told_in_words,) = requests(event(1, "api_error", error_type="you asked: secret"))
    assert told_in_words["error_type"] == "error"


def test_answers_and_telemetry_without_counts() -> None:
    assert [type(item) for item in told(answer(1, None))] == [Ignored]
    assert [type(item) for item in told(event(1))] == [Ignored]
    (found,) = requests(answer(1.1, None), event(1, **EVENT))
    assert found["input_tokens"] == 100


@pytest.mark.parametrize("kind", ["user", "tool_result", "system"])
def test_other_rows_are_no_requests(kind: str) -> None:
    assert isinstance(unwrap(row(1, kind, message={"role": "user", "parts": []})), Ignored)


def test_thoughts_lie_inside_the_output() -> None:
    (found,) = requests(answer(1, {**COUNTS, "thoughtsTokenCount": 15}))
    assert (found["output_tokens"], found["reasoning_tokens"]) == (20, 15)


def test_calls_of_one_moment_are_paired_in_linear_time() -> None:
    """Four times the rows take about four times the time, not sixteen."""

    def seconds(count: int) -> float:
        pieces = [
            one
            for _ in range(count)
            for line in (event(1, **EVENT), answer(1))
            if isinstance(one := unwrap(line), dict)
        ]
        best = float("inf")
        for _ in range(3):
            start = process_time()
            found = resolve(pieces)
            best = min(best, process_time() - start)
        assert sum(isinstance(one, dict) for one in found) == count
        return best

    assert seconds(4000) < 8 * seconds(1000)


def test_telemetry_without_a_model_or_a_time_fits() -> None:
    nameless = event(1, **EVENT)
    nameless["systemPayload"]["uiEvent"]["model"] = None
    timeless = event(2, **EVENT)
    timeless["timestamp"] = None
    for lines in ((nameless, answer(1.1)), (timeless, answer(1.1)), (event(9, **EVENT), answer(1.1))):
        (found,) = requests(*lines)
        assert found["latency_ms"] == 900
