"""From raw columns to canonical rows: strict types, disjoint token buckets, hashed text.

One batch at a time. A record that breaks a rule is rejected with its reason; nothing is
guessed and nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from costctl.formats.base import LogFormat
from costctl.formats.blocks import fitting_blocks, with_block_ids
from costctl.formats.content import ContentReader
from costctl.formats.gather import Gathered
from costctl.formats.memory import FeatureMemory
from costctl.formats.options import Options
from costctl.formats.totals import with_total_fault
from costctl.formats.typed import POLARS, TYPES
from costctl.formats.values import CACHED_EXCEED, DURATION_MS_MAX, REASONING_EXCEED, ZONELESS
from costctl.request import COLUMNS, SOURCE_COLUMNS


class Batch(NamedTuple):
    """Canonical rows, and the rows that were refused (position in the batch, reason)."""

    rows: pl.DataFrame
    rejected: dict[int, str]
    unread: dict[str, int]  # optional values that could not be read and are now unknown, by column
    is_totalled: pl.Series  # of each row, whether the log's own total of its tokens could be compared


_memories: dict[str, FeatureMemory] = {}  # by the digest of the rules, for the life of this process
# A value that cannot be read is unknown, except where money or order would silently change.
_STRICT_TYPES = ("BIGINT", "OFFSET", "TIMESTAMP")
_OPTIONAL = ("max_output_tokens",)
_TIER_INPUTS = (
    "input_tokens", "output_tokens", "endpoint", "tool_count", "request_model", "has_image",
    "turn_count", "response_format", "system_chars", "app",
)  # fmt: skip
_OK = (
    "ok", "success", "succeeded", "successful", "completed", "complete", "true", "done", "stop", "no_error",
    "exito", "éxito", "exitoso", "exitosa", "correcto", "completado", "completada", "finished", "ended", "processed",
    "resolved", "answered", "served", "delivered", "fulfilled", "valid", "passed", "normal", "yes", "1", "unset",
    "finalizado", "finalizada", "terminado", "terminada", "respondido", "respondida", "listo", "si", "sí",
    "end_turn", "length", "max_tokens", "stop_sequence", "tool_calls", "tool_use",
)  # fmt: skip
_FINE_CODE = r"^[123]\d\d\b"
_FAILED = (
    r"error|fail|exception|time.?out|timed.out|rate.?limit|throttl|overload|denied|refused|reject|unavailable"
    r"|invalid|unauthori[sz]ed|forbidden|too many requests|^false$|^no$|^[45]\d\d\b"
    r"|^fall[oóaei]|fracas|rechaz|denegad|agotad|excedid"
)
_UNSPLIT = "cache_write_split"  # among the values that could not be read: splits of cache writes below their total
_NO_ERROR = ("false", "False", "0")
OUTPUT: tuple[str, ...] = tuple(column.name for column in COLUMNS) + tuple(
    column.name for column in SOURCE_COLUMNS if column.name not in {"file_id"}
)


def normalise(gathered: Gathered, lines: Sequence[int], log_format: LogFormat, options: Options) -> Batch:
    """Canonical rows of the records that hold, in their order, and the refused ones."""
    frame, rejected, unread = _typed(gathered, options.hash_key)
    frame = frame.with_columns(pl.Series("source_line", lines, dtype=pl.Int64))
    if "speed" in gathered.typed:
        frame = frame.with_columns(
            service_tier=pl.when(pl.col("speed") == "fast").then("speed").otherwise("service_tier")
        )
    frame, impossible = _with_time(frame)
    frame = _with_propensity(frame, impossible)
    frame = _with_amount(frame, impossible)
    for name, count in impossible.items():
        unread[name] = unread.get(name, 0) + count
    # The exports of the other formats are in UTC by what these say of themselves.
    if gathered.typed.zoneless_count and log_format.name == "generic":
        unread[ZONELESS] = gathered.typed.zoneless_count
    frame, bad = _with_usage(frame, log_format, options.cached_in_input)
    frame = with_total_fault(frame)
    rejected = {**bad, **rejected}
    frame = _with_status(frame)
    if "prefix_blocks" in gathered.raw:
        frame, misfits = fitting_blocks(frame)
        if misfits:
            unread["prefix_blocks"] = unread.get("prefix_blocks", 0) + misfits
    frame = _with_content(frame, gathered, options)
    if rejected:
        keep = pl.Series([row not in rejected for row in range(gathered.height)], dtype=pl.Boolean)
        frame = frame.filter(keep)
    # What no split explains was taken for 5-minute writes, and is told.
    is_rest = (pl.col("_unsplit") > 0) & pl.col("cache_write_1h_tokens").is_not_null()
    if rest := frame.select(is_rest.sum()).item():
        unread[_UNSPLIT] = rest
    return Batch(frame.select(_output(frame)), rejected, unread, frame["is_totalled"])


def _typed(gathered: Gathered, hash_key: bytes) -> tuple[pl.DataFrame, dict[int, str], dict[str, int]]:
    rejected: dict[int, str] = {}
    unread: dict[str, int] = {}
    series: list[pl.Series] = [pl.Series("_row", range(gathered.height), dtype=pl.Int64)]
    for name, column, bad in gathered.typed.all(with_block_ids(gathered.raw, hash_key), gathered.height):
        series.append(column)
        if TYPES[name] in _STRICT_TYPES and name not in _OPTIONAL:
            for row, reason in bad.items():
                rejected.setdefault(row, reason)
        elif bad:
            unread[name] = len(bad)
    frame = pl.DataFrame(series)
    missing = [
        pl.lit(None, dtype=POLARS[kind]).alias(name)
        for name, kind in TYPES.items()
        if name not in frame.columns and name not in {"prompt_sha256"}
    ]
    return frame.with_columns(missing), rejected, unread


def _with_time(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Latency in ms from whatever the log has; an impossible duration is unknown, and how many are so by column."""
    latency = pl.coalesce(
        "latency_ms", pl.col("latency_s") * 1000, pl.col("latency") * 1000,
        (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1000,
    )  # fmt: skip
    first_token = pl.coalesce(
        "time_to_first_token_ms", pl.col("time_to_first_token_s") * 1000,
        pl.when("stream").then((pl.col("first_token_at") - pl.col("started_at")).dt.total_microseconds() / 1000),
    )  # fmt: skip
    is_latency, is_first_token = (column.is_between(0, DURATION_MS_MAX) for column in (latency, first_token))
    outside = frame.select(
        (~is_latency).sum().alias("latency_ms"), (~is_first_token).sum().alias("time_to_first_token_ms")
    )
    impossible = {name: count for name, count in outside.row(0, named=True).items() if count}
    frame = frame.with_columns(
        pl.when(is_latency).then(latency.round(3)).alias("latency_ms"),
        pl.when(is_first_token).then(first_token.round(3)).alias("time_to_first_token_ms"),
        pl.coalesce(
            "ts_basis",
            pl.when(pl.col("started_at").is_not_null()).then(pl.lit("start"))
            .when(pl.col("replay_offset_ms").is_not_null()).then(pl.lit("offset")),
        ),
    )  # fmt: skip
    return frame, impossible


def _with_propensity(frame: pl.DataFrame, impossible: dict[str, int]) -> pl.DataFrame:
    """A chance of 0 or above 1 cannot be that of what happened: unknown, and counted."""
    is_chance = (pl.col("propensity") > 0) & (pl.col("propensity") <= 1)
    count = frame.select((~is_chance).sum()).item()
    if count:
        impossible["propensity"] = count
    return frame.with_columns(pl.when(is_chance).then("propensity").alias("propensity"))


def _with_amount(frame: pl.DataFrame, impossible: dict[str, int]) -> pl.DataFrame:
    """A row of an export may be a credit; no request costs less than nothing: its cost is unknown, and counted."""
    is_below = pl.col("logged_cost").str.contains("^-.*[1-9]") & ~pl.col("is_aggregate").fill_null(value=False)
    count = frame.select(is_below.sum()).item()
    if count:
        impossible["logged_cost"] = count
        frame = frame.with_columns(pl.when(~is_below).then("logged_cost").alias("logged_cost"))
    return frame


def _with_usage(
    frame: pl.DataFrame, log_format: LogFormat, override: bool | None
) -> tuple[pl.DataFrame, dict[int, str]]:
    """Disjoint buckets from the format's convention, and the rows where it cannot hold."""
    inside = log_format.cached_in_input if override is None else override
    zero = pl.lit(0, dtype=pl.Int64)
    read_in, write_in = pl.col("cache_read_tokens"), pl.col("cache_write_tokens")
    read_out, write_out = pl.col("cache_read_outside_tokens"), pl.col("cache_write_outside_tokens")
    if override is True:
        read_in, write_in = pl.coalesce(read_in, read_out), pl.coalesce(write_in, write_out)
        read_out = write_out = pl.lit(None, dtype=pl.Int64)
    elif not inside:
        read_out, write_out = pl.coalesce(read_out, read_in), pl.coalesce(write_out, write_in)
        read_in = write_in = pl.lit(None, dtype=pl.Int64)
    elif override is None and log_format.name == "generic" and frame["total_tokens"].null_count() < frame.height:
        frame = _placed_by_total(frame)
    split = pl.col("cache_write_5m_tokens").fill_null(0) + pl.col("cache_write_1h_tokens").fill_null(0)
    writes = pl.coalesce(write_in, write_out, pl.when(split > 0).then(split))
    reads = pl.coalesce(read_in, read_out)
    inside_tokens = read_in.fill_null(0) + write_in.fill_null(0)
    # A split without a total follows the format: inside the input unless it counts beside it.
    lone_split = pl.when(write_in.is_null() & write_out.is_null() & (split > 0)).then(split).otherwise(0)
    if inside:
        inside_tokens = inside_tokens + pl.when(read_out.is_null()).then(lone_split).otherwise(0)
    reasoning_beside = zero if log_format.reasoning_in_output else pl.col("reasoning_tokens").fill_null(0)
    reasoning_beside = reasoning_beside + pl.col("reasoning_outside_tokens").fill_null(0)
    has_split = (split > 0) & writes.is_not_null()
    frame = frame.with_columns(
        pl.coalesce("reasoning_tokens", "reasoning_outside_tokens").alias("reasoning_tokens"),
        (pl.col("input_tokens") - inside_tokens).alias("input_uncached_tokens"),
        reads.alias("_reads"), writes.alias("_writes"),
        (writes.fill_null(zero) - split).alias("_unsplit"),
        (pl.col("output_tokens") + reasoning_beside).alias("output_tokens"),
    ).with_columns(
        pl.col("_reads").alias("cache_read_tokens"),
        # Anthropic bills the part of the writes that no split explains as 5-minute writes.
        pl.when(has_split).then(pl.col("cache_write_5m_tokens").fill_null(0) + pl.max_horizontal("_unsplit", zero))
        .alias("cache_write_5m_tokens"),
        pl.when(has_split).then(pl.col("cache_write_1h_tokens").fill_null(0)).alias("cache_write_1h_tokens"),
        pl.when(~has_split).then(pl.col("_writes")).alias("cache_write_other_tokens"),
        pl.when(pl.col("input_tokens").is_null() & pl.col("output_tokens").is_null()).then(pl.lit("missing"))
        .otherwise(pl.coalesce("usage_source", pl.lit("provider"))).alias("usage_source"),
        (
            pl.col("input_tokens").is_not_null() & pl.col("_reads").is_null()
            & ~pl.col("operation").str.contains("embedding", literal=True).fill_null(value=False)
        ).alias("is_cache_unknown"),
    )  # fmt: skip
    says_nothing = pl.all_horizontal(
        pl.col("request_model", "response_model", "input_tokens", "output_tokens").is_null()
    )
    if log_format.name != "generic":
        # A request of a known format that failed or has an id is one, though it names no model and counts nothing.
        says_nothing = says_nothing & pl.col("error_type").is_null() & pl.col("request_id").is_null()
        says_nothing = says_nothing & ~pl.col("is_part").fill_null(value=False)
    # An export of costs is money by line item, which may be no model's.
    says_nothing = says_nothing & ~(pl.col("is_aggregate").fill_null(value=False) & pl.col("logged_cost").is_not_null())
    reason = (
        pl.when(says_nothing).then(pl.lit("names neither a model nor token counts"))
        .when(pl.col("input_uncached_tokens") < 0).then(pl.lit(CACHED_EXCEED))
        .when((pl.col("_unsplit") < 0) & has_split).then(pl.lit("cache write split exceeds its total"))
        .when(pl.col("reasoning_tokens") > pl.col("output_tokens"))
        .then(pl.lit(REASONING_EXCEED))
    )  # fmt: skip
    faults = frame.select("_row", reason.alias("reason")).drop_nulls("reason")
    # From here on input_tokens means all input, cached included, as everywhere in the house.
    frame = frame.with_columns(
        (pl.col("input_uncached_tokens") + pl.col("_reads").fill_null(0) + pl.col("_writes").fill_null(0)).alias(
            "input_tokens"
        )
    )
    return frame, dict(faults.iter_rows())


def _placed_by_total(frame: pl.DataFrame) -> pl.DataFrame:
    """Cached tokens inside or beside the input and reasoning in or beside the output, as the row's own total proves."""
    names = {"cache_read_tokens": "cache_read_outside_tokens", "cache_write_tokens": "cache_write_outside_tokens"}
    cached = pl.sum_horizontal(pl.coalesce(*pair) for pair in names.items())
    plain = pl.col("input_tokens") + pl.col("output_tokens") + pl.col("reasoning_outside_tokens").fill_null(0)
    is_inside = (cached > 0) & (pl.col("total_tokens") == plain)
    is_outside = (cached > 0) & (pl.col("total_tokens") == plain + cached)
    nothing = pl.lit(None, dtype=pl.Int64)
    # xAI and others count reasoning beside the answer, under the name of those that count it inside.
    is_beside = (pl.col("reasoning_tokens") > 0) & (pl.col("total_tokens") == plain + pl.col("reasoning_tokens"))
    is_beside = is_beside & ~is_outside.fill_null(value=False) & pl.col("reasoning_outside_tokens").is_null()
    return frame.with_columns(
        pl.when(is_beside).then("reasoning_tokens").otherwise("reasoning_outside_tokens")
        .alias("reasoning_outside_tokens"),
        *(
        moved
        for within, beside in names.items()
        for moved in (
            pl.when(is_inside).then(pl.coalesce(within, beside)).when(is_outside).then(nothing)
            .otherwise(within).alias(within),
            pl.when(is_outside).then(pl.coalesce(beside, within)).when(is_inside).then(nothing)
            .otherwise(beside).alias(beside),
        )),
    )  # fmt: skip


def _with_status(frame: pl.DataFrame) -> pl.DataFrame:
    """The outcome: what the log calls it, else its HTTP status, else its error; a log that tells none has no failures.

    A word that means neither success nor failure is `unknown`, unless an HTTP status tells.
    """
    said = pl.col("status").str.strip_chars().str.to_lowercase()
    http = pl.col("http_status")
    error = pl.when(~pl.col("error_type").is_in(_NO_ERROR)).then("error_type")
    status = (
        pl.when(said.is_in(["cancelled", "canceled", "aborted", "cancelado", "cancelada"])).then(pl.lit("cancelled"))
        .when(said == "incomplete").then(pl.lit("incomplete"))
        .when(said.is_in(_OK)).then(pl.lit("ok"))
        .when(said.str.contains(_FAILED)).then(pl.lit("error"))
        .when(http >= 400).then(pl.lit("error"))
        .when(error.is_not_null()).then(pl.lit("error"))
        .when(http.is_null() & said.str.contains(r"[\pL\d]") & ~said.str.contains(_FINE_CODE)).then(pl.lit("unknown"))
        .otherwise(pl.lit("ok"))
    )  # fmt: skip
    return frame.with_columns(status.alias("status"), error.alias("error_type"))


def _with_content(frame: pl.DataFrame, gathered: Gathered, options: Options) -> pl.DataFrame:
    frame = frame.with_columns(column for _, column, _ in gathered.derived.all({}, gathered.height))
    if "prompt_sha256" in frame.columns:
        key_of = ContentReader(options.hash_key).hash
        said = [None if value is None else key_of(value) for value in frame["prompt_sha256"]]
        frame = frame.with_columns(
            pl.coalesce("prompt_key", pl.Series("said", said, dtype=pl.UInt64)).alias("prompt_key")
        )
    memory = _memories.get(options.rules.digest)
    if memory is None:
        memory = _memories[options.rules.digest] = FeatureMemory(options.rules)
    rows = frame.select(_TIER_INPUTS).with_columns(memory.features(gathered.texts).get_columns())
    decided = options.rules.classify(rows)
    frame = frame.with_columns(
        rows["language"],
        rows["register"],
        *(rows[name] for name in ("text_signals",) if name in rows.columns),
        decided["intent"],
        decided["tier"],
        decided["tier_reason"],
    )
    if "is_aggregate" not in gathered.typed:
        return frame
    # A sum of many requests has no tier of its own.
    one = ~pl.col("is_aggregate").fill_null(value=False)
    return frame.with_columns(pl.when(one).then(name).alias(name) for name in ("intent", "tier", "tier_reason"))


def _output(frame: pl.DataFrame) -> list[pl.Expr]:
    """Only columns that hold something; the store fills the others with NULL."""
    filled = [name for name in OUTPUT if name in frame.columns and frame[name].null_count() < frame.height]
    return [pl.col(name) for name in (filled or ["source_line"])]
