"""Rows of the canonical request for the price join, and what the join made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import polars as pl

from costctl.formats.base import LogFormat, identity_columns
from costctl.formats.gather import Gathered
from costctl.formats.normalise import Batch, normalise
from costctl.formats.options import Options
from costctl.formats.usage import read_usage
from costctl.prices.book import PriceBook, load_book
from costctl.prices.cost import apply_prices
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store

Row = dict[str, Any]
PLAIN = LogFormat(name="plain", title="rows of this test", signature=lambda _: True, columns=identity_columns())


class NoTiers:
    """Prices do not depend on tier rules."""

    digest = "none"

    def features(self, texts: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({"language": pl.Series([], dtype=pl.String), "register": pl.Series([], dtype=pl.String)})

    def classify(self, rows: pl.DataFrame) -> pl.DataFrame:
        blank = pl.Series([None] * rows.height, dtype=pl.String)
        return pl.DataFrame({"intent": blank, "tier": blank, "tier_reason": blank})


@cache
def shipped() -> PriceBook:
    return load_book()


def priced(
    rows: Sequence[Mapping[str, Any]],
    book: PriceBook | None = None,
    *,
    priced_at: datetime | None = None,
    as_of: datetime | None = None,
) -> list[Row]:
    """The rows after `apply_prices`, in their order; a row names only the columns that it fills.

    `status` and `usage_source` are those of an ordinary request unless a row says otherwise.
    """
    columns = list(dict.fromkeys(column.name for column in (*COLUMNS, *SOURCE_COLUMNS)))
    types = {column.name: column.type for column in (*COLUMNS, *SOURCE_COLUMNS)}
    with Store.in_memory(threads=1) as store:
        store.execute(f"CREATE TABLE entry ({', '.join(f'{name} {types[name]}' for name in columns)})")
        filled = [
            {"status": "ok", "usage_source": "provider", **row, "source_line": line}
            for line, row in enumerate(rows, start=1)
        ]
        names = sorted(set().union(*filled))
        store.insert("entry", names, [[row.get(name) for name in names] for row in filled])
        apply_prices(store, source="entry", target="priced", book=book or shipped(), priced_at=priced_at, as_of=as_of)
        found, values = store.table("SELECT * FROM priced ORDER BY source_line")
    return [dict(zip(found, value, strict=True)) for value in values]


def canonical(usages: Sequence[Mapping[str, Any]], **said: Any) -> Batch:
    """Raw usage objects of providers through the reader and the normaliser, as one batch."""
    records = [{**said, **read_usage(usage)} for usage in usages]
    gathered = Gathered(PLAIN, b"key")
    gathered.add(records)
    return normalise(gathered, list(range(1, len(records) + 1)), PLAIN, Options(NoTiers(), b"key"))
