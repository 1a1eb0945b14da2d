"""The story written down: one JSON object per line, with the dirt that real logs carry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from costctl.samples.expected import Counts
from costctl.samples.jsonl import gzipped
from costctl.samples.prices import DAY_MS, HOUR_MS, MINUTE_MS, PROVIDER_OF, UNKNOWN
from costctl.samples.story import Attempt, Story
from costctl.samples.truth import StoryTruth, day_on, truth_of

REQUESTS_IN_REPO = 6000
# Every so many requests the log repeats a line; every third repeat is preceded by an unfinished one.
DUPLICATE_EVERY = 900
DAMAGE_EVERY = 700


def write_story(path: Path, requests: int = REQUESTS_IN_REPO, seed: int = 7) -> StoryTruth:
    """Write about that many requests, gzipped where the name ends in .gz; answers with the truth.

    The same arguments give the same text, and with the same zlib the same bytes.
    """
    told = Story(requests, seed)
    counts = Counts()
    data = "".join(_lines(told, counts)).encode()
    if path.suffix == ".gz":
        data = gzipped(data)
    path.write_bytes(data)
    return truth_of(told, seed, counts)


def _lines(told: Story, counts: Counts) -> Iterator[str]:
    days = [day_on(day) for day in range(8)]
    damage = _broken_lines()
    for number, row in enumerate(told.attempts, 1):
        line = _line(row, days)
        counts.request(
            row.input_tokens, row.output_tokens, cache_read=row.cached_tokens, is_error=row.status == "error"
        )
        if number % DUPLICATE_EVERY == 0 and row.status == "ok":
            yield (_unfinished(row, days) if number % (3 * DUPLICATE_EVERY) == 0 else line)
            counts.other(merged=1)
        yield line
        if number % DAMAGE_EVERY == 0 and (broken := next(damage, None)):
            yield broken
            counts.other(rejected=1)
    for broken in damage:
        yield broken
        counts.other(rejected=1)


def _line(row: Attempt, days: list[str]) -> str:
    """One record. Texts and dollars are put in as they are: already JSON, already exact."""
    endpoint, user = row.endpoint, row.user
    record = {
        "request_id": row.request_id, "trace_id": f"tr-{row.call:06d}", "attempt": row.attempt,
        "timestamp": _timestamp(row.start_ms, days),
        "provider": PROVIDER_OF[row.model], "model": row.model, "endpoint": endpoint.path, "app": endpoint.app,
        "team": endpoint.team,
        "user_id": user.user_id, "user_profile": user.profile, "session_id": f"s-{row.session:05d}", "turn": row.turn,
        "max_tokens": endpoint.max_tokens, "stream": endpoint.is_streamed, "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens, "cached_input_tokens": row.cached_tokens, "latency_ms": row.latency_ms,
        "ttft_ms": row.first_token_ms,
        "status": row.status, "status_code": row.http_status, "error_type": row.error_type,
        "is_fallback": row.is_fallback,
        "tags": ["web" if user.user_id else "internal", user.language], "tier": row.claimed_tier,
    }  # fmt: skip
    head = json.dumps({key: value for key, value in record.items() if value is not None}, separators=(",", ":"))
    cost = f',"cost_usd":{_plain(row.cost_usd)}' if row.cost_usd is not None and row.endpoint.is_streamed else ""
    return f'{head[:-1]},"temperature":{endpoint.temperature}{cost},"messages":{row.messages}}}\n'


def _unfinished(row: Attempt, days: list[str]) -> str:
    """What a gateway writes before the answer has ended: no output yet, no cost."""
    record = json.loads(_line(row, days))
    record.pop("cost_usd", None)
    del record["output_tokens"]
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _timestamp(at_ms: int, days: list[str]) -> str:
    day, rest = divmod(at_ms, DAY_MS)
    hour, rest = divmod(rest, HOUR_MS)
    minute, rest = divmod(rest, MINUTE_MS)
    return f"{days[day]}T{hour:02d}:{minute:02d}:{rest // 1000:02d}.{rest % 1000:03d}Z"


def _plain(value: Decimal) -> str:
    """All digits and no exponent."""
    return format(value.normalize(), "f")


def _broken_lines() -> Iterator[str]:
    """Lines that no reader may take for requests, each broken in its own way."""
    yield '{"request_id":"bad-1","model":"gpt-4o-2024-08-06","input_to\n'
    yield "upstream connect error or disconnect/reset before headers\n"
    yield '{"request_id":"bad-3","model":"gpt-4o-2024-08-06","input_tokens":-12,"output_tokens":5}\n'
    yield '{"request_id":"bad-4","model":"gpt-4o-2024-08-06","input_tokens":40,"output_tokens":12.5}\n'
    yield '{"request_id":"bad-5","model":"gpt-4o-2024-08-06","input_tokens":9,"cached_tokens":64,"output_tokens":5}\n'
    yield '{"request_id":"bad-6","model":"gpt-4o-2024-08-06","input_tokens":18446744073709551616,"output_tokens":5}\n'
    yield '["gpt-4o-2024-08-06",40,5]\n'
    yield f'{{"request_id":"bad-8","model":"{UNKNOWN}","input_tokens":true,"output_tokens":5}}\n'
