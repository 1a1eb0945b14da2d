"""A log beside a usage or cost export of its provider: each dollar of difference by day and model, explained or not."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import median

from costctl.audit.explain import CAUSES, Cell, Explained, explain
from costctl.audit.ledger import ZERO, Invoice, LogSlice, log_slices, other_currencies, read_invoice
from costctl.audit.options import AuditOptions
from costctl.audit.read import reading_of
from costctl.audit.readings import Reading, request_count
from costctl.audit.unfinished import missing_pages
from costctl.errors import CostctlError, InputError
from costctl.formats import generic
from costctl.formats.ingest import ingest
from costctl.formats.local_dates import with_iso_dates
from costctl.formats.pool import Workers
from costctl.formats.sources import find_sources
from costctl.formats.told import FileCounts
from costctl.formats.workspace import create_tables
from costctl.money import ratio_display, usd_display
from costctl.prices.book import load_book
from costctl.prices.lint import own_doubts
from costctl.report import Report, Table, Value, Warning, counted
from costctl.store import Store, open_store
from costctl.tiers.rules import load_rules

TITLES = {
    "undated": "calls of the log without a date",
    "other_providers": "calls of the log to other providers",
    "time_zone": "days that begin in another time zone",
    "outside_period": "calls of the log outside the invoice's period",
    "own_rates": "billed at list, not at your rates",
    "failed_calls": "failed calls that were billed",
    "failed_unbilled": "failed calls that the invoice does not bill",
    "service_tier": "another service tier than the log's",
    "cached_tokens": "cached tokens priced differently",
    "prices": "other prices than those of the log",
    "unpriced": "calls of the log without price or counts",
    "log_lacks_calls": "calls that the log lacks",
    "invoice_lacks_calls": "calls that the invoice lacks",
    "other_items": "items of the invoice that are no model",
    "credits": "credits of the invoice",
    "rounding": "rounding of the invoice's amounts",
    "unexplained": "unexplained",
}
# Exports are read as logs are; the reader's words of a log, and what they mean for an invoice.
INVOICE_WORDS = (
    ("cannot read log:", "cannot read invoice:"), ("no log files in", "no invoice in"),
    ("unknown log format", "unknown invoice format"), ("--map ", "--invoice-map "),
    ("--log-format", "--invoice-format"),
)  # fmt: skip
NAMED_MAX = 3
OF_MONEY = "--invoice-map started_at=DATE --invoice-map request_model=MODEL --invoice-map logged_cost=AMOUNT_IN_USD"
# Words in the name of a column that say of which currency its amounts are.
_CURRENCIES = {
    "eur": "EUR", "euro": "EUR", "euros": "EUR", "€": "EUR", "gbp": "GBP", "£": "GBP", "chf": "CHF", "jpy": "JPY",
    "mxn": "MXN", "brl": "BRL", "cad": "CAD", "aud": "AUD", "inr": "INR", "cny": "CNY", "clp": "CLP", "cop": "COP",
}  # fmt: skip


def reconcile(logs: Sequence[str], invoices: Sequence[str], options: AuditOptions, asked: AuditOptions) -> Report:
    """Compare logs with exports; `options` say how the logs are read and priced, `asked` how the exports are read.

    Raises:
        CostctlError: for a log, an export, an option or a price file that cannot be used.
    """
    own = load_book(options.prices)
    listed = load_book(None) if options.prices else None
    with (
        tempfile.TemporaryDirectory(prefix="costctl-") as folder,
        open_store(Path(folder) / "reconcile.duckdb", threads=options.threads) as store,
    ):
        create_tables(store)
        key, spool = secrets.token_bytes(32), Path(folder) / "spool"
        files = _read(store, logs, options, key, spool / "log")
        billed = _read_exports(store, invoices, asked, key, spool / "invoice")
        store.make_room(sum(item.accepted for item in (*files, *billed)))
        slices, sum_count = log_slices(store, files, own, listed)
        if not slices:
            raise InputError("E191", "the log holds sums over requests, no requests",
                                 "name the log of the calls; the export belongs behind --invoice")  # fmt: skip
        invoice = read_invoice(store, billed, own, listed)
        currencies = other_currencies(store)
    if invoice is None:
        raise InputError("E192", "no row of the invoice has a date", "say where it is: --invoice-map started_at=...")
    if currencies:
        raise InputError("E193", f"the invoice is in {', '.join(currencies)}: only USD can be compared",
                         "export it in USD")  # fmt: skip
    found = explain(slices, invoice, has_own_rates=listed is not None)
    report = _report(found, invoice, slices, (files, billed))
    report = replace(report, warnings=(*report.warnings, *own_doubts(own)))
    if sum_count:
        text = f"{counted(sum_count, 'row of the log is a sum', 'rows of the log are sums')} over requests, on no side"
        report = replace(report, warnings=(*report.warnings, Warning("W296", text)))
    return report


def _read(
    store: Store, names: Sequence[str], options: AuditOptions, key: bytes, spool: Path, *, are_sums: bool = False
) -> list[FileCounts]:  # fmt: skip
    """Read files; with `are_sums`, the rows of a table with a mapping of the user's are sums, unless they have ids."""
    sources = find_sources(list(names), spool)
    if are_sums:
        sources = [with_iso_dates(source, spool) for source in sources]
    workers = Workers(sources, options.processes)
    try:
        reading = reading_of(options, load_rules(options.tier_rules), key)
        mapped = reading.log_format if are_sums and options.mapping else None
        if mapped is not None and "request_id" not in generic.read_mapping(options.mapping):
            reading = reading._replace(log_format=replace(mapped, constants={"is_aggregate": True}))
        files, _ = ingest(store, sources, reading, spool, options.progress, workers)
    finally:
        workers.stop()
    return files


