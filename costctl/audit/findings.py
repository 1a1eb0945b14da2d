"""The findings of an audit: each runs its page of SQL and answers with a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from costctl.errors import CostctlError
from costctl.formats.ingest import FileCounts
from costctl.prices.book import PriceBook, instant_utc
from costctl.report import Table, Warning
from costctl.request import DIMENSIONS
from costctl.reuse.exact import exact_hits
from costctl.store import Store

FOLDER = Path(__file__).parent
INPUT = (
    "(r.input_uncached_tokens + coalesce(r.cache_read_tokens, 0) + coalesce(r.cache_write_5m_tokens, 0) "
    "+ coalesce(r.cache_write_1h_tokens, 0) + coalesce(r.cache_write_other_tokens, 0))"
)
EXACT_TTL_US = 24 * 3600 * 1_000_000
LONG_CONTEXT_TOKENS = 32_000
# Blended list price, three parts input to one part output, USD per million tokens.
CLASS_B_FROM_USD, CLASS_C_FROM_USD = Decimal("0.6"), Decimal(3)
CLASSES = (
    ("failed_or_repeated_attempt", "failed, retried or doubled calls that were billed", "retry and fallback policy"),
    ("exact_repeat", "exact repeats within 24 h", "exact cache"),
    ("near_repeat", "near repeats", "semantic cache"),
    ("prompt_cache_miss", "repeated context no prompt cache served", "provider prompt caching"),
    ("simple_on_premium", "simple requests on a premium model", "routing"),
    ("could_wait", "traffic that could wait", "batch API"),
    ("long_context", "long context (32k tokens or more)", "context window, compression"),
    ("complex", "complex requests", "only partly reducible"),
    ("rest", "the rest", ""),
)
NOT_COMPUTED = {"near_repeat", "prompt_cache_miss"}
BATCH_SHARE = Decimal("0.5")


def run_sql(store: Store, name: str, params: dict[str, Any] | None = None, **names: str) -> None:
    """Run a file of SQL that makes a table; names are put in from our own constants."""
    store.execute(_text(name, names), params)


def _text(name: str, names: dict[str, str]) -> str:
    sql = (FOLDER / name).read_text("utf-8")
    for key, value in {"input": INPUT, **names}.items():
        sql = sql.replace("{" + key + "}", value)
    return sql


def _table(store: Store, table: str, file: str, **names: str) -> Table:
    columns, rows = store.table(_text(file, names))
    return Table.of(table, columns, rows)


def conservation(store: Store, files: Sequence[FileCounts]) -> dict[str, int]:
    """Records read = accepted + merged + ignored + rejected, over all files."""
    distinct = list({item.file_id: item for item in files}.values())
    read = sum(item.records_read for item in distinct)
    kept = int(store.scalar("SELECT count(*) FROM request"))
    counts = {
        "records_read_count": read, "accepted_count": kept,
        "merged_count": sum(item.accepted for item in distinct) - kept,
        "ignored_count": sum(item.ignored for item in distinct), "rejected_count": sum(item.rejected for item in distinct),
        "lines_read_count": sum(item.lines_read for item in distinct),
    }  # fmt: skip
    assert read == sum(counts[name] for name in ("accepted_count", "merged_count", "ignored_count", "rejected_count"))
    return counts


def totals(store: Store) -> dict[str, Any]:
    """The totals of the machine contract."""
    run_sql(store, "calls.sql")
    columns, rows = store.table(_text("totals.sql", {}))
    found = dict(zip(columns, rows[0], strict=True))
    found["call_count"] = store.scalar(
        "SELECT (SELECT count(*) FROM (SELECT DISTINCT trace_id, prompt, call_number FROM call)) + (SELECT count(*) FROM request WHERE trace_id IS NULL)"
    )
    found["aggregate_request_count"] = 0
    first, last = found["first_at"], found["last_at"]
    if first and last and (last.date() - first.date()).days >= 6:
        days = (last.date() - first.date()).days + 1
        found["monthly_run_rate_usd"] = (found["list_cost_usd"] / days * 30).quantize(Decimal("0.000000000001"))
    return found


def tables(store: Store, book: PriceBook, by: Sequence[str]) -> dict[str, Table]:
    """Every table of the report."""
    _repeats(store)
    _model_classes(store, book)
    found = [anatomy(store, book), by_dimension(store, "model"), by_dimension(store, "provider"), by_dimension(store, "tier")]
    found += [by_token_class(store) if name == "token_class" else by_dimension(store, name) for name in by if name not in {"model", "provider", "tier"}]
    found += [_table(store, "daily", "daily.sql"), _table(store, "reconciliation", "reconciliation.sql")]
    found += [_rejected(store), _ignored(store), _unpriced(store)]
    return {table.name: table for table in found}


def by_dimension(store: Store, name: str) -> Table:
    """Spend by one dimension; the rows sum to the total.

    Raises:
        CostctlError: E140 for an unknown dimension.
    """
    if name not in DIMENSIONS:
        raise CostctlError("E140", f"unknown dimension: {name}", f"one of: {', '.join(DIMENSIONS)}, token_class")
    return _table(store, f"by_{name}", "by_dimension.sql", dimension=DIMENSIONS[name], name=name)


def by_token_class(store: Store) -> Table:
    """Spend by class of token; reasoning is shown within output."""
    row = store.query(
        f"SELECT CAST(sum(r.input_uncached_tokens) AS BIGINT), CAST(sum(r.input_cost_usd) AS DECIMAL(38,12)), CAST(sum(r.cache_read_tokens) AS BIGINT), "
        "CAST(sum(r.cache_read_cost_usd) AS DECIMAL(38,12)), CAST(sum(coalesce(r.cache_write_5m_tokens,0)+coalesce(r.cache_write_1h_tokens,0)+coalesce(r.cache_write_other_tokens,0)) AS BIGINT), "
        "CAST(sum(r.cache_write_cost_usd) AS DECIMAL(38,12)), CAST(sum(r.output_tokens) AS BIGINT), CAST(sum(r.output_cost_usd) AS DECIMAL(38,12)), CAST(sum(r.fee_cost_usd) AS DECIMAL(38,12)) FROM request r"
    )[0]
    rows = [("input_uncached", row[0], row[1]), ("cache_read", row[2], row[3]), ("cache_write", row[4], row[5]), ("output", row[6], row[7]), ("fees", None, row[8])]
    return Table.of("by_token_class", ["token_class", "tokens", "list_cost_usd"], rows)


def _repeats(store: Store) -> None:
    """Which successful requests repeat an answered one: same app, model and prompt, within 24 h."""
    store.execute("CREATE OR REPLACE TABLE repeat_hit (file_id INTEGER, source_line BIGINT, is_in_conversation BOOLEAN)")
    rows = store.query(
        "SELECT key, epoch_us(started_at), file_id, source_line, is_later FROM (SELECT dense_rank() OVER ("
        "ORDER BY app, coalesce(response_model, request_model), prompt_key) AS key, started_at, file_id, source_line, request_id, "
        "session_id IS NOT NULL AND row_number() OVER (PARTITION BY session_id ORDER BY started_at, request_id, file_id, source_line) > 1 AND turn_count <= 1 AS is_later, "
        "count(*) OVER (PARTITION BY app, coalesce(response_model, request_model), prompt_key) AS occurrences "
        "FROM request WHERE status = 'ok' AND prompt_key IS NOT NULL AND started_at IS NOT NULL) WHERE occurrences > 1 "
        "ORDER BY started_at, request_id, file_id, source_line"
    )
    hits = exact_hits(((row[0], row[1]) for row in rows), EXACT_TTL_US)
    store.insert("repeat_hit", ["file_id", "source_line", "is_in_conversation"], [row[2:] for row, hit in zip(rows, hits, strict=True) if hit is not None])


def _model_classes(store: Store, book: PriceBook) -> None:
    store.execute("CREATE OR REPLACE TABLE model_class (price_key VARCHAR, price_class VARCHAR, blended_usd DECIMAL(18,6))")
    rows = []
    for (key,) in store.query("SELECT DISTINCT price_key FROM request WHERE price_key IS NOT NULL ORDER BY 1"):
        rate = book.rate_at(key, instant_utc(book.dated))
        if rate:
            blended = (3 * rate.prices["input"] + rate.prices["output"]) / 4
            rows.append((key, "A" if blended < CLASS_B_FROM_USD else "B" if blended < CLASS_C_FROM_USD else "C", blended.quantize(Decimal("0.000001"))))
    store.insert("model_class", ["price_key", "price_class", "blended_usd"], rows)


def anatomy(store: Store, book: PriceBook) -> Table:
    """The waterfall: exclusive classes that sum to the total, with the lever of each."""
    cheap = store.query("SELECT price_key FROM model_class WHERE price_class = 'A' AND blended_usd > 0 ORDER BY blended_usd, price_key LIMIT 1")
    rate = book.rate_at(cheap[0][0], instant_utc(book.dated)) if cheap else None
    run_sql(store, "anatomy.sql", {
        "long_context_tokens": LONG_CONTEXT_TOKENS,
        "cheap_input": rate.prices["input"] if rate else None, "cheap_output": rate.prices["output"] if rate else None,
    })  # fmt: skip
    sums = {
        name: (count, cost, routed, later)
        for name, count, cost, routed, later in store.query(
            "SELECT class, count(*), CAST(sum(list_cost_usd) AS DECIMAL(38,12)), CAST(sum(routed_saving_usd) AS DECIMAL(38,12)), "
            "count(*) FILTER (is_in_conversation) FROM anatomy_row WHERE class IS NOT NULL GROUP BY 1"
        )
    }
    total = sum((cost for _, cost, _, _ in sums.values()), Decimal(0))
    rows = []
    for name, title, lever in CLASSES:
        if name in NOT_COMPUTED:
            rows.append((name, title, None, None, None, None, lever, "not computed: arrives with simulate"))
            continue
        count, cost, routed, later = sums.get(name, (0, Decimal(0), None, 0))
        recoverable, note = {
            "failed_or_repeated_attempt": (cost, "at most"),
            "exact_repeat": (cost, f"{later} of {count} repeat inside a conversation whose history is not in the log: may not be safe to serve" if later else "at most"),
            "simple_on_premium": (routed, f"at most: same tokens on {cheap[0][0]}" if cheap else "no cheap model in this log to compare with"),
            "could_wait": (cost * BATCH_SHARE, "at half price, as batch APIs charge"),
        }.get(name, (None, ""))
        rows.append((name, title, count, cost, float(cost / total) if total else None, recoverable, lever, note))
    return Table.of("anatomy", ["class", "title", "request_count", "list_cost_usd", "share_ratio", "recoverable_usd", "lever", "note"], rows)


def _rejected(store: Store) -> Table:
    columns, rows = store.table(
        "SELECT reason, count(*) AS record_count, min(s.label) AS source_file, min(r.source_line) AS first_line FROM rejected_record r "
        "JOIN source_file s USING (file_id) WHERE file_id IN (SELECT file_id FROM report_file) GROUP BY reason ORDER BY record_count DESC, reason"
    )
    return Table.of("rejected", columns, rows)


def _ignored(store: Store) -> Table:
    columns, rows = store.table(
        "SELECT kind, CAST(sum(record_count) AS BIGINT) AS record_count FROM ignored_record "
        "WHERE file_id IN (SELECT file_id FROM report_file) GROUP BY kind ORDER BY 2 DESC, 1"
    )
    return Table.of("ignored", columns, rows)


def _unpriced(store: Store) -> Table:
    columns, rows = store.table(
        f"SELECT coalesce(r.response_model, r.request_model) AS model, any_value(r.price_reason) AS reason, count(*) AS request_count, "
        f"CAST(sum({INPUT}) AS BIGINT) AS input_tokens, CAST(sum(r.output_tokens) AS BIGINT) AS output_tokens FROM request r "
        "WHERE r.price_status = 'unpriced' GROUP BY 1 ORDER BY 3 DESC, 1"
    )
    return Table.of("unpriced", columns, rows)


def warnings(store: Store, found: dict[str, Any], skipped: Sequence[str]) -> tuple[Warning, ...]:
    """What changes how the numbers are to be read."""
    said: list[Warning] = []
    for model, count, source in store.query(
        "SELECT coalesce(response_model, request_model, '(no model)'), count(*), any_value(price_reason) FROM request WHERE price_status = 'unpriced' GROUP BY 1 ORDER BY 2 DESC, 1"
    ):
        said.append(Warning("W201", f"no price for {model}: {count:,} requests are left out of the total ({source})", "give one: --prices rates.yaml"))
    if found["rejected_count"]:
        said.append(Warning("W110", f"{found['rejected_count']:,} records were not understood", "see them: costctl rejects"))
    if found["undated_count"]:
        said.append(Warning("W131", f"{found['undated_count']:,} requests carry no date; priced at the date of the price set", "--priced-at DATE"))
    if found["cache_unknown_count"]:
        said.append(Warning("W120", f"{found['cache_unknown_count']:,} requests do not say what was cached; priced as uncached"))
    currencies = store.query("SELECT DISTINCT upper(logged_currency) FROM request WHERE logged_cost IS NOT NULL AND logged_currency IS NOT NULL ORDER BY 1")
    if any(currency != "USD" for (currency,) in currencies):
        said.append(Warning("W150", f"logged costs in {', '.join(c for (c,) in currencies)}: only USD is summed", "computed costs are not affected"))
    assumed = store.scalar("SELECT count(*) FROM request WHERE is_price_assumed")
    if assumed:
        said.append(Warning("W210", f"{assumed:,} requests of a batch or flex tier without a published price: half of list was assumed"))
    if skipped:
        said.append(Warning("W122", f"{len(skipped)} files hold no request and were skipped: {', '.join(skipped[:3])}"))
    return tuple(said)


def parse_day(text: str) -> date:
    """A day given as an option.

    Raises:
        CostctlError: E141 when it is no ISO date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CostctlError("E141", f"not a date: {text}", "write 2026-03-31") from error
