"""The totals of an audit: what was read, what it cost, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from costctl.audit import pages
from costctl.audit.aggregates import aggregate_totals, show_bill
from costctl.formats.told import FileCounts
from costctl.money import USD_QUANTUM
from costctl.store import Store

# A month is projected from a whole week at least: less would project a weekend or a Monday.
RUN_RATE_DAYS_MIN = 7
RUN_RATE_DAYS = 30
NO_TIMES = "not identifiable: no request with a prompt has a time, so none comes before another: --map started_at=..."
SUMMED_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


def conservation(store: Store, files: Sequence[FileCounts], aggregate_rows: int) -> dict[str, int]:
    """Records read = accepted + merged + ignored + rejected, over all files of the report."""
    distinct = list({item.file_id: item for item in files}.values())
    read = sum(item.records_read for item in distinct)
    kept = int(store.scalar("SELECT count(*) FROM request")) + aggregate_rows
    counts = {
        "records_read_count": read,
        "accepted_count": kept,
        "merged_count": sum(item.accepted for item in distinct) - kept,
        "ignored_count": sum(item.ignored for item in distinct),
        "rejected_count": sum(item.rejected for item in distinct),
    }
    assert read == sum(list(counts.values())[1:]), "a record was lost"
    return {**counts, "lines_read_count": sum(item.lines_read for item in distinct)}


def totals(store: Store, *, has_aggregates: bool) -> dict[str, Any]:
    """The totals of the machine contract; one that the log cannot give is absent. Makes the view `bill`."""
    columns, rows = store.table(pages.page("totals.sql"))
    found = dict(zip(columns, rows[0], strict=True))
    found["call_count"] = store.scalar(pages.page("call_count.sql"))
    found["aggregate_request_count"] = 0
    is_sums = show_bill(store, has_aggregates=has_aggregates)
    if has_aggregates:
        found |= aggregate_totals(store, is_sums=is_sums)
    first, last = found["first_at"], found["last_at"]
    if is_sums and first and first < last:
        last -= timedelta(microseconds=1)  # the end of a bucket is the begin of the next day
    days = (last.date() - first.date()).days + 1 if first and last else 0
    # Sums stand for their whole bucket; of requests the days are known, and a gap is no observation.
    seen = days if is_sums else store.scalar("SELECT count(DISTINCT CAST(started_at AS DATE)) FROM bill")
    if seen >= RUN_RATE_DAYS_MIN:
        found["period_day_count"], found["observed_day_count"] = days, seen
        found["monthly_run_rate_usd"] = (found["list_cost_usd"] / days * RUN_RATE_DAYS).quantize(USD_QUANTUM)
    return {name: value for name, value in found.items() if value is not None}


def not_computed(found: dict[str, Any]) -> dict[str, str]:
    """Why a total of the contract is absent."""
    reasons = {
        "logged_cost_usd": "the log holds no cost in USD",
        "aggregate_request_count": "the exports count no requests",
        **dict.fromkeys(SUMMED_TOKENS, "the exports do not count these tokens"),
        "first_at": "no request carries a date",
        "last_at": "no request carries a date",
        "monthly_run_rate_usd": f"needs {RUN_RATE_DAYS_MIN} days with requests",
        **dict.fromkeys(("period_day_count", "observed_day_count"), "told where there is a rate for 30 days"),
        **dict.fromkeys(("latency_ms_p50", "latency_ms_p95", "latency_ms_p99"), "the log holds no latency"),
    }
    return {name: reason for name, reason in reasons.items() if name not in found}


def share(part: Decimal | None, whole: Decimal) -> float | None:
    """A part as a ratio of the whole, where there is one."""
    return None if part is None or not whole else float(part / whole)
