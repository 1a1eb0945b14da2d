"""Logs of no particular kind: usual column names as JSONL, CSV and Parquet, packed, and own names."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, dumps, gzipped, iso, write_lines
from costctl.samples.texts import fill

ROWS = 30
MODELS = (
    ("openai", "gpt-4o-mini-2024-07-18"), ("anthropic", "claude-sonnet-4-5-20250929"), ("openai", "gpt-4o-2024-08-06"),
    ("mistral", "mistral-medium-latest"), ("acme", "acme-llm-v2"),
)  # fmt: skip
# Canonical names and where this log keeps them.
MAPPING = {
    "started_at": "cuando", "request_model": "motor.nombre", "provider": "motor.marca",
    "input_tokens": "consumo.entrada",
    "cache_read_tokens": "consumo.de_cache", "output_tokens": "consumo.salida", "latency_ms": "demora_ms",
    "user_id": "cliente",
    "status": "resultado", "request_id": "folio",
}  # fmt: skip


def _rows(rng: Random, name: str, counts: Counts) -> list[Record]:
    """Rows of one log; the name keeps ids of different logs apart."""
    rows: list[Record] = []
    for number in range(ROWS):
        provider, model = MODELS[number % len(MODELS)]
        cached = rng.randrange(8, 16) * 128 if number % 4 == 2 else 0
        is_error = number % 13 == 7
        tokens = (None, None, None) if is_error else (cached + rng.randrange(60, 900), cached, rng.randrange(15, 500))
        rows.append({
            "request_id": f"{name}-{number:03d}", "timestamp": iso(at(number * 11 + rng.random())),
            "provider": provider, "model": model,
            "endpoint": ("/chat", "/faq", "/itinerary")[number % 3], "user_id": f"u-{number % 6 + 1:03d}",
            "session_id": f"{name}-s{number // 3:02d}",
            "input_tokens": tokens[0], "cached_input_tokens": tokens[1], "output_tokens": tokens[2],
            "latency_ms": rng.randrange(250, 9000),
            "status": "error" if is_error else "ok", "status_code": 503 if is_error else 200,
        })  # fmt: skip
        counts.request(tokens[0], tokens[2], cache_read=tokens[1], is_error=is_error)
    return rows


def write_jsonl(path: Path, rng: Random) -> Counts:
    """With prompts, a line twice, and lines that are broken each in its own way."""
    counts = Counts()
    lines: list[Record | str] = []
    for number, row in enumerate(_rows(rng, "jsonl", counts)):
        prompt = fill(rng, ("greeting", "faq", "itinerary_short")[number % 3], "es" if number % 2 else "en")
        lines.append(row | {"messages": [{"role": "user", "content": prompt}]})
    lines.insert(6, lines[5])
    counts.other(merged=1)
    lines.insert(12, '{"request_id":"jsonl-x","model":"gpt-4o-20')
    lines.insert(
        20, dumps({"request_id": "jsonl-y", "model": "gpt-4o-2024-08-06", "input_tokens": -3, "output_tokens": 8})
    )
    counts.other(rejected=2)
    write_lines(path, lines)
    return counts


def write_csv(path: Path, rng: Random) -> Counts:
    """An empty field is an unknown value; one row has a field too few."""
    counts = Counts()
    path.write_text(_csv(_rows(rng, "csv", counts)) + "csv-x,2026-06-11T15:00:00.000Z,openai\n", "utf-8")
    counts.other(rejected=1)
    return counts


def write_parquet(path: Path, rng: Random) -> Counts:
    """Typed columns."""
    import polars as pl  # noqa: PLC0415  (only this file needs it)

    counts = Counts()
    frame = pl.DataFrame(_rows(rng, "parquet", counts), infer_schema_length=None)
    frame.with_columns(pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")).write_parquet(
        path, compression="uncompressed", statistics=False
    )
    return counts


def write_gzip(path: Path, rng: Random) -> Counts:
    """The JSONL of a gateway, packed without a date so that it stays the same."""
    counts = Counts()
    text = "".join(dumps(row) + "\n" for row in _rows(rng, "gateway", counts))
    path.write_bytes(gzipped(text.encode()))
    return counts


def write_zstandard(path: Path, rng: Random) -> Counts:
    """A CSV, packed."""
    import zstandard  # noqa: PLC0415  (only this file needs it)

    counts = Counts()
    path.write_bytes(
        zstandard.ZstdCompressor(level=3, write_checksum=True).compress(_csv(_rows(rng, "usage", counts)).encode())
    )
    return counts


def write_own_names(path: Path, rng: Random) -> Counts:
    """A log in the team's own words, which only a mapping can read."""
    counts = Counts()
    lines: list[Record | str] = [
        {
            "folio": row["request_id"], "cuando": row["timestamp"], "cliente": row["user_id"],
            "motor": {"marca": row["provider"], "nombre": row["model"]}, "demora_ms": row["latency_ms"],
            "resultado": row["status"],
            "consumo": {"entrada": row["input_tokens"], "de_cache": row["cached_input_tokens"],
            "salida": row["output_tokens"]},
        }
        for row in _rows(rng, "folio", counts)
    ]  # fmt: skip
    write_lines(path, lines)
    return counts


def mapping_yaml() -> str:
    """The mapping that reads the log above."""
    lines = ["# costctl audit own_names.jsonl --map own_names.mapping.yaml"]
    return "\n".join([*lines, *(f"{field}: {place}" for field, place in MAPPING.items())]) + "\n"


def _csv(rows: list[Record]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
