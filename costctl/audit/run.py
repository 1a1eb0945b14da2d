"""One audit: find the files, answer from memory where nothing changed, else read and compute."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.audit.options import WORKSPACE, AuditOptions
from costctl.errors import CostctlError, ExitCode, InputError
from costctl.formats.build import build
from costctl.formats.pool import Workers
from costctl.formats.sources import Reader, Source, find_sources, quick_identity
from costctl.formats.workspace import create_tables, holds_all
from costctl.prices.place import pricing_folder
from costctl.report import Report, freeze, thaw
from costctl.tiers.place import DEFAULT_RULES

if TYPE_CHECKING:
    from costctl.store import Store


@contextmanager
def audited_store(logs: Sequence[str], options: AuditOptions) -> Iterator[tuple[Store, Report]]:
    """The workspace with the tables of these logs, or of the log audited last where none is named, and their report.

    It is held from the reading of the logs to the end, so that no other command can audit another log there meanwhile.

    Raises:
        CostctlError: as `read_logs`; E162 where nothing was audited here yet.
    """
    with _answered(logs, options, has_findings=False) if logs else _audited_last(options) as (store, report):
        store.begin_anew()
        yield store, report


def audit(logs: Sequence[str], options: AuditOptions) -> Report:
    """Read the logs (or what the workspace knows of them) and report on exactly them.

    Raises:
        CostctlError: for a log, a rule file or a price file that cannot be used.
    """
    with _answered(logs, options, has_findings=True) as (_, report):
        return report


def read_logs(logs: Sequence[str], options: AuditOptions) -> Report:
    """As `audit`, for a command that asks the tables itself: no findings, unless they are known already.

    Raises:
        CostctlError: as `audit`.
    """
    with _answered(logs, options, has_findings=False) as (_, report):
        return report


@contextmanager
def _answered(logs: Sequence[str], options: AuditOptions, *, has_findings: bool) -> Iterator[tuple[Store, Report]]:
    """The workspace, open and with the tables of these logs, and the report on them."""
    database = options.database
    spool = database.parent / "tmp" / f"run-{os.getpid()}"
    key = prepare_workspace(database)
    with ExitStack() as opened:
        with ExitStack() as reading:  # what ends with the reading: the spooled input and the processes that import
            reading.callback(shutil.rmtree, spool, ignore_errors=True)
            missing: list[InputError] = []
            sources = find_sources(list(logs), spool, missing)
            workers = Workers(sources, options.processes)
            reading.callback(workers.stop)
            if not database.exists():
                workers.start()  # nothing is remembered: they import while this process does
            from costctl.store import open_store  # noqa: PLC0415  (the engine: as above)

            store = opened.enter_context(open_store(database, threads=options.threads))
            report = _report(store, sources, spool, key, options, workers, has_findings=has_findings)
        yield store, _with_missing(report, missing)


def _report(
    store: Store, sources: Sequence[Source], spool: Path, key: bytes, options: AuditOptions, workers: Workers, *,
    has_findings: bool,
) -> Report:  # fmt: skip
    """What is remembered of these sources, else what reading them gives."""
    rows, findings = _rows_asked(sources, options), _findings_asked(options) if has_findings else ""
    create_tables(store)
    remembered = _remembered(store, rows, findings)
    if remembered is not None:
        return remembered
    if not holds_all(store, sources):
        workers.start()
    from costctl.audit.compute import compute, compute_reading  # noqa: PLC0415  (heavy: while workers start)

    made = compute if has_findings else compute_reading
    report = made(store, sources, spool, key, options, workers)
    store.execute(
        "INSERT INTO last_report VALUES ($rows, $findings, $report)",
        {"rows": rows, "findings": findings, "report": freeze(report)},
    )
    return report


def _with_missing(report: Report, missing: Sequence[InputError]) -> Report:
    """The report with what else was asked for, which is no fact of the files that were read and is not remembered."""
    if not missing:
        return report
    from costctl.audit.notes import missing_logs  # noqa: PLC0415  (heavy, as what computes the report)

    return replace(report, warnings=(*missing_logs(missing), *report.warnings))


@contextmanager
def _audited_last(options: AuditOptions) -> Iterator[tuple[Store, Report]]:
    """The workspace, open, and the report of the log that was audited last in it.

    Raises:
        CostctlError: E162 where there is none.
    """
    from costctl.store import open_store  # noqa: PLC0415  (as in `_answered`)

    nothing = CostctlError(
        "E162", "nothing was audited here yet", "name a log, or first: costctl audit LOG", ExitCode.INPUT
    )
    if not options.database.exists():
        raise nothing
    with open_store(options.database, threads=options.threads) as store:
        if not store.holds("last_report"):
            raise nothing
        told = store.query("SELECT report FROM last_report")
        if not told:
            raise nothing
        yield store, thaw(told[0][0])


def logs_of(report: Report) -> list[str]:
    """The names of the logs that an audit read."""
    names: object = report.provenance.get("logs", [])
    return [str(name) for name in names] if isinstance(names, list) else []


def reader_of(options: AuditOptions) -> Reader:
    """How the logs of a workspace may be read again."""
    database = options.database
    spool = database.parent / "tmp" / f"run-{os.getpid()}"
    return Reader(prepare_workspace(database), spool, options.processes, options.embedding)


def prepare_workspace(database: Path) -> bytes:
    """The folder of the workspace (0700, ignored by git) and its hash key."""
    folder = database.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.name == WORKSPACE.name:
        (folder / ".gitignore").write_text("*\n", "utf-8")
    secret = folder / f"{database.stem}.key"
    if not secret.exists():
        # Written aside and linked, so that of two processes one wins and both read a whole key.
        own = folder / f".{secrets.token_hex(8)}.key"
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(own, secret)
        own.unlink()
    return secret.read_bytes()


def _rows_asked(sources: Sequence[Source], options: AuditOptions) -> str:
    """A digest of everything that the rows depend on: files, how they are read, prices, rules, version."""
    digest = hashlib.sha256(build().encode())
    for source in sources:
        digest.update(f"{source.label}\0{quick_identity(source.path)}\n".encode())
    said = (
        options.log_format,
        options.mapping,
        options.cached_in_input,
        options.is_day_first,
        options.priced_at,
        options.as_of,
    )
    digest.update(repr(said).encode())
    for path in (*sorted(pricing_folder().rglob("*.*")), DEFAULT_RULES, options.tier_rules, options.prices):
        if path is not None:  # a file of the user's that is not there is another question than none
            digest.update(path.name.encode() + (path.read_bytes() if path.is_file() else b"\0not there"))
    for text in options.mapping:
        if Path(text).is_file():
            digest.update(Path(text).read_bytes())
    return digest.hexdigest()


def _findings_asked(options: AuditOptions) -> str:
    """A digest of what the findings depend on beside the rows; never empty, as that stands for none."""
    said = (
        options.by, options.token_budgets, options.latency_budgets, options.has_near_repeats, options.embedding,
        options.has_charges,
    )  # fmt: skip
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _remembered(store: Store, rows: str, findings: str) -> Report | None:
    """The report of the last run, if it is of the same rows and has the findings; whichever where none are asked."""
    found = store.query(
        "SELECT report FROM last_report WHERE rows_asked = $rows AND ($findings = '' OR findings_asked = $findings)",
        {"rows": rows, "findings": findings},
    )
    return thaw(found[0][0]) if found else None
