"""How the engine is started: hardened, within its memory, with the file of a workspace attached."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import duckdb

from costctl.errors import CostctlError

# DuckDB spills to disk above this, so it bounds memory and not the size of a log.
DEFAULT_MEMORY_MB = 1024
LEAST_MEMORY_MB = 32
# What one thread takes at a time. The engine's own 122,880 leave a thread idle on a log of less than a million rows.
ROW_GROUP_ROWS = 30_720
# Whole picodollars of dollars with twelve decimals: dollars, millionths and millionths of those, each in 64 bits.
# In one step the engine divides in 128 bits, which takes ten times as long and more than the price join itself.
_MICRO = "CAST(CAST(usd - trunc(usd) AS DECIMAL(12,12)) * CAST(1000000 AS DECIMAL(7,0)) AS DECIMAL(18,12))"
_PICO = f"CAST({_MICRO} - trunc({_MICRO}) AS DECIMAL(12,12)) * CAST(1000000 AS DECIMAL(7,0))"
PUSD_OF = (
    "CREATE OR REPLACE TEMP MACRO pusd_of(usd) AS CAST(trunc(usd) AS BIGINT) * 1000000000000 "
    f"+ CAST(trunc({_MICRO}) AS BIGINT) * 1000000 + CAST(CAST({_PICO} AS DECIMAL(18,12)) AS BIGINT)"
)


def memory_mb() -> int:
    """What the engine may take before it spills to disk, in megabytes.

    Raises:
        CostctlError: E163 where COSTCTL_MEMORY_MB is no such number.
    """
    said = os.environ.get("COSTCTL_MEMORY_MB", str(DEFAULT_MEMORY_MB))
    if not re.fullmatch(r"[0-9]{1,9}", said) or int(said) < LEAST_MEMORY_MB:
        raise CostctlError(
            "E163",
            f"COSTCTL_MEMORY_MB is no whole number of megabytes from {LEAST_MEMORY_MB} on: {said!r}",
            f"unset it for {DEFAULT_MEMORY_MB}, or write for example COSTCTL_MEMORY_MB=4096",
        )
    return int(said)


def connect(path: Path | None, *, threads: int | None, temp: Path | None, read_only: bool) -> duckdb.DuckDBPyConnection:
    """An engine of its own, without extensions to fetch, with the file attached as `workspace`.

    Raises:
        duckdb.Error: where the file is held by another process, or is no database.
        CostctlError: as `memory_mb`.
    """
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": f"{memory_mb()}MB",
    }
    if threads:
        config["threads"] = threads
    if temp is not None:
        temp.mkdir(mode=0o700, parents=True, exist_ok=True)
        config["temp_directory"] = str(temp)
    connection = duckdb.connect(config=config)
    try:
        if path is not None:
            place = str(path).replace("'", "''")
            mode = "READ_ONLY" if read_only else f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
            connection.execute(f"ATTACH '{place}' AS workspace (TYPE duckdb, {mode})")
    except BaseException:
        connection.close()
        raise
    return connection
