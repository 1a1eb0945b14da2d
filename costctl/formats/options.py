"""How records become rows, beyond what their format says; light, so that a parent of workers imports little."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import polars as pl


class Rules(Protocol):
    """What the ingest needs of the tier rules; costctl.tiers provides it."""

    digest: str

    def features(self, texts: pl.Series) -> pl.DataFrame:
        """One row of features per text."""

    def classify(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Tier, intent and tier_reason per row."""


class Options(NamedTuple):
    """How to read, beyond the format itself."""

    rules: Rules
    hash_key: bytes
    cached_in_input: bool | None = None
    is_day_first: bool | None = None  # of dates such as 3/6/2026
