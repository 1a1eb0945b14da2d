"""What is told of a log that was read: every finding, or only how the reading went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from costctl.audit import findings, pages
from costctl.audit.aggregates import NAME as AGGREGATES
from costctl.audit.aggregates import aggregates
from costctl.audit.budgets import parse_latency_budget, parse_token_budget
from costctl.audit.notes import reading_warnings, warnings
from costctl.audit.options import AuditOptions
from costctl.audit.read import read_log
from costctl.formats import detect, generic, sums
from costctl.formats.pool import Workers
from costctl.formats.sources import Reader, Source
from costctl.report import Report, Warning
from costctl.request import COLUMNS
from costctl.store import Store

# A mapped field under the name of the column that shows whether it was found.
SHOWN_BY = {column.name: column.name for column in COLUMNS} | {"input_tokens": "input_uncached_tokens"}

# The tables that say what of a log is not in its requests.
OF_READING = ("rejected", "ignored", "unread")


def compute(
    store: Store, sources: Sequence[Source], spool: Path, key: bytes, options: AuditOptions, workers: Workers
) -> Report:
    """Read what the workspace does not know yet and compute every finding anew.

    Raises:
        CostctlError: for an option, a log, a rule file or a price file that cannot be used.
    """
    findings.check_dimensions(options.by)
    wanted = findings.Wanted(
        options.by,
        [parse_token_budget(text) for text in options.token_budgets],
        [parse_latency_budget(text) for text in options.latency_budgets],
        options.priced_at,
        options.as_of,
        options.has_charges,
        Reader(key, spool, options.processes, options.embedding) if options.has_near_repeats else None,
    )
    read = read_log(store, sources, spool, key, options, workers)
    store.lock()  # what only looks needs no file and no setting
    tables, missing = findings.tables(store, read.book, wanted)
    if read.has_aggregates:
        tables[AGGREGATES] = aggregates(store)
    provenance = {**read.provenance, "not_computed": {**read.not_computed, **missing}}
    said = (
        *_unfound(store, options, sources),
        *_perhaps_sums(store, options, sources),
        *warnings(store, read, tables),
    )
    return Report("audit", read.totals, tables, said, provenance)


def compute_reading(
    store: Store, sources: Sequence[Source], spool: Path, key: bytes, options: AuditOptions, workers: Workers
) -> Report:
    """As `compute`, without the findings: the totals, and what was lost or is in doubt of the records themselves.

    Of the tables only those that say so.

    Raises:
        CostctlError: as `compute`.
    """
    read = read_log(store, sources, spool, key, options, workers)
    tables = {name: pages.table(store, name) for name in OF_READING}
    provenance = {**read.provenance, "not_computed": read.not_computed}
    said = (*_perhaps_sums(store, options, sources), *reading_warnings(store, read, tables))
    return Report("audit", read.totals, tables, said, provenance)


def _unfound(store: Store, options: AuditOptions, sources: Sequence[Source]) -> list[Warning]:
    """A mapping that no record bears out is most likely misspelt; sums over requests are records as well."""
    mapping = generic.read_mapping(options.mapping)
    if not mapping:
        return []
    has_sums = store.holds("usage_aggregate")
    tables = ("request", "usage_aggregate") if has_sums else ("request",)
    said = []
    for name, places in mapping.items():
        shown_by = None if places == generic.NO_COUNT_OF_REQUESTS else SHOWN_BY.get(name)
        if shown_by and not any(store.scalar(f"SELECT count({shown_by}) FROM {table}") for table in tables):
            path = "|".join(".".join(place) for place in places)
            hint = f"what columns the log has: costctl formats check {quote(sources[0].label)}"
            said.append(Warning("W115", f"--map {name}={path}: no record has it", hint))
    return said


def _perhaps_sums(store: Store, options: AuditOptions, sources: Sequence[Source]) -> list[Warning]:
    """Logs whose rows are read as one request each though a column of them seems to count requests."""
    mapping = generic.read_mapping(options.mapping)
    log_format = generic.mapped(mapping) if mapping else generic.FORMAT
    names = store.query("SELECT label, format_name FROM source_file WHERE file_id IN (SELECT file_id FROM report_file)")
    usual = {label for label, name in names if name == generic.FORMAT.name}
    said = []
    for source in sources:
        path = sums.doubtful(log_format, detect.sample_of(source)) if source.label in usual else None
        if path is not None:
            column = generic.written_path(path)
            text = (
                f"{source.label}: {column} seems to count requests, and each row is read as one request: if rows are "
                "sums, their size, tiers and prices of long prompts are wrong"
            )
            yes, no = (f"--map {quote(f'{sums.FIELD}={place}')}" for place in (column, "none"))
            said.append(Warning("W136", text, f"if rows are sums: {yes}; if each is one request: {no}"))
    return said
