"""`costctl profile`: a log without its texts, for places where no log may go."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.options import Db, Embedding, Output, Prices
from costctl.cli.output import Form, check_target, emit
from costctl.cli.progress import progress
from costctl.errors import CostctlError


def profile(
    logs: Annotated[
        list[str], typer.Argument(help="Files, folders, globs, or - for standard input.", metavar="LOG...")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The profile to write (.parquet).")] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Carry the verdicts on texts that this policy asks for: answers that break the "
                                      "rules of post_process.validate, scores of its learned router."),
    ] = None,
    salt: Annotated[
        str | None,
        typer.Option("--salt", envvar="COSTCTL_PROFILE_SALT", show_envvar=True,
                     help="Key of the hashes of ids, kept secret [a new one each time]."),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="Read every file as this format (see costctl formats).")
    ] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="field=column (dotted paths), or a YAML file of them. Repeatable.")
    ] = None,
    tier_rules: Annotated[
        Path | None, typer.Option("--tier-rules", envvar="COSTCTL_TIER_RULES", help="Your own tier rules (YAML).")
    ] = None,
    embedding: Embedding = None,
    prices: Prices = None,
    threads: Annotated[
        int | None, typer.Option("--threads", envvar="COSTCTL_THREADS", min=1, help="Threads and processes.")
    ] = None,
    db: Db = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """What may leave the house of this log? A profile: no text, no user ids, the same simulation to the last digit."""
    from costctl.audit.options import AuditOptions  # noqa: PLC0415
    from costctl.audit.run import audited_store, logs_of, reader_of  # noqa: PLC0415
    from costctl.policy.classifier import load_classifier  # noqa: PLC0415
    from costctl.policy.load import load_policy  # noqa: PLC0415
    from costctl.prices.book import load_book  # noqa: PLC0415
    from costctl.replay.profile import Wanted, records_of, write_profile  # noqa: PLC0415
    from costctl.tiers.rules import load_rules  # noqa: PLC0415

    if out is None or out.suffix != ".parquet":
        raise CostctlError(
            "E324", "a profile needs a file ending in .parquet", "costctl profile LOG -o profile.parquet"
        )
    check_target(out, [*logs, *([] if policy is None else [str(policy)])])
    book = load_book(prices)
    asked = None if policy is None else load_policy(policy, book)
    router = None if asked is None or policy is None else load_classifier(asked, policy)
    options = AuditOptions(
        log_format=log_format, mapping=tuple(mapping or ()), tier_rules=tier_rules, prices=prices, embedding=embedding,
        db=db, threads=threads, progress=progress(),
    )  # fmt: skip
    wanted = Wanted(salt or secrets.token_hex(32), load_rules(tier_rules).digest, asked, router)
    with audited_store(logs, options) as (store, audited):
        check_target(out, logs_of(audited))
        wanted = wanted._replace(reading=records_of(audited))
        report = write_profile(store, reader_of(options), wanted, out)
    emit(report, output)
