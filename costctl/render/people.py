"""The terminal and Markdown: what a person reads first."""

from __future__ import annotations

from costctl.money import tokens_display, usd_display
from costctl.render.cells import cell, safe
from costctl.report import Report, Table, unit_of

MODEL_COLUMNS = ("request_count", "list_cost_usd", "share_ratio", "cache_read_tokens", "latency_ms_p95")
ROWS_SHOWN = 8


def to_terminal(report: Report, width: int = 80) -> str:
    """The screen; numbers are never cut, columns are dropped by priority and names shortened."""
    if report.command != "audit":
        return "\n".join([line for table in report.tables.values() for line in _grid(table, table.columns, width, 200)] + _warned(report)) + "\n"
    lines = [*_head(report, width), ""]
    lines += ["  SPEND BY MODEL", *_grid(report.tables["by_model"], ("model", *MODEL_COLUMNS), width, ROWS_SHOWN), ""]
    lines += ["  ANATOMY OF THE BILL: every priced request is in exactly one class", *_grid(report.tables["anatomy"], ("title", "request_count", "list_cost_usd", "share_ratio", "recoverable_usd"), width, 20), ""]
    lines += [f"  {safe(str(row['title']))}: {safe(str(row['note']), 400)}" for row in report.tables["anatomy"].dicts() if row["note"] and row["request_count"]]
    for name, table in report.tables.items():
        if name.startswith("by_") and name not in {"by_model", "by_provider", "by_tier"}:
            lines += ["", f"  SPEND {name.replace('_', ' ', 1).upper()}", *_grid(table, (table.columns[0], *[c for c in MODEL_COLUMNS if c in table.columns]), width, 20)]
    lines += ["", "  SHARE BY TIER (a cost descriptor by rules, not evidence of quality)", *_grid(report.tables["by_tier"], ("tier", "request_count", "list_cost_usd", "share_ratio"), width, 5)]
    lines += ["", *_warned(report), "", "  next:  costctl audit LOG --by endpoint      costctl rejects      --output json"]
    return "\n".join(_wrapped(lines, width)) + "\n"


def _head(report: Report, width: int) -> list[str]:
    total = report.totals
    names = ", ".join(str(item) for item in report.provenance["logs"])  # type: ignore[attr-defined]
    period = f"{cell(total['first_at'], 'first_at')} .. {cell(total['last_at'], 'last_at')} UTC" if total["first_at"] else "undated"
    counts = {key: f"{total[key]:,}" for key in ("records_read_count", "accepted_count", "merged_count", "ignored_count", "rejected_count", "priced_count", "request_count", "call_count", "error_count")}
    lines = [
        f"costctl audit   {safe(names, width - 16)}",
        f"{period}   prices {report.provenance['price_set']}",
        f"{counts['records_read_count']} records = {counts['accepted_count']} accepted + {counts['merged_count']} merged + {counts['ignored_count']} ignored + {counts['rejected_count']} rejected",
        f"{counts['request_count']} requests in {counts['call_count']} calls, {counts['error_count']} failed; {counts['priced_count']} priced; text: not stored",
        "",
        f"  LIST COST  {usd_display(total['list_cost_usd'])}     in {tokens_display(total['input_tokens'])}   cached {tokens_display(total['cache_read_tokens'])}   out {tokens_display(total['output_tokens'])} tokens",
        f"  latency p50 {cell(total['latency_ms_p50'], 'x_ms')}   p95 {cell(total['latency_ms_p95'], 'x_ms')}   p99 {cell(total['latency_ms_p99'], 'x_ms')}   failed calls at list, not billed {usd_display(total['failed_list_cost_usd'])}",
    ]  # fmt: skip
    if total.get("logged_cost_usd") is not None:
        lines.append(f"  logged cost {usd_display(total['logged_cost_usd'])} (see table reconciliation)")
    if total.get("monthly_run_rate_usd") is not None:
        lines.append(f"  at this rate {usd_display(total['monthly_run_rate_usd'])} in 30 days")
    return lines


def _warned(report: Report) -> list[str]:
    return [f"  [{item.code}] {safe(item.message, 300)}" + (f"  ({safe(item.hint)})" if item.hint else "") for item in report.warnings]


def _grid(table: Table, columns: tuple[str, ...], width: int, limit: int) -> list[str]:
    """Right-aligned numbers under their names; the last columns go first when space is short."""
    rows = list(table.dicts())
    shown = [[cell(row[name], name) for name in columns] for row in rows[:limit]]
    heads = [name.removesuffix("_count").removesuffix("_usd").removesuffix("_ratio").replace("_", " ") for name in columns]
    while True:
        widths = [max([len(head), *(len(row[i]) for row in shown)]) for i, head in enumerate(heads)]
        spare = width - 2 - sum(widths[1:]) - 2 * (len(widths) - 1)
        if spare >= 12 or len(heads) <= 2:
            break
        heads, shown = heads[:-1], [row[:-1] for row in shown]
    first = max(min(widths[0], spare), 8)
    lines = []
    for row in [heads, *shown]:
        numbers = "  ".join(_aligned(text, size, name) for text, size, name in zip(row[1:], widths[1:], columns[1:], strict=False))
        lines.append(f"  {safe(row[0], first):<{first}}  {numbers}".rstrip())
    if len(rows) > limit:
        lines.append(f"  and {len(rows) - limit} more: --output json")
    return lines


def _aligned(text: str, size: int, column: str) -> str:
    return f"{text:<{size}}" if unit_of(column) == "text" else f"{text:>{size}}"


def _wrapped(lines: list[str], width: int) -> list[str]:
    import textwrap  # noqa: PLC0415

    return [
        piece for line in lines
        for piece in (textwrap.wrap(line, width, subsequent_indent="    ", drop_whitespace=True, replace_whitespace=False, break_on_hyphens=False) if len(line) > width else [line])
    ]  # fmt: skip


def to_markdown(report: Report, width: int = 0) -> str:
    """Every table as Markdown, with cells that cannot break out."""
    parts = [f"# costctl {report.command}", "", "| total | value |", "|---|---:|"]
    parts += [f"| {name} | {_md(cell(value, name))} |" for name, value in report.totals.items()]
    for name, table in report.tables.items():
        parts += ["", f"## {name}", "", "| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        parts += ["| " + " | ".join(_md(cell(value, key)) for key, value in row.items()) + " |" for row in table.dicts()]
    parts += ["", *(f"- {item.code}: {_md(safe(item.message, 300))}" for item in report.warnings)]
    return "\n".join(parts) + "\n"


def _md(text: str) -> str:
    for mark in "\\`*_[]<>|@":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;", "@": "&#64;"}.get(mark, "\\" + mark))
    return text
