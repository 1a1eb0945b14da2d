"""The screen of `costctl export-config`: what each target carries, what it loses, what is no longer in step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.money import ratio_display
from costctl.render.cells import WORDS_MAX, safe
from costctl.report import Report, counted

DRIFT_LINES = 20
"""Of more differences the screen shows the first."""

LOST = (
    ("approximated", "APPROXIMATED: the target does something near it (calls: those that the part decides, else all)"),
    ("dropped", "DROPPED: the target cannot do it; what to do instead"),
)


def exported(report: Report) -> list[str]:
    """The lines of the screen; long ones are wrapped by the caller. A check begins with its verdict."""
    made: dict[str, Any] = dict(report.provenance)
    is_check = bool(made.get("is_check"))
    command = "export-config --check" if is_check else "export-config"
    place = f"{'of' if is_check else 'into'} {safe(str(made['folder']), 60)}/"
    inside = f", files {made['exported_policy']}" if "exported_policy" in made else ""
    lines = [f"costctl {command}   {safe(str(made['policy']), 60)}{inside}   {place}"]
    lines += [*_verdict(report), *_foreign(report), ""] if is_check else []
    lines += _carried(report)
    if is_check and not made["is_verbose"]:
        return [*lines, "  what each of them loses, and how: --verbose"]
    lines += [*_lost(report), *_measured(report)]
    if is_check:
        return lines
    written = [row["path"] for row in report.tables["files"].dicts() if row["state"] == "written"]
    lines += [
        "",
        f"  {counted(int(str(report.totals['file_count'])), 'file')}, {report.totals['written_count']} written",
    ]
    return lines + [f"    {safe(str(path), 120)}" for path in written]


def _verdict(report: Report) -> list[str]:
    """Whether the folder is in step, else what differs and why."""
    total: dict[str, Any] = dict(report.totals)
    drift, written = list(report.tables["drift"].dicts()), total["written_count"]
    beside: list[str] = report.provenance["not_asked_for"]  # type: ignore[assignment]
    others = [f"  not looked at: {safe(', '.join(beside), 300)} (leave out --target)"] if beside else []
    if not drift:
        return [f"  IN STEP: {counted(total['file_count'], 'file')}", *others]
    causes = list(dict.fromkeys(str(row["cause"]) for row in drift))
    count = counted(len(drift), "difference")
    lines = [f"  {'WAS ' if written else ''}NOT IN STEP: {count}, cause: {', '.join(causes)}"]
    for row in drift[:DRIFT_LINES]:
        place = f"{safe(str(row['path']))}{' ' if row['key'] else ''}{safe(str(row['key']), 120)}"
        cause = f" (cause: {row['cause']})" if len(causes) > 1 else ""
        lines.append(f"    {place}: {safe(str(row['says']), WORDS_MAX)}{cause}")
    if len(drift) > DRIFT_LINES:
        lines.append(f"    and {len(drift) - DRIFT_LINES:,} more: --output json")
    mended = f"  mended: {counted(written, 'file')} written"
    mend = "  mend it: costctl export-config --check --write; look first: --diff"
    if set(causes) & {"no folder", "no lock"}:
        mend = "  export it: costctl export-config; or say where it stands: --folder FOLDER"
    return [*lines, mended if written else mend, *others]


def _foreign(report: Report) -> list[str]:
    """Every key that is not ours and is left alone."""
    rows = list(report.tables["foreign"].dicts())
    if not rows:
        return []
    lines = [f"    {safe(str(row['path']))} {safe(str(row['key']), 120)}" for row in rows[:DRIFT_LINES]]
    more = [f"    and {len(rows) - DRIFT_LINES:,} more: --output json"] if len(rows) > DRIFT_LINES else []
    return [f"  NOT OURS, left alone: {counted(len(rows), 'key')}", *lines, *more]


def _carried(report: Report) -> list[str]:
    """How many parts each target carries and loses."""
    losses, lines = list(report.tables["losses"].dicts()), []
    targets: dict[str, str] = dict(report.provenance["targets"])  # type: ignore[call-overload]
    for target, verified in targets.items():
        of_target = [row["kind"] for row in losses if row["target"] == target]
        counts = ", ".join(f"{of_target.count(kind)} {kind}" for kind in ("expressed", "approximated", "dropped"))
        lines.append(f"  {safe(target)}: {counts}   verified with {safe(str(verified))}")
    return lines


def _lost(report: Report) -> list[str]:
    """What targets do otherwise or not at all."""
    losses, lines = list(report.tables["losses"].dicts()), []
    for kind, heading in LOST:
        rows = [row for row in losses if row["kind"] == kind]
        if rows:
            lines += ["", f"  {heading}"]
        for (target, says, why), same in _grouped(rows).items():
            parts = ", ".join(safe(str(row["part"])) for row in same)
            unknown = f"; not measured: {safe(why, WORDS_MAX)}" if why else ""
            lines.append(f"    {safe(target)}  {parts}: {safe(says, WORDS_MAX)}{_agreed(same)}{unknown}")
    return lines


def _grouped(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """The parts of which a target says the same."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((str(row["target"]), str(row["says"]), str(row["not_measured"] or "")), []).append(row)
    return found


def _agreed(rows: list[dict[str, Any]]) -> str:
    """Of how many calls the target decides so, for each part, where that was measured."""
    known = [row for row in rows if row["call_count"] is not None]
    if len(rows) == 1:
        return "".join(f"; {alike(row)}" for row in known)
    return "".join(f"; {safe(str(row['part']))}: {alike(row)}" for row in known)


def alike(row: Mapping[str, Any]) -> str:
    """How many calls decide alike, or where the part decides nothing end alike."""
    if not row["call_count"]:
        return "no call of the log rests on it"
    how = "decide" if str(row.get("part", "routing.")).startswith("routing.") else "end"
    calls = counted(row["call_count"], "call")
    return f"{row['alike_count']:,} of {calls} {how} alike ({ratio_display(row['agreement_ratio'])})"


def _measured(report: Report) -> list[str]:
    """The agreement of the targets that decide by themselves, or how to measure it."""
    rows = [row for row in report.tables["agreement"].dicts() if row["told"] is not None]
    if not rows:
        return []
    lines = ["", "  AGREEMENT with the policy, on the calls of your log that could go elsewhere"]
    for row in rows:
        said = alike(row) if row["call_count"] is not None else f"not measured: {row['not_measured']}"
        lines.append(f"    {safe(str(row['target']))}: {said}; it decides by {safe(str(row['told']), 200)}")
    return lines
