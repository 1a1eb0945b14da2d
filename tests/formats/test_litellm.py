"""LiteLLM rows whose cached parts, failures and costs lie in odd places."""

from __future__ import annotations

import json
from typing import Any

import pytest

from costctl.formats.base import Ignored, Record
from costctl.formats.litellm import payload, spend_row

SPLIT = {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}
CLAUDE: list[tuple[str, Record]] = [
    ("usage_object", {"prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_tokens": 1000,
                                                "cache_creation_token_details": SPLIT}}),
    ("usage_object", {"cache_read_input_tokens": 2000, "cache_creation_input_tokens": 1000,
                      "cache_creation_token_details": SPLIT}),
    ("response", {"prompt_tokens_details": {"cached_tokens": 2000}, "cache_creation_input_tokens": 1000,
                  "cache_creation": SPLIT}),
]  # fmt: skip


def row(**members: Any) -> Record:
    return {"id": "i", "call_type": "acompletion", "model": "m", "status": "success", "prompt_tokens": 3100,
            "completion_tokens": 50, "total_tokens": 3150, "response_cost": 0.1, "metadata": {}, **members}  # fmt: skip


def read(record: Record) -> Record:
    found = payload(record)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("place", "parts"), CLAUDE)
def test_the_split_of_cache_writes(place: str, parts: Record) -> None:
    usage = {"prompt_tokens": 3100, "completion_tokens": 50, "total_tokens": 3150, **parts}
    holder = {"metadata": {place: usage}} if place == "usage_object" else {"response": {"usage": usage}}
    found = read(row(**holder))
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
             "cache_write_1h_tokens")  # fmt: skip
    assert tuple(found[name] for name in names) == (3100, 2000, 1000, 400, 600)


@pytest.mark.parametrize("place", ["metadata", "response"])
def test_responses_shaped_usage(place: str) -> None:
    usage = {"input_tokens": 3100, "output_tokens": 50, "total_tokens": 3150,
             "input_tokens_details": {"cached_tokens": 1920},
             "output_tokens_details": {"reasoning_tokens": 30}}  # fmt: skip
    found = read(row(**{place: {"usage_object" if place == "metadata" else "usage": usage}}))
    assert (found["input_tokens"], found["cache_read_tokens"], found["reasoning_tokens"]) == (3100, 1920, 30)


def test_anthropic_shaped_usage_of_the_answer() -> None:
    usage = {"input_tokens": 100, "output_tokens": 50, "cache_creation_input_tokens": 1000,
             "cache_read_input_tokens": 2000}  # fmt: skip
    found = read(row(response={"type": "message", "usage": usage}))
    assert (found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"]) == (3100, 2000, 1000)


ODD: tuple[Any, ...] = ([], {}, [1], {"a": 1}, 5, True, "text", None)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("name", [*row(), "cache_hit", "stream", "response", "messages", "request_tags",
                                  "error_information", "cost_breakdown", "model_group", "end_user"])  # fmt: skip
def test_odd_types_are_no_crash(name: str, odd: Any) -> None:
    assert isinstance(payload(row(**{name: odd})), dict | Ignored)
    assert isinstance(spend_row({**row(), "status": "failure", name: odd}), dict | Ignored)


def csv_row(**members: str) -> Record:
    return {"request_id": "i", "call_type": "acompletion", "model": "m", "status": "", "prompt_tokens": "0",
            "completion_tokens": "0", "total_tokens": "0", "spend": "0", "metadata": "{}", **members}  # fmt: skip


def test_text_of_a_csv() -> None:
    assert spend_row(csv_row(call_type="call_mcp_tool")) == Ignored("call_mcp_tool")
    streamed = spend_row(csv_row(stream="True", completionStartTime="2026-03-02 12:00:01.6"))
    assert isinstance(streamed, dict)
    assert (streamed["stream"], streamed["first_token_at"]) == (True, "2026-03-02 12:00:01.6")


def test_a_failure_only_in_the_metadata() -> None:
    error = {"error_code": "500", "error_class": "InternalServerError"}
    found = spend_row(csv_row(metadata=json.dumps({"status": "failure", "error_information": error})))
    assert isinstance(found, dict)
    assert (found["status"], found["http_status"], found["error_type"]) == ("failure", 500, "InternalServerError")
    assert (found["input_tokens"], found["output_tokens"]) == (None, None)


def test_a_paid_transcription_is_a_request_without_counts() -> None:
    found = read(row(call_type="atranscription", prompt_tokens=0, completion_tokens=0, response_cost=0.006))
    assert (found["logged_cost"], found["input_tokens"], found["output_tokens"]) == (0.006, None, None)


def test_the_tier_of_the_cost_breakdown() -> None:
    assert read(row(cost_breakdown={"service_tier": "flex"}))["service_tier"] == "flex"
    assert read(row(response={"service_tier": "default"}))["service_tier"] == "standard"


def test_one_call_has_one_key_in_both_exports() -> None:
    both = read(row()), spend_row({**row(), "request_id": "i", "spend": 0.1})
    assert [isinstance(found, dict) and found["dedupe_key"] for found in both] == ["i:success", "i:success"]
    assert read(row(status="failure"))["dedupe_key"] == "i:failure"  # not lost in the success after it


def test_a_row_that_repeats_an_input_without_what_was_cached() -> None:
    usage = {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 2000,
             "cache_creation_input_tokens": 1000}  # fmt: skip
    passed = row(prompt_tokens=100, total_tokens=150, call_type="anthropic_messages", metadata={"usage_object": usage})
    found = read(passed)
    assert (found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"]) == (3100, 2000, 1000)
    assert found.get("total_tokens") is None
    whole = read(row(metadata={"usage_object": usage}))  # and one that has it all
    assert (whole["input_tokens"], whole["total_tokens"]) == (3100, 3150)


def test_the_parts_that_earlier_versions_kept_beside() -> None:
    parts = {"prompt_tokens_details": {"cached_tokens": 1920}, "cache_creation_input_tokens": 0,
             "completion_tokens_details": {"reasoning_tokens": 30}}  # fmt: skip
    found = read(row(metadata={"additional_usage_values": parts}))
    assert (found["input_tokens"], found["cache_read_tokens"], found["reasoning_tokens"]) == (3100, 1920, 30)