def _read_exports(
    store: Store, names: Sequence[str], asked: AuditOptions, key: bytes, spool: Path
) -> list[FileCounts]:  # fmt: skip
    """Read the invoices; what is wrong with one is told of the invoice, with the options that are for it."""
    try:
        _refuse_other_currency(asked)
        return _read(store, names, asked, key, spool, are_sums=True)
    except CostctlError as error:
        for said, meant in INVOICE_WORDS:
            error.message, error.hint = error.message.replace(said, meant), error.hint.replace(said, meant)
        if error.code == "E121":
            error.hint += f"; of a table of money: {OF_MONEY}"
        raise


def _refuse_other_currency(asked: AuditOptions) -> None:
    """A column whose name says that its amounts are in another currency is not taken for dollars."""
    named = generic.read_mapping(asked.mapping)
    for path in () if "logged_currency" in named else named.get("logged_cost", ()):
        for word in re.findall(r"[^\W\d_]+|[€£]", re.sub(r"([a-z])([A-Z])", r"\1 \2", path[-1])):
            if word.lower() in _CURRENCIES:
                said = (
                    f"the invoice is in {_CURRENCIES[word.lower()]} by the name of {path[-1]}: only USD can be compared"
                )
                raise InputError("E193", said, "export it in USD; if it is in USD, give the column another name")


