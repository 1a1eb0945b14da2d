"""train-router and calibrate: what is learned from the log and from scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.options import Confidence, Db, Embedding, Output, Prices, share_between
from costctl.cli.output import Form, check_target, emit, write_text
from costctl.cli.progress import progress
from costctl.errors import CostctlError, ExitCode

if TYPE_CHECKING:
    from costctl.evaluate.labels import Labels


def train_router(
    logs: Annotated[
        list[str] | None,
        typer.Argument(help="The log of the scores; without any, the log audited last.", metavar="[LOG...]"),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="Scores of two models by request id, or prompts with both scores (CSV or JSONL)."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the router to this file (JSON).")] = None,
    cheap: Annotated[str | None, typer.Option("--cheap", help="The cheaper model.")] = None,
    dear: Annotated[str | None, typer.Option("--dear", help="The dearer model.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Column whose values may be unseen: endpoint, app, a domain.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="field=column of the file with prompts: cheap_score=weak_correct. Repeatable."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option("--test", help="Prompts with both scores that are only judged by.")
    ] = None,
    max_loss: Annotated[
        float,
        typer.Option(
            "--max-loss",
            parser=share_between(0, 1),
            metavar="SHARE",
            help="Share of requests that may lose by going cheap: 0.02 or 2%.",
        ),
    ] = 0.02,
    confidence: Confidence = 0.9,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything that is drawn.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Write a router that beats nothing, too.")] = False,
    prices: Prices = None,
    db: Db = None,
    output: Output = Form.TABLE,
) -> None:
    """Which requests need the dearer model? Learns it from scores of two models."""
    from costctl.evaluate.fit import needs_sklearn  # noqa: PLC0415
    from costctl.evaluate.labelled_file import fields_of, has_prompts, read_labelled  # noqa: PLC0415
    from costctl.evaluate.labels import named_pair  # noqa: PLC0415
    from costctl.evaluate.train import Options, train, with_file  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.tiers.router_file import dump_router  # noqa: PLC0415

    if scores is None:
        raise CostctlError("E455", "nothing to learn from", "give scores of two models: --scores FILE")
    needs_sklearn()
    if out is not None:
        check_target(out, [*(logs or ()), str(scores), *([] if test is None else [str(test)])])
    fields = fields_of([*(mapping or ()), *([] if group is None else [f"group={group}"])])
    if has_prompts(scores, fields):
        labels = read_labelled(scores, fields, named_pair(load_book(prices), cheap, dear))
    else:
        labels = _joined(scores, logs, cheap, dear, group, prices, db)
    held = None if test is None else (test.name, read_labelled(test, fields, labels.pair))
    trained = train(labels, Options(max_loss, confidence, seed, force), held)
    if out is not None and trained.router is not None:
        write_text(dump_router(trained.router), out)
    emit(trained.report if trained.router is None else with_file(trained.report, out), output)
    if trained.router is None:
        raise typer.Exit(ExitCode.GATE)


def _joined(
    scores: Path, logs: list[str] | None, cheap: str | None, dear: str | None, group: str | None,
    prices: Path | None, db: Path | None,
) -> Labels:  # fmt: skip
    """Scores by request id, joined to what the workspace knows of the log."""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.run import audited_store  # noqa: PLC0415
    from costctl.evaluate.labels import AnyName, labels_of_log, pair_of  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.replay.scores_file import read_scores  # noqa: PLC0415

    book = load_book(prices)
    scored = read_scores(scores, book, AnyName())
    pair = pair_of(scored, book, cheap, dear)
    options = AuditOptions(prices=prices, db=db, progress=progress())
    with audited_store(logs or (), options) as (store, _):
        return labels_of_log(store, scored, pair, group)


def calibrate(
    logs: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs; without any, the log audited last.", metavar="[LOG...]"),
    ] = None,
    policy: Annotated[Path, typer.Option("--policy", help="The policy with cache.semantic (YAML).")] = Path(
        "policy.yaml"
    ),
    max_wrong: Annotated[
        float,
        typer.Option(
            "--max-wrong",
            parser=share_between(0.001, 0.5),
            metavar="SHARE",
            help="Share of wrong answers that is allowed: 0.05 or 5%.",
        ),
    ] = 0.05,
    per: Annotated[str, typer.Option("--per", help="The share of what: hit or request.")] = "hit",
    confidence: Confidence = 0.9,
    window: Annotated[
        int, typer.Option("--window", min=10, help="So many of the last requests are judged, at most half of them.")
    ] = 2_000,
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Right answers: request_id and answer_label (CSV or JSONL)."),
    ] = None,
    embedding: Embedding = None,
    prices: Prices = None,
    db: Db = None,
    output: Output = Form.TABLE,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the report to this file.")] = None,
) -> None:
    """Which similarity may a semantic cache serve from, for so few wrong answers?"""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.run import audited_store, reader_of  # noqa: PLC0415
    from costctl.evaluate.threshold import Bound, propose  # noqa: PLC0415
    from costctl.policy.load import load_policy  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.replay.scores_file import read_scores  # noqa: PLC0415

    if per not in {"hit", "request"}:
        raise CostctlError("E462", f"--per {per}: must be hit or request", "wrong answers per hit: --per hit")
    if out is not None:
        check_target(out, [*(logs or ()), str(policy), *([] if scores is None else [str(scores)])])
    wanted = load_policy(policy)
    scored = None if scores is None else read_scores(scores, load_book(prices), [tier.name for tier in wanted.tiers])
    options = AuditOptions(prices=prices, embedding=embedding, db=db, progress=progress())
    bound = Bound(max_wrong, "hit" if per == "hit" else "request", confidence, window)
    with audited_store(logs or (), options) as (store, _):
        report = propose(store, wanted, bound, reader_of(options), scored)
    emit(report, output, out)
