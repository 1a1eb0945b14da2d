"""The commands. Each parses, calls one function, and hands its report to `emit`."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from costctl.cli.export_commands import export_config
from costctl.cli.format_commands import formats_app
from costctl.cli.gate_commands import diff, gate
from costctl.cli.learn_commands import calibrate, train_router
from costctl.cli.options import (
    Agents,
    AuditOutput,
    CachedInInput,
    DayFirst,
    Db,
    Embedding,
    Logs,
    Maps,
    Out,
    Output,
    Prices,
    named_logs,
    yes_or_no,
)  # fmt: skip
from costctl.cli.output import Form, check_target, emit
from costctl.cli.price_commands import estimate, models, prices_app
from costctl.cli.profile_commands import profile
from costctl.cli.progress import progress
from costctl.cli.reconcile_commands import reconcile
from costctl.cli.simulate_commands import explain_request, policy_app, simulate

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Cost audit of LLM request logs: exact, offline, private.",
)  # fmt: skip


@cache
def group() -> Any:
    """All commands, made once: it takes longer than some of them."""
    return typer.main.get_command(app)


def option_names() -> dict[str, dict[str, str]]:
    """The options that each command takes from a settings file, as their flags are called, with their parameters."""
    return {name: _settable(command) for name, command in group().commands.items()}


def _settable(command: Any) -> dict[str, str]:
    """`--near-repeats` is near_repeats; the name of its parameter does as well.

    A group's params are none, as its commands take no setting.
    """
    found: dict[str, str] = {}
    for one in command.params:
        if one.param_type_name == "option" and one.name not in {"help", "out"}:
            flags = [flag.removeprefix("--").replace("-", "_") for flag in one.opts if flag.startswith("--")]
            found |= dict.fromkeys((one.name, *flags), one.name)
    return found


def option_variables() -> set[str]:
    """The environment variables that are read."""
    commands = group().commands
    found = {p.envvar for command in commands.values() for p in command.params if isinstance(p.envvar, str)}
    return found | {"COSTCTL_MEMORY_MB"}


@app.callback()
def costctl() -> None:
    """Cost audit of LLM request logs: exact, offline, private."""


@app.command()
def audit(
    logs: Logs = None,
    agents: Agents = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", help="A further dimension: endpoint, user, team, day, ... Repeatable.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="Read every file as this format (see costctl formats).")
    ] = None,
    mapping: Maps = None,
    cached_in_input: CachedInInput = None,
    day_first: DayFirst = None,
    tier_rules: Annotated[
        Path | None, typer.Option("--tier-rules", envvar="COSTCTL_TIER_RULES", help="Your own tier rules (YAML).")
    ] = None,
    prices: Prices = None,
    priced_at: Annotated[
        str | None, typer.Option("--priced-at", help="Day at whose prices undated requests are priced.")
    ] = None,
    prices_as_of: Annotated[
        str | None, typer.Option("--prices-as-of", help="Price the whole log at this day's list.")
    ] = None,
    token_budget: Annotated[
        list[str] | None,
        typer.Option("--token-budget", help="Tokens a day: endpoint=/chat:5M, user_profile=free:20k. Repeatable."),
    ] = None,
    slo: Annotated[
        list[str] | None, typer.Option("--slo", help="p95 latency budget of an endpoint: /chat=3s. Repeatable.")
    ] = None,
    has_near_repeats: Annotated[
        bool,
        typer.Option("--near-repeats", help="Compare prompts: what a semantic cache would have served, and wrongly."),
    ] = False,
    embedding: Embedding = None,
    threads: Annotated[
        int | None, typer.Option("--threads", envvar="COSTCTL_THREADS", min=1, help="Threads and processes.")
    ] = None,
    db: Db = None,
    output: AuditOutput = Form.TABLE,
    out: Out = None,
) -> None:
    """Where did the money go, and how much of it was waste?"""
    from costctl.audit.options import AuditOptions, midnight  # noqa: PLC0415
    from costctl.audit.run import audit as run_audit  # noqa: PLC0415

    options = AuditOptions(
        log_format, tuple(mapping or ()), yes_or_no(cached_in_input), tier_rules, prices, midnight(priced_at),
        midnight(prices_as_of), tuple(by or ()), tuple(token_budget or ()), tuple(slo or ()), has_near_repeats,
        output == Form.FOCUS, embedding, db, threads, progress(), is_day_first=yes_or_no(day_first, "--day-first"),
    )  # fmt: skip
    names = named_logs(logs, agents)
    if out is not None:
        check_target(out, names)
    emit(run_audit(names, options), output, out)


@app.command()
def rejects(db: Db = None, output: Output = Form.TABLE, out: Out = None) -> None:
    """Which records were not understood, and why?"""
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
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the sample logs go.")] = Path("costctl-demo"),
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """What does an audit look like? Audits sample logs."""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.run import audit as run_audit  # noqa: PLC0415
    from costctl.samples import write_samples  # noqa: PLC0415

    write_samples(folder)
    emit(
        run_audit([str(folder / "story.jsonl.gz")], AuditOptions(db=folder / ".costctl" / "costctl.duckdb")),
        output,
        out,
    )


@app.command()
def init(
    log: Annotated[
        list[str] | None, typer.Option("--from", help="A log whose models the policy starts from. Repeatable.")
    ] = None,
    has_tier_rules: Annotated[
        bool,
        typer.Option("--tier-rules", help="Write tiers.yaml alone: the shipped tier rules, to read and to replace."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    prices: Prices = None,
    db: Db = None,
) -> None:
    """Write a commented costctl.toml, rates.yaml and policy.yaml, or the tier rules."""
    from costctl.cli.templates import write_templates, write_tier_rules  # noqa: PLC0415

    if has_tier_rules:
        paths = [write_tier_rules(Path(), force=force)]
    else:
        paths = write_templates(Path(), _models_of(log, prices, db), force=force)
    for path in paths:
        sys.stderr.write(f"wrote {path}\n")


def _models_of(logs: list[str] | None, prices: Path | None, db: Path | None) -> list[str]:
    """The priced models of a log, cheapest first; two well-known ones without a log."""
    if not logs:
        return ["openai/gpt-4o-mini", "openai/gpt-4o"]
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.queries import priced_models  # noqa: PLC0415
    from costctl.audit.run import audit as run_audit  # noqa: PLC0415

    run_audit(logs, AuditOptions(prices=prices, db=db, progress=progress()))
    return priced_models(db)


@app.command()
def doctor(output: Output = Form.TABLE, out: Out = None) -> None:
    """What is installed, and which prices are used?"""
    from costctl.audit.queries import environment  # noqa: PLC0415

    emit(environment(), output, out)


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print the completion script of a shell."""
    from typer import completion as shells  # noqa: PLC0415

    if shell not in {"bash", "zsh", "fish"}:
        raise typer.BadParameter("bash, zsh or fish", param_hint="SHELL")
    script = shells.get_completion_script(  # type: ignore[attr-defined]  # public, but not in its __all__
        prog_name="costctl", complete_var="_COSTCTL_COMPLETE", shell=shell
    )
    sys.stdout.write(script + "\n")


app.command()(simulate)
app.command()(profile)
app.command()(reconcile)
app.command()(gate)
app.command()(diff)
app.command("explain-request")(explain_request)
app.command("export-config")(export_config)
app.command("train-router")(train_router)
app.command("calibrate")(calibrate)
app.add_typer(policy_app, name="policy")
app.command()(estimate)
app.command()(models)
app.add_typer(prices_app, name="prices")
app.add_typer(formats_app, name="formats")
