"""What hosted gateways export of the same service: Helicone, Portkey, Cloudflare, OpenRouter; and a Dynamo trace."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, iso, new_id, write_lines
from costctl.samples.traced import Call, calls, count_call, hexes, uuid

_BLOCK_TOKENS = 64
_SPACES = "%Y-%m-%d %H:%M:%S.%f"


def _milliseconds(call: Call) -> int:
    return round((call.ended_at - call.started_at).total_seconds() * 1000)


def _usage(call: Call) -> Record:
    """The counts of an answer in OpenAI's shape."""
    return {
        "prompt_tokens": call.input_tokens, "completion_tokens": call.output_tokens,
        "total_tokens": call.known_input + call.known_output,
        "prompt_tokens_details": {"cached_tokens": call.cache_read, "cache_write_tokens": call.cache_write},
        "completion_tokens_details": {"reasoning_tokens": call.reasoning},
    }  # fmt: skip


def _asked(call: Call) -> Record:
    return {"model": call.asked_model, "messages": [{"role": "user", "content": call.question}], "temperature": 0.3}


def _answer(call: Call) -> Record:
    if call.has_failed:
        return {"error": {"type": "rate_limit_error", "message": "Slow down"}}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": call.answer}}
    return {
        "id": call.answer_id, "object": "chat.completion", "created": int(call.started_at.timestamp()),
        "model": call.model, "choices": [choice], "usage": _usage(call),
    }  # fmt: skip


def _dollars(call: Call) -> Decimal:
    """What a gateway may think that a call cost."""
    return Decimal(0) if call.has_failed else Decimal(call.known_input + 4 * call.known_output) / 1_000_000


