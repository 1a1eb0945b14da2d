"""GitHub: annotations of a workflow, and a body for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Iterator

from costctl.money import ratio_display
from costctl.render.cells import safe, workflow_data, workflow_property
from costctl.render.headline import idle_engines
from costctl.render.markdown import markdown_text, table_lines, warning_lines
from costctl.render.verdicts import PASS, drift_of, gates_of, is_mended, policy_file
from costctl.report import Report, Table, counted

# A step shows so many annotations of a kind and drops the others in silence.
ANNOTATIONS_MAX = 10
# A comment holds so many characters; counted here in bytes, which are never fewer.
BODY_MAX = 65_536
CUT = "\n*Cut to the size of a comment; `--output json` has all of it.*\n"
# The tables that a reader of a pull request wants, in this order; the others are left to `--output json`.
TABLES = ("drift", "diff", "gates", "tiers", "waterfall", "by_tier", "anatomy", "by_model", "references")
VERDICTS = {"PASS": "✅", "FAIL": "❌", "NOT RUN": "⚠️"}


def to_annotations(report: Report) -> str:
    """Workflow commands: broken gates by level, drift, then warnings as notices; nothing where all is well."""
    path = _file_of(report)
    found: dict[str, list[tuple[str, str, str]]] = {"error": [], "warning": [], "notice": []}
    for case in gates_of(report):
        if case["verdict"] != PASS:
            kind = "error" if case["level"] == "error" else "warning"
            found[kind].append((path, f"gate {case['verdict']}: {case['gate']}", case["found"]))
    for one in drift_of(report):
        title = f"drift: {one['key']}" if one["key"] else "drift"
        what = f"{one['found']} (cause: {one['cause']}{', mended' if is_mended(report) else ''})"
        found["notice" if is_mended(report) else "error"].append((one["path"], title, what))
    found["notice"] += [(path, item.code, safe(item.message, 400)) for item in report.warnings]
    return "".join(f"{line}\n" for kind, said in found.items() for line in _commands(kind, path, said))


def _file_of(report: Report) -> str:
    """The file that the report is about: its policy, of an audit its one log; "" where that is no one file."""
    logs = report.provenance.get("logs")
    if report.command != "audit":
        return policy_file(report)
    return safe(str(logs[0]), 400) if isinstance(logs, list | tuple) and len(logs) == 1 else ""


def _commands(kind: str, own: str, said: list[tuple[str, str, str]]) -> Iterator[str]:
    """Commands of a kind for path, title and message; `own` is where the count of those above the limit stands."""
    whole = len(said) <= ANNOTATIONS_MAX
    for path, title, message in said if whole else said[: ANNOTATIONS_MAX - 1]:
        yield f"::{kind} {_place(path)}title={workflow_property(title)}::{workflow_data(message)}"
    if not whole:
        more = f"and {len(said) - ANNOTATIONS_MAX + 1} more; the report has them all"
        yield f"::{kind} {_place(own)}title=costctl::{workflow_data(more)}"


def _place(path: str) -> str:
    return f"file={workflow_property(path)}," if path else ""


def to_comment(report: Report) -> str:
    """Markdown with a hidden marker, by which the next run finds the comment to replace; never above the limit."""
    body = [
        f"<!-- costctl:{report.command}:{_tag(report)} -->",
        f"### costctl {report.command}",
        "",
        *_headline(report),
    ]
    left = BODY_MAX - len(CUT.encode()) - sum(len(line.encode()) + 1 for line in body)
    is_cut = False
    for line in _sections(report):
        left -= len(line.encode()) + 1
        if left < 0:
            is_cut = True
            break
        body.append(line)
    return "\n".join(body) + "\n" + (CUT if is_cut else "")


def _tag(report: Report) -> str:
    """The policy's name in letters that end no comment; without its digest, so that it stays the same."""
    policy = report.provenance.get("policy") or ""
    head = report.provenance.get("head")
    name = str(head["policy"] if isinstance(head, dict) else policy).rpartition(" #")[0]
    return "".join(letter if letter.isalnum() else "-" for letter in name)[:60]


def _headline(report: Report) -> list[str]:
    """One line that a reader of mail sees."""
    lines = _gates_line(report)
    if report.provenance.get("is_check"):
        count = int(str(report.totals["drift_count"]))
        files = counted(int(str(report.totals["file_count"])), "file")
        out = f"{'✅ was' if is_mended(report) else '❌'} not in step: {counted(count, 'difference')}"
        lines += [f"Exported router: {out if count else f'✅ in step, {files}'}", ""]
    saving = report.totals.get("saving_ratio")
    if isinstance(saving, float | int):
        calls = counted(int(str(report.totals["call_count"])), "call")
        share = ratio_display(abs(saving))
        said = (
            f"Saving {share} of the cost of {calls}" if saving >= 0 else f"Costs {share} more than the log of {calls}"
        )
        lines += [said, ""]
    for line in idle_engines(report.totals):
        lines += [markdown_text(line.strip()), ""]
    return lines


def _gates_line(report: Report) -> list[str]:
    """How many gates passed, broke, and broke at a level that fails nothing; those of a diff are the policies' own."""
    found = [
        f"❗ {case['verdict'].lower()} (warns only)" if case["verdict"] != PASS and case["level"] != "error"
        else f"{VERDICTS[case['verdict']]} {case['verdict'].lower()}"
        for case in gates_of(report)
    ]  # fmt: skip
    if not found:
        return []
    whose = "Gates of the policy" if report.command == "diff" else "Gates"
    return [f"{whose}: {', '.join(f'{found.count(one)} {one}' for one in dict.fromkeys(found))}", ""]


def _sections(report: Report) -> Iterator[str]:
    for name in TABLES:
        table = report.tables.get(name)
        if table is not None and table.rows:
            yield from (f"#### {name.replace('_', ' ')}", "", *table_lines(_filled(table)), "")
    yield from warning_lines(report)


def _filled(table: Table) -> Table:
    """The table without the columns that hold nothing."""
    held = [n for n in range(len(table.columns)) if any(row[n] not in {None, ""} for row in table.rows)]
    return Table.of(table.name, [table.columns[n] for n in held], ([row[n] for n in held] for row in table.rows))
