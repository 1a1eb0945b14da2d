"""Gateways' logs of the same service: Kong, Envoy, and Azure's API Management with the diagnostics of its account."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, iso, write_lines
from costctl.samples.traced import Call, calls, count_call, uuid

_TICKS_BEFORE_1970 = 621_355_968_000_000_000
_ACCOUNT = "/SUBSCRIPTIONS/0/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.{}"


def _milliseconds(call: Call) -> int:
    return round((call.ended_at - call.started_at).total_seconds() * 1000)


def write_kong(path: Path, rng: Random) -> Counts:
    """Proxied calls; one tried on two targets, one judged by another model, an answer from the cache, a plain route."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        proxy = _kong_part(call, call.model, call.input_tokens, call.output_tokens)
        if call.number % 3 == 2:
            proxy["usage"]["completion_tokens_details"] = {"reasoning_tokens": call.reasoning}
        if call.provider == "openai" and not call.has_failed:
            proxy["usage"]["prompt_tokens_details"] = {"cached_tokens": call.cache_read}
        count = _without_cache(call) if call.provider == "anthropic" else call
        count_call(counts, count)
        line = _kong(call, uuid(rng)) | {"ai": {"proxy": proxy}}
        if call.number == 4:
            proxy["tried_targets"].insert(0, {"provider": "openai", "model": "gpt-4o", "port": 443})
        if call.number == 5:
            line["ai"]["ai-llm-as-judge"] = _kong_part(call, "gpt-4o-mini-2024-07-18", 49, 114)
            counts.request(49, 114)
        if call.number == 6:
            proxy["cache"] = {"cache_status": "Hit", "fetch_latency": 4}
        lines.append(line)
    lines.append(_kong(next(calls(rng)), uuid(rng)))
    counts.other(ignored=1)
    lines.append(lines[3])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _without_cache(call: Call) -> Call:
    """Kong logs neither reads from nor writes to the cache of a Claude model."""
    return call._replace(cache_read=0, cache_write=0)


def _kong_part(call: Call, model: str, given: int | None, output: int | None) -> Record:
    total = None if given is None or output is None else given + output
    usage = {
        "prompt_tokens": given or 0, "completion_tokens": output or 0, "total_tokens": total or 0, "cost": 0,
        "time_per_token": 21.5, "time_to_first_token": 210,
    }  # fmt: skip
    meta = {
        "request_mode": "stream" if call.number % 2 else "oneshot", "provider_name": call.provider,
        "request_model": model, "response_model": model, "llm_latency": _milliseconds(call) - 5, "plugin_id": "p-1",
    }  # fmt: skip
    target = {"provider": call.provider, "model": model, "port": 443, "route_type": "llm/v1/chat"}
    payload = {"request": dumps({"messages": [{"role": "user", "content": call.question}], "temperature": 0.3})}
    return {"meta": meta, "usage": usage, "payload": payload, "tried_targets": [target]}


def _kong(call: Call, request_id: str) -> Record:
    status = 429 if call.has_failed else 200
    return {
        "workspace_name": "default", "started_at": round(call.started_at.timestamp() * 1000),
        "latencies": {"request": _milliseconds(call), "kong": 5, "proxy": _milliseconds(call) - 5},
        "request": {"id": request_id, "method": "POST", "uri": "/chat"}, "response": {"status": status, "size": 900},
        "consumer": {"username": call.user}, "route": {"name": "chat"}, "service": {"name": "ai"},
    }  # fmt: skip


def write_envoy(path: Path, rng: Random) -> Counts:
    """Calls with all counts, a refused one, a client that went away, a call of a tool, a record twice."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        line = _envoy(call, uuid(rng), "/v1/chat/completions")
        if not call.has_failed:
            total = call.known_input + call.known_output
            counted = {
                "input_tokens": call.input_tokens, "output_tokens": call.output_tokens, "total_tokens": total,
                "cached_input_tokens": call.cache_read, "cache_creation_input_tokens": call.cache_write,
            }  # fmt: skip
            line |= {f"gen_ai.usage.{name}": value for name, value in counted.items()}
        if call.number == 9:
            line |= {"response_flags": "DC"}
        count_call(counts, call._replace(reasoning=0))
        lines.append(line)
    tool = _envoy(next(calls(rng)), uuid(rng), "/mcp")
    lines.append(tool | {"gen_ai.request.model": None, "mcp.method.name": "tools/call", "mcp.provider.name": "docs"})
    counts.other(ignored=1)
    lines.append(lines[2])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _envoy(call: Call, request_id: str, path: str) -> Record:
    return {
        ":authority": "gateway.example", "bytes_received": 900, "bytes_sent": 400, "duration": _milliseconds(call),
        "gen_ai.provider.name": f"default/{call.provider}/route/shop/rule/0/ref/0",
        "gen_ai.request.model": call.model, "gen_ai.request.model_override": None,
        "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None, "method": "POST",
        "response_code": 429 if call.has_failed else 200, "response_flags": "-", "start_time": iso(call.started_at),
        "x-envoy-origin-path": path, "x-request-id": request_id,
    }  # fmt: skip


def write_apim(path: Path, rng: Random) -> Counts:
    """Rows of the log of language models, two of them with the gateway's row of the same call, one in two pieces."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        key, model = uuid(rng), "gpt-4o-mini"
        if call.has_failed or call.number == 1:  # only the gateway's row
            lines.append(_gateway_row(call, key, model))
        else:
            lines.append(_llm_row(call, key, model))
            if call.number == 2:
                lines.append(_llm_row(call, key, "") | {"SequenceNumber": 1, "PromptTokens": 0})
                counts.other(ignored=1)
            if call.number == 3:
                lines.append(_gateway_row(call, key, model))
                counts.other(merged=1)
        is_read = call.number in {1, 3} and not call.has_failed  # only bodies tell of the cache
        count_call(counts, call._replace(reasoning=0, cache_write=0, cache_read=call.cache_read if is_read else 0))
    write_lines(path, lines)
    return counts


