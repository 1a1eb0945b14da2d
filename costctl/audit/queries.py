"""Small questions to the workspace of the last audit."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from costctl import __version__
from costctl.audit import pages
from costctl.audit.carried import FEATURES, Feature, computable, listed
from costctl.audit.options import WORKSPACE
from costctl.errors import CostctlError, ExitCode
from costctl.formats.profile import CARRIES as PROFILE_CARRIES
from costctl.formats.profile import NAME as PROFILE
from costctl.formats.profile import TITLE as PROFILE_TITLE
from costctl.formats.registry import FORMATS
from costctl.prices.book import load_book
from costctl.report import Report, Table
from costctl.store import Store, open_store

# What was noted of files while they were read, whichever audit read them.
OF_FILES = ("rejected_record", "ignored_record")
TOLD_OF_MERGED = (
    "source_line", "request_id", "started_at", "request_model", "response_model", "input_uncached_tokens",
    "cache_read_tokens", "output_tokens", "status", "logged_cost",
)  # fmt: skip


def opened(db: Path | None, *, hint: str = "first: costctl audit LOG") -> Store:
    """The workspace of the last audit, read-only and locked; `hint` is what a command needs to have run before it.

    Raises:
        CostctlError: E162 where nothing was audited.
    """
    database = db or WORKSPACE / "costctl.duckdb"
    if not database.exists():
        raise CostctlError("E162", "nothing was audited here yet", hint, ExitCode.INPUT)
    store = open_store(database, read_only=True)
    store.lock()
    return store


def rejected_records(db: Path | None) -> Report:
    """Every refused record of the last audit: file, line, byte offset, reason; never its text."""
    with opened(db) as store:
        found = pages.table(store, "rejected", "rejected_records.sql")
    return Report("rejects", {"rejected_count": len(found.rows)}, {"rejected": found})


def priced_models(db: Path | None) -> list[str]:
    """The priced models of the last audit, cheapest first by three parts of input to one of output."""
    with opened(db) as store:
        return [name for (name,) in store.query("SELECT price_key FROM model_class ORDER BY blended_usd, price_key")]


def select(statement: str, db: Path | None) -> Report:
    """One SELECT on the read-only, locked workspace.

    Raises:
        CostctlError: E180 for anything else than one SELECT.
    """
    with opened(db) as store:
        _refuse_half_an_audit(store)
        if not store.is_single_select(statement):
            raise CostctlError(
                "E180",
                "only one SELECT is allowed here",
                "tables: request, anatomy_row, rejected_record, merged_record",
            )
        # The workspace remembers every file it read; `workspace.main.rejected_record` still has them all.
        for name in OF_FILES:
            store.execute(
                f"CREATE TEMP VIEW {name} AS SELECT * FROM workspace.main.{name} "
                "WHERE file_id IN (SELECT file_id FROM workspace.main.report_file)"
            )
        _show_merged(store)
        columns, rows = store.answer(statement)
    return Report("sql", {"row_count": len(rows)}, {"rows": Table.of("rows", columns, rows)})


def _refuse_half_an_audit(store: Store) -> None:
    """An audit that was refused leaves a workspace without tables, or with those of an earlier log."""
    if not store.holds("last_report") or not store.scalar("SELECT count(*) FROM last_report"):
        raise CostctlError(
            "E162",
            "the last audit here was refused",
            "see why: costctl rejects; then costctl audit LOG",
            ExitCode.INPUT,
        )


def _show_merged(store: Store) -> None:
    """Make the view `merged_record`: each record that counts with another one, with its file and line."""
    sums = store.holds("usage_aggregate")
    kept = " UNION ALL ".join(
        f"SELECT file_id, source_line FROM {name}" for name in ("request", *(("usage_aggregate",) if sums else ()))
    )
    told = ", ".join(f"'{name}'" for name in TOLD_OF_MERGED)
    store.execute(
        f"CREATE TEMP VIEW merged_record AS SELECT s.label AS source_file, COLUMNS(lambda name: name IN ({told})) "
        f"FROM attempt a ANTI JOIN ({kept}) k USING (file_id, source_line) JOIN source_file s USING (file_id) "
        "WHERE file_id IN (SELECT file_id FROM workspace.main.report_file)"
    )


def known_formats() -> Report:
    """Every format that is read, most specific first, what a log in it carries, and what can be computed of that."""
    of_profile = tuple(computable((*PROFILE_CARRIES, "text"), has_texts=False))  # what is known of the texts stays
    known: list[tuple[str, str, Sequence[str], Sequence[Feature]]] = [
        (PROFILE, PROFILE_TITLE, PROFILE_CARRIES, of_profile)
    ]
    known += [
        (item.name, item.title, item.carries, tuple(computable(item.carries, item.lacks, are_sums=item.are_sums)))
        for item in FORMATS
    ]
    tables = (
        Table.of("formats", ("format", "title", "carries", "computes"),
                 [(name, title, ", ".join(carries), listed(found)) for name, title, carries, found in known]),
        Table.of("features", ("format", "command", "feature", "works"),
                 [(name, feature.command, feature.name, "yes" if feature in found else "no")
                  for name, _, _, found in known for feature in FEATURES if feature.short]),
    )  # fmt: skip
    return Report("formats", {"format_count": len(known)}, {table.name: table for table in tables})


def environment() -> Report:
    """Versions, price set and network use."""
    rows = [("costctl", __version__), ("python", platform.python_version())]
    for name in (
        "duckdb",
        "polars",
        "orjson",
        "typer",
        "tiktoken",
        "scikit-learn",
        "numba",
        "wordllama",
        "genai-prices",
    ):
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            rows.append((name, "not installed (optional)"))
    book = load_book()
    rows += [
        ("price set", f"{book.dated} #{book.digest[:8]}"),
        ("priced models", str(len(book.model_keys()))),
        ("network", "never used, except by prices update"),
    ]
    return Report("doctor", {}, {"environment": Table.of("environment", ["what", "value"], rows)})
