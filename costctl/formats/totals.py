"""Whether the log's own totals bear out what a format says of its counts: what is inside the input, what beside it.

Where a record has a total of its tokens, it must be all input (cached tokens included, wherever the format counts
them) plus all output (reasoning included). What breaks that is kept by record, with the reading that fits instead.
"""

from __future__ import annotations

import polars as pl

# Readings that fit a total which the format's own does not, as `total_fault` names them.
CACHED_BESIDE = "cached tokens lie beside the input"
CACHED_INSIDE = "cached tokens lie inside the input"
REASONING_BESIDE = "reasoning lies beside the output"
REASONING_INSIDE = "reasoning lies inside the output"
UNEXPLAINED = "no reading of the counts gives the total"


def with_total_fault(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with all counts, and with `is_totalled` and `total_fault` (NULL where all is well or nothing can be said).

    Vectorised over the batch. A wrong place of the cached tokens or of the reasoning moves the sum by just these
    tokens; what no such move explains (rounding, tokens that no column names) is a fault without a reading.
    """
    if frame["total_tokens"].null_count() == frame.height:
        nothing = pl.lit(None, dtype=pl.String)
        return frame.with_columns(pl.lit(value=False).alias("is_totalled"), nothing.alias("total_fault"))
    counted = pl.col("input_tokens") + pl.col("output_tokens").fill_null(0)
    more = pl.col("total_tokens") - counted
    cached = pl.sum_horizontal("_reads", "_writes")
    reasoning = pl.col("reasoning_tokens").fill_null(0)
    # A sum over requests has no total of its own, and a record without input says nothing of it.
    is_totalled = pl.col("total_tokens").is_not_null() & pl.col("input_tokens").is_not_null()
    return frame.with_columns(
        is_totalled.alias("is_totalled"),
        pl.when(~is_totalled | (more == 0)).then(None)
        .when((cached > 0) & (more == cached)).then(pl.lit(CACHED_BESIDE))
        .when((cached > 0) & (more == -cached)).then(pl.lit(CACHED_INSIDE))
        .when((reasoning > 0) & (more == reasoning)).then(pl.lit(REASONING_BESIDE))
        .when((reasoning > 0) & (more == -reasoning)).then(pl.lit(REASONING_INSIDE))
        .otherwise(pl.lit(UNEXPLAINED)).alias("total_fault"),
    )  # fmt: skip
