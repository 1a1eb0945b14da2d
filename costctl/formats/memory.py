"""Tier features of texts that this process has seen before: people ask the same things.

Texts stay in the memory of the process and go nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

TEXTS_MAX = 150_000
CHUNKS_MAX = 16
CHARS_MAX = 2_000  # longer texts hardly ever repeat


class FeatureSource(Protocol):
    """What computes features; costctl.tiers provides it."""

    def features(self, texts: pl.Series) -> pl.DataFrame:
        """One row of features per text."""


class FeatureMemory:
    """Features by text; when full it forgets everything and begins anew."""

    def __init__(self, source: FeatureSource) -> None:
        self._source = source
        self._places: dict[str, int] = {}
        self._known = source.features(pl.Series("text", [], dtype=pl.String))

    def features(self, texts: Sequence[str | None]) -> pl.DataFrame:
        """One row per text, in order; a row of nulls where there is no text."""
        if self._known.height > TEXTS_MAX:
            self._places, self._known = {}, self._known.clear()
        index = list(map(self._places.get, texts))  # type: ignore[arg-type]  # None is found nowhere
        new: dict[str, int] = {}
        start = self._known.height
        for row, place in enumerate(index):
            if place is None and (text := texts[row]) is not None:
                index[row] = new.setdefault(text, start + len(new))
        if new:
            found = self._source.features(pl.Series("text", list(new), dtype=pl.String))
            self._known = pl.concat([self._known, found], rechunk=self._known.n_chunks() > CHUNKS_MAX)
            self._places.update((text, place) for text, place in new.items() if len(text) <= CHARS_MAX)
        return self._taken(index)

    def _taken(self, index: list[int | None]) -> pl.DataFrame:
        if not self._known.height:
            return self._known.clear(len(index))
        place = pl.Series("place", index, dtype=pl.Int64)
        if not place.null_count():
            return self._known[place]
        rows = self._known[place.fill_null(0)]
        is_known = pl.lit(place.is_not_null())
        return rows.select(pl.when(is_known).then(pl.col(name)).alias(name) for name in rows.columns)
