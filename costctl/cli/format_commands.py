"""The commands about formats: which there are, and what a file is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from costctl.cli.options import Agents, CachedInInput, DayFirst, Logs, Maps, Out, Output, named_logs, yes_or_no
from costctl.cli.output import Form, check_target, emit, write_text
from costctl.cli.progress import progress
from costctl.errors import ExitCode

formats_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="Which logs are read, and what does each carry?"
)


@formats_app.callback()
def formats(context: typer.Context, output: Output = Form.TABLE, out: Out = None) -> None:
    """Which logs are read, and what does each carry?"""
    if context.invoked_subcommand is not None:
        return
    from costctl.audit.queries import known_formats  # noqa: PLC0415

    emit(known_formats(), output, out)


@formats_app.command("check")
def formats_check(
    logs: Logs = None,
    agents: Agents = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="Read every file as this format.")] = None,
    mapping: Maps = None,
    cached_in_input: CachedInInput = None,
    day_first: DayFirst = None,
    is_only_mapping: Annotated[
        bool, typer.Option("--mapping", help="Print only the proposed mapping, as a file for --map.")
    ] = False,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """What is this file, why, and what can be done with it?"""
    from costctl.audit.format_check import check_files, is_nothing_recognised, proposed_mapping  # noqa: PLC0415
    from costctl.audit.options import AuditOptions  # noqa: PLC0415

    names = named_logs(logs, agents)
    if out is not None:
        check_target(out, names)
    options = AuditOptions(
        log_format,
        tuple(mapping or ()),
        yes_or_no(cached_in_input),
        progress=progress(),
        is_day_first=yes_or_no(day_first, "--day-first"),
    )
    report = check_files(names, options)
    if not is_only_mapping:
        emit(report, output, out)
    elif out is None:
        sys.stdout.write(proposed_mapping(report))
    else:
        write_text(proposed_mapping(report), out)
    if is_nothing_recognised(report):
        raise typer.Exit(ExitCode.INPUT)
