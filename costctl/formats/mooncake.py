"""Mooncake's request traces: lengths, a time from the start, and the prompt as blocks of 512 tokens."""

from __future__ import annotations

from costctl.formats.base import LogFormat, Record, paths
from costctl.formats.usual import COLUMNS

BLOCK_TOKENS = 512


def _is_mooncake(record: Record) -> bool:
    """Its own names, and a time that is a number: a dated log with blocks is a generic one."""
    return {"input_length", "output_length", "hash_ids"} <= record.keys() and (
        str(record.get("timestamp", "0")).isdecimal()
    )


FORMATS = (
    LogFormat(
        name="mooncake",
        title="Mooncake traces (hash_ids: prompts as blocks of 512 tokens)",
        signature=_is_mooncake,
        # Whatever a trace was enriched with, such as a model, is read under its usual names.
        columns={
            **{name: where for name, where in COLUMNS.items() if name != "started_at"},
            "replay_offset_ms": paths("timestamp"),  # milliseconds since the trace began, no date
            "input_tokens": paths("input_length"),
            "output_tokens": paths("output_length"),
            "prefix_blocks": paths("hash_ids"),
        },
        constants={"block_tokens": BLOCK_TOKENS},
        carries=("order", "prefix"),
        lacks=("model",),
    ),
)
