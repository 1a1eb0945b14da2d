"""A log and the invoices that a provider would write for it, with planted differences; prices are those of the list."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

LARGE, SMALL = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
# USD per million tokens: input, cached input, output.
PRICES = {
    LARGE: (Decimal("2.5"), Decimal("1.25"), Decimal(10)),
    SMALL: (Decimal("0.15"), Decimal("0.075"), Decimal("0.6")),
}
START = datetime(2026, 6, 8)
DAYS = 6


@dataclass(frozen=True)
class Call:
    """One call of the log."""

    at: datetime
    model: str
    input: int
    cached: int
    output: int
    failed: bool = False
    tier: str = "standard"

    def usd(self, *, full: bool = False) -> Decimal:
        """What it costs at list; `full`: with cached tokens at the price of input."""
        fresh, read, out = PRICES[self.model]
        cached = self.cached * (fresh if full else read)
        half = 2 if self.tier == "batch" else 1
        return ((self.input - self.cached) * fresh + cached + self.output * out) / 1_000_000 / half


def calls(*, cached: bool = True, failed: bool = False) -> list[Call]:
    """Eight calls a day and model through the hours of day and night, all of different sizes."""
    found = []
    for day in range(DAYS):
        for n in range(16):
            model = (LARGE, SMALL)[n % 2]
            size = 10_000 + 137 * (day * 16 + n) ** 2
            read = size // 3 if cached and n % 3 == 0 else 0
            is_failed = failed and n in {4, 5}
            found.append(Call(START + timedelta(days=day, hours=(n * 7) % 24, minutes=n), model, size, read,
                              0 if is_failed else 100 + 11 * n, is_failed))  # fmt: skip
    return found


def write_log(path: Path, log: Sequence[Call]) -> Path:
    """The calls as lines with usual names."""
    lines = [
        {"request_id": f"r{n}", "ts": call.at.isoformat() + "Z", "provider": "openai", "model": call.model,
         "input_tokens": call.input, "cached_tokens": call.cached, "output_tokens": call.output,
         "status": "error" if call.failed else "ok", "service_tier": call.tier}
        for n, call in enumerate(log)
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def days(log: Sequence[Call], offset: float = 0) -> dict[tuple[date, str], list[Call]]:
    """The calls by day of a zone and model."""
    found: dict[tuple[date, str], list[Call]] = defaultdict(list)
    for call in log:
        found[(call.at + timedelta(hours=offset)).date(), call.model].append(call)
    return dict(sorted(found.items()))


def write_usage(path: Path, log: Sequence[Call], offset: float = 0, *, without_cache: bool = False) -> Path:
    """Pages of the usage endpoint, buckets of UTC's or another zone's days told as if of UTC."""
    lines = []
    apart = [[call for call in log if (call.tier == "batch") is is_batch] for is_batch in (False, True)]
    for (day, model), found in (item for part in apart for item in days(part, offset).items()):
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        result = {
            "object": "organization.usage.completions.result", "model": model, "num_model_requests": len(found),
            "input_tokens": sum(call.input for call in found), "output_tokens": sum(call.output for call in found),
            "batch": found[0].tier == "batch",
            "input_cached_tokens": 0 if without_cache else sum(call.cached for call in found),
        }  # fmt: skip
        lines.append({"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [result]})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def write_costs(
    path: Path, log: Sequence[Call], offset: float = 0, *, share: Decimal = Decimal(1), full: bool = False,
    digits: int | None = None,
) -> Path:  # fmt: skip
    """A table of day, model and dollars."""
    lines = ["day,model,usd"]
    for (day, model), found in days(log, offset).items():
        amount = sum((call.usd(full=full) for call in found), Decimal(0)) * share
        lines.append(f"{day},{model},{amount if digits is None else round(amount, digits):f}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