def _report(
    found: Explained, invoice: Invoice, slices: Sequence[LogSlice], files: tuple[list[FileCounts], list[FileCounts]]
) -> Report:  # fmt: skip
    log_usd = sum((piece.sums.usd.own for piece in slices), ZERO)
    invoice_usd = sum((cell.invoice_usd for cell in found.cells), ZERO)
    parts = {cause: sum((cell.parts.get(cause, ZERO) for cell in found.cells), ZERO) for cause in CAUSES}
    parts["undated"], parts["other_providers"] = -found.undated_usd, -found.others_usd
    assert sum(parts.values(), ZERO) == invoice_usd - log_usd, "the causes are not the difference"
    totals: dict[str, Value] = {
        "log_cost_usd": log_usd, "invoice_cost_usd": invoice_usd, "difference_usd": invoice_usd - log_usd,
        "explained_usd": invoice_usd - log_usd - parts["unexplained"], "unexplained_usd": parts["unexplained"],
        "log_request_count": sum(piece.sums.requests + piece.sums.failed for piece in slices),
        "invoice_row_count": sum(cell.invoice.rows + cell.beside_rows for cell in found.cells),
        "invoice_first_on": invoice.first_on.isoformat(), "invoice_last_on": invoice.last_on.isoformat(),
        "day_offset_hours": _hours(found.offset_minutes), "compared_count": found.compared_count,
        "matched_count": found.matched_count,
    }  # fmt: skip
    log_files, invoice_files = files
    tables = (_explanation(found, parts), _by_model(found), _by_day_model(found))
    provenance = {
        "logs": [item.label for item in log_files], "invoices": [item.label for item in invoice_files],
        "formats": sorted({item.format_name for item in log_files}),
        "invoice_formats": sorted({item.format_name for item in invoice_files}),
    }  # fmt: skip
    pages = missing_pages([(item.label, item.format_name) for item in invoice_files])
    said = (*pages, *_warnings(found, parts, invoice), *_unread(log_files, invoice_files))
    return Report("reconcile", totals, {table.name: table for table in tables}, said, provenance)


def _explanation(found: Explained, parts: dict[str, Decimal]) -> Table:
    """Each cause that moves money, in the order from the log's sum to the invoice's."""
    rows = []
    for cause in CAUSES:
        cells = [cell for cell in found.cells if cell.parts.get(cause)]
        if cells or parts[cause]:
            rows.append((cause, TITLES[cause], parts[cause], len(cells), _note(cause, found, cells)))
    return Table.of("explanation", ("cause", "title", "amount_usd", "cell_count", "note"), rows)


def _hours(minutes: int) -> int | float:
    """Hours, whole ones as a whole number."""
    return minutes // 60 if minutes % 60 == 0 else minutes / 60


def _zone(minutes: int) -> str:
    """A zone as people write it.

    >>> _zone(330), _zone(-300), _zone(-210)
    ('+5:30', '-5', '-3:30')
    """
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"


def _note(cause: str, found: Explained, cells: Sequence[Cell]) -> str:
    if cause == "time_zone":
        moved = sum((abs(cell.parts[cause]) for cell in cells), ZERO) / 2
        others = [_zone(one) for one in found.equal_offsets if one != found.offset_minutes]
        also = f" ({', '.join(others)} fit as well)" if others else ""
        zone = f"UTC{_zone(found.offset_minutes)}{also}"
        return f"the invoice's days are those of {zone}: {usd_display(moved)} on another day"
    if cause == "prices":
        shares = {reading.ratio for reading in found.readings.values() if reading.ratio != 1}
        said = ", ".join(f"{ratio_display(share)} of the log's prices" for share in sorted(shares))
        return said or "for the same tokens"
    if cause == "failed_calls":
        count = sum(cell.shifted.failed for cell in cells)
        return f"{counted(count, 'failed call', 'failed calls')} of the log, which it takes as not billed"
    if cause == "failed_unbilled":
        count = sum(cell.shifted.charged for cell in cells)
        return f"{counted(count, 'failed call', 'failed calls')} of the log with tokens, which it takes as billed"
    if cause == "service_tier":
        return f"the invoice bills {', '.join(sorted({tier for cell in cells for tier in cell.invoice.tiers}))}"
    if cause == "cached_tokens":
        return _cached(cells)
    if cause in {"other_items", "credits"}:
        return _beside(cause, cells)
    if cause in {"log_lacks_calls", "invoice_lacks_calls"}:
        return _missing(cells, found)
    if cause == "unexplained":
        worst = max(cells, key=lambda cell: abs(cell.parts[cause]))
        place = f"{worst.day or 'the whole period'}, {worst.model or 'no model'}"
        usual = median(cell.shifted.requests for cell in found.cells if cell.model == worst.model and cell.invoice.rows)
        calls = f"the log has {counted(worst.shifted.requests, 'call', 'calls')} there, usually {usual:g}"
        bare = sum(cell.shifted.failed_bare for cell in cells)
        failed = f"; what {counted(bare, 'failed call')} without counts would cost is unknown" if bare else ""
        return f"most of it {usd_display(worst.parts[cause])} on {place}; {calls}{failed}"
    return ""


