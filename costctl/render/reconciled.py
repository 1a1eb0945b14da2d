"""The screen of `costctl reconcile`: from the log's sum to the invoice's, cause by cause."""

from __future__ import annotations

from typing import Any

from costctl.money import usd_display
from costctl.render.cells import safe
from costctl.report import Report, counted

AMOUNT_CHARS = 12


def reconciled(report: Report, width: int) -> list[str]:
    """The lines above the table by model."""
    total: Any = report.totals
    names: Any = report.provenance
    log, invoice = (safe(", ".join(names[key]), width - 28) for key in ("logs", "invoices"))
    agree = (
        f"{total['matched_count']:,} of {counted(total['compared_count'], 'day and model', 'days and models')} agree"
    )
    lines = [
        f"costctl reconcile   {log}",
        f"          invoice   {invoice}",
        f"{total['invoice_first_on']} .. {total['invoice_last_on']}   {agree}, read as said below",
        "",
        f"  {_amount(total['log_cost_usd'])}  the log: {counted(total['log_request_count'], 'call', 'calls')}",
    ]
    for row in report.tables["explanation"].dicts():
        note = f": {safe(str(row['note']), 200)}" if row["note"] else ""
        lines.append(f"  {_amount(row['amount_usd'], is_change=True)}  {row['title']}{note}")
    rows = counted(total["invoice_row_count"], "row", "rows")
    return [*lines, f"  {_amount(total['invoice_cost_usd'])}  the invoice: {rows}"]


def _amount(value: Any, *, is_change: bool = False) -> str:
    sign = "+" if is_change and value > 0 else ""
    return f"{sign + usd_display(value):>{AMOUNT_CHARS}}"
