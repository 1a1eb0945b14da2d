"""What the user may say about an audit; the defaults need nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from costctl.errors import CostctlError

WORKSPACE = Path(".costctl")
Progress = Callable[[str, int, int], None]


def _silent(_label: str, _done: int, _size: int) -> None:
    """No progress where nobody watches."""


@dataclass(frozen=True)
class AuditOptions:
    """Options of `costctl audit`; texts are parsed and refused where they are used."""

    log_format: str | None = None
    mapping: tuple[str, ...] = ()
    cached_in_input: bool | None = None
    is_day_first: bool | None = field(default=None, kw_only=True)  # of dates such as 3/6/2026
    tier_rules: Path | None = None
    prices: Path | None = None
    priced_at: datetime | None = None
    as_of: datetime | None = None
    by: tuple[str, ...] = ()
    token_budgets: tuple[str, ...] = ()
    latency_budgets: tuple[str, ...] = ()
    has_near_repeats: bool = False
    has_charges: bool = False
    embedding: str | None = None
    db: Path | None = None
    threads: int | None = None
    progress: Progress = field(default=_silent)

    @property
    def processes(self) -> int:
        """How many processes may read at once."""
        return self.threads or os.cpu_count() or 1

    @property
    def database(self) -> Path:
        """The workspace database."""
        return self.db or WORKSPACE / "costctl.duckdb"


def midnight(text: str | None) -> datetime | None:
    """A day given as an option, as UTC midnight without zone.

    Raises:
        CostctlError: E141 when it is no ISO date.
    """
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise CostctlError("E141", f"not a date: {text}", "write 2026-03-31") from error
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001  (store times carry no zone)