def _cached(cells: Sequence[Cell]) -> str:
    """How many tokens were read from a cache, as each side that counts them says."""
    read = f"{counted(sum(cell.shifted.tokens.read for cell in cells), 'token')} of the log"
    told = [cell.invoice.tokens.read for cell in cells if cell.invoice.tokens is not None]
    both = f"{read}, {sum(told):,} of the invoice" if len(told) == len(cells) else read
    return f"{both} read from a cache"


def _beside(cause: str, cells: Sequence[Cell]) -> str:
    """Names and amounts of what is no call's, the largest first."""
    amounts: dict[str, Decimal] = {}
    for cell in cells:
        name = cell.model or "without a name"
        amounts[name] = amounts.get(name, ZERO) + cell.parts[cause]
    named = sorted(amounts.items(), key=lambda item: (-abs(item[1]), item[0]))
    rest = f" and {counted(len(named) - NAMED_MAX, 'more', 'more')}" if len(named) > NAMED_MAX else ""
    return ", ".join(f"{name} {usd_display(amount)}" for name, amount in named[:NAMED_MAX]) + rest


def _missing(cells: Sequence[Cell], found: Explained) -> str:
    """How many calls are missing, where both sides count them, and on which days."""
    days = sorted({str(cell.day) for cell in cells})
    where = f"on {', '.join(days[:3])}{' and other days' if len(days) > 3 else ''}"
    counts = [_request_difference(cell, found.readings.get(cell.model, Reading())) for cell in cells]
    known = [count for count in counts if count is not None]
    return f"{counted(abs(sum(known)), 'call')} {where}" if len(known) == len(counts) else where


def _request_difference(cell: Cell, reading: Reading) -> int | None:
    """Calls of the invoice less those of the log, where the invoice counts them."""
    if not cell.invoice.rows:
        return -request_count(cell.shifted, reading)
    if cell.invoice.requests is None:
        return None
    return cell.invoice.requests - request_count(cell.shifted, reading)


def _by_model(found: Explained) -> Table:
    columns = ("model", "log_cost_usd", "invoice_cost_usd", "difference_usd", "unexplained_usd", "reading")
    rows = []
    for model in sorted({cell.model for cell in found.cells}, key=lambda name: name or ""):
        cells = [cell for cell in found.cells if cell.model == model]
        log_usd = sum((cell.log.usd.own for cell in cells), ZERO)
        billed = sum((cell.invoice_usd for cell in cells), ZERO)
        rest = sum((cell.parts.get("unexplained", ZERO) for cell in cells), ZERO)
        rows.append((model, log_usd, billed, billed - log_usd, rest, _said(found.readings.get(model), cells)))
    rows.sort(key=lambda row: (-abs(row[3]), row[0] or ""))
    return Table.of("by_model", columns, rows)


def _said(reading: Reading | None, cells: Sequence[Cell]) -> str:
    """The reading of the log with which the invoice agrees, in words."""
    if reading is None:
        if all(cell.parts.get("other_items") is not None for cell in cells):
            return "no model"
        return "a credit" if any(cell.beside_rows for cell in cells) else "not in the invoice"
    words = (
        ("billed at list", reading.is_list), ("cached tokens at the price of input", reading.is_full),
        ("failed calls billed", reading.is_failed_billed), ("failures not billed", reading.is_failed_free),
        ("another tier", any(cell.parts.get("service_tier") for cell in cells)),
        (f"{ratio_display(reading.ratio)} of the price", reading.ratio != 1),
    )  # fmt: skip
    return ", ".join(word for word, holds in words if holds) or "as logged"


