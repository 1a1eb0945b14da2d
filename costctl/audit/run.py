"""One audit: read, merge, price, classify, and tell it as a Report."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from costctl import __version__
from costctl.audit import findings
from costctl.formats import detect, generic
from costctl.formats.base import LogFormat, paths
from costctl.formats.ingest import FileCounts, Progress, Reading, ingest
from costctl.formats.normalise import Options
from costctl.formats.sources import find_sources
from costctl.prices.book import PriceBook, load_book
from costctl.prices.cost import apply_prices
from costctl.report import Report
from costctl.store import Store, open_store
from costctl.tiers.rules import TierRules, load_rules

WORKSPACE = Path(".costctl")


@dataclass(frozen=True)
class AuditOptions:
    """What the user may say about an audit; the defaults need nothing."""

    log_format: str | None = None
    mapping: tuple[str, ...] = ()
    cached_in_input: bool | None = None
    tier_rules: Path | None = None
    prices: Path | None = None
    priced_at: datetime | None = None
    as_of: datetime | None = None
    by: tuple[str, ...] = ()
    db: Path | None = None
    threads: int | None = None
    progress: Progress = field(default=lambda *_: None)


def audit(logs: Sequence[str], options: AuditOptions) -> Report:
    """Read the logs (or what the workspace knows of them) and report on exactly them.

    Raises:
        CostctlError: for a log, a rule file or a price file that cannot be used.
    """
    database = options.db or WORKSPACE / "costctl.duckdb"
    key = prepare_workspace(database)
    rules = load_rules(options.tier_rules)
    book = load_book(options.prices)
    spool = database.parent / "tmp" / f"run-{os.getpid()}"
    with open_store(database, threads=options.threads) as store:
        try:
            sources = find_sources(list(logs), spool)
            files, skipped, workers = ingest(store, sources, _reading(options, rules, key), spool, options.progress)
        finally:
            shutil.rmtree(spool, ignore_errors=True)
        store.lock()
        return _report(store, files, skipped, workers, options, rules, book)


def prepare_workspace(database: Path) -> bytes:
    """The folder of the workspace (0700, ignored by git) and its hash key."""
    folder = database.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.name == WORKSPACE.name:
        (folder / ".gitignore").write_text("*\n", "utf-8")
    secret = folder / f"{database.stem}.key"
    if not secret.exists():
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    return secret.read_bytes()


def _reading(options: AuditOptions, rules: TierRules, key: bytes) -> Reading:
    log_format: LogFormat | None = detect.format_named(options.log_format) if options.log_format else None
    if options.mapping:
        log_format = generic.mapped({name: paths(*places.split("|")) for name, places in map(generic.parse_mapping, options.mapping)})
    said = (options.log_format, options.mapping, options.cached_in_input, rules.digest)
    signature = hashlib.sha256(repr(said).encode()).hexdigest()
    processes = options.threads or os.cpu_count() or 1
    return Reading(log_format, Options(rules, key, options.cached_in_input), processes, signature)


def _report(
    store: Store, files: list[FileCounts], skipped: list[str], workers: int, options: AuditOptions, rules: TierRules, book: PriceBook
) -> Report:
    store.execute("CREATE OR REPLACE TABLE report_file (file_id INTEGER)")
    store.insert("report_file", ["file_id"], [(file_id,) for file_id in sorted({item.file_id for item in files})])
    findings.run_sql(store, "select.sql")
    findings.run_sql(store, "request_source.sql")
    apply_prices(store, source="request_source", target="request", book=book, priced_at=options.priced_at, as_of=options.as_of)
    totals: dict[str, Any] = findings.conservation(store, files) | findings.totals(store)
    tables = findings.tables(store, book, options.by)
    return Report(
        "audit", totals, tables, findings.warnings(store, totals, skipped),
        provenance={
            "costctl": __version__, "logs": [item.label for item in files], "formats": sorted({item.format_name for item in files}),
            "log_digests": [item.digest for item in files], "price_set": f"{book.dated.isoformat()} #{book.digest[:8]}",
            "tier_rules": rules.digest[:8], "worker_processes": workers,
            "status": dict.fromkeys(totals, "exact"),
            "not_computed": {"near_repeats": "needs the semantic cache of simulate", "prompt_cache_misses": "needs the prompt cache of simulate"},
        },
    )  # fmt: skip
