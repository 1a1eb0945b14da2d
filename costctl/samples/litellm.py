"""LiteLLM: logging payloads of the proxy, and rows of its spend table as CSV."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, new_id, write_lines
from costctl.samples.texts import SYSTEMS, fill

FULL, MINI, SONNET = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5-20250929"
PROVIDERS = {FULL: "openai", MINI: "openai", SONNET: "anthropic"}
GROUPS = {FULL: "smart", MINI: "quick", SONNET: "planner"}
USD_PER_TOKEN = {
    FULL: (Decimal("0.0000025"), Decimal("0.00001")), MINI: (Decimal("0.00000015"), Decimal("0.0000006")),
    SONNET: (Decimal("0.000003"), Decimal("0.000015")),
}  # fmt: skip
SPEND_COLUMNS = (
    "request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens", "completion_tokens", "startTime",
    "endTime",
    "completionStartTime", "model", "model_id", "model_group", "custom_llm_provider", "api_base", "user", "metadata",
    "cache_hit",
    "cache_key", "request_tags", "team_id", "end_user", "messages", "response", "session_id", "status",
)  # fmt: skip


def write_payloads(path: Path, rng: Random) -> Counts:
    """Ordinary calls, a retried and fallen-back one, a hit of the gateway's cache, a tool's row."""
    counts = Counts()
    lines = [_counted(rng, number, (FULL, MINI, SONNET)[number % 3], counts) for number in range(20)]
    trace = new_id(rng, "trace-", 12)
    for attempt in range(2):
        lines.append(_failed(rng, 20 + attempt, trace))
        counts.request(None, None, is_error=True)
    lines.append(_counted(rng, 22, FULL, counts, trace=trace) | {"model_group": GROUPS[FULL]})
    lines[-1]["metadata"] |= {"attempted_retries": 1, "attempted_fallbacks": 1}
    hit = lines[4] | {
        "id": new_id(rng, "chatcmpl-"),
        "trace_id": new_id(rng, "trace-", 12),
        "cache_hit": True,
        "response_cost": 0,
    }
    hit |= {
        "saved_cache_cost": lines[4]["response_cost"],
        "startTime": at(95).timestamp(),
        "endTime": at(95).timestamp() + 0.02,
    }
    lines.append(hit)
    _count(counts, hit)
    lines.append(
        _payload(rng, 24, MINI, prompt=0, output=0, cached=0)
        | {"call_type": "call_mcp_tool", "response_cost": 0, "model": "", "model_group": ""}
    )
    counts.other(ignored=1)
    write_lines(path, lines)
    return counts


def _counted(rng: Random, number: int, model: str, counts: Counts, trace: str | None = None) -> Record:
    cached = rng.randrange(8, 14) * 128 if number % 4 == 3 else 0
    row = _payload(
        rng,
        number,
        model,
        prompt=cached + rng.randrange(80, 600),
        output=rng.randrange(20, 300),
        cached=cached,
        trace=trace,
    )
    _count(counts, row)
    return row


def _count(counts: Counts, row: Record) -> None:
    usage = row["metadata"]["usage_object"]
    counts.request(
        row["prompt_tokens"], row["completion_tokens"], cache_read=usage["prompt_tokens_details"]["cached_tokens"]
    )  # fmt: skip


def _payload(
    rng: Random, number: int, model: str, *, prompt: int, output: int, cached: int, trace: str | None = None
) -> Record:
    """One StandardLoggingPayload; its times are seconds since 1970 with fractions."""
    start = at(number * 4).timestamp() + rng.randrange(1000) / 1000
    seconds = rng.randrange(400, 9000) / 1000
    usage = {
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }  # fmt: skip
    question = [
        {"role": "system", "content": SYSTEMS["/chat"]},
        {"role": "user", "content": fill(rng, "faq", "es" if number % 2 else "en")},
    ]
    return {
        "id": new_id(rng, "chatcmpl-"), "trace_id": trace or new_id(rng, "trace-", 12), "call_type": "acompletion",
        "stream": False,
        "status": "success", "custom_llm_provider": PROVIDERS[model], "response_cost": _number(_cost(model, prompt,
        cached, output)),
        "total_tokens": prompt + output, "prompt_tokens": prompt, "completion_tokens": output, "startTime": start,
        "endTime": start + seconds,
        "completionStartTime": start + seconds, "response_time": seconds, "model": model, "model_group": GROUPS[model],
        "cache_hit": None,
        "saved_cache_cost": 0, "end_user": f"u-{number % 7 + 1:03d}", "request_tags": ["web"], "messages": question,
        "model_parameters": {"temperature": 0.3, "max_tokens": 400},
        "metadata": {"user_api_key_alias": "assistant-prod", "user_api_key_team_alias": "support",
        "usage_object": usage},
    }  # fmt: skip


def _failed(rng: Random, number: int, trace: str) -> Record:
    """A failed attempt says 0 tokens and means that nobody knows."""
    row = _payload(rng, number, SONNET, prompt=0, output=0, cached=0, trace=trace)
    row["metadata"] |= {"usage_object": None}
    error = {"error_class": "InternalServerError", "error_code": "529", "error_message": "Overloaded"}
    return row | {"status": "failure", "response_cost": 0, "error_information": error}


def _cost(model: str, prompt: int, cached: int, output: int) -> Decimal:
    """What the gateway thinks: cached tokens at half the price of the others, or at a tenth."""
    price_in, price_out = USD_PER_TOKEN[model]
    share = Decimal("0.1") if model == SONNET else Decimal("0.5")
    return (prompt - cached) * price_in + cached * price_in * share + output * price_out


def _number(value: Decimal) -> int | float:
    """The amount as a JSON number, which is how this gateway logs it."""
    found: int | float = json.loads(format(value.normalize(), "f"))
    return found


def write_spend_rows(path: Path, rng: Random) -> Counts:
    """Rows of the table, JSON as text inside columns; one failed, one served by the gateway's cache."""
    counts = Counts()
    rows: list[list[object]] = []
    for number in range(24):
        model = (FULL, MINI, SONNET)[number % 3]
        cached = rng.randrange(8, 14) * 128 if number % 4 == 3 else 0
        is_failed, is_hit = number == 9, number == 14
        prompt, output = (0, 0) if is_failed else (cached + rng.randrange(80, 600), rng.randrange(20, 300))
        spend = Decimal(0) if is_failed or is_hit else _cost(model, prompt, cached, output)
        rows.append(
            _spend_row(
                rng, number, model, prompt, output, cached, spend, "failure" if is_failed else "success", is_hit=is_hit
            )
        )
        if is_failed:
            counts.request(None, None, is_error=True)
        else:
            counts.request(prompt, output, cache_read=cached)
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([SPEND_COLUMNS, *rows])
    path.write_text(text.getvalue(), "utf-8")
    return counts


def _spend_row(
    rng: Random, number: int, model: str, prompt: int, output: int, cached: int, spend: Decimal, status: str, *,
    is_hit: bool
) -> list[object]:  # fmt: skip
    start, end = at(number * 5), at(number * 5 + rng.randrange(10, 90) / 600)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    metadata: Record = {
        "user_api_key_alias": "assistant-prod",
        "user_api_key_team_alias": "support",
        "usage_object": usage,
    }
    if status == "failure":
        metadata |= {"usage_object": None, "error_information": {"error_class": "Timeout", "error_code": "504"}}
    times = [moment.strftime("%Y-%m-%d %H:%M:%S.%f") for moment in (start, end, end)]
    return [
        new_id(rng, "chatcmpl-"), "acompletion", "hash-of-key-1", format(spend.normalize(), "f"), prompt + output,
        prompt, output, *times,
        model, "", GROUPS[model], PROVIDERS[model], "", "", json.dumps(metadata), "True" if is_hit else "None", "",
        '["web"]', "team-support",
        f"u-{number % 7 + 1:03d}", "{}", "{}", f"web-{number // 3:03d}", status,
    ]  # fmt: skip
