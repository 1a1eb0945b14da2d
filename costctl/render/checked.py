"""The screen of `costctl formats check`: what the files are, why, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from costctl.money import ratio_display
from costctl.render.cells import escaped, safe
from costctl.render.wrap import pieces
from costctl.report import Report, counted

FILES_SHOWN, KINDS_SHOWN, UNREAD_SHOWN = 12, 6, 12
FEATURE_CHARS = 32


def checked(report: Report) -> list[str]:
    """The lines above the proposed mappings."""
    total: Any = report.totals
    lines = [
        f"costctl formats check   {counted(total['file_count'], 'file', 'files')}",
        f"{counted(total['records_read_count'], 'record')} = "
        f"{counted(total['accepted_count'], 'request or sum', 'requests or sums')} + "
        f"{total['merged_count']:,} merged + {total['ignored_count']:,} ignored + {total['rejected_count']:,} rejected",
    ]
    for said in _rows(report, "signatures"):
        lines += _format(report, said)
    left_out = _rows(report, "left_out")
    lines += ["", "NOT READ"] if left_out else []
    for row in left_out[:FILES_SHOWN]:
        lines.append(f"  {safe(str(row['reason']), 300)} [{row['code']}]")
        if row["hint"] and len(left_out) == 1 and "mapping" not in report.tables:
            lines.append(f"    {safe(str(row['hint']), 400)}")
    return [*lines, *_more(len(left_out) - FILES_SHOWN)]


def known(report: Report, width: int) -> list[str]:
    """The lines of `costctl formats`: of each format what its logs carry, and what can be computed of that."""
    lines = [f"costctl formats   {counted(len(_rows(report, 'formats')), 'format')}, the most specific first"]
    for row in _rows(report, "formats"):
        lines += ["", f"{row['format']}: {row['title']}"]
        parts = [part.partition(": ") for part in row["computes"].split("; ")]
        for name, _, said in (("carries", "", row["carries"]), *parts):
            lines += [f"  {name if not at else '':<9}  {line}" for at, line in enumerate(pieces(said, width - 13))]
    return [*lines, "", "What a file really holds, and what it lacks: costctl formats check FILE"]


def mappings(report: Report) -> list[str]:
    """The proposed mappings, each as the file that it would be: not to be wrapped."""
    lines: list[str] = []
    texts: Any = report.provenance["mapping_files"]
    for label, text in texts.items():
        lines += ["", f"PROPOSED MAPPING for {safe(label, 50)}: save it as mapping.yaml, then --map mapping.yaml"]
        lines += [escaped(line) for line in text.splitlines()]
    return lines


def _format(report: Report, said: dict[str, Any]) -> list[str]:
    name = said["log_format"]
    lines = ["", f"{safe(name)}: {safe(str(said['title']))}"]
    count = f"{said['matching_count']:,} of {counted(said['sampled_count'], 'record', 'records')} looked at"
    what = "usual names" if name == "generic" else "recognised by"
    lines.append(f"  {what}  {safe(str(said['signature']), 300) or 'nothing but the order of its records'}   ({count})")
    lines += _unread([row for row in _rows(report, "unread_columns") if row["log_format"] == name])
    files = [row for row in _rows(report, "files") if row["log_format"] == name]
    lines += [_file(row) for row in files[:FILES_SHOWN]]
    lines += _more(len(files) - FILES_SHOWN)
    kinds = [row for row in _rows(report, "kinds") if row["log_format"] == name and row["standing"] != "accepted"]
    lines += [_kind(row) for row in kinds[:KINDS_SHOWN]]
    lines += _more(len(kinds) - KINDS_SHOWN)
    lines += _carried(row for row in _rows(report, "carries") if row["log_format"] == name)
    lines += _totals(row for row in _rows(report, "totals_checked") if row["log_format"] == name)
    faulty = [row for row in _rows(report, "conventions") if row["log_format"] == name]
    lines += [f"    {safe(str(row['source_file']), 40)}: lines {safe(str(row['lines']), 60)}"
              for row in faulty[:FILES_SHOWN]]  # fmt: skip
    lines += _more(len(faulty) - FILES_SHOWN)
    for row in _rows(report, "features"):
        if row["log_format"] == name:
            lines.append(_feature(row))
    return lines


def _unread(rows: list[dict[str, Any]]) -> list[str]:
    """The columns of the log that nothing is read from, and what may be thought to be read from them."""
    if not rows:
        return []
    names = [str(row["path"]) for row in rows[:UNREAD_SHOWN]]
    more = f" and {len(rows) - UNREAD_SHOWN:,} more: --output json" if len(rows) > UNREAD_SHOWN else ""
    notes = [
        f"  {safe(str(row['path']), 40)} is {row['note']}, a log's own is never read" for row in rows if row["note"]
    ]
    return [f"  not read     {safe(', '.join(names), 300)}{more}", *notes]


def _file(row: dict[str, Any]) -> str:
    more = [f"{row[f'{kind}_count']:,} {kind}" for kind in ("ignored", "rejected") if row[f"{kind}_count"]]
    found = f"{counted(row['record_count'], 'record', 'records')}, {row['accepted_count']:,} accepted"
    return f"  {safe(str(row['source_file']), 40)}: {', '.join((found, *more))}"


def _kind(row: dict[str, Any]) -> str:
    place = f", the first at {safe(str(row['first_place']), 50)}" if row["first_place"] else ""
    return f"  {row['standing']}  {row['record_count']:,} x {safe(str(row['kind']), 80)}{place}"


def _carried(rows: Iterable[dict[str, Any]]) -> list[str]:
    """What all, some and no requests carry."""
    found = list(rows)
    whole = [row["fact"] for row in found if row["share_ratio"] == 1]
    part = [f"{row['fact']} {ratio_display(row['share_ratio'])}" for row in found if 0 < row["share_ratio"] < 1]
    nothing = [row["fact"] for row in found if not row["request_count"]]
    said = (("carries", whole), ("in part", part), ("lacks", nothing))
    return [f"  {title:<8} {', '.join(names)}" for title, names in said if names]


def _totals(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [
        f"  totals   {row['checked_count'] - row['fault_count']:,} of {row['checked_count']:,} bear out the counts"
        + (f"; the others: {row['reading']}" if row["fault_count"] else "")
        for row in rows
    ]


def _feature(row: dict[str, Any]) -> str:
    title = f"  {row['command']:<9} {row['feature']:<{FEATURE_CHARS}}"
    if row["works"] == "yes":
        return f"{title} yes"
    said = "no, lacks" if row["works"] == "no" else f"{row['request_count']:,}, others lack"
    return f"{title} {said} {row['missing']}"


def _more(count: int) -> list[str]:
    return [f"  and {count:,} more: --output json"] if count > 0 else []


def _rows(report: Report, name: str) -> list[dict[str, Any]]:
    return list(report.tables[name].dicts()) if name in report.tables else []
