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
from costctl.formats import generic
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
    said = (*_unfound(store, options, sources), *warnings(store, read, tables))
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
    return Report("audit", read.totals, tables, tuple(reading_warnings(store, read, tables)), provenance)


def _unfound(store: Store, options: AuditOptions, sources: Sequence[Source]) -> list[Warning]:
    """A mapping that no record bears out is most likely misspelt."""
    said = []
    for name, places in generic.read_mapping(options.mapping).items():
        if name in SHOWN_BY and not store.scalar(f"SELECT count({SHOWN_BY[name]}) FROM request"):
            path = "|".join(".".join(place) for place in places)
            hint = f"what columns the log has: costctl formats check {quote(sources[0].label)}"
            said.append(Warning("W115", f"--map {name}={path}: no record has it", hint))
    return said