def _by_day_model(found: Explained) -> Table:
    columns = (
        "on_day", "model", "log_cost_usd", "invoice_cost_usd", "difference_usd", "log_request_count",
        "log_failed_count", "invoice_request_count", "log_input_tokens", "invoice_input_tokens",
        "log_cache_read_tokens", "invoice_cache_read_tokens", "log_output_tokens", "invoice_output_tokens",
        *(f"{cause}_usd" for cause in CAUSES[2:]),
    )  # fmt: skip
    rows = [
        (
            None if cell.day is None else cell.day.isoformat(), cell.model, cell.log.usd.own, cell.invoice_usd,
            cell.difference_usd, cell.shifted.requests, cell.shifted.failed, cell.invoice.requests,
            cell.shifted.tokens.input, cell.invoice.tokens.input if cell.invoice.tokens else None,
            cell.shifted.tokens.read, cell.invoice.tokens.read if cell.invoice.tokens else None,
            cell.shifted.tokens.output, cell.invoice.tokens.output if cell.invoice.tokens else None,
            *(cell.parts.get(cause, ZERO) for cause in CAUSES[2:]),
        )
        for cell in found.cells
    ]  # fmt: skip
    return Table.of("by_day_model", columns, rows)


def _unread(*sides: Sequence[FileCounts]) -> list[Warning]:
    """Files with records that were not understood, and are therefore on no side."""
    return [
        Warning("W295", f"{item.label}: {counted(item.rejected, 'record was', 'records were')} not understood",
                f"costctl formats check {item.label}")
        for side in sides for item in side if item.rejected
    ]  # fmt: skip


def _warnings(found: Explained, parts: dict[str, Decimal], invoice: Invoice) -> tuple[Warning, ...]:
    said = []
    if invoice.undated_count:
        rows = counted(invoice.undated_count, "row of the invoice has", "rows of the invoice have")
        said.append(Warning("W294", f"{rows} no date, and stand on no side"))
    if any(cell.day is None for cell in found.cells):
        said.append(Warning("W290", "the invoice has sums over more than a day: compared over its whole period"))
    if found.compared_count and not found.alike_count:
        said.append(Warning("W291", "no day and model of both sides agrees: is it the invoice of this log?",
                            "costctl formats check FILE says what each of them holds"))  # fmt: skip
    # A price gives an amount to counts, and to nothing else.
    bare_cells = [cell for cell in found.cells if cell.invoice.billed_usd is None and cell.invoice.usd is None]
    unpriced = [cell for cell in bare_cells if cell.invoice.tokens is not None]
    unvalued = sum(cell.invoice.rows for cell in unpriced)
    if unvalued:
        rows = counted(unvalued, "row of the invoice has", "rows of the invoice have")
        said.append(Warning("W292", f"{rows} neither an amount nor a price of ours: taken as nothing",
                            "give a price: --prices rates.yaml"))  # fmt: skip
    has_amounts = any(cell.invoice.billed_usd is not None for cell in found.cells)
    bare = sum(cell.invoice.unvalued for cell in found.cells
               if cell not in unpriced and (has_amounts or cell.invoice.tokens is None))  # fmt: skip
    if bare:
        rows = counted(bare, "row of the invoice has", "rows of the invoice have")
        said.append(Warning("W297", f"{rows} no amount that can be read: left out of its sums"))
    if parts["unpriced"]:
        text = "calls without a price or without token counts are billed: their cost in the log is unknown"
        said.append(Warning("W293", text, "costctl audit LOG says which, and what to do"))
    return tuple(said)


def as_invoice(options: AuditOptions, mapping: tuple[str, ...], log_format: str | None) -> AuditOptions:
    """How the invoice is read: with its own mapping and format, and otherwise as the logs are."""
    return replace(options, mapping=mapping, log_format=log_format, cached_in_input=None, is_day_first=None)