def write_helicone(path: Path, rng: Random) -> Counts:
    """Rows with bodies and rows without, whose prompt leaves out cached tokens; a hit of its cache, a row twice."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        row: Record = {
            "request_id": uuid(rng), "request_created_at": iso(call.started_at), "request_path": "/v1/chat/completions",
            "request_model": call.asked_model, "response_model": call.model, "response_created_at": iso(call.ended_at),
            "response_status": 429 if call.has_failed else 200, "delay_ms": _milliseconds(call),
            "provider": call.provider.upper(), "request_user_id": call.user, "cost": float(_dollars(call)),
            "properties": {"Helicone-Session-Id": call.session, "feature": "web"},
            "cache_reference_id": uuid(rng) if call.number == 6 else "00000000-0000-0000-0000-000000000000",
        }  # fmt: skip
        if call.number % 2:
            row |= {"request_body": _asked(call), "response_body": _answer(call)}
        if not call.has_failed:
            row |= {
                "prompt_tokens": call.known_input - call.cache_read - call.cache_write,
                "completion_tokens": call.output_tokens, "prompt_cache_read_tokens": call.cache_read,
                "prompt_cache_write_tokens": call.cache_write, "reasoning_tokens": call.reasoning,
                "total_tokens": call.known_input + call.known_output,
            }  # fmt: skip
        lines.append(row)
        count_call(counts, call)
    lines.append(lines[3])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def write_portkey(path: Path, rng: Random) -> Counts:
    """Units as floats and costs in cents; every second row has its bodies, which alone tell of the cache."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        has_bodies = call.number % 2 == 1
        row: Record = {
            "id": uuid(rng), "trace_id": call.trace_id, "created_at": iso(call.ended_at), "ai_org": call.provider,
            "ai_model": call.model, "is_success": float(not call.has_failed),
            "req_units": float(call.input_tokens or 0), "res_units": float(call.output_tokens or 0),
            "total_units": float((call.input_tokens or 0) + (call.output_tokens or 0)),
            "request_url": "https://api.example/v1/chat/completions", "cost": float(_dollars(call) * 100),
            "cost_currency": "USD", "response_time": _milliseconds(call),
            "response_status_code": 429 if call.has_failed else 200,
            "cache_status": "HIT" if call.number == 6 else "MISS",
            "metadata": {"_user": call.user, "session_id": call.session, "feature": "web"},
        }  # fmt: skip
        if has_bodies:
            row |= {"request": _asked(call), "response": _answer(call)}
        lines.append(row)
        count_call(counts, call if has_bodies else call._replace(cache_read=0, cache_write=0, reasoning=0))
    lines.append(lines[3])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def write_cloudflare(path: Path, rng: Random) -> Counts:
    """Rows without a split of the input; a second step after a failure, a hit of the cache, a line of Logpush."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        lines.append({
            "id": new_id(rng, "01J", 20), "created_at": iso(call.started_at), "provider": call.provider,
            "model": call.model, "path": "chat/completions", "request_type": "", "duration": _milliseconds(call),
            "tokens_in": call.input_tokens or 0, "tokens_out": call.output_tokens or 0,
            "cost": float(_dollars(call)), "custom_cost": False, "cached": call.number == 6,
            "status_code": 429 if call.has_failed else 200, "success": not call.has_failed,
            "step": 1 if call.number == 11 else 0, "metadata": dumps({"user": call.user, "session": call.session}),
        })  # fmt: skip
        count_call(counts, call._replace(cache_read=0, cache_write=0, reasoning=0))
    sealed = {"type": "encrypted", "key": "a2V5", "iv": "aXY=", "data": "ZGF0YQ=="}
    lines.append({
        "Endpoint": "chat/completions", "Datetime": lines[0]["created_at"], "Provider": "openai",
        "Model": "gpt-4o-mini", "Cached": False, "StatusCode": 200, "RequestID": new_id(rng, "01J", 20),
        "Metadata": sealed, "RequestBody": sealed, "ResponseBody": sealed,
    })  # fmt: skip
    counts.request(None, None)
    lines.append(lines[3])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def write_generations(path: Path, rng: Random) -> Counts:
    """Records of generations: a fallback after a failed provider, a key of one's own, a cancelled stream."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        tried: list[Record] = [{"provider_name": "A", "status": 429 if call.has_failed else 200}]
        if call.number == 3:
            tried.insert(0, {"provider_name": "B", "status": 503})
        lines.append({"data": {
            "id": new_id(rng, "gen-"), "request_id": uuid(rng), "session_id": call.session,
            "created_at": iso(call.started_at), "model": f"{call.provider}/{call.asked_model}", "provider_name": "A",
            "api_type": "completions", "streamed": call.number % 2 == 1, "cancelled": call.number == 5,
            "latency": 300, "generation_time": _milliseconds(call), "tokens_prompt": 1, "tokens_completion": 1,
            "native_tokens_prompt": call.input_tokens, "native_tokens_completion": call.output_tokens,
            "native_tokens_cached": call.cache_read, "native_tokens_reasoning": call.reasoning,
            "total_cost": 0 if call.number == 7 else float(_dollars(call)), "is_byok": call.number == 7,
            "upstream_inference_cost": float(_dollars(call)) if call.number == 7 else None,
            "finish_reason": "error" if call.has_failed else "stop", "external_user": call.user,
            "provider_responses": tried,
        }})  # fmt: skip
        count_call(counts, call._replace(cache_write=0))
    lines.append(lines[3])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def write_activity(path: Path, rng: Random) -> Counts:
    """Rows of generations as CSV, times without a zone."""
    counts = Counts()
    rows: list[Record] = []
    for call in calls(rng):
        rows.append({
            "generation_id": new_id(rng, "gen-"), "created_at": f"{call.started_at:{_SPACES}}"[:-3],
            "cost_total": format(_dollars(call), "f"), "cost_cache": "0", "byok_usage_inference": "0",
            "tokens_prompt": call.input_tokens, "tokens_completion": call.output_tokens,
            "tokens_reasoning": call.reasoning, "tokens_cached": call.cache_read,
            "model_permaslug": f"{call.provider}/{call.asked_model}", "provider_name": "A", "cancelled": "false",
            "streamed": "true" if call.number % 2 else "false", "user": call.user,
            "finish_reason_normalized": "error" if call.has_failed else "stop",
            "generation_time_ms": _milliseconds(call), "time_to_first_token_ms": 300, "api_key_name": "shop",
        })  # fmt: skip
        count_call(counts, call._replace(cache_write=0))
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), "utf-8")
    return counts


def write_dynamo(path: Path, rng: Random) -> Counts:
    """Ends of requests with the hashes of their blocks, above 63 bits as well; the end of a tool, a record twice."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        if call.has_failed:
            continue  # a trace has only what was answered
        ended = round(call.ended_at.timestamp() * 1000)
        blocks = [int(hexes(rng, 16), 16) for _ in range(-(-call.known_input // _BLOCK_TOKENS))]
        request = {
            "request_id": uuid(rng), "model": "llama-3.1-70b", "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens, "cached_tokens": call.cache_read, "ttft_ms": 81.5,
            "request_received_ms": ended - _milliseconds(call), "total_time_ms": _milliseconds(call),
            "replay": {"trace_block_size": _BLOCK_TOKENS, "input_length": call.input_tokens,
                       "input_sequence_hashes": blocks},
        }  # fmt: skip
        lines.append(_event("request_end", ended, call) | {"request": request})
        count_call(counts, call._replace(cache_write=0, reasoning=0))
        if call.number == 2:
            lines.append(_event("tool_end", ended, call) | {"tool": {"tool_class": "search", "status": "succeeded"}})
            counts.other(ignored=1)
    lines.append(lines[0])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _event(kind: str, at_ms: int, call: Call) -> Record:
    return {
        "schema": "dynamo.request.trace.v1", "event_type": kind, "event_time_unix_ms": at_ms,
        "agent_context": {"session_id": call.session},
    }  # fmt: skip
