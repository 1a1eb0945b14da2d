"""Public traces of inference services as CSV: when, how much in, how much out; no text and hardly a model.

Whatever a trace was enriched with, such as a model, is read under its usual names (log-formats, 7.14).
"""

from __future__ import annotations

import math
from typing import Any

from costctl.formats.base import LogFormat, Path, Record, Rejected, paths
from costctl.formats.usual import COLUMNS

_AZURE = frozenset({"TIMESTAMP", "ContextTokens", "GeneratedTokens"})
_BURST = frozenset({"Timestamp", "Model", "Request tokens", "Response tokens"})


def is_azure(record: Record) -> bool:
    """A row of the traces of Azure's services, of 2023 or 2024."""
    return record.keys() >= _AZURE


def is_burst(record: Record) -> bool:
    """A row of BurstGPT."""
    return record.keys() >= _BURST


def unwrap_burst(record: Record) -> Record | Rejected:
    """Seconds since the trace began as milliseconds; an answer of no tokens is a failure."""
    found = dict(record)
    offset = _number(record["Timestamp"])
    if offset is None:
        return Rejected("Timestamp is not a number of seconds")
    found["Timestamp"] = round(offset * 1000)
    if _number(record["Response tokens"]) == 0:
        found["status"] = "error"
    return found


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _columns(**own: str) -> dict[str, tuple[Path, ...]]:
    usual = {name: where for name, where in COLUMNS.items() if name != "started_at"}
    return {**usual, **{name: paths(place) for name, place in own.items()}}


FORMATS = (
    LogFormat(
        name="azure_trace",
        title="Azure's LLM inference traces (CSV)",
        signature=is_azure,
        columns=_columns(started_at="TIMESTAMP", input_tokens="ContextTokens", output_tokens="GeneratedTokens"),
        carries=("time",),
        lacks=("model",),
    ),
    LogFormat(
        name="burstgpt",
        title="BurstGPT traces (CSV)",
        signature=is_burst,
        unwrap=unwrap_burst,
        columns=_columns(
            replay_offset_ms="Timestamp", request_model="Model", input_tokens="Request tokens",
            output_tokens="Response tokens", total_tokens="Total tokens", session_id="Session ID",
            latency_s="Elapsed time", endpoint="Log Type",
        ),
        carries=("order", "latency", "session"),
    ),
)  # fmt: skip
