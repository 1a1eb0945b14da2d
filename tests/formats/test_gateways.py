"""Gateways' logs: which records are calls of a model, whose they are, and what is known of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.queries import select
from costctl.formats.base import Record
from costctl.report import Report
from tests.support import audited

ROWS = "SELECT * FROM request ORDER BY started_at, source_line"


def read(tmp_path: Path, kind: str, *records: Record) -> tuple[Report, list[dict[str, Any]]]:
    """The report and the calls of a log that must be of that format."""
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    report = audited(tmp_path, path)
    assert report.provenance["formats"] == [kind]
    assert report.totals["rejected_count"] == 0
    table = select(ROWS, tmp_path / "workspace" / "costctl.duckdb").tables["rows"]
    return report, [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def kong(usage: Record, status: int = 200, **part: Any) -> Record:
    meta = {"request_model": "gpt-4o", "provider_name": "openai", "llm_latency": 700, "request_mode": "stream"}
    return {
        "started_at": 1_772_445_600_250, "latencies": {"request": 750}, "request": {"id": "r1", "uri": "/chat"},
        "response": {"status": status}, "consumer": {"username": "ana"},
        "ai": {"proxy": {"meta": meta, "usage": usage, **part}},
    }  # fmt: skip


KONG_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, "cost": 0.0105,
              "time_to_first_token": 250, "prompt_tokens_details": {"cached_tokens": 400}}  # fmt: skip


def test_a_kong_request(tmp_path: Path) -> None:
    _, (found,) = read(tmp_path, "kong", kong(KONG_USAGE))
    assert str(found["started_at"]) == "2026-03-02 10:00:00.250000"
    assert (found["input_tokens"], found["cache_read_tokens"], found["output_tokens"]) == (1000, 400, 100)
    assert (found["latency_ms"], found["time_to_first_token_ms"], found["user_id"]) == (750, 250, "ana")
    assert (str(found["logged_cost"]), found["logged_cost_kind"]) == ("0.010500000000", "estimated")


def test_an_old_spelling_of_kong_and_a_cost_of_zero_without_a_price(tmp_path: Path) -> None:
    old = {"prompt_token": 30, "completion_token": 7, "total_tokens": 37, "cost": 0}
    _, (found,) = read(tmp_path, "kong", kong(old))
    assert (found["input_tokens"], found["output_tokens"], found["logged_cost"]) == (30, 7, None)


def test_a_request_that_kong_refused_has_unknown_usage(tmp_path: Path) -> None:
    refused = kong({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, status=429)
    _, (found,) = read(tmp_path, "kong", refused, {**kong(KONG_USAGE), "ai": {}})
    assert (found["status"], found["error_type"], found["usage_source"]) == ("error", "http_429", "missing")


def test_kong_tried_another_model_first(tmp_path: Path) -> None:
    tried = [{"provider": "anthropic", "model": "a"}, {"provider": "openai", "model": "gpt-4o"}]
    _, (found,) = read(tmp_path, "kong", kong(KONG_USAGE, tried_targets=tried))
    assert (found["attempt"], found["is_fallback"]) == (2, True)


def envoy(**members: Any) -> Record:
    return {
        "start_time": "2026-03-02T10:00:00.250Z", "duration": 750, "response_code": 200, "response_flags": "-",
        "x-request-id": "e1", "x-envoy-origin-path": "/v1/chat/completions", "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "default/x/route", "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cached_input_tokens": 400, **members,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("members", "expected"),
    [({"gen_ai.usage.total_tokens": 1100}, (1000, 400)), ({"gen_ai.usage.total_tokens": 1500}, (1400, 400)),
     ({}, (1000, 400))],
)  # fmt: skip
def test_cached_tokens_of_envoy_lie_inside_unless_the_total_says_beside(
    tmp_path: Path, members: Record, expected: tuple[int, int]
) -> None:
    _, (found,) = read(tmp_path, "envoy_ai_gateway", envoy(**members))
    assert (found["input_tokens"], found["cache_read_tokens"]) == expected
    assert (found["latency_ms"], found["provider"] != "default/x/route") == (750, True)


@pytest.mark.parametrize(
    ("members", "expected"),
    [({"response_code": 0, "response_flags": "DC"}, ("cancelled", "DC", 1000)),
     ({"response_code": 503, "response_flags": "UH", "gen_ai.usage.input_tokens": None,
       "gen_ai.usage.output_tokens": None}, ("error", "UH", None)),
     ({"response_code": 400, "gen_ai.request.model": None, "gen_ai.usage.input_tokens": None,
       "gen_ai.usage.output_tokens": None}, ("error", "http_400", None))],
)  # fmt: skip
def test_how_a_request_of_envoy_ended(tmp_path: Path, members: Record, expected: tuple[Any, ...]) -> None:
    _, found = read(tmp_path, "envoy_ai_gateway", envoy(**{"x-request-id": "e0"}), envoy(**members))
    assert (found[1]["status"], found[1]["error_type"], found[1]["input_tokens"]) == expected


def test_other_traffic_of_envoy_is_ignored_by_kind(tmp_path: Path) -> None:
    none = {"gen_ai.request.model": None, "x-envoy-origin-path": "/healthz"}
    report, found = read(tmp_path, "envoy_ai_gateway", envoy(), envoy(**none), envoy(**{"mcp.method.name": "ping"}))
    assert (len(found), report.totals["ignored_count"]) == (1, 2)


LLM_ROW = {"CorrelationId": "c1", "TimeGenerated [UTC]": "3/2/2026", "DeploymentName": "quick", "ModelName": "gpt-4o",
           "PromptTokens": 1000, "CompletionTokens": 100, "TotalTokens": 1100, "SequenceNumber": 0}  # fmt: skip


def gateway_row(**said: Any) -> Record:
    return {"category": "GatewayLogs", "resourceId": "/X", "correlationId": "c1", "time": "2026-03-02T10:00:00Z",
            "properties": {"url": "https://x.azure-api.net/openai/deployments/quick/chat/completions",
                           "apimSubscriptionId": "team-a", "responseCode": 200, **said}}  # fmt: skip


def test_the_two_logs_of_api_management_tell_of_one_call(tmp_path: Path) -> None:
    row = LLM_ROW | {"TimeGenerated [UTC]": "2026-03-02T10:00:00Z"}
    more = row | {"DeploymentName": "", "SequenceNumber": 1}
    report, (found,) = read(tmp_path, "azure_apim", row, more, gateway_row())
    assert (found["input_tokens"], found["output_tokens"], found["request_model"]) == (1000, 100, "quick")
    total = report.totals
    assert (total["merged_count"], total["ignored_count"], total["records_read_count"]) == (1, 1, 3)


def test_a_gateway_row_without_bodies_is_a_call_of_unknown_usage(tmp_path: Path) -> None:
    other = gateway_row(url="https://x.azure-api.net/orders/7") | {"correlationId": "c2"}
    report, (found,) = read(tmp_path, "azure_apim", gateway_row(), other)
    assert (found["request_model"], found["usage_source"], found["team"]) == ("quick", "missing", "team-a")
    assert report.totals["ignored_count"] == 1


def test_a_diagnostic_row_takes_its_time_from_its_ticks_and_the_audit_says_that_it_has_no_counts(
    tmp_path: Path,
) -> None:
    said = {"requestTime": 638_554_975_000_002_500, "modelDeploymentName": "quick", "modelName": "gpt-4o"}
    row = {
        "category": "RequestResponse", "resourceId": "/X/COGNITIVESERVICES/Y", "correlationId": "c",
        "operationName": "ChatCompletions_Create", "time": "2026-03-02T10:00:00Z", "durationMs": -4,
        "properties": json.dumps(said),
    }  # fmt: skip
    report, (found,) = read(tmp_path, "azure_diagnostics", row)
    assert (str(found["started_at"]), found["latency_ms"]) == ("2024-07-02 06:11:40.000250", None)
    assert (found["usage_source"], found["input_tokens"]) == ("missing", None)
    (warning,) = [one for one in report.warnings if one.code == "W121"]
    assert "no counts" in warning.hint


def test_an_answer_that_kong_logged_knows_what_was_cached(tmp_path: Path) -> None:
    answer = {"id": "m", "type": "message", "model": "claude-sonnet-4-5", "content": [],
              "usage": {"input_tokens": 1, "cache_read_input_tokens": 400, "output_tokens": 100}}  # fmt: skip
    logged = kong({"prompt_tokens": 1, "completion_tokens": 100, "total_tokens": 101, "cost": 0.5},
                  payload={"request": "{}", "response": json.dumps(answer)})  # fmt: skip
    _, (found,) = read(tmp_path, "kong", logged)
    assert (found["input_tokens"], found["cache_read_tokens"], str(found["logged_cost"])) == (
        401,
        400,
        "0.500000000000",
    )


def test_an_access_log_of_envoy_whose_time_has_another_name(tmp_path: Path) -> None:
    record = envoy()
    record["time"] = record.pop("start_time")
    _, (found,) = read(tmp_path, "envoy_ai_gateway", record)
    assert str(found["started_at"]) == "2026-03-02 10:00:00.250000"


def test_times_as_the_portal_of_azure_writes_them(tmp_path: Path) -> None:
    rows = [LLM_ROW | {"CorrelationId": f"c{n}", "TimeGenerated [UTC]": said}
            for n, said in enumerate(("3/2/2026, 9:05:06.250 AM", "3/2/2026, 9:05:06 PM"))]  # fmt: skip
    _, found = read(tmp_path, "azure_apim", *rows)
    assert [str(one["started_at"]) for one in found] == ["2026-03-02 09:05:06.250000", "2026-03-02 21:05:06"]
