"""`costctl export-config`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.options import DEFAULT_TARGETS, Db, Output, Prices
from costctl.cli.output import Form, check_target, emit, write_text
from costctl.cli.progress import progress
from costctl.errors import CostctlError, ExitCode


def export_config(
    policy: Annotated[Path, typer.Option("--policy", help="The policy file.")] = Path("policy.yaml"),
    targets: Annotated[
        list[str] | None,
        typer.Option("--target", help="A target in place of those that the policy names. Repeatable."),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where the configurations stand.")] = Path("router"),
    check: Annotated[bool, typer.Option("--check", help="Only say whether they are in step; exit 5 if not.")] = False,
    write: Annotated[bool, typer.Option("--write", help="With --check: mend what is not in step.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what would change, and write nothing.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what drops a part that `export.accept_loss` does not name.")
    ] = False,
    logs: Annotated[
        list[str] | None,
        typer.Option("--log", help="Measure on this log how often each router decides as the policy. Repeatable."),
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="The same on the log audited last.")] = False,
    db: Db = None,
    tier_rules: Annotated[Path | None, typer.Option("--tier-rules", help="Your own tier rules, as in audit.")] = None,
    prices: Prices = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="With --check: the whole loss report, too.")] = False,
    output: Output = Form.TABLE,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the report to this file.")] = None,
) -> None:
    """Which configuration makes the router do this, and is it still in step?"""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.export.resolved import resolved  # noqa: PLC0415
    from costctl.export.run import differences, export_config, refuse_losses  # noqa: PLC0415
    from costctl.policy.classifier import load_classifier  # noqa: PLC0415
    from costctl.policy.describe import policy_digest  # noqa: PLC0415
    from costctl.policy.load import load_policy  # noqa: PLC0415
    from costctl.policy.plain import plain_digest  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.tiers.rules import load_rules  # noqa: PLC0415

    if diff and (check or write or logs or measure):
        raise CostctlError("E473", "--diff writes, checks and measures nothing", "leave out the others")
    if diff and output != Form.TABLE:
        raise CostctlError("E473", f"--diff is a unified diff, not {output}", "--output table, or --check for a report")
    book = load_book(prices)
    wanted = load_policy(policy, book)
    given = resolved(
        wanted, plain_digest(wanted), book, load_rules(tier_rules).content, load_classifier(wanted, policy)
    )
    own = wanted.export.targets if wanted.export else DEFAULT_TARGETS
    names = tuple(dict.fromkeys(targets or own))
    if diff:
        text = differences(given, names, folder, is_whole=not targets)
        if out is None:
            sys.stdout.write(text)
        else:
            check_target(out, [str(policy)])
            write_text(text, out)
        return
    accepted = wanted.export.accept_loss if wanted.export else ()
    measured = None
    if logs or measure:
        from costctl.export.measuring import measured_on  # noqa: PLC0415

        options = AuditOptions(prices=prices, tier_rules=tier_rules, db=db, progress=progress())
        measured = measured_on(logs or (), options, given, names, policy_digest(policy))
    report = export_config(
        given, names, folder, is_check=check, is_write=False, is_whole=not targets, measured=measured
    )
    if strict:
        refuse_losses(report, wanted.export.targets if wanted.export else names, accepted)
    if write or not check:
        report = export_config(
            given, names, folder, is_check=check, is_write=True, is_whole=not targets, measured=measured
        )
    # Runs name the file by its digest; that in exported files is of what routers carry out: no comment changes it.
    named = {"policy": f"{wanted.name} #{policy_digest(policy)[:8]}", "exported_policy": f"#{given.policy_digest[:8]}"}
    said = {"policy_file": str(policy), **named} | ({"is_check": True, "is_verbose": verbose} if check else {})
    report = replace(report, provenance={**report.provenance, **said})
    emit(report, output, out)
    if check and not write and report.totals["drift_count"]:
        raise typer.Exit(ExitCode.DRIFT)