def _llm_row(call: Call, key: str, deployment: str) -> Record:
    messages = [{"role": "user", "content": call.question}]
    return {
        "TimeGenerated": iso(call.started_at), "CorrelationId": key, "OperationName": "ChatCompletions_Create",
        "DeploymentName": deployment, "ModelName": deployment, "PromptTokens": call.input_tokens,
        "CompletionTokens": call.output_tokens, "TotalTokens": call.known_input + call.known_output,
        "IsStreamCompletion": False, "RequestMessages": dumps(messages), "ResponseMessages": "", "SequenceNumber": 0,
        "Region": "East US",
    }  # fmt: skip


def _gateway_row(call: Call, key: str, deployment: str) -> Record:
    asked = dumps({"model": deployment, "messages": [{"role": "user", "content": call.question}]})
    if call.has_failed:
        answer = dumps({"error": {"code": "429", "type": "rate_limited", "message": "Slow down"}})
    else:
        answer = dumps({
            "id": call.answer_id, "object": "chat.completion", "created": int(call.started_at.timestamp()),
            "model": "gpt-4o-mini-2024-07-18", "choices": [],
            "usage": {"prompt_tokens": call.input_tokens, "completion_tokens": call.output_tokens,
                      "total_tokens": call.known_input + call.known_output,
                      "prompt_tokens_details": {"cached_tokens": call.cache_read}},
        })  # fmt: skip
    url = f"https://shop.azure-api.net/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21"
    said = {
        "apimSubscriptionId": "team-support", "backendUrl": url, "url": url, "requestBody": asked,
        "responseBody": answer, "backendRequestBody": asked, "backendResponseBody": answer, "cache": "none",
        "responseCode": 429 if call.has_failed else 200, "totalTime": _milliseconds(call),
    }  # fmt: skip
    return {
        "category": "GatewayLogs", "correlationId": key, "time": iso(call.started_at), "location": "East US",
        "resourceId": _ACCOUNT.format("APIMANAGEMENT/SERVICE/SHOP"), "properties": said,
    }  # fmt: skip


def write_diagnostics(path: Path, rng: Random) -> Counts:
    """Calls without counts; properties as an object and as text, another operation, another category."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        said = {
            "requestTime": _ticks(call.started_at), "responseTime": _ticks(call.ended_at),
            "modelDeploymentName": "quick", "modelName": "gpt-4o-mini", "streamType": "Non-Streaming",
        }  # fmt: skip
        lines.append(_diagnostic(call) | {"properties": dumps(said) if call.number % 2 else said})
        counts.request(None, None, is_error=call.has_failed)
    lines.append(_diagnostic(next(calls(rng))) | {"operationName": "ListDeployments", "properties": {}})
    lines.append(_diagnostic(next(calls(rng))) | {"category": "Audit"})
    counts.other(ignored=2)
    lines.append(lines[0])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _diagnostic(call: Call) -> Record:
    return {
        "category": "RequestResponse", "correlationId": f"c-{call.number // 2}", "callerIpAddress": "198.51.100.*",
        "durationMs": _milliseconds(call), "location": "eastus", "operationName": "ChatCompletions_Create",
        "resourceId": _ACCOUNT.format("COGNITIVESERVICES/ACCOUNTS/SHOP"), "time": iso(call.ended_at),
        "resultSignature": "429" if call.has_failed else "200",
    }  # fmt: skip


def _ticks(moment: datetime) -> int:
    return _TICKS_BEFORE_1970 + (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 10
