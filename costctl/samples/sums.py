"""Sums over requests, as providers' consoles and usage APIs export them."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import START_AT, Record, write_lines

_DAY_S = 86_400
_MODELS = ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")
_CLAUDE = "claude-sonnet-4-5-20250929"


def write_openai(path: Path, rng: Random) -> Counts:
    """Pages of the usage API: two models a day, one of them in batches on some days, a day without requests."""
    counts = Counts()
    lines: list[Record] = []
    midnight = int(START_AT.timestamp()) // _DAY_S * _DAY_S
    for day in range(6):
        results = []
        for model in _MODELS if day != 4 else ():
            cached, fresh, output = rng.randrange(5_000), rng.randrange(9_000, 90_000), rng.randrange(900, 9_000)
            results.append({
                "object": "organization.usage.completions.result", "model": model, "batch": day % 3 == 0,
                "input_tokens": fresh + cached, "input_cached_tokens": cached, "output_tokens": output,
                "num_model_requests": rng.randrange(20, 90), "project_id": "proj_shop",
            })  # fmt: skip
            counts.sum_row(fresh + cached, output, cache_read=cached)
        if not results:
            counts.other(ignored=1)
        start = midnight + day * _DAY_S
        bucket = {"object": "bucket", "start_time": start, "end_time": start + _DAY_S, "results": results}
        lines.append({"object": "page", "data": [bucket], "has_more": day < 5})
    write_lines(path, lines)
    return counts


def write_anthropic(path: Path, rng: Random) -> Counts:
    """The console's CSV: cached tokens beside the input, a day with long prompts, one in batches."""
    counts = Counts()
    rows: list[Record] = []
    for day in range(8):
        fresh, output = rng.randrange(9_000, 90_000), rng.randrange(900, 9_000)
        five, hour, read = (rng.randrange(4_000) for _ in range(3))
        rows.append({
            "usage_date_utc": f"2026-06-{11 + day}", "model_version": _CLAUDE, "api_key": "shop",
            "workspace": "Default", "usage_type": "batch" if day == 3 else "standard",
            "context_window": "> 200k" if day == 5 else "≤ 200k",
            "usage_input_tokens_no_cache": fresh, "usage_input_tokens_cache_write_5m": five,
            "usage_input_tokens_cache_write_1h": hour, "usage_input_tokens_cache_read": read,
            "usage_output_tokens": output, "web_search_count": 0, "inference_geo": "not_available", "speed": "",
        })  # fmt: skip
        counts.sum_row(fresh + five + hour + read, output, cache_read=read, cache_write=five + hour)
    _write_table(path, rows)
    return counts


def write_openrouter(path: Path, rng: Random) -> Counts:
    """Activity by day as rows of the API; reasoning is a part of the completion."""
    counts = Counts()
    lines: list[Record] = []
    for day in range(8):
        given, reasoning, output = rng.randrange(9_000, 90_000), rng.randrange(900), rng.randrange(900, 9_000)
        lines.append({
            "date": f"2026-06-{11 + day}", "model": "openai/gpt-4.1", "model_permaslug": "openai/gpt-4.1-2025-04-14",
            "endpoint_id": "e-1", "provider_name": "OpenAI", "usage": 0.25, "byok_usage_inference": 0,
            "requests": rng.randrange(20, 90), "prompt_tokens": given, "completion_tokens": output,
            "reasoning_tokens": reasoning,
        })  # fmt: skip
        counts.sum_row(given, output, reasoning=reasoning)
    write_lines(path, lines)
    return counts


def _write_table(path: Path, rows: list[Record]) -> None:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), "utf-8")
