"""The commands. Each parses, calls one function, and hands its report to `emit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.output import Form, emit

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Cost audit of LLM request logs: exact, offline, private.",
)  # fmt: skip

Logs = Annotated[list[str], typer.Argument(help="Files, folders, globs, or - for standard input.")]
Output = Annotated[Form, typer.Option("--output", envvar="COSTCTL_OUTPUT", help="table, json, csv or markdown.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of standard output.")]
Db = Annotated[Path | None, typer.Option("--db", envvar="COSTCTL_DB", help="Workspace database; default .costctl/costctl.duckdb.")]


@app.callback()
def costctl() -> None:
    """Cost audit of LLM request logs: exact, offline, private."""


@app.command()
def audit(
    logs: Logs,
    by: Annotated[list[str] | None, typer.Option("--by", help="Further dimensions: endpoint, user, team, day, token_class ...")] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="Read every file as this format.")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="field=column, dotted paths allowed; repeatable.")] = None,
    cached_in_input: Annotated[bool | None, typer.Option("--cached-in-input/--cached-outside-input", help="Whether input counts include cached tokens.")] = None,
    tier_rules: Annotated[Path | None, typer.Option("--tier-rules", envvar="COSTCTL_TIER_RULES", help="Your own tier rules (YAML).")] = None,
    prices: Annotated[Path | None, typer.Option("--prices", envvar="COSTCTL_PRICES", help="Your own rates (YAML).")] = None,
    priced_at: Annotated[str | None, typer.Option("--priced-at", help="Date for requests that carry none.")] = None,
    prices_as_of: Annotated[str | None, typer.Option("--prices-as-of", help="Price the whole log at this day's list.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", envvar="COSTCTL_THREADS", min=1, help="Threads and worker processes.")] = None,
    db: Db = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Where did the money go, and how much of it was waste?"""
    from costctl.audit.findings import parse_day  # noqa: PLC0415
    from costctl.audit.run import AuditOptions, audit as run_audit  # noqa: PLC0415
    from costctl.prices.book import instant_utc  # noqa: PLC0415

    options = AuditOptions(
        log_format, tuple(mapping or ()), cached_in_input, tier_rules, prices,
        instant_utc(parse_day(priced_at)) if priced_at else None, instant_utc(parse_day(prices_as_of)) if prices_as_of else None,
        tuple(by or ()), db, threads, _progress if sys.stderr.isatty() else _silent,
    )  # fmt: skip
    emit(run_audit(logs, options), output, out)


def _silent(label: str, done: int, size: int) -> None:
    """No progress where nobody watches."""


def _progress(label: str, done: int, size: int) -> None:
    percent = min(done * 100 // max(size, 1), 100)
    sys.stderr.write(f"\rreading {percent:3d} %" if done < size else "\r" + " " * 20 + "\r")


@app.command()
def rejects(db: Db = None, output: Output = Form.TABLE, out: Out = None) -> None:
    """Which records of the last audit were not understood, where and why?"""
    from costctl.audit.queries import rejected_records  # noqa: PLC0415

    emit(rejected_records(db), output, out)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the tables of the last audit, such as request.")],
    db: Db = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Ask the last audit anything, read-only."""
    from costctl.audit.queries import select  # noqa: PLC0415

    emit(select(statement, db), output, out)


@app.command()
def doctor(output: Output = Form.TABLE, out: Out = None) -> None:
    """What is installed, which prices are used, and what touches the network (nothing)."""
    from costctl.audit.queries import environment  # noqa: PLC0415

    emit(environment(), output, out)
