"""The command that holds a log against an invoice."""

from __future__ import annotations

from typing import Annotated

import typer

from costctl.cli.options import CachedInInput, DayFirst, Logs, Maps, Out, Output, Prices, named_logs, yes_or_no
from costctl.cli.output import Form, check_target, emit
from costctl.cli.progress import progress


def reconcile(
    logs: Logs = None,
    invoice: Annotated[
        list[str] | None,
        typer.Option("--invoice", metavar="FILE", help="A usage or cost export of the provider. Repeatable."),
    ] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="Read every log as this format.")] = None,
    mapping: Maps = None,
    invoice_format: Annotated[
        str | None, typer.Option("--invoice-format", help="Read every export as this format (see costctl formats).")
    ] = None,
    invoice_map: Annotated[
        list[str] | None,
        typer.Option(
            "--invoice-map",
            help="field=column of the export, as --map is of the log; its dollars are logged_cost. Repeatable.",
        ),
    ] = None,
    cached_in_input: CachedInInput = None,
    day_first: DayFirst = None,
    prices: Prices = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Does the provider's invoice agree with the log, and if not, why?"""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.reconcile import as_invoice  # noqa: PLC0415
    from costctl.audit.reconcile import reconcile as compared  # noqa: PLC0415

    names = named_logs(logs, None)
    if not invoice:
        raise typer.BadParameter("name the provider's export", param_hint="--invoice")
    if out is not None:
        check_target(out, [*names, *invoice])
    options = AuditOptions(
        log_format,
        tuple(mapping or ()),
        yes_or_no(cached_in_input),
        prices=prices,
        progress=progress(),
        is_day_first=yes_or_no(day_first, "--day-first"),
    )
    asked = as_invoice(options, tuple(invoice_map or ()), invoice_format)
    emit(compared(names, invoice, options, asked), output, out)
