"""Reading one task: parse it, bring it to canonical rows, write them as Parquet.

Runs in this process or in a worker process, with the same result. What makes the rows is imported where a
task is read: a parent of workers needs none of it.
"""

from __future__ import annotations

import gc
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from costctl.formats.base import LeftOutUsage, LogFormat
from costctl.formats.gather import Gathered
from costctl.formats.options import Options
from costctl.formats.parse import Parsed, Reject, line_starts, parse_task
from costctl.formats.tasks import Task

if TYPE_CHECKING:
    import polars as pl


class Result(NamedTuple):
    """What one task held. `parquet` is None where no record was accepted.

    `numbers_read` is how far the numbers of its records went: lines, or pieces of formats that unfold.
    """

    records_read: int
    lines_read: int
    accepted: int
    ignored: dict[str, int]
    rejected: list[Reject]
    parquet: str | None
    digest: bytes
    unread: dict[str, int]
    numbers_read: int = 0
    totalled: int = 0  # accepted records whose own total of tokens could be compared
    left_out: Sequence[LeftOutUsage] = ()


class Plan(NamedTuple):
    """Everything that reading a task needs besides the task."""

    log_format: LogFormat
    options: Options


_known: dict[str, Options] = {}  # of this worker process, by the digest of their rules


def read_task_in_worker(task: Task, plan: Plan, number: int, target: str) -> Result:
    """`read_task` with the plan as this worker process first saw it."""
    return read_task(task, plan._replace(options=known_options(plan.options)), number, target)


def known_options(options: Options) -> Options:
    """These options as this worker process first saw them, so that equal rules are prepared once."""
    return _known.setdefault(options.rules.digest, options)


def read_task(task: Task, plan: Plan, number: int, target: str) -> Result:
    """Read the task with that number; its rows go to the Parquet file `target`."""
    was_enabled = gc.isenabled()
    gc.disable()  # a batch of parsed records is millions of objects, none of them a cycle
    try:
        if task.fault is not None:
            line = int(task.fault_is_line)
            return Result(1, line, 0, {}, [Reject(1, 0, task.fault)], None, b"", {})
        parsed = parse_task(task, plan.log_format, Gathered(plan.log_format, plan.options.hash_key))
        return _written(task, parsed, plan, number, target)
    finally:
        if was_enabled:
            gc.enable()


def _written(task: Task, parsed: Parsed, plan: Plan, number: int, target: str) -> Result:
    rejected = parsed.rejected
    accepted, parquet, totalled = 0, None, 0
    unread: dict[str, int] = {}
    if parsed.gathered.height:
        from costctl.formats import normalise  # noqa: PLC0415  (see above)

        batch = normalise.normalise(parsed.gathered, parsed.numbers, plan.log_format, plan.options)
        refused = [(parsed.lines[row], reason) for row, reason in sorted(batch.rejected.items())]
        starts = line_starts(task, {line for line, _ in refused})
        rejected = rejected + [Reject(line, starts.get(line), reason) for line, reason in refused]
        accepted, unread, totalled = batch.rows.height, batch.unread, int(batch.is_totalled.sum())
        if accepted:
            write_rows(batch.rows, number, Path(target))
            parquet = target
    return Result(
        parsed.records_read, parsed.lines_read, accepted, dict(parsed.ignored),
        sorted(rejected), parquet, parsed.digest, unread, parsed.numbers_read, totalled,
        parsed.gathered.left_out,
    )  # fmt: skip


def write_rows(rows: pl.DataFrame, number: int, target: Path) -> None:
    """Write canonical rows as Parquet, with the number of their task."""
    import polars as pl  # noqa: PLC0415  (see above)

    write_frame(rows.with_columns(pl.lit(number).alias("task")), target)


def write_frame(frame: pl.DataFrame, target: Path) -> None:
    """Write Parquet through memory, so that a full disk is an OSError and not an error of the engine."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="uncompressed", statistics=False)
    target.write_bytes(buffer.getbuffer())
