"""`costctl export-config` as a report: files, what each target loses, and whether the folder is still in step."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from costctl.errors import CostctlError, ExitCode
from costctl.export.agreement import Measured, with_agreement
from costctl.export.base import Agreement, Exported, Target
from costctl.export.drifting import Drift, causes_of, drifts, undone
from costctl.export.files import (
    kept_agreement,
    other_targets,
    planned,
    stale,
    tree_of,
    unmanaged,
    write_tree,
)
from costctl.export.resolved import Resolved
from costctl.export.targets import exported
from costctl.export.text import comment_of
from costctl.report import Report, Table, Value, Warning, counted

KINDS = ("expressed", "approximated", "dropped")
NAMED_MAX = 5
"""Of more keys or files a warning names the first; a table has them all."""


def export_config(
    given: Resolved, names: Sequence[str], folder: Path, *, is_check: bool, is_write: bool,
    is_whole: bool = True, measured: Measured | None = None,
) -> Report:  # fmt: skip
    """Export into the folder, or only say how it differs from what the policy gives now.

    `is_whole` where these are all targets that there shall be; else what the folder has of others is left as it is.
    `measured` is the agreement on the user's log; without it what was measured of this policy before is told.

    Raises:
        CostctlError: E470 where the folder cannot be written, E471 for an unknown target.
    """
    known = kept_agreement(folder, given) if measured is None else measured
    made = with_agreement(given, exported(given, names), known)
    tree = tree_of(given, made, is_whole=is_whole)
    found = drifts(folder, tree) if is_check else []
    others, left, beside_us = unmanaged(folder, tree), stale(folder, tree), other_targets(folder, tree)
    taken = undone(folder, tree) if is_write else []
    written = write_tree(folder, tree) if is_write else []
    losses = list(_losses(made))
    counts = {kind: sum(row[2] == kind for row in losses) for kind in KINDS}
    totals: dict[str, Value] = {
        "target_count": len(made), "file_count": len(tree.paths), "written_count": len(written),
        **{f"{kind}_count": count for kind, count in counts.items()}, "drift_count": len(found),
    }  # fmt: skip
    tables = {
        "drift": Table.of("drift", Drift._fields, found),
        "files": Table.of("files", ("path", "state"), [(path, _state(path, written, found)) for path in tree.paths]),
        "undone": Table.of("undone", ("path", "key", "says"), [(one.path, one.key, one.says) for one in taken]),
        "foreign": Table.of("foreign", ("path", "key"), others),
        "losses": Table.of(
            "losses",
            ("target", "part", "kind", "says", "agreement_ratio", "alike_count", "call_count", "not_measured"),
            losses,
        ),
        "agreement": Table.of(
            "agreement",
            ("target", "told", "agreement_ratio", "alike_count", "call_count", "not_measured"),
            [
                (target.name, _told(target, given), *_shown(one.agreement), _unread(one, measured))
                for target, one in made
            ],
        ),
    }
    return Report(
        "export-config", totals, tables, tuple(_warnings(others, left if is_write else (), taken)),
        {
            "costctl": given.version, "folder": str(folder),
            "policy": f"{given.policy.name} #{given.policy_digest[:8]}",
            "price_set": given.price_digest[:8], "targets": {target.name: target.verified for target, _ in made},
            "not_asked_for": [] if is_whole else beside_us,
        },
    )  # fmt: skip


def _warnings(others: Sequence[tuple[str, str]], left: Sequence[str], taken: Sequence[Drift]) -> Iterator[Warning]:
    """What stands in the folder and is not ours, what was ours and is not, and edits that were written over."""
    if taken:
        keys = _named([f"{one.path}{f': {one.key}' if one.key else ''} {one.says}" for one in taken], "undone")
        text = f"{counted(len(taken), 'hand edit is', 'hand edits are')} written over: {keys}"
        yield Warning(
            "W315", text, "say it in the policy, or take it back from your version control; first: --check, --diff"
        )
    if others:
        keys = _named([f"{path}: {key}" for path, key in others], "foreign")
        text = f"{counted(len(others), 'key is', 'keys are')} not ours and left alone: {keys}"
        yield Warning("W280", text, "a cap, a timeout or a fallback of others changes who answers: keep what is meant")
    if left:
        files = counted(len(left), "file of an earlier export is", "files of an earlier export are")
        text = f"{files} not checked any more: {_named(left)}"
        yield Warning("W281", text, "delete what no router reads")


def _named(names: Sequence[str], table: str = "") -> str:
    """Names one behind the other, of many the first."""
    more = f" and {len(names) - NAMED_MAX:,} more{f' (table {table})' if table else ''}"
    return ", ".join(names[:NAMED_MAX]) + (more if len(names) > NAMED_MAX else "")


def refuse_losses(report: Report, targets: Sequence[str], accepted: Sequence[str]) -> None:
    """Under `--strict`: nothing is dropped but what the policy accepts; `targets` are those that it is exported to.

    Raises:
        CostctlError: E472 (exit 5) naming each such part.
    """
    rows = [row for row in report.tables["losses"].dicts() if row["kind"] == "dropped" and row["part"] not in accepted]
    if rows:
        parts = ", ".join(dict.fromkeys(f"{row['part']} ({row['target']})" for row in rows))
        names = ", ".join(map(_yaml, dict.fromkeys((*accepted, *(str(row["part"]) for row in rows)))))
        hint = f"accept it in the policy: export: {{targets: [{', '.join(targets)}], accept_loss: [{names}]}}"
        raise CostctlError("E472", f"the targets drop {parts}", hint, ExitCode.DRIFT)


def _yaml(part: str) -> str:
    """A part of the policy as a YAML list takes it: a colon would make a mapping of it."""
    return f'"{part}"' if ":" in part else part


def differences(given: Resolved, names: Sequence[str], folder: Path, *, is_whole: bool) -> str:
    """A unified diff from the folder to what would be written."""
    parts: list[str] = []
    made = with_agreement(given, exported(given, names), kept_agreement(folder, given))
    tree = tree_of(given, made, is_whole=is_whole)
    causes = causes_of(folder, tree)
    for path, text in planned(folder, tree).items():
        target = folder / path
        there = target.read_text("utf-8", errors="replace") if target.is_file() else ""
        parts += difflib.unified_diff(
            there.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"{folder / path}",
            f"{folder / path} (as exported now; cause: {causes.get(path, 'policy')})",
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in parts)


def beside(
    report: Report, given: Resolved, names: Sequence[str], folder: Path | None, measured: Measured | None = None
) -> Report:
    """A simulation with the configuration that its policy implies: the first file of the first target, line by line.

    With a folder all targets are written there, and what each loses is told, with the agreement that was `measured`.

    Raises:
        CostctlError: E470 where the folder cannot be written, E471 for an unknown target.
    """
    if folder is not None:
        made = export_config(given, names, folder, is_check=False, is_write=True, measured=measured)
        names_of = ("files", "losses", "agreement")
        tables = {f"export_{name}": replace(made.tables[name], name=f"export_{name}") for name in names_of}
        return replace(
            report, tables={**report.tables, **tables}, warnings=(*report.warnings, *made.warnings),
            provenance={**report.provenance, "exported_to": str(folder)},
        )  # fmt: skip
    ((target, found),) = exported(given, names[:1])
    path, text = next(iter(found.files.items()))
    lines = text.removeprefix(comment_of(text)).splitlines()
    rows = [(f"{target.name}/{path}", number, line) for number, line in enumerate(lines, 1)]
    config = Table.of("router_config", ("path", "line", "text"), rows)
    return replace(report, tables={**report.tables, config.name: config})


def _losses(made: Sequence[tuple[Target, Exported]]) -> list[tuple[Value, ...]]:
    return [
        (target.name, loss.part, loss.kind, loss.says, *_shown(loss.agreement), loss.not_measured)
        for target, one in made
        for loss in one.losses
    ]


def _shown(agreement: Agreement | None) -> tuple[Value, Value, Value]:
    return (None, None, None) if agreement is None else (agreement.ratio, *agreement)


def _unread(one: Exported, measured: Measured | None) -> str | None:
    """Why decisions were not compared: no log was named, or none of its calls had a text to decide by."""
    if one.agreement is not None:
        return None
    return (
        "--log LOG, or --measure"
        if measured is None
        else "no call with a text could go elsewhere (a profile has no texts)"
    )


def _told(target: Target, given: Resolved) -> str | None:
    """By what the target decides; None where the caller does, or what decides cannot be run here."""
    reading = target.reading(given) if target.reading is not None else None
    return None if reading is None else reading.says


def _state(path: str, written: Sequence[str], found: Sequence[Drift]) -> str:
    if path in written:
        return "written"
    return "differs" if any(one.path == path for one in found) else "in step"
