"""Read the logs, merge what is one request, price it: the tables of one log, on which everything else rests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from costctl import __version__
from costctl.audit import pages
from costctl.audit.aggregates import set_apart
from costctl.audit.continued import join_continued
from costctl.audit.disputes import find_disputes
from costctl.audit.forks import drop_repeats
from costctl.audit.options import AuditOptions
from costctl.audit.questions import join_questions
from costctl.audit.spans import merge_spans
from costctl.audit.totals import conservation, not_computed, totals
from costctl.errors import InputError
from costctl.formats import detect, generic
from costctl.formats.base import LogFormat
from costctl.formats.ingest import Reading, ingest
from costctl.formats.options import Options
from costctl.formats.pool import Workers
from costctl.formats.sources import Source
from costctl.formats.told import FileCounts
from costctl.formats.workspace import show_all_columns
from costctl.prices.book import PriceBook, load_book
from costctl.prices.cost import apply_prices
from costctl.report import counted
from costctl.store import Store
from costctl.tiers.rules import TierRules, load_rules

# What puts the rows of one request together, and in which table: the first takes its own away from the next.
_JOINS = (
    ("question_request", join_questions), ("span_request", merge_spans), ("continued_request", join_continued),
)  # fmt: skip
# What an audit found earlier: of other rows it would be wrong, so it goes when a log is read.
_FOUND_EARLIER = ("anatomy_row", "repeat_hit", "model_class")


@dataclass(frozen=True)
class LogRead:
    """What stands in the workspace: `totals` of these files, `skipped` by label, the `days` whose prices were asked."""

    totals: Mapping[str, Any]
    skipped: Mapping[str, InputError]
    book: PriceBook
    days: Mapping[str, str]
    has_aggregates: bool
    provenance: Mapping[str, object]
    not_computed: Mapping[str, str]


def read_log(
    store: Store, sources: Sequence[Source], spool: Path, key: bytes, options: AuditOptions, workers: Workers
) -> LogRead:
    """Read what the workspace does not know yet; make `request`, `call`, `usage_aggregate`, `bill` of these files.

    Raises:
        CostctlError: for an option, a log, a rule file or a price file that cannot be used.
    """
    rules = load_rules(options.tier_rules)
    book = load_book(options.prices)
    reading = reading_of(options, rules, key)
    store.execute("DELETE FROM last_report")
    store.drop(*_FOUND_EARLIER)
    files, skipped = ingest(store, sources, reading, spool, options.progress, workers)
    workers.stop()  # their memory goes before what follows takes its own
    store.make_room(sum(item.accepted for item in files))
    has_aggregates = select_attempts(store, files)
    _refuse_nothing(store, files)
    price = partial(apply_prices, store, book=book, priced_at=options.priced_at, as_of=options.as_of)
    if has_aggregates:
        price(source="aggregate_source", target="usage_aggregate", are_sums=True)
    price(source="request_source", target="request")
    pages.run(store, "calls.sql")
    found: dict[str, Any] = totals(store, has_aggregates=has_aggregates)
    found = conservation(store, files, found.get("aggregate_row_count", 0)) | found
    days = _days(options)
    provenance = {
        "costctl": __version__,
        "logs": [item.label for item in files],
        "formats": sorted({item.format_name for item in files}),
        "log_digests": [item.digest for item in files],
        "price_set": f"{book.dated.isoformat()} #{book.digest[:8]}",
        "compared_with": book.called,
        "tier_rules": rules.digest[:8],
        "worker_processes": workers.process_count,
        **days,
        "status": dict.fromkeys(found, "exact"),
    }
    return LogRead(found, skipped, book, days, has_aggregates, provenance, not_computed(found))


def _days(options: AuditOptions) -> dict[str, str]:
    """The days at which prices were taken, where the user named them."""
    said = {"priced_at": options.priced_at, "prices_as_of": options.as_of}
    return {name: day.date().isoformat() for name, day in said.items() if day is not None}


def reading_of(options: AuditOptions, rules: TierRules, key: bytes) -> Reading:
    """How the options want logs to be read; `key` is that of the hashes."""
    log_format: LogFormat | None = detect.format_named(options.log_format) if options.log_format else None
    mapping = generic.read_mapping(options.mapping)
    if mapping:
        log_format = generic.mapped(mapping)
    said = (options.log_format, sorted(mapping.items()), options.cached_in_input, options.is_day_first, rules.digest)
    signature = hashlib.sha256(repr(said).encode()).hexdigest()
    told = orjson.dumps(mapping).decode() if mapping else None
    return Reading(log_format, Options(rules, key, options.cached_in_input, options.is_day_first), signature, told)


def select_attempts(store: Store, files: Sequence[FileCounts]) -> bool:
    """The attempts of exactly these files, duplicates merged, as the view `request_source`.

    Answers whether there are sums over requests, which stand apart in `aggregate_source`.
    """
    store.execute("CREATE OR REPLACE TABLE report_file (file_id INTEGER)")
    store.insert("report_file", ["file_id"], [(file_id,) for file_id in sorted({item.file_id for item in files})])
    show_all_columns(store)
    pages.run(store, "select.sql")
    find_disputes(store, files)
    drop_repeats(store)
    joined = [name for name, join in _JOINS if join(store)]
    merged = " ".join(f"UNION ALL BY NAME SELECT * FROM {name}" for name in joined)
    has_aggregates = set_apart(store)
    store.execute(pages.page("request_source.sql", source="request_source", chosen="chosen", merged=merged))
    return has_aggregates


def _refuse_nothing(store: Store, files: Sequence[FileCounts]) -> None:
    """A log of which every record was refused has no bill: that is an error, and no bill of $0."""
    refused = sum(item.rejected for item in files)
    if refused and not any(item.accepted for item in files):
        reason = store.scalar(
            "SELECT reason FROM rejected_record WHERE file_id IN (SELECT file_id FROM report_file) "
            "GROUP BY reason ORDER BY count(*) DESC, reason LIMIT 1"
        )
        raise InputError("E126", f"none of {counted(refused, 'record')} is a request; the commonest reason: {reason}",
                         "see them all: costctl rejects")  # fmt: skip
