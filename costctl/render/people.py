"""The terminal and Markdown: what a person reads first."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from costctl.money import tokens_display, usd_display
from costctl.render.cells import cell, safe
from costctl.report import Report, Table, unit_of

ROWS_SHOWN = 8
FIRST_COLUMN_MIN = 12
SPEND = ("request_count", "list_cost_usd", "share_ratio", "cache_read_tokens", "latency_ms_p95")


class Section(NamedTuple):
    """A part of the screen: a table, its heading, and its columns by priority."""

    table: str
    heading: str
    columns: tuple[str, ...]
    rows: int = ROWS_SHOWN


FIRST = (
    Section("by_model", "SPEND BY MODEL", ("model", *SPEND)),
    Section(
        "anatomy", "ANATOMY OF THE BILL: every priced request is in exactly one class",
        ("title", "request_count", "list_cost_usd", "share_ratio", "recoverable_usd"), 20,
    ),
)  # fmt: skip
THEN = (
    Section("by_tier", "SHARE BY TIER: a cost descriptor by rules, not evidence of quality", ("tier", *SPEND[:3]), 4),
    Section("provider_share", "SHARE BY PROVIDER", ("provider", "list_cost_usd", "share_ratio", "only_here_ratio"), 6),
    Section(
        "anomalies", "COST JUMPS",
        ("name", "first_on", "last_on", "list_cost_usd", "excess_usd", "cause"), 10,
    ),
    Section("latency_budgets", "LATENCY BUDGETS", ("endpoint", "budget_ms", "latency_ms_p95", "over_ratio")),
    Section(
        "reconciliation", "LOGGED AGAINST LIST COST",
        ("model", "logged_cost_usd", "list_cost_usd", "difference_usd"), 6,
    ),
)  # fmt: skip

# Commands with more columns than a screen: what to show of them.
SCREENS: Mapping[str, tuple[Section, ...]] = {
    "estimate": (
        Section("mix", "MIX", ("model", "share_ratio", "request_count", "list_cost_usd"), 50),
        Section("estimate", "COST", ("model", "list_cost_usd", "request_cost_usd", "price_status"), 200),
        Section("arithmetic", "ARITHMETIC", ("model", "arithmetic"), 200),
    ),
    "models": (
        Section(
            "models", "MODELS: USD per million tokens; who says the rest is in --output json",
            ("model", "input_usd_per_million", "output_usd_per_million", "context_tokens", "router_label",
             "quality_ratio", "tier", "best_use"), 400,
        ),
    ),
}  # fmt: skip


def to_terminal(report: Report, width: int = 80) -> str:
    """The screen; numbers are never cut, columns are dropped by priority and names shortened."""
    lines = _audit(report, width) if report.command == "audit" else _plain(report, width)
    return "\n".join(_wrapped(lines, width)) + "\n"


def _plain(report: Report, width: int) -> list[str]:
    lines = [f"  {name.replace('_', ' ')}: {cell(value, name)}" for name, value in report.totals.items()]
    screen = SCREENS.get(report.command) or [
        Section(table.name, table.name.replace("_", " ").upper(), table.columns, 1000)
        for table in report.tables.values()
    ]
    for section in screen:
        lines += _section(report.tables, section, width)
    return [*lines, *_warned(report)]


def _audit(report: Report, width: int) -> list[str]:
    lines = [*_head(report, width)]
    for section in FIRST:
        lines += _section(report.tables, section, width)
    for row in report.tables["anatomy"].dicts():
        if row["note"] and row["request_count"]:
            lines.append(f"  {safe(str(row['title']))}: {safe(str(row['note']), 400)}")
    for name, table in report.tables.items():
        if name.startswith("by_") and name not in {"by_model", "by_provider", "by_tier"}:
            heading = f"SPEND {name.replace('_', ' ').upper()}"
            columns = (table.columns[0], *(column for column in ("tokens", *SPEND) if column in table.columns))
            lines += _section(report.tables, Section(name, heading, columns, 20), width)
    for section in THEN:
        lines += _section(report.tables, section, width)
        if section.table == "anomalies":
            lines += [
                f"  {safe(str(row['name']))}: {safe(str(row['note']))}" for row in _rows(report, "anomalies")[:10]
            ]
        if section.table == "reconciliation":
            lines += [
                f"  {safe(str(row['model']))}: {row['explanation']}" for row in _rows(report, "reconciliation")[:3]
            ]
    lines += _broken_budgets(report)
    hidden = [name for name in report.tables if name not in _shown() and report.tables[name].rows]
    lines += ["", *_warned(report), "", f"  more in --output json|csv|markdown: {', '.join(hidden)}"]
    return [*lines, "  next:  costctl audit LOG --by endpoint      costctl rejects      costctl sql 'FROM request'"]


def _shown() -> set[str]:
    return {section.table for section in (*FIRST, *THEN)}


def _rows(report: Report, name: str) -> list[dict[str, Any]]:
    return list(report.tables[name].dicts()) if name in report.tables else []


def _broken_budgets(report: Report) -> list[str]:
    broken = [row for row in _rows(report, "token_budgets") if row["over_count"]]
    lines = ["", "  TOKEN BUDGETS EXCEEDED"] if broken else []
    for row in broken[:ROWS_SHOWN]:
        size = f"{tokens_display(row['tokens_per_day_max'])} of {tokens_display(row['budget_tokens'])} tokens a day"
        lines.append(
            f"  {row['scope']} {safe(str(row['name']))}: {row['over_count']:,} times, worst {safe(str(row['worst']))} "
            f"on {row['worst_on']} ({size})"
        )
    return lines


def _head(report: Report, width: int) -> list[str]:
    total: Mapping[str, Any] = report.totals
    logs: Any = report.provenance["logs"]
    dated = total.get("first_at") is not None
    period = f"{cell(total['first_at'], 'at')} .. {cell(total['last_at'], 'at')} UTC" if dated else "undated"
    count = {name: f"{value:,}" for name, value in total.items() if name.endswith("_count")}
    kinds = ("priced", "free", "unpriced")
    priced = ", ".join(
        f"{count[f'{kind}_count']} {kind}" for kind in kinds if kind == "priced" or total[f"{kind}_count"]
    )
    tokens = (
        f"in {tokens_display(total['input_tokens'])}   cached {tokens_display(total['cache_read_tokens'])}   "
        f"out {tokens_display(total['output_tokens'])} tokens"
    )
    lines = [
        f"costctl audit   {safe(', '.join(logs), width - 16)}",
        f"{period}   prices {report.provenance['price_set']}",
        f"{count['records_read_count']} records = {count['accepted_count']} accepted + {count['merged_count']} merged "
        f"+ {count['ignored_count']} ignored + {count['rejected_count']} rejected",
        f"{count['request_count']} requests in {count['call_count']} calls, {count['error_count']} failed; {priced}; "
        "text: not stored",
        "",
        f"  LIST COST  {usd_display(total['list_cost_usd'])}     {tokens}",
    ]
    if total.get("latency_ms_p50") is not None:
        parts = (f"{mark} {cell(total[f'latency_ms_{mark}'], 'ms')}" for mark in ("p50", "p95", "p99"))
        lines.append(f"  latency {'   '.join(parts)}")
    if total["failed_list_cost_usd"]:
        lines.append(f"  failed calls, not billed: {usd_display(total['failed_list_cost_usd'])} at list")
    if total.get("logged_cost_usd") is not None:
        lines.append(f"  logged cost {usd_display(total['logged_cost_usd'])}, of the requests that carry one")
    if total.get("monthly_run_rate_usd") is not None:
        lines.append(f"  at this rate {usd_display(total['monthly_run_rate_usd'])} in 30 days")
    return lines


def _warned(report: Report) -> list[str]:
    return [
        f"  [{item.code}] {safe(item.message, 300)}" + (f"  ({safe(item.hint)})" if item.hint else "")
        for item in report.warnings
    ]


def _section(tables: Mapping[str, Table], section: Section, width: int) -> list[str]:
    table = tables.get(section.table)
    if table is None or not table.rows:
        return []
    return ["", f"  {section.heading}", *_grid(table, section.columns, width, section.rows)]


def _grid(table: Table, columns: Sequence[str], width: int, limit: int) -> list[str]:
    """Right-aligned numbers under their names; the last columns go first when space is short."""
    rows = list(table.dicts())
    shown = [[cell(row[name], name) for name in columns] for row in rows[:limit]]
    heads = [_title(name) for name in columns]
    while True:
        widths = [max([len(head), *(len(row[i]) for row in shown)]) for i, head in enumerate(heads)]
        spare = width - 2 - sum(widths[1:]) - 2 * (len(widths) - 1)
        if spare >= min(FIRST_COLUMN_MIN, widths[0]) or len(heads) <= 2:
            break
        heads, shown = heads[:-1], [row[:-1] for row in shown]
    first = max(min(widths[0], spare), 8)
    lines = []
    for row in [heads, *shown]:
        cells = zip(row[1:], widths[1:], columns[1:], strict=False)
        numbers = "  ".join(_aligned(text, size, name) for text, size, name in cells)
        lines.append(f"  {safe(row[0], first):<{first}}  {numbers}".rstrip())
    if len(rows) > limit:
        lines.append(f"  and {len(rows) - limit:,} more: --output json")
    return lines


def _title(column: str) -> str:
    for suffix in ("_count", "_usd", "_ratio", "_tokens"):
        column = column.removesuffix(suffix)
    column = column.replace("_usd_per_million", " $/M")
    return column.replace("latency_ms_", "").replace("_", " ").replace("request", "requests")


def _aligned(text: str, size: int, column: str) -> str:
    return f"{text:<{size}}" if unit_of(column) == "text" else f"{text:>{size}}"


def _wrapped(lines: list[str], width: int) -> list[str]:
    wrapped: list[str] = []
    for line in lines:
        if len(line) <= width:
            wrapped.append(line)
        else:
            wrapped += textwrap.wrap(
                line, width, subsequent_indent="    ", replace_whitespace=False, break_on_hyphens=False
            )
    return wrapped


def to_markdown(report: Report) -> str:
    """Every table as Markdown, with cells that cannot break out."""
    parts = [f"# costctl {report.command}", "", "| total | value |", "|---|---:|"]
    parts += [f"| {name} | {_md(cell(value, name))} |" for name, value in report.totals.items()]
    for name, table in report.tables.items():
        parts += ["", f"## {name}", "", "| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        parts += [
            "| " + " | ".join(_md(cell(value, key)) for key, value in row.items()) + " |" for row in table.dicts()
        ]
    parts += ["", *(f"- {item.code}: {_md(safe(item.message, 300))}" for item in report.warnings)]
    return "\n".join(parts) + "\n"


def _md(text: str) -> str:
    for mark in "\\`*_[]<>|@":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;", "@": "&#64;"}.get(mark, "\\" + mark))
    return text
