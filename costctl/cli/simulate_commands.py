"""simulate, explain-request and policy: what another policy would have done."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.options import DEFAULT_TARGETS, Db, Embedding, Out, Output, Prices, SimulateOutput
from costctl.cli.output import Form, check_target, emit, write_text
from costctl.cli.progress import progress
from costctl.errors import CostctlError, ExitCode
from costctl.report import Report

PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy to replay (YAML).")]
policy_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check and describe policy files.")


def simulate(
    logs: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs; without any, the log audited last.", metavar="[LOG...]"),
    ] = None,
    policy: PolicyFile = Path("policy.yaml"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything that is drawn.")] = 7,
    decisions: Annotated[
        Path | None, typer.Option("--decisions", help="Write each call's decision to this .jsonl or .parquet.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option("--scores", help="Scores of models' answers, and labels (CSV or JSONL).")
    ] = None,
    staged: Annotated[
        bool, typer.Option("--staged", help="The levers added one after another, beside published claims.")
    ] = False,
    compare_to: Annotated[
        Path | None, typer.Option("--compare-to", help="An earlier run (--output json -o run.json) to compare with.")
    ] = None,
    probes: Annotated[
        Path | None,
        typer.Option("--probes", help="Write the requests to try, to be scored and given back with --scores (CSV)."),
    ] = None,
    swept: Annotated[
        list[str] | None,
        typer.Option("--sweep", help="Try values, as cache.exact.ttl=1h,24h or cache.exact.capacity=1k,10k."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write the policy's router configurations below this folder, as export-config."),
    ] = None,
    as_target: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="TARGET",
            help="As this router carries the policy out, beside the policy: litellm-plugin or litellm.",
        ),
    ] = None,
    embedding: Embedding = None,
    prices: Prices = None,
    tier_rules: Annotated[
        Path | None, typer.Option("--tier-rules", envvar="COSTCTL_TIER_RULES", help="Your own tier rules, as in audit.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", envvar="COSTCTL_THREADS", min=1, help="Threads and processes.")
    ] = None,
    db: Db = None,
    output: SimulateOutput = Form.TABLE,
    out: Out = None,
) -> None:
    """What would this policy have done on this very log?"""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.run import audited_store, logs_of, reader_of  # noqa: PLC0415
    from costctl.evaluate.claims import Claims  # noqa: PLC0415
    from costctl.export.resolved import resolved  # noqa: PLC0415
    from costctl.gate.verdicts import is_broken, judge  # noqa: PLC0415
    from costctl.policy.classifier import load_classifier  # noqa: PLC0415
    from costctl.policy.describe import policy_digest  # noqa: PLC0415
    from costctl.policy.load import load_policy  # noqa: PLC0415
    from costctl.policy.plain import plain_digest  # noqa: PLC0415
    from costctl.policy.targets import simulated_target  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.replay.beside import Asked  # noqa: PLC0415
    from costctl.replay.compare import compared, read_run  # noqa: PLC0415
    from costctl.replay.decisions import write_decisions  # noqa: PLC0415
    from costctl.replay.run import simulate as run_simulation  # noqa: PLC0415
    from costctl.replay.scores_file import read_scores  # noqa: PLC0415
    from costctl.replay.sweep import read_grid  # noqa: PLC0415
    from costctl.tiers.rules import load_rules  # noqa: PLC0415

    inputs = [str(path) for path in (policy, scores, compare_to) if path is not None]
    targets = {"-o": out, "--decisions": decisions, "--probes": probes}
    _check_targets(targets, [*(logs or ()), *inputs])
    router_name = None if as_target is None else simulated_target(as_target)
    book = load_book(prices)
    wanted = load_policy(policy, book)
    router = load_classifier(wanted, policy)
    rules = load_rules(tier_rules)
    given = resolved(wanted, plain_digest(wanted), book, rules.content, router)
    target, replayed = None, wanted
    if router_name is not None:
        from costctl.export.as_target import carried_out  # noqa: PLC0415
        from costctl.policy.targets import LITELLM  # noqa: PLC0415
        from costctl.replay.as_target import AsTarget  # noqa: PLC0415

        replayed, changes = carried_out(given, router_name)
        target = AsTarget(router_name, LITELLM.title, wanted, changes)
    if wanted.routing.classifier is not None:
        _check_targets(targets, [str(policy.parent / wanted.routing.classifier.file)])
    grid = read_grid(swept or ())
    earlier = None if compare_to is None else read_run(compare_to)
    scored = None if scores is None else read_scores(scores, book, [tier.name for tier in wanted.tiers])
    options = AuditOptions(
        prices=prices, embedding=embedding, db=db, threads=threads, progress=progress(), tier_rules=tier_rules
    )
    names = wanted.export.targets if wanted.export is not None else DEFAULT_TARGETS
    # As a router, nothing is measured: what is replayed then is not the policy.
    apart = None
    if export is not None and target is None:
        # Only here, as all that reads texts comes with it.
        from costctl.export.measuring import PartsApart, measured  # noqa: PLC0415

        apart = PartsApart(given, names)
    asked = Asked(staged, scored, grid, reader_of(options), router, claims := Claims(), target, apart)
    with audited_store(logs or (), options) as (store, audited):
        _check_targets(targets, logs_of(audited))
        if wanted.export is not None or export is not None or target is not None:
            _refuse_other_rules(audited, rules.digest)
        report = run_simulation(store, replayed, book, seed, audited, policy_digest(policy), asked)
        if decisions is not None:
            write_decisions(store, decisions)
        agreement = None if apart is None else measured(store, reader_of(options), given, names, apart)
    if probes is not None:
        from costctl.render.machine import csv_text  # noqa: PLC0415

        write_text(csv_text(claims.template()), probes)
    report = replace(report, provenance={**report.provenance, "policy_file": str(policy)})
    if wanted.export is not None or export is not None:
        from costctl.export.run import beside  # noqa: PLC0415

        report = beside(report, given, names, export, agreement)
    report = judge(report if earlier is None else compared(report, earlier), wanted.gates)
    emit(report, output, out)
    if is_broken(report):
        raise typer.Exit(ExitCode.GATE)


def _refuse_other_rules(audited: Report, digest: str) -> None:
    """What is handed to a router decides by the rules by which the log was audited, or not at all.

    Raises:
        CostctlError: E479.
    """
    if audited.provenance["tier_rules"] != digest[:8]:
        said = "the log was audited with other tier rules than those that the configuration would carry"
        raise CostctlError("E479", said, "give those of the audit: --tier-rules FILE; or audit the log anew")


def _check_targets(targets: Mapping[str, Path | None], inputs: list[str]) -> None:
    """Refuse to write over an input, or two answers into one file; targets by the name of their option."""
    earlier: dict[str, Path] = {}
    for option, path in targets.items():
        if path is None:
            continue
        check_target(path, inputs, option)
        for other, known in earlier.items():
            if known.resolve() == path.resolve():
                message = f"{other} and {option} are both {path}"
                raise CostctlError("E323", message, "choose another name for one of them")
        earlier[option] = path


def explain_request(
    request_id: Annotated[str, typer.Argument(help="Id of a request, as the log names it.")],
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Refuse unless the last simulation was of this policy.")
    ] = None,
    db: Db = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Which way did one request take through the last simulation, and why?"""
    from costctl.audit.queries import opened  # noqa: PLC0415
    from costctl.policy.describe import policy_digest  # noqa: PLC0415
    from costctl.policy.load import load_policy  # noqa: PLC0415
    from costctl.replay.explained import explain  # noqa: PLC0415

    asked = None if policy is None else f"{load_policy(policy).name} #{policy_digest(policy)[:8]}"
    with opened(db, hint="first: costctl simulate LOG --policy policy.yaml") as store:
        report = explain(store, request_id, asked)
    emit(report, output, out)


@policy_app.command("schema")
def schema(out: Out = None) -> None:
    """The JSON Schema of a policy file, by which editors complete and check it."""
    from costctl.policy.load import SCHEMA_FILE  # noqa: PLC0415

    text = SCHEMA_FILE.read_text("utf-8")
    if out is None:
        sys.stdout.write(text)
    else:
        write_text(text, out)


@policy_app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="The policy file.", metavar="POLICY")] = Path("policy.yaml"),
    prices: Prices = None,
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """Is this policy file right? Names every mistake at once; needs no log."""
    from costctl.policy.classifier import load_classifier  # noqa: PLC0415
    from costctl.policy.describe import describe  # noqa: PLC0415
    from costctl.policy.load import load_policy  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415

    if out is not None:
        check_target(out, [str(path)])
    book = load_book(prices)
    policy = load_policy(path, book)
    router = load_classifier(policy, path)
    if policy.routing.classifier is not None and router is not None:
        from costctl.replay.classifier import sides_of  # noqa: PLC0415  (heavy, and rarely needed)

        sides_of(policy, book, router, policy.routing.classifier.file)
    emit(describe(policy), output, out)
