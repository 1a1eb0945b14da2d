"""Exports of hosted gateways: Helicone, Portkey, Cloudflare, OpenRouter; and Dynamo's traces."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.formats.base import Record
from tests.formats.test_gateways import read
from tests.support import audited

ANSWER = {"id": "c1", "object": "chat.completion", "model": "gpt-4o-2024-08-06", "choices": [],
          "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
                    "prompt_tokens_details": {"cached_tokens": 400}}}  # fmt: skip
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hola"}]}


def helicone(**members: Any) -> Record:
    return {
        "request_id": "h1", "request_created_at": "2026-03-02T10:00:00.250Z", "response_status": 200, "delay_ms": 750,
        "provider": "OPENAI", "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06", "helicone_user": "ana",
        "properties": {"Helicone-Session-Id": "s1", "feature": "web"}, "costUSD": 0.0105, **members,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("members", "expected"),
    [  # what Helicone itself adds up: cached tokens beside the prompt
     ({"prompt_tokens": 600, "completion_tokens": 100, "prompt_cache_read_tokens": 400, "total_tokens": 1100}, 1000),
     ({"prompt_tokens": 600, "completion_tokens": 100, "prompt_cache_read_tokens": 400}, 1000),
     # an older row of OpenAI's, as its total tells
     ({"prompt_tokens": 1000, "completion_tokens": 100, "prompt_cache_read_tokens": 400, "total_tokens": 1100}, 1000),
     # of Anthropic's models the total leaves cached tokens out as well
     ({"provider": "ANTHROPIC", "prompt_tokens": 600, "completion_tokens": 100, "prompt_cache_read_tokens": 400,
       "total_tokens": 700}, 1000),
     # the body decides
     ({"prompt_tokens": 9, "completion_tokens": 9, "request_body": ASKED, "response_body": json.dumps(ANSWER)}, 1000)],
)  # fmt: skip
def test_where_cached_tokens_lie_in_helicone(tmp_path: Path, members: Record, expected: int) -> None:
    report, (found,) = read(tmp_path, "helicone", helicone(**members))
    assert (found["input_tokens"], found["cache_read_tokens"], found["output_tokens"]) == (expected, 400, 100)
    assert [one.code for one in report.warnings if one.code == "W127"] == []


def test_a_helicone_request(tmp_path: Path) -> None:
    _, (found,) = read(tmp_path, "helicone", helicone(request_body=ASKED, response_body=ANSWER))
    said = {
        name: str(found[name]) for name in ("latency_ms", "session_id", "user_id", "tags", "provider", "prompt_chars")
    }
    assert said == {"latency_ms": "750.0", "session_id": "s1", "user_id": "ana", "tags": "feature=web",
                    "provider": "openai", "prompt_chars": "4"}  # fmt: skip
    assert found["logged_cost"] == Decimal("0.0105")


@pytest.mark.parametrize(("status", "expected"), [(-3, "cancelled"), (-2, "incomplete"), (-4, "error"), (500, "error")])
def test_how_a_helicone_request_ended(tmp_path: Path, status: int, expected: str) -> None:
    _, (found,) = read(tmp_path, "helicone", helicone(response_status=status, prompt_tokens=0, completion_tokens=0))
    assert found["status"] == expected
    assert (found["usage_source"] == "missing") == (expected == "error")


def portkey(**members: Any) -> Record:
    return {
        "id": "p1", "created_at": "2026-03-02T10:00:00Z", "ai_org": "openai", "ai_model": "gpt-4o", "is_success": 1.0,
        "req_units": 150.0, "res_units": 200.0, "total_units": 350.0, "cost": 1.05, "cost_currency": "USD",
        "response_time": 750, "response_status_code": 200, **members,
    }  # fmt: skip


def test_a_portkey_request_costs_cents(tmp_path: Path) -> None:
    metadata = {"key": ["_user", "feature"], "value": ["ana", "web"]}
    _, (found,) = read(tmp_path, "portkey", portkey(metadata=metadata, cache_status="HIT", retry_success_count=2))
    assert (found["input_tokens"], found["output_tokens"], found["logged_cost"]) == (150, 200, Decimal("0.0105"))
    assert (found["user_id"], found["tags"], found["gateway_cache_hit"], found["attempt"]) == (
        "ana",
        "feature=web",
        True,
        3,
    )


def test_a_failed_portkey_request_and_one_with_bodies(tmp_path: Path) -> None:
    failed = portkey(id="p2", is_success=0.0, req_units=0.0, res_units=0.0, response_status_code=429,
                     created_at="2026-03-02T10:00:01Z")  # fmt: skip
    bodies = portkey(request={"body": ASKED}, response={"body": ANSWER})
    _, (found, error) = read(tmp_path, "portkey", bodies, failed)
    assert (found["input_tokens"], found["cache_read_tokens"], found["prompt_chars"]) == (1000, 400, 4)
    assert (error["status"], error["error_type"], error["usage_source"]) == ("error", "http_429", "missing")


def cloudflare(**members: Any) -> Record:
    return {
        "id": "01J1", "created_at": "2026-03-02T10:00:00Z", "provider": "openai", "model": "gpt-4o", "step": 0,
        "path": "chat/completions", "tokens_in": 150, "tokens_out": 20, "cost": 0.0105, "custom_cost": False,
        "cached": False, "duration": 750, "status_code": 200, "success": True, "metadata": '{"user":"ana"}', **members,
    }  # fmt: skip


def test_an_answer_of_cloudflares_api_is_a_document(tmp_path: Path) -> None:
    failed = cloudflare(id="01J2", success=False, status_code=500, tokens_in=0, tokens_out=0, cost=0)
    fallback = cloudflare(id="01J3", step=1, cached=True)
    path = tmp_path / "logs.json"
    path.write_text(json.dumps({"success": True, "result": [cloudflare(), failed, fallback]}, indent=1), "utf-8")
    report = audited(tmp_path, path)
    assert report.provenance["formats"] == ["cloudflare"]
    total = report.totals
    assert (total["request_count"], total["error_count"], total["input_tokens"]) == (3, 1, 300)
    assert (total["unknown_usage_count"], total["rejected_count"]) == (1, 0)


def test_what_cloudflare_says_of_a_request(tmp_path: Path) -> None:
    _, (found,) = read(tmp_path, "cloudflare", cloudflare(step=1, cached=True))
    assert (found["is_fallback"], found["gateway_cache_hit"], found["user_id"]) == (True, True, "ana")
    assert (found["logged_cost"], found["is_cache_unknown"]) == (Decimal("0.0105"), True)


def generation(**members: Any) -> Record:
    return {"data": {
        "id": "gen-1", "created_at": "2026-03-02T10:00:00Z", "model": "openai/gpt-4o", "tokens_prompt": 1,
        "tokens_completion": 1, "native_tokens_prompt": 1000, "native_tokens_completion": 100,
        "native_tokens_cached": 400, "native_tokens_reasoning": 30, "total_cost": 0.01, "latency": 200,
        "generation_time": 750, "streamed": True, "upstream_inference_cost": 0.5, "is_byok": False, **members,
    }}  # fmt: skip


@pytest.mark.parametrize(("is_own_key", "cost"), [(False, "0.01"), (True, "0.51")])
def test_a_generation_counts_what_is_billed(tmp_path: Path, is_own_key: bool, cost: str) -> None:
    _, (found,) = read(tmp_path, "openrouter_generation", generation(is_byok=is_own_key))
    assert (found["input_tokens"], found["cache_read_tokens"], found["output_tokens"]) == (1000, 400, 100)
    assert (found["reasoning_tokens"], found["latency_ms"], found["logged_cost"]) == (30, 750, Decimal(cost))


@pytest.mark.parametrize(
    ("statuses", "expected"), [((503, 200), ("ok", True)), ((503, 429), ("error", None)), ((200,), ("ok", None))]
)
def test_which_providers_openrouter_tried(tmp_path: Path, statuses: tuple[int, ...], expected: tuple[Any, ...]) -> None:
    tried = [{"status": status} for status in statuses]
    _, (found,) = read(tmp_path, "openrouter_generation", generation(provider_responses=tried))
    assert (found["status"], found["is_fallback"]) == expected


def test_days_of_openrouter_are_sums(tmp_path: Path) -> None:
    row = {"date": "2026-06-11", "model": "m", "model_permaslug": "openai/gpt-4o-2024-08-06", "requests": 5,
           "prompt_tokens": 1_000_000, "completion_tokens": 0, "reasoning_tokens": 0, "usage": 2}  # fmt: skip
    path = tmp_path / "days.json"
    path.write_text(json.dumps({"data": [row, row | {"date": "2026-06-12"}]}), "utf-8")
    total = audited(tmp_path, path).totals
    assert (total["request_count"], total["aggregate_row_count"], total["aggregate_request_count"]) == (0, 2, 10)
    assert (total["input_tokens"], total["rejected_count"]) == (2_000_000, 0)


def test_dynamos_hashes_keep_all_their_bits_and_other_events_are_ignored(tmp_path: Path) -> None:
    replay = {"trace_block_size": 64, "input_length": 128, "input_sequence_hashes": [2**64 - 1, 5]}
    request = {"request_id": "d1", "request_received_ms": 1_772_445_600_250, "output_tokens": 16, "replay": replay}
    event = {"schema": "dynamo.request.trace.v1", "event_type": "request_end", "event_time_unix_ms": 1_772_445_601_000}
    tool = event | {"event_type": "tool_end", "tool": {}}
    report, (found,) = read(tmp_path, "dynamo", event | {"request": request}, tool)
    assert (found["input_tokens"], found["output_tokens"], found["latency_ms"]) == (128, 16, 750)
    assert (found["prefix_blocks"], found["block_tokens"]) == ([-1, 5], 64)
    assert report.totals["ignored_count"] == 1


METRICS = {"id": "p1", "organisation_id": "o", "created_at": "2026-03-02T10:00:00.250Z", "is_success": 1.0,
           "ai_org": "openai", "ai_model": "gpt-4o", "req_units": 1000.0, "res_units": 100.0, "total_units": 1100.0,
           "response_status_code": 200.0, "response_time": 750.0, "cache_status": "miss", "_user": "ana"}  # fmt: skip
LOG_OBJECT = {"id": "p1", "organisation_id": "o", "created_at": "2026-03-02T10:00:00.250Z",
              "request": {"url": "https://api.openai.com/v1/chat/completions", "method": "POST", "body": ASKED},
              "response": {"status": 200, "body": ANSWER, "time": 750}}  # fmt: skip


def test_the_two_objects_of_a_call_of_a_self_hosted_portkey(tmp_path: Path) -> None:
    _, (alone,) = read(tmp_path, "portkey", METRICS)
    assert (alone["input_tokens"], alone["user_id"], alone["latency_ms"]) == (1000, "ana", 750)
    _, (alone,) = read(tmp_path, "portkey", LOG_OBJECT)
    assert (alone["input_tokens"], alone["cache_read_tokens"], alone["latency_ms"]) == (1000, 400, 750)
    for pair in ((METRICS, LOG_OBJECT), (LOG_OBJECT, METRICS)):
        report, (found,) = read(tmp_path, "portkey", *pair)
        assert report.totals["merged_count"] == 1
        assert (found["input_tokens"], found["cache_read_tokens"]) == (1000, 400)


def test_the_flat_columns_of_portkeys_earlier_export(tmp_path: Path) -> None:
    flat = {"request.body": json.dumps(ASKED), "response.body": json.dumps(ANSWER), "metadata.key": ["_user"],
            "metadata.value": ["bob"], "is_success": 1}  # fmt: skip
    row = {name: value for name, value in METRICS.items() if name not in {"id", "_user", "organisation_id"}}
    _, (found,) = read(tmp_path, "portkey", {**row, **flat})
    assert (found["cache_read_tokens"], found["user_id"], found["prompt_chars"]) == (400, "bob", 4)


def test_an_answer_without_a_generation_is_no_request(tmp_path: Path) -> None:
    row = {"id": "g1", "native_tokens_prompt": 10, "native_tokens_completion": 5, "model": "openai/gpt-4o"}
    report, found = read(tmp_path, "openrouter_generation", {"data": row}, {"error": {"code": 404, "message": "x"}})
    assert (len(found), report.totals["ignored_count"]) == (1, 1)
